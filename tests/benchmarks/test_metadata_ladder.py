"""Freshness, volume and schema of many tables: how many statements and seconds a run takes, and a second one with nothing changed.

`-s` prints the figures. The number of catalogue statements does not grow with the number of tables.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from dqmon.app import App, new_id
from dqmon.config.project import load_project
from dqmon.core.selector import Selector
from dqmon.core.verdict import Verdict
from dqmon.engine.measuring.asked import Run, Task
from dqmon.engine.run import RunOutcome, commit, evaluate

CHECKS = 4
ENTRY = """\
  - dataset: {table}
    checks: [{{freshness: {{column: loaded_at, fail_after: 1d}}}}, {{row_count: {{min: 1}}}}, {{volume_anomaly: {{}}}}, schema_drift]
"""
COLUMNS = "id bigint, amount numeric(12, 2), loaded_at timestamp"


@dataclass
class Lab:
    """A project of tables `t_0` … in one schema; `settle` makes that nothing was written just now."""

    root: Path
    warehouse: str
    fill: Callable[[int], None]
    settle: Callable[[], None]

    def prepare(self, count: int) -> None:
        self.fill(count)
        self.settle()
        for folder in ("config", "checks"):
            (self.root / folder).mkdir()
        (self.root / "config/dqmon.yaml").write_text(f"version: 1\nwarehouses:\n  main: {self.warehouse}\n")
        entries = "".join(ENTRY.format(table=f"t_{number}") for number in range(count))
        (self.root / "checks/ladder.yaml").write_text(f"version: 1\ndatasets:\n{entries}")


@pytest.fixture
def duckdb_lab(tmp_path: Path) -> Lab:
    path = tmp_path / "w.duckdb"

    def fill(count: int) -> None:
        with duckdb.connect(str(path)) as connection:
            connection.execute("begin")
            for number in range(count):
                connection.execute(f"create table t_{number} ({COLUMNS})")
                connection.execute(f"insert into t_{number} values (1, 1.5, (now() at time zone 'UTC'))")
            connection.execute("commit")

    # What was written within the last seconds proves nothing.
    return Lab(tmp_path, "{type: duckdb, path: w.duckdb}", fill, lambda: os.utime(path, (1_000_000_000, 1_000_000_000)))


@pytest.fixture
def postgres_lab(tmp_path: Path, postgres_database: str) -> Iterator[Lab]:
    engine = sa.create_engine(postgres_database, isolation_level="AUTOCOMMIT")

    def run(*statements: str) -> None:
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def fill(count: int) -> None:
        # In parts: each table is a lock, of which the server keeps a few thousand.
        for start in range(0, count, 500):
            create = f"execute 'create table t_' || i || ' ({COLUMNS})';"
            insert = "execute 'insert into t_' || i || ' values (1, 1.5, now() at time zone ''UTC'')';"
            run(f"do $$ begin for i in {start}..{min(start + 500, count) - 1} loop {create} {insert} end loop; end $$")

    url = postgres_database.replace("postgresql+psycopg://", "postgresql://")
    yield Lab(tmp_path, f"{{type: postgres, url: '{url}'}}", fill, lambda: run("select pg_stat_force_next_flush()"))
    engine.dispose()


@contextmanager
def counted(engine: sa.Engine) -> Iterator[Counter[str]]:
    """The statements that the warehouse is sent: `data` for those that read a table of the project, else by the first catalogue read."""
    found: Counter[str] = Counter()

    def count(connection: object, cursor: object, statement: str, *rest: object) -> None:
        del connection, cursor, rest
        if "set_config" in statement:
            return  # the limit of the next statement
        catalogue = re.search(r"pg_(?:attribute|locks)|duckdb_\w+|pragma_\w+", statement)
        found["data" if re.search(r'FROM "?main"?\."?t_|FROM "?public"?\."?t_|"t_\d', statement) else str(catalogue and catalogue[0])] += 1

    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        yield found
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)


def run_once(app: App, at: datetime) -> tuple[RunOutcome, Counter[str], float]:
    environment = app.environment
    tasks = tuple(Task(check, at) for check in app.select(Selector()))
    started = time.perf_counter()
    with counted(environment.warehouses["main"].engine) as found:  # type: ignore[attr-defined]  # every SQL warehouse has one
        outcome = evaluate(environment, Run(new_id()), tasks)
    with environment.database.write() as connection:
        commit(connection, (outcome,), at)
    return outcome, found, time.perf_counter() - started


def measured(lab: Lab, count: int, name: str) -> None:
    lab.prepare(count)
    now = datetime.now(UTC)
    with App(load_project(lab.root / "config/dqmon.yaml", {}), lambda: datetime.now(UTC)) as app:
        first, sent, seconds = run_once(app, now)
        again, sent_again, seconds_again = run_once(app, now + timedelta(minutes=5))
    print(
        f"\n{name}, {count:,} tables x {CHECKS} checks: {dict(sent)} in {seconds:.1f} s; nothing changed: {dict(sent_again)} in {seconds_again:.1f} s"
    )
    for outcome in (first, again):
        assert len(outcome.results) == count * CHECKS
        bad = [result.reason for result in outcome.results if result.verdict not in (Verdict.PASS, Verdict.SKIPPED)]
        assert not bad, bad[0]
    assert first.statements == sent.pop("data"), "every data statement is counted, and nothing else is"
    assert first.statements == count, "one fused statement a table"
    assert again.statements == 0, "nothing changed, so that no table is read"
    for found in (sent, sent_again):
        assert max(found.values()) == 1, f"one statement a schema for each kind of knowledge, found {dict(found)}"


def test_duckdb(duckdb_lab: Lab) -> None:
    measured(duckdb_lab, 200, "DuckDB")


def test_postgres(postgres_lab: Lab) -> None:
    measured(postgres_lab, 200, "PostgreSQL")


@pytest.mark.long
def test_duckdb_with_2000_tables(duckdb_lab: Lab) -> None:
    measured(duckdb_lab, 2_000, "DuckDB")


@pytest.mark.long
def test_postgres_with_2000_tables(postgres_lab: Lab) -> None:
    measured(postgres_lab, 2_000, "PostgreSQL")
