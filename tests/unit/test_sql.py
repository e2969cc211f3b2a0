"""From scans to statements, without any engine."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dqmon.core.capabilities import Capabilities
from dqmon.core.measurement import MetricRequest, Partition
from dqmon.core.metric_kinds import OtherTable
from dqmon.core.plan import plan
from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.errors import ColumnMissing, QueryFailed, TooManySegments
from dqmon.sql import metrics as m
from dqmon.sql.columns import resolve
from dqmon.sql.compile import compile_scan, fits, row_limit
from dqmon.sql.literal_sql import literal_sql
from dqmon.warehouses.base.sqlite_functions import Functions, _has_nested_repeat, _on_clock

AT = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
TABLE = TableRef("main", None, "public", "orders")
COLUMNS = tuple(
    Column(name, "x", group, True, position)
    for position, (name, group) in enumerate(
        {
            "id": TypeGroup.INTEGER,
            "Id": TypeGroup.INTEGER,
            "amount": TypeGroup.DECIMAL,
            "at": TypeGroup.TIMESTAMP,
            "s": TypeGroup.TEXT,
        }.items(),
        1,
    )
)
DAY = Partition("at", datetime(2026, 3, 8, 5, tzinfo=UTC), datetime(2026, 3, 9, 4, tzinfo=UTC))


def compiled(*requests):
    (scan,) = plan(requests, lambda _: True)
    return compile_scan(scan, COLUMNS, COLUMNS, Capabilities(grammar="postgres"), AT)


def shown(*requests):
    return " ".join(literal_sql(compiled(*requests).statement, postgresql.dialect()).split())


def test_a_plain_scan_is_one_flat_select():
    requests = [MetricRequest(TABLE, metric, "s like '50%'") for metric in (m.RowCount(), m.MissingCount("amount", ("-1",)))]
    assert shown(*requests) == (
        'SELECT count(*) AS m0, count(CASE WHEN ("amount" IS NULL OR ("amount" = \'NaN\') OR "amount" IN (-1)) THEN 1 END) AS m1 '
        'FROM "public"."orders" WHERE (s like \'50%\' )'
    )


def test_bounds_are_in_the_columns_own_time():
    text = shown(MetricRequest(TABLE, m.RowCount(), None, DAY, naive_timezone="America/New_York"))
    assert "\"at\" >= '2026-03-08 00:00:00'" in text
    assert "\"at\" < '2026-03-09 00:00:00'" in text


def test_a_grouped_scan_groups_once_for_all_its_metrics():
    text = shown(*(MetricRequest(TABLE, metric) for metric in (m.SurplusRows(("id", "s")), m.KeyedRows(("id", "s")))))
    assert text.count("GROUP BY") == 1
    assert text.count("count(*)") == 1


def test_a_statement_makes_the_other_keys_distinct():
    other = OtherTable(TableRef("main", None, "public", "customers"), ("id",), "s = 'x'")
    text = shown(MetricRequest(TABLE, m.MissingReference(("id",), other)))
    assert "SELECT DISTINCT" in text
    assert "(s = 'x' )" in text


@pytest.mark.parametrize(("name", "found"), [("id", "id"), ("Id", "Id"), ("AMOUNT", "amount"), ("S", "s")])
def test_resolve(name, found):
    assert resolve([name], COLUMNS)[name].name == found


@pytest.mark.parametrize(("names", "words"), [
    (["ID"], "'ID' may be 'id' or 'Id'"), (["amout"], "near names: amount"), (["zzzz", "yyyy"], "'zzzz'.*there are id.*; there is no column 'yyyy'"),
])  # fmt: skip
def test_what_is_not_resolved_is_named(names, words):
    with pytest.raises(ColumnMissing, match=words):
        resolve(names, COLUMNS)


def test_segments_are_counted_honestly():
    one = compiled(MetricRequest(TABLE, m.RowCount(), segment_by=("s",), max_segments=2))
    assert row_limit(one.scan) == 3
    with pytest.raises(TooManySegments, match="more than 2 value"):
        one.decode([("a", 1), ("b", 1), ("c", 1)])
    null = Partition("at", None, None)
    parts = compiled(*(MetricRequest(TABLE, m.RowCount(), None, part, segment_by=("s",), max_segments=2) for part in (DAY, null)))
    assert row_limit(parts.scan) == 7
    with pytest.raises(TooManySegments, match="has 3 value"):
        parts.decode([("a", 0, 1), ("b", 0, 1), ("c", 1, 1)])
    assert parts.decode([("a", -1, 5), (None, 0, 1)]) == {
        (DAY, (("s", None),), m.RowCount()): 1,
        (null, (("s", None),), m.RowCount()): 0,
    }, "a row between partitions is nobody's"


def test_empty_values_of_what_was_not_seen():
    metrics = (m.RowCount(), m.LatestInstant("at"))
    found = compiled(*(MetricRequest(TABLE, metric, None, DAY) for metric in metrics)).decode([])
    assert found == {(DAY, (), metrics[0]): 0, (DAY, (), metrics[1]): None}


@pytest.mark.parametrize(
    ("caps", "expected"), [(Capabilities(), True), (Capabilities(max_expressions=2), False), (Capabilities(max_parameters=20), False)]
)
def test_fits(caps, expected):
    (scan,) = plan([MetricRequest(TABLE, m.RowCount()), MetricRequest(TABLE, m.MissingCount("s", ("a",) * 20))], lambda _: True)
    assert fits(scan, caps) is expected


def test_fits_counts_no_fewer_parameters_than_there_are():
    metrics = [
        m.RowCount(), m.MissingCount("s", ("a", "b"), "x"), m.InvalidRangeCount("amount", min=Decimal(0), max=Decimal(9), missing_values=("1", "2")),
        m.LatestInstant("at"), m.FutureCount("at"), m.MaxIngestionDelay("at", "at"),
    ]  # fmt: skip
    found = compiled(*(MetricRequest(TABLE, metric, None, DAY) for metric in metrics))
    used = len(found.statement.compile(dialect=postgresql.dialect(), compile_kwargs={"render_postcompile": True}).params)
    assert not fits(found.scan, Capabilities(max_parameters=used - 1)), f"{used} parameters are in the statement"


def test_a_text_has_no_instants_where_there_are_timestamps():
    with pytest.raises(QueryFailed, match="column 's' is text; a date or timestamp is needed"):
        compiled(MetricRequest(TABLE, m.LatestInstant("s")))


def test_literal_sql_falls_back_to_a_comment():
    class Odd(sa.types.UserDefinedType):
        cache_ok = True

        def get_col_spec(self):
            return "ODD"

    text = literal_sql(sa.select(sa.literal(object(), Odd())), postgresql.dialect())
    assert text.startswith("SELECT :param_1")
    assert "\n-- {" in text


@pytest.mark.parametrize(("value", "zone", "in_utc", "on_its_clock"), [
    ("2026-03-10", "UTC", "2026-03-10 00:00:00.000000", "2026-03-10 00:00:00.000000"),
    ("2026-03-10T11:00:00Z", "America/New_York", "2026-03-10 11:00:00.000000", "2026-03-10 07:00:00.000000"),
    ("2026-03-10 07:00", "America/New_York", "2026-03-10 11:00:00.000000", "2026-03-10 07:00:00.000000"),
    (" 2026-03-10 13:00:00.5+02:00 ", "UTC", "2026-03-10 11:00:00.500000", "2026-03-10 11:00:00.500000"),
    (1773140400, "America/New_York", "2026-03-10 11:00:00.000000", "2026-03-10 07:00:00.000000"),
    ("0001-01-01", "Asia/Tokyo", "0001-01-01 00:00:00.000000", "0001-01-01 00:00:00.000000"),
    ("9999-12-31 23:00", "America/New_York", "9999-12-31 23:59:59.999999", "9999-12-31 23:00:00.000000"),
])  # fmt: skip
def test_text_instants(value, zone, in_utc, on_its_clock):
    assert _on_clock(value, zone, "UTC") == in_utc
    assert _on_clock(value, zone, zone) == on_its_clock


@pytest.mark.parametrize("value", ["", "soon", "2026-13-01", b"2026-01-01", 1e300])
def test_what_is_no_instant_is_said(value):
    functions = Functions()
    with pytest.raises(ValueError, match="is no timestamp"):
        functions._instant(value, "UTC")
    assert "is no timestamp" in str(functions.failure)


@pytest.mark.parametrize(("pattern", "expected"), [
    ("(a+)+", True), ("(a|a)*", True), ("((a)*)*", True), ("(a{2,})+", True), ("(?:x*y)+", True), ("((a|b)c)*", True),
    ("^(N/A|none)$", False), ("a+b*", False), ("(ab)+", False), (r"\(a+\)+", False), ("[(+]+", False), (r"^[]+)]+$", False), ("(a+)?", False),
])  # fmt: skip
def test_repeats_within_repeats(pattern, expected):
    assert _has_nested_repeat(pattern) is expected
