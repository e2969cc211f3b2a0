"""What every warehouse must do the same way: DuckDB, SQLite and PostgreSQL, all three always."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from dqmon.core.measurement import MetricRequest, Partition
from dqmon.core.metric_kinds import OtherTable
from dqmon.core.plan import plan
from dqmon.core.registry import Registry
from dqmon.core.table import TableRef, TypeGroup
from dqmon.errors import ColumnMissing, QueryFailed, TableMissing, TooManySegments, UnsafeSql
from dqmon.sql import metrics as m
from dqmon.sql.compile import compile_scan, fits
from dqmon.sql.literal_sql import literal_sql

AT = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.fixture
def table(lab):
    """`table(ddl_columns, *rows)` makes a table and returns its reference."""
    count = iter(range(100))

    def make(columns: str, *rows: str) -> TableRef:
        name = f"t{next(count)}"
        lab.run(f"create table {name} ({columns})", *(f"insert into {name} values ({row})" for row in rows))
        return lab.ref(name)

    return make


def measure(lab, table, *found, where=None, partitions=(), at=AT, **how):
    """The values of metrics by (partition, segment, metric)."""
    requests = [MetricRequest(table, metric, where, partition, **how) for metric in found for partition in (partitions or (None,))]
    values = {}
    with lab.warehouse.open() as session:
        for scan in plan(requests, lambda scan: fits(scan, lab.warehouse.capabilities)):
            other = next((session.columns(metric.other.table) for metric in scan.metrics if hasattr(metric, "other")), ())
            compiled = compile_scan(scan, session.columns(table), other, lab.warehouse.capabilities, at)
            assert literal_sql(compiled.statement, lab.warehouse.dialect).upper().startswith("SELECT"), "every statement can be shown"
            values.update(compiled.decode(session.fetch(compiled.statement, 30)))
    return values


def one(lab, table, metric, **how):
    """The value of one metric of the whole table."""
    return measure(lab, table, metric, **how)[None, (), metric]


def test_types_are_told_apart(lab, table):
    ref = table(
        "a bigint, b numeric(12,2), c double precision, d varchar(10), e boolean, f date, g timestamp, "
        "h timestamp with time zone, i integer not null"
    )
    with lab.warehouse.open() as session:
        found = session.columns(ref)
    groups = [TypeGroup.INTEGER, TypeGroup.DECIMAL, TypeGroup.FLOAT, TypeGroup.TEXT, TypeGroup.BOOLEAN, TypeGroup.DATE, TypeGroup.TIMESTAMP]
    assert [c.group for c in found] == [*groups, TypeGroup.TIMESTAMP_ZONED, TypeGroup.INTEGER]
    assert [c.name for c in found] == list("abcdefghi")
    assert [c.position for c in found] == list(range(1, 10))
    assert [c.nullable for c in found] == [True] * 8 + [False]
    assert found[0].type.lower() == "bigint", "the type is in the engine's own words"


def test_tables_and_views_are_listed(lab):
    lab.run("create table b (x int)", "create view a as select * from b")
    with lab.warehouse.open() as session:
        default = [(ref.name, is_view) for ref, is_view in session.tables(lab.warehouse.default_schema)]
        everything = session.tables(None)
    assert default == [("a", True), ("b", False)]
    assert {ref.name for ref, _ in everything} == {"a", "b"}, "the engine's own tables are not listed"
    assert all(ref.warehouse == "lab" and ref.schema == lab.warehouse.default_schema for ref, _ in everything)


NULLS = [m.RowCount(), m.MissingCount("x"), m.NonMissingCount("x"), m.InvalidRangeCount("x", min=Decimal(0))]
KEYS = [m.KeyedRows(("x",)), m.DistinctKeys(("x",)), m.SurplusRows(("x",)), m.DuplicatedKeys(("x",)), m.CompleteKeyCount(("x",))]


def test_empty_table_counts_zero(lab, table):
    ref = table("x int, t timestamp")
    assert [one(lab, ref, metric) for metric in (*NULLS, *KEYS)] == [0] * 9
    assert one(lab, ref, m.LatestInstant("t")) is None
    assert one(lab, ref, m.MaxIngestionDelay("t", "t")) is None
    assert one(lab, ref, m.FutureCount("t")) == 0


def test_all_null_table(lab, table):
    ref = table("x int, t timestamp", "null, null", "null, null")
    assert [one(lab, ref, metric) for metric in NULLS] == [2, 2, 0, 0]
    assert [one(lab, ref, metric) for metric in KEYS] == [0] * 5
    assert one(lab, ref, m.SurplusRows(("x",), nulls="equal")) == 1
    assert one(lab, ref, m.LatestInstant("t")) is None


@pytest.mark.parametrize(("low", "high", "exclusive", "expected"), [
    ("0.1", "0.3", None, 2), ("0.1", "0.3", "min", 3), ("0.1", "0.3", "max", 3), ("0.1", "0.3", "both", 4),
    ("0.11", None, None, 2), (None, "0.29", None, 2), (None, None, None, 0),
])  # fmt: skip
def test_range_is_exact(lab, table, low, high, exclusive, expected):  # noqa: PLR0917 - pytest passes them by name
    ref = table("x numeric(12,2)", "0.10", "0.20", "0.30", "0.09", "0.31", "null")
    metric = m.InvalidRangeCount("x", min=low and Decimal(low), max=high and Decimal(high), exclusive=exclusive)
    assert one(lab, ref, metric) == expected


def test_range_does_not_round_large_numbers(lab, table):
    ref = table("x bigint", "9007199254740993", "9007199254740992", "9223372036854775807")
    assert one(lab, ref, m.InvalidRangeCount("x", max=Decimal(9007199254740992))) == 2
    assert one(lab, ref, m.InvalidRangeCount("x", max=Decimal("9007199254740992.5"))) == 2
    assert one(lab, ref, m.InvalidRangeCount("x", min=Decimal("-1e30"), max=Decimal("1e30"))) == 0


def test_range_of_dates_and_timestamps(lab, table):
    ref = table("d date, t timestamp", "'2026-01-01', '2026-01-01 00:00:00'", "'2026-12-31', '2026-12-31 00:00:01'", "null, null")
    assert one(lab, ref, m.InvalidRangeCount("d", min="2026-01-01", max="2026-12-31")) == 0
    assert one(lab, ref, m.InvalidRangeCount("d", min="2026-01-02", max="2026-12-30")) == 2
    assert one(lab, ref, m.InvalidRangeCount("t", max="2026-12-31")) == 1, "a date is its midnight"
    assert one(lab, ref, m.InvalidRangeCount("t", max="2026-12-31T02:00:00+02:00")) == 1
    assert one(lab, ref, m.InvalidRangeCount("t", max="2026-12-31T02:00:01+02:00")) == 0
    assert one(lab, ref, m.InvalidRangeCount("t", min=datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC))) == 1
    with pytest.raises(QueryFailed, match="no ISO date"):
        one(lab, ref, m.InvalidRangeCount("t", min="yesterday"))


@pytest.mark.parametrize(
    "metric", [m.InvalidRangeCount("s", min=Decimal(1)), m.InvalidRangeCount("b", max="2026-01-01"), m.LatestInstant("b")]
)
def test_a_type_without_that_order_is_refused(lab, table, metric):
    ref = table("s varchar(10), b boolean")
    with pytest.raises(QueryFailed, match=r"column '[sb]' is (text|boolean)"):
        one(lab, ref, metric)


def test_nan_and_infinity(lab, table):
    if not lab.warehouse.capabilities.has_nan:
        pytest.skip("SQLite keeps NaN as NULL")
    ref = table("x double precision", "'NaN'", "'Infinity'", "'-Infinity'", "1", "null")
    assert one(lab, ref, m.MissingCount("x")) == 2
    assert one(lab, ref, m.MissingCount("x", nan="value")) == 1
    assert one(lab, ref, m.NonMissingCount("x")) == 3
    assert one(lab, ref, m.InvalidRangeCount("x", min=Decimal(0), max=Decimal(2))) == 2
    assert one(lab, ref, m.InvalidRangeCount("x", min=Decimal(0))) == 1
    assert one(lab, ref, m.InvalidRangeCount("x", min=Decimal(0), nan="value")) == 2
    assert one(lab, ref, m.InvalidRangeCount("x", nan="value")) == 1, "a NaN that is a value breaks any range"


def test_infinity_is_above_every_bound(lab, table):
    ref = table("x double precision", "9e999" if lab.engine == "sqlite" else "'Infinity'", "1")
    assert one(lab, ref, m.InvalidRangeCount("x", max=Decimal("1e300"))) == 1


@pytest.mark.parametrize(("columns", "rows", "metric", "expected"), [
    ("x text", ["''", "'N/A'", "'n/a'", "' '", "null", "'a'"], m.MissingCount("x", ("", "N/A")), 3),
    ("x text", ["''", "'N/A'", "'n/a'", "' '", "null", "'a'"], m.NonMissingCount("x", ("", "N/A")), 3),
    ("x text", ["'N/A'", "'none'", "'nonesuch'", "'ok'", "null"], m.MissingCount("x", (), "^(N/A|none)$"), 3),
    ("x int", ["-1", "999", "1", "null"], m.MissingCount("x", ("", "-1", 999)), 3),
    ("x numeric(8,2)", ["-1.00", "999.5", "1", "null"], m.MissingCount("x", ("-1", Decimal("999.50"))), 3),
    ("x date", ["'1900-01-01'", "'2026-01-01'", "null"], m.MissingCount("x", ("", "1900-01-01")), 2),
    ("x int", ["-1", "5", "500"], m.InvalidRangeCount("x", min=Decimal(0), max=Decimal(100), missing_values=("-1",)), 1),
    ("x text", ["'100%'", "'a:b'", "'100x'"], m.MissingCount("x", ("100%", "a:b")), 2),
    ("x text", ["'it''s'", "'\\'", "'x'"], m.MissingCount("x", ("it's", "\\")), 2),
])  # fmt: skip
def test_the_definition_of_missing(lab, table, columns, rows, metric, expected):  # noqa: PLR0917 - pytest passes them by name
    assert one(lab, table(columns, *rows), metric) == expected


@pytest.mark.parametrize(("kind", "zone", "value", "expected"), [
    ("timestamp", "UTC", "2026-03-10 11:00:00.123456", "2026-03-10T11:00:00.123456"),
    ("timestamp", "America/New_York", "2026-03-10 07:00:00", "2026-03-10T11:00:00"),
    ("timestamp", "America/New_York", "2026-01-10 07:00:00", "2026-01-10T12:00:00"),
    ("timestamp with time zone", "America/New_York", "2026-03-10 13:00:00+02:00", "2026-03-10T11:00:00"),
    ("date", "UTC", "2026-03-10", "2026-03-10T00:00:00"),
    ("date", "America/New_York", "2026-03-10", "2026-03-10T04:00:00"),
    ("date", "Asia/Tokyo", "2026-03-10", "2026-03-09T15:00:00"),
])  # fmt: skip
def test_latest_instant_is_utc(lab, table, kind, zone, value, expected):  # noqa: PLR0917 - pytest passes them by name
    ref = table(f"t {kind}", f"'{value}'", "'2020-01-01'", "null")
    found = one(lab, ref, m.LatestInstant("t"), naive_timezone=zone)
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert found.tzinfo is UTC


def test_the_future_is_left_out_and_counted(lab, table):
    ref = table(
        "t timestamp with time zone", "'2026-03-10 12:05:00+00:00'", "'2026-03-10 12:05:00.001+00:00'", "'2030-01-01 00:00:00+00:00'"
    )
    assert one(lab, ref, m.LatestInstant("t")) == AT + timedelta(minutes=5)
    assert one(lab, ref, m.FutureCount("t")) == 2


@pytest.mark.parametrize(("kinds", "values", "expected"), [
    (("timestamp", "timestamp"), ("2026-03-10 11:00:00", "2026-03-10 10:59:58.5"), 1.5),
    (("timestamp with time zone", "timestamp"), ("2026-03-10 11:00:00+00:00", "2026-03-10 05:00:00"), 7200.0),
    (("timestamp", "date"), ("2026-03-10 11:00:00", "2026-03-10"), 39600.0),
    (("timestamp", "timestamp"), ("2026-03-09 00:00:00", "2026-03-07 00:00:00"), 47 * 3600.0),
])  # fmt: skip
def test_ingestion_delay(lab, table, kinds, values, expected):
    ref = table(f"loaded {kinds[0]}, happened {kinds[1]}", f"'{values[0]}', '{values[1]}'", f"'{values[0]}', null")
    found = one(lab, ref, m.MaxIngestionDelay("loaded", "happened"), naive_timezone="America/New_York")
    assert found == pytest.approx(expected, abs=1e-4), "in New York the night of 8 March 2026 has 23 hours"


def test_uniqueness(lab, table):
    ref = table("a int, b text", "1, 'x'", "1, 'x'", "1, 'x'", "1, 'y'", "2, null", "2, null", "null, null")
    key = ("a", "b")
    distinct = [m.KeyedRows(key), m.DistinctKeys(key), m.SurplusRows(key), m.DuplicatedKeys(key), m.CompleteKeyCount(key)]
    assert [one(lab, ref, metric) for metric in distinct] == [4, 2, 2, 1, 4]
    equal = [m.KeyedRows(key, "equal"), m.DistinctKeys(key, "equal"), m.SurplusRows(key, "equal"), m.DuplicatedKeys(key, "equal")]
    assert [one(lab, ref, metric) for metric in equal] == [7, 4, 3, 2]


def test_relationship(lab):
    lab.run(
        "create table parents (id int, kind text, gone boolean)",
        "insert into parents values (1, 'a', false), (1, 'a', false), (2, 'b', true), (null, 'c', false)",
        "create table children (pid int, kind text, d timestamp)",
        "insert into children values (1, 'a', '2026-03-01'), (2, 'b', '2026-03-01'), (3, 'a', '2026-03-02'), (null, 'a', null), (1, null, null)",
    )
    child, parent = lab.ref("children"), lab.ref("parents")
    single = m.MissingReference(("pid",), OtherTable(parent, ("id",)))
    both = m.MissingReference(("pid", "kind"), OtherTable(parent, ("id", "kind")))
    alive = m.MissingReference(("pid",), OtherTable(parent, ("id",), "gone = false"))
    assert [one(lab, child, metric) for metric in (single, both, alive)] == [1, 1, 2]
    assert one(lab, child, single, where="pid <> 3") == 0
    days = [Partition("d", datetime(2026, 3, day, tzinfo=UTC), datetime(2026, 3, day + 1, tzinfo=UTC)) for day in (1, 2, 3)]
    found = measure(lab, child, alive, partitions=days, segment_by=("kind",))
    expected = {(days[0], "a"): 0, (days[0], "b"): 1, (days[1], "a"): 1}
    assert {key: found[key[0], (("kind", key[1]),), alive] for key in expected} == expected


def test_filter_with_every_sign_of_the_drivers(lab, table):
    ref = table("s text, ok boolean", "'100%', true", "'a:b', true", "'?', false", "'%s', true")
    assert one(lab, ref, m.RowCount(), where="s like '%:%' or s = '100%'") == 2
    assert one(lab, ref, m.RowCount(), where="ok = false") == 1
    assert one(lab, ref, m.RowCount(), where="s in ('?', '%s', ':x')") == 2


def test_segments_with_null_and_too_many(lab, table):
    ref = table("s text, n int", "'a', 1", "'a', 2", "null, 3", "'b', null")
    found = measure(lab, ref, m.RowCount(), m.MissingCount("n"), segment_by=("s",))
    assert {(segment[0][1], metric.name): value for (_, segment, metric), value in found.items()} == {
        ("a", "row_count"): 2, (None, "row_count"): 1, ("b", "row_count"): 1,
        ("a", "missing_count"): 0, (None, "missing_count"): 0, ("b", "missing_count"): 1,
    }  # fmt: skip
    with pytest.raises(TooManySegments, match=r"segment_by \[s\] has more than 2 value combinations, max_segments is 2"):
        measure(lab, ref, m.RowCount(), segment_by=("s",), max_segments=2)


def test_segments_of_nothing_still_answer(lab, table):
    ref = table("s text, n int, d date")
    assert measure(lab, ref, m.RowCount(), segment_by=("s",)) == {(None, (), m.RowCount()): 0}
    day = Partition("d", datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
    assert measure(lab, ref, m.RowCount(), partitions=(day,), segment_by=("s",)) == {(day, (), m.RowCount()): 0}


def test_partitions_in_every_representation(lab, table):
    zone, kinds = "America/New_York", {"timestamp": "", "date": "", "timestamp with time zone": "+00:00"}
    for kind, suffix in kinds.items():
        rows = (
            ["2026-03-07", "2026-03-08", "2026-03-09"]
            if kind == "date"
            else [f"2026-03-{d:02d} {h:02d}:59:59.999{suffix}" for d in (7, 8, 9) for h in (3, 4, 23)]
        )
        ref = table(f"k {kind}", *(f"'{row}'" for row in rows), "null")
        days = [  # local days of New York; 8 March has 23 hours
            Partition("k", datetime(2026, 3, 8, 5, tzinfo=UTC), datetime(2026, 3, 9, 4, tzinfo=UTC)),
            Partition("k", datetime(2026, 3, 9, 4, tzinfo=UTC), datetime(2026, 3, 10, 4, tzinfo=UTC)),
        ]
        null = Partition("k", None, None)
        found = measure(lab, ref, m.RowCount(), partitions=(*days, null), naive_timezone=zone)
        expected = {"timestamp": [3, 3, 1], "date": [1, 1, 1], "timestamp with time zone": [2, 2, 1]}[kind]
        assert [found[p, (), m.RowCount()] for p in (*days, null)] == expected, f"partitions of a {kind} column"


def test_missing_table_and_column_are_named(lab, table):
    ref = table("customer_id int, amount int")
    with lab.warehouse.open() as session:
        with pytest.raises(TableMissing, match=rf"no table.*t_0.*there are {ref.name}"):
            session.columns(lab.ref("t_0"))
        with pytest.raises(TableMissing, match=r"no table 'nowhere\.t0'"):
            session.columns(TableRef("lab", None, "nowhere", "t0"))
        with pytest.raises(TableMissing):
            session.columns(TableRef("lab", "elsewhere", ref.schema, ref.name))
    with pytest.raises(ColumnMissing, match="no column 'custmer_id'; near names: customer_id"):
        one(lab, ref, m.MissingCount("custmer_id"))
    with pytest.raises(ColumnMissing, match="no column 'nope'; there are customer_id, amount"):
        one(lab, ref, m.MissingCount("nope"))
    assert one(lab, ref, m.MissingCount("Customer_ID")) == 0, "the only name that differs in case alone is meant"


def test_thirty_checks_are_one_statement(lab, table):
    ref = table(", ".join(f"c{i} int" for i in range(30)), ", ".join("1" for _ in range(30)))
    requests = [MetricRequest(ref, m.MissingCount(f"c{i}")) for i in range(30)]
    assert len(plan(requests, lambda scan: fits(scan, lab.warehouse.capabilities))) == 1
    assert set(measure(lab, ref, *(request.metric for request in requests)).values()) == {0}


def test_the_extension_is_found_by_name(lab):
    found = Registry("warehouses").get(lab.engine)
    assert isinstance(lab.warehouse, found)
    assert set(Registry("warehouses").names()) >= {"duckdb", "postgres", "sqlite"}


def test_a_session_after_a_failure_is_still_good(lab, table):
    ref = table("x int", "1")
    with lab.warehouse.open() as session:
        with pytest.raises(QueryFailed):
            session.fetch(sa.select(sa.literal_column("no_such_function(1)")), 5)
        assert session.fetch(sa.select(sa.literal_column("1")), 5) == [(1,)]
        assert len(session.columns(ref)) == 1


def test_unsafe_filters_never_reach_the_engine(lab, table):
    ref = table("x int", "1")
    with pytest.raises(UnsafeSql, match="semicolon"):
        one(lab, ref, m.RowCount(), where=f"1=1; drop table {ref.name}")
    assert one(lab, ref, m.RowCount()) == 1
