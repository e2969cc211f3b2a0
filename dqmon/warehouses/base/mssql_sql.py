"""How SQL Server writes what engines write differently (`dqmon.sql`), from 2019 on; registered when it is imported.

Where moments, zones and patterns are written out the text depends on
values; it is not reused for others, since statements that have a `NamedTable` in them are never cached.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from dqmon.core.histogram import GRID, HIGHEST, LOWEST
from dqmon.core.table import TypeGroup
from dqmon.errors import QueryFailed
from dqmon.sql.aggregates import Average, Deviation, Total
from dqmon.sql.arguments import arguments
from dqmon.sql.columns import BoundMoment, stored
from dqmon.sql.conditions import Matches
from dqmon.sql.instant import InUtc, SecondsBetween
from dqmon.sql.keys import ExactKey
from dqmon.sql.metrics.histograms import GridCode
from dqmon.sql.metrics.rows import Shifted
from dqmon.sql.plain import Digits, Double, Ended, Hash, Measured, Micros
from dqmon.sql.texts import CodePoint, ExactText, FullyMatches, Like
from dqmon.warehouses.base import plain_conditions as _plain_conditions  # noqa: F401 - registers how conditions are written
from dqmon.warehouses.base.wall_clock import seconds_ahead

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

_TEXT = "NVARCHAR(MAX)"
_EXACT = "COLLATE Latin1_General_100_BIN2"
_MOMENT = "DATETIME2(6)"
_NO_PATTERNS = "SQL Server has no regular expressions before 2025, and so no formats; write a `like` pattern, or a condition with PATINDEX"


@compiles(sa.Cast, "mssql")
def _cast(element: sa.Cast[Any], compiler: SQLCompiler, **kw: Any) -> str:
    if isinstance(element.type, sa.String):
        return f"CAST({compiler.process(element.clause, **kw)} AS {_TEXT})"
    return str(compiler.visit_cast(element, **kw))  # type: ignore[no-untyped-call]  # SQLAlchemy has no types there


@compiles(sa.Function, "mssql")
def _function(element: sa.Function[Any], compiler: SQLCompiler, **kw: Any) -> str:
    match element.name:
        case "length":
            return _length(compiler.process(element.clauses, **kw))
        case "substr":
            return f"SUBSTRING({compiler.process(element.clauses, **kw)})"
        case _:
            return str(compiler.visit_function(element, **kw))


def _length(text: str) -> str:
    """Code points, trailing spaces with them, which LEN alone leaves out."""
    return f"(LEN(CONCAT({text}, N'.') COLLATE Latin1_General_100_CI_AS_SC) - 1)"


@compiles(ExactText, "mssql")
def _exact_text(element: ExactText, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(CAST({compiler.process(element.clauses, **kw)} AS {_TEXT}) {_EXACT})"


@compiles(ExactKey, "mssql")
def _exact_key(element: ExactKey, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    return f"(CAST({value} AS {_TEXT}) {_EXACT})" if stored(element).group is TypeGroup.TEXT else value


@compiles(Matches, "mssql")
@compiles(FullyMatches, "mssql")
def _refused(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    del element, compiler, kw
    raise QueryFailed(_NO_PATTERNS)


@compiles(Like, "mssql")
def _like(element: Like, compiler: SQLCompiler, **kw: Any) -> str:
    like: Any = next(iter(element.clauses))
    pattern = sa.literal(_without_classes(like.right.value, has_escape=bool(like.modifiers.get("escape"))), sa.String())
    return f"({compiler.process(like.left, **kw)} LIKE {compiler.process(pattern, **kw)} ESCAPE '\\')"


def _without_classes(pattern: str, *, has_escape: bool) -> str:
    """The pattern with backslashes before what T-SQL would read as a class of characters, and before backslashes that are none."""
    found, is_escaped = "", False
    for c in pattern:
        if c == "\\" and has_escape and not is_escaped:
            is_escaped = True
            continue
        found += f"\\{c}" if is_escaped or c in "[\\" else c
        is_escaped = False
    return found


@compiles(CodePoint, "mssql")
def _unicode(element: CodePoint, compiler: SQLCompiler, **kw: Any) -> str:
    return f"COALESCE(UNICODE({compiler.process(element.clauses, **kw)}), 0)"


def _wide(value: str, clause: Any) -> str:
    """Whole numbers as decimals of 38 digits: their own sums overflow."""
    is_whole = isinstance(clause.type, sa.Integer) or stored(clause).group is TypeGroup.INTEGER
    return f"CAST({value} AS DECIMAL(38, 0))" if is_whole else value


@compiles(Total, "mssql")
def _sum(element: Total, compiler: SQLCompiler, **kw: Any) -> str:
    (clause,) = element.clauses
    return f"SUM({_wide(compiler.process(clause, **kw), clause)})"


@compiles(Average, "mssql")
def _quotient(element: Average, compiler: SQLCompiler, **kw: Any) -> str:
    (clause,) = element.clauses
    value = compiler.process(clause, **kw)
    if stored(clause).group is TypeGroup.FLOAT:
        return f"AVG({value})"
    return f"(CAST(SUM({_wide(value, clause)}) AS VARCHAR(50)) + '/' + CAST(COUNT_BIG({value}) AS VARCHAR(20)))"


@compiles(Deviation, "mssql")
def _stdev(element: Deviation, compiler: SQLCompiler, **kw: Any) -> str:
    return f"STDEV({compiler.process(element.clauses, **kw)})"


@compiles(GridCode, "mssql")
def _grid_code(element: GridCode, compiler: SQLCompiler, **kw: Any) -> str:
    value = f"CAST({compiler.process(element.clauses, **kw)} AS FLOAT)"
    least, most = 2.0**LOWEST, 2.0**HIGHEST
    size = f"CASE WHEN ABS({value}) > {most!r} THEN {most!r} WHEN ABS({value}) < {least!r} THEN {least!r} ELSE ABS({value}) END"
    octave = f"FLOOR(LOG({size}) / LOG(2e0))"
    part = f"FLOOR((({size}) / POWER(2e0, {octave}) - 1) * {GRID})"
    position = f"CAST(({octave} + {-LOWEST}) * {GRID} + {part} + 1 AS BIGINT)"
    return f"CASE WHEN {value} >= {least!r} THEN {position} WHEN {value} <= -{least!r} THEN -{position} WHEN {value} IS NOT NULL THEN 0 END"


@compiles(BoundMoment, "mssql")
def _moment(element: BoundMoment, compiler: SQLCompiler, **kw: Any) -> str:
    """Written out: the driver cuts moments off after milliseconds, and leaves out their zone."""
    del kw
    (parameter,) = element.clauses
    kind = stored(element)
    moment = kind.process_bind_param(parameter.value, compiler.dialect)
    written = f"'{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}"
    return f"CAST({written}+00:00' AS DATETIMEOFFSET(6))" if kind.group is TypeGroup.TIMESTAMP_ZONED else f"CAST({written}' AS {_MOMENT})"


@compiles(InUtc, "mssql")
def _in_utc(element: InUtc, compiler: SQLCompiler, **kw: Any) -> str:
    """By the zone's clock written out: AT TIME ZONE knows Windows' names only."""
    wall, zone = element.clauses
    value = f"CAST({compiler.process(wall, **kw)} AS {_MOMENT})"
    ahead = seconds_ahead(value, zone.value, _wall)
    return value if ahead == "0" else f"DATEADD(SECOND, -({ahead}), {value})"


def _wall(at: datetime) -> str:
    return f"'{at.isoformat(timespec='seconds')}'"


@compiles(SecondsBetween, "mssql")
def _seconds(element: SecondsBetween, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = arguments(element, compiler, kw)
    return f"(DATEDIFF_BIG(MICROSECOND, {start}, {end}) * 0.000001)"


@compiles(Micros, "mssql")
def _micros(element: Micros, compiler: SQLCompiler, **kw: Any) -> str:
    (moment,) = element.clauses
    # The neutral cast would be to a TIMESTAMP, which is a number of a row here.
    value = compiler.process(moment.clause if isinstance(moment, sa.Cast) else moment, **kw)
    return f"CAST(DATEDIFF_BIG(MICROSECOND, CAST('1970-01-01' AS {_MOMENT}), {value}) AS VARCHAR(20))"


@compiles(Digits, "mssql")
def _digits(element: Digits, compiler: SQLCompiler, **kw: Any) -> str:
    kind = stored(next(iter(element.clauses)))
    value, group, declared = compiler.process(element.clauses, **kw), kind.group, kind.declared
    if group is TypeGroup.BOOLEAN:
        return f"CAST(CAST({value} AS INT) AS VARCHAR(1))"
    # Money is written with two of its four decimals.
    text = f"CAST(CAST({value} AS DECIMAL(19, 4)) AS VARCHAR(50))" if "money" in declared else f"CAST({value} AS VARCHAR(50))"
    if group is not TypeGroup.DECIMAL:
        return text
    # RTRIM takes off nothing but spaces.
    short = f"REPLACE(RTRIM(REPLACE({text}, '0', ' ')), ' ', '0')"
    return f"(CASE WHEN CHARINDEX('.', {text}) > 0 THEN REPLACE(RTRIM(REPLACE({short}, '.', ' ')), ' ', '.') ELSE {text} END)"


@compiles(Double, "mssql")
def _double(element: Double, compiler: SQLCompiler, **kw: Any) -> str:
    # Style 3 has 17 digits, and three of the exponent.
    # https://learn.microsoft.com/en-us/sql/t-sql/functions/cast-and-convert-transact-sql
    value = compiler.process(element.clauses, **kw)
    text = f"LOWER(CONVERT(VARCHAR(30), {value}, 3))"
    return (
        f"(CASE WHEN {value} = 0 THEN '0' WHEN LEFT(RIGHT({text}, 3), 1) = '0' THEN STUFF({text}, LEN({text}) - 2, 1, '') ELSE {text} END)"
    )


@compiles(Ended, "mssql")
def _bar(element: Ended, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CONCAT({compiler.process(element.clauses, **kw)}, N'|')"


@compiles(Measured, "mssql")
def _length_and_bar(element: Measured, compiler: SQLCompiler, **kw: Any) -> str:
    text = compiler.process(element.clauses, **kw)
    return f"CONCAT(CASE WHEN {text} IS NOT NULL THEN CONCAT({_length(text)}, N':', {text}) END, N'|')"


@compiles(Hash, "mssql")
def _md5(element: Hash, compiler: SQLCompiler, **kw: Any) -> str:
    """Of the characters in UTF-8; the first 60 bits are seven bytes and a half."""
    text = compiler.process(element.clauses, **kw)
    found = f"HASHBYTES('MD5', CAST(({text}) COLLATE Latin1_General_100_BIN2_UTF8 AS VARCHAR(MAX)))"
    return f"(CAST(SUBSTRING({found}, 1, 7) AS BIGINT) * 16 + CAST(SUBSTRING({found}, 8, 1) AS INT) / 16)"


@compiles(Shifted, "mssql")
def _shift(element: Shifted, compiler: SQLCompiler, **kw: Any) -> str:
    number, bits = arguments(element, compiler, kw)
    return f"({number} / POWER(CAST(2 AS BIGINT), {bits}))"
