"""Check type volume_anomaly: a number of rows that the past does not explain."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from operator import itemgetter
from typing import ClassVar

from dqmon.checks.base.anomaly import AnomalyCheck, CountBandCheck
from dqmon.checks.base.bins import compared
from dqmon.checks.base.contributions import concentration, contributions
from dqmon.checks.base.fields import Names
from dqmon.checks.base.words import there_are
from dqmon.core.calendar import partitions
from dqmon.core.check import Check
from dqmon.core.histogram import Histogram
from dqmon.core.judgement import Evidence, Judgement
from dqmon.core.measurement import MetricRequest, Partition
from dqmon.core.metric import Metric
from dqmon.core.verdict import Dimension, Unit
from dqmon.sql.metrics import ColumnHistogram, RowCount

_LISTED = 3
"""Groups that a reason names; it stands in messages, which hold a few lines."""
_TURN = {"hour": 24, "day": 7, "week": 1, "month": 1}
"""How many partitions before lies the one that a partition is like: the same hour, the same weekday."""


class VolumeAnomaly(CountBandCheck, AnomalyCheck):
    """The number of rows is one that its own past explains.

    What it measures:
        The number of rows (of the partition, if there is one) against the band that a detector expects from the earlier
        values of the same series: level, growth, weekday and hour are learned, the tested point is never in its own baseline.
        Neither are values inside an alert, but for those of a new level that stays, nor what somebody called a real incident
        (`dqmon incidents feedback`); what was called expected is learned.

    Why it matters:
        Half a load, a doubled load or a load that stopped keeps a table plausible for every rule that has fixed bounds.

    Parameters:
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
        explain_by: columns by which the rows are counted, too: a bad result then says which groups of rows account for the change
          since an earlier partition like this one (hours: a day before; days: a week before; else the one before). Needs a
          `partition`; none by default.

    NULLs and empty tables:
        Zero rows is a value. With less than `min_history` points the result is SKIPPED (learning), but for one case that
        needs no learning: zero rows where there never were zero is a FAIL, unless `direction: rise`.

    SQL it runs:
        `count(*)`, part of the table's fused statement. With `explain_by` one grouped statement for each column besides, for both
        partitions at once.

    Example:
        ```yaml
        - volume_anomaly: {direction: both, false_alerts_per_year: 2, min_history: 14}
        - volume_anomaly: {name: by_country, explain_by: [country], ignore_change_below: "5%", calendar: US}
        ```

    Known limits:
        Without `calendar` a holiday is known once the same country's were seen to matter before; the first one alerts.
        A leak of less than the daily noise is found late or not at all. Rows that are missing because no load has ended since
        the partition did are judged as any others; the reason says so where the loads of the pipelines upstream are known.
        `explain_by` counts values that fewer than 1 % of the rows have together, and keeps the frequent ones in the store and in
        messages: name no column whose values are secret.

    References:
        - The docstrings of dqmon/detectors/ say how each band is made, and name its sources.
    """

    type: ClassVar[str] = "volume_anomaly"
    dimension: ClassVar[Dimension] = Dimension.VOLUME
    unit: ClassVar[Unit] = Unit.ROWS
    none: ClassVar[str] = "there are no rows"

    explain_by: Names = ()

    @property
    def watched(self) -> Metric:
        """All rows."""
        return RowCount()

    def says(self, value: float | Decimal) -> str:
        """`there are 3 rows`."""
        return there_are(int(value))

    def problems(self, check: Check) -> tuple[str, ...]:
        """What is wrong with the band; explain_by without a partition to compare with, or beside segment_by."""
        found = list(super().problems(check))
        if self.explain_by and check.partition is None:
            found.append("explain_by compares a partition with an earlier one; write partition:")
        if self.explain_by and check.segment_by:
            found.append("explain_by and segment_by are both given; segment_by judges each segment by itself, so leave explain_by out")
        return tuple(found)

    def other_requests(self, check: Check, partition: Partition | None) -> tuple[MetricRequest, ...]:
        """The rows by each column of explain_by, in the partition and in the earlier one that it is like."""
        if not self.explain_by or check.table is None or check.partition is None or partition is None or partition.start is None:
            return ()
        earlier = replace(check.partition, lookback=_TURN[check.partition.grain], lag_s=0)
        like = partitions(earlier, check.timezone, partition.start)[0]
        return tuple(
            MetricRequest(check.table, ColumnHistogram(column), check.where, part, naive_timezone=check.naive_timezone)
            for column in self.explain_by
            for part in (like, partition)
        )

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The verdict on the band; a bad one says which groups account for the change."""
        judgement = super().judge(check, evidence)
        if not judgement.verdict.is_bad or (accounted := self._accounted(check, evidence)) is None:
            return judgement
        return replace(judgement, reason=f"{judgement.reason}; {accounted}")

    def _accounted(self, check: Check, evidence: Evidence) -> str | None:
        """The groups of the column that accounts best for the change since the earlier partition; None without a change."""
        asked = self.other_requests(check, evidence.partition)
        found = []
        for column, before, now in zip(self.explain_by, asked[::2], asked[1::2], strict=True) if asked else ():
            earlier, later = evidence.others[before], evidence.others[now]
            if isinstance(earlier, Histogram) and isinstance(later, Histogram):
                groups = contributions(compared((earlier,), later), _LISTED)
                found.append((concentration(groups), column, before.partition, groups))
        share, column, partition, groups = max(found, key=itemgetter(0), default=(0.0, "", None, ()))
        if not share or partition is None or partition.start is None:
            return None
        return f"of the change since {partition.start:%Y-%m-%dT%H:%MZ}, {column} accounts for: {', '.join(map(str, groups))}"
