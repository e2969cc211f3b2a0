"""Columns as SQL sees them: found by name, typed, their values in the column's own representation."""

from __future__ import annotations

import difflib
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator, TypeEngine

from dqmon.core.table import Column, TypeGroup
from dqmon.errors import ColumnMissing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import Dialect

MOMENTS = frozenset({TypeGroup.DATE, TypeGroup.TIMESTAMP, TypeGroup.TIMESTAMP_ZONED})
NUMBERS = frozenset({TypeGroup.INTEGER, TypeGroup.DECIMAL, TypeGroup.FLOAT})

_INTEGER_LIMIT = 2**63
"""SQLite's integers have 64 bits (https://sqlite.org/datatype3.html)."""


def resolve(names: Iterable[str], columns: Sequence[Column]) -> dict[str, Column]:
    """The column of each name: the exact one, else the only one that differs in case alone.

    Raises ColumnMissing, which lists all missing names with near ones, and names that several columns fit.
    """
    exact = {column.name: column for column in columns}
    found: dict[str, Column] = {}
    wrong: list[str] = []
    for name in dict.fromkeys(names):
        alike = [column for column in columns if column.name.casefold() == name.casefold()]
        if name in exact:
            found[name] = exact[name]
        elif len(alike) == 1:
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


class Stored(TypeDecorator[Any]):
    """A column's type: its group, and the zone that its timestamps without zone are read in.

    Instants are bound as the column has them (zoned; else wall time of `zone`; a date is midnight there) and come back
    as aware UTC. Numbers are bound without rounding. `column` is the name for messages.
    """

    impl = sa.String
    cache_ok = True

    def __init__(self, group: TypeGroup = TypeGroup.OTHER, zone: str = "UTC", column: str = "") -> None:
        super().__init__()
        self.group = group
        self.zone = zone
        self.column = column

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The engine's own type; SQLite has text for moments."""
        if self.group in MOMENTS:
            return sa.String() if dialect.name == "sqlite" else sa.DateTime(timezone=self.group is TypeGroup.TIMESTAMP_ZONED)
        if self.group in NUMBERS:
            # Where SQLAlchemy would turn decimals into floats, the driver is given them as they are.
            return sa.Numeric() if dialect.supports_native_decimal else sa.types.NullType()
        return sa.Boolean() if self.group is TypeGroup.BOOLEAN else sa.String()

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """`value` as the column has it."""
        if isinstance(value, datetime):
            return self._moment(value, dialect)
        if isinstance(value, Decimal) and value == value.to_integral_value() and abs(value) < _INTEGER_LIMIT:
            return int(value)  # DuckDB's largest integers fit no decimal, so that a decimal bound would fail on them.
        return float(value) if isinstance(value, Decimal) and dialect.name == "sqlite" else value

    def literal_processor(self, dialect: Dialect) -> Any:
        """Values inlined for people."""

        def inline(value: Any) -> str:
            bound = self.process_bind_param(value, dialect)
            if isinstance(bound, bool | int | float):
                return str(bound)
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
        return (value if value.tzinfo else value.replace(tzinfo=ZoneInfo(self.zone))).astimezone(UTC)

    def _moment(self, value: datetime, dialect: Dialect) -> Any:
        aware = value if value.tzinfo else value.replace(tzinfo=ZoneInfo(self.zone))
        if self.group is TypeGroup.TIMESTAMP_ZONED:
            aware = aware.astimezone(UTC)
            return f"{aware:%Y-%m-%d %H:%M:%S.%f}" if dialect.name == "sqlite" else aware
        return aware.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)


def stored(element: sa.ColumnElement[Any]) -> Stored:
    """The Stored type of a column of a scan."""
    return element.type if isinstance(element.type, Stored) else Stored()


def bound(value: object, like: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """`value` as a bound parameter in the representation of `like`; never named after a column."""
    return sa.literal(value, like.type)
