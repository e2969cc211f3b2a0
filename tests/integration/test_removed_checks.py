"""A check that is deleted while its alert fires, by the daemon's own ticks: reload, kill, end (R3)."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dqmon.app import open_app
from dqmon.app.daemon import scheduler, setup
from dqmon.daemon.virtual import VirtualClock
from dqmon.store import alerts, deliveries, incidents

START = datetime(2026, 3, 10, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CONFIG = """\
version: 1
warehouses: {main: {type: sqlite, path: data/w.db}}
channels: {team: {type: slack, channel: "#team", dry_run: true}}
routes: [{name: rest, default: true, to: [team], group_wait: 0s, group_interval: 1s}]
"""
CHECK = "  - dataset: orders\n    checks: [{row_count: {min: %d, schedule: {every: 1m}}}]\n"
CHECKS = f"version: 1\ndatasets:\n{CHECK % 5}"
OTHERS = "version: 1\ndatasets:\n  - dataset: orders\n    checks: [{row_count: {name: other, min: 0, schedule: {every: 1m}}}]\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in (("config/dqmon.yaml", CONFIG), ("checks/all.yaml", CHECKS), ("data/none", "")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with sqlite3.connect(tmp_path / "data/w.db") as connection:
        connection.execute("create table orders (a int)")
    connection.close()
    return tmp_path


def run(root: Path, clock: VirtualClock, until: datetime, reload: datetime | None = None) -> None:
    """A daemon from its start to being killed, ticking every 20 seconds; at `reload` the check is gone from the files."""
    with open_app(str(root / "config/dqmon.yaml"), clock=clock) as app:
        daemon = scheduler(app)
        while clock.at < until:
            if clock.at == reload:
                (root / "checks/all.yaml").write_text(OTHERS)
                other = open_app(str(root / "config/dqmon.yaml"), clock=clock)
                daemon.swap(setup(other))
            daemon.tick(clock.at)
            clock.at += 20 * SECOND


def test_it_closes_two_cycles_after_the_reload_also_when_the_daemon_is_killed_meanwhile(root: Path) -> None:
    clock, gone_at = VirtualClock(START), START + 180 * SECOND
    run(root, clock, gone_at + 60 * SECOND, reload=gone_at)
    run(root, clock, gone_at + 120 * SECOND)
    with open_app(str(root / "config/dqmon.yaml"), clock=clock) as app:
        with app.database.read() as connection:
            (before,) = alerts.open_alerts(connection)
        assert (before.key.check_id, before.missing_since) == ("main.orders.row_count", gone_at)
        run(root, clock, gone_at + 180 * SECOND)
        with app.database.read() as connection:
            assert alerts.open_alerts(connection) == ()
            (incident,) = incidents.listed(connection, None, 9)
            end = deliveries.of_incident(connection, incident.id)[-1]
    assert incident.resolved_at is not None
    assert timedelta(0) <= incident.resolved_at - (gone_at + 120 * SECOND) <= 20 * SECOND, "two cycles of a minute, and the next look"
    assert end.kind.value == "resolve"
    assert end.message.alerts[0].members_left == ("removed: the configuration has no such check any more",)
