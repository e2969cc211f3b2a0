"""Metrics of timestamps and dates; all instants are aware UTC (see `dqmon.sql.instant` for how they are read)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.core.metric import Metric, Value
from dqmon.core.metric_kinds import AggregateMetric
from dqmon.sql.columns import bound
from dqmon.sql.conditions import count_where
from dqmon.sql.instant import instant, seconds_between
from dqmon.sql.metrics.merging import Adds, TakesGreatest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.sql import ColumnElement

    from dqmon.core.capabilities import Capabilities

FUTURE_TOLERANCE = timedelta(minutes=5)
"""Values further ahead of the time of measuring are no evidence of freshness."""

_FIRST = datetime(1, 1, 2, tzinfo=UTC)
"""Before it, a day's margin for time zones, is no time that a row was loaded at: -infinity, and years before Christ."""


@dataclass(frozen=True, slots=True)
class _OneInstant(AggregateMetric):
    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)


@dataclass(frozen=True, slots=True)
class LatestInstant(TakesGreatest, _OneInstant):
    """The newest value that is at most 5 minutes ahead of the time of measuring; None without any from year 1 on."""

    name: ClassVar[str] = "latest_instant"

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """Max of the values up to `at` + 5 min."""
        value = instant(columns[self.column], caps)
        newest = sa.func.max(sa.case((value <= bound(at + FUTURE_TOLERANCE, value), value)))
        return sa.case((newest >= bound(_FIRST, value), newest))

    @property
    def beside(self) -> tuple[Metric, ...]:
        """How many values are in the future, which tells whether a kept value stands."""
        return (FutureCount(self.column),)

    def stands(self, value: Value, others: Mapping[Metric, Value]) -> bool:
        """True unless there were values in the future, which may be the newest by now."""
        del value
        return others.get(FutureCount(self.column)) == 0

    def restore(self, number: float | None, text: str | None) -> Value:
        """The kept instant."""
        del number
        return None if text is None else datetime.fromisoformat(text)


@dataclass(frozen=True, slots=True)
class FutureCount(Adds, _OneInstant):
    """Rows whose value is more than 5 minutes ahead of the time of measuring."""

    name: ClassVar[str] = "future_count"
    empty: ClassVar[Value] = 0

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """Count of the values past `at` + 5 min."""
        value = instant(columns[self.column], caps)
        return count_where(value > bound(at + FUTURE_TOLERANCE, value))

    def stands(self, value: Value, others: Mapping[Metric, Value]) -> bool:
        """True for none: nothing that is past comes back into the future."""
        del others
        return value == 0


@dataclass(frozen=True, slots=True)
class MaxIngestionDelay(TakesGreatest, AggregateMetric):
    """The longest time from `event_column` to `column`, in seconds; negative when all came early, None without a finite pair."""

    name: ClassVar[str] = "max_ingestion_delay"

    column: str
    event_column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Both columns."""
        return (self.column, self.event_column)

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """Max of `column` − `event_column`."""
        del at
        return sa.func.max(seconds_between(instant(columns[self.event_column], caps), instant(columns[self.column], caps)))

    def decode(self, raw: object) -> Value:
        """Seconds as a float, to the microsecond: some engines subtract doubles."""
        return None if raw is None else round(float(raw), 6)  # type: ignore[arg-type]  # a number of the driver's: int, float or Decimal
