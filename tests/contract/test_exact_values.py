"""What no case file can hold: types of one engine's own, moments that Python has not, and names that mean something to SQL."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from dqmon.core.measurement import MetricRequest, Partition
from dqmon.core.metric import Metric, Value
from dqmon.core.metric_kinds import OtherTable, StatementMetric
from dqmon.core.plan import plan
from dqmon.errors import ColumnMissing, QueryFailed
from dqmon.sql.compile import compile_scan, fits
from dqmon.sql.metrics import (
    BrokenConditionCount,
    DistinctKeys,
    DuplicatedKeys,
    FutureCount,
    InvalidLengthCount,
    InvalidPatternCount,
    InvalidRangeCount,
    KeyedRows,
    LatestInstant,
    Least,
    ListedCount,
    MaxIngestionDelay,
    MissingCount,
    MissingReference,
    NonMissingCount,
    RowCount,
    SurplusRows,
    UnlistedCount,
    statistic,
)

AT = datetime(2026, 1, 10, 12, tzinfo=UTC)


def measured(lab: Any, *metrics: Metric, table: str = "t", **how: Any) -> list[Value]:
    """The values of a table's metrics."""
    requests = [MetricRequest(lab.ref(table), metric, **how) for metric in metrics]
    found: dict[Any, Value] = {}
    with lab.warehouse.open() as session:
        columns = session.columns(lab.ref(table))
        for scan in plan(requests, partial(fits, caps=lab.warehouse.capabilities)):
            joined = next((session.columns(m.other.table) for m in scan.metrics if isinstance(m, StatementMetric)), ())
            compiled = compile_scan(scan, columns, joined, lab.warehouse.capabilities, AT)
            found |= compiled.decode(session.fetch(compiled.statement, 20))
    return [found[request.partition, (), request.metric] for request in requests]


def made(lab: Any, columns: str, *rows: str) -> None:
    lab.run(f"create table t ({columns})", *(f"insert into t values ({row})" for row in rows))


TYPED = pytest.mark.parametrize("lab", ["duckdb", "postgres"], indirect=True)
DUCKDB = pytest.mark.parametrize("lab", ["duckdb"], indirect=True)
SQLITE = pytest.mark.parametrize("lab", ["sqlite"], indirect=True)
POSTGRES = pytest.mark.parametrize("lab", ["postgres"], indirect=True)


@TYPED
@pytest.mark.parametrize("kind", ["date", "timestamp", "timestamp with time zone"])
def test_infinite_moments_and_those_before_christ(lab: Any, kind: str) -> None:
    before = "4000-01-01 (BC)" if lab.engine == "duckdb" else "4000-01-01 BC"
    made(lab, f"x {kind}, y timestamp", *(f"'{value}', '2026-01-01'" for value in ("infinity", "-infinity", before, "200000-01-01")))
    outside = InvalidRangeCount("x", min="0001-01-01", max="9999-12-31")
    counts = (RowCount(), MissingCount("x"), outside, UnlistedCount("x", values=("2026-01-01", "9999-12-31")), SurplusRows(("x",)))
    assert measured(lab, *counts) == [4, 0, 4, 4, 0]
    assert measured(lab, LatestInstant("x"), FutureCount("x"), statistic("x", "distinct_count")) == [None, 2, 4]
    (longest,) = measured(lab, MaxIngestionDelay("x", "y"))
    to_2000 = (datetime(2000, 1, 1, tzinfo=UTC) - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds()
    assert longest == to_2000 + 495 * 146_097 * 86_400, "from 2000 to 200000 are 495 times the 400 years of the calendar"
    lab.run("delete from t where x in ('200000-01-01')", f"delete from t where x = '{before}'")
    assert measured(lab, MaxIngestionDelay("x", "y")) == [None], "from or to an infinite moment there is no delay"
    day = Partition("x", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    assert measured(lab, RowCount(), partition=day) == [0]


@DUCKDB
@pytest.mark.parametrize("kind", ["timestamp_ns", "timestamp_s", "timestamp_ms"])
def test_timestamps_of_other_precision(lab: Any, kind: str) -> None:
    made(lab, f"x {kind}", "'2026-01-10 11:00:00'", "'1900-01-01'", "'2261-12-31'", "null")
    everything = InvalidRangeCount("x", min="0001-01-01", max="9999-12-31T23:59:59")
    assert measured(lab, everything, InvalidRangeCount("x", min="1900-01-02", max="2261-12-30")) == [0, 2]
    assert measured(lab, UnlistedCount("x", values=("0001-01-01", "9999-12-31", "2026-01-10T11:00:00Z"))) == [2]
    assert measured(lab, LatestInstant("x"), FutureCount("x")) == [datetime(2026, 1, 10, 11, tzinfo=UTC), 1]
    assert measured(lab, MissingCount("x", missing_values=("1900-01-01",)), SurplusRows(("x",))) == [2, 0]


@TYPED
@pytest.mark.parametrize("value", ["9999999999999999999999999999.9999999999", "-0.0000000001"])
def test_decimals_of_38_digits(lab: Any, value: str) -> None:
    made(lab, "d decimal(38, 10)", value)
    number, least = Decimal(value), Decimal("1e-10")
    assert measured(lab, *(statistic("d", word) for word in ("min", "max", "sum"))) == [number] * 3
    bounds = [
        number,
        number + least * Decimal("0.5"),
        number.next_plus(),
        Decimal("1e28"),
        Decimal("1e60"),
        Decimal("1e-30"),
        Decimal("-1e400"),
    ]
    for bound in bounds:
        wanted = [int(number < bound), int(number > bound), int(number <= bound), int(number >= bound)]
        low, high = InvalidRangeCount("d", min=bound), InvalidRangeCount("d", max=bound)
        strict = InvalidRangeCount("d", min=bound, exclusive="min"), InvalidRangeCount("d", max=bound, exclusive="max")
        assert measured(lab, low, high, *strict) == wanted, f"{number} compared with {bound}"
        assert measured(lab, ListedCount("d", values=(str(bound), "5"))) == [int(number == bound)], f"{number} is {bound}?"


@TYPED
def test_whole_numbers_of_128_bits(lab: Any) -> None:
    most = 2**127 - 1
    made(lab, "n hugeint" if lab.engine == "duckdb" else "n numeric(39, 0)", str(most), "1", "null")
    assert measured(lab, *(statistic("n", word) for word in ("min", "max", "distinct_count"))) == [1, most, 2]
    assert measured(lab, InvalidRangeCount("n", max=Decimal(most - 1)), InvalidRangeCount("n", max=Decimal(most + 1))) == [1, 0]
    assert measured(lab, InvalidRangeCount("n", min=Decimal("1.5")), InvalidRangeCount("n", max=Decimal("1e-30"))) == [1, 2]
    assert measured(lab, ListedCount("n", values=(str(most + 1), "0.5")), ListedCount("n", values=(str(most),))) == [0, 1]


@TYPED
def test_floats_of_32_bits_are_compared_with_the_nearest_one(lab: Any) -> None:
    made(lab, "f real", "0.1", "16777216", "3e38", "'Infinity'", "null")
    assert measured(lab, InvalidRangeCount("f", max=Decimal("0.1")), InvalidRangeCount("f", min=Decimal("0.1"))) == [3, 0]
    assert measured(lab, ListedCount("f", values=("0.1", "Infinity")), ListedCount("f", values=("1e300",))) == [2, 0]
    assert measured(lab, InvalidRangeCount("f", max=Decimal("1e39"))) == [1]
    lab.run("delete from t where f > 1e9")
    assert measured(lab, statistic("f", "sum")) == [16777216.1], "not added in 32 bits"


NESTED = {
    "duckdb": {
        "json": "'{\"a\": 1}'", "integer[]": "[1, 2]", "integer[2]": "[1, 2]", "struct(a integer)": "{'a': 1}", "blob": "'\\xFF'::blob",
        "map(varchar, integer)": "map {'a': 1}", "uuid": "'123e4567-e89b-12d3-a456-426614174000'", "interval": "interval 1 day",
        "time": "'10:00'", "bit": "'101'", "union(i integer, s varchar)": "1", "enum('a', 'b')": "'a'",
    },
    "postgres": {
        "json": "'{\"a\": 1}'", "jsonb": "'{\"a\": 1}'", "integer[]": "'{1, 2}'", "bytea": "'\\xff'", "uuid": "'123e4567-e89b-12d3-a456-426614174000'",
        "interval": "'1 day'", "time": "'10:00'", "inet": "'10.0.0.1'", "money": "'12.34'", "bit(3)": "B'101'", "int4range": "'[1, 2)'",
        "tsvector": "'a'", "oid": "1",
    },
    "sqlite": {"json": "'{\"a\": 1}'", "blob": "x'ff'", "": "'a'", "time": "'10:00'"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("lab", "kind", "value"), [(engine, kind, value) for engine, kinds in NESTED.items() for kind, value in kinds.items()], indirect=["lab"]
)
def test_columns_that_are_no_numbers_texts_or_moments(lab: Any, kind: str, value: str) -> None:
    made(lab, f"id integer, x {kind}", f"1, {value}", f"2, {value}", "3, null")
    key = ("x",)
    keys = KeyedRows(key), DistinctKeys(key), SurplusRows(key), DuplicatedKeys(key)
    assert measured(lab, RowCount(), MissingCount("x"), NonMissingCount("x"), *keys) == [3, 1, 2, 2, 1, 1, 1]
    assert measured(lab, statistic("x", "distinct_count"), statistic("x", "null_ratio")) == [1, pytest.approx(1 / 3)]
    assert measured(lab, MissingReference(key, OtherTable(lab.ref("t"), key))) == [0]
    assert measured(lab, UnlistedCount("x", values=("nothing like it",))) == [2]
    for word in ("min", "max", "sum", "avg", "stddev", "median"):
        with pytest.raises(QueryFailed, match=r"column 'x' is .*; \w+ needs numbers|no number"):
            measured(lab, statistic("x", word))
    if lab.engine == "sqlite":
        assert measured(lab, InvalidRangeCount("x", min=Decimal(0))) == [2], "a text is in no range of numbers"
    else:
        with pytest.raises(QueryFailed, match=r"column 'x' is .*; it cannot be compared with the number 0"):
            measured(lab, InvalidRangeCount("x", min=Decimal(0)))
    with pytest.raises(QueryFailed, match=r"column 'x' is .*; a date or timestamp is needed|is no timestamp"):
        measured(lab, LatestInstant("x"))


@POSTGRES
@pytest.mark.parametrize("kind", ["point", "jsonpath"])
def test_a_type_without_equality_says_so(lab: Any, kind: str) -> None:
    made(lab, f"x {kind}", "'(1,2)'" if kind == "point" else "'$.a'")
    assert measured(lab, MissingCount("x"), RowCount()) == [0, 1]
    with pytest.raises(QueryFailed, match=rf"equality operator for type {kind}; cast the column in a view"):
        measured(lab, SurplusRows(("x",)))


@SQLITE
def test_texts_among_numbers(lab: Any) -> None:
    made(lab, "n integer, d decimal(9, 2)", "1, 1.5", "'many', 'x'", "null, null")
    assert measured(lab, InvalidRangeCount("n", min=Decimal(0)), InvalidRangeCount("d", max=Decimal(9))) == [1, 1]
    for column in "nd":
        for word in ("min", "max"):
            with pytest.raises(QueryFailed, match=rf"column '{column}' has '(many|x)', which is no number"):
                measured(lab, statistic(column, word))


@SQLITE
def test_bytes_that_are_no_text(lab: Any) -> None:
    made(lab, "x text", "cast(x'e9' as text)", "'ok'", "null")
    assert measured(lab, MissingCount("x"), SurplusRows(("x",)), InvalidLengthCount("x", max=1)) == [1, 0, 1]
    with pytest.raises(QueryFailed, match="not valid UTF-8"):
        measured(lab, InvalidPatternCount("x", pattern="ok"))


FOLDING = {
    "duckdb": ("varchar collate nocase",),
    "sqlite": ("text collate nocase", "varchar(9) collate rtrim"),
    "postgres": ("citext", "email"),
}
# What the extension citext does, which is not everywhere installed.
CITEXT = (
    "create type citext",
    "create function citextin(cstring) returns citext language internal immutable strict as 'textin'",
    "create function citextout(citext) returns cstring language internal immutable strict as 'textout'",
    "create type citext (input = citextin, output = citextout, internallength = variable, storage = extended, category = 'S', collatable = true)",
    "create cast (citext as text) without function as implicit",
    "create cast (text as citext) without function as assignment",
    "create function citext_eq(citext, citext) returns boolean language sql immutable strict as 'select lower($1::text) = lower($2::text)'",
    "create function citext_hash(citext) returns integer language sql immutable strict as 'select hashtext(lower($1::text))'",
    "create operator = (leftarg = citext, rightarg = citext, procedure = citext_eq, hashes)",
    "create operator class citext_ops default for type citext using hash as operator 1 =, function 1 citext_hash(citext)",
    "create domain email as citext",
)


@pytest.mark.parametrize(("lab", "kind"), [(engine, kind) for engine, kinds in FOLDING.items() for kind in kinds], indirect=["lab"])
def test_keys_differ_character_by_character_whatever_the_column_thinks(lab: Any, kind: str) -> None:
    if lab.engine == "postgres":
        lab.run(*CITEXT)
    made(lab, f"x {kind}", "'a'", "'A'", "'a '", "'a'", "null")
    lab.run(f"create table other (x {kind})", "insert into other values ('A')")
    key = ("x",)
    assert measured(lab, KeyedRows(key), DistinctKeys(key), SurplusRows(key), DuplicatedKeys(key)) == [4, 3, 1, 1]
    assert measured(lab, statistic("x", "distinct_count")) == [3]
    assert measured(lab, MissingReference(key, OtherTable(lab.ref("other"), key))) == [3]
    assert measured(lab, UnlistedCount("x", values=("a",)), MissingCount("x", missing_values=("a",))) == [2, 3]
    with lab.warehouse.open() as session:
        (scan,) = plan([MetricRequest(lab.ref("t"), RowCount(), segment_by=key)], lambda _: True)
        compiled = compile_scan(scan, session.columns(lab.ref("t")), (), lab.warehouse.capabilities, AT)
        found = compiled.decode(session.fetch(compiled.statement, 20))
    assert {segment[0][1]: value for (_, segment, _), value in found.items()} == {"a": 2, "A": 1, "a ": 1, None: 1}


NAMES = [
    "select", "Order", "group by", 'a"b', "a'b", "50%", "%s", ":x", "a:b", "{dataset}", "ünïcödé 日本", "x" * 63, "a.b", "a\\b", "?", "$1", "--",
    ";", "a\tb", "null", "1", " ", "dq_rows", "dq_column0", "dq_count", "m0", "*",
]  # fmt: skip


def test_names_that_mean_something_to_sql(lab: Any) -> None:
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in NAMES}
    lab.run(
        *(f"create table {q} as select 1 as {q}, cast('2026-01-10' as date) as loaded union all select 1, null" for q in quoted.values())
    )
    for name in NAMES:
        key, at = (name,), Partition("loaded", None, None)
        counts = (InvalidRangeCount(name, max=Decimal(0)), UnlistedCount(name, values=("1",)), InvalidLengthCount(name, max=0), Least(name))
        others = (SurplusRows(key), statistic(name, "distinct_count"), MissingReference(key, OtherTable(lab.ref(name), key)))
        broken = BrokenConditionCount(f"{quoted[name]} > 1")
        found = measured(lab, *counts, *others, broken, table=name, where=f"{quoted[name]} = 1", partition=at)
        assert found == [1, 0, 1, 1, 0, 1, 0, 1], f"table and column {name!r}"


def test_a_name_in_quotes_that_is_no_column_is_no_text(lab: Any) -> None:
    made(lab, 'n integer, "Amount" integer', "1, 1", "null, 2")
    lab.run("create table other (n integer)", "insert into other values (1)")
    assert measured(lab, RowCount(), where='"Amount" > 1') == [1]
    with pytest.raises(ColumnMissing, match="no column 'Amuont'; near names: Amount"):
        measured(lab, RowCount(), where="\"Amuont\" <> ''")
    with pytest.raises(ColumnMissing, match="no column 'm'"):
        measured(lab, MissingReference(("n",), OtherTable(lab.ref("other"), ("n",), '"m" <> 1')))


@TYPED
def test_conditions_mean_the_same_in_every_time_zone(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    made(lab, "x timestamp with time zone", "'2026-01-09 23:59:59+00:00'", "'2026-01-10 00:00:00+00:00'")
    is_postgres = lab.engine == "postgres"
    try:
        if is_postgres:
            lab.run("alter role current_user set timezone = 'Asia/Tokyo'", "alter role current_user set datestyle = 'German'")
        assert measured(lab, RowCount(), where="x >= '2026-01-10'") == [1]
        found = measured(lab, BrokenConditionCount("cast(x as date) = '2026-01-10'"), LatestInstant("x"))
        assert found == [1, datetime(2026, 1, 10, tzinfo=UTC)]
    finally:
        lab.run(*["alter role current_user reset all"] * is_postgres)
