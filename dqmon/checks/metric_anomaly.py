"""Check type metric_anomaly: a statistic of a column that the past does not explain."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from dqmon.checks.base.anomaly import AnomalyCheck
from dqmon.checks.base.statistics import StatisticOptions
from dqmon.checks.base.words import near
from dqmon.core.check import Check
from dqmon.core.metric import Metric
from dqmon.core.verdict import Dimension, Unit


class MetricAnomaly(StatisticOptions, AnomalyCheck):
    """A statistic of a column is one that its own past explains.

    What it measures:
        The statistic (of the partition, if there is one) against the band that a detector expects from the earlier values of
        the same series: level, growth, weekday and hour are learned, the tested point is never in its own baseline.

    Why it matters:
        A currency that changed, a discount that applied twice or a join that lost the large customers moves an average long
        before it breaks a fixed bound.

    Parameters:
        column: the column to look at: numbers; any type for distinct_count, distinct_ratio and null_ratio.
        metric: as for statistic: `min`, `max`, `sum`, `avg`, `stddev`, `median`, `quantile`, `distinct_count`,
          `distinct_ratio` or `null_ratio`.
        q: the share below the quantile, from 0 to 1; required for `quantile` and only for it.
        direction: `both` (default), `drop` or `rise`: which side of the band is bad.
        false_alerts_per_year: how many false alerts this check may cost a year at its own cadence; it sets the width of the
          band. Default 2.
        warn_per_year: a wider net: outside of the band of so many false alerts a year it warns. Off by default.
        min_history: how many points are needed before it judges; default 14, two weeks of days.
        detector: how the band is found; default `seasonal`.

    NULLs and empty tables:
        As for statistic: NULL and NaN are no values, and a statistic of no values is SKIPPED and teaches nothing. With less
        than `min_history` points the result is SKIPPED (learning).

    SQL it runs:
        What statistic runs: one aggregate in the table's fused statement, or for distinct values a grouping of its own.

    Example:
        ```yaml
        - metric_anomaly: {column: amount, metric: avg, partition: {column: created_at, grain: day}}
        ```

    Known limits:
        A holiday is known once the same calendar was seen to matter before; the first one alerts.
        Values of a whole table move slowly as it grows: give it a `partition`.

    References:
        - The page of the detector says how the band is made, and names its sources.
    """

    type: ClassVar[str] = "metric_anomaly"
    dimension: ClassVar[Dimension] = Dimension.ACCURACY
    unit: ClassVar[Unit] = Unit.VALUE
    smallest_change: ClassVar[float] = 0

    @property
    def watched(self) -> Metric:
        """The statistic."""
        return self.measured

    def says(self, value: float | Decimal) -> str:
        """`avg of amount is 12.5`."""
        return f"{self.label} is {near(Decimal(str(value)), None)}"

    def problems(self, check: Check) -> tuple[str, ...]:
        """What is wrong with the statistic or with the band."""
        return (*self.statistic_problems(), *super().problems(check))
