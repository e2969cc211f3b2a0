"""Tables in files or child tables: only changed ones are read, and the values are those of the full scan."""

from __future__ import annotations

import itertools
import os
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
from hypothesis import Phase, given
from hypothesis import strategies as st
from random_tables import tried

from dqmon.core.measurement import MetricRequest
from dqmon.core.registry import Registry
from dqmon.core.table import TableRef
from dqmon.engine.measuring.means import Means
from dqmon.engine.measuring.measure import measure
from dqmon.engine.measuring.measured import Measured
from dqmon.sql import metrics as m
from dqmon.store.fragments import FragmentState

AT = datetime(2026, 3, 1, tzinfo=UTC)
COLUMNS = "k integer, i bigint, d decimal(12, 2), f double precision, s varchar(9), t timestamp"
FRAGMENTS = 4


class Memory:
    """What a store would keep, without one; nothing is known of whole tables."""

    def __init__(self) -> None:
        self.states: dict[str, FragmentState] = {}

    def recall(self, proofs: Mapping[MetricRequest, str]) -> dict[Any, Any]:
        return {}

    def fragments(self, table: TableRef) -> dict[str, FragmentState]:
        return dict(self.states)

    def take(self, found: Measured) -> None:
        for pieces in found.pieces.values():
            self.states |= {state.fragment: state for state in pieces.to_save}
            self.states = {name: state for name, state in self.states.items() if name in pieces.names}


@dataclass
class Pieced:
    """A table `t` in fragments: `write(number, rows)` replaces one, `drop(number)` takes it away."""

    warehouse: Any
    write: Callable[[int, list[tuple[Any, ...]]], None]
    drop: Callable[[int], None]

    def measured(self, memory: Memory | None, metrics: list[Any], **how: Any) -> Measured:
        ids = itertools.count()
        ref = TableRef("lab", None, self.warehouse.default_schema, "t")
        means: Any = Means(lambda: AT, lambda: str(next(ids)), memory, ())
        return measure(self.warehouse, [MetricRequest(ref, metric, **how) for metric in metrics], means)


def literal(value: Any) -> str:
    return "null" if value is None else f"'{value}'" if isinstance(value, str) else repr(value)


def rows_sql(rows: list[tuple[Any, ...]]) -> str:
    return ", ".join(f"({', '.join(map(literal, row))})" for row in rows)


def files(folder: Path) -> Pieced:
    stamps = itertools.count(1_000_000_000, 60)
    connection = duckdb.connect()
    connection.execute(f"create table t ({COLUMNS})")

    def write(number: int, rows: list[tuple[Any, ...]]) -> None:
        connection.execute("delete from t")
        if rows:
            connection.execute(f"insert into t values {rows_sql(rows)}")
        path = folder / f"{number}.parquet"
        connection.execute(f"copy t to '{path}'")
        stamp = next(stamps)
        os.utime(path, (stamp, stamp))

    kind = Registry("warehouses").get("duckdb")
    warehouse = kind("lab", kind.Options.model_validate({"files": {"t": f"{folder}/*.parquet"}}))
    return Pieced(warehouse, write, lambda number: (folder / f"{number}.parquet").unlink())


def partitions(url: str) -> Pieced:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

    def run(*statements: str) -> None:
        with engine.connect() as connection:  # closing a connection publishes its counters
            for statement in statements:
                connection.exec_driver_sql(statement)

    run("drop table if exists t", f"create table t ({COLUMNS}) partition by list (k)")

    def write(number: int, rows: list[tuple[Any, ...]]) -> None:
        inserts = [f"insert into t_{number} values {rows_sql(rows)}"] if rows else []
        run(
            f"create table if not exists t_{number} partition of t for values in ({number})",
            f"truncate t_{number}",
            *inserts,
            "select pg_stat_force_next_flush()",
        )

    kind = Registry("warehouses").get("postgres")
    warehouse = kind("lab", kind.Options.model_validate({"url": url}))
    return Pieced(warehouse, write, lambda number: run(f"drop table t_{number}"))


def arrow(connection: duckdb.DuckDBPyConnection, rows: list[tuple[Any, ...]]) -> Any:
    connection.execute(f"create or replace table t ({COLUMNS})")
    if rows:
        connection.execute(f"insert into t values {rows_sql(rows)}")
    return connection.sql("select * from t").to_arrow_table()


def lake(declared: dict[str, Any], write: Callable[[int, list[tuple[Any, ...]]], None], drop: Callable[[int], None]) -> Pieced:
    kind = Registry("warehouses").get("duckdb")
    return Pieced(kind("lab", kind.Options.model_validate(declared)), write, drop)


def delta(folder: Path) -> Pieced:
    import deltalake

    connection = duckdb.connect()
    deltalake.write_deltalake(folder, arrow(connection, []), partition_by=["k"])

    def write(number: int, rows: list[tuple[Any, ...]]) -> None:
        deltalake.write_deltalake(folder, arrow(connection, rows), mode="overwrite", predicate=f"k = {number}")

    return lake({"files": {"t": {"delta": str(folder)}}}, write, lambda number: write(number, []))


def iceberg(folder: Path) -> Pieced:
    from pyiceberg.catalog import load_catalog
    from pyiceberg.expressions import EqualTo

    connection, catalog = duckdb.connect(), {"type": "sql", "uri": f"sqlite:///{folder}/c.db", "warehouse": f"file://{folder}"}
    writer = load_catalog("lab", **catalog)
    writer.create_namespace("n")
    table = writer.create_table("n.t", arrow(connection, []).schema)
    with table.update_spec() as spec:
        spec.add_identity("k")

    def write(number: int, rows: list[tuple[Any, ...]]) -> None:
        drop(number)
        if rows:
            table.append(arrow(connection, rows))

    def drop(number: int) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Delete operation did not match")
            table.delete(EqualTo("k", number))

    return lake({"files": {"t": {"iceberg": "n.t"}}, "catalogs": {"lab": catalog}}, write, drop)


IN_FOLDERS = {"files": files, "delta": delta, "iceberg": iceberg}


@pytest.fixture(params=[*IN_FOLDERS, "partitions"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Pieced]:
    if request.param == "partitions":
        url = request.getfixturevalue("postgres_database")
        return lambda: partitions(url)
    folders = itertools.count()

    def fresh() -> Pieced:
        folder = tmp_path / str(next(folders))
        folder.mkdir()
        return IN_FOLDERS[request.param](folder)

    return fresh


METRICS: list[Any] = [
    m.RowCount(),
    m.MissingCount("s", ("",)),
    m.NonMissingCount("f"),
    m.InvalidRangeCount("i", min=Decimal(-1), max=Decimal(2)),
    m.UnlistedCount("s", values=("a", "b")),
    m.InvalidPatternCount("s", pattern="^[ab]"),
    m.BrokenConditionCount("i > 0"),
    m.CompleteKeyCount(("i", "s")),
    m.LatestInstant("t"),
    m.FutureCount("t"),
    *(m.statistic(column, word) for column in ("i", "d", "f") for word in ("min", "max", "sum", "avg", "stddev", "null_ratio")),
    m.statistic("d", "median"),
    m.statistic("i", "distinct_count"),
    *(kind(columns) for kind in (m.KeyedRows, m.SurplusRows, m.DuplicatedKeys) for columns in (("i",), ("s", "t"), ("f",))),
    m.SurplusRows(("i",), "equal"),
]

TIMES = ["2026-02-01 00:00:00", "2026-02-28 23:59:59", "2026-03-05 00:00:00"]


def row(number: int) -> st.SearchStrategy[tuple[Any, ...]]:
    """Half of the keys are the fragment's own, so that uniqueness is merged in some tables and read as a whole in others."""
    return st.tuples(
        st.just(number),
        st.one_of(st.none(), st.integers(number * 10, number * 10 + 3), st.integers(0, 3)),
        st.one_of(st.none(), st.decimals("-2", "2", places=2).map(str)),
        st.one_of(st.none(), st.sampled_from(["nan", "0.1", "-0.0", "0.30000000000000004"]), st.floats(-2, 2, width=32)),
        st.one_of(st.none(), st.sampled_from(["", "a", "b", "C", "é"])),
        st.one_of(st.none(), st.sampled_from(TIMES)),
    )


STEPS = st.lists(
    st.integers(0, FRAGMENTS - 1).flatmap(lambda n: st.tuples(st.just(n), st.one_of(st.none(), st.lists(row(n), max_size=6)))),
    min_size=3,
    max_size=10,
)


def values(found: Measured) -> dict[Any, Any]:
    failures = [(r.metric, x.failure) for r, ms in found.by_request.items() for x in ms if x.failure]
    assert not failures
    return {(request.metric, x.segment): x.value for request, ms in found.by_request.items() for x in ms}


def close(value: Any) -> Any:
    """Doubles are merged up to their rounding."""
    return pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value


@pytest.mark.random
@pytest.mark.parametrize("how", [{}, {"where": "i > 0"}, {"segment_by": ("s",)}], ids=["all", "filter", "segments"])
def test_merged_values_are_those_of_the_full_scan(request: pytest.FixtureRequest, make: Callable[[], Pieced], how: dict[str, Any]) -> None:
    seen = {"merged": 0, "apart": 0}
    is_slow = any(kind in request.node.name for kind in ("delta", "iceberg"))

    @tried(3 if is_slow else 6, phases=(Phase.generate,))
    @given(STEPS)
    def prove(steps: list[tuple[int, list[tuple[Any, ...]] | None]]) -> None:
        table, memory, present = make(), Memory(), set[int]()
        for number in range(3):
            # Lake tables have no file for a fragment without rows, so that some have to have one for anything to be merged.
            table.write(number, [(number, number * 10, None, None, "a", None)] if number else [])
            present.add(number)
        for number, rows in steps:
            if rows is not None:
                table.write(number, rows)
                present.add(number)
            elif number in present and len(present) > 1:
                table.drop(number)
                present.remove(number)
            found = table.measured(memory, METRICS, **how)
            memory.take(found)
            plain = values(table.measured(None, METRICS, **how))
            assert values(found) == {key: close(value) for key, value in plain.items()}
            seen["merged"] += any(x.way for ms in found.by_request.values() for x in ms)
            seen["apart"] += any(x.way for r, ms in found.by_request.items() if isinstance(r.metric, m.SurplusRows) for x in ms)
        table.warehouse.close()

    prove()
    assert seen["merged"] > 0
    assert seen["apart"] > 0 or how.get("segment_by")


def test_only_the_new_fragment_is_read(make: Callable[[], Pieced]) -> None:
    table, memory = make(), Memory()
    for number in range(3):
        table.write(number, [(number, number, "1.00", 0.5, "a", TIMES[0])])
    memory.take(table.measured(memory, METRICS[:4]))
    table.write(3, [(3, 3, "1.00", 0.5, "a", TIMES[0])])
    found = table.measured(memory, METRICS[:4])
    (statement,) = {sql for ms in found.by_request.values() for x in ms for sql in x.sql}
    assert [n for n in range(4) if re.search(rf"""/{n}\.parquet'|"t_{n}"|k={n}/""", statement)] == [3]
    assert {x.way for ms in found.by_request.values() for x in ms} == {"3 of 4 files or child tables unchanged since they were measured"}
    memory.take(found)
    again = table.measured(memory, METRICS[:4])
    assert (again.statements, values(again)) == (0, values(found))
    table.warehouse.close()


@pytest.mark.parametrize(("kind", "one", "same"), [("interval", "24 hours", "1 day"), ("jsonb", "1", "1.0")])
def test_equal_values_with_other_texts_are_one_key(postgres_database: str, kind: str, one: str, same: str) -> None:
    engine = sa.create_engine(postgres_database, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        for statement in (
            f"create table t (k integer, v {kind}) partition by list (k)",
            *(f"create table t_{k} partition of t for values in ({k})" for k in (0, 1)),
            f"insert into t values (0, '{one}'), (1, '{same}')",
        ):
            connection.exec_driver_sql(statement)
    registered = Registry("warehouses").get("postgres")
    url = postgres_database.replace("postgresql+psycopg://", "postgresql://")
    warehouse = registered("lab", registered.Options.model_validate({"url": url}))
    pieced = Pieced(warehouse, lambda number, rows: None, lambda number: None)
    found = pieced.measured(Memory(), [m.SurplusRows(("v",)), m.RowCount()])
    warehouse.close()
    assert found.pieces, "the table is read in pieces"
    assert {r.metric.name: ms[0].value for r, ms in found.by_request.items()} == {"surplus_rows": 1, "row_count": 2}


def hive(folder: Path, **files: str) -> Any:
    """A warehouse with the table `t` of files, each a path with `=` and `/` as `__` and `_in_`, and a SELECT that gives its rows."""
    for name, select in files.items():
        path = folder / f"{name.replace('__', '=').replace('_in_', '/')}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        duckdb.sql(select).write_parquet(str(path))
        os.utime(path, (1_000_000_000, 1_000_000_000))
    kind = Registry("warehouses").get("duckdb")
    return kind("lab", kind.Options.model_validate({"files": {"t": f"{folder}/**/*.parquet"}}))


def merged_and_plain(warehouse: Any, *metrics: Any) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """The values when only the newest file is not known from an earlier run, and those of the full scan."""
    table, memory = Pieced(warehouse, lambda *_: None, lambda _: None), Memory()
    memory.take(table.measured(memory, list(metrics)))
    if memory.states:
        del memory.states[max(memory.states)]
    found = values(table.measured(memory, list(metrics))), values(table.measured(None, list(metrics)))
    warehouse.close()
    return found


@pytest.mark.parametrize(("files", "fragments"), [
    ({"k__1_in_a": "select 1 as i", "k__2_in_b": "select 2 as i"}, 2),
    ({"k__01_in_a": "select 1 as i", "k__x_in_b": "select 2 as i", "k__007_in_c": "select 3 as i"}, 3),
    ({"k__1_in_a": "select 1 as i, 5 as k", "k__2_in_b": "select 2 as i, 6 as k"}, 2),
    ({"k__1_in_a": "select 1 as i, 5 as k", "k_in_b": "select 2 as i, 6 as k"}, 0),
    ({"k__1_in_a": "select 1 as i, 5 as k", "b": "select 2 as i, 6 as k", "z": "select 3 as i, 7 as k"}, 0),
    ({"k__1_in_a": "select 1 as i, 5 as k", "j__2_in_b": "select 2 as i, 6 as k"}, 0),
    ({"k__1_in_j__1_in_a": "select 1 as i", "k__2_in_j__2_in_b": "select 2 as i"}, 2),
], ids=["keys", "texts and numbers", "a key hides a column", "some in folders", "some with a key", "other keys", "two keys"])  # fmt: skip
def test_keys_in_folders_are_those_of_all_files(tmp_path: Path, files: dict[str, str], fragments: int) -> None:
    """DuckDB tells by all files that it is given whether folders are columns, and of what type: some files alone may be read otherwise."""
    warehouse = hive(tmp_path, **files)
    with warehouse.open() as session:
        assert len(session.fragments(TableRef("lab", None, "main", "t"))) == fragments
    merged, plain = merged_and_plain(warehouse, m.RowCount(), m.MissingCount("k", ("1", "01", "5")), m.statistic("i", "sum"))
    assert merged == plain


def test_files_with_signs_of_patterns_in_their_names(tmp_path: Path) -> None:
    """`a[1].parquet` is a pattern that finds `a1.parquet`."""
    names = ("a1", "a[1]", "b*", "bc", "d?", "de", "it's", "[", "{x}", "c\\d")
    for number, name in enumerate(names):
        duckdb.sql(f"select {2**number} as i").write_parquet(str(tmp_path / f"{name}.parquet"))
        os.utime(tmp_path / f"{name}.parquet", (1_000_000_000, 1_000_000_000))
    kind = Registry("warehouses").get("duckdb")
    single = {f"t{number}": f"{tmp_path}/{name}.parquet" for number, name in enumerate(names)}
    warehouse = kind("lab", kind.Options.model_validate({"files": {"t": f"{tmp_path}/*.parquet"} | single}))
    merged, plain = merged_and_plain(warehouse, m.RowCount(), m.statistic("i", "sum"))
    found = duckdb.sql(f"select sum(i) from '{tmp_path}/*.parquet'").fetchall()[0][0]
    assert merged == plain
    assert plain[m.statistic("i", "sum"), ()] == found
    with warehouse.open() as session:
        for number, name in enumerate(names):
            table = TableRef("lab", None, "main", f"t{number}")
            session.columns(table)
            assert session.fetch(sa.select(sa.column("i")).select_from(sa.table(table.name)), 5) == [(2**number,)], name
            assert session.facts(table).columns["i"].least == 2**number
            assert f"{name}.parquet has" in session.unchanged_proof(table)
    warehouse.close()


def test_folders_that_are_no_columns(tmp_path: Path) -> None:
    """`hive: false`: some files alone would get the columns that the whole table has not."""
    hive(tmp_path, k__1_in_a="select 1 as i", k__2_in_b="select 2 as i")
    kind = Registry("warehouses").get("duckdb")
    for is_hive, columns, fragments in ((False, ["i"], 0), (True, ["i", "k"], 2), (None, ["i", "k"], 2)):
        declared = {"parquet": f"{tmp_path}/**/*.parquet", "hive": is_hive}
        warehouse = kind("lab", kind.Options.model_validate({"files": {"t": declared}}))
        table = TableRef("lab", None, "main", "t")
        with warehouse.open() as session:
            assert [column.name for column in session.columns(table)] == columns
            assert len(session.fragments(table)) == fragments
        warehouse.close()
