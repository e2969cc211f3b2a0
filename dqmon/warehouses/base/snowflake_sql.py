r"""How Snowflake writes what engines write differently (`dqmon.sql`); registered when it is imported.

Its regular expressions are POSIX extended ones without groups of the kind `(?:…)`, and its functions match whole texts unless they
search (https://docs.snowflake.com/en/sql-reference/functions-regexp). A backslash in a literal of this file's SQL stands twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from dqmon.core.table import TypeGroup
from dqmon.sql.aggregates import WithoutNan
from dqmon.sql.arguments import arguments, first_group
from dqmon.sql.columns import BoundMoment, stored
from dqmon.sql.conditions import IsNan, Matches
from dqmon.sql.formats import Remainder97
from dqmon.sql.instant import InUtc, SecondsBetween
from dqmon.sql.keys import ExactKey
from dqmon.sql.metrics.rows import Shifted
from dqmon.sql.plain import Digits, Double, Hash, Micros
from dqmon.sql.tables import NamedTable
from dqmon.sql.texts import CodePoint, ExactText, FullyMatches, Like
from dqmon.warehouses.base.names import quoted, stored_name

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

COLLATED = " collate "
"""Stands in the type of a column whose texts may be equal although their characters differ."""

_NAN = "CAST('NaN' AS FLOAT)"


@compiles(NamedTable, "snowflake")
def _named(element: NamedTable, compiler: SQLCompiler, *, asfrom: bool = False, ashint: bool = False, **kw: Any) -> str:
    del kw, compiler
    return ".".join(quoted(stored_name(part)) for part in element.parts) if asfrom or ashint else ""


@compiles(sa.ColumnClause, "snowflake")
def _column(element: sa.ColumnClause[Any], compiler: SQLCompiler, **kw: Any) -> str:
    """A column of a table, which alone is always quoted (`dqmon.sql.tables.typed`); labels are as everywhere."""
    name = element.name
    is_stored = isinstance(name, sa.sql.quoted_name) and name.quote and element.table is None
    # As a plain text: SQLAlchemy's quoted ones keep their case whatever they are asked.
    return quoted(stored_name(str(name))) if is_stored else compiler.visit_column(element, **kw)


@compiles(ExactText, "snowflake")
def _without_collation(element: ExactText, compiler: SQLCompiler, **kw: Any) -> str:
    (column,) = element.clauses
    text = compiler.process(sa.cast(column, sa.Text()), **kw)
    return f"COLLATE({text}, '')" if COLLATED in stored(column).declared else text


@compiles(ExactKey, "snowflake")
def _key_without_collation(element: ExactKey, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    return f"COLLATE({value}, '')" if COLLATED in stored(element).declared else value


@compiles(Matches, "snowflake")
def _found(element: Matches, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(REGEXP_INSTR({compiler.process(element.clauses, **kw)}) > 0)"


@compiles(FullyMatches, "snowflake")
def _whole(element: FullyMatches, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = arguments(element, compiler, kw)
    return f"REGEXP_LIKE({text}, REPLACE({pattern}, '(?:', '('))"


@compiles(Like, "snowflake")
def _like(element: Like, compiler: SQLCompiler, **kw: Any) -> str:
    # A backslash would end no literal: SQLAlchemy writes the one of ESCAPE as it is.
    like: Any = next(iter(element.clauses))
    text, pattern = compiler.process(like.left, **kw), compiler.process(like.right, **kw)
    escape = r" ESCAPE '\\'" if like.modifiers.get("escape") else ""
    return f"({text} LIKE {pattern}{escape})"


@compiles(CodePoint, "snowflake")
def _unicode(element: CodePoint, compiler: SQLCompiler, **kw: Any) -> str:
    return f"UNICODE({compiler.process(element.clauses, **kw)})"


@compiles(IsNan, "snowflake")
def _is_nan(element: IsNan, compiler: SQLCompiler, **kw: Any) -> str:
    (column,) = element.clauses
    return f"({compiler.process(column, **kw)} = {_NAN})" if stored(column).group is TypeGroup.FLOAT else "false"


@compiles(WithoutNan, "snowflake")
def _nullif(element: WithoutNan, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    return f"NULLIF({value}, {_NAN})" if stored(element).group is TypeGroup.FLOAT else value


@compiles(BoundMoment, "snowflake")
def _moment(element: BoundMoment, compiler: SQLCompiler, **kw: Any) -> str:
    # The connector sends a text, which would be cut down to the type of the column: to a day beside a date.
    kind = "TIMESTAMP_TZ" if stored(element).group is TypeGroup.TIMESTAMP_ZONED else "TIMESTAMP_NTZ"
    return f"CAST({compiler.process(element.clauses, **kw)} AS {kind})"


@compiles(InUtc, "snowflake")
def _in_utc(element: InUtc, compiler: SQLCompiler, **kw: Any) -> str:
    value, zone = arguments(element, compiler, kw)
    return f"CONVERT_TIMEZONE({zone}, 'UTC', CAST({value} AS TIMESTAMP_NTZ))"


def _micros_of(value: str) -> str:
    """Microseconds since 1970: of wall time as if it were in UTC, of the others in UTC."""
    return f"DATE_PART(EPOCH_MICROSECOND, {value})"


@compiles(SecondsBetween, "snowflake")
def _seconds(element: SecondsBetween, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = (_micros_of(compiler.process(clause, **kw)) for clause in element.clauses)
    # A quotient of whole numbers has six decimals: https://docs.snowflake.com/en/sql-reference/operators-arithmetic
    return f"(({end} - {start}) / 1000000)"


@compiles(Micros, "snowflake")
def _micros(element: Micros, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST({_micros_of(compiler.process(element.clauses, **kw))} AS VARCHAR)"


@compiles(Digits, "snowflake")
def _digits(element: Digits, compiler: SQLCompiler, **kw: Any) -> str:
    value, group = compiler.process(element.clauses, **kw), first_group(element)
    if group is TypeGroup.BOOLEAN:
        return f"CAST(CAST({value} AS INTEGER) AS VARCHAR)"
    text = f"CAST({value} AS VARCHAR)"
    if group is not TypeGroup.DECIMAL:
        return text
    # A decimal is written with all places of its type.
    return rf"(CASE WHEN CONTAINS({text}, '.') THEN REGEXP_REPLACE({text}, '\\.?0+$', '') ELSE {text} END)"


@compiles(Double, "snowflake")
def _double(element: Double, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    zero = f"WHEN {value} = 0 THEN '0' WHEN {value} = {_NAN} THEN 'NaN'"
    infinite = f"WHEN ABS({value}) = CAST('inf' AS FLOAT) THEN IFF({value} < 0, '-Infinity', 'Infinity')"
    # E-001 is e-01 elsewhere, and E+100 is e+100.
    text = f"LOWER(TRIM(TO_VARCHAR({value}, '9.{'9' * 16}EEEEE')))"
    return rf"(CASE {zero} {infinite} ELSE REGEXP_REPLACE({text}, 'e([+-])0([0-9][0-9])$', 'e\\1\\2') END)"


@compiles(Hash, "snowflake")
def _upper_bits(element: Hash, compiler: SQLCompiler, **kw: Any) -> str:
    # The upper 64 bits without the last hex digit of them; a division of whole numbers keeps the fraction that is cut off.
    return f"CAST(FLOOR(MD5_NUMBER_UPPER64({compiler.process(element.clauses, **kw)}) / 16) AS BIGINT)"


@compiles(Remainder97, "snowflake")
def _remainder(element: Remainder97, compiler: SQLCompiler, **kw: Any) -> str:
    """In two steps: 34 characters are 68 digits at most, a number has 38; and by TRY_CAST, since it may see what is no IBAN."""
    iban = compiler.process(element.clauses, **kw)
    digits = f"SUBSTR({iban}, 5) || SUBSTR({iban}, 1, 4)"
    for value, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 10):
        digits = f"REPLACE({digits}, '{letter}', '{value}')"
    first = f"MOD(TRY_CAST(SUBSTR({digits}, 1, 35) AS NUMBER(38, 0)), 97)"
    return f"MOD(TRY_CAST(CAST({first} AS VARCHAR) || SUBSTR({digits}, 36) AS NUMBER(38, 0)), 97)"


@compiles(Shifted, "snowflake")
def _shift(element: Shifted, compiler: SQLCompiler, **kw: Any) -> str:
    return f"BITSHIFTRIGHT({compiler.process(element.clauses, **kw)})"
