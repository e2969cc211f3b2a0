"""`dqmon backfill` on real engines: a history on day one, by as few statements as can be, whatever happens on the way."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import duckdb
import pytest
import sqlalchemy as sa

from dqmon.app import open_app
from dqmon.app.commands import App
from dqmon.cli.program import run
from dqmon.core.measurement import MetricRequest
from dqmon.core.selector import parse_selector
from dqmon.core.verdict import Verdict
from dqmon.engine.measuring.means import Means
from dqmon.engine.measuring.measure import measure
from dqmon.engine.past.backfill import Filled, fill, plan
from dqmon.engine.past.past_partitions import as_if_alone, counted, pasts, scanned
from dqmon.errors import QueryTimeout
from dqmon.sql.literal_sql import literal_sql

NOW = datetime(2026, 4, 2, 9, tzinfo=UTC)
"""Clocks went forward on 8 March in New York and on 29 March in Berlin."""

TABLE = "create table orders (made timestamp, shop varchar(9), country varchar(9), amount numeric(12, 2))"

Run = Callable[[str], None]


class Project:
    """A project with the table `orders` on one engine, at a time that stands still."""

    def __init__(self, root: Path, warehouse: str, schema: str, run: Run) -> None:
        self.root, self.schema, self.run, self.now = root, schema, run, NOW
        for folder in ("config", "checks"):
            (root / folder).mkdir()
        (root / "config/dqmon.yaml").write_text(f'version: 1\nstore: {{url: "sqlite:///store.db"}}\nwarehouses:\n  main: {warehouse}\n')
        run(TABLE)

    def declare(self, *checks: str) -> None:
        lines = "".join(f"      - {check}\n" for check in checks)
        (self.root / "checks/all.yaml").write_text(f"version: 1\ndatasets:\n  - dataset: {self.schema}.orders\n    checks:\n{lines}")

    def load(self, rows: list[tuple[object, ...]]) -> None:
        def text(value: object) -> str:
            return "null" if value is None else str(value) if isinstance(value, int | float) else f"'{value}'"

        for start in range(0, len(rows), 500):
            values = ", ".join(f"({', '.join(map(text, row))})" for row in rows[start : start + 500])
            self.run(f"insert into orders values {values}")

    def open(self) -> App:
        return open_app(str(self.root / "config/dqmon.yaml"), clock=lambda: self.now)

    def backfill(self, days: int = 30, chunk: timedelta | None = None) -> tuple[Filled, ...]:
        with self.open() as app:
            return tuple(app.backfill(app.plan_backfill(app.select(parse_selector(())), days, chunk)))

    def check(self) -> dict[str, tuple[Verdict, str]]:
        with self.open() as app:
            found = app.check(parse_selector(()), None, True)
            return {record.check_id.partition("orders.")[2]: (record.verdict, record.reason) for record in found.records}

    def stored(self, columns: str, where: str = "1 = 1") -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.root / "store.db")) as store:
            return store.execute(f"select {columns} from dq_measurements where {where} order by partition_start, segment").fetchall()


@pytest.fixture(params=["duckdb", "sqlite", "postgres"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_database")
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

        def run(statement: str) -> None:
            with engine.connect() as connection:
                connection.execute(sa.text(statement))

        yield Project(tmp_path, f'{{type: postgres, url: "{url}"}}', "public", run)
        engine.dispose()
        return
    yield on_file(tmp_path, request.param)


def on_file(root: Path, kind: str) -> Project:
    path = root / f"data.{kind}"

    def run(statement: str) -> None:
        with closing(duckdb.connect(str(path)) if kind == "duckdb" else sqlite3.connect(path)) as connection:
            connection.execute(statement)
            connection.commit()

    return Project(root, f"{{type: {kind}, path: {path}}}", "main", run)


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    return on_file(tmp_path, "duckdb")


def daily(days: int, rows: int = 20, *, without: tuple[int, ...] = ()) -> list[tuple[object, ...]]:
    """So many rows of each of the last days at noon; none of the days `without`, counted back from yesterday = 1."""
    return [
        (f"{NOW - timedelta(days=day):%Y-%m-%d} 12:00:00", "a", "DE", 10 + n)
        for day in range(1, days + 1)
        if day not in without
        for n in range(rows)
    ]


DAILY = "partition: {column: made, grain: day}"


def is_odd(request: MetricRequest) -> bool:
    """True for what has a day of 23 hours in it."""
    start, end = request.partition.start, request.partition.end
    hours = (end - start) / timedelta(hours=1)
    at_change = (start - datetime(2026, 3, 8, 7, tzinfo=UTC)) / timedelta(hours=1)
    return hours % 24 == 23 or (hours == 1 and -3 <= at_change <= 3)


@pytest.mark.parametrize("seed", range(2))
def test_a_grouped_scan_gives_what_one_statement_for_each_partition_gives(project: Project, seed: int) -> None:
    """Partitions of hours and days over clock changes, rows without a key, on a bound and outside, filters, segments, NULLs."""
    rng = random.Random(seed)
    start = datetime(2026, 3, 6)
    bounds = [start + timedelta(hours=rng.randrange(27 * 24), minutes=30 * rng.randrange(2)) for _ in range(150)]
    random_times = [start + timedelta(seconds=rng.randrange(27 * 86_400)) for _ in range(250)]
    rows = [
        (rng.choice([None, f"{at:%Y-%m-%d %H:%M:%S}"]) if rng.random() < 0.1 else f"{at:%Y-%m-%d %H:%M:%S}",
         rng.choice(["a", "b", "c", None]), rng.choice(["DE", "FR", "", None]), rng.choice([None, 0, 7, 19.5]))
        for at in bounds + random_times
    ]  # fmt: skip
    project.load(rows)
    hourly, new_york = "partition: {column: made, grain: hour}", "timezone: America/New_York"
    project.declare(
        f"volume_anomaly: {{{DAILY}, {new_york}, naive_timezone: America/New_York}}",
        f"volume_anomaly: {{name: berlin, {DAILY}, timezone: Europe/Berlin, filter: \"shop = 'a'\"}}",
        f"volume_anomaly: {{name: shops, {DAILY}, {new_york}, segment_by: [shop]}}",
        f"volume_anomaly: {{name: hours, {hourly}, {new_york}, naive_timezone: America/New_York}}",
        f"volume_anomaly: {{name: few, {DAILY}, segment_by: [shop, country], max_segments: 3}}",
        "volume_anomaly: {name: weeks, partition: {column: made, grain: week}, timezone: Asia/Kolkata}",
        f"metric_anomaly: {{column: amount, metric: avg, {DAILY}, {new_york}, segment_by: [shop]}}",
        f"metric_anomaly: {{name: nulls, column: amount, metric: null_ratio, {hourly}}}",
        f"metric_anomaly: {{column: country, metric: distinct_count, {DAILY}, segment_by: [shop]}}",
        f"distribution_drift: {{column: country, {DAILY}, segment_by: [shop], fail_if: '> 0.2'}}",
        f"distribution_drift: {{column: amount, {DAILY}, fail_if: '> 0.2'}}",
    )
    with project.open() as app:
        warehouse = app.environment.warehouses["main"]
        means = Means(app.now, app.environment.new_id, None, ())

        def together(asked: tuple[MetricRequest, ...]) -> dict[MetricRequest, list[object]]:
            scans = scanned(asked)
            measured = measure(warehouse, (*scans, *counted(scans).values()), means).by_request
            return {request: said(found) for request, found in as_if_alone(measured, scans).items()}

        def said(found) -> list[object]:
            return sorted((repr(m.segment), repr(m.value), m.failure and m.failure.message.partition(" has ")[0]) for m in found)

        (past,) = pasts(app.environment.checks.values(), NOW - timedelta(days=28), NOW)
        grouped = together(tuple(past.asked))
        asked = tuple(past.asked)
        compared = dict.fromkeys((*(r for r in asked if is_odd(r)), *rng.sample(asked, 90)))
        alone = {request: said(measure(warehouse, (request,), means).by_request[request]) for request in compared}
    different = [
        f"{request}: together {grouped[request]}, alone {alone[request]}" for request in alone if grouped[request] != alone[request]
    ]
    assert not different, f"{len(different)} of {len(alone)} differ, as {different[0]}"
    assert len(asked) > 1_400


def test_a_history_on_day_one(project: Project) -> None:
    """One statement for all that two checks lack; nothing is judged by it, and the next run judges by it."""
    project.load(daily(28, without=(8,)))
    project.declare(f"volume_anomaly: {{{DAILY}}}", f"metric_anomaly: {{column: amount, metric: avg, {DAILY}}}")
    assert {verdict for verdict, _ in project.check().values()} == {Verdict.SKIPPED}, "a new check is learning"
    (filled,) = project.backfill(40)
    assert (filled.partitions, filled.before, filled.statements, filled.problems) == (39, 12, 1, ())
    kept = project.stored("value, way is null, scheduled_at = partition_end", "metric = 'row_count' and partition <> 'null' and is_current")
    assert [value for value, is_counted, _ in kept if is_counted] == [20] * 20 + [0] + [20] * 7, "the day without rows is a zero"
    assert [value for value, is_counted, _ in kept if not is_counted] == [None] * 12, "days before the first row are no zeros"
    assert all(is_slot for *_, is_slot in kept[:-1]), "each partition has the slot of its end"
    with closing(sqlite3.connect(project.root / "store.db")) as store:
        assert store.execute("select count(*) from dq_results").fetchone() == (2,), "only the check made results"
        assert store.execute("select kind, is_ad_hoc, statements from dq_runs order by started_at, kind").fetchall()[0] == (
            "backfill",
            1,
            1,
        )
    assert project.backfill(40) == (), "all is measured already"
    project.now += timedelta(hours=1)
    verdicts = project.check()
    assert {verdict for verdict, _ in verdicts.values()} == {Verdict.PASS}, verdicts


def test_chunks_are_recorded_one_by_one_and_left_out_later(shop: Project) -> None:
    shop.load(daily(30))
    shop.declare(f"volume_anomaly: {{{DAILY}}}")
    with shop.open() as app:
        planned = app.plan_backfill(app.select(parse_selector(())), 30, timedelta(days=10))
        chunks = app.backfill(planned)
        assert [next(chunks).partitions for _ in range(2)] == [10, 10]
        chunks.close()
    assert [filled.partitions for filled in shop.backfill(30)] == [10]
    assert shop.stored("count(*), max(version), sum(is_current)") == [(30, 1, 30)]


def test_zeros_are_told_from_days_before_the_first_row_across_chunks(shop: Project) -> None:
    shop.load(daily(20, without=(9, 10, 11, 12)))
    shop.declare(f"volume_anomaly: {{{DAILY}}}")
    filled = shop.backfill(30, timedelta(days=3))
    assert sum(one.before for one in filled) == 10
    assert [value for (value,) in shop.stored("value")] == [None] * 10 + [20] * 8 + [0] * 4 + [20] * 8


def test_a_firing_alert_does_not_swallow_the_history(shop: Project) -> None:
    """Backfilled while the check's alert fires, the points are of their own slots, not of now."""
    shop.load(daily(20))
    shop.declare(f"volume_anomaly: {{{DAILY}}}")
    shop.backfill(20)
    shop.run("delete from orders where made >= '2026-04-01'")
    assert {verdict for verdict, _ in shop.check().values()} == {Verdict.FAIL}
    shop.load([(f"{NOW - timedelta(days=day):%Y-%m-%d} 12:00:00", "a", "DE", 1) for day in range(21, 31) for _ in range(20)])
    assert sum(one.partitions for one in shop.backfill(30)) == 10
    shop.now += timedelta(days=1)
    shop.load([(f"{NOW:%Y-%m-%d} 08:00:00", "a", "DE", 1)] * 20)
    assert {verdict for verdict, _ in shop.check().values()} == {Verdict.PASS}


def test_a_budget_ends_it_and_the_rest_is_left_for_another_day(shop: Project) -> None:
    shop.load(daily(30))
    shop.declare(f"volume_anomaly: {{{DAILY}}}")
    config = shop.root / "config/dqmon.yaml"
    config.write_text(config.read_text() + "budgets: {main: {seconds_per_day: 0.000001}}\n")
    first, second = shop.backfill(30, timedelta(days=15))[:1], shop.backfill(30, timedelta(days=15))
    assert first[0].partitions == 15, "what is not known to be too dear is sent"
    assert second[0].partitions == 0
    assert "budget of main is spent" in second[0].problems[0]
    config.write_text(config.read_text().replace("0.000001", "1000"))
    assert [one.partitions for one in shop.backfill(30)] == [15]


def test_what_cannot_be_measured_is_said_and_the_rest_is(shop: Project) -> None:
    shop.load(daily(20))
    shop.declare(f"volume_anomaly: {{{DAILY}}}", f"metric_anomaly: {{column: amuont, metric: avg, {DAILY}}}")
    with shop.open() as app:
        (planned,) = app.plan_backfill(app.select(parse_selector(())), 20, None)
        assert "amuont" in (planned.problem or "")
        (filled,) = app.backfill([planned])
    assert (filled.partitions, filled.problems) == (20, ())


def test_hours_of_three_months_are_one_statement_of_few_comparisons(shop: Project) -> None:
    shop.load([(f"{NOW - timedelta(hours=hour):%Y-%m-%d %H}:30:00", "a", "DE", 1) for hour in range(1, 24 * 75 + 1) for _ in range(3)])
    shop.declare("volume_anomaly: {partition: {column: made, grain: hour}}")
    (filled,) = shop.backfill(75)
    assert (filled.partitions, filled.statements) == (24 * 75, 1)
    assert {value for (value,) in shop.stored("value")} == {3}


def test_a_kill_in_the_middle_loses_the_running_chunk_only(shop: Project) -> None:
    """Thousands of chunks, a kill -9 after the first of them, and the same again: each hour is there once."""
    shop.now = datetime.now(UTC)
    shop.load([(f"{shop.now - timedelta(days=day):%Y-%m-%d} 12:00:00", "a", "DE", 1) for day in range(1, 61)])
    shop.declare("volume_anomaly: {partition: {column: made, grain: hour}}")
    command = [sys.executable, "-m", "dqmon", "backfill", "--days", "60", "--chunk", "1h"]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": ""}
    process = subprocess.Popen(command, cwd=shop.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        until = time.monotonic() + 60
        while not (count := recorded(shop.root / "store.db")):
            assert process.poll() is None, f"it ended before anything was recorded: {process.communicate()[0]}"
            assert time.monotonic() < until, "nothing was recorded in a minute"
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    killed_at = recorded(shop.root / "store.db")
    assert count <= killed_at < 60 * 24, "it was killed in the middle"
    measured = sum(one.partitions for one in shop.backfill(60))
    ((rows, partitions, version),) = shop.stored("count(*), count(distinct partition), max(version)")
    assert (rows, version) == (partitions, 1), "nothing is there twice"
    assert measured == rows - killed_at, "only what the kill has left is measured"
    assert rows in (60 * 24, 60 * 24 + 1), "all hours are there, and one more when it is a new one by now"


def recorded(store: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
            return int(connection.execute("select count(*) from dq_measurements").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # not made yet


def spiky(days: int) -> list[tuple[object, ...]]:
    """Twenty rows a day, double of it on the tenth day back, none on the fifth."""
    return [*daily(days, without=(5,)), *((f"{NOW - timedelta(days=10):%Y-%m-%d} 13:00:00", "a", "DE", 5) for _ in range(60))]


def words(*words: str, capsys: pytest.CaptureFixture[str], shop: Project) -> tuple[int, str]:
    code = run([*words, "--config", str(shop.root / "config/dqmon.yaml")])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_backtest_replays_what_backfill_has_measured(shop: Project, capsys: pytest.CaptureFixture[str]) -> None:
    shop.now = datetime.now(UTC)
    shop.load([(f"{shop.now - (NOW - datetime.fromisoformat(f'{row[0]}+00:00')):%Y-%m-%d %H:%M:%S}", *row[1:]) for row in spiky(60)])
    shop.declare(
        f"volume_anomaly: {{{DAILY}}}",
        f"volume_anomaly: {{name: shops, {DAILY}, segment_by: [shop]}}",
        f'distribution_drift: {{column: country, {DAILY}, min_rows: 10, fail_if: "> 0.2"}}',
        "volume_anomaly: {name: whole}",
        "row_count: {min: 1}",
    )
    ask = partial(words, capsys=capsys, shop=shop)
    code, said = ask("backtest", "main.orders.volume_anomaly")
    assert code == 2
    assert "has no history yet; type: dqmon backfill main.orders.volume_anomaly" in said
    code, said = ask("backfill", "--days", "60", "--dry-run")
    assert code == 0
    assert "60 partitions from" in said
    assert "SELECT" in said
    assert "main.orders.volume_anomaly.whole  is of the whole table" in said
    assert recorded(shop.root / "store.db") == 0, "--dry-run records nothing"
    assert ask("backfill", "--days", "60", "--chunk", "15d")[0] == 0
    assert "all 60 partitions are measured already" in ask("backfill", "--days", "60")[1]

    chart = shop.root / "out.svg"
    code, said = ask("backtest", "main.orders.volume_anomaly", "--days", "40", "--plot", str(chart))
    first, heading, *rows = said.splitlines()
    assert code == 0
    assert first == "main.orders.volume_anomaly: 2 alerts in 39 points of 39 days, about 18.7 a year; 2 of the points were bad"
    assert heading.split() == ["FIRED", "VERDICT", "EXPECTED", "WHY"]
    assert [("there are 80 rows" in row, "there are no rows" in row) for row in rows] == [(True, False), (False, True)]
    assert len(list(ET.fromstring(chart.read_text()).iter("{http://www.w3.org/2000/svg}circle"))) == 2 + 1, "the alerts, and the legend"
    assert 'volume_anomaly.shops {"shop": "a"}: ' in ask("backtest", "main.orders.volume_anomaly.shops")[1]
    code, said = ask("backtest", "main.orders.distribution_drift.country")
    assert (code, said.partition(" in ")[0]) == (0, "main.orders.distribution_drift.country: 0 alerts")
    for check, why, fails in (
        ("row_count", "Nothing is kept of main.orders.row_count", 0),
        ("volume_anomaly.whole", "type: dqmon check", 2),
        ("volume", "did you mean", 2),
    ):
        code, said = ask("backtest", f"main.orders.{check}")
        assert (code, why in said) == (fails, True), said
    code, said = ask("backtest", "main.orders.volume_anomaly", "--days", "40", "--set", "direction=rise")
    assert code == 0
    assert "Alerts that today's configuration would not have raised: 0" in said
    assert "main.orders.volume_anomaly  2 -> 1" in said, "no rows at all is bad in either direction: " + said
    assert ask("backfill", "type:row_count") == (
        2,
        "dqmon: no check that is selected compares with measured values of the past; `dqmon plan` names all checks\n",
    )
    assert "--chunk '3 days'" in ask("backfill", "--chunk", "3 days")[1]


def test_what_cannot_be_backfilled_is_exit_code_3(shop: Project, capsys: pytest.CaptureFixture[str]) -> None:
    shop.declare(f"metric_anomaly: {{column: amuont, metric: avg, {DAILY}}}")
    code, said = words("backfill", capsys=capsys, shop=shop)
    assert code == 3
    assert "cannot be measured: main.orders: " in said
    assert "amuont" in said


class Slow:
    """A warehouse that takes too long for more than ten partitions at once."""

    def __init__(self, warehouse: Any) -> None:
        self.warehouse = warehouse
        self.timeouts = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.warehouse, name)

    @contextmanager
    def open(self) -> Iterator[Any]:
        with self.warehouse.open() as session:
            fetch = session.fetch

            def slow(statement: Any, timeout_s: float) -> Any:
                if literal_sql(statement, self.warehouse.dialect).count(" THEN ") > 12:
                    self.timeouts += 1
                    raise QueryTimeout("took too long")
                return fetch(statement, timeout_s)

            session.fetch = slow
            yield session


def test_a_statement_that_takes_too_long_is_tried_in_halves(shop: Project) -> None:
    shop.load(daily(60))
    shop.declare(f"volume_anomaly: {{{DAILY}}}")
    with shop.open() as app:
        slow = Slow(app.environment.warehouses["main"])
        environment = replace(app.environment, warehouses={"main": slow})
        filled = tuple(fill(environment, plan(environment, app.select(parse_selector(())), 60, None)))
    assert [one.partitions for one in filled] == [8] * 7 + [4], "60, 30 and 15 take too long"
    assert slow.timeouts == 3
    assert not any(one.problems for one in filled)
    with closing(sqlite3.connect(shop.root / "store.db")) as store:
        assert store.execute("select count(*) from dq_statements").fetchone() == (3 + 8,), "what timed out has cost, too"
    assert shop.stored("count(*), min(value), max(value)") == [(60, 20, 20)]
