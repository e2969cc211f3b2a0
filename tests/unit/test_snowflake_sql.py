"""What is sent to Snowflake, by its real dialect: each metric and each construct as golden SQL, read by people.

`DQMON_WRITE_GOLDEN=1 pytest tests/unit/test_snowflake_sql.py` writes the files anew; then read what changed.
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from dqmon.core.measurement import MetricRequest, Partition
from dqmon.core.metric_kinds import OtherTable
from dqmon.core.plan import plan
from dqmon.core.registry import Registry
from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.errors import QueryFailed, UnsafeSql
from dqmon.sql import metrics as m
from dqmon.sql.columns import resolve
from dqmon.sql.compile import compile_scan, fits
from dqmon.sql.formats import FORMAT_NAMES
from dqmon.sql.raw import condition, query
from dqmon.sql.tables import NamedTable, typed
from dqmon.sql.text import literal_sql
from dqmon.warehouses.base.snowflake_sql import stored_name, written_name

GOLDEN = Path(__file__).parent.parent / "golden" / "snowflake"
AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
TABLE = TableRef("snow", None, "analytics", "orders")
OTHER = TableRef("snow", None, "analytics", "Customers")
KINDS = {
    "id": ("NUMBER(38,0)", TypeGroup.INTEGER),
    "amount": ("NUMBER(12,2)", TypeGroup.DECIMAL),
    "rate": ("FLOAT", TypeGroup.FLOAT),
    "email": ("TEXT", TypeGroup.TEXT),
    "name": ("TEXT collate en-ci", TypeGroup.TEXT),
    "is_open": ("BOOLEAN", TypeGroup.BOOLEAN),
    "day": ("DATE", TypeGroup.DATE),
    "made": ("TIMESTAMP_NTZ", TypeGroup.TIMESTAMP),
    "loaded": ("TIMESTAMP_LTZ", TypeGroup.TIMESTAMP_ZONED),
    "tiny": ("NUMBER(38,10)", TypeGroup.DECIMAL),
    "Mixed": ("TEXT", TypeGroup.TEXT),
    '"small"': ("TEXT", TypeGroup.TEXT),
}
COLUMNS = tuple(Column(name, kind, group, True, place) for place, (name, (kind, group)) in enumerate(KINDS.items(), 1))

KIND = Registry("warehouses").get("snowflake")
WAREHOUSE = KIND("snow", KIND.Options.model_validate({"account": "ACME-EU1", "user": "DQMON", "token": "t", "database": "shop"}))
CAPS = WAREHOUSE.capabilities
DIALECT = WAREHOUSE.dialect


def statistics(column: str) -> list[object]:
    words = ("min", "max", "sum", "avg", "stddev", "median", "null_ratio")
    return [m.statistic(column, word) for word in words]


CASES: dict[str, list[object]] = {
    "counts": [
        m.RowCount(),
        m.MissingCount("email", missing_values=("", "n/a"), missing_pattern="^\\s*$"),
        m.NonMissingCount("rate"),
        m.MissingCount("amount", missing_values=(0, Decimal("1.50"))),
    ],
    "ranges": [
        m.InvalidRangeCount("amount", min=Decimal("0.005"), max=Decimal("1E+6")),
        m.InvalidRangeCount("id", min=Decimal(1), max=Decimal(99999999999999999999)),
        m.InvalidRangeCount("rate", min=Decimal("0.0000001"), max=Decimal("Infinity"), nan="value"),
        m.InvalidRangeCount("day", min="2026-01-01", max="2026-12-31"),
        m.InvalidRangeCount("made", max="2026-12-31T12:00:00"),
        m.InvalidRangeCount("loaded", max="2026-12-31T12:00:00+02:00"),
    ],
    "values": [
        m.UnlistedCount("email", values=("a", "it's", "100%", "back\\slash")),
        m.UnlistedCount("email", values=("Ä", "b"), ignore_case=True),
        m.ListedCount("is_open", values=("true",)),
        m.ListedCount("day", values=("2026-01-01",)),
        m.ListedCount("name", values=("x",)),
        m.ListedCount("Mixed", values=("x",)),
        m.ListedCount('"small"', values=("x",)),
    ],
    "patterns": [
        m.InvalidPatternCount("email", rule="regex", pattern="@[a-z]+\\."),
        m.InvalidPatternCount("email", rule="not_regex", pattern="%"),
        m.InvalidPatternCount("email", rule="like", pattern="a%"),
        m.InvalidPatternCount("email", rule="like", pattern="a\\%_"),
        m.InvalidLengthCount("email", min=1, max=10),
    ],
    **{f"format_{name}": [m.InvalidFormatCount("email", format=name)] for name in FORMAT_NAMES},
    "instants": [
        m.LatestInstant("made"),
        m.LatestInstant("loaded"),
        m.LatestInstant("day"),
        m.FutureCount("loaded"),
        m.MaxIngestionDelay("loaded", "made"),
    ],
    "statistics_of_floats": statistics("rate"),
    "statistics_of_decimals": statistics("amount"),
    "statistics_of_integers": statistics("id"),
    "distinct": [m.statistic("email", "distinct_count"), m.statistic("email", "distinct_ratio")],
    "keys": [m.KeyedRows(("id", "name")), m.DistinctKeys(("id", "name")), m.SurplusRows(("id", "name")), m.DuplicatedKeys(("id", "name"))],
    "reference": [m.MissingReference(("id",), OtherTable(OTHER, ("id",), "region = 'EU'"))],
    "histogram_of_numbers": [m.ColumnHistogram("rate")],
    "histogram_of_texts": [m.ColumnHistogram("email")],
    "histogram_of_booleans": [m.ColumnHistogram("is_open")],
    "condition": [m.BrokenConditionCount("amount > 0 or email like '%x%'")],
    "query": [m.ReturnedRows("select * from {dataset} where amount < 0")],
    "totals": [m.TotalsByKey(10, ("day", "made"), (m.RowCount(),))],
    "row_sums": [m.RowSums(10, ("id",), ("amount", "rate", "email", "is_open", "day", "made", "loaded"), (), m.Buckets(1, 40), 20)],
    "row_sums_of_texts": [m.RowSums(10, ("email",), ("id",), ("id",), m.Buckets(None, 60), 50)],
    "row_hashes": [m.RowHashes(10, ("id",), ("email",), (), m.Buckets(1, 10, (0, 1, 5)))],
}


def sql_of(metrics: list[object], **how: object) -> str:
    """All statements, as they are sent, with their values below."""
    partitions = how.pop("partitions", (None,))
    requests = [MetricRequest(TABLE, metric, None, partition, **how) for metric in metrics for partition in partitions]
    found = []
    for scan in plan(requests, lambda scan: fits(scan, CAPS)):
        compiled = compile_scan(scan, COLUMNS, COLUMNS, CAPS, AT)
        sent = compiled.statement.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
        found.append("\n".join([str(sent), *(f"-- {name}: {value!r}" for name, value in bound_values(sent).items())]))
    return "\n\n".join(found) + "\n"


def bound_values(sent: object) -> dict[str, object]:
    """The values as the connector is given them; decimals as the text that it writes."""
    processors = sent._bind_processors
    found = {name: processors[name](value) if name in processors else value for name, value in sent.construct_params().items()}
    return {name: f"number {value!s}" if isinstance(value, Decimal) else value for name, value in found.items()}


def compare(name: str, found: str) -> None:
    path = GOLDEN / f"{name}.sql"
    if os.environ.get("DQMON_WRITE_GOLDEN"):
        path.write_text(found, encoding="utf-8")
    assert path.is_file(), f"there is no {path.name}; write it with DQMON_WRITE_GOLDEN=1 and read it"
    assert found == path.read_text(encoding="utf-8"), f"{name}: other SQL than {path}; if it is meant, write the file anew and read it"


@pytest.mark.parametrize("name", CASES)
def test_golden(name):
    compare(name, sql_of(CASES[name]))


def test_golden_segments_and_partitions():
    days = tuple(Partition("made", datetime(2026, 3, day, tzinfo=UTC), datetime(2026, 3, day + 1, tzinfo=UTC)) for day in (8, 9))
    compare("segments_and_partitions", sql_of([m.RowCount()], segment_by=("name", "day"), partitions=days, naive_timezone="Europe/Oslo"))


def test_golden_delay_in_a_zone():
    compare("delay_in_a_zone", sql_of([m.MaxIngestionDelay("loaded", "made")], naive_timezone="Europe/Oslo"))


def test_no_golden_is_left_over():
    written = {path.stem for path in GOLDEN.glob("*.sql")}
    assert written == CASES.keys() | {"segments_and_partitions", "delay_in_a_zone"}


@pytest.mark.parametrize(("written", "stored"), [
    ("orders", "ORDERS"), ("ORDERS", "ORDERS"), ("Orders", "Orders"), ('"orders"', "orders"), ("2026", "2026"), ("größe", "GRÖSSE"),
    ('"a""b"', 'a"b'), ('"', '"'),
])  # fmt: skip
def test_names(written, stored):
    assert stored_name(written) == stored


@pytest.mark.parametrize("stored", ["ORDERS", "Orders", "orders", "größe", "GRÖßE", "GRÖSSE", '"', '""', '"x"', "a b", "1", "", "İ", "ı"])
def test_every_name_of_the_catalogue_can_be_written(stored):
    assert stored_name(written_name(stored)) == stored


def test_names_cannot_leave_their_quotes():
    hostile = TableRef("snow", 'D"; drop', 'x"."y', "T'; drop table t; --")
    assert str(sa.select(NamedTable(hostile)).compile(dialect=DIALECT)).endswith('FROM "D""; drop"."X"".""Y"."T\'; drop table t; --"'), (
        "a name in SQL is quoted, quotes in it doubled"
    )


def test_a_column_is_found_without_its_quotes():
    (found,) = resolve(["small"], COLUMNS).values()
    assert found.name == '"small"'
    assert str(typed({"small": found}, "UTC")["small"].compile(dialect=DIALECT)) == '"small"'


def test_numbers_are_bound_without_rounding():
    assert "number 0.0000001'" in sql_of([m.TotalsByKey(10, ("day",), (m.InvalidRangeCount("tiny", min=Decimal("1E-7")),))])


def test_shown_statements_escape_backslashes():
    scan = next(iter(plan([MetricRequest(TABLE, m.InvalidPatternCount("email", rule="regex", pattern="\\d"))], lambda _: True)))
    assert r"'\\d'" in literal_sql(compile_scan(scan, COLUMNS, (), CAPS, AT).statement, DIALECT)


def test_a_moment_is_refused_where_there_is_none():
    with pytest.raises(QueryFailed, match="needs numbers"):
        sql_of([m.statistic("day", "sum")])


@pytest.mark.parametrize("text", [
    "select system$wait(5)", "select * from @stage", "select * from table(result_scan(last_query_id()))", "call p()", "select 1; select 2",
    "select * from identifier('x')", "select system$cancel_all_queries(1)", "delete from t", "select seq.nextval", "copy into t from @s",
    "insert into t select 1", "use role accountadmin", "execute immediate 'x'", "select * from {dataset} where $1 = 1 and $x = 2",
])  # fmt: skip
def test_only_reading_is_let_through(text):
    with pytest.raises(UnsafeSql):
        query(text, NamedTable(TABLE), CAPS.grammar)


@pytest.mark.parametrize(
    "text", ["amount > 0", "email ilike '%x%'", "day >= dateadd(day, -1, current_date)", "try_to_number(email) is null"]
)
def test_conditions_of_snowflake_are_understood(text):
    assert text in str(condition(text, CAPS.grammar))


def test_dates_are_bound_as_moments():
    assert "CAST(%(" in sql_of([m.InvalidRangeCount("day", min=date(2026, 1, 1).isoformat())])
