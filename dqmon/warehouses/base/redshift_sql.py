"""How Redshift writes what engines write differently (`dqmon.sql`); registered when it is imported.

No backslash stands in a literal of this file: whether it escapes depends on a setting. Regular expressions are Perl's (PCRE), which
Redshift takes beside POSIX ones (https://docs.aws.amazon.com/redshift/latest/dg/REGEXP_INSTR.html).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from dqmon.core.table import TypeGroup
from dqmon.sql.aggregates import WithoutNan
from dqmon.sql.arguments import arguments, first_group
from dqmon.sql.columns import stored
from dqmon.sql.conditions import IsNan, Matches
from dqmon.sql.instant import SecondsBetween
from dqmon.sql.keys import ExactKey
from dqmon.sql.plain import Digits, Double, Hash, Micros
from dqmon.sql.texts import ExactText, FullyMatches, Like

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

_NAN = "CAST('NaN' AS DOUBLE PRECISION)"


@compiles(ExactText, "redshift")
def _in_case(element: ExactText, compiler: SQLCompiler, **kw: Any) -> str:
    # A database or column may be without case; the catalogue does not tell.
    # https://docs.aws.amazon.com/redshift/latest/dg/r_COLLATE.html
    (column,) = element.clauses
    return f"COLLATE({compiler.process(sa.cast(column, sa.Text()), **kw)}, 'case_sensitive')"


@compiles(ExactKey, "redshift")
def _key_in_case(element: ExactKey, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = arguments(element, compiler, kw)
    return f"COLLATE({value}, 'case_sensitive')" if stored(element).group is TypeGroup.TEXT else value


@compiles(Matches, "redshift")
def _found(element: Matches, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = arguments(element, compiler, kw)
    return f"(REGEXP_INSTR({text}, {pattern}, 1, 1, 0, 'p') > 0)"


@compiles(FullyMatches, "redshift")
def _whole(element: FullyMatches, compiler: SQLCompiler, **kw: Any) -> str:
    # The end is where no character follows; `$` is also before a line's end.
    text, pattern = arguments(element, compiler, kw)
    return f"(REGEXP_INSTR({text}, '^(?:' || {pattern} || ')(?!.|[^.])', 1, 1, 0, 'p') = 1)"


@compiles(Like, "redshift")
def _like(element: Like, compiler: SQLCompiler, **kw: Any) -> str:
    # The backslash escapes without being asked to (https://docs.aws.amazon.com/redshift/latest/dg/r_patternmatching_condition_like.html).
    like: Any = next(iter(element.clauses))
    return f"({compiler.process(like.left, **kw)} LIKE {compiler.process(like.right, **kw)})"


@compiles(IsNan, "redshift")
def _is_nan(element: IsNan, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = arguments(element, compiler, kw)
    return f"({value} = {_NAN})" if first_group(element) is TypeGroup.FLOAT else "false"


@compiles(WithoutNan, "redshift")
def _nullif(element: WithoutNan, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = arguments(element, compiler, kw)
    return f"NULLIF({value}, {_NAN})" if stored(element).group is TypeGroup.FLOAT else value


@compiles(SecondsBetween, "redshift")
def _seconds(element: SecondsBetween, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = arguments(element, compiler, kw)
    return f"(DATEDIFF(microsecond, {start}, {end}) / 1000000.0)"


@compiles(Micros, "redshift")
def _micros(element: Micros, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = arguments(element, compiler, kw)
    return f"CAST(DATEDIFF(microsecond, TIMESTAMPTZ '1970-01-01 00:00:00+00', CAST({value} AS TIMESTAMPTZ)) AS VARCHAR)"


@compiles(Digits, "redshift")
def _digits(element: Digits, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = arguments(element, compiler, kw)
    match first_group(element):
        case TypeGroup.BOOLEAN:
            return f"CAST(CAST({value} AS INTEGER) AS VARCHAR)"
        case TypeGroup.DECIMAL:
            text = f"CAST({value} AS VARCHAR)"
            return f"(CASE WHEN POSITION('.' IN {text}) > 0 THEN RTRIM(RTRIM({text}, '0'), '.') ELSE {text} END)"
        case _:
            return f"CAST({value} AS VARCHAR)"


@compiles(Double, "redshift")
def _double(element: Double, compiler: SQLCompiler, **kw: Any) -> str:
    """Redshift's own digits, as many as `extra_float_digits` asks for: its TO_CHAR has no exponents."""
    (value,) = arguments(element, compiler, kw)
    return f"(CASE WHEN {value} = 0 THEN '0' ELSE CAST({value} AS VARCHAR) END)"


@compiles(Hash, "redshift")
def _md5(element: Hash, compiler: SQLCompiler, **kw: Any) -> str:
    (text,) = arguments(element, compiler, kw)
    return f"STRTOL(SUBSTRING(MD5({text}), 1, 15), 16)"
