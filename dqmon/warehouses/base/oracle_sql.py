"""How Oracle writes what engines write differently (`dqmon.sql`), from 19c on; registered when it is imported.

The empty text is NULL there. Names are folded as Snowflake folds them. Where moments and zones are written out the text depends on
values; it is not reused for others, since statements that have a `NamedTable` in them are never cached.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from dqmon.core.table import TypeGroup
from dqmon.sql.aggregates import Average, WithoutNan
from dqmon.sql.arguments import arguments, first_group
from dqmon.sql.columns import BoundMoment, stored
from dqmon.sql.conditions import IsNan, Matches
from dqmon.sql.formats import Remainder97
from dqmon.sql.instant import InUtc, SecondsBetween
from dqmon.sql.keys import ExactKey
from dqmon.sql.metrics.rows import Shifted
from dqmon.sql.plain import Digits, Double, Hash, Measured, Micros
from dqmon.sql.raw import DATASET, WrittenQuery
from dqmon.sql.tables import NamedTable
from dqmon.sql.texts import CodePoint, ExactText, FullyMatches
from dqmon.warehouses.base import plain_conditions as _plain_conditions  # noqa: F401 - registers how conditions are written
from dqmon.warehouses.base.names import quoted, stored_name
from dqmon.warehouses.base.wall_clock import seconds_ahead

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

_TEXT = "VARCHAR2(4000)"
_EXACT = "COLLATE BINARY"
_PLAIN = "'TM9', 'NLS_NUMERIC_CHARACTERS=''.,'''"
"""The fewest digits, with a point, whatever the session is set to."""


@compiles(NamedTable, "oracle")
def _named(element: NamedTable, compiler: SQLCompiler, *, asfrom: bool = False, ashint: bool = False, **kw: Any) -> str:
    del kw, compiler
    return ".".join(quoted(stored_name(part)) for part in element.parts) if asfrom or ashint else ""


@compiles(WrittenQuery, "oracle")
def _in_brackets(element: WrittenQuery, compiler: SQLCompiler, *, asfrom: bool = False, ashint: bool = False, **kw: Any) -> str:
    """Without AS before the name."""
    del kw
    text = compiler.escape_literal_column(element.text)  # type: ignore[no-untyped-call]  # SQLAlchemy has no types there
    return f"(\n{text.replace(DATASET, compiler.process(element.table, asfrom=True))}\n) dq_query" if asfrom or ashint else ""


@compiles(sa.ColumnClause, "oracle")
def _column(element: sa.ColumnClause[Any], compiler: SQLCompiler, **kw: Any) -> str:
    """A column of a table, which alone is always quoted (`dqmon.sql.tables.typed`); labels are as everywhere."""
    name = element.name
    is_stored = isinstance(name, sa.sql.quoted_name) and name.quote and element.table is None
    return quoted(stored_name(str(name))) if is_stored else compiler.visit_column(element, **kw)


@compiles(sa.BindParameter, "oracle")
def _bound(element: sa.BindParameter[Any], compiler: SQLCompiler, **kw: Any) -> str:
    """The empty text as one that no column has: as NULL, which it would be, it would make NULL of every comparison with a list."""
    is_empty = isinstance(element.value, str) and not element.value
    return "CHR(0)" if is_empty else str(compiler.visit_bindparam(element, **kw))  # type: ignore[no-untyped-call]  # as below


@compiles(sa.Cast, "oracle")
def _cast(element: sa.Cast[Any], compiler: SQLCompiler, **kw: Any) -> str:
    kind = _TEXT if isinstance(element.type, sa.String) else "BINARY_DOUBLE" if isinstance(element.type, sa.Double) else None
    if kind is None:
        return str(compiler.visit_cast(element, **kw))  # type: ignore[no-untyped-call]  # as above
    return f"CAST({compiler.process(element.clause, **kw)} AS {kind})"


@compiles(ExactText, "oracle")
def _exact_text(element: ExactText, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(CAST({compiler.process(element.clauses, **kw)} AS {_TEXT}) {_EXACT})"


@compiles(ExactKey, "oracle")
def _exact_key(element: ExactKey, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    return f"(CAST({value} AS {_TEXT}) {_EXACT})" if stored(element).group is TypeGroup.TEXT else value


@compiles(Matches, "oracle")
def _found(element: Matches, compiler: SQLCompiler, **kw: Any) -> str:
    return f"REGEXP_LIKE({compiler.process(element.clauses, **kw)}, 'c')"


@compiles(FullyMatches, "oracle")
def _whole(element: FullyMatches, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = arguments(element, compiler, kw)
    return f"REGEXP_LIKE({text}, '^(' || REPLACE({pattern}, '(?:', '(') || ')$', 'c')"


@compiles(CodePoint, "oracle")
def _ascii(element: CodePoint, compiler: SQLCompiler, **kw: Any) -> str:
    return f"COALESCE(ASCII({compiler.process(element.clauses, **kw)}), 0)"


@compiles(IsNan, "oracle")
def _is_nan(element: IsNan, compiler: SQLCompiler, **kw: Any) -> str:
    (column,) = element.clauses
    return f"({compiler.process(column, **kw)} IS NAN)" if stored(column).group is TypeGroup.FLOAT else "(1 = 0)"


@compiles(WithoutNan, "oracle")
def _without_nan(element: WithoutNan, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    return f"NANVL({value}, NULL)" if stored(element).group is TypeGroup.FLOAT else value


@compiles(Average, "oracle")
def _quotient(element: Average, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    if first_group(element) is TypeGroup.FLOAT:
        return f"AVG({value})"
    return f"NVL2(SUM({value}), TO_CHAR(SUM({value}), {_PLAIN}) || '/' || TO_CHAR(COUNT({value})), NULL)"


@compiles(BoundMoment, "oracle")
def _moment(element: BoundMoment, compiler: SQLCompiler, **kw: Any) -> str:
    """Written out: bound, it would be a DATE, which has no fractions of seconds and no zone."""
    del kw
    (parameter,) = element.clauses
    kind = stored(element)
    moment = kind.process_bind_param(parameter.value, compiler.dialect)
    zone = " +00:00" if kind.group is TypeGroup.TIMESTAMP_ZONED else ""
    return f"TIMESTAMP '{moment.replace(tzinfo=None).isoformat(' ', 'microseconds')}{zone}'"


@compiles(InUtc, "oracle")
def _in_utc(element: InUtc, compiler: SQLCompiler, **kw: Any) -> str:
    """By the zone's clock written out: FROM_TZ fails on times that a clock leaves out."""
    wall, zone = element.clauses
    value = f"CAST({compiler.process(wall, **kw)} AS TIMESTAMP(6))"
    ahead = seconds_ahead(value, zone.value, _wall)
    return value if ahead == "0" else f"({value} - NUMTODSINTERVAL({ahead}, 'SECOND'))"


def _wall(at: datetime) -> str:
    return f"TIMESTAMP '{at:%Y-%m-%d %H:%M:%S}'"


def _utc(clause: Any, compiler: SQLCompiler, **kw: Any) -> str:
    """A timestamp without zone, in UTC."""
    inner = clause.clause if isinstance(clause, sa.Cast) else clause
    value = compiler.process(inner, **kw)
    return f"SYS_EXTRACT_UTC({value})" if stored(inner).group is TypeGroup.TIMESTAMP_ZONED else f"CAST({value} AS TIMESTAMP(6))"


def _seconds_of(interval: str) -> str:
    parts = {"DAY": 86_400, "HOUR": 3_600, "MINUTE": 60, "SECOND": 1}
    return " + ".join(f"EXTRACT({part} FROM ({interval})) * {seconds}" for part, seconds in parts.items())


@compiles(SecondsBetween, "oracle")
def _seconds(element: SecondsBetween, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = (_utc(clause, compiler, **kw) for clause in element.clauses)
    return f"({_seconds_of(f'{end} - {start}')})"


@compiles(Micros, "oracle")
def _micros(element: Micros, compiler: SQLCompiler, **kw: Any) -> str:
    seconds = _seconds_of(f"{_utc(next(iter(element.clauses)), compiler, **kw)} - TIMESTAMP '1970-01-01 00:00:00'")
    return f"TO_CHAR(({seconds}) * 1000000, {_PLAIN})"


@compiles(Digits, "oracle")
def _digits(element: Digits, compiler: SQLCompiler, **kw: Any) -> str:
    # A half is .5 there.
    return rf"REGEXP_REPLACE(TO_CHAR({compiler.process(element.clauses, **kw)}, {_PLAIN}), '^(-?)\.', '\10.')"


@compiles(Double, "oracle")
def _double(element: Double, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    special = f"WHEN {value} = 0 THEN '0' WHEN {value} IS NAN THEN 'NaN'"
    infinite = f"WHEN {value} IS INFINITE THEN CASE WHEN {value} < 0 THEN '-Infinity' ELSE 'Infinity' END"
    return f"(CASE {special} {infinite} ELSE LOWER(TRIM(TO_CHAR({value}, '9.{'9' * 16}EEEE'))) END)"


@compiles(Measured, "oracle")
def _length_and_bar(element: Measured, compiler: SQLCompiler, **kw: Any) -> str:
    text = compiler.process(element.clauses, **kw)
    return f"(NVL2({text}, TO_CHAR(LENGTH({text})) || ':' || {text}, NULL) || '|')"


@compiles(Hash, "oracle")
def _md5(element: Hash, compiler: SQLCompiler, **kw: Any) -> str:
    # Of the database's own characters, which are UTF-8 in all but old ones.
    text = compiler.process(element.clauses, **kw)
    return f"TO_NUMBER(SUBSTR(RAWTOHEX(STANDARD_HASH({text}, 'MD5')), 1, 15), '{'X' * 15}')"


@compiles(Shifted, "oracle")
def _shift(element: Shifted, compiler: SQLCompiler, **kw: Any) -> str:
    number, bits = arguments(element, compiler, kw)
    return f"FLOOR({number} / POWER(2, {bits}))"


@compiles(Remainder97, "oracle")
def _remainder(element: Remainder97, compiler: SQLCompiler, **kw: Any) -> str:
    """In two steps, since a number has 38 digits; what is no number is NULL."""
    iban = compiler.process(element.clauses, **kw)
    digits = f"SUBSTR({iban}, 5) || SUBSTR({iban}, 1, 4)"
    for value, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 10):
        digits = f"REPLACE({digits}, '{letter}', '{value}')"
    first = f"MOD(CAST(SUBSTR({digits}, 1, 35) AS NUMBER DEFAULT NULL ON CONVERSION ERROR), 97)"
    return f"MOD(CAST({first} || SUBSTR({digits}, 36) AS NUMBER DEFAULT NULL ON CONVERSION ERROR), 97)"
