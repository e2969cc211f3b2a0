"""Aggregates of numbers that engines spell, or round, differently; NULLs are left out, no value at all is NULL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from dqmon.core.table import TypeGroup
from dqmon.errors import QueryFailed
from dqmon.sql.arguments import arguments, first_group
from dqmon.sql.columns import MOMENTS, stored
from dqmon.sql.conditions import holds_numbers, is_nan

if TYPE_CHECKING:
    from sqlalchemy.sql import ColumnElement
    from sqlalchemy.sql.compiler import SQLCompiler

    from dqmon.core.capabilities import Capabilities


_INSTEAD = {
    **dict.fromkeys(MOMENTS, "; write a range check for moments, a freshness check for their age"),
    TypeGroup.BOOLEAN: "; write a condition check for the share of true",
}
"""What serves columns of other types."""


def numbers(column: ColumnElement[Any], caps: Capabilities, aggregate: str) -> ColumnElement[Any]:
    """The column's numbers, NULL in place of NaN. Raises QueryFailed when the column's type has no numbers."""
    kind = stored(column)
    if not holds_numbers(column, caps):
        raise QueryFailed(f"column {kind.column!r} is {kind.type_name}; {aggregate} needs numbers{_INSTEAD.get(kind.group, '')}")
    return WithoutNan(column) if is_nan(column, caps) else column


def as_double(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """The value as a double."""
    return sa.cast(value, sa.Double())


class WithoutNan(FunctionElement[Any]):
    """The value, NULL for NaN; it keeps the column's type."""

    name = "nullif"
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any]) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(WithoutNan)
def _nullif(element: WithoutNan, compiler: SQLCompiler, **kw: Any) -> str:
    return f"nullif({compiler.process(element.clauses, **kw)}, 'NaN')"


@compiles(WithoutNan, "duckdb")
def _nullif_float(element: WithoutNan, compiler: SQLCompiler, **kw: Any) -> str:
    # DuckDB's decimals have no NaN, and could not be compared with it.
    return compiler.process(element.clauses, **kw) if stored(element).group is TypeGroup.DECIMAL else _nullif(element, compiler, **kw)


class _Aggregate(FunctionElement[Any]):
    """Its result comes as the driver has it: SQLAlchemy's own number types would round decimals, or make them of doubles."""

    type = sa.types.NullType()


class Minimum(_Aggregate):
    """The least value; on SQLite a text or blob if there is any, since its own minimum would pass over them."""

    name = "min"
    inherit_cache = True


class Total(_Aggregate):
    """The sum, exact but for doubles; SQLite gives it as text."""

    name = "sum"
    inherit_cache = True


class Average(_Aggregate):
    """The mean. Unless of floats it is a text, the number or `sum/count`: engines divide doubles, or round to a few digits."""

    name = "avg"
    inherit_cache = True


class Deviation(_Aggregate):
    """The standard deviation of a sample; NULL below two values."""

    name = "stddev_samp"
    inherit_cache = True


class Quantile(_Aggregate):
    """The quantile (value, q) with linear interpolation between neighbours, as a double."""

    name = "quantile"
    inherit_cache = True


@compiles(Minimum)
@compiles(Total)
@compiles(Deviation)
def _called(element: _Aggregate, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{element.name}({compiler.process(element.clauses, **kw)})"


@compiles(Minimum, "sqlite")
def _greatest_of_texts(element: Minimum, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    return f"CASE WHEN typeof(max({value})) IN ('text', 'blob') THEN max({value}) ELSE min({value}) END"


@compiles(Total, "sqlite")
@compiles(Average, "sqlite")
@compiles(Deviation, "sqlite")
@compiles(Quantile, "sqlite")
def _registered(element: _Aggregate, compiler: SQLCompiler, **kw: Any) -> str:
    # In dqmon.warehouses.base.sqlite_aggregates: SQLite's own take a text for 0, add decimals as doubles, or are not there.
    return f"dqmon_{element.name}({compiler.process(element.clauses, **kw)})"


@compiles(Average)
def _quotient(element: Average, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    if first_group(element) is not TypeGroup.FLOAT:
        return f"(CAST(sum({value}) AS VARCHAR) || '/' || CAST(count({value}) AS VARCHAR))"
    return f"avg({value})"


@compiles(Quantile)
def _percentile(element: Quantile, compiler: SQLCompiler, **kw: Any) -> str:
    value, q = arguments(element, compiler, kw)
    return f"percentile_cont({q}) WITHIN GROUP (ORDER BY CAST({value} AS DOUBLE PRECISION))"
