"""Distributions through the store: a baseline builds up, a drift fails, a new mix is learned in the end; and schemas of pandera."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from dqmon.app import open_app
from dqmon.core.selector import parse_selector
from dqmon.core.verdict import Verdict
from dqmon.errors import ConfigError

START = datetime(2026, 3, 1, 1, tzinfo=UTC)
TABLE = "create table orders (made timestamp, shop varchar(9), country varchar(9), amount numeric(12, 2))"
DAILY = "partition: {column: made, grain: day}, min_rows: 10, min_history: 3"


class Clock:
    at = START

    def __call__(self) -> datetime:
        return self.at


class World:
    """A project with one table on one engine, and a clock that goes on by a day."""

    def __init__(self, root: Path, warehouse: str, schema: str, run: Callable[[str], None]) -> None:
        self.root, self.run, self.schema, self.clock = root, run, schema, Clock()
        for folder in ("config", "checks", "code"):
            (root / folder).mkdir()
        self.settings = f'version: 1\nstore: {{url: "sqlite:///.dqmon/test.db"}}\nwarehouses:\n  main: {warehouse}\n'
        (root / "config/dqmon.yaml").write_text(self.settings)
        run(TABLE)

    def declare(self, *checks: str) -> None:
        lines = "".join(f"      - {check}\n" for check in checks)
        (self.root / "checks/all.yaml").write_text(f"version: 1\ndatasets:\n  - dataset: {self.schema}.orders\n    checks:\n{lines}")

    def load(self, mix: dict[str, int], amount: float = 10, shop: str = "a") -> None:
        """Rows of the day before the clock's."""
        made = f"{self.clock.at - timedelta(hours=5):%Y-%m-%d %H:%M:%S}"
        rows = [f"('{made}', '{shop}', '{name}', {amount + i})" for name, count in mix.items() for i in range(count)]
        self.run(f"insert into orders values {', '.join(rows)}")

    def check(self):
        with open_app(str(self.root / "config/dqmon.yaml"), clock=self.clock) as app:
            return app.check(parse_selector(()), None, True)

    def settle(self) -> None:
        """Makes the files look as if nobody had just written them: such ones prove nothing."""
        for path in self.root.glob("data.*"):
            os.utime(path, (path.stat().st_mtime - 60,) * 2)

    def next_day(self) -> None:
        self.clock.at += timedelta(days=1)


@pytest.fixture(params=["duckdb", "sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path: Path):
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_database")
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

        def run(statement: str) -> None:
            with engine.connect() as connection:
                connection.execute(sa.text(statement))

        yield World(tmp_path, f'{{type: postgres, url: "{url}"}}', "public", run)
        engine.dispose()
        return
    path = tmp_path / f"data.{request.param}"
    connect = {"duckdb": duckdb.connect, "sqlite": sqlite3.connect}[request.param]

    def run_file(statement: str) -> None:
        connection = connect(path)
        connection.execute(statement)
        connection.commit()
        connection.close()

    yield World(tmp_path, f"{{type: {request.param}, path: {path.name}}}", "main", run_file)


def test_a_baseline_builds_up_and_a_drift_fails(world: World) -> None:
    world.declare(f'distribution_drift: {{column: country, fail_if: "> 0.25", {DAILY}}}')
    said = []
    for mix in ({"DE": 12, "FR": 8}, {"DE": 11, "FR": 9}, {"DE": 13, "FR": 7}, {"DE": 12, "FR": 8}, {"DE": 2, "FR": 8, "XX": 10}):
        world.load(mix)
        report = world.check()
        assert report.statements <= 2, "one grouped statement, and one for the rows without a partition"
        said.append(report.records[0])
        world.next_day()
    assert [r.verdict for r in said] == [Verdict.SKIPPED] * 3 + [Verdict.PASS, Verdict.FAIL]
    assert said[0].is_learning
    assert said[0].reason == "learning, 3 more histograms needed within 4w before judging"
    assert said[2].reason == "learning, 1 more histogram needed within 4w before judging"
    assert "against 3 earlier histograms" in said[3].reason
    assert "against 4 earlier histograms: DE: 60 % → 10 %; new: XX (50 %); fails above 0.25" in said[4].reason
    assert said[4].baseline[0] == "4 histograms of 80 rows"
    assert "DE: 60 % before, 10 % now" in said[4].baseline


def test_incidents_teach_nothing_until_they_are_all_there_is(world: World) -> None:
    world.declare(f'distribution_drift: {{column: amount, method: ks, baseline: 5d, fail_if: "> 0.5", {DAILY}}}')
    verdicts = []
    for day in range(12):
        world.load({"DE": 20}, amount=10 if day < 5 else 1_000)
        verdicts.append(world.check().records[0].verdict.value)
        world.next_day()
    # Of the five days before, from the third day on too few are good ones: then the new amounts count, and soon are the norm.
    assert verdicts == ["skipped"] * 3 + ["pass"] * 2 + ["fail"] * 3 + ["pass"] * 4


def test_partitions_and_segments_are_one_statement(world: World) -> None:
    world.declare(
        'distribution_drift: {column: country, fail_if: "> 0.25", segment_by: [shop], min_rows: 10, min_history: 1, '
        "partition: {column: made, grain: day, lookback: 2}}"
    )
    for shop_b in ({"DE": 10, "FR": 10}, {"DE": 10, "FR": 10}, {"FR": 20}):
        world.load({"DE": 10, "FR": 10})
        world.load(shop_b, shop="b")
        report = world.check()
        world.next_day()
    assert report.statements <= 2
    found = {(r.partition[:10], r.segment): r.verdict for r in report.records}
    assert found == {
        ("2026-03-01", '{"shop": "a"}'): Verdict.PASS,
        ("2026-03-01", '{"shop": "b"}'): Verdict.PASS,
        ("2026-03-02", '{"shop": "a"}'): Verdict.PASS,
        ("2026-03-02", '{"shop": "b"}'): Verdict.FAIL,
    }


def test_a_histogram_is_measured_again_when_it_is_late(world: World) -> None:
    """A partition that has grown counts once in the baseline of the next, as it is now."""
    world.declare(f'distribution_drift: {{column: country, fail_if: "> 0.25", {DAILY}}}'.replace("min_history: 3", "min_history: 1"))
    world.load({"DE": 10})
    world.check()
    world.clock.at += timedelta(minutes=5)
    world.load({"FR": 10})
    world.check()
    world.next_day()
    world.load({"DE": 10, "FR": 10})
    (result,) = world.check().records
    assert (result.verdict, result.observed_value, result.baseline[0]) == (Verdict.PASS, 0, "1 histogram of 20 rows")


SCHEMA = """
import pandera.pandas as pa

Orders = pa.DataFrameSchema({"amount": pa.Column(object, pa.Check(lambda a: a < 15, element_wise=True, name="cheap"))})
"""


def test_a_schema_of_ones_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    module = f"contracts_{world.schema}_{world.root.name}".replace("-", "_")
    (world.root / f"code/{module}.py").write_text(SCHEMA)
    world.declare(f'pandera: {{schema: "{module}:Orders", sample: 12}}', f'pandera: {{name: wrong, schema: "{module}:Nothing"}}')
    with pytest.raises(ConfigError, match="python_path: is not set"):
        world.check()
    (world.root / "config/dqmon.yaml").write_text(f"{world.settings}python_path: code\n")
    world.load({"DE": 20})
    good, wrong = world.check().records
    assert good.verdict is Verdict.FAIL
    assert good.rows_tested == 12
    assert "on a sample of 12 of 20 rows" in good.reason
    assert "cheap of amount" in good.reason
    assert (wrong.verdict, wrong.observed_value) == (Verdict.ERROR, None)
    assert f"{module} has no Nothing" in wrong.reason


def test_the_folder_of_code_has_to_be_there(world: World) -> None:
    world.declare("row_count: {min: 1}")
    (world.root / "config/dqmon.yaml").write_text(f"{world.settings}python_path: nowhere\n")
    with pytest.raises(ConfigError, match="python_path: there is no folder"):
        world.check()


def test_an_unchanged_table_keeps_its_histogram(world: World) -> None:
    """What is kept brings the very same histogram back, so that nothing has to be counted again."""
    world.declare('distribution_drift: {column: amount, fail_if: "> 0", min_rows: 1, min_history: 1}')
    world.load({"DE": 30}, amount=-7)
    world.settle()
    for statements in (1, 0, 0):
        report = world.check()
        assert (report.statements, report.reused) == (statements, 1 - statements)
        world.next_day()
    assert (report.records[0].verdict, report.records[0].observed_value) == (Verdict.PASS, 0)
