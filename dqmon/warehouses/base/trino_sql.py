r"""How Trino writes what engines write differently (`dqmon.sql`); registered when it is imported.

Sessions are in UTC. Regular expressions are Java's (https://trino.io/docs/current/functions/regexp.html). Texts have no escapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from dqmon.core.table import TypeGroup
from dqmon.sql.aggregates import Total, WithoutNan
from dqmon.sql.arguments import arguments, first_group
from dqmon.sql.columns import BoundMoment, stored
from dqmon.sql.conditions import IsNan, Matches
from dqmon.sql.formats import Remainder97
from dqmon.sql.instant import InUtc, SecondsBetween
from dqmon.sql.metrics.rows import Shifted
from dqmon.sql.plain import Digits, Double, Hash, Micros
from dqmon.sql.texts import CodePoint, FullyMatches

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler


@compiles(Matches, "trino")
def _found(element: Matches, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = arguments(element, compiler, kw)
    return f"REGEXP_LIKE({text}, {pattern})"


@compiles(FullyMatches, "trino")
def _whole(element: FullyMatches, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = arguments(element, compiler, kw)
    return rf"REGEXP_LIKE({text}, '\A(?:' || {pattern} || ')\z')"


@compiles(CodePoint, "trino")
def _code_point(element: CodePoint, compiler: SQLCompiler, **kw: Any) -> str:
    # It takes exactly one character.
    (text,) = arguments(element, compiler, kw)
    return f"(CASE WHEN {text} = '' THEN 0 ELSE CODEPOINT(CAST({text} AS VARCHAR(1))) END)"


@compiles(IsNan, "trino")
def _is_nan(element: IsNan, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = arguments(element, compiler, kw)
    return f"IS_NAN({value})" if first_group(element) is TypeGroup.FLOAT else "false"


@compiles(WithoutNan, "trino")
def _nullif(element: WithoutNan, compiler: SQLCompiler, **kw: Any) -> str:
    # NULLIF would not do: NaN equals nothing in Trino.
    (value,) = arguments(element, compiler, kw)
    return f"IF(IS_NAN({value}), NULL, {value})" if stored(element).group is TypeGroup.FLOAT else value


@compiles(Total, "trino")
def _sum(element: Total, compiler: SQLCompiler, **kw: Any) -> str:
    """Whole numbers as decimals, since a sum of 64 bits overflows."""
    (value,) = arguments(element, compiler, kw)
    kind = next(iter(element.clauses)).type
    is_whole = isinstance(kind, sa.Integer) or first_group(element) is TypeGroup.INTEGER
    return f"SUM(CAST({value} AS DECIMAL(38, 0)))" if is_whole else f"SUM({value})"


@compiles(BoundMoment, "trino")
def _moment(element: BoundMoment, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = arguments(element, compiler, kw)
    zone = " WITH TIME ZONE" if stored(element).group is TypeGroup.TIMESTAMP_ZONED else ""
    return f"CAST({value} AS TIMESTAMP(6){zone})"


@compiles(InUtc, "trino")
def _in_utc(element: InUtc, compiler: SQLCompiler, **kw: Any) -> str:
    """Of a wall time that the clock shows twice the later reading (`core.calendar.at_wall_time`).

    Three hours on, any clock that went back has done so; with its offset from then the wall time is the other reading, if it is one.
    """
    value, zone = element.clauses
    wall = f"CAST({compiler.process(value, **kw)} AS TIMESTAMP(6))"
    first = f"WITH_TIMEZONE({wall}, {compiler.process(zone, **kw)})"
    if stored(value).zone == "UTC":
        return first
    after = f"({first} + INTERVAL '3' HOUR)"
    other = f"({after} - (CAST({after} AS TIMESTAMP(6)) - {wall}))"
    return f"IF(CAST({other} AS TIMESTAMP(6)) = {wall}, GREATEST({first}, {other}), {first})"


@compiles(SecondsBetween, "trino")
def _seconds(element: SecondsBetween, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = (_micros_of(value) for value in arguments(element, compiler, kw))
    return f"(CAST({end} - {start} AS DOUBLE) / 1000000)"


def _micros_of(value: str) -> str:
    """Microseconds since 1970, exactly: of a double, which TO_UNIXTIME gives, the last ones would be lost in far years."""
    whole = f"DATE_DIFF('second', TIMESTAMP '1970-01-01 00:00:00 UTC', DATE_TRUNC('second', {value}))"
    # By the digits of its text: DATE_FORMAT and MILLISECOND know of milliseconds only.
    return f"({whole} * 1000000 + CAST(SUBSTR(CAST(CAST({value} AS TIMESTAMP(6)) AS VARCHAR), -6) AS BIGINT))"


@compiles(Micros, "trino")
def _micros(element: Micros, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = arguments(element, compiler, kw)
    return f"CAST({_micros_of(value)} AS VARCHAR)"


@compiles(Digits, "trino")
def _digits(element: Digits, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = arguments(element, compiler, kw)
    match first_group(element):
        case TypeGroup.BOOLEAN:
            return f"CAST(CAST({value} AS INTEGER) AS VARCHAR)"
        case TypeGroup.DECIMAL:
            text = f"CAST({value} AS VARCHAR)"
            return rf"IF(STRPOS({text}, '.') > 0, REGEXP_REPLACE({text}, '\.?0+$', ''), {text})"
        case _:
            return f"CAST({value} AS VARCHAR)"


@compiles(Double, "trino")
def _double(element: Double, compiler: SQLCompiler, **kw: Any) -> str:
    """Java's 17 digits: the shortest ones that tell the double apart, and zeros."""
    (value,) = arguments(element, compiler, kw)
    return f"(CASE WHEN {value} = 0 THEN '0' WHEN NOT IS_FINITE({value}) THEN CAST({value} AS VARCHAR) ELSE FORMAT('%.16e', {value}) END)"


@compiles(Hash, "trino")
def _md5(element: Hash, compiler: SQLCompiler, **kw: Any) -> str:
    (text,) = arguments(element, compiler, kw)
    return f"FROM_BASE(SUBSTR(TO_HEX(MD5(TO_UTF8({text}))), 1, 15), 16)"


@compiles(Remainder97, "trino")
def _remainder(element: Remainder97, compiler: SQLCompiler, **kw: Any) -> str:
    """In two steps: 34 characters are 68 digits at most, a decimal has 38; and by TRY_CAST, since it may see what is no IBAN."""
    (iban,) = arguments(element, compiler, kw)
    digits = f"SUBSTR({iban}, 5) || SUBSTR({iban}, 1, 4)"
    for value, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 10):
        digits = f"REPLACE({digits}, '{letter}', '{value}')"
    first = f"MOD(TRY_CAST(SUBSTR({digits}, 1, 35) AS DECIMAL(38, 0)), 97)"
    return f"MOD(TRY_CAST(CAST({first} AS VARCHAR) || SUBSTR({digits}, 36) AS DECIMAL(38, 0)), 97)"


@compiles(Shifted, "trino")
def _shift(element: Shifted, compiler: SQLCompiler, **kw: Any) -> str:
    number, bits = arguments(element, compiler, kw)
    return f"BITWISE_RIGHT_SHIFT_ARITHMETIC({number}, {bits})"
