"""Counts of rows: all, missing, not missing, out of range. No rows count 0."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import sqlalchemy as sa

from dqmon.core.metric import Value
from dqmon.core.metric_kinds import AggregateMetric
from dqmon.sql.aggregates import numbers
from dqmon.sql.conditions import MissingValue, count_where, is_missing, is_nan, is_outside
from dqmon.sql.metrics.merging import Adds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.sql import ColumnElement

    from dqmon.core.capabilities import Capabilities


@dataclass(frozen=True, slots=True)
class RowCount(Adds, AggregateMetric):
    """All rows."""

    name: ClassVar[str] = "row_count"
    empty: ClassVar[Value] = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """None."""
        return ()

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """`count(*)`."""
        del columns, caps, at
        return sa.func.count()


@dataclass(frozen=True, slots=True)
class ColumnCount(Adds, AggregateMetric):
    """A count of rows by one column, with the definition of missing.

    Missing = NULL, one of `missing_values`, matching `missing_pattern` (a regular expression, found anywhere in the
    text), or NaN unless `nan` is "value". A missing value that the column's type cannot hold is never equal.
    """

    empty: ClassVar[Value] = 0

    column: str
    missing_values: tuple[MissingValue, ...] = ()
    missing_pattern: str | None = None
    nan: Literal["missing", "value"] = "missing"

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    @abstractmethod
    def counted(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities) -> ColumnElement[bool]:
        """True for a row that counts."""

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """Count of the rows that count."""
        del at
        return count_where(self.counted(columns, caps))

    def _values(self, column: ColumnElement[Any], caps: Capabilities) -> ColumnElement[Any] | None:
        """What is NULL exactly for the missing, so that `count` tells, in half the time of a condition; None where only that does."""
        if self.missing_values or self.missing_pattern is not None:
            return None
        return column if self.nan == "value" or not is_nan(column, caps) else numbers(column, caps, self.name)

    def _missing(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities) -> ColumnElement[bool]:
        return is_missing(columns[self.column], caps, self.missing_values, self.missing_pattern, self.nan)


@dataclass(frozen=True, slots=True)
class MissingCount(ColumnCount):
    """Rows whose value is missing."""

    name: ClassVar[str] = "missing_count"

    def counted(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities) -> ColumnElement[bool]:
        """The missing."""
        return self._missing(columns, caps)

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """Count of the missing, or of all rows without the others."""
        values = self._values(columns[self.column], caps)
        if values is not None:
            return sa.func.count() - sa.func.count(values)
        return super(MissingCount, self).expression(columns, caps, at)


@dataclass(frozen=True, slots=True)
class NonMissingCount(ColumnCount):
    """Rows whose value is not missing."""

    name: ClassVar[str] = "non_missing_count"

    def counted(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities) -> ColumnElement[bool]:
        """The not missing."""
        return sa.not_(self._missing(columns, caps))

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """Count of the not missing."""
        values = self._values(columns[self.column], caps)
        if values is not None:
            return sa.func.count(values)
        return super(NonMissingCount, self).expression(columns, caps, at)


@dataclass(frozen=True, slots=True)
class InvalidRangeCount(ColumnCount):
    """Rows whose value is not missing and is below `min` or above `max`, or equal to a bound that is `exclusive`.

    Bounds are exact numbers, ISO dates or timestamps as text (without zone: read as the column's own are), or aware
    datetimes. A NaN that is not missing breaks every range; an infinity breaks the bound on its side.
    """

    name: ClassVar[str] = "invalid_range_count"

    min: Decimal | str | datetime | None = None
    max: Decimal | str | datetime | None = None
    exclusive: Literal["min", "max", "both"] | None = None

    def counted(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities) -> ColumnElement[bool]:
        """The not missing outside of the bounds."""
        column = columns[self.column]
        broken = [is_outside(column, caps, self.min, self.max, self.exclusive)]
        if self.nan == "value":
            broken += is_nan(column, caps)
        # The bounds first: they are NULL for NULL, and what is within them needs no further test.
        return sa.and_(sa.or_(*broken), sa.not_(self._missing(columns, caps)))
