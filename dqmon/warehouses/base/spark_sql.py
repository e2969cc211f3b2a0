r"""How Spark and Databricks write what engines write differently (`dqmon.sql`); registered when it is imported.

Sessions run in ANSI mode and in UTC (`spark_client.SETTINGS`). Regular expressions are Java's
(https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/util/regex/Pattern.html). A backslash in a literal of this file's
SQL stands twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from dqmon.core.table import TypeGroup
from dqmon.sql.aggregates import Average, Quantile, Total, WithoutNan
from dqmon.sql.arguments import arguments, first_group
from dqmon.sql.columns import stored
from dqmon.sql.conditions import IsNan, Matches
from dqmon.sql.formats import Remainder97
from dqmon.sql.instant import InUtc, SecondsBetween
from dqmon.sql.keys import ExactKey
from dqmon.sql.metrics.rows import Shifted
from dqmon.sql.plain import Digits, Double, Hash, Measured, Micros
from dqmon.sql.texts import ExactText, FullyMatches, Like

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

ENGINES = ("spark", "databricks")
"""The dialects' names."""

COLLATED = " collate "
"""Stands in the type of a column whose texts may be equal although their characters differ."""

DOUBLE_QUOTES = "between double quotes stand texts, so that a condition on a name in them would say nothing of the column; write `name`"
"""Why conditions with them are refused."""

_NAN = "CAST('NaN' AS DOUBLE)"


def quoted(name: str) -> str:
    """A name in a statement (https://spark.apache.org/docs/latest/sql-ref-identifier.html)."""
    return "`" + name.replace("`", "``") + "`"


@compiles(ExactText, *ENGINES)
def _without_collation(element: ExactText, compiler: SQLCompiler, **kw: Any) -> str:
    (column,) = element.clauses
    text = compiler.process(sa.cast(column, sa.Text()), **kw)
    return f"({text} COLLATE UTF8_BINARY)" if COLLATED in stored(column).declared else text


@compiles(ExactKey, *ENGINES)
def _key_without_collation(element: ExactKey, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = arguments(element, compiler, kw)
    return f"({value} COLLATE UTF8_BINARY)" if COLLATED in stored(element).declared else value


@compiles(Matches, *ENGINES)
def _found(element: Matches, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = arguments(element, compiler, kw)
    return f"({text} RLIKE {pattern})"


@compiles(FullyMatches, *ENGINES)
def _whole(element: FullyMatches, compiler: SQLCompiler, **kw: Any) -> str:
    # Not `$`, which also matches before a line's end.
    text, pattern = arguments(element, compiler, kw)
    return rf"({text} RLIKE ('\\A(?:' || {pattern} || ')\\z'))"


@compiles(Like, *ENGINES)
def _like(element: Like, compiler: SQLCompiler, **kw: Any) -> str:
    # The backslash escapes without being asked to; SQLAlchemy's ESCAPE would write it once, which ends no literal.
    like: Any = next(iter(element.clauses))
    return f"({compiler.process(like.left, **kw)} LIKE {compiler.process(like.right, **kw)})"


@compiles(IsNan, *ENGINES)
def _is_nan(element: IsNan, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = arguments(element, compiler, kw)
    return f"({value} = {_NAN})" if first_group(element) is TypeGroup.FLOAT else "false"


@compiles(WithoutNan, *ENGINES)
def _nullif(element: WithoutNan, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = arguments(element, compiler, kw)
    return f"NULLIF({value}, {_NAN})" if stored(element).group is TypeGroup.FLOAT else value


@compiles(Total, *ENGINES)
def _sum(element: Total, compiler: SQLCompiler, **kw: Any) -> str:
    """Whole numbers as decimals, since a sum of 64 bits overflows."""
    (value,) = arguments(element, compiler, kw)
    kind = next(iter(element.clauses)).type
    is_whole = isinstance(kind, sa.Integer) or first_group(element) is TypeGroup.INTEGER
    return f"SUM(CAST({value} AS DECIMAL(38, 0)))" if is_whole else f"SUM({value})"


@compiles(Average, *ENGINES)
def _mean(element: Average, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = arguments(element, compiler, kw)
    if first_group(element) is TypeGroup.FLOAT:
        return f"AVG({value})"
    total = compiler.process(Total(next(iter(element.clauses))), **kw)
    return f"(CAST({total} AS STRING) || '/' || CAST(COUNT({value}) AS STRING))"


@compiles(Quantile, *ENGINES)
def _percentile(element: Quantile, compiler: SQLCompiler, **kw: Any) -> str:
    value, q = arguments(element, compiler, kw)
    return f"PERCENTILE(CAST({value} AS DOUBLE), {q})"


def _moment_in_zone(wall: str, zone: str) -> str:
    """The instant of a wall time; of one that the clock shows twice the later (`core.calendar.at_wall_time`), Spark's is the earlier.

    Three hours on, any clock that went back has done so; with its offset from then the wall time is the other reading, if it is one.
    """
    first = f"TO_UTC_TIMESTAMP({wall}, {zone})"
    after = f"({first} + INTERVAL '3' HOUR)"
    other = f"({after} - (FROM_UTC_TIMESTAMP({after}, {zone}) - {wall}))"
    return f"CASE WHEN FROM_UTC_TIMESTAMP({other}, {zone}) = {wall} THEN GREATEST({first}, {other}) ELSE {first} END"


@compiles(InUtc, *ENGINES)
def _in_utc(element: InUtc, compiler: SQLCompiler, **kw: Any) -> str:
    value, zone = element.clauses
    wall = f"CAST({compiler.process(value, **kw)} AS TIMESTAMP)"
    return wall if stored(value).zone == "UTC" else _moment_in_zone(wall, compiler.process(zone, **kw))


@compiles(SecondsBetween, *ENGINES)
def _seconds(element: SecondsBetween, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = arguments(element, compiler, kw)
    return f"((UNIX_MICROS({end}) - UNIX_MICROS({start})) / 1000000)"


@compiles(Micros, *ENGINES)
def _micros(element: Micros, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = arguments(element, compiler, kw)
    return f"CAST(UNIX_MICROS({value}) AS STRING)"


@compiles(Digits, *ENGINES)
def _digits(element: Digits, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = arguments(element, compiler, kw)
    match first_group(element):
        case TypeGroup.BOOLEAN:
            return f"CAST(CAST({value} AS INT) AS STRING)"
        case TypeGroup.DECIMAL:
            text = f"CAST({value} AS STRING)"
            return f"(CASE WHEN CONTAINS({text}, '.') THEN TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {text})) ELSE {text} END)"
        case _:
            return f"CAST({value} AS STRING)"


@compiles(Double, *ENGINES)
def _double(element: Double, compiler: SQLCompiler, **kw: Any) -> str:
    """Java's 17 digits: the shortest ones that tell the double apart, and zeros."""
    (value,) = arguments(element, compiler, kw)
    special = f"WHEN {value} = 0 THEN '0' WHEN {value} = {_NAN} OR ABS({value}) = CAST('Infinity' AS DOUBLE) THEN CAST({value} AS STRING)"
    # By SQLAlchemy, which doubles the percent sign where the driver wants it.
    form = compiler.process(sa.literal_column("'%.16e'"), **kw)
    return f"(CASE {special} ELSE FORMAT_STRING({form}, {value}) END)"


@compiles(Measured, *ENGINES)
def _length_and_bar(element: Measured, compiler: SQLCompiler, **kw: Any) -> str:
    (text,) = arguments(element, compiler, kw)
    return f"(COALESCE(CAST(LENGTH({text}) AS STRING) || ':' || {text}, '') || '|')"


@compiles(Hash, *ENGINES)
def _md5(element: Hash, compiler: SQLCompiler, **kw: Any) -> str:
    (text,) = arguments(element, compiler, kw)
    return f"CAST(CONV(SUBSTR(MD5({text}), 1, 15), 16, 10) AS BIGINT)"


@compiles(Remainder97, *ENGINES)
def _remainder(element: Remainder97, compiler: SQLCompiler, **kw: Any) -> str:
    """In two steps: 34 characters are 68 digits at most, a decimal has 38; and by TRY_CAST, since it may see what is no IBAN."""
    (iban,) = arguments(element, compiler, kw)
    digits = f"SUBSTR({iban}, 5) || SUBSTR({iban}, 1, 4)"
    for value, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 10):
        digits = f"REPLACE({digits}, '{letter}', '{value}')"
    first = f"MOD(TRY_CAST(SUBSTR({digits}, 1, 35) AS DECIMAL(38, 0)), 97)"
    return f"MOD(TRY_CAST(CAST({first} AS STRING) || SUBSTR({digits}, 36) AS DECIMAL(38, 0)), 97)"


@compiles(Shifted, *ENGINES)
def _shift(element: Shifted, compiler: SQLCompiler, **kw: Any) -> str:
    number, bits = arguments(element, compiler, kw)
    return f"SHIFTRIGHT({number}, {bits})"
