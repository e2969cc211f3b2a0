"""Statistics of one column's numbers. NULL and NaN are no values; of no values there is no statistic (None).

Least, greatest, sum and average of whole numbers and decimals are exact. What is computed in doubles is rounded to the 15
significant digits that every double keeps (IEEE 754), so that 0.1 + 0.2 is 0.3 on every engine.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.core.metric import Metric, Value
from dqmon.core.metric_kinds import AggregateMetric
from dqmon.core.table import TypeGroup
from dqmon.errors import QueryFailed
from dqmon.sql.aggregates import Average, Deviation, Minimum, Quantile, Total, as_double, numbers
from dqmon.sql.columns import stored
from dqmon.sql.conditions import count_where
from dqmon.sql.metrics.counts import MissingCount, NonMissingCount, RowCount
from dqmon.sql.metrics.distinct import DistinctCount, DistinctRatio
from dqmon.sql.metrics.merging import Adds, TakesGreatest, TakesLeast, added, deviation, present, rounded
from dqmon.sql.metrics.numbers import as_number, as_rounded
from dqmon.sql.ranks import at_quantile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.sql import ColumnElement

    from dqmon.core.capabilities import Capabilities


@dataclass(frozen=True, slots=True)
class _Statistic(AggregateMetric):
    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """The aggregate of the column's numbers."""
        del at
        return self._of(numbers(columns[self.column], caps, self.name))

    @abstractmethod
    def _of(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """The aggregate of the numbers, which keep the column's type."""

    def decode(self, raw: object) -> Value:
        """A number."""
        return as_rounded(raw)


@dataclass(frozen=True, slots=True)
class _Extreme(_Statistic):
    """A value exactly as it is stored."""

    def decode(self, raw: object) -> Value:
        """A number; QueryFailed for a text among the column's numbers, which SQLite sorts above all of them."""
        if isinstance(raw, str | bytes):
            raise QueryFailed(f"column {self.column!r} has {str(raw)[:60]!r}, which is no number")
        return as_number(raw)


@dataclass(frozen=True, slots=True)
class Least(TakesLeast, _Extreme):
    """The least value, exactly as it is stored."""

    name: ClassVar[str] = "min"

    def _of(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        return Minimum(value)


@dataclass(frozen=True, slots=True)
class Greatest(TakesGreatest, _Extreme):
    """The greatest value, exactly as it is stored."""

    name: ClassVar[str] = "max"

    def _of(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        return sa.func.max(value, type_=sa.types.NullType())


@dataclass(frozen=True, slots=True)
class Sum(Adds, _Statistic):
    """The sum; exact but for columns of floats."""

    name: ClassVar[str] = "sum"

    def _of(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        # PostgreSQL adds floats of 32 bits in 32 bits.
        return as_double(Total(as_double(value))) if stored(value).group is TypeGroup.FLOAT else Total(value)


@dataclass(frozen=True, slots=True)
class Mean(_Statistic):
    """The arithmetic mean; exact but for columns of floats."""

    name: ClassVar[str] = "avg"
    is_mergeable: ClassVar[bool] = True

    @property
    def beside(self) -> tuple[Metric, ...]:
        """Sum and number of the values."""
        return Sum(self.column), NonMissingCount(self.column)

    def merge(self, fragments: Sequence[Mapping[Metric, Value]]) -> Value:
        """Sum over number, divided as the engine divides: decimals exactly, the rest in doubles."""
        total, number = (added(present(fragments, metric)) for metric in self.beside)
        if total is None or not isinstance(number, int) or not number:
            return None
        if any(isinstance(mean, float) for mean in present(fragments, self)):
            return rounded(float(total) / number)  # type: ignore[arg-type]  # a number
        return as_rounded(Decimal(total) / number)  # type: ignore[arg-type]  # a number

    def _of(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        mean = Average(value)
        return as_double(mean) if stored(value).group is TypeGroup.FLOAT else mean

    def decode(self, raw: object) -> Value:
        """A number; `sum/count` is divided here."""
        if isinstance(raw, str) and "/" in raw:
            total, _, values = raw.partition("/")
            raw = Decimal(total) / int(values)
        return as_rounded(raw)


@dataclass(frozen=True, slots=True)
class SampleDeviation(_Statistic):
    """The standard deviation of a sample (divided by n − 1); None below two values."""

    name: ClassVar[str] = "stddev"
    is_mergeable: ClassVar[bool] = True

    @property
    def beside(self) -> tuple[Metric, ...]:
        """Mean and number of the values."""
        return Mean(self.column), NonMissingCount(self.column)

    def can_merge(self, fragments: Sequence[Mapping[Metric, Value]]) -> bool:
        """True unless there are infinities."""
        return all(math.isfinite(mean) for mean in present(fragments, Mean(self.column)))

    def merge(self, fragments: Sequence[Mapping[Metric, Value]]) -> Value:
        """That of all groups together; of few digits less than one statement's where the mean is far from 0."""
        mean, number = self.beside
        found: list[tuple[Any, Any, Any]] = [(f[number], f[mean], f[self]) for f in fragments if f[mean] is not None]
        return deviation((count, float(its_mean), its_deviation) for count, its_mean, its_deviation in found)

    def _of(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        return as_double(Deviation(value))


@dataclass(frozen=True, slots=True)
class ValueAtQuantile(_Statistic):
    """The value that the share `q` (0..1) of the values does not exceed, interpolated between neighbours.

    At position q (n − 1) of the n sorted values: type 7 of Hyndman & Fan, The American Statistician 50 (1996), which is
    percentile_cont of the SQL standard. 0.5 is the median.
    """

    name: ClassVar[str] = "quantile"

    q: Decimal

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """The engine's aggregate, or what is picked of numbered rows."""
        if not caps.has_quantiles:
            return at_quantile(columns, self.column, self.q)
        return super(ValueAtQuantile, self).expression(columns, caps, at)

    def _of(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        return Quantile(value, sa.literal(float(self.q), sa.Double()))


@dataclass(frozen=True, slots=True)
class NullRatio(AggregateMetric):
    """The share (0..1) of rows whose value is NULL; NaN is not NULL. None without rows."""

    name: ClassVar[str] = "null_ratio"
    is_mergeable: ClassVar[bool] = True

    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    @property
    def beside(self) -> tuple[Metric, ...]:
        """How many are NULL, and all rows."""
        return MissingCount(self.column, nan="value"), RowCount()

    def merge(self, fragments: Sequence[Mapping[Metric, Value]]) -> Value:
        """One over the other."""
        nulls, rows = (added(present(fragments, metric)) for metric in self.beside)
        return rounded(nulls / rows) if isinstance(nulls, int) and isinstance(rows, int) and rows else None

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """Count of NULLs over the count of rows."""
        del caps, at
        return as_double(count_where(columns[self.column].is_(None))) / sa.func.nullif(sa.func.count(), sa.literal_column("0"))

    def decode(self, raw: object) -> Value:
        """A share."""
        return as_rounded(raw)


def statistic(column: str, word: str, q: Decimal | None = None) -> Metric:
    """The metric that `word` names: min max sum avg stddev median quantile (with `q`) distinct_count distinct_ratio null_ratio.

    The median is the quantile at 0.5, and the same measurement as it. KeyError for another word.
    """
    if word == "median" or q is not None:
        return ValueAtQuantile(column, Decimal("0.5") if q is None else q)
    return _BY_NAME[word](column)


_BY_NAME = {kind.name: kind for kind in (Least, Greatest, Sum, Mean, SampleDeviation, NullRatio, DistinctCount, DistinctRatio)}
