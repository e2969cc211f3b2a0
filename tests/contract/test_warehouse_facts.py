"""What sessions say of their tables is what the engine enforces, no more: facts about constraints, engine by engine."""

from __future__ import annotations

import time
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from dqmon.core.facts import TableFacts
from dqmon.core.table import TableRef
from dqmon.warehouses.duckdb import Duckdb, DuckdbOptions


def facts(lab, name: str = "t") -> TableFacts:
    with lab.warehouse.open() as session:
        return session.facts(lab.ref(name))


def not_null(found: TableFacts) -> set[str]:
    return {name for name, column in found.columns.items() if column.nulls == 0}


def keys(found: TableFacts) -> set[frozenset[str]]:
    return {key.columns for key in found.keys}


def test_constraints_are_told(lab) -> None:
    lab.run(
        'create table t (a integer primary key, b varchar(9) not null, c integer unique, d integer, "E e" integer, f integer, unique (d, "E e"))',
        "create unique index one on t (f)",
        "create index two on t (b)",
        "create view v as select * from t",
    )
    assert not_null(facts(lab)) == {"a", "b"}
    assert keys(facts(lab)) == {frozenset(k) for k in (("a",), ("c",), ("d", "E e"), ("f",))}
    assert all("None" not in key.because for key in facts(lab).keys)
    assert facts(lab, "v") == TableFacts()


def test_a_table_without_constraints_has_none(lab) -> None:
    lab.run("create table t (a integer, b varchar(9))", "create table other (a integer primary key)")
    assert (not_null(facts(lab)), keys(facts(lab))) == (set(), set())


@pytest.mark.parametrize(
    ("engine", "statements"),
    [
        ("sqlite", ["create table t (a text primary key, b integer)"]),
        ("sqlite", ["create table t (a integer primary key desc, b integer)"]),
    ],
)
def test_a_primary_key_that_may_hold_nulls(lab, engine, statements) -> None:
    if lab.engine != engine:
        pytest.skip("SQLite's only")
    lab.run(*statements, "insert into t values (null, 1)", "insert into t values (null, 1)")
    assert not_null(facts(lab)) == set()
    assert keys(facts(lab)) == {frozenset({"a"})}


NO_KEYS = {
    "partial index": ("all but duckdb", ["create table t (a integer, b integer)", "create unique index i on t (a) where b > 0"]),
    "index of an expression": ("all", ["create table t (a integer, b integer)", "create unique index i on t (abs(a))"]),
    "column with a collation": ("all but postgres", ["create table t (a varchar(9) collate nocase, b integer)", "create unique index i on t (a)"]),
    "index finer than its column": ("sqlite", ["create table t (a text collate nocase)", "create unique index i on t (a collate binary)"]),
    "virtual table": ("sqlite", ["create virtual table t using fts5(a)"]),
    "deferrable": ("postgres", ["create table t (a integer unique deferrable initially deferred)"]),
    "index not finished": ("postgres", ["create table t (a integer) partition by range (a)", "create table t1 partition of t for values from (1) to (9)", "create unique index i on only t (a)"]),
    "finer operators": ("postgres", ["create table t (a text)", "create unique index i on t (a text_pattern_ops)"]),
    "another collation": ("postgres", [
        "create collation folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        "create table t (a text collate folding)",
        'create unique index i on t (a collate "C")',
    ]),
    "operators of another type": ("postgres", ["create extension citext", "create table t (a citext)", "create unique index i on t ((a::text) text_ops)", "create unique index j on t (a text_ops)"]),
    "domain": ("postgres", ["create domain word as text", "create table t (a word unique)"]),
    "children": ("postgres", ["create table t (a integer primary key, b integer not null)", "create table u () inherits (t)"]),
}  # fmt: skip


@pytest.mark.parametrize("case", NO_KEYS)
def test_what_proves_no_key(lab, case) -> None:
    engines, statements = NO_KEYS[case]
    applies = lab.engine != engines.removeprefix("all but ") if engines.startswith("all") else lab.engine == engines
    if not applies:
        pytest.skip(f"of {engines} only")
    make(lab, *statements)
    assert keys(facts(lab)) == set()


def make(lab, *statements: str) -> None:
    """Runs the statements; skips the test where the server is built without what they need."""
    for statement in statements:
        try:
            lab.run(statement)
        except Exception as e:
            if "ICU is not supported" in str(e) or "is not available" in str(e):
                pytest.skip(str(e))
            raise


@pytest.fixture
def pg(lab):
    if lab.engine != "postgres":
        pytest.skip("PostgreSQL's only")
    return lab


def test_postgres_partitioned_tables(pg) -> None:
    pg.run(
        "create table t (a integer not null, b integer, primary key (a)) partition by range (a)",
        "create table t1 partition of t for values from (0) to (9)",
        "create table t2 partition of t for values from (10) to (200000)",
        "insert into t select n, n % 3 from generate_series(10, 100009) n",
        "analyze t",
    )
    found = facts(pg)
    assert (not_null(found), keys(found), found.about_rows, found.about_distinct["b"]) == ({"a"}, {frozenset({"a"})}, 100_000, 3)
    assert keys(facts(pg, "t1")) == {frozenset({"a"})}


def test_postgres_nulls_in_foreign_partitions_are_nobodys_business(pg) -> None:
    make(
        pg,
        "create extension file_fdw",
        "create server files foreign data wrapper file_fdw",
        "create table t (a integer not null, b integer) partition by range (b)",
        "create foreign table t1 partition of t for values from (0) to (9) server files options (filename '/dev/null')",
        "create foreign table f (a integer not null) server files options (filename '/dev/null')",
    )
    assert facts(pg) == facts(pg, "f") == TableFacts()


def test_postgres_an_index_of_the_columns_own_folding_collation_is_a_key(pg) -> None:
    make(
        pg,
        "create collation folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        "create table t (a text collate folding unique, b varchar(9) unique, c integer, d integer, unique (c) include (d))",
    )
    assert keys(facts(pg)) == {frozenset("a"), frozenset("b"), frozenset("c")}


def test_postgres_estimates_are_estimates(pg) -> None:
    pg.run("create table t (a integer)", "insert into t select n % 3 from generate_series(1, 100000) n")
    assert facts(pg).about_rows is None or facts(pg).about_rows >= 0
    pg.run("analyze t")
    found = facts(pg)
    assert (found.rows, found.about_rows, found.about_distinct) == (None, 100_000, {"a": 3})
    pg.run("truncate t", "insert into t select n % 3 from generate_series(1, 300) n", "analyze t")
    assert (facts(pg).about_rows, facts(pg).about_distinct) == (300, {}), "distinct values of small tables are not worth a look-up"


def test_duckdb_a_file_hides_a_table_of_the_same_name(tmp_path: Path) -> None:
    """The table of `files:` is what is read; constraints of the database's own one say nothing of it."""
    with duckdb.connect(str(tmp_path / "d.duckdb")) as connection:
        connection.execute("create table t (a integer primary key)")
        connection.execute(f"copy (select 1 as a from range(2)) to '{tmp_path}/t.csv'")
    warehouse = Duckdb("d", DuckdbOptions.model_validate({"path": str(tmp_path / "d.duckdb"), "files": {"t": f"{tmp_path}/t.csv"}}))
    with warehouse.open() as session:
        for name in ("t", "T"):
            assert session.facts(TableRef("d", None, "main", name)) == TableFacts()


def test_duckdb_facts_of_many_tables_cost_little_each(tmp_path: Path) -> None:
    count = 200
    with duckdb.connect(str(tmp_path / "d.duckdb")) as connection:
        for number in range(count):
            connection.execute(f"create table t{number} (a integer primary key, b varchar not null, c integer unique)")
    warehouse = Duckdb("d", DuckdbOptions(path=str(tmp_path / "d.duckdb")))
    with warehouse.open() as session:
        started = time.perf_counter()
        for number in range(count):
            assert session.facts(TableRef("d", None, "main", f"t{number}")).keys
        taken = (time.perf_counter() - started) / count
    print(f"facts of {count} DuckDB tables: {taken * 1000:.3f} ms each (goal 0.3)")
    assert taken < 0.003, f"{taken * 1000:.1f} ms a table: is the catalogue listed for each table again?"


def test_duckdb_estimates_count_deleted_rows(tmp_path: Path) -> None:
    """Why `Capabilities.row_count` is not exact there; a DuckDB that is exact is noticed here."""
    with duckdb.connect(str(tmp_path / "d.duckdb")) as connection:
        connection.execute("create table t as select range as a from range(300000)")
        connection.execute("delete from t where a % 3 = 0")
    warehouse = Duckdb("d", DuckdbOptions(path=str(tmp_path / "d.duckdb")))
    with warehouse.open() as session:
        found = session.facts(TableRef("d", None, "main", "t"))
    assert (found.rows, found.about_rows) == (None, 300_000)
    assert not Duckdb.capabilities.row_count.is_exact


@pytest.mark.parametrize(("count", "at_most"), [(14, 14), (15, 1), (200, 1)])
def test_duckdb_columns_of_announced_tables(tmp_path: Path, count: int, at_most: int) -> None:
    """Few are looked up one by one; from so many on all columns are read at once."""
    with duckdb.connect(str(tmp_path / "d.duckdb")) as connection:
        for number in range(count):
            connection.execute(f'create table "T{number}" (a integer, "B b" varchar not null)')
    warehouse = Duckdb("d", DuckdbOptions(path=str(tmp_path / "d.duckdb")))
    statements: list[str] = []
    with warehouse.open() as session:
        sa.event.listen(session.connection, "before_cursor_execute", lambda *given: statements.append(given[2]))
        tables = [TableRef("d", None, "main", f"t{number}") for number in range(count)]
        session.announce(tables)
        assert {tuple(column.name for column in session.columns(table)) for table in tables} == {("a", "B b")}
    assert len(statements) == at_most
    warehouse.close()
