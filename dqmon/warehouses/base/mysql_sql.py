"""How MySQL and MariaDB write what engines write differently (`dqmon.sql`); registered when it is imported.

Texts are as a server in any SQL mode reads them: no backslashes, no `||`, names in backquotes unless the server is connected to.
Where zones and patterns are written out the text depends on values; it is not reused for others, since statements that have a
`NamedTable` in them are never cached.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from dqmon.core.table import TypeGroup
from dqmon.sql.aggregates import Average
from dqmon.sql.arguments import arguments, first_group
from dqmon.sql.columns import BoundMoment, stored
from dqmon.sql.conditions import Matches
from dqmon.sql.formats import Remainder97
from dqmon.sql.instant import InUtc, SecondsBetween
from dqmon.sql.keys import ExactKey
from dqmon.sql.plain import Digits, Double, Ended, Hash, Measured, Micros
from dqmon.sql.texts import CodePoint, ExactText, FullyMatches, Translate
from dqmon.warehouses.base.wall_clock import seconds_ahead

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

BINARY = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bit", "geometry", "vector"})
"""Types whose text is the hex digits of their bytes; geometry stands for all kinds of it."""

_EXACT = "/*!80017 COLLATE utf8mb4_0900_bin *//*M! COLLATE utf8mb4_nopad_bin */"
"""The collation that tells all texts apart, and trailing spaces, too. It has a name on either server, and each reads its own comment
(https://dev.mysql.com/doc/refman/8.4/en/comments.html, https://mariadb.com/kb/en/comment-syntax/)."""

_MOMENT = "DATETIME(6)"


def _on_both(element: Any) -> Callable[[Any], Any]:
    return compiles(element, "mysql", "mariadb")


def _exact(text: str) -> str:
    return f"(CONVERT({text} USING utf8mb4) {_EXACT})"


@_on_both(sa.ColumnClause)
def _column(element: sa.ColumnClause[Any], compiler: SQLCompiler, **kw: Any) -> str:
    """A float of 32 bits as the double that it is: as such it would be sent with six digits."""
    name = compiler.visit_column(element, **kw)
    is_single = element.table is None and stored(element).declared == "float"
    return f"CAST({name} AS DOUBLE)" if is_single else name


@_on_both(sa.Cast)
def _cast(element: sa.Cast[Any], compiler: SQLCompiler, **kw: Any) -> str:
    # Before it has asked a server for its version SQLAlchemy leaves this cast out.
    if isinstance(element.type, sa.Double):
        return f"CAST({compiler.process(element.clause, **kw)} AS DOUBLE)"
    return str(compiler.visit_cast(element, **kw))  # type: ignore[no-untyped-call]  # SQLAlchemy has no types there


@_on_both(sa.Function)
def _function(element: sa.Function[Any], compiler: SQLCompiler, **kw: Any) -> str:
    # LENGTH counts bytes.
    if element.name == "length":
        return f"CHAR_LENGTH({compiler.process(element.clauses, **kw)})"
    return str(compiler.visit_function(element, **kw))


@_on_both(ExactText)
def _exact_text(element: ExactText, compiler: SQLCompiler, **kw: Any) -> str:
    (column,) = element.clauses
    value = compiler.process(column, **kw)
    return _exact(f"HEX({value})" if stored(column).declared.partition("(")[0] in BINARY else value)


@_on_both(ExactKey)
def _exact_key(element: ExactKey, compiler: SQLCompiler, **kw: Any) -> str:
    value, kind = compiler.process(element.clauses, **kw), stored(element)
    return _exact(value) if kind.group is TypeGroup.TEXT or kind.declared == "json" else value


def _text_and_pattern(element: Any, compiler: SQLCompiler, **kw: Any) -> tuple[str, str]:
    text, pattern = element.clauses
    found = compiler.process(text, **kw)
    return found if isinstance(text, ExactText) else _exact(found), compiler.process(pattern, **kw)


@_on_both(Matches)
def _found(element: Matches, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = _text_and_pattern(element, compiler, **kw)
    return f"({text} REGEXP {pattern})"


@_on_both(FullyMatches)
def _whole(element: FullyMatches, compiler: SQLCompiler, **kw: Any) -> str:
    # `$` stands before a line feed at the end, too.
    text, pattern = _text_and_pattern(element, compiler, **kw)
    return f"({text} REGEXP CONCAT('^(?:', {pattern}, ')(?!(?s:.))'))"


@_on_both(CodePoint)
def _ascii(element: CodePoint, compiler: SQLCompiler, **kw: Any) -> str:
    return f"COALESCE(CONV(NULLIF(HEX(CONVERT({compiler.process(element.clauses, **kw)} USING utf32)), ''), 16, 10), 0)"


@_on_both(Translate)
def _replaced(element: Translate, compiler: SQLCompiler, **kw: Any) -> str:
    text, *letters = element.clauses
    found = compiler.process(text, **kw)
    capital, small = (letter.value for letter in letters)
    for letter, folded in zip(capital, small, strict=True):
        found = f"REPLACE({found}, '{letter}', '{folded}')"
    return found


@_on_both(Average)
def _quotient(element: Average, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    if first_group(element) is TypeGroup.FLOAT:
        return f"AVG({value})"
    return f"CONCAT(CAST(SUM({value}) AS CHAR), '/', COUNT({value}))"


@_on_both(BoundMoment)
def _moment(element: BoundMoment, compiler: SQLCompiler, **kw: Any) -> str:
    # The driver writes a text, which would be cut down to the type of the column: to a day beside a date.
    return f"CAST({compiler.process(element.clauses, **kw)} AS {_MOMENT})"


@_on_both(InUtc)
def _in_utc(element: InUtc, compiler: SQLCompiler, **kw: Any) -> str:
    """Without CONVERT_TZ, which is NULL where the server's tables of time zones are empty, as they are at first."""
    wall, zone = element.clauses
    value = f"CAST({compiler.process(wall, **kw)} AS {_MOMENT})"
    ahead = seconds_ahead(value, zone.value, lambda at: f"'{at:%Y-%m-%d %H:%M:%S}'")
    return value if ahead == "0" else f"({value} - INTERVAL ({ahead}) SECOND)"


@_on_both(SecondsBetween)
def _seconds(element: SecondsBetween, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = arguments(element, compiler, kw)
    # A quotient would have four decimals.
    return f"(TIMESTAMPDIFF(MICROSECOND, {start}, {end}) * 0.000001)"


@_on_both(Micros)
def _micros(element: Micros, compiler: SQLCompiler, **kw: Any) -> str:
    (moment,) = element.clauses
    # A cast to a timestamp would leave out the fractions of seconds.
    value = compiler.process(moment.clause if isinstance(moment, sa.Cast) else moment, **kw)
    return f"CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {value}) AS CHAR)"


@_on_both(Digits)
def _digits(element: Digits, compiler: SQLCompiler, **kw: Any) -> str:
    value, group = compiler.process(element.clauses, **kw), first_group(element)
    if group is TypeGroup.BOOLEAN:
        return f"CAST({value} <> 0 AS CHAR)"
    # A number that is filled up with zeros loses them in a sum.
    text = f"CAST({value} + 0 AS CHAR)"
    if group is not TypeGroup.DECIMAL:
        return text
    return f"(CASE WHEN LOCATE('.', {text}) > 0 THEN TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {text})) ELSE {text} END)"


@_on_both(Double)
def _double(element: Double, compiler: SQLCompiler, **kw: Any) -> str:
    """The fewest digits that are the double again: MySQL has no function that writes 17, so that only its own are the same text."""
    value = compiler.process(element.clauses, **kw)
    return f"(CASE WHEN {value} = 0 THEN '0' ELSE CAST({value} AS CHAR) END)"


@_on_both(Ended)
def _bar(element: Ended, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CONCAT(COALESCE({compiler.process(element.clauses, **kw)}, ''), '|')"


@_on_both(Measured)
def _length_and_bar(element: Measured, compiler: SQLCompiler, **kw: Any) -> str:
    text = compiler.process(element.clauses, **kw)
    return f"CONCAT(COALESCE(CONCAT(CHAR_LENGTH({text}), ':', {text}), ''), '|')"


@_on_both(Hash)
def _md5(element: Hash, compiler: SQLCompiler, **kw: Any) -> str:
    text = compiler.process(element.clauses, **kw)
    return f"CAST(CONV(SUBSTR(MD5(CONVERT({text} USING utf8mb4)), 1, 15), 16, 10) AS SIGNED)"


@_on_both(Remainder97)
def _remainder(element: Remainder97, compiler: SQLCompiler, **kw: Any) -> str:
    """In two steps: 34 characters are 66 digits at most, a number has 65."""
    iban = compiler.process(element.clauses, **kw)
    digits = f"CONCAT(SUBSTR({iban}, 5), SUBSTR({iban}, 1, 4))"
    for value, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 10):
        digits = f"REPLACE({digits}, '{letter}', '{value}')"
    first = f"MOD(CAST(SUBSTR({digits}, 1, 35) AS DECIMAL(35, 0)), 97)"
    return f"MOD(CAST(CONCAT({first}, SUBSTR({digits}, 36)) AS DECIMAL(35, 0)), 97)"
