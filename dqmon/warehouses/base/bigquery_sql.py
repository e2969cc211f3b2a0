"""How BigQuery writes what engines write differently (`dqmon.sql`); registered when it is imported.

https://cloud.google.com/bigquery/docs/reference/standard-sql/functions-all; its regular expressions are RE2's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from dqmon.core.table import TypeGroup
from dqmon.sql.aggregates import Average, Deviation, Total, WithoutNan
from dqmon.sql.arguments import arguments, first_group
from dqmon.sql.columns import stored
from dqmon.sql.conditions import IsNan, Matches
from dqmon.sql.formats import Remainder97
from dqmon.sql.instant import InUtc, SecondsBetween
from dqmon.sql.keys import ExactKey
from dqmon.sql.plain import Digits, Double, Hash, Measured, Micros
from dqmon.sql.texts import CodePoint, ExactText, FullyMatches, Like
from dqmon.warehouses.base.wall_clock import seconds_ahead

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

DIALECT = "bigquery"
"""The name of the vendor's dialect."""

STATEMENT = "dqmon_statement"
"""Where a connection keeps how its next statement is to run."""

COLLATED = " collate "
"""Stands in the type of a column whose texts may be equal although their characters differ."""

_NESTED = ("ARRAY<", "STRUCT<", "RANGE<", "JSON", "GEOGRAPHY")
"""Types that no CAST makes a text of."""


def quoted(name: str) -> str:
    """A name in a statement; between backticks the escapes of texts are known."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


@compiles(ExactText, DIALECT)
def _text(element: ExactText, compiler: SQLCompiler, **kw: Any) -> str:
    (column,) = element.clauses
    value, declared = compiler.process(column, **kw), stored(column).declared
    if COLLATED in declared:
        return f"COLLATE({value}, '')"
    if declared.startswith(_NESTED):
        return f"TO_JSON_STRING({value})"
    return f"TO_HEX({value})" if declared.startswith("BYTES") else f"CAST({value} AS STRING)"


@compiles(ExactKey, DIALECT)
def _key(element: ExactKey, compiler: SQLCompiler, **kw: Any) -> str:
    value, declared = compiler.process(element.clauses, **kw), stored(element).declared
    if COLLATED in declared:
        return f"COLLATE({value}, '')"
    return f"TO_JSON_STRING({value})" if declared.startswith(_NESTED) else value


@compiles(IsNan, DIALECT)
def _is_nan(element: IsNan, compiler: SQLCompiler, **kw: Any) -> str:
    (column,) = element.clauses
    return f"IS_NAN({compiler.process(column, **kw)})" if stored(column).group is TypeGroup.FLOAT else "false"


@compiles(WithoutNan, DIALECT)
def _null_for_nan(element: WithoutNan, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    return f"IF(IS_NAN({value}), NULL, {value})" if stored(element).group is TypeGroup.FLOAT else value


@compiles(Matches, DIALECT)
def _contains(element: Matches, compiler: SQLCompiler, **kw: Any) -> str:
    # A column with a collation takes part in no regular expression: https://cloud.google.com/bigquery/docs/reference/standard-sql/collation-concepts
    text, pattern = arguments(element, compiler, kw)
    text = f"COLLATE({text}, '')" if COLLATED in stored(next(iter(element.clauses))).declared else text
    return f"REGEXP_CONTAINS({text}, {pattern})"


@compiles(FullyMatches, DIALECT)
def _whole(element: FullyMatches, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = arguments(element, compiler, kw)
    return f"REGEXP_CONTAINS({text}, '^(?:' || {pattern} || ')$')"


@compiles(Like, DIALECT)
def _like(element: Like, compiler: SQLCompiler, **kw: Any) -> str:
    # It has no ESCAPE: a backslash always takes the next character as it is.
    like: Any = next(iter(element.clauses))
    return f"({compiler.process(like.left, **kw)} LIKE {compiler.process(like.right, **kw)})"


@compiles(CodePoint, DIALECT)
def _unicode(element: CodePoint, compiler: SQLCompiler, **kw: Any) -> str:
    return f"UNICODE({compiler.process(element.clauses, **kw)})"


def _wide(column: sa.ColumnElement[Any], value: str) -> str:
    """A number in the widest exact type: a sum of others that does not fit is an error."""
    is_float = stored(column).group is TypeGroup.FLOAT or isinstance(column.type, sa.Float)
    return value if is_float else f"CAST({value} AS BIGNUMERIC)"


@compiles(Total, DIALECT)
def _sum(element: Total, compiler: SQLCompiler, **kw: Any) -> str:
    (column,) = element.clauses
    return f"SUM({_wide(column, compiler.process(column, **kw))})"


@compiles(Average, DIALECT)
def _average(element: Average, compiler: SQLCompiler, **kw: Any) -> str:
    (column,) = element.clauses
    value = compiler.process(column, **kw)
    if stored(column).group is TypeGroup.FLOAT:
        return f"AVG({value})"
    return f"(CAST(SUM({_wide(column, value)}) AS STRING) || '/' || CAST(COUNT({value}) AS STRING))"


@compiles(Deviation, DIALECT)
def _deviation(element: Deviation, compiler: SQLCompiler, **kw: Any) -> str:
    return f"STDDEV_SAMP(CAST({compiler.process(element.clauses, **kw)} AS FLOAT64))"


@compiles(InUtc, DIALECT)
def _in_utc(element: InUtc, compiler: SQLCompiler, **kw: Any) -> str:
    wall, zone = element.clauses
    value = f"CAST({compiler.process(wall, **kw)} AS DATETIME)"
    ahead = seconds_ahead(value, zone.value, lambda at: f"DATETIME '{at:%Y-%m-%d %H:%M:%S}'")
    moment = f"TIMESTAMP({value}, 'UTC')"
    return moment if ahead == "0" else f"TIMESTAMP_SUB({moment}, INTERVAL ({ahead}) SECOND)"


@compiles(SecondsBetween, DIALECT)
def _seconds(element: SecondsBetween, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = arguments(element, compiler, kw)
    return f"(TIMESTAMP_DIFF({end}, {start}, MICROSECOND) / 1000000)"


@compiles(Micros, DIALECT)
def _micros(element: Micros, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST(UNIX_MICROS({compiler.process(element.clauses, **kw)}) AS STRING)"


@compiles(Digits, DIALECT)
def _digits(element: Digits, compiler: SQLCompiler, **kw: Any) -> str:
    # A decimal's text has no zeros at its end.
    value, group = compiler.process(element.clauses, **kw), first_group(element)
    return f"CAST(CAST({value} AS INT64) AS STRING)" if group is TypeGroup.BOOLEAN else f"CAST({value} AS STRING)"


@compiles(Double, DIALECT)
def _format(element: Double, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    form = compiler.escape_literal_column("%.16e")  # type: ignore[no-untyped-call]  # SQLAlchemy has no types there
    infinite = f"WHEN IS_INF({value}) THEN IF({value} < 0, '-Infinity', 'Infinity')"
    return f"(CASE WHEN {value} = 0 THEN '0' WHEN IS_NAN({value}) THEN 'NaN' {infinite} ELSE FORMAT('{form}', {value}) END)"


@compiles(Measured, DIALECT)
def _measured(element: Measured, compiler: SQLCompiler, **kw: Any) -> str:
    text = compiler.process(element.clauses, **kw)
    return f"(COALESCE(CAST(LENGTH({text}) AS STRING) || ':' || {text}, '') || '|')"


@compiles(Hash, DIALECT)
def _upper_bits(element: Hash, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST('0x' || SUBSTR(TO_HEX(MD5({compiler.process(element.clauses, **kw)})), 1, 15) AS INT64)"


@compiles(Remainder97, DIALECT)
def _remainder(element: Remainder97, compiler: SQLCompiler, **kw: Any) -> str:
    """In two steps: 34 characters are 68 digits at most, a number has 38; and by SAFE_CAST, since it may see what is no IBAN."""
    iban = compiler.process(element.clauses, **kw)
    digits = f"SUBSTR({iban}, 5) || SUBSTR({iban}, 1, 4)"
    for value, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 10):
        digits = f"REPLACE({digits}, '{letter}', '{value}')"
    first = f"MOD(SAFE_CAST(SUBSTR({digits}, 1, 35) AS BIGNUMERIC), 97)"
    return f"MOD(SAFE_CAST(CAST({first} AS STRING) || SUBSTR({digits}, 36) AS BIGNUMERIC), 97)"
