"""Instants of columns, whatever way an engine and a table keep them.

| column | is read as |
|---|---|
| zoned timestamp | itself |
| naive timestamp | wall time of the scan's `naive_timezone` |
| date | midnight of that day there |
| text (engines without timestamps) | ISO 8601 with zone, else wall time there; numbers are Unix seconds |

Comparisons keep the column bare, so that indexes and partitions of the engine still serve; what is compared with is
converted instead (`columns.Stored`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from dqmon.core.table import TypeGroup
from dqmon.errors import QueryFailed
from dqmon.sql.columns import MOMENTS, Stored, stored

if TYPE_CHECKING:
    from sqlalchemy.sql import ColumnElement
    from sqlalchemy.sql.compiler import SQLCompiler

    from dqmon.core.capabilities import Capabilities

TEXT_INSTANT = "dqmon_instant"
"""The function (text or number, zone) that an engine without timestamps is given: `YYYY-MM-DD HH:MM:SS.ffffff` in UTC."""


def instant(column: ColumnElement[Any], caps: Capabilities) -> ColumnElement[Any]:
    """The column as something that compares with aware datetimes and comes back as aware UTC.

    Raises QueryFailed when the column has no instants.
    """
    kind = stored(column)
    if kind.group in MOMENTS and caps.has_typed_timestamps:
        return column
    if caps.has_typed_timestamps or kind.group is TypeGroup.BOOLEAN:
        raise QueryFailed(f"column {kind.column!r} is {kind.group.value}; a date or timestamp is needed")
    zone = sa.literal(kind.zone, sa.String())
    return sa.Function(TEXT_INSTANT, column, zone, type_=Stored(TypeGroup.TIMESTAMP_ZONED, "UTC", kind.column))


def seconds_between(start: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[Any]:
    """`end` − `start` in seconds, of two columns that `instant` gave; NULL when one of them is."""
    return _SecondsBetween(_utc(start), _utc(end))


class _SecondsBetween(FunctionElement[Any]):
    """The difference of two instants in UTC, each already unambiguous."""

    type = sa.Numeric()
    inherit_cache = True
    name = "seconds_between"


def _utc(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """A naive value with its zone applied: `timezone(zone, timestamp)` as PostgreSQL and DuckDB have it."""
    kind = stored(value)
    if kind.group is TypeGroup.TIMESTAMP_ZONED:
        return value
    wall = sa.cast(value, sa.TIMESTAMP())
    return sa.func.timezone(sa.literal(kind.zone, sa.String()), wall)


@compiles(_SecondsBetween)
def _subtract(element: _SecondsBetween, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(extract(epoch from {end}) - extract(epoch from {start}))"


@compiles(_SecondsBetween, "sqlite")
def _subtract_text(element: _SecondsBetween, compiler: SQLCompiler, **kw: Any) -> str:
    # The 20th character on is the fraction, which strftime('%s') leaves out.
    start, end = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(strftime('%s', {end}) - strftime('%s', {start}) + substr({end}, 20) - substr({start}, 20))"
