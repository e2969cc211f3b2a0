"""What runs cost: recorded by statement, shared out over checks, shown before and after, limited by a budget of a day."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from dqmon.app import App, open_app
from dqmon.cli.program import run as dqmon
from dqmon.core.alert import AlertState
from dqmon.core.capabilities import Capabilities
from dqmon.core.cost import TIB, Basis, Budget, Cost
from dqmon.core.result import ResultRecord
from dqmon.core.selector import parse_selector
from dqmon.core.spending import Spending
from dqmon.core.verdict import Verdict
from dqmon.engine.cost import Refreshed, refresh
from dqmon.engine.measuring.asked import Task
from dqmon.engine.planned import by_check
from dqmon.engine.preview import preview
from dqmon.errors import ConnectFailed
from dqmon.store import alerts, statements
from dqmon.store.measurements import measurements
from dqmon.store.statements import Statement
from dqmon.warehouses.base import SqlSession
from dqmon.warehouses.sqlite import Sqlite

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
EVERYTHING = parse_selector(())
SUMS = ("seconds", "rows_read", "bytes_read", "bytes_billed", "credits")
CHECKS = """
version: 1
datasets:
  - dataset: orders
    owner: "@shop"
    schedule: {every: 6h}
    checks:
      - row_count: {min: 1}
      - completeness: {column: ref}
      - uniqueness: {column: id}
      - accepted_values: {column: ref, values: [R1, R2, R3]}
  - dataset: visits
    owner: "@days"
    partition: {column: made, grain: day, lookback: 3}
    checks:
      - row_count: {name: daily, min: 1}
"""


class World:
    """A project whose warehouse costs 3,600 credits an hour, one for each second, and whose clock is set by hand."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = START
        for folder in ("config", "checks", "data"):
            (root / folder).mkdir()
        (root / "checks/orders.yaml").write_text(CHECKS)
        self.configure("")
        with closing(sqlite3.connect(root / "data/shop.db")) as connection, connection:
            for name in ("orders", "visits"):
                connection.execute(f"create table {name} (id integer, ref text, made text)")
            days = [f"2026-03-0{1 + i % 3} 08:00:00" for i in range(90)]
            for name in ("orders", "visits"):
                connection.executemany(f"insert into {name} values (?, ?, ?)", [(i, f"R{i % 4}", made) for i, made in enumerate(days)])

    @property
    def config(self) -> str:
        return str(self.root / "config/dqmon.yaml")

    def configure(self, more: str, price: str = ", credits_per_hour: 3600") -> None:
        text = f'version: 1\nstore: {{url: "sqlite:///.dqmon/dqmon.db"}}\nreuse: false\nwarehouses:\n  main: {{type: sqlite, path: data/shop.db{price}}}\n'
        (self.root / "config/dqmon.yaml").write_text(text + more)

    def app(self) -> App:
        return open_app(self.config, clock=lambda: self.now)

    def check(self, *selector: str) -> tuple[ResultRecord, ...]:
        with self.app() as app:
            return app.check(parse_selector(selector), None, alerts=True).records

    def rows(self) -> list[sa.RowMapping]:
        with self.app() as app, app.database.read() as connection:
            return list(connection.execute(sa.select(statements.statements)).mappings())

    def spend(self, credits_spent: float) -> None:
        """As if another run had cost that much today."""
        one = Statement("other", "main", "orders", "aggregate", self.now, Cost(1.0, Spending(), credits_spent), Basis.ESTIMATE, {})
        with self.app() as app, app.database.write() as connection:
            statements.add(connection, [one])

    def took(self, seconds: float) -> None:
        """As if every statement had taken that long."""
        with self.app() as app, app.database.write() as connection:
            connection.execute(sa.update(measurements).values(duration_s=seconds))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def said(records: tuple[ResultRecord, ...]) -> dict[str, list[tuple[Verdict, str]]]:
    found: dict[str, list[tuple[Verdict, str]]] = {}
    for record in records:
        found.setdefault(record.check_id, []).append((record.verdict, record.reason))
    return found


def test_every_statement_is_recorded_and_borne_by_the_checks_that_it_served(world: World) -> None:
    with world.app() as app:
        report = app.check(EVERYTHING, None, alerts=True)
    rows = world.rows()
    assert len(rows) == report.statements > 1
    for row in rows:
        assert sum(row["shares"].values()) == pytest.approx(1.0), f"{row['shares']}: a statement is borne as a whole"
        assert (row["basis"], row["warehouse"], row["run_id"]) == (Basis.ESTIMATE, "main", report.run_id)
        assert row["credits"] == pytest.approx(row["seconds"]), "the warehouse costs a credit a second"
        assert row["day"] == START.date()
    assert {check for row in rows for check in row["shares"]} == {record.check_id for record in report.records}


def test_check_says_about_how_many_credits_it_took(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert dqmon(["check", "type:completeness", "--config", world.config]) in (0, 1)
    assert re.search(r", 1 statement, about [\d.e-]+ credits of main  exit \d$", capsys.readouterr().out.strip())
    dqmon(["check", "type:completeness", "--config", world.config, "--format", "json"])
    found = json.loads(capsys.readouterr().out)["summary"]["credits"]
    assert found == {"main": pytest.approx(world.rows()[-1]["credits"])}
    world.configure("", price="")
    dqmon(["check", "type:completeness", "--config", world.config])
    assert "credits" not in capsys.readouterr().out


def test_what_is_reused_costs_nothing(world: World) -> None:
    text = Path(world.config).read_text().replace("reuse: false", "reuse: true")
    Path(world.config).write_text(text)
    os.utime(world.root / "data/shop.db", (1_700_000_000, 1_700_000_000))  # what has just been written proves nothing yet
    world.check()
    before = len(world.rows())
    world.now += timedelta(minutes=1)
    records = world.check("type:completeness")
    assert [record.reused is not None for record in records] == [True]
    assert len(world.rows()) == before


def test_an_ad_hoc_run_in_the_past_is_paid_today(world: World) -> None:
    with world.app() as app:
        app.check(EVERYTHING, START - timedelta(days=40), alerts=False)
    assert {row["day"] for row in world.rows()} == {START.date()}


@pytest.mark.parametrize("by", ["check", "owner", "day", "warehouse", "dataset"])
def test_the_lines_add_up_to_what_was_recorded(world: World, by: str) -> None:
    for _ in range(3):
        world.check()
        world.now += timedelta(days=1)
    rows = world.rows()
    with world.app() as app:
        report = app.cost(EVERYTHING, by, 30)
    assert len(report.lines) == {"check": 5, "owner": 2, "day": 3, "dataset": 2}.get(by, 1)
    (total,) = report.totals
    assert total.spent.statements == len(rows)
    for name in SUMS:
        recorded = [row[name] for row in rows if row[name] is not None]
        lines = [getattr(line.spent, name) for line in report.lines if getattr(line.spent, name) is not None]
        assert sum(lines) == pytest.approx(sum(recorded)), f"sharing {name} loses or invents something"
        assert (getattr(total.spent, name) or 0) == pytest.approx(sum(recorded))


def test_a_selection_is_the_part_of_its_checks_alone(world: World) -> None:
    world.check()
    with world.app() as app:
        whole, part, rest = (app.cost(parse_selector(s), "check", 1) for s in ((), ("owner:@days",), ("not:owner:@days",)))
    assert [line.key for line in part.lines] == ["main.visits.row_count.daily"]
    assert part.totals[0].spent.seconds + rest.totals[0].spent.seconds == pytest.approx(whole.totals[0].spent.seconds)


def test_days_before_the_first_do_not_count(world: World) -> None:
    world.check()
    world.now += timedelta(days=2)
    with world.app() as app:
        assert [len(app.cost(EVERYTHING, "day", days).lines) for days in (1, 2, 3)] == [0, 0, 1]


def test_cost_prints_lines_totals_and_their_basis(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.now = datetime.now(UTC)
    assert dqmon(["cost", "--config", world.config]) == 0
    assert "no statement is recorded since" in capsys.readouterr().out
    world.check()
    assert dqmon(["cost", "--config", world.config, "--by", "owner"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split("  ")[1] == "OWNER"
    assert {line.split()[0] for line in shown[1:-1]} == {"@shop", "@days"}
    assert shown[-1].split()[0] == "TOTAL"
    assert all(line.endswith("estimate") for line in shown[1:])
    assert dqmon(["cost", "--config", world.config, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["totals"][0]["credits"] == pytest.approx(sum(line["credits"] for line in found["costs"]))
    assert {line["basis"] for line in found["costs"]} == {"estimate"}


def test_without_a_price_seconds_are_what_is_known(world: World) -> None:
    world.configure("", price="")
    world.check()
    assert {(row["credits"], row["basis"]) for row in world.rows()} == {(None, Basis.SECONDS)}
    with world.app() as app:
        (total,) = app.cost(EVERYTHING, "check", 1).totals
    assert (total.spent.credits, total.spent.seconds > 0) == (None, True)


def test_plan_says_what_a_run_and_a_day_cost(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert dqmon(["plan", "--config", world.config]) == 0
    assert "What it costs is not known before the first run." in capsys.readouterr().out
    world.check()
    world.took(2.0)
    with world.app() as app:
        planned = app.plan(EVERYTHING)
        costs = {one.check: one for one in app.cost_of(planned)}
    sent = [s for s in planned if s.sql and s.kind != "if needed"]
    assert {s.estimate.cost.seconds for s in sent if s.estimate} == {2.0}
    assert sum(one.cost.credits or 0 for one in costs.values()) == pytest.approx(2.0 * len(sent))
    every = costs["main.orders.completeness.ref"]
    assert (every.runs_per_day, every.per_day.credits) == (4, pytest.approx(4 * (every.cost.credits or 0)))
    assert costs["main.visits.row_count.daily"].runs_per_day is None
    assert dqmon(["plan", "--config", world.config, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cost"]["basis"] == "estimate"
    assert found["cost"]["totals"][0]["per_run"]["credits"] == pytest.approx(2.0 * len(sent))
    assert dqmon(["plan", "--config", world.config]) == 0
    assert "on demand" in capsys.readouterr().out


def test_a_spent_budget_skips_what_needs_a_statement_until_the_next_day(world: World) -> None:
    world.configure("budgets:\n  main: {credits_per_day: 2}\n")
    assert Verdict.SKIPPED not in {record.verdict for record in world.check()}
    before = len(world.rows())
    world.spend(2.0)
    records = world.check()
    assert {record.verdict for record in records} == {Verdict.SKIPPED}
    for record in records:
        assert record.reason.startswith("budget of main is spent: 2"), record.reason
        assert "of 2 credits today" in record.reason
    assert len(world.rows()) == before + 1, "nothing was sent"
    world.now += timedelta(days=1)
    assert Verdict.SKIPPED not in {record.verdict for record in world.check()}, "the next day of UTC has a budget of its own"


def test_what_metadata_tells_is_judged_without_a_budget(world: World) -> None:
    (world.root / "checks/schema.yaml").write_text("version: 1\ndatasets:\n  - dataset: orders\n    checks: [schema_drift]\n")
    world.configure("budgets:\n  main: {seconds_per_day: 1}\n")
    world.spend(0)
    found = said(world.check())
    assert [verdict for verdict, _ in found.pop("main.orders.schema_drift")] == [Verdict.PASS]
    assert {verdict for listed in found.values() for verdict, _ in listed} == {Verdict.SKIPPED}


def test_the_newest_partition_goes_first_and_the_others_say_why_not(world: World) -> None:
    world.now = datetime(2026, 3, 4, 9, tzinfo=UTC)
    assert [verdict for verdict, _ in said(world.check("owner:@days"))["main.visits.row_count.daily"]] == [Verdict.PASS] * 3
    world.took(3.0)
    with world.app() as app, app.database.write() as connection:
        connection.execute(sa.delete(statements.statements))
    world.configure("budgets:\n  main: {credits_per_day: 2}\n")
    with world.app() as app:
        planned = [(s.kind, s.remark) for s in app.plan(parse_selector(["owner:@days"]))]
    records = sorted(world.check("owner:@days"), key=lambda record: record.partition)
    assert [record.verdict for record in records] == [Verdict.SKIPPED, Verdict.SKIPPED, Verdict.PASS]
    reason = "budget of main does not allow about 3 credits more: 0 of 2 credits today; only the newest partition is read"
    assert {record.reason for record in records[:2]} == {reason}
    assert ("skipped", reason) in planned, "plan says beforehand what would be left out"


def test_a_statement_that_fits_is_sent_though_all_together_do_not(world: World) -> None:
    world.check()
    world.took(3.0)
    world.configure("budgets:\n  main: {credits_per_day: 4}\n")
    with world.app() as app, app.database.write() as connection:
        connection.execute(sa.delete(statements.statements))
    verdicts = {record.verdict for record in world.check("owner:@shop")}
    assert Verdict.SKIPPED in verdicts
    assert verdicts != {Verdict.SKIPPED}


def test_a_skipped_check_neither_fires_nor_resolves_an_alert(world: World) -> None:
    (world.root / "checks/orders.yaml").write_text(CHECKS.replace("row_count: {min: 1}", "row_count: {min: 1000}"))
    world.check("main.orders.row_count")

    def state() -> dict[str, AlertState]:
        with world.app() as app, app.database.read() as connection:
            return {str(alert.key): alert.state for alert in alerts.open_alerts(connection)}

    assert state() == {"main.orders.row_count": AlertState.FIRING}
    world.configure("budgets:\n  main: {credits_per_day: 2}\n")
    world.spend(2.0)
    for _ in range(3):
        world.now += timedelta(minutes=1)
        assert {record.verdict for record in world.check("main.orders.row_count")} == {Verdict.SKIPPED}
    assert state() == {"main.orders.row_count": AlertState.FIRING}


def test_a_limit_of_seconds_and_one_of_bytes_are_kept_as_well(world: World) -> None:
    world.check()
    for limit in ("seconds_per_day: 1", "bytes_per_day: 500"):
        world.configure(f"budgets:\n  main: {{{limit}}}\n")
        with world.app() as app, app.database.write() as connection:
            connection.execute(sa.delete(statements.statements))
            one = Statement("other", "main", "orders", "rows", world.now, Cost(2.0, Spending(bytes_read=600)), Basis.SECONDS, {})
            statements.add(connection, [one, replace(one, run_id="another")])
        reasons = {record.reason for record in world.check("main.orders.row_count")}
        unit = limit.split("_")[0]
        assert reasons == {
            f"budget of main is spent: {'4 of 1' if unit == 'seconds' else '1,200 of 500'} {unit} today; skipped until 00:00 UTC"
        }


class DryRun(Sqlite):
    """A warehouse that tells before each statement how many bytes it would bill, as BigQuery does."""

    def session(self, connection: sa.Connection) -> SqlSession:
        found = super().session(connection)
        found.estimate = lambda statement: Spending(1_000, 20_000, TIB // 1_000)  # type: ignore[method-assign]  # of this one alone
        return found


def test_plan_asks_the_engine_what_a_statement_would_bill(world: World) -> None:
    with world.app() as app:
        priced = DryRun("main", Sqlite.Options(path=str(world.root / "data/shop.db"), price_per_tib=5.0))
        environment = replace(app.environment, warehouses={"main": priced})
        tasks = [Task(check, world.now) for check in app.select(parse_selector(["type:completeness"]))]
        planned = preview(environment, tasks)
        (cost,) = by_check(planned, {"main.orders.completeness.ref": 4.0})
        dear = replace(environment, budgets={"main": Budget(credits_per_day=0.001)})
        skipped = [s.kind for s in preview(dear, tasks)]
        priced.close()
    assert [s.estimate and (s.estimate.rows, s.estimate.cost.paid_bytes) for s in planned] == [(1_000, TIB // 1_000)]
    assert (cost.cost.credits, cost.per_day.credits) == (pytest.approx(0.005), pytest.approx(0.02))
    assert skipped == ["skipped"]


class Telling:
    """A warehouse whose history knows what some statements have cost, or cannot be asked."""

    def __init__(self, known: dict[str, float], error: Exception | None = None) -> None:
        self.name, self.known, self.error = "snow", known, error
        self.capabilities = Capabilities(attributed_after_s=8 * 3_600)
        self.asked: list[tuple[set[str], datetime]] = []

    @contextmanager
    def open(self) -> Iterator[Telling]:
        if self.error is not None:
            raise self.error
        yield self

    def attributed(self, statement_ids: Collection[str], since: datetime) -> Mapping[str, float]:
        self.asked.append((set(statement_ids), since))
        return {name: self.known[name] for name in statement_ids if name in self.known}


def test_estimates_give_way_to_what_the_engine_tells_later(world: World) -> None:
    def sent(hours_ago: float, name: str) -> Statement:
        at = world.now - timedelta(hours=hours_ago)
        spent = Spending(statement_id=name)
        return Statement("run", "snow", "orders", "aggregate", at, Cost(1.0, spent, 0.5), Basis.ESTIMATE, {"a": 1.0})

    with world.app() as app, app.database.write() as connection:
        statements.add(connection, [sent(1, "young"), sent(9, "known"), sent(10, "unknown"), sent(60, "old")])
    snow = Telling({"known": 0.125, "young": 9.0, "old": 9.0})
    with world.app() as app:
        environment = replace(app.environment, warehouses={"snow": snow, **app.warehouses})
        assert refresh(environment, world.now) == Refreshed(2, 1, ())
        assert snow.asked == [({"known", "unknown"}, world.now - timedelta(hours=10))]
        assert refresh(environment, world.now) == Refreshed(1, 0, ()), "what is attributed is not asked for again"
        away = replace(app.environment, warehouses={"snow": Telling({}, ConnectFailed("it is away"))})
        assert refresh(away, world.now) == Refreshed(0, 0, ("snow: it is away",))
        (line,) = app.cost(EVERYTHING, "warehouse", 30).lines
    assert (line.spent.credits, line.spent.attributed) == (pytest.approx(1.625), 0.125)


def test_refreshing_asks_no_engine_that_never_tells(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.check()
    assert dqmon(["cost", "--refresh", "--config", world.config]) == 0
    assert "0 of 0 statements attributed by their engines" in capsys.readouterr().err


@pytest.fixture
def large(world: World) -> World:
    """A table of four million rows in DuckDB, every tenth without a reference, whose statements are known to take 3 s; 1 s a day is left."""
    with duckdb.connect(str(world.root / "data/shop.duckdb")) as connection:
        connection.execute("create table orders as select i as id, case when i % 10 > 0 then 'R' end as ref from range(4000000) t(i)")
        connection.execute("create table few as select i as id, 'R' as ref from range(20) t(i)")
    world.configure("budgets:\n  main: {credits_per_day: 1}\n")
    path = Path(world.config)
    path.write_text(path.read_text().replace("type: sqlite, path: data/shop.db", "type: duckdb, path: data/shop.duckdb"))
    return world


def sampled(world: World, check: str, dataset: str = "orders") -> ResultRecord:
    """The check's result where its statement is allowed as one of a sample only."""
    (world.root / "checks/orders.yaml").write_text(f"version: 1\ndatasets:\n  - dataset: {dataset}\n    checks:\n      - {check}\n")
    world.check()
    world.took(3.0)
    with world.app() as app, app.database.write() as connection:
        connection.execute(sa.delete(statements.statements))
    with world.app() as app:
        planned = app.plan(EVERYTHING)
    (record,) = world.check()
    said = {(s.remark, "TABLESAMPLE" in s.sql) for s in planned if s.sql or s.kind == "skipped"}
    assert ((SAID, True) if SAID in record.reason else (record.reason, False)) in said, "plan says beforehand what the run does"
    return record


SAID = "of a sample of about 1% of the rows, since the budget of main does not allow about 3 credits more: 0 of 1 credits today"


@pytest.mark.parametrize(("limit", "verdict"), [("> 5%", Verdict.FAIL), ("> 20%", Verdict.PASS)])
def test_a_share_of_rows_is_judged_by_a_sample_that_says_so(large: World, limit: str, verdict: Verdict) -> None:
    record = sampled(large, f'completeness: {{column: ref, fail_if: "{limit}"}}')
    assert (record.verdict, record.reason.endswith(f"; {SAID}")) == (verdict, True), record.reason
    assert record.ratio == pytest.approx(0.1, abs=0.02)
    assert record.rows_tested is not None
    assert 1_000 <= record.rows_tested < 400_000
    with large.app() as app, app.database.read() as connection:
        m = measurements.c
        kept = connection.execute(sa.select(m.series, m.way).where(m.metric == "missing_count")).all()
    assert len({series for series, _ in kept}) == 2, "values of a sample are a series of their own, which no baseline and no reuse reads"
    assert sorted(way is not None for _, way in kept) == [False, True]


@pytest.mark.parametrize(
    "check",
    [
        "completeness: {column: ref}",
        'completeness: {column: ref, fail_if: "> 0%"}',
        'completeness: {column: ref, fail_if: "> 10"}',
        'completeness: {column: ref, fail_if: "> 5%", warn_if: "> 3"}',
        "row_count: {min: 1}",
        'uniqueness: {column: id, fail_if: "> 5%"}',
        "statistic: {column: id, metric: max, fail_if: '> 5'}",
    ],
)
def test_what_a_sample_cannot_tell_is_skipped(large: World, check: str) -> None:
    record = sampled(large, check)
    assert (record.verdict, record.reason) == (Verdict.SKIPPED, record.reason)
    assert record.reason.startswith("budget of main does not allow about")
    assert record.reason.endswith("skipped until 00:00 UTC")


def test_a_sample_of_too_few_rows_is_not_judged(large: World) -> None:
    record = sampled(large, 'completeness: {column: ref, fail_if: "> 5%"}', "few")
    assert record.verdict is Verdict.SKIPPED
    assert record.reason.endswith(f"rows are too few to judge by, {SAID}")


def test_where_no_sample_can_be_read_the_result_says_so(world: World, postgres_database: str) -> None:
    """PostgreSQL samples tables, and no views."""
    engine = sa.create_engine(postgres_database)
    with engine.begin() as connection:
        connection.execute(sa.text("create table base as select i as id, 'R' as ref from generate_series(1, 2000) t(i)"))
        connection.execute(sa.text("create view orders as select * from base"))
    engine.dispose()
    world.configure("budgets:\n  main: {credits_per_day: 1}\n")
    path = Path(world.config)
    path.write_text(path.read_text().replace("type: sqlite, path: data/shop.db", f'type: postgres, url: "{postgres_database}"'))
    record = sampled(world, 'completeness: {column: ref, fail_if: "> 5%"}')
    assert record.verdict is Verdict.SKIPPED
    assert record.reason.startswith(f"no value {SAID}: TABLESAMPLE clause can only be applied to tables"), record.reason


def test_a_segment_of_what_was_left_out_stays_open(world: World) -> None:
    """A segment is gone when its table was measured without it; a table that was left out was not measured."""
    (world.root / "checks/orders.yaml").write_text(
        "version: 1\ndatasets:\n  - dataset: orders\n    segment_by: [ref]\n    checks:\n      - row_count: {min: 23}\n"
    )
    verdicts = {record.segment: record.verdict for record in world.check()}
    assert set(verdicts.values()) == {Verdict.PASS, Verdict.FAIL}

    def bad() -> int:
        with world.app() as app, app.database.read() as connection:
            return sum(len(alert.members) for alert in alerts.open_alerts(connection))

    before = bad()
    assert before > 0
    world.configure("budgets:\n  main: {seconds_per_day: 1}\n")
    world.spend(0)
    world.now += timedelta(hours=1)
    assert {record.verdict for record in world.check()} == {Verdict.SKIPPED}
    assert bad() == before
