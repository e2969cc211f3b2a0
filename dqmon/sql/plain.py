"""Values as texts that are equal on all engines when the values are, and hashes of them, computed in the warehouse.

| column | text |
|---|---|
| number | its decimal digits without trailing zeros: 1.50 is `1.5` |
| float | 17 digits, which tell all doubles apart: 0.5 is `5.0000000000000000e-01`; -0.0 is `0` |
| boolean | `1`, `0` |
| date | microseconds from 1970 to its midnight |
| timestamp | microseconds since 1970 in UTC; without zone it is wall time of the scan's `naive_timezone` |
| text, and what the engine has no better type for | its characters |

NULL stays NULL.
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from dqmon.core.table import TypeGroup
from dqmon.sql.arguments import first_group
from dqmon.sql.columns import MOMENTS, NUMBERS, Stored, stored
from dqmon.sql.instant import in_utc
from dqmon.sql.texts import exact_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.sql import ColumnElement
    from sqlalchemy.sql.compiler import SQLCompiler

    from dqmon.core.capabilities import Capabilities

HASH_BITS = 60
"""The first 15 hex digits of an MD5: they fit every engine's integers, and a group of them every engine's sums."""

_NUMERIC = NUMBERS | {TypeGroup.BOOLEAN}


def plain_text(column: ColumnElement[Any], caps: Capabilities) -> ColumnElement[str]:
    """The value's text, as the table above says."""
    kind = stored(column)
    if kind.group is TypeGroup.FLOAT:
        return Double(sa.cast(column, sa.Double()))
    if kind.group in _NUMERIC:
        return Digits(column)
    if kind.group not in MOMENTS:
        return exact_text(column)
    if not caps.has_typed_timestamps:
        return Micros(column, sa.literal("UTC" if kind.group is TypeGroup.DATE else kind.zone, sa.String()))
    is_local = kind.group is TypeGroup.TIMESTAMP and kind.zone != "UTC"
    return Micros(in_utc(column) if is_local or kind.group is TypeGroup.TIMESTAMP_ZONED else sa.cast(column, sa.TIMESTAMP()))


def as_double(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The number as a float column has it."""
    kind = stored(column)
    return sa.type_coerce(sa.cast(column, sa.Double()), Stored(TypeGroup.FLOAT, kind.zone, kind.column))


def row_hash(columns: Iterable[ColumnElement[Any]], caps: Capabilities) -> ColumnElement[int]:
    """A whole number of HASH_BITS bits of the values together, at least one; equal when all are, NULL being one of its own."""
    return Hash(reduce(add, (_framed(column, caps) for column in columns)))


def _framed(column: ColumnElement[Any], caps: Capabilities) -> ColumnElement[str]:
    """The text so that several in a row are told apart; digits need no length, since they have no bar."""
    text = plain_text(column, caps)
    has_digits = stored(column).group in _NUMERIC | MOMENTS
    return Ended(text) if has_digits else Measured(text)


class _Text(FunctionElement[str]):
    type = sa.Text()


class Digits(_Text):
    """The digits of an exact number, or 1 and 0 of a boolean."""

    name = "digits"
    inherit_cache = True


class Double(_Text):
    """The 17 digits of a double."""

    name = "double"
    inherit_cache = True


class Micros(_Text):
    """The microseconds of a timestamp; on engines without timestamps of (text or number, zone)."""

    name = "micros"
    inherit_cache = True


class Ended(_Text):
    """A text and a bar after it; the bar alone for NULL."""

    name = "ended"
    inherit_cache = True


class Measured(_Text):
    """The length of a text, a colon, the text, and a bar; the bar alone for NULL."""

    name = "measured"
    inherit_cache = True


class Hash(FunctionElement[int]):
    """The first HASH_BITS bits of the MD5 of a text in UTF-8."""

    name = "hash"
    type = sa.BigInteger()
    inherit_cache = True


@compiles(Digits)
def _digits(element: Digits, compiler: SQLCompiler, **kw: Any) -> str:
    value, group = compiler.process(element.clauses, **kw), first_group(element)
    match group:
        case TypeGroup.BOOLEAN:
            return f"CAST(CAST({value} AS INTEGER) AS TEXT)"
        case TypeGroup.DECIMAL:
            return f"CAST(trim_scale({value}) AS TEXT)"
        case _:
            return f"CAST({value} AS TEXT)"


@compiles(Digits, "duckdb")
def _digits_of_duckdb(element: Digits, compiler: SQLCompiler, **kw: Any) -> str:
    value, group = compiler.process(element.clauses, **kw), first_group(element)
    text = f"CAST({value} AS VARCHAR)"
    match group:
        case TypeGroup.BOOLEAN:
            return f"CAST(CAST({value} AS INTEGER) AS VARCHAR)"
        case TypeGroup.DECIMAL:
            return f"(CASE WHEN contains({text}, '.') THEN rtrim(rtrim({text}, '0'), '.') ELSE {text} END)"
        case _:
            return text


@compiles(Double)
def _to_char(element: Double, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    special = f"WHEN {value} = 0 THEN '0' WHEN {value} IN ('NaN', 'Infinity', '-Infinity') THEN CAST({value} AS TEXT)"
    return f"(CASE {special} ELSE btrim(to_char({value}, '9.{'9' * 16}EEEE')) END)"


@compiles(Double, "duckdb")
def _printf(element: Double, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    infinite = f"WHEN isinf({value}) THEN CASE WHEN {value} < 0 THEN '-Infinity' ELSE 'Infinity' END"
    return f"(CASE WHEN {value} = 0 THEN '0' WHEN isnan({value}) THEN 'NaN' {infinite} ELSE format('{{:.16e}}', {value}) END)"


@compiles(Digits, "sqlite")
def _registered(element: _Text, compiler: SQLCompiler, **kw: Any) -> str:
    # In dqmon.warehouses.base.sqlite_functions: any column of SQLite holds values of any type.
    return f"dqmon_{element.name}({compiler.process(element.clauses, **kw)})"


compiles(Double, "sqlite")(_registered)
compiles(Micros, "sqlite")(_registered)
compiles(Measured, "sqlite")(_registered)
compiles(Hash, "sqlite")(_registered)


@compiles(Micros)
def _epoch(element: Micros, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST(trim_scale(extract(epoch from {compiler.process(element.clauses, **kw)}) * 1000000) AS TEXT)"


@compiles(Micros, "duckdb")
def _epoch_us(element: Micros, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    # Of an infinite moment epoch_us is NULL; PostgreSQL's number is then called Infinity.
    return f"coalesce(CAST(epoch_us({value}) AS VARCHAR), replace(CAST({value} AS VARCHAR), 'inf', 'Inf'))"


@compiles(Ended)
def _bar(element: Ended, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(coalesce({compiler.process(element.clauses, **kw)}, '') || '|')"


@compiles(Measured)
def _length_and_bar(element: Measured, compiler: SQLCompiler, **kw: Any) -> str:
    text = compiler.process(element.clauses, **kw)
    return f"(coalesce(CAST(length({text}) AS VARCHAR) || ':' || {text}, '') || '|')"


@compiles(Hash)
def _md5_of_bytes(element: Hash, compiler: SQLCompiler, **kw: Any) -> str:
    # Of the characters in UTF-8, whatever encoding the database keeps them in.
    text = compiler.process(element.clauses, **kw)
    return f"CAST(CAST('x' || substr(md5(convert_to({text}, 'UTF8')), 1, 15) AS BIT(60)) AS BIGINT)"


@compiles(Hash, "duckdb")
def _md5(element: Hash, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST('0x' || substr(md5({compiler.process(element.clauses, **kw)}), 1, 15) AS BIGINT)"
