"""How ClickHouse writes what engines write differently (`dqmon.sql`); registered when it is imported.

All of it counts on the settings that `dqmon.warehouses.base.clickhouse_client` makes sure of: no rows aggregate to NULL, outer joins
fill up with NULL, casts keep NULL, and moments without zone are in UTC.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from dqmon.core.table import TypeGroup
from dqmon.sql.aggregates import Average, Deviation, Quantile, Total, WithoutNan
from dqmon.sql.arguments import arguments
from dqmon.sql.columns import BoundMoment, stored
from dqmon.sql.conditions import IsNan, Matches
from dqmon.sql.formats import Remainder97
from dqmon.sql.instant import InUtc, SecondsBetween
from dqmon.sql.keys import ExactKey
from dqmon.sql.metrics.rows import Shifted
from dqmon.sql.plain import Digits, Double, Hash, Measured, Micros
from dqmon.sql.texts import CodePoint, FullyMatches, Like, Translate

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

DIALECT = "clickhousedb"
"""The name of the vendor's dialect."""

STATEMENT = "dqmon_statement"
"""Where a connection keeps the settings of its next statement."""

_MICROS = "DateTime64(6, 'UTC')"

_DAY = 86_400_000_000
"""Microseconds."""

_FINE = re.compile(r"DateTime64\(([7-9])\b.*")

_IN_CODE_POINTS = {"length": "lengthUTF8", "substr": "substringUTF8"}
"""ClickHouse's own count bytes."""


def quoted(name: str) -> str:
    """A name in a statement."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`").replace("\0", "\\0") + "`"


@compiles(sa.Function, DIALECT)
def _function(element: sa.Function[Any], compiler: SQLCompiler, **kw: Any) -> str:
    name = _IN_CODE_POINTS.get(element.name)
    if name is None:
        return compiler.visit_function(element, **kw)
    return f"{name}({compiler.process(element.clauses, **kw)})"


@compiles(sa.TIMESTAMP, DIALECT)
@compiles(sa.DateTime, DIALECT)
def _timestamp(element: Any, compiler: Any, **kw: Any) -> str:
    del element, compiler, kw
    return _MICROS


@compiles(BoundMoment, DIALECT)
def _moment(element: BoundMoment, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    if kw.get("literal_binds"):
        return f"parseDateTime64BestEffort({value}, 6, 'UTC')"
    fine = _FINE.fullmatch(stored(element).declared)
    if fine is None:
        return value
    # Both sides are compared in 64 bits with the digits of the finer one, which years far away do not fit into: an error.
    most = (2**63 - 1) // 10 ** (int(fine[1]) - 6)
    micros = f"greatest({-most}, least({most}, toUnixTimestamp64Micro({value})))"
    return f"toDateTime64(fromUnixTimestamp64Micro({micros}, 'UTC'), {fine[1]}, 'UTC')"


@compiles(IsNan, DIALECT)
def _is_nan(element: IsNan, compiler: SQLCompiler, **kw: Any) -> str:
    (column,) = element.clauses
    return f"isNaN({compiler.process(column, **kw)})" if stored(column).group is TypeGroup.FLOAT else "false"


@compiles(WithoutNan, DIALECT)
def _null_for_nan(element: WithoutNan, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    return f"if(isNaN({value}), NULL, {value})" if stored(element).group is TypeGroup.FLOAT else value


@compiles(ExactKey, DIALECT)
def _one_zero(element: ExactKey, compiler: SQLCompiler, **kw: Any) -> str:
    # It groups floats by their bits, of which 0 has two forms, and NaN many.
    value = compiler.process(element.clauses, **kw)
    return f"if(isNaN({value}), nan, {value} + 0)" if stored(element).group is TypeGroup.FLOAT else value


@compiles(Matches, DIALECT)
def _match(element: Matches, compiler: SQLCompiler, **kw: Any) -> str:
    # Its dot matches the end of a line, too: https://clickhouse.com/docs/sql-reference/functions/string-search-functions#match
    text, pattern = arguments(element, compiler, kw)
    return f"match({text}, '(?-s)' || {pattern})"


@compiles(FullyMatches, DIALECT)
def _whole(element: FullyMatches, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = arguments(element, compiler, kw)
    return f"match({text}, '^(?:' || {pattern} || ')$')"


@compiles(Like, DIALECT)
def _like(element: Like, compiler: SQLCompiler, **kw: Any) -> str:
    # Without ESCAPE, and a backslash before any other character stands for itself, so that it is left out.
    like: Any = next(iter(element.clauses))
    text, pattern = compiler.process(like.left, **kw), compiler.process(like.right, **kw)
    if like.modifiers.get("escape"):
        # \x25 is a percent sign, which the driver would take for its own.
        pattern = rf"replaceRegexpAll({pattern}, '\\\\([^\\x25_\\\\])', '\\1')"
    return f"({text} LIKE {pattern})"


@compiles(CodePoint, DIALECT)
def _code_point(element: CodePoint, compiler: SQLCompiler, **kw: Any) -> str:
    return f"reinterpretAsUInt32(convertCharset({compiler.process(element.clauses, **kw)}, 'UTF-8', 'UTF-32LE'))"


@compiles(Translate, DIALECT)
def _translate(element: Translate, compiler: SQLCompiler, **kw: Any) -> str:
    return f"translateUTF8({compiler.process(element.clauses, **kw)})"


def _wide(column: sa.ColumnElement[Any], value: str) -> str:
    """A number in a type that its sum fits: ClickHouse's own sums of integers begin anew past their type."""
    kind = stored(column)
    match kind.group:
        case _ if kind.group is TypeGroup.FLOAT or isinstance(column.type, sa.Float):
            return value
        case TypeGroup.DECIMAL:
            return f"CAST({value} AS Decimal(76, {kind.declared.rpartition(',')[2].strip(' )') or 0}))"
        case _ if kind.declared in ("Int128", "UInt128", "Int256", "UInt256"):
            return f"toDecimal256({value}, 0)"
        case _:
            return f"toInt128({value})"


@compiles(Total, DIALECT)
def _sum(element: Total, compiler: SQLCompiler, **kw: Any) -> str:
    (column,) = element.clauses
    return f"sum({_wide(column, compiler.process(column, **kw))})"


@compiles(Average, DIALECT)
def _average(element: Average, compiler: SQLCompiler, **kw: Any) -> str:
    (column,) = element.clauses
    value = compiler.process(column, **kw)
    if stored(column).group is TypeGroup.FLOAT:
        return f"avg({value})"
    return f"(toString(sum({_wide(column, value)})) || '/' || toString(count({value})))"


@compiles(Deviation, DIALECT)
def _deviation(element: Deviation, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    return f"if(count({value}) > 1, stddevSampStable(CAST({value} AS Float64)), NULL)"


@compiles(Quantile, DIALECT)
def _quantile(element: Quantile, compiler: SQLCompiler, **kw: Any) -> str:
    # The definition of percentile_cont: https://clickhouse.com/docs/sql-reference/aggregate-functions/reference/quantileexact
    value, q = arguments(element, compiler, kw)
    return f"quantileExactInclusive({q})(CAST({value} AS Float64))"


@compiles(InUtc, DIALECT)
def _in_utc(element: InUtc, compiler: SQLCompiler, **kw: Any) -> str:
    """As `calendar.at_wall_time` reads a clock: of a time that it shows twice, or leaves out, the later reading.

    A day before and a day after a change the clock has the two offsets; the earlier reading is taken where it alone is one.
    """
    value, zone = arguments(element, compiler, kw)
    wall = _micros_of(value)
    if getattr(list(element.clauses)[1], "value", None) == "UTC":
        return f"fromUnixTimestamp64Micro({wall}, 'UTC')"

    def ahead(micros: str) -> str:
        return f"timeZoneOffset(fromUnixTimestamp64Micro({micros}, {zone})) * 1000000"

    is_earlier = f"{ahead('w - most')} = most AND {ahead('w - least')} <> least"
    read = f"fromUnixTimestamp64Micro(w - if({is_earlier}, most, least), 'UTC')"
    both = f"{ahead(f'{wall} - {_DAY}')}, {ahead(f'{wall} + {_DAY}')}"
    return f"arrayElement(arrayMap((w, least, most) -> {read}, [{wall}], [least({both})], [greatest({both})]), 1)"


def _micros_of(value: str) -> str:
    return f"toUnixTimestamp64Micro(CAST({value} AS {_MICROS}))"


@compiles(SecondsBetween, DIALECT)
def _seconds(element: SecondsBetween, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = map(_micros_of, arguments(element, compiler, kw))
    return f"(({end} - {start}) / 1000000)"


@compiles(Micros, DIALECT)
def _micros(element: Micros, compiler: SQLCompiler, **kw: Any) -> str:
    return f"toString({_micros_of(compiler.process(element.clauses, **kw))})"


@compiles(Digits, DIALECT)
def _digits(element: Digits, compiler: SQLCompiler, **kw: Any) -> str:
    value, kind = compiler.process(element.clauses, **kw), stored(next(iter(element.clauses)))
    # A decimal's text has no zeros at its end, unless a setting wants them.
    return f"toString(CAST({value} AS Int8))" if kind.group is TypeGroup.BOOLEAN else f"toString({value})"


@compiles(Double, DIALECT)
def _printf(element: Double, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    form = compiler.escape_literal_column("%.16e")  # type: ignore[no-untyped-call]  # SQLAlchemy has no types there
    infinite = f"WHEN isInfinite({value}) THEN if({value} < 0, '-Infinity', 'Infinity')"
    return f"(CASE WHEN {value} = 0 THEN '0' WHEN isNaN({value}) THEN 'NaN' {infinite} ELSE printf('{form}', {value}) END)"


@compiles(Measured, DIALECT)
def _measured(element: Measured, compiler: SQLCompiler, **kw: Any) -> str:
    text = compiler.process(element.clauses, **kw)
    return f"(coalesce(toString(lengthUTF8({text})) || ':' || {text}, '') || '|')"


@compiles(Hash, DIALECT)
def _upper_bits(element: Hash, compiler: SQLCompiler, **kw: Any) -> str:
    first = f"reinterpretAsUInt64(reverse(substring(MD5({compiler.process(element.clauses, **kw)}), 1, 8)))"
    return f"toInt64(bitShiftRight({first}, 4))"


@compiles(Remainder97, DIALECT)
def _remainder(element: Remainder97, compiler: SQLCompiler, **kw: Any) -> str:
    """34 characters are 68 digits at most, a number has 77; OrNull, since it may see what is no IBAN."""
    iban = compiler.process(element.clauses, **kw)
    digits = f"substring({iban}, 5) || substring({iban}, 1, 4)"
    for value, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 10):
        digits = f"replaceAll({digits}, '{letter}', '{value}')"
    return f"modulo(toUInt256OrNull({digits}), 97)"


@compiles(Shifted, DIALECT)
def _shift(element: Shifted, compiler: SQLCompiler, **kw: Any) -> str:
    return f"bitShiftRight({compiler.process(element.clauses, **kw)})"
