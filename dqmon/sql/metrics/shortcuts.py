"""Metrics by which the engine's ways (`dqmon.engine.measuring.ways`) answer for others without judging each row.

The rules themselves are the conditions of the metrics they stand for, applied to other values than the rows'.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.core.metric import Value
from dqmon.core.metric_kinds import GroupedMetric, SampledMetric
from dqmon.sql.metrics.counts import ColumnCount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.sql import ColumnElement

    from dqmon.core.capabilities import Capabilities


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
