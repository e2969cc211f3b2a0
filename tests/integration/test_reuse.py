"""Never the same data twice: what was measured stands in for a scan while the warehouse proves that the rows are the same."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from dqmon.app import open_app
from dqmon.core.selector import parse_selector
from dqmon.core.verdict import Verdict

CHECKS = """
version: 1
datasets:
  - dataset: {schema}.orders
    checks:
      - completeness: {{column: ref}}
      - uniqueness: {{column: id}}
      - range: {{column: amount, min: 0}}
      - row_count: {{min: 1}}
      - freshness: {{column: made, fail_after: 30d}}
      - relationship: {{column: ref, to: {{dataset: {schema}.refs, column: ref}}}}
"""
TABLES = (
    "create table orders (id integer, ref varchar(9), amount numeric(12, 2), made timestamp)",
    "create table refs (ref varchar(9))",
    "insert into refs values ('a'), ('b')",
    "insert into orders values (1, 'a', 0.10, '2026-03-01 08:00:00'), (2, 'b', 1.20, '2026-03-02 08:00:00')",
)


class Clock:
    at = datetime(2026, 3, 2, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


class World:
    """A project on one engine; `run` executes SQL there and makes it settled (no longer written just now)."""

    def __init__(self, root: Path, warehouse: str, schema: str, run: Callable[[str], None]) -> None:
        self.root, self.run, self.clock = root, run, Clock()
        for folder in ("config", "checks"):
            (root / folder).mkdir()
        config = 'version: 1\nstore: {url: "sqlite:///.dqmon/test.db"}\n'
        (root / "config/dqmon.yaml").write_text(f"{config}warehouses:\n  main: {warehouse}\n")
        (root / "checks/orders.yaml").write_text(CHECKS.format(schema=schema))
        for statement in TABLES:
            run(statement)

    def app(self):
        return open_app(str(self.root / "config/dqmon.yaml"), clock=self.clock)

    def check(self, **options):
        self.clock.at += timedelta(minutes=5)
        with self.app() as app:
            return app.check(parse_selector(()), None, True, **options)


def _file_world(root: Path, kind: str, connect: Callable[[Path], object]) -> World:
    path = root / f"data.{kind}"

    def run(statement: str) -> None:
        connection = connect(path)
        connection.execute(statement)
        if kind == "sqlite":
            connection.commit()
        connection.close()
        before = time.time() - 60 + sum(statement.encode()) % 50
        os.utime(path, (before, before))

    return World(root, f"{{type: {kind}, path: {path.name}}}", "main", run)


@pytest.fixture(params=["duckdb", "sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path: Path):
    if request.param == "duckdb":
        yield _file_world(tmp_path, "duckdb", duckdb.connect)
    elif request.param == "sqlite":
        yield _file_world(tmp_path, "sqlite", sqlite3.connect)
    else:
        url = request.getfixturevalue("postgres_database")
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

        def run(statement: str) -> None:
            with engine.connect() as connection:  # closing a connection publishes its counters
                connection.execute(sa.text(statement))

        yield World(tmp_path, f'{{type: postgres, url: "{url}"}}', "public", run)
        engine.dispose()


def facts(report):
    return [
        replace(r, id="", run_id="", sql=(), scheduled_at=Clock.at, measured_at=Clock.at, duration_s=0, reused=None) for r in report.records
    ]


def test_an_unchanged_table_is_not_scanned_again_and_the_verdicts_are_the_same(world: World) -> None:
    first = world.check()
    assert {r.verdict for r in first.records} == {Verdict.PASS}
    assert (first.statements, first.reused) == (3, 0)
    again = world.check()
    print(f"nothing changed: {again.statements} data statements, {again.reused} of {len(again.records)} results reused")
    assert (again.statements, again.reused) == (0, 6)
    by_type = {r.type: r for r in again.records}
    assert by_type["freshness"].observed_value == {r.type: r for r in first.records}["freshness"].observed_value + 300
    assert [r for r in facts(again) if r.type != "freshness"] == [r for r in facts(first) if r.type != "freshness"]
    assert "unchanged since it was measured at 2026-03-02T09:05:00Z" in by_type["row_count"].reused


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        ("insert into orders values (2, 'c', -1, '2026-03-02 08:30:00')", {"uniqueness", "range", "relationship"}),
        ("update orders set ref = null where id = 1", {"completeness"}),
        ("delete from orders", {"row_count", "freshness"}),
        ("delete from refs", {"relationship"}),
    ],
)
def test_a_change_is_seen(world: World, change: str, failing: set[str]) -> None:
    world.check()
    world.run(change)
    found = world.check()
    assert {r.type for r in found.records if r.verdict is Verdict.FAIL} == failing
    assert not any(r.reused for r in found.records if r.verdict is Verdict.FAIL)


def test_no_reuse_scans_everything(world: World) -> None:
    world.check()
    again = world.check(reuses=False)
    assert (again.statements, again.reused) == (3, 0)


def test_plan_says_what_is_reused_and_by_which_proof(world: World) -> None:
    world.check()
    with world.app() as app:
        planned = app.plan(parse_selector(()))
    assert {statement.kind for statement in planned} == {"reused"}
    assert {(statement.kind, bool(statement.remark)) for statement in planned} == {("reused", True)}


def test_a_value_in_the_future_is_scanned_again(world: World) -> None:
    world.run("insert into orders values (3, 'a', 2, '2026-03-05 08:00:00')")
    world.check()
    again = {r.type: r.reused for r in world.check().records}
    assert again.pop("freshness") is None
    assert all(again.values())


def test_a_filter_with_a_function_is_scanned_again(world: World) -> None:
    path = world.root / "checks/orders.yaml"
    path.write_text(path.read_text().replace("    checks:", '    filter: "made < current_timestamp"\n    checks:'))
    world.check()
    assert world.check().reused == 0


def test_timestamps_that_are_read_in_another_zone_are_scanned_again(world: World) -> None:
    before = {r.type: r.observed_value for r in world.check().records}
    path = world.root / "checks/orders.yaml"
    path.write_text(path.read_text().replace("    checks:", "    naive_timezone: Asia/Tokyo\n    checks:"))
    again = world.check()
    assert again.reused == 0
    assert {r.type: r.observed_value for r in again.records}["freshness"] == before["freshness"] + 300 + 9 * 3600


def test_a_file_that_was_written_just_now_proves_nothing(tmp_path: Path) -> None:
    world = _file_world(tmp_path, "duckdb", duckdb.connect)
    os.utime(tmp_path / "data.duckdb")
    world.check()
    assert world.check().reused == 0


def test_a_truncated_and_refilled_table_is_scanned_again(world: World) -> None:
    """Postgres counts no deleted rows for a TRUNCATE; its file is another one."""
    world.check()
    world.run("truncate table orders" if "postgres" in (world.root / "config/dqmon.yaml").read_text() else "delete from orders")
    assert {r.type for r in world.check().records if r.verdict is Verdict.FAIL} == {"row_count", "freshness"}


def test_what_another_version_of_dqmon_measured_is_measured_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.check()
    monkeypatch.setattr("dqmon.engine.measuring.planning.version", lambda: "another one")
    assert world.check().reused == 0
    assert world.check().reused == 6
