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
        return _Double(sa.cast(column, sa.Double()))
    if kind.group in _NUMERIC:
        return _Digits(column)
    if kind.group not in MOMENTS:
        return exact_text(column)
    if not caps.has_typed_timestamps:
        return _Micros(column, sa.literal("UTC" if kind.group is TypeGroup.DATE else kind.zone, sa.String()))
    is_local = kind.group is TypeGroup.TIMESTAMP and kind.zone != "UTC"
    return _Micros(in_utc(column) if is_local or kind.group is TypeGroup.TIMESTAMP_ZONED else sa.cast(column, sa.TIMESTAMP()))


def as_double(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The number as a float column has it."""
    kind = stored(column)
    return sa.type_coerce(sa.cast(column, sa.Double()), Stored(TypeGroup.FLOAT, kind.zone, kind.column))


def row_hash(columns: Iterable[ColumnElement[Any]], caps: Capabilities) -> ColumnElement[int]:
    """A whole number of HASH_BITS bits of the values together, at least one; equal when all are, NULL being one of its own."""
    return _Hash(reduce(add, (_framed(column, caps) for column in columns)))


def _framed(column: ColumnElement[Any], caps: Capabilities) -> ColumnElement[str]:
    """The text so that several in a row are told apart; digits need no length, since they have no bar."""
    text = plain_text(column, caps)
    has_digits = stored(column).group in _NUMERIC | MOMENTS
    return _Ended(text) if has_digits else _Measured(text)


class _Text(FunctionElement[str]):
    type = sa.Text()


class _Digits(_Text):
    name = "digits"
    inherit_cache = True


class _Double(_Text):
    name = "double"
    inherit_cache = True


class _Micros(_Text):
    """The microseconds of a timestamp; on engines without timestamps of (text or number, zone)."""

    name = "micros"
    inherit_cache = True


class _Ended(_Text):
    name = "ended"
    inherit_cache = True


class _Measured(_Text):
    name = "measured"
    inherit_cache = True


class _Hash(FunctionElement[int]):
    name = "hash"
    type = sa.BigInteger()
    inherit_cache = True


@compiles(_Digits)
def _digits(element: _Digits, compiler: SQLCompiler, **kw: Any) -> str:
    value, group = compiler.process(element.clauses, **kw), stored(next(iter(element.clauses))).group
    match group:
        case TypeGroup.BOOLEAN:
            return f"CAST(CAST({value} AS INTEGER) AS TEXT)"
        case TypeGroup.DECIMAL:
            return f"CAST(trim_scale({value}) AS TEXT)"
        case _:
            return f"CAST({value} AS TEXT)"


@compiles(_Digits, "duckdb")
def _digits_of_duckdb(element: _Digits, compiler: SQLCompiler, **kw: Any) -> str:
    value, group = compiler.process(element.clauses, **kw), stored(next(iter(element.clauses))).group
    text = f"CAST({value} AS VARCHAR)"
    match group:
        case TypeGroup.BOOLEAN:
            return f"CAST(CAST({value} AS INTEGER) AS VARCHAR)"
        case TypeGroup.DECIMAL:
            return f"(CASE WHEN contains({text}, '.') THEN rtrim(rtrim({text}, '0'), '.') ELSE {text} END)"
        case _:
            return text


@compiles(_Double)
def _to_char(element: _Double, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    special = f"WHEN {value} = 0 THEN '0' WHEN {value} IN ('NaN', 'Infinity', '-Infinity') THEN CAST({value} AS TEXT)"
    return f"(CASE {special} ELSE btrim(to_char({value}, '9.{'9' * 16}EEEE')) END)"


@compiles(_Double, "duckdb")
def _printf(element: _Double, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    infinite = f"WHEN isinf({value}) THEN CASE WHEN {value} < 0 THEN '-Infinity' ELSE 'Infinity' END"
    return f"(CASE WHEN {value} = 0 THEN '0' WHEN isnan({value}) THEN 'NaN' {infinite} ELSE format('{{:.16e}}', {value}) END)"


@compiles(_Digits, "sqlite")
def _registered(element: _Text, compiler: SQLCompiler, **kw: Any) -> str:
    # In dqmon.warehouses.base.sqlite_functions: any column of SQLite holds values of any type.
    return f"dqmon_{element.name}({compiler.process(element.clauses, **kw)})"


compiles(_Double, "sqlite")(_registered)
compiles(_Micros, "sqlite")(_registered)
compiles(_Measured, "sqlite")(_registered)
compiles(_Hash, "sqlite")(_registered)


@compiles(_Micros)
def _epoch(element: _Micros, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST(trim_scale(extract(epoch from {compiler.process(element.clauses, **kw)}) * 1000000) AS TEXT)"


@compiles(_Micros, "duckdb")
def _epoch_us(element: _Micros, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    # Of an infinite moment epoch_us is NULL; PostgreSQL's number is then called Infinity.
    return f"coalesce(CAST(epoch_us({value}) AS VARCHAR), replace(CAST({value} AS VARCHAR), 'inf', 'Inf'))"


@compiles(_Ended)
def _bar(element: _Ended, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(coalesce({compiler.process(element.clauses, **kw)}, '') || '|')"


@compiles(_Measured)
def _length_and_bar(element: _Measured, compiler: SQLCompiler, **kw: Any) -> str:
    text = compiler.process(element.clauses, **kw)
    return f"(coalesce(CAST(length({text}) AS VARCHAR) || ':' || {text}, '') || '|')"


@compiles(_Hash)
def _md5_of_bytes(element: _Hash, compiler: SQLCompiler, **kw: Any) -> str:
    # Of the characters in UTF-8, whatever encoding the database keeps them in.
    text = compiler.process(element.clauses, **kw)
    return f"CAST(CAST('x' || substr(md5(convert_to({text}, 'UTF8')), 1, 15) AS BIT(60)) AS BIGINT)"


@compiles(_Hash, "duckdb")
def _md5(element: _Hash, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST('0x' || substr(md5({compiler.process(element.clauses, **kw)}), 1, 15) AS BIGINT)"
