"""How many different values a column has. NULL and NaN are no values; of no values there is no statistic (None)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.core.metric_kinds import GroupedMetric
from dqmon.sql.aggregates import as_double
from dqmon.sql.conditions import count_where, is_missing
from dqmon.sql.metrics.ends import FirstValue, LastValue
from dqmon.sql.metrics.merging import added, are_apart, present
from dqmon.sql.metrics.numbers import as_rounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.sql import ColumnElement

    from dqmon.core.capabilities import Capabilities
    from dqmon.core.metric import Metric, Value


@dataclass(frozen=True, slots=True)
class _Distinct(GroupedMetric):
    """It takes part in the grouping that uniqueness of the same column needs, and never in the table's fused scan."""

    column: str

    @property
    def keys(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    def _has_value(self, keys: Mapping[str, ColumnElement[Any]], caps: Capabilities) -> ColumnElement[bool]:
        return sa.not_(is_missing(keys[self.column], caps))

    def decode(self, raw: object) -> Value:
        """A number."""
        return as_rounded(raw)


@dataclass(frozen=True, slots=True)
class DistinctCount(_Distinct):
    """Different values; None (not 0) when no row has a value."""

    name: ClassVar[str] = "distinct_count"
    is_mergeable: ClassVar[bool] = True

    @property
    def beside(self) -> tuple[Metric, ...]:
        """The ends of the values."""
        return FirstValue(self.column), LastValue(self.column)

    def can_merge(self, fragments: Sequence[Mapping[Metric, Value]]) -> bool:
        """True when no value can be in two fragments."""
        first, last = self.beside
        return are_apart((f[first], f[last]) for f in fragments if f[first] is not None)

    def merge(self, fragments: Sequence[Mapping[Metric, Value]]) -> Value:
        """The sum."""
        return added(present(fragments, self))

    def expression(self, keys: Mapping[str, ColumnElement[Any]], rows: ColumnElement[int], caps: Capabilities) -> ColumnElement[Any]:
        """Count of the groups."""
        del rows
        return sa.func.nullif(count_where(self._has_value(keys, caps)), sa.literal_column("0"))


@dataclass(frozen=True, slots=True)
class DistinctRatio(_Distinct):
    """Different values over rows with a value (0..1): 1 when none repeats; None when no row has a value."""

    name: ClassVar[str] = "distinct_ratio"

    def expression(self, keys: Mapping[str, ColumnElement[Any]], rows: ColumnElement[int], caps: Capabilities) -> ColumnElement[Any]:
        """Count of the groups over the sum of their rows."""
        has_value = self._has_value(keys, caps)
        return as_double(count_where(has_value)) / as_double(sa.func.sum(sa.case((has_value, rows))))
