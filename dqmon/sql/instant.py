"""Instants of columns, whatever way an engine and a table keep them.

| column | is read as |
|---|---|
| zoned timestamp | itself |
| naive timestamp | wall time of the scan's `naive_timezone` |
| date | midnight of that day there |
| text (engines without timestamps) | ISO 8601 with zone, else wall time there; numbers are Unix seconds |

Comparisons keep the column bare, so that indexes and partitions of the engine still serve; what is compared with is
converted instead (`columns.Stored`). Wall times are compared as such, so that a clock that goes back makes one hour of two;
as instants they are the later of their readings (`core.calendar.at_wall_time`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from dqmon.core.table import TypeGroup
from dqmon.errors import QueryFailed
from dqmon.sql.arguments import arguments
from dqmon.sql.columns import MOMENTS, Stored, stored

if TYPE_CHECKING:
    from sqlalchemy.sql import ColumnElement
    from sqlalchemy.sql.compiler import SQLCompiler

    from dqmon.core.capabilities import Capabilities

TEXT_INSTANT = "dqmon_instant"
"""The function (text or number, zone) that an engine without timestamps is given: `YYYY-MM-DD HH:MM:SS.ffffff` in UTC."""

TEXT_WALL = "dqmon_wall"
"""The same on the clock of the zone."""


def instant(column: ColumnElement[Any], caps: Capabilities) -> ColumnElement[Any]:
    """The column as something that compares with aware datetimes and comes back as aware UTC.

    Raises QueryFailed when the column has no instants.
    """
    kind = stored(column)
    if kind.group in MOMENTS and caps.has_typed_timestamps:
        return column
    if caps.has_typed_timestamps or kind.group is TypeGroup.BOOLEAN:
        raise QueryFailed(f"column {kind.column!r} is {kind.type_name}; a date or timestamp is needed")
    zone = sa.literal(kind.zone, sa.String())
    if kind.group is TypeGroup.TIMESTAMP_ZONED:
        return sa.Function(TEXT_INSTANT, column, zone, type_=Stored(kind.group, "UTC", kind.column))
    return sa.Function(TEXT_WALL, column, zone, type_=Stored(TypeGroup.TIMESTAMP, kind.zone, kind.column))


def seconds_between(start: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[Any]:
    """`end` − `start` in seconds, of two columns that `instant` gave; NULL when one of them is, or is infinite."""
    return SecondsBetween(in_utc(start), in_utc(end))


class SecondsBetween(FunctionElement[Any]):
    """The difference of two instants in UTC, each already unambiguous."""

    type = sa.Numeric()
    inherit_cache = True
    name = "seconds_between"


class InUtc(FunctionElement[Any]):
    """A wall time and the zone that it is read in, as an instant."""

    inherit_cache = True
    name = "in_utc"


def in_utc(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """A naive value with its zone applied."""
    kind = stored(value)
    return value if kind.group is TypeGroup.TIMESTAMP_ZONED else InUtc(value, sa.literal(kind.zone, sa.String()))


@compiles(InUtc)
def _timezone(element: InUtc, compiler: SQLCompiler, **kw: Any) -> str:
    value, zone = arguments(element, compiler, kw)
    return f"timezone({zone}, CAST({value} AS TIMESTAMP))"


@compiles(InUtc, "sqlite")
def _text_in_utc(element: InUtc, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{TEXT_INSTANT}({compiler.process(element.clauses, **kw)})"


@compiles(SecondsBetween)
def _subtract(element: SecondsBetween, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = arguments(element, compiler, kw)
    # From or to an infinite moment PostgreSQL has infinite seconds, DuckDB none.
    return f"CASE WHEN isfinite({start}) AND isfinite({end}) THEN extract(epoch from {end}) - extract(epoch from {start}) END"


@compiles(SecondsBetween, "sqlite")
def _subtract_text(element: SecondsBetween, compiler: SQLCompiler, **kw: Any) -> str:
    # The 20th character on is the fraction, of which strftime('%s') makes a whole second from .9995 on.
    start, end = arguments(element, compiler, kw)
    seconds = f"strftime('%s', substr({end}, 1, 19)) - strftime('%s', substr({start}, 1, 19))"
    return f"({seconds} + substr({end}, 20) - substr({start}, 20))"
