"""What engines say of their tables answers checks without a statement, where it is exact, and says why where it is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
import sqlalchemy as sa
from patience import seconds

from dqmon.app import App, open_app
from dqmon.core.capabilities import Said
from dqmon.core.facts import TableFacts
from dqmon.core.selector import Selector
from dqmon.core.table import TableRef
from dqmon.core.verdict import Verdict
from dqmon.engine.environment import Environment
from dqmon.engine.measuring.asked import Run, Task
from dqmon.engine.preview import PlannedStatement, preview
from dqmon.engine.run import RunOutcome, evaluate
from dqmon.errors import ConnectFailed, PermissionDenied, QueryTimeout, WarehouseError
from dqmon.warehouses.base.lookups import PATIENCE
from dqmon.warehouses.postgres import Postgres, PostgresOptions

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
CHECKS = """
version: 1
datasets:
  - dataset: orders
    checks: [{row_count: {min: 50}}, {volume_anomaly: {}}, {freshness: {column: metadata, fail_after: 1h}}, schema_drift]
  - dataset: items
    checks: [{row_count: {max: 50}}, {completeness: {column: id}}]
  - dataset: seen
    checks: [{freshness: {column: metadata, fail_after: 1h}}]
"""


class Told:
    """A server whose catalogue says of `orders` and `items` that they have 99 rows, changed two hours ago; `opened` counts sessions."""

    def __init__(self, warehouse: Any, *, is_exact: bool = True, breaks: bool = False) -> None:
        self.warehouse, self.is_exact, self.breaks, self.opened = warehouse, is_exact, breaks, 0
        said = Said(is_exact=is_exact, because="it is a test")
        self.capabilities = replace(warehouse.capabilities, is_file=False, row_count=said, last_change=said)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.warehouse, name)

    @contextmanager
    def open(self) -> Iterator[Any]:
        self.opened += 1
        if self.breaks:
            raise ConnectFailed("nobody answers")
        with self.warehouse.open() as session:
            known = TableFacts(rows=99, rows_because="the catalogue", last_changed=NOW - timedelta(hours=2), last_changed_because="its log")
            session.facts = lambda table: known if self.is_exact and table.name != "seen" else TableFacts()
            yield session


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    for folder in ("config", "checks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config/dqmon.yaml").write_text("version: 1\nwarehouses:\n  main: {type: duckdb, path: w.duckdb}\n")
    (tmp_path / "checks/orders.yaml").write_text(CHECKS)
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        for table in ("orders", "items"):
            connection.execute(f"create table {table} as select i as id from range(2) t(i)")
        connection.execute("create view seen as select * from orders")
    with open_app(str(tmp_path / "config/dqmon.yaml"), clock=lambda: NOW) as found:
        yield found


def environment(app: App, **how: bool) -> tuple[Environment, Told]:
    told = Told(app.environment.warehouses["main"], **how)
    warehouses: Any = {"main": told}
    return replace(app.environment, warehouses=warehouses), told


def evaluated(app: App, dataset: str, **how: bool) -> tuple[RunOutcome, Sequence[PlannedStatement], Told]:
    chosen, told = environment(app, **how)
    tasks = [Task(check, NOW) for check in app.select(Selector()) if check.dataset is not None and dataset in check.dataset]
    planned = preview(chosen, tasks) if not how.get("breaks") else ()
    told.opened = 0
    return evaluate(chosen, Run("run"), tasks), planned, told


def said(outcome: RunOutcome) -> Mapping[str, tuple[Verdict, Any, str]]:
    return {r.check.type: (r.verdict, r.observed.value if r.observed else None, r.reason) for r in outcome.results}


def test_an_exact_catalogue_answers_without_a_statement(app: App) -> None:
    outcome, planned, told = evaluated(app, "orders")
    found = said(outcome)
    assert (outcome.statements, told.opened) == (0, 1), "one look-up, and no table is read"
    assert found["row_count"][:2] == (Verdict.PASS, 99)
    assert found["volume_anomaly"][:2] == (Verdict.SKIPPED, 99)
    assert found["freshness"] == (Verdict.FAIL, 7200.0, "the last change is 2h old (2026-03-02T07:00:00Z); fails after 1h")
    assert found["schema_drift"][0] is Verdict.PASS
    assert [(s.kind, s.remark, s.sql) for s in planned] == [
        ("metadata", "its log", ""),
        ("metadata", "the catalogue", ""),
        ("known", "the catalogue", ""),
    ]


def test_a_table_that_is_read_anyway_is_counted_by_that_statement(app: App) -> None:
    outcome, planned, told = evaluated(app, "items")
    assert said(outcome)["row_count"][:2] == (Verdict.PASS, 2), "all rows and bad rows are of one moment"
    assert (outcome.statements, told.opened) == (1, 1)
    assert [s.kind for s in planned] == ["aggregate"]


@pytest.mark.parametrize(
    ("dataset", "how", "because"),
    [
        ("orders", {"is_exact": False}, "`column: metadata` cannot be answered: it is a test; name a column instead"),
        ("seen", {}, "`column: metadata` cannot be answered: nothing says when this table changed last; name a column instead"),
    ],
)
def test_a_catalogue_that_does_not_tell_is_refused_in_one_sentence(app: App, dataset: str, how: dict[str, bool], because: str) -> None:
    outcome, planned, _ = evaluated(app, dataset, **how)
    assert said(outcome)["freshness"] == (Verdict.ERROR, None, because)
    assert [s.remark for s in planned if s.kind == "none"] == [because]


def test_rows_that_the_catalogue_does_not_tell_are_counted_and_plan_says_why(app: App) -> None:
    outcome, planned, _ = evaluated(app, "orders", is_exact=False)
    assert said(outcome)["schema_drift"][0] is Verdict.PASS
    assert [s.remark for s in planned if s.kind == "aggregate"] == ["not from metadata: it is a test"]


def test_a_warehouse_that_does_not_answer_is_tried_once_for_all_tables(app: App) -> None:
    outcome, _, told = evaluated(app, "", breaks=True)
    assert told.opened == 1
    assert {r.verdict for r in outcome.results} == {Verdict.ERROR}
    assert len(outcome.results) == 7


def postgres(url: str) -> Postgres:
    plain = url.replace("postgresql+psycopg://", "postgresql://")
    return Postgres("main", PostgresOptions.model_validate({"url": plain, "statement_timeout": "5s"}))


def test_a_table_that_somebody_locks_holds_up_no_other_one(postgres_database: str) -> None:
    url = postgres_database.replace("postgresql+psycopg://", "postgresql://")
    tables = [TableRef("main", None, "public", name) for name in ("held", "parted", "mid", "free")]
    with psycopg.connect(url, autocommit=True) as writer, psycopg.connect(url) as holder:
        writer.execute("create table held (i int primary key)")
        writer.execute("create table free (i int primary key)")
        writer.execute("create table parted (i int primary key) partition by list (i)")
        writer.execute("create table mid partition of parted for values in (1) partition by list (i)")
        writer.execute("create table leaf partition of mid for values in (1)")
        holder.execute("lock table held, leaf in access exclusive mode")

        def look_up() -> None:
            warehouse = postgres(postgres_database)
            with warehouse.open() as session:
                session.announce(tables)
                facts.update({table.name: session.facts(table) for table in tables})
                proofs.update({table.name: session.unchanged_proof(table) for table in tables})
                fragments.update({table.name: session.fragments(table) for table in tables})
            warehouse.close()

        facts: dict[str, TableFacts] = {}
        proofs: dict[str, str | None] = {}
        fragments: dict[str, object] = {}
        assert seconds(look_up) < 4, "the look-up waited for the lock"
    assert [name for name, known in facts.items() if known.keys] == ["free"]
    assert [name for name, proof in proofs.items() if proof] == ["free"]
    assert not any(fragments.values())


def test_what_is_asked_together_is_what_is_asked_alone(postgres_database: str) -> None:
    names = ("plain", "Parted", "parent", "child", "v", "a" * 63)
    statements = (
        "create table plain (i int primary key, t text not null, u text unique)",
        'create table "Parted" (i int not null, t text) partition by list (i)',
        'create table p1 partition of "Parted" for values in (1)',
        'create table p2 partition of "Parted" for values in (2)',
        "create table parent (i int primary key)",
        "create table child () inherits (parent)",
        "create view v as select * from plain",
        f"create table {'a' * 63} (i int primary key)",
    )
    engine = sa.create_engine(postgres_database, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    warehouse = postgres(postgres_database)
    tables = [TableRef("main", None, "public", name) for name in (*names, "a" * 64)]

    def told(table: TableRef, *announced: TableRef) -> tuple[Any, ...]:
        with warehouse.open() as session:
            session.announce(announced)
            return session.facts(table), session.unchanged_proof(table), session.fragments(table)

    together = [told(table, *tables) for table in tables]
    assert together == [told(table) for table in tables]
    assert [bool(facts.keys) for facts, _, _ in together] == [True, False, False, False, False, True, False]
    assert [len(fragments) for _, _, fragments in together] == [0, 2, 0, 0, 0, 0, 0]
    assert [proof is not None for _, proof, _ in together] == [True, False, False, True, False, True, False]
    warehouse.close()


@pytest.mark.parametrize("error", [PermissionDenied, QueryTimeout])
def test_a_table_whose_look_up_fails_spoils_no_other_one(postgres_database: str, error: type[WarehouseError]) -> None:
    asked: list[Sequence[str]] = []

    def ask(catalog: str | None, schema: str, names: Sequence[str]) -> list[tuple[str, int]]:
        asked.append(names)
        if "bad" in names:
            raise error("not this one")
        return [(name, len(name)) for name in names]

    tables = {name: TableRef("main", None, None, name) for name in ("a", "bad", "ccc")}
    warehouse = postgres(postgres_database)
    with warehouse.open() as session:
        session.announce(tables.values())
        assert session.told("size", tables["a"], ask) == [[1]]
        for _ in range(2):
            with pytest.raises(error, match="not this one"):
                session.told("size", tables["bad"], ask)
        assert session.told("size", tables["ccc"], ask) == [[3]]
    warehouse.close()
    assert [tuple(names) for names in asked] == [("a", "bad", "ccc"), ("a",), ("bad",), ("ccc",)]


def test_a_slow_catalogue_is_not_waited_for_table_by_table(postgres_database: str) -> None:
    asked: list[Sequence[str]] = []

    def ask(catalog: str | None, schema: str, names: Sequence[str]) -> list[tuple[str, int]]:
        asked.append(names)
        raise QueryTimeout("too slow")

    tables = [TableRef("main", None, None, f"t{number}") for number in range(50)]
    warehouse = postgres(postgres_database)
    with warehouse.open() as session:
        session.announce(tables)
        for table in tables:
            with pytest.raises(QueryTimeout):
                session.told("size", table, ask)
    warehouse.close()
    assert [len(names) for names in asked] == [50, *[1] * PATIENCE]
