"""Columns as SQL sees them: found by name, typed, their values in the column's own representation."""

from __future__ import annotations

import difflib
import math
import struct
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from dqmon.core.calendar import at_wall_time, in_zone
from dqmon.core.table import Column, TypeGroup
from dqmon.errors import ColumnMissing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql.compiler import SQLCompiler

MOMENTS = frozenset({TypeGroup.DATE, TypeGroup.TIMESTAMP, TypeGroup.TIMESTAMP_ZONED})
NUMBERS = frozenset({TypeGroup.INTEGER, TypeGroup.DECIMAL, TypeGroup.FLOAT})

LARGEST_INTEGER = 2**127
"""The first whole number above all engines' integers: DuckDB's have 128 bits with the sign
(https://duckdb.org/docs/stable/sql/data_types/numeric)."""

_INTEGER_LIMITS = {"sqlite": 2**63, "duckdb": LARGEST_INTEGER, "snowflake": 10**38}
"""From where on a whole number is bound as a decimal or double; SQLite's integers have 64 bits (https://sqlite.org/datatype3.html)."""

_SINGLE = frozenset({"real", "FLOAT", "float", "Float32"})
"""What engines call floats of 32 bits. A limit of 0.1 means their 0.1, not the number that it is a little above."""

_SINGLE_ENGINES = frozenset({"postgresql", "duckdb", "mysql", "clickhousedb", "spark", "databricks", "trino", "redshift"})

_SINGLE_MOST = 3.4028234663852886e38
"""The greatest of them, (2 - 2**-23) * 2**127 (IEEE 754)."""

_SPANS = {"TIMESTAMP_NS": (datetime(1677, 9, 22), datetime(2262, 4, 11))}  # noqa: DTZ001 - wall time, as the column has it
"""What a type can be compared with, when that is less than the years 1 to 9999: whole days that 64 bits of nanoseconds reach."""


def resolve(names: Iterable[str], columns: Sequence[Column]) -> dict[str, Column]:
    """The column of each name: the exact one, else the only one that differs in case, or in quotes around it, alone.

    Raises ColumnMissing, which lists all missing names with near ones, and names that several columns fit.
    """
    exact = {column.name: column for column in columns}
    found: dict[str, Column] = {}
    wrong: list[str] = []
    for name in dict.fromkeys(names):
        if name in exact:
            found[name] = exact[name]
            continue
        alike = [column for column in columns if _folded(column.name) == _folded(name)]
        if len(alike) == 1:
            found[name] = alike[0]
        elif alike:
            wrong.append(f"{name!r} may be {' or '.join(repr(column.name) for column in alike)}; write the exact name")
        else:
            near = difflib.get_close_matches(name, list(exact), n=3)
            hint = f"near names: {', '.join(near)}" if near else f"there are {', '.join(list(exact)[:10])}"
            wrong.append(f"there is no column {name!r}; {hint}")
    if wrong:
        raise ColumnMissing("; ".join(wrong))
    return found


def _folded(name: str) -> str:
    # In quotes are names that are otherwise read in another case (`dqmon.warehouses.snowflake`).
    return name.strip('"').casefold()


class Stored(TypeDecorator[Any]):
    """A column's type: its group, and the zone that its timestamps without zone are read in.

    Instants are bound as the column has them (zoned; else wall time of `zone`; a date is midnight there) and come back
    as aware UTC. Numbers are bound without rounding, but for floats, which get the nearest one that they hold. `column` is the
    name for messages, `declared` the type in the engine's words.
    """

    impl = sa.String
    cache_ok = True

    def __init__(self, group: TypeGroup = TypeGroup.OTHER, zone: str = "UTC", column: str = "", declared: str = "") -> None:
        super().__init__()
        self.group = group
        self.zone = zone
        self.column = column
        self.declared = declared

    @property
    def type_name(self) -> str:
        """The type for people: its group, or the engine's word for what is in none."""
        return self.declared if self.declared and self.group is TypeGroup.OTHER else self.group.value

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The engine's own type; SQLite has text for moments."""
        if self.group in MOMENTS:
            return sa.String() if dialect.name == "sqlite" else sa.DateTime(timezone=self.group is TypeGroup.TIMESTAMP_ZONED)
        if self.group is TypeGroup.FLOAT:
            return sa.types.NullType()
        if self.group in NUMBERS:
            # Where SQLAlchemy would turn decimals into floats, the driver is given them as they are.
            return sa.Numeric() if dialect.supports_native_decimal else sa.types.NullType()
        return sa.Boolean() if self.group is TypeGroup.BOOLEAN else sa.String()

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """`value` as the column has it."""
        if isinstance(value, datetime):
            return self._moment(value, dialect)
        if not isinstance(value, Decimal):
            return value
        if self.group is TypeGroup.FLOAT:
            found = _nearest_float(value, is_single=self.declared in _SINGLE and dialect.name in _SINGLE_ENGINES)
            # Snowflake's connector writes an infinity as a word without quotes, which would be a column's name.
            if math.isinf(found) and dialect.name == "mssql":
                return math.copysign(sys.float_info.max, found)  # It has no infinity, and nothing that is greater.
            return str(found) if math.isinf(found) and dialect.name == "snowflake" else found
        if value == value.to_integral_value() and value.copy_abs() < _INTEGER_LIMITS.get(dialect.name, 0):
            return int(value)  # DuckDB's largest integers fit no decimal, so that a decimal bound would fail on them.
        if dialect.name in _WITHOUT_EXPONENT:
            return _WithoutExponent(value)
        return float(value) if dialect.name == "sqlite" else value

    def literal_processor(self, dialect: Dialect) -> Any:
        """Values inlined for people."""

        def inline(value: Any) -> str:
            bound = self.process_bind_param(value, dialect)
            if isinstance(bound, bool | int):
                return str(bound)
            if isinstance(bound, float):
                return str(bound) if math.isfinite(bound) else f"{'-' * (bound < 0)}9e999" if dialect.name == "sqlite" else f"'{bound}'"
            if isinstance(bound, Decimal):
                return format(bound, "f")
            return "'" + str(bound).replace("'", "''") + "'"

        return inline

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Moments as aware UTC, everything else as the driver gives it."""
        del dialect
        if self.group not in MOMENTS or value is None:
            return value
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif not isinstance(value, datetime) and isinstance(value, date):
            value = datetime.combine(value, time())
        # A driver that gives moments without their zone gives them in that of its session, which is UTC.
        zone = "UTC" if self.group is TypeGroup.TIMESTAMP_ZONED else self.zone
        return in_zone(value if value.tzinfo else at_wall_time(value, zone), UTC)

    def _moment(self, value: datetime, dialect: Dialect) -> Any:
        aware = value if value.tzinfo else at_wall_time(value, self.zone)
        is_zoned = self.group is TypeGroup.TIMESTAMP_ZONED
        moment = in_zone(aware, UTC if is_zoned else ZoneInfo(self.zone))
        if dialect.name == "sqlite":
            return moment.replace(tzinfo=None).isoformat(" ", "microseconds")
        if is_zoned:
            return moment
        least, greatest = _SPANS.get(self.declared, (datetime.min, datetime.max))  # noqa: DTZ901 - as above
        return min(max(moment.replace(tzinfo=None), least), greatest)


_WITHOUT_EXPONENT = frozenset({"snowflake", "databricks", "redshift", "mssql"})
"""Whose drivers take a decimal's text as it is: of one with an exponent the server makes a double, and Databricks' connector counts
its characters for digits."""


class _WithoutExponent(Decimal):
    """A decimal whose text has no exponent."""

    def __str__(self) -> str:
        return format(self, "f")


def _nearest_float(value: Decimal, *, is_single: bool) -> float:
    """The float of 64 or 32 bits that is nearest; finite for a finite value."""
    if not value.is_finite():
        return float(value)
    most = _SINGLE_MOST if is_single else sys.float_info.max
    found = min(max(float(value), -most), most)
    return float(struct.unpack("f", struct.pack("f", found))[0]) if is_single else found


def stored(element: sa.ColumnElement[Any]) -> Stored:
    """The Stored type of a column of a scan."""
    return element.type if isinstance(element.type, Stored) else Stored()


def bound(value: object, like: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """`value` as a bound parameter in the representation of `like`; never named after a column."""
    parameter = sa.literal(value, like.type)
    return BoundMoment(parameter) if stored(like).group in MOMENTS else parameter


class BoundMoment(FunctionElement[Any]):
    """A parameter that is a moment, for engines whose drivers do not tell its type."""

    name = "bound_moment"
    inherit_cache = True

    def __init__(self, parameter: sa.ColumnElement[Any]) -> None:
        super().__init__(parameter)
        self.type = parameter.type


@compiles(BoundMoment)
def _bare(element: BoundMoment, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)
