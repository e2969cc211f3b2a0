"""The first and the last value of a column in an order that all of its values have, whatever its type."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.core.metric import Value
from dqmon.core.metric_kinds import AggregateMetric
from dqmon.core.table import TypeGroup
from dqmon.sql.columns import MOMENTS, NUMBERS, stored
from dqmon.sql.instant import instant
from dqmon.sql.metrics.merging import TakesGreatest, TakesLeast
from dqmon.sql.texts import exact_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.sql import ColumnElement

    from dqmon.core.capabilities import Capabilities


@dataclass(frozen=True, slots=True)
class _End(AggregateMetric):
    """Numbers by size, moments by time, texts by their code points. Equal values are equal here, too; of no values None.

    Values of other types may be equal and have different texts, as intervals of 1 day and 24 hours: they are all one value here.
    """

    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    def _ordered(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities) -> ColumnElement[Any]:
        column = columns[self.column]
        match stored(column).group:
            case group if group in NUMBERS:
                return sa.type_coerce(column, sa.types.NullType())
            case group if group in MOMENTS and caps.has_typed_timestamps:
                return instant(column, caps)
            case TypeGroup.OTHER:
                return sa.case((column.is_not(None), sa.literal_column("0", sa.Integer())))
            case _:
                # In the order of code points, in which Python compares texts, too.
                return exact_text(column)

    def decode(self, raw: object) -> Value:
        """As the driver has it, which compares."""
        return raw  # type: ignore[return-value]  # numbers, texts, instants


@dataclass(frozen=True, slots=True)
class FirstValue(TakesLeast, _End):
    """The first value."""

    name: ClassVar[str] = "first_value"

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """Min."""
        del at
        return sa.func.min(self._ordered(columns, caps))


@dataclass(frozen=True, slots=True)
class LastValue(TakesGreatest, _End):
    """The last value."""

    name: ClassVar[str] = "last_value"

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """Max."""
        del at
        return sa.func.max(self._ordered(columns, caps))
