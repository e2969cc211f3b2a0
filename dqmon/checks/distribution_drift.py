"""Check type distribution_drift: how far the values of a column have moved from what they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dqmon.checks.base import divergence
from dqmon.checks.base.bins import compared, in_order, lines, moved
from dqmon.checks.base.counted import limits
from dqmon.checks.base.valued import judge_value
from dqmon.checks.base.words import count, holds, number, there_are
from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.duration import Duration, write_duration
from dqmon.core.histogram import Histogram
from dqmon.core.judgement import Evidence, Expected, Judgement, Observed
from dqmon.core.metric import Metric
from dqmon.core.verdict import Dimension, Unit, Verdict
from dqmon.sql.metrics import ColumnHistogram

_LISTED = 3
"""Bins of each sort that the reason names; it stands in messages, which hold a few lines."""
_EXPLAINED = 28
"""Bins that are kept with a result for `explain`."""


class DistributionDrift(DatasetCheck):
    """The values of a column are distributed as they were.

    What it measures:
        A score of how far the shares of the column's bins have moved from those of the earlier histograms (of partitions, if
        there are any, else of runs) within `baseline`, taken together. The tested one is never among them.

    Why it matters:
        Countries that swap places, a status that swallows the others or a unit that changed leave counts, types and bounds as
        they were, and turn every model and report that learnt from the old mix.

    Parameters:
        column: the column to look at: texts and booleans by value, numbers by bin. Not dates and timestamps.
        method: `psi` (default: population stability index; from 0 up, 0.1 is some and 0.25 a major change),
          `jensen_shannon` (divergence in bits, 0 to 1) or `ks` (Kolmogorov-Smirnov distance, 0 to 1, numbers only).
        baseline: how far back histograms are compared with; default 28d, four whole weeks.
        min_history: how many earlier histograms are needed before it judges; default 7, so that each day of a week is in it.
        min_rows: how many rows are needed on each side before it judges; default 300: against a far larger baseline ten bins
          of so many rows have a PSI above 0.1 by chance alone once in a thousand times.
        warn_if, fail_if: conditions on the score, without %. At least one is required.

    NULLs and empty tables:
        NULL (with it NaN) is a bin of its own; `ks` leaves it out, since it has no place in the order. Fewer rows than
        `min_rows`, and no rows at all, are SKIPPED, as is too little history (learning). Histograms of no rows do not count.

    SQL it runs:
        One statement for each column, filter and segmentation, whatever the method: rows are counted by value, or by bin, where
        they are, for all partitions and segments at once. Of texts the values that 0.5 % of the rows have come back, of numbers
        1,024 bins at most.

    Example:
        ```yaml
        - distribution_drift: {column: country, method: psi, baseline: 28d, warn_if: "> 0.1", fail_if: "> 0.25"}
        - distribution_drift: {column: amount, method: ks, fail_if: "> 0.2", partition: {column: created_at, grain: day}}
        ```

    Known limits:
        Numbers are counted on a grid that never moves (each octave has 4,096 bins; of a histogram that spans many octaves a
        power of two of them is one), and compared in bins of a tenth of the earlier rows each, with what lies below and above
        all of them. So no first run has to set the edges, and histograms of all runs compare. Numbers nearer to 0 than 2e-10
        count as 0. For PSI half a row of the smaller side is added to each bin, so that an empty one counts. Texts: values rarer
        than 1 % on both sides are one bin, so that a column of unique values never drifts; a value that is not listed is taken
        to be as frequent as it can be. The most frequent values are kept in the store (some kilobytes a histogram) and named in
        messages: do not watch columns whose values are secret. Histograms from within an incident of the check do not count
        while there are `min_history` others: a new mix that stays is an incident until it is nearly all that `baseline` holds,
        then it is the norm; a shorter baseline, or calling it expected (`dqmon incidents feedback`), learns sooner, and what was
        called a real incident never counts. A change from text to number starts anew. Dates and timestamps are refused, since
        time moves on: watch a duration, an hour or a weekday, made in a view.

    References:
        - Siddiqi, Credit Risk Scorecards, Wiley 2006 (PSI, tenths, 0.1 and 0.25)
        - Yurdakul and Naranjo, Statistical properties of the population stability index, Journal of Risk Model Validation 14
          (2020): of B bins it is χ² with B − 1 degrees of freedom, times 1/n + 1/m: https://EconPapers.repec.org/RePEc:rsk:journ5:7725371
        - Lin, Divergence Measures Based on the Shannon Entropy, IEEE Transactions on Information Theory 37 (1991):
          https://doi.org/10.1109/18.61115
        - Smirnov, Table for Estimating the Goodness of Fit, Annals of Mathematical Statistics 19 (1948):
          https://doi.org/10.1214/aoms/1177730256
    """

    type: ClassVar[str] = "distribution_drift"
    dimension: ClassVar[Dimension] = Dimension.ACCURACY
    unit: ClassVar[Unit] = Unit.VALUE

    column: str
    method: Literal["psi", "jensen_shannon", "ks"] = "psi"
    baseline: Annotated[Duration, Field(gt=0)] = 2_419_200
    min_history: Annotated[int, Field(ge=1)] = 7
    min_rows: Annotated[int, Field(ge=1)] = 300

    @property
    def _watched(self) -> ColumnHistogram:
        return ColumnHistogram(self.column)

    @property
    def history_span(self) -> timedelta:
        """`baseline`."""
        return timedelta(seconds=self.baseline)

    def problems(self, check: Check) -> tuple[str, ...]:
        """No threshold."""
        if check.warn_if is None and check.fail_if is None:
            return (f"{self.method} of {self.column} has no limit; write warn_if: or fail_if:",)
        return ()

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """The histogram."""
        del check
        return (self._watched,)

    def history_metric(self, check: Check) -> Metric | None:
        """The same, earlier."""
        del check
        return self._watched

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The score against the thresholds."""
        now = evidence.values[self._watched]
        assert isinstance(now, Histogram)  # noqa: S101 - for the type checker
        if self.method == "ks" and now.valued and not now.step:
            reason = f"ks compares numbers; the values of {self.column} have no such order: use method: psi or jensen_shannon"
            return self._unjudged(check, reason, Verdict.ERROR)
        if (rows := self._rows(now)) < self.min_rows:
            reason = f"{there_are(rows)}{' with a value' if self.method == 'ks' else ''}, min_rows is {number(self.min_rows)}"
            return replace(self._unjudged(check, f"{reason}: too few to compare" if rows else reason), is_no_data=True)
        before = self._before(evidence, now)
        if (learning := self._learning(before)) is not None:
            return replace(self._unjudged(check, learning), is_learning=True)
        bins = compared(before, now)
        ordered = in_order(before, now) if self.method == "ks" else [("", one.before, one.now) for one in bins]
        _, *sides = zip(*ordered, strict=True)
        score = round(_METHODS[self.method](*sides), 6)
        against = f" against {count(len(before), 'earlier histograms')}: {moved(bins, _LISTED)}"
        judgement = judge_value(check, score, f"{self.method} of {self.column}", "", against)
        total = count(sum(map(self._rows, before)), "rows")
        return replace(judgement, baseline=(f"{count(len(before), 'histograms')} of {total}", *lines(bins)[:_EXPLAINED]))

    def _rows(self, one: Histogram) -> int:
        return one.valued if self.method == "ks" else one.rows

    def _before(self, evidence: Evidence, now: Histogram) -> tuple[Histogram, ...]:
        """The earlier histograms of the same kind that have rows; those from within incidents only while there are too few others.

        Else a new mix would be an incident that keeps itself out of the baseline, and so never ends. Those of incidents that
        somebody called real never count.
        """
        since = _at(evidence) - self.history_span
        found: list[tuple[Histogram, bool]] = []
        for point in evidence.history.points:
            kept = self._watched.restore(point.value, point.text)
            if point.at >= since and not point.is_real and isinstance(kept, Histogram) and self._rows(kept):
                found.append((kept, point.is_excluded))
        # Of a column without any value now, what it had last says whether it is one of texts or of numbers.
        like = next((one for one in (now, *(kept for kept, _ in reversed(found))) if one.valued), now)
        alike = [(kept, is_excluded) for kept, is_excluded in found if not kept.valued or bool(kept.step) == bool(like.step)]
        good = tuple(kept for kept, is_excluded in alike if not is_excluded)
        return good if len(good) >= self.min_history else tuple(kept for kept, _ in alike)

    def _learning(self, before: Sequence[Histogram]) -> str | None:
        """What is missing before there is something to compare with; None when nothing is."""
        within = f"within {write_duration(self.baseline)}"
        if (missing := self.min_history - len(before)) > 0:
            return f"learning, {count(missing, 'more histograms')} needed {within} before judging"
        if (rows := sum(map(self._rows, before))) < self.min_rows:
            return f"learning, the earlier histograms {within} have {count(rows, 'rows')}, min_rows is {number(self.min_rows)}"
        return None

    def _unjudged(self, check: Check, reason: str, verdict: Verdict = Verdict.SKIPPED) -> Judgement:
        tightest = limits(check).tightest
        return Judgement(verdict, Observed(None, self.unit), Expected(text=holds(tightest, "") if tightest else ""), reason)


_METHODS = {"psi": divergence.psi, "jensen_shannon": divergence.jensen_shannon, "ks": divergence.ks}


def _at(evidence: Evidence) -> datetime:
    """The time that the histogram describes."""
    return evidence.partition.start if evidence.partition and evidence.partition.start else evidence.scheduled_at
