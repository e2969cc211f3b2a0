"""Metrics by which the engine's ways (`dqmon.engine.ways`) answer for others without judging each row.

The rules themselves are the conditions of the metrics they stand for, applied to other values than the rows'.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.core.metric import Value
from dqmon.core.metric_kinds import ExtremesMetric, GroupedMetric, SampledMetric
from dqmon.sql.conditions import is_outside
from dqmon.sql.metrics.counts import ColumnCount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.sql import ColumnElement

    from dqmon.core.capabilities import Capabilities


@dataclass(frozen=True, slots=True)
class BrokenExtremes(ExtremesMetric):
    """1 when the least or the greatest value counts for `inner`, or is NaN, else 0; nothing but NULL is missing.

    NaN is the greatest value, as DuckDB and PostgreSQL have it, so that it is seen if there is any. 0 without values.
    """

    name: ClassVar[str] = "broken_extremes"
    empty: ClassVar[Value] = 0

    inner: ColumnCount

    @property
    def columns(self) -> tuple[str, ...]:
        """The column of `inner`."""
        return self.inner.columns

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """The condition of `inner`, on both."""
        del at
        bare = replace(self.inner, missing_values=(), missing_pattern=None, nan="value")
        broken = (bare.counted({bare.column: end}, caps) for end in _ends(columns[bare.column]))
        return sa.case((sa.or_(*broken), _ONE), else_=_ZERO)


@dataclass(frozen=True, slots=True)
class BetweenExtremes(ExtremesMetric):
    """1 when one of `limits` is neither below the least nor above the greatest value, else 0; limits as those of a range."""

    name: ClassVar[str] = "between_extremes"
    empty: ClassVar[Value] = 0

    column: str
    limits: tuple[Decimal | str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """The opposite of `least > limit or greatest < limit`, for any limit."""
        del at
        least, greatest = _ends(columns[self.column])
        outside = (sa.or_(is_outside(least, caps, None, v, None), is_outside(greatest, caps, v, None, None)) for v in self.limits)
        return sa.case((sa.or_(sa.false(), *map(sa.not_, outside)), _ONE), else_=_ZERO)


@dataclass(frozen=True, slots=True)
class CountByValue(GroupedMetric):
    """The rows that count for `inner`, by judging each different value once."""

    name: ClassVar[str] = "count_by_value"
    empty: ClassVar[Value] = 0

    inner: ColumnCount

    @property
    def keys(self) -> tuple[str, ...]:
        """The column of `inner`."""
        return self.inner.columns

    def expression(self, keys: Mapping[str, ColumnElement[Any]], rows: ColumnElement[int], caps: Capabilities) -> ColumnElement[Any]:
        """Sum of the rows of the values that count."""
        return sa.func.sum(sa.case((self.inner.counted(keys, caps), rows)))

    def decode(self, raw: object) -> Value:
        """A whole number; a sum of counts may come as a decimal."""
        return int(raw or 0)  # type: ignore[call-overload, no-any-return]  # a number of the driver's, or NULL for no such value


@dataclass(frozen=True, slots=True)
class SampledValues(SampledMetric):
    """Different values among a sample's rows, as the column compares them, without NULL."""

    name: ClassVar[str] = "sampled_values"
    empty: ClassVar[Value] = 0

    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """`count(distinct column)`."""
        del caps, at
        return sa.func.count(columns[self.column].distinct())


_ONE, _ZERO = sa.literal_column("1", sa.Integer()), sa.literal_column("0", sa.Integer())


def _ends(column: ColumnElement[Any]) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """The least and the greatest value, of the column's type."""
    return sa.func.min(column, type_=column.type), sa.func.max(column, type_=column.type)
