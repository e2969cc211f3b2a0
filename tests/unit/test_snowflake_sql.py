"""Snowflake's names, values and grammar by its real dialect; its golden SQL is compared by test_golden_sql.py."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
import sqlalchemy as sa
from golden_sql import AT, golden

from dqmon.core.measurement import MetricRequest
from dqmon.core.plan import plan
from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.errors import QueryFailed, UnsafeSql
from dqmon.sql import metrics as m
from dqmon.sql.columns import resolve
from dqmon.sql.compile import compile_scan, fits
from dqmon.sql.literal_sql import literal_sql
from dqmon.sql.raw import condition, query
from dqmon.sql.tables import NamedTable, typed
from dqmon.warehouses.base.names import stored_name, written_name

FOUND = golden("snowflake")
CAPS, DIALECT = FOUND.warehouse.capabilities, FOUND.warehouse.dialect
TABLE = FOUND.table
COLUMNS = (*FOUND.columns, Column('"small"', "TEXT", TypeGroup.TEXT, True, 99))


def sql_of(metric: object) -> str:
    """Its statement with the values that are bound."""
    (scan,) = plan([MetricRequest(TABLE, metric)], lambda scan: fits(scan, CAPS))
    compiled = compile_scan(scan, COLUMNS, (), CAPS, AT)
    return literal_sql(compiled.statement, DIALECT)


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
    assert "0.0000001" in sql_of(m.TotalsByKey(10, ("day",), (m.InvalidRangeCount("tiny", min=Decimal("1E-7")),)))


def test_shown_statements_escape_backslashes():
    assert r"'\\d'" in sql_of(m.InvalidPatternCount("email", rule="regex", pattern="\\d"))


def test_a_moment_is_refused_where_there_is_none():
    with pytest.raises(QueryFailed, match="needs numbers"):
        sql_of(m.statistic("day", "sum"))


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
    assert "CAST('2026-01-01" in sql_of(m.InvalidRangeCount("day", min=date(2026, 1, 1).isoformat()))
