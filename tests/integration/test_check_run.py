"""A project on disk, a DuckDB warehouse, a SQLite store: what a run measures, judges, keeps and tells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from dqmon.app import App, open_app
from dqmon.cli.schema import show
from dqmon.core.alert import AlertState
from dqmon.core.delivery import DeliveryState
from dqmon.core.incident import IncidentState
from dqmon.core.message import DeliveryKind
from dqmon.core.selector import parse_selector
from dqmon.core.verdict import Verdict
from dqmon.engine.incidents.by_hand import acknowledge_incident, resolve_incident
from dqmon.errors import StoreError
from dqmon.store import alerts, deliveries, incidents, results

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
CONFIG = """
version: 1
instance: test
store: {url: "sqlite:///.dqmon/test.db"}
warehouses:
  main: {type: duckdb, path: data/warehouse.duckdb}
channels:
  team: {type: slack, channel: "#data", dry_run: true}
  oncall: {type: pagerduty, dry_run: true}
routes:
  - {name: pages, match: "severity:critical", to: [oncall, team], group_wait: 10s}
  - {name: rest, default: true, to: [team], group_wait: 30s}
"""
EVERYTHING = parse_selector(())


class Clock:
    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at


class World:
    """A project folder with one table `main.orders`, and a clock that is set by hand."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = Clock()
        for folder in ("config", "checks", "data"):
            (root / folder).mkdir()
        (root / "config/dqmon.yaml").write_text(CONFIG)
        columns = ", ".join(f"c{i} integer" for i in range(12))
        self.sql(f"create table orders (id integer, ref varchar, amount decimal(12, 2), made timestamp, {columns})")
        filled = ", ".join(["i"] * 12)
        self.sql(f"insert into orders select i, 'R' || i, i * 1.10, timestamp '2026-03-02 08:00:00', {filled} from range(100) t(i)")

    def sql(self, statement: str) -> None:
        with duckdb.connect(str(self.root / "data/warehouse.duckdb")) as connection:
            connection.execute(statement)

    def checks(self, *items: str, keys: str = "") -> None:
        listed = "\n".join(f"      - {item}" for item in items)
        entry = f"  - dataset: main.orders\n{keys}    checks:\n{listed}\n"
        (self.root / "checks/orders.yaml").write_text(f"version: 1\ndatasets:\n{entry}")

    def app(self) -> App:
        return open_app(str(self.root / "config/dqmon.yaml"), clock=self.clock)

    def check(self, at: datetime | None = None, alerts: bool = True):
        with self.app() as app:
            return app.check(EVERYTHING, at, alerts)

    def verdicts(self) -> dict[str, Verdict]:
        return {record.check_id: record.verdict for record in self.check().records}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


THIRTY = [
    *(f"completeness: {{column: c{i}}}" for i in range(12)),
    *(f"range: {{column: c{i}, min: 0, max: 1000}}" for i in range(12)),
    "row_count: {min: 1}",
    "freshness: {column: made, fail_after: 30d}",
    "volume_anomaly",
    "schema_drift",
    "completeness: {column: ref}",
    "range: {column: amount, min: 0}",
]
UNIQUE = ["uniqueness: {column: id}", "uniqueness: {column: ref}", "uniqueness: {columns: [id, ref]}"]


@pytest.mark.parametrize(("checks", "most"), [(THIRTY, 1), ([*THIRTY, *UNIQUE], 4)])
def test_thirty_checks_of_a_table_are_one_statement_and_each_uniqueness_adds_one(world: World, checks: list[str], most: int) -> None:
    world.checks(*checks)
    report = world.check()
    print(f"{len(checks)} checks: {report.statements} data statements (at most {most})")
    assert len(report.records) == len(checks)
    assert report.statements == most
    assert {record.verdict for record in report.records} <= {Verdict.PASS, Verdict.SKIPPED}


def test_plan_shows_the_statements_that_run(world: World) -> None:
    world.checks(*THIRTY, *UNIQUE)
    with world.app() as app:
        planned = app.plan(EVERYTHING)
        ran = app.check(EVERYTHING, None, False)
    sent = {sql for record in ran.records for sql in record.sql}
    assert {statement.sql for statement in planned if statement.sql} == sent
    assert len(sent) == ran.statements
    served = {check for statement in planned for check in statement.checks}
    assert served == {record.check_id for record in ran.records}


def test_one_bad_metric_is_an_error_alone(world: World) -> None:
    lookahead = "completeness: {name: pattern, column: ref, missing_pattern: '(?=R)'}"  # DuckDB's engine has no lookahead
    world.checks(*THIRTY, lookahead, "range: {name: type, column: ref, min: 0}")
    found = world.verdicts()
    bad = [check for check, verdict in found.items() if verdict is Verdict.ERROR]
    assert bad == ["main.orders.completeness.ref.pattern", "main.orders.range.ref.type"]


def test_a_missing_column_is_an_error_before_any_sql_runs(world: World) -> None:
    world.checks("completeness: {column: refx}", "completeness: {column: ref}")
    report = world.check()
    wrong, right = report.records
    assert (wrong.verdict, right.verdict, report.statements) == (Verdict.ERROR, Verdict.PASS, 1)
    assert "main.orders" in wrong.reason
    assert "'refx'" in wrong.reason
    assert "ref" in wrong.reason


def test_a_missing_table_is_an_error_of_its_checks_alone(world: World) -> None:
    world.checks("row_count: {min: 1}")
    (world.root / "checks/gone.yaml").write_text("version: 1\ndatasets:\n  - dataset: main.gone\n    checks: [{row_count: {min: 1}}]\n")
    assert world.verdicts() == {"main.gone.row_count": Verdict.ERROR, "main.orders.row_count": Verdict.PASS}


def test_an_incident_opens_is_told_once_and_resolves(world: World) -> None:
    world.checks("completeness: {column: ref, severity: critical, owner: me, runbook: https://rb.example.com}", "row_count: {min: 1}")
    assert set(world.verdicts().values()) == {Verdict.PASS}
    world.sql("update orders set ref = null where id < 40")
    for _ in range(3):
        world.clock.at += timedelta(minutes=10)
        world.check()
    world.sql("update orders set ref = 'R' where ref is null")
    world.clock.at += timedelta(minutes=10)
    world.check()
    with world.app() as app, app.database.read() as connection:
        (incident,) = incidents.listed(connection, None, 10)
        told = deliveries.of_incident(connection, incident.id)
    assert incident.state is IncidentState.RESOLVED
    for channel in ("oncall", "team"):
        kinds = [d.kind for d in told if d.channel == channel and d.part != "reply"]
        assert kinds == [DeliveryKind.TRIGGER, DeliveryKind.RESOLVE]
    assert {(d.state, d.reason.split(":")[0]) for d in told} == {(DeliveryState.NOT_SENT, "dry_run")}
    assert "40 of 100 rows" in told[0].text
    assert "40 rows missing" in told[0].message.title
    assert len({d.dedup_key for d in told if d.channel == "oncall"}) == 1


def test_an_error_never_resolves_a_data_alert(world: World) -> None:
    world.checks("completeness: {column: ref}")
    world.sql("update orders set ref = null")
    world.check()
    (world.root / "data/warehouse.duckdb").rename(world.root / "data/away")
    for _ in range(3):
        world.clock.at += timedelta(minutes=1)
        assert set(world.verdicts().values()) == {Verdict.ERROR}
    with world.app() as app, app.database.read() as connection:
        found = {str(alert.key): alert.state for alert in alerts.open_alerts(connection)}
    assert found == {
        "main.orders.completeness.ref": AlertState.FIRING,
        "warehouse:main#error": AlertState.FIRING,
    }


def test_ad_hoc_runs_change_no_alert_and_tell_nobody(world: World) -> None:
    world.checks("completeness: {column: ref}")
    world.sql("update orders set ref = null")
    assert {r.verdict for r in world.check(alerts=False).records} == {Verdict.FAIL}
    report = world.check(at=START - timedelta(days=1))
    assert [r.as_of for r in report.records] == ["current_contents"]
    with world.app() as app, app.database.read() as connection:
        assert alerts.open_alerts(connection) == ()
        assert incidents.listed(connection, None, 10) == ()


def test_two_failing_checks_of_one_table_are_one_incident_and_one_message(world: World) -> None:
    world.checks("completeness: {column: ref}", "completeness: {column: c1}", "row_count: {min: 1}")
    world.sql("update orders set ref = null, c1 = null")
    world.check()
    with world.app() as app, app.database.read() as connection:
        (incident,) = incidents.listed(connection, None, 10)
        told = deliveries.of_incident(connection, incident.id)
    assert len(incident.members) == 2
    assert [d.kind for d in told] == [DeliveryKind.TRIGGER]
    assert len(told[0].message.alerts) == 2


def test_a_schema_change_is_found_and_accepted(world: World) -> None:
    world.checks("schema_drift: {fail_on: [column_removed]}")
    assert list(world.verdicts().values()) == [Verdict.PASS]
    world.sql("alter table orders drop c3")
    world.clock.at += timedelta(minutes=1)
    report = world.check()
    assert report.records[0].verdict is Verdict.FAIL
    assert "c3" in report.records[0].reason
    with world.app() as app:
        app.accept_schema("main.orders", "me")
    world.clock.at += timedelta(minutes=1)
    assert list(world.verdicts().values()) == [Verdict.PASS]


def test_columns_that_came_and_went_leave_the_accepted_ones(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.checks("schema_drift: {fail_on: [column_added]}")
    world.check()
    for change in ("alter table orders add column more integer", "alter table orders drop more"):
        world.sql(change)
        world.clock.at += timedelta(minutes=1)
        world.check()
    show("orders", config=str(world.root / "config/dqmon.yaml"))
    assert "accepted 2026-03-02 09:00 UTC by first run" in capsys.readouterr().out


def test_a_partition_gets_a_result_each_and_rows_without_a_key_their_own(world: World) -> None:
    world.sql("update orders set made = null, ref = null where id < 5")
    world.sql("update orders set made = timestamp '2026-03-01 12:00:00' where id between 5 and 50")
    world.sql("update orders set ref = null where id = 7")
    keys = "    partition: {column: made, grain: day, lookback: 2}\n"
    world.checks("completeness: {column: ref}", "row_count: {min: 1, max: 46}", keys=keys)
    report = world.check()
    found = {(r.type, r.partition): (r.verdict, r.observed_value) for r in report.records}
    first, second = "2026-02-28T00:00:00Z/2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z/2026-03-02T00:00:00Z"
    assert report.statements == 1
    assert found == {
        ("completeness", first): (Verdict.SKIPPED, 0),
        ("completeness", second): (Verdict.FAIL, 1),
        ("completeness", "null"): (Verdict.FAIL, 5),
        ("row_count", first): (Verdict.FAIL, 0),
        ("row_count", second): (Verdict.PASS, 46),
    }


def test_a_store_that_cannot_be_written_still_shows_the_verdicts(world: World) -> None:
    world.checks("row_count: {min: 1}")
    world.check()
    for file in (world.root / ".dqmon").iterdir():
        if file.suffix != ".db":
            file.unlink()
    url = f"sqlite:///file:{world.root}/.dqmon/test.db?mode=ro&uri=true"
    (world.root / "config/dqmon.yaml").write_text(CONFIG.replace("sqlite:///.dqmon/test.db", url))
    world.clock.at += timedelta(minutes=1)
    report = world.check()
    assert [record.verdict for record in report.records] == [Verdict.PASS]
    assert not report.is_recorded
    assert "read-only" in (report.problem or "")


def test_acknowledging_and_closing_by_hand_is_told(world: World) -> None:
    world.checks("completeness: {column: ref, severity: critical, owner: me, runbook: https://rb.example.com}")
    world.sql("update orders set ref = null")
    world.check()
    with world.app() as app:
        with app.database.read() as connection:
            (incident,) = incidents.open_incidents(connection)
        acknowledge_incident(app.environment, incident.id[:8], "ann")
        resolve_incident(app.environment, incident.id, "ann", still_failing=False)
    world.clock.at += timedelta(minutes=1)
    world.check()
    with world.app() as app, app.database.read() as connection:
        (incident,) = incidents.listed(connection, None, 10)
        kinds = [d.kind for d in deliveries.of_incident(connection, incident.id) if d.channel == "oncall"]
    assert incident.closed_by_hand == "ann"
    assert kinds == [DeliveryKind.TRIGGER, DeliveryKind.ACKNOWLEDGE, DeliveryKind.RESOLVE]


def test_rows_without_a_partition_key_are_named_where_they_have_no_result(world: World) -> None:
    world.sql("update orders set made = null where id < 5")
    world.checks("row_count: {min: 0}", keys="    partition: {column: made, grain: day}\n")
    (record,) = world.check().records
    assert "5 more rows have no made" in record.reason


def test_another_first_warehouse_is_refused_until_it_is_taken(world: World) -> None:
    world.checks("row_count: {min: 1}")
    world.check()
    config = world.root / "config/dqmon.yaml"
    renamed = CONFIG.replace("  main: {type: duckdb", "  lake: {type: duckdb, schema: main")
    config.write_text(renamed)
    with pytest.raises(StoreError, match=r"'main'.*'lake'.*--default-warehouse lake"):
        world.check()
    with world.app() as app:
        app.migrate("lake")
    assert [record.check_id for record in world.check().records] == ["main.orders.row_count"]


def test_a_bad_result_says_the_statement_that_shows_it(world: World) -> None:
    world.checks(*THIRTY, "completeness: {name: all, column: ref, filter: 'id < 50'}")
    world.sql("update orders set ref = null where id < 40")
    bad = {r.check_id: r for r in world.check().records if r.verdict is Verdict.FAIL}
    assert set(bad) == {"main.orders.completeness.ref", "main.orders.completeness.ref.all"}
    with duckdb.connect(str(world.root / "data/warehouse.duckdb")) as connection:
        seen = {id_: connection.execute(record.reproduce).fetchall() for id_, record in bad.items()}
    assert {id_: 40 in rows[0] for id_, rows in seen.items()} == dict.fromkeys(bad, True)
    assert all(len(record.reproduce) < 250 for record in bad.values())


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_renamed_check_keeps_its_history_alert_and_incident(world: World, store: str, request: pytest.FixtureRequest) -> None:
    if store == "postgres":
        url = request.getfixturevalue("postgres_database")
        (world.root / "config/dqmon.yaml").write_text(CONFIG.replace("sqlite:///.dqmon/test.db", url))
    critical = "severity: critical, owner: me, runbook: https://rb.example.com"
    world.checks(f"completeness: {{column: ref, {critical}}}")
    world.sql("update orders set ref = null")
    world.check()
    world.checks(f"completeness: {{name: refs, was: main.orders.completeness.ref, column: ref, {critical}}}")
    for repair in (None, "update orders set ref = 'R'"):
        if repair:
            world.sql(repair)
        world.clock.at += timedelta(minutes=10)
        world.check()
    new = "main.orders.completeness.ref.refs"
    with world.app() as app, app.database.read() as connection:
        found = incidents.listed(connection, None, 10)
        told = deliveries.of_incident(connection, found[0].id)
        kept = results.recent(connection, new, 10)
        assert results.recent(connection, "main.orders.completeness.ref", 10) == ()
    assert [r.verdict for r in kept] == [Verdict.PASS, Verdict.FAIL, Verdict.FAIL]
    assert [(i.root.check_id, i.state) for i in found] == [(new, IncidentState.RESOLVED)], "one incident, under the new id, over"
    assert [d.kind for d in told if d.channel == "oncall"] == [DeliveryKind.TRIGGER, DeliveryKind.RESOLVE]
