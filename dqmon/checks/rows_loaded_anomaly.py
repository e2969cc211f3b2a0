"""Check type rows_loaded_anomaly: a load whose number of rows the loads before it do not explain."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from dqmon.checks.base.anomaly import CountBandCheck
from dqmon.checks.base.load_runs import ended_at, rows_of, successes
from dqmon.checks.base.words import count
from dqmon.core.check import Check
from dqmon.core.check_type import PipelineCheck
from dqmon.core.history import History, Point, is_inside
from dqmon.core.judgement import Expected, Judgement, LoadEvidence, Observed
from dqmon.core.verdict import Dimension, Unit, Verdict


class RowsLoadedAnomaly(CountBandCheck, PipelineCheck):
    """The newest load brought a number of rows that the loads before it explain.

    What it measures:
        The rows of the newest successful load, in all its tables or in one, against the band that a detector expects from the
        earlier loads: level, growth, weekday and hour are learned, the tested load is never in its own baseline.

    Why it matters:
        Half a load is reported as a success by every tool; a fixed bound that no quiet day breaks does not see it.

    Parameters:
        method: how the band is found. `auto` (default) learns level, growth, weekday, hour and month edges robustly; `zscore`,
          `mad`, `quantile` and `seasonal` are the simple ones of that name, `percent_change` compares with the value before.
        direction: `both` (default), `drop` or `rise`: which side of the band is bad.
        false_alerts_per_year: how many false alerts this check may cost a year at the cadence of the loads; it sets the width of the
          band. Default 2. Not for `percent_change`.
        warn_per_year: a wider net: outside of the band of so many false alerts a year it warns. Off by default.
        sigmas: in place of false_alerts_per_year, how many deviations the band is wide on either side; `zscore`, `mad`, `seasonal`.
        percent: for `percent_change`, how many percent off the value before is still good; default 50.
        tail_percent: for `quantile`, in place of false_alerts_per_year: how many percent of the earlier values lie outside the
          band on either side.
        ignore_change_below: a change that never alerts, of the expected value: a percentage such as `5%`, or a number in the value's
          unit. None by default.
        min_history: how many earlier loads are needed before it judges; default 14.
        training_period: how far back is learned from, such as `90d`. By default as far as the method looks: half a year and 672
          points at most.
        max_age_of_history: what lies before a pause longer than this is forgotten, and the check learns anew. Off by default.
        seasonality: `auto` (default: what the cadence allows), `none`, `hour`, `day_of_week` or `month_day`: the one season to
          look for; `auto` and `seasonal` only.
        calendar: a country (US), a part of one (US-NY) or a market (XNYS). Its holidays leave the baseline of other days, and are
          compared with earlier ones besides; with fewer than two of them the result is SKIPPED (learning). None by default:
          `auto` looks for a country whose holidays were unusual.
        table: count this table only, by the name that the tool gives it.

    NULLs and empty tables:
        Zero rows is a value, and a table that a load did not touch got zero. A load whose number of rows the tool cannot say
        is left out; without any other there is nothing to judge: SKIPPED (`on_no_data` changes that). With less than
        `min_history` earlier loads the result is SKIPPED (learning), but zero rows where there never were zero is a FAIL,
        unless `direction: rise`.

    SQL it runs:
        None on your data; it reads what the source's last poll kept.

    Example:
        ```yaml
        - rows_loaded_anomaly: {direction: drop, table: orders}
        ```

    Known limits:
        Loads of 90 days are known, so that a yearly season is not. Backfills, resets and refreshes are left out. Loads that ended
        while the check's alert was firing teach it nothing, but for a new level that stays, or somebody called them expected.

    References:
        - The docstrings of dqmon/detectors/ say how each band is made, and name its sources.
    """

    type: ClassVar[str] = "rows_loaded_anomaly"
    dimension: ClassVar[Dimension] = Dimension.VOLUME
    unit: ClassVar[Unit] = Unit.ROWS
    none: ClassVar[str] = "the newest load brought no rows"
    needs: ClassVar[frozenset[str]] = frozenset({"success", "rows"})

    table: str | None = None

    def says(self, value: float | Decimal) -> str:
        """`the newest load brought 3 rows`."""
        return f"the newest load brought {count(int(value), 'rows')}"

    def judge(self, check: Check, evidence: LoadEvidence) -> Judgement:
        """The rows of the newest successful load against the band for the time at which it ended."""
        counted = rows_of(evidence, successes(evidence), self.table)
        if not counted:
            reason = "there is no successful load whose number of rows the tool says"
            return Judgement(Verdict.SKIPPED, Observed(None, Unit.ROWS), Expected(text="a load to compare"), reason, is_no_data=True)
        newest, rows = counted[-1]
        at = ended_at(newest)
        past = [(ended_at(load), amount) for load, amount in counted[:-1] if ended_at(load) < at]
        points = (
            Point(end, float(amount), is_inside(end, evidence.incidents), is_real=is_inside(end, evidence.real)) for end, amount in past
        )
        return self.judge_in_band(rows, History(tuple(points)), at, check.timezone)
