"""Conditions on one column: missing, out of range, one of a list; never NULL where it says so."""

from __future__ import annotations

import operator
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from dqmon.core.calendar import at_wall_time
from dqmon.core.table import TypeGroup
from dqmon.errors import QueryFailed
from dqmon.sql.arguments import arguments
from dqmon.sql.columns import NUMBERS, bound, stored
from dqmon.sql.grids import grid_of
from dqmon.sql.instant import instant
from dqmon.sql.texts import exact_text, folded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy.sql import ColumnElement
    from sqlalchemy.sql.compiler import SQLCompiler

    from dqmon.core.capabilities import Capabilities
    from dqmon.sql.columns import Stored

MissingValue: TypeAlias = str | int | float | Decimal | bool


def count_where(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """Rows for which the condition is true; 0 for no rows."""
    return _CountWhere(condition)


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
        tests.append(is_one_of(column, caps, values))
    if pattern is not None:
        tests.append(matches(_text(column), pattern))
    return sa.or_(*tests)


def is_nan(column: ColumnElement[Any], caps: Capabilities) -> list[ColumnElement[bool]]:
    """The condition that the value is NaN; none where there is no NaN."""
    return [IsNan(column)] if caps.has_nan and stored(column).group in (TypeGroup.FLOAT, TypeGroup.DECIMAL) else []


def matches(text: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    """True when the regular expression is found anywhere in the text; the syntax is the engine's own."""
    return Matches(text, sa.literal(pattern, sa.String()))


def is_outside(
    column: ColumnElement[Any],
    caps: Capabilities,
    low: Decimal | str | datetime | None,
    high: Decimal | str | datetime | None,
    exclusive: Literal["min", "max", "both"] | None,
) -> ColumnElement[bool]:
    """True when a value that is not NULL is below `low` or above `high`, or equal to a bound that is exclusive.

    Where a column of numbers may hold texts, these are outside, too.
    """
    is_of_numbers = isinstance(low if low is not None else high, Decimal)
    tests: list[ColumnElement[bool]] = [_is_no_number(column)] if is_of_numbers and not caps.has_typed_columns else []
    if low is not None:
        tests.append(_compared(column, caps, operator.le if exclusive in ("min", "both") else operator.lt, low))
    if high is not None:
        tests.append(_compared(column, caps, operator.ge if exclusive in ("max", "both") else operator.gt, high))
    return sa.or_(sa.false(), *tests)


def _compared(
    column: ColumnElement[Any], caps: Capabilities, compare: Callable[[Any, Any], Any], limit: Decimal | str | datetime
) -> ColumnElement[bool]:
    """The column compared with `limit`; QueryFailed when its type has no such order."""
    kind = stored(column)
    if isinstance(limit, str | datetime):
        value = instant(column, caps)
        return compare(value, bound(moment(limit, kind.zone), value))  # type: ignore[no-any-return]  # an operator
    if not holds_numbers(column, caps):
        raise QueryFailed(f"column {kind.column!r} is {kind.type_name}; it cannot be compared with the number {limit}")
    if (grid := grid_of(kind)) is not None and caps.has_typed_columns:
        limit = grid.at_least(limit) if compare in (operator.lt, operator.ge) else grid.at_most(limit)
        if limit.is_infinite():
            return sa.true() if compare(0, limit) else sa.false()
    return compare(column, bound(limit, column))  # type: ignore[no-any-return]  # as above


def holds_numbers(column: ColumnElement[Any], caps: Capabilities) -> bool:
    """True when the column's type is one of numbers, or may be."""
    group = stored(column).group
    return group in NUMBERS or (group is TypeGroup.OTHER and not caps.has_typed_columns)


def _is_no_number(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """True for a text or blob: SQLite, which alone keeps them among numbers, sorts them above all of these."""
    return sa.func.typeof(column).in_([sa.literal_column("'text'"), sa.literal_column("'blob'")])


def moment(text: str | datetime, zone: str) -> datetime:
    """The instant of an ISO text; without zone it is read as the column's own values are."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else text
    except ValueError as e:
        raise QueryFailed(f"{text!r} is no ISO date or timestamp, such as 2026-01-31 or 2026-01-31T12:00:00Z") from e
    return found if found.tzinfo else at_wall_time(found, zone)


def is_one_of(
    column: ColumnElement[Any], caps: Capabilities, values: Iterable[MissingValue], *, ignore_case: bool = False
) -> ColumnElement[bool]:
    """Equality with one of the values, read as the column's type is; NULL for NULL.

    Numbers compare exactly (floats also with "Infinity"), moments as instants, booleans also with 0 and 1 (and numbers also with
    true and false), all else as text, character by character or without case. A value that the type cannot hold is never equal.
    """
    kind = stored(column)
    texts = [_plain(value) for value in values]
    match kind.group:
        case TypeGroup.BOOLEAN:
            numbers = {_number(text) for text in texts}
            return column.in_([bound(value, column) for value in (False, True) if int(value) in numbers])
        case TypeGroup.INTEGER | TypeGroup.DECIMAL | TypeGroup.FLOAT:
            held = [number for text in texts if (number := _number(text)) is not None and _can_hold(kind, number, caps)]
            return column.in_([bound(number, column) for number in held])
        case TypeGroup.DATE | TypeGroup.TIMESTAMP | TypeGroup.TIMESTAMP_ZONED:
            value = instant(column, caps)
            return value.in_([bound(moment(text, kind.zone), value) for text in texts if _is_iso(text)])
        case _:
            text, plain = folded(exact_text(column), texts) if ignore_case else (exact_text(column), texts)
            return text.in_([sa.literal(value, sa.String()) for value in plain])


def _plain(value: MissingValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(text: str) -> Decimal | None:
    """The number that a text is, 1 and 0 for true and false."""
    try:
        number = Decimal({"true": "1", "false": "0"}.get(text, text))
    except InvalidOperation:
        return None
    return None if number.is_nan() else number


def _can_hold(kind: Stored, number: Decimal, caps: Capabilities) -> bool:
    if not number.is_finite():
        return kind.group is TypeGroup.FLOAT
    grid = grid_of(kind)
    return grid is None or not caps.has_typed_columns or grid.holds(number)


def _is_iso(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _text(column: ColumnElement[Any]) -> ColumnElement[str]:
    return column if stored(column).group is TypeGroup.TEXT else sa.cast(column, sa.Text())


class _CountWhere(FunctionElement[int]):
    """One element instead of SQLAlchemy's four for a function, a case, its condition and its value: most metrics are made of it."""

    type = sa.Integer()
    inherit_cache = True
    name = "count_where"


@compiles(_CountWhere)
def _count_case(element: _CountWhere, compiler: SQLCompiler, **kw: Any) -> str:
    return f"count(CASE WHEN ({compiler.process(element.clauses, **kw)}) THEN 1 END)"


class IsNan(FunctionElement[bool]):
    """True for NaN, false for any other number, NULL for NULL."""

    type = sa.Boolean()
    inherit_cache = True
    name = "is_nan"


@compiles(IsNan)
def _equals_nan(element: IsNan, compiler: SQLCompiler, **kw: Any) -> str:
    return f"({compiler.process(element.clauses, **kw)} = 'NaN')"


@compiles(IsNan, "duckdb")
def _isnan(element: IsNan, compiler: SQLCompiler, **kw: Any) -> str:
    (column,) = element.clauses
    # DuckDB's decimals have no NaN, and isnan() would turn them into doubles.
    return f"isnan({compiler.process(column, **kw)})" if stored(column).group is TypeGroup.FLOAT else "false"


class Matches(FunctionElement[bool]):
    """True when the pattern is found anywhere in the text (text, pattern)."""

    type = sa.Boolean()
    inherit_cache = True
    name = "matches"


@compiles(Matches)
def _tilde(element: Matches, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = arguments(element, compiler, kw)
    return f"({text} ~ {pattern})"


@compiles(Matches, "duckdb")
def _regexp_matches(element: Matches, compiler: SQLCompiler, **kw: Any) -> str:
    return f"regexp_matches({compiler.process(element.clauses, **kw)})"


@compiles(Matches, "sqlite")
def _regexp(element: Matches, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = arguments(element, compiler, kw)
    return f"({text} REGEXP {pattern})"
