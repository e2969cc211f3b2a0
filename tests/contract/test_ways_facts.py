"""What follows from constraints and footers is what the plain statement gives: random tables, constraints and Parquet files."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from random_tables import tried

from dqmon.core.measurement import MetricRequest, Partition
from dqmon.core.table import TableRef
from dqmon.engine.measuring.means import Means
from dqmon.engine.measuring.measure import measure
from dqmon.engine.measuring.measured import Measured
from dqmon.engine.measuring.ways import WAYS
from dqmon.sql import metrics as m
from dqmon.sql.metrics.distinct import DistinctCount, DistinctRatio
from dqmon.sql.metrics.statistics import NullRatio
from dqmon.warehouses.duckdb import Duckdb, DuckdbOptions

AT = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
QUICK = tried(15)


def measured(warehouse: Any, requests: list[MetricRequest], ways: tuple[str, ...]) -> Measured:
    ids = itertools.count()
    return measure(warehouse, requests, Means(lambda: AT, lambda: str(next(ids)), ways=ways))


def values(found: Measured) -> dict[MetricRequest, Any]:
    """Each value with its type: 1, 1.0 and Decimal(1) are not the same."""
    return {request: (type(ms[0].value), ms[0].value, ms[0].failure and ms[0].failure.kind) for request, ms in found.by_request.items()}


def taken(found: Measured) -> set[str]:
    return {request.metric.key for request, (first, *_) in found.by_request.items() if first.way}


def assert_equal(warehouse: Any, requests: list[MetricRequest], way: str = "footers") -> Measured:
    plain = values(measured(warehouse, requests, ()))
    for ways in ((way,), WAYS):
        found = measured(warehouse, requests, ways)
        for request, value in values(found).items():
            assert value == plain[request], f"{request.metric.key} by {found.by_request[request][0].way}: {value}, plain {plain[request]}"
    return found


# Constraints, on each engine.

SETS = [("a",), ("b",), ("a", "b"), ("b", "c"), ("a", "b", "c")]
KEYS = [
    kind(columns, nulls) for columns in SETS for kind in (m.KeyedRows, m.SurplusRows, m.DuplicatedKeys, m.DistinctKeys) for nulls in ("distinct", "equal")
]  # fmt: skip
COLUMNS = [metric for c in "abc" for metric in (m.MissingCount(c), m.NonMissingCount(c), NullRatio(c), DistinctCount(c), DistinctRatio(c))]
OTHERS = [m.RowCount(), m.MissingCount("c", ("x",)), m.NonMissingCount("c", (), "x"), m.MissingCount("d", nan="value"), m.MissingCount("d")]
METRICS = [*KEYS, *COLUMNS, *OTHERS, *(m.CompleteKeyCount(columns) for columns in SETS)]
TABLE = st.fixed_dictionaries({
    "required": st.sets(st.sampled_from("abcd")),
    "keys": st.lists(st.sampled_from(SETS), max_size=2, unique=True),
    "is_primary": st.booleans(),
    "rows": st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(0, 4)),
            st.one_of(st.none(), st.integers(0, 2)),
            st.sampled_from([None, "", "x", "X", "é"]),
            st.sampled_from([None, "0.5", "'NaN'"]),
        ),
        max_size=12,
    ),
})  # fmt: skip


FULL = {"required": {"a", "b", "c", "d"}, "keys": [("a",)], "is_primary": True, "rows": [(2, 1, "x", "0.5"), (3, 1, "x", "0.5")]}


def declared(table: dict[str, Any]) -> list[str]:
    types = {"a": "bigint", "b": "integer", "c": "varchar(9)", "d": "double precision"}
    columns = [f"{name} {kind}{' not null' * (name in table['required'])}" for name, kind in types.items()]
    keys = list(table["keys"])
    primary = [f"primary key ({', '.join(keys.pop(0))})"] if keys and table["is_primary"] else []
    return [
        "drop table if exists t",
        f"create table t ({', '.join((*columns, *primary))})",
        *(f"create unique index i{i} on t ({', '.join(key)})" for i, key in enumerate(keys)),
    ]


def insert(lab: Any, rows: list[tuple[Any, ...]]) -> None:
    """All rows that the constraints let in."""
    with lab.writer() as execute:
        for a, b, c, d in rows:
            row = ", ".join(("null" if v is None else str(v)) for v in (a, b, c if c is None else f"'{c}'", d))
            try:
                execute(f"insert into t values ({row})")
            except Exception as e:
                if "onstraint" not in str(e) and "null" not in str(e).lower():
                    raise


@pytest.mark.random
@pytest.mark.parametrize("where", [None, "a > 1"])
def test_constraints(lab, where) -> None:
    proved: set[str] = set()

    @QUICK
    @given(TABLE)
    @example(FULL)
    def prove(table) -> None:
        lab.run(*declared(table))
        insert(lab, table["rows"])
        requests = [MetricRequest(lab.ref("t"), metric, where) for metric in METRICS]
        proved.update(taken(assert_equal(lab.warehouse, requests, "catalogue")))

    prove()
    names = {metric.name for metric in METRICS} - {"row_count"}
    assert {key.partition("(")[0] for key in proved} == names, "every metric but the number of rows is proved somewhere"


def test_a_wrong_filter_is_no_pass(lab) -> None:
    """A constraint answers without the filter; what counts the rows under it does not, and says that it is wrong."""
    lab.run("create table t (a integer primary key)")
    found = measured(lab.warehouse, [MetricRequest(lab.ref("t"), m.KeyedRows(("a",)), "no_column > 1")], WAYS)
    ((measurement,),) = found.by_request.values()
    assert measurement.failure is not None


def test_keys_cost_no_statement(lab) -> None:
    lab.run("create table t (a integer not null primary key, b integer not null)", "insert into t values (1, 1), (2, 1)")
    metrics = [m.SurplusRows(("a",)), m.DuplicatedKeys(("b", "a")), m.MissingCount("a"), m.SurplusRows(("a", "b"), "equal")]
    found = measured(lab.warehouse, [MetricRequest(lab.ref("t"), metric) for metric in metrics], WAYS)
    assert (found.statements, [ms[0].value for ms in found.by_request.values()]) == (0, [0, 0, 0, 0])


# Footers.

MOMENT = st.datetimes(dt.datetime(1890, 1, 1), dt.datetime(2026, 3, 2)) | st.sampled_from(
    [dt.datetime(2026, 3, 1, 0, 5), dt.datetime(2026, 3, 1, 0, 5, 0, 1), dt.datetime(2025, 11, 2, 5, 30), dt.datetime(2025, 11, 2, 1, 30)]
)
FILE = st.lists(
    st.fixed_dictionaries({
        "i": st.one_of(st.none(), st.integers(-3, 3), st.just(2**62)),
        "u": st.one_of(st.none(), st.integers(0, 3), st.just(2**64 - 1)),
        "m": st.one_of(st.none(), st.decimals("-2", "2", places=2)),
        "f": st.one_of(st.none(), st.sampled_from([0.0, -0.0, math.inf, math.nan, 3.4e38]), st.floats(-2, 2, width=32)),
        "d": st.one_of(st.none(), st.sampled_from([0.1, -0.0, 1e300, math.nan, -math.inf]), st.floats(-2, 2)),
        "s": st.sampled_from([None, "", "a", "z" * 300]),
        "day": st.one_of(st.none(), MOMENT.map(dt.datetime.date)),
        "at": st.one_of(st.none(), MOMENT),
        "on": st.one_of(st.none(), MOMENT.map(lambda at: at.replace(tzinfo=dt.UTC))),
        "b": st.sampled_from([None, True, False]),
    }),
    max_size=9,
)  # fmt: skip
USUAL = {
    "i": 1, "u": 2, "m": Decimal("0.50"), "f": 0.5, "d": 0.5, "s": "a", "day": dt.date(2026, 1, 1), "at": dt.datetime(2026, 1, 1),
    "on": dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "b": True,
}  # fmt: skip
TYPES = {
    "i": pa.int64(), "u": pa.uint64(), "m": pa.decimal128(12, 2), "f": pa.float32(), "d": pa.float64(), "s": pa.string(),
    "day": pa.date32(), "at": pa.timestamp("us"), "on": pa.timestamp("us", "UTC"), "b": pa.bool_(),
}  # fmt: skip
LIMITS = [
    (Decimal(-1), Decimal(1), None),
    (Decimal(-2), Decimal(2), "both"),
    (None, Decimal("0.3"), "max"),
    (Decimal(-9), Decimal(2**70), None),
]
SPANS = [
    ("1900-01-01", "2026-12-31", None),
    (None, AT, "both"),
    ("2025-11-02T01:30:00", None, "min"),
    (None, "2026-03-01T00:05:00Z", None),
    ("x", None, None),
]
FOOTERS = [
    m.RowCount(),
    *(kind(c) for c in TYPES for kind in (m.MissingCount, m.NonMissingCount, NullRatio)),
    *(m.MissingCount(c, nan="value") for c in "fd"),
    *(kind(c) for c in "iumfd" for kind in (m.Least, m.Greatest)),
    *(m.InvalidRangeCount(c, min=low, max=high, exclusive=how) for c in ("i", "u", "m", "f", "d", "day") for low, high, how in LIMITS),
    *(m.InvalidRangeCount(c, nan="value", min=Decimal(-9)) for c in "fd"),
    *(m.InvalidRangeCount(c, min=low, max=high, exclusive=how) for c in ("day", "at", "on", "i") for low, high, how in SPANS),
    *(kind(c) for c in ("day", "at", "on", "i") for kind in (m.LatestInstant, m.FutureCount)),
    *(m.UnlistedCount(c, values=("-3", "-2", "-1", "0", "1", "2", "3")) for c in "ium"),
    m.UnlistedCount("i", values=("1", "3", "-1", "0")),
    m.CompleteKeyCount(("i", "s")),
    m.CompleteKeyCount(("i",)),
    m.SurplusRows(("i",)),
]


@pytest.fixture
def files(tmp_path: Path):
    warehouse = Duckdb("f", DuckdbOptions(files={"t": f"{tmp_path}/*.parquet"}))
    yield tmp_path, warehouse
    warehouse.close()


def write(path: Path, rows: list[dict[str, Any]], *, group: int, by_duckdb: bool) -> None:
    table = pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in TYPES.items()})
    if by_duckdb:
        with duckdb.connect() as connection:
            connection.register("made", table)
            connection.execute(f"copy (from made) to '{path}' (format parquet, row_group_size {group})")
    else:
        pq.write_table(table, path, row_group_size=group)


def requests_of(metrics: list[Any], where: str | None, zone: str) -> list[MetricRequest]:
    return [MetricRequest(TableRef("f", None, "main", "t"), metric, where, naive_timezone=zone) for metric in metrics]


@pytest.mark.random
@pytest.mark.parametrize(("where", "zone"), [(None, "America/New_York"), ("i > 0", "UTC")])
def test_footers(files, where, zone) -> None:
    folder, warehouse = files
    proved: set[str] = set()

    @QUICK
    @given(FILE, st.lists(FILE, max_size=2), st.integers(1, 4), st.booleans(), st.integers(0, 9))
    @example([USUAL, USUAL], [[USUAL]], 1, True, 1)
    def prove(first, late, group, by_duckdb, deleted) -> None:
        for old in folder.glob("*.parquet"):
            old.unlink()
        write(folder / "0.parquet", first, group=group, by_duckdb=by_duckdb)
        requests = requests_of(FOOTERS, where, zone)
        proved.update(taken(assert_equal(warehouse, requests)))
        for number, rows in enumerate(late, 1):
            write(folder / f"{number}.parquet", rows, group=group, by_duckdb=not by_duckdb)
        write(folder / "0.parquet", first[deleted:], group=group, by_duckdb=by_duckdb)
        proved.update(taken(assert_equal(warehouse, requests)))

    prove()
    wanted = {
        "missing_count",
        "non_missing_count",
        "invalid_range_count",
        "complete_key_count",
        "null_ratio",
        "future_count",
        "unlisted_count",
    }
    wanted |= {"row_count", "min", "max", "latest_instant"} if where is None else set()
    assert {key.partition("(")[0] for key in proved} == wanted, "what the footers prove somewhere"


def test_footers_in_a_partition(files) -> None:
    folder, warehouse = files
    rows = [dict.fromkeys(TYPES, None) | {"i": i, "at": AT.replace(tzinfo=None) + dt.timedelta(hours=i)} for i in range(-40, 3)]
    write(folder / "0.parquet", rows, group=9, by_duckdb=True)
    day = Partition("at", AT - dt.timedelta(days=1), AT)
    requests = [replace(request, partition=day) for request in requests_of(FOOTERS, None, "UTC")]
    assert "missing_count" in {key.partition("(")[0] for key in taken(assert_equal(warehouse, requests))}


UNSURE = {
    "no statistics": lambda folder: pq.write_table(pa.table({"i": [1, 2], "d": [1.0, 2.0]}), folder / "0.parquet", write_statistics=False),
    "another type in a late file": lambda folder: (
        pq.write_table(pa.table({"i": [1, 2], "d": [1.0, 2.0]}), folder / "0.parquet"),
        pq.write_table(pa.table({"i": ["10", "9"], "d": [7, 7]}), folder / "1.parquet"),
    ),
    "more digits in a late file": lambda folder: (
        pq.write_table(pa.table({"i": [1, 2], "d": pa.array([Decimal("1.1")] * 2, pa.decimal128(12, 1))}), folder / "0.parquet"),
        pq.write_table(pa.table({"i": [1.5, 2.5], "d": pa.array([Decimal("0.05"), Decimal("1.25")], pa.decimal128(12, 2))}), folder / "1.parquet"),
    ),
    "a folder's value in place of the file's": lambda folder: pq.write_table(
        pa.table({"i": [1, 2], "d": [1.0, 2.0]}), _made(folder / "i=7") / "0.parquet"
    ),
    "names in two cases": lambda folder: (
        pq.write_table(pa.table({"i": [1, 2], "d": [1.0, 2.0]}), folder / "0.parquet"),
        pq.write_table(pa.table({"I": [3, 4], "D": [3.0, 4.0]}), folder / "1.parquet"),
    ),
}  # fmt: skip


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize("case", UNSURE)
def test_what_footers_do_not_prove(tmp_path, case) -> None:
    UNSURE[case](tmp_path)
    warehouse = Duckdb("f", DuckdbOptions(files={"t": f"{tmp_path}/**/*.parquet"}))
    metrics = [kind("i") for kind in (m.Least, m.Greatest, m.MissingCount)] + [m.InvalidRangeCount("i", min=Decimal(0), max=Decimal(5))]
    metrics += [m.Least("d"), m.Greatest("d"), m.RowCount()]
    found = assert_equal(warehouse, requests_of(metrics, None, "UTC"))
    assert not {"min", "max", "invalid_range_count"} & {key.partition("(")[0] for key in taken(found) if '"i"' in key}
    warehouse.close()


def test_moments_with_and_without_zone_do_not_mix(tmp_path) -> None:
    naive, zoned = pa.timestamp("us"), pa.timestamp("us", "UTC")
    pq.write_table(pa.table({"at": pa.array([AT.replace(tzinfo=None)], naive)}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"at": pa.array([AT - dt.timedelta(days=1)], zoned)}), tmp_path / "1.parquet")
    warehouse = Duckdb("f", DuckdbOptions(files={"t": f"{tmp_path}/*.parquet"}))
    found = assert_equal(warehouse, requests_of([m.LatestInstant("at"), m.MissingCount("at")], None, "UTC"))
    assert taken(found) == {m.MissingCount("at").key}
    warehouse.close()


def test_nan_that_no_footer_tells_of(tmp_path) -> None:
    """Most writers keep bounds without NaN: DuckDB would take such a column for one without."""
    pq.write_table(pa.table({"d": [1.0, math.nan, 3.0]}), tmp_path / "0.parquet")
    warehouse = Duckdb("f", DuckdbOptions(files={"t": f"{tmp_path}/*.parquet"}))
    metrics = [m.MissingCount("d"), m.Greatest("d"), m.InvalidRangeCount("d", nan="value", min=Decimal(0), max=Decimal(9))]
    found = assert_equal(warehouse, requests_of(metrics, None, "UTC"))
    assert [ms[0].value for ms in found.by_request.values()] == [1, 3.0, 1]
    warehouse.close()
