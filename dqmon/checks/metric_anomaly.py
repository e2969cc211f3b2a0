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
        the same series: level, growth, weekday and hour are learned, the tested point is never in its own baseline. Neither are
        values inside an alert, but for those of a new level that stays, nor what somebody called a real incident
        (`dqmon incidents feedback`); what was called expected is learned.

    Why it matters:
        A currency that changed, a discount that applied twice or a join that lost the large customers moves an average long
        before it breaks a fixed bound.

    Parameters:
        column: the column to look at: numbers; any type for distinct_count, distinct_ratio and null_ratio.
        metric: as for statistic: `min`, `max`, `sum`, `avg`, `stddev`, `median`, `quantile`, `distinct_count`,
          `distinct_ratio` or `null_ratio`.
        q: the share below the quantile, from 0 to 1; required for `quantile` and only for it.
        method: how the band is found. `auto` (default) learns level, growth, weekday, hour and month edges robustly; `zscore`,
          `mad`, `quantile` and `seasonal` are the simple ones of that name, `percent_change` compares with the value before.
        direction: `both` (default), `drop` or `rise`: which side of the band is bad.
        false_alerts_per_year: how many false alerts this check may cost a year at its own cadence; it sets the width of the
          band. Default 2. Not for `percent_change`.
        warn_per_year: a wider net: outside of the band of so many false alerts a year it warns. Off by default.
        sigmas: in place of false_alerts_per_year, how many deviations the band is wide on either side; `zscore`, `mad`, `seasonal`.
        percent: for `percent_change`, how many percent off the value before is still good; default 50.
        tail_percent: for `quantile`, in place of false_alerts_per_year: how many percent of the earlier values lie outside the
          band on either side.
        ignore_change_below: a change that never alerts, of the expected value: a percentage such as `5%`, or a number in the value's
          unit. None by default.
        min_history: how many points are needed before it judges; default 14, two weeks of days.
        training_period: how far back is learned from, such as `90d`. By default as far as the method looks: half a year and 672
          points at most.
        max_age_of_history: what lies before a pause longer than this is forgotten, and the check learns anew. Off by default.
        seasonality: `auto` (default: what the cadence allows), `none`, `hour`, `day_of_week` or `month_day`: the one season to
          look for; `auto` and `seasonal` only.
        calendar: a country (US), a part of one (US-NY) or a market (XNYS). Its holidays leave the baseline of other days, and are
          compared with earlier ones besides; with fewer than two of them the result is SKIPPED (learning). None by default:
          `auto` looks for a country whose holidays were unusual.

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
        Without `calendar` a holiday is known once the same country's were seen to matter before; the first one alerts.
        Values of a whole table move slowly as it grows: give it a `partition`.

    References:
        - The docstrings of dqmon/detectors/ say how each band is made, and name its sources.
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
