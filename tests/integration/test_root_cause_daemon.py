"""One incident per cause, by the daemon's own tick: what a symptom waits for is run out of turn (R11)."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from dqmon.app import open_app
from dqmon.app.daemon import scheduler
from dqmon.core.delivery import DeliveryState
from dqmon.core.verdict import Verdict
from dqmon.daemon.virtual import VirtualClock, run_until
from dqmon.store import deliveries, incidents, results

START = datetime(2026, 3, 10, 11, 59, tzinfo=UTC)
CONFIG = """
version: 1
instance: test
warehouses:
  main: {type: sqlite, path: data/w.db}
channels:
  team: {type: slack, channel: "#team", dry_run: true}
routes:
  - {name: rest, default: true, to: [team], group_wait: 0s}
"""
CHECKS = """
version: 1
datasets:
  - dataset: raw
    checks: [{row_count: {min: 1, schedule: {every: 6h}}}]
  - dataset: clean
    upstream: [raw]
    checks: [{row_count: {min: 1, schedule: {every: 6h}}}]
  - dataset: mart
    upstream: [clean]
    checks: [{row_count: {min: 1, schedule: {every: 1m}}}]
"""
TABLES = ("raw", "clean", "mart")


@pytest.fixture
def app(tmp_path):
    for folder in ("config", "checks", "data"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config/dqmon.yaml").write_text(CONFIG)
    (tmp_path / "checks/all.yaml").write_text(CHECKS)
    with sqlite3.connect(tmp_path / "data/w.db") as connection:
        for table in TABLES:
            connection.execute(f"create table {table} (a int)")
            connection.execute(f"insert into {table} values (1)")
    with open_app(str(tmp_path / "config/dqmon.yaml"), clock=VirtualClock(START)) as found:
        yield found


def test_hourly_checks_upstream_are_run_within_seconds_of_the_first_symptom(app, tmp_path):
    daemon, clock = scheduler(app), app.now
    run_until(daemon, clock, START + timedelta(hours=7), lambda: None)
    with sqlite3.connect(tmp_path / "data/w.db") as connection:
        for table in TABLES:
            connection.execute(f"delete from {table}")
    broken_at = clock()
    run_until(daemon, clock, broken_at + timedelta(minutes=4), lambda: None)
    with app.database.read() as connection:
        (incident,) = incidents.open_incidents(connection)
        told = deliveries.after(connection, 0)
        first = {r.check_id: r.measured_at for r in reversed(results.since(connection, broken_at)) if r.verdict is Verdict.FAIL}
    sent = [d for d in told if d.reason.startswith("dry_run")]
    assert (str(incident.root), [d.message.alerts[0].check_id for d in sent]) == ("main.raw.row_count", ["main.raw.row_count"])
    assert {m.caused_by for m in incident.members.values()} == {None, "main.raw.row_count"}
    assert sorted(d.message.alerts[0].check_id for d in told if d.state is DeliveryState.NOT_SENT and d not in sent) == [
        "main.clean.row_count",
        "main.mart.row_count",
    ]
    late = {name: (at - first["main.mart.row_count"]).total_seconds() for name, at in first.items()}
    assert max(late.values()) <= 1, f"seconds after the symptom: {late}"
    assert (sent[0].created_at - first["main.mart.row_count"]).total_seconds() <= 6, "the page came with the next look"
