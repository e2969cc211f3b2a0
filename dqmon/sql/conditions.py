"""Conditions on one column: missing, out of range; never NULL where it says so."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from dqmon.core.table import TypeGroup
from dqmon.errors import QueryFailed
from dqmon.sql.columns import MOMENTS, NUMBERS, bound, stored
from dqmon.sql.instant import instant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.sql import ColumnElement
    from sqlalchemy.sql.compiler import SQLCompiler

    from dqmon.core.capabilities import Capabilities

MissingValue: TypeAlias = str | int | float | Decimal | bool


def count_where(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """Rows for which the condition is true; 0 for no rows. All engines have this form."""
    return sa.func.count(sa.case((condition, sa.literal_column("1"))))


def is_missing(
    column: ColumnElement[Any],
    caps: Capabilities,
    values: tuple[MissingValue, ...] = (),
    pattern: str | None = None,
    nan: Literal["missing", "value"] = "missing",
) -> ColumnElement[bool]:
    """True or false, never NULL: NULL, one of `values`, a match of `pattern`, or NaN unless it is a value."""
    tests: list[ColumnElement[bool]] = [column.is_(None)]
    if nan == "missing":
        tests += is_nan(column, caps)
    if values:
        tests += _is_one_of(column, caps, values)
    if pattern is not None:
        tests.append(_Matches(_text(column), sa.literal(pattern, sa.String())))
    return sa.or_(*tests)


def is_nan(column: ColumnElement[Any], caps: Capabilities) -> list[ColumnElement[bool]]:
    """The condition that the value is NaN; none where there is no NaN."""
    return [_IsNan(column)] if caps.has_nan and stored(column).group in (TypeGroup.FLOAT, TypeGroup.DECIMAL) else []


def is_outside(
    column: ColumnElement[Any],
    caps: Capabilities,
    low: Decimal | str | datetime | None,
    high: Decimal | str | datetime | None,
    exclusive: Literal["min", "max", "both"] | None,
) -> ColumnElement[bool]:
    """True when a value that is not NULL is below `low` or above `high`, or equal to a bound that is exclusive."""
    tests: list[ColumnElement[bool]] = []
    if low is not None:
        value, limit = _comparable(column, caps, low)
        tests.append(value <= limit if exclusive in ("min", "both") else value < limit)
    if high is not None:
        value, limit = _comparable(column, caps, high)
        tests.append(value >= limit if exclusive in ("max", "both") else value > limit)
    return sa.or_(sa.false(), *tests)


def _comparable(
    column: ColumnElement[Any], caps: Capabilities, limit: Decimal | str | datetime
) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Both sides of a comparison with `limit`; QueryFailed when the column's type has no such order."""
    group = stored(column).group
    if isinstance(limit, str | datetime):
        value = instant(column, caps)
        return value, bound(_moment(limit, stored(column).zone), value)
    if group not in NUMBERS and group is not TypeGroup.OTHER:
        raise QueryFailed(f"column {stored(column).column!r} is {group.value}; it cannot be compared with the number {limit}")
    return column, bound(limit, column)


def _moment(text: str | datetime, zone: str) -> datetime:
    """The instant of an ISO text; without zone it is read as the column's own values are."""
    from zoneinfo import ZoneInfo

    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else text
    except ValueError as e:
        raise QueryFailed(f"{text!r} is no ISO date or timestamp, such as 2026-01-31 or 2026-01-31T12:00:00Z") from e
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))


def _is_one_of(column: ColumnElement[Any], caps: Capabilities, values: Iterable[MissingValue]) -> list[ColumnElement[bool]]:
    """Equality with those of the values that the column's type can hold."""
    group = stored(column).group
    if group in NUMBERS:
        numbers = [number for value in values if (number := _number(value)) is not None]
        return [column.in_([bound(number, column) for number in numbers])] if numbers else []
    if group in MOMENTS:
        moments = [datetime.fromisoformat(value) for value in values if isinstance(value, str) and _is_iso(value)]
        value = instant(column, caps)
        return [value.in_([bound(_moment(moment, stored(column).zone), value) for moment in moments])] if moments else []
    return [_text(column).in_([sa.literal(_plain(value), sa.String()) for value in values])]


def _plain(value: MissingValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: MissingValue) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _is_iso(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _text(column: ColumnElement[Any]) -> ColumnElement[str]:
    return column if stored(column).group is TypeGroup.TEXT else sa.cast(column, sa.Text())


class _IsNan(FunctionElement[bool]):
    """True for NaN, false for any other number, NULL for NULL."""

    type = sa.Boolean()
    inherit_cache = True
    name = "is_nan"


@compiles(_IsNan)
def _equals_nan(element: _IsNan, compiler: SQLCompiler, **kw: Any) -> str:
    return f"({compiler.process(element.clauses, **kw)} = 'NaN')"


@compiles(_IsNan, "duckdb")
def _isnan(element: _IsNan, compiler: SQLCompiler, **kw: Any) -> str:
    (column,) = element.clauses
    # DuckDB's decimals have no NaN, and isnan() would turn them into doubles.
    return f"isnan({compiler.process(column, **kw)})" if stored(column).group is TypeGroup.FLOAT else "false"


class _Matches(FunctionElement[bool]):
    """True when the regular expression is found anywhere in the text; the syntax is the engine's own."""

    type = sa.Boolean()
    inherit_cache = True
    name = "matches"


@compiles(_Matches)
def _tilde(element: _Matches, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({text} ~ {pattern})"


@compiles(_Matches, "duckdb")
def _regexp_matches(element: _Matches, compiler: SQLCompiler, **kw: Any) -> str:
    return f"regexp_matches({compiler.process(element.clauses, **kw)})"


@compiles(_Matches, "sqlite")
def _regexp(element: _Matches, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({text} REGEXP {pattern})"
