"""Check type row_count: the number of rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field

from dqmon.checks.base.counted import Limits, because, interval, limits, measured_count
from dqmon.checks.base.words import holds, there_are
from dqmon.core.check import Check, DatasetCheck
from dqmon.core.judgement import Evidence, Expected, Judgement, Observed
from dqmon.core.metric import Metric
from dqmon.core.threshold import Threshold
from dqmon.core.verdict import Dimension, Unit
from dqmon.sql.metrics import RowCount


class RowCountCheck(DatasetCheck):
    """There are as many rows as there should be.

    What it measures:
        The number of rows, after `filter` and in the `partition` if there is one.

    Why it matters:
        An empty or half-loaded table is the most common failure of a pipeline, and the cheapest one to see.

    Parameters:
        min, max: the fewest and the most rows that are right, inclusive. Either these, or warn_if and fail_if.
        warn_if, fail_if: conditions on the number of rows, without %.

    NULLs and empty tables:
        Zero rows is a value and is judged.

    SQL it runs:
        `count(*)`, part of the table's fused statement.

    Example:
        ```yaml
        - row_count: {min: 1000}
        ```

    Known limits:
        Bounds are constants; for a number that has a rhythm or grows use volume_anomaly.

    References:
        - Schelter et al., Automating Large-Scale Data Quality Verification, VLDB 2018, table 1 (hasSize):
          https://www.vldb.org/pvldb/vol11/p1781-schelter.pdf
    """

    type: ClassVar[str] = "row_count"
    dimension: ClassVar[Dimension] = Dimension.VOLUME
    unit: ClassVar[Unit] = Unit.ROWS

    min: Annotated[int, Field(ge=0)] | None = None
    max: Annotated[int, Field(ge=0)] | None = None

    def problems(self, check: Check) -> tuple[str, ...]:
        """Two ways of saying the limits at once, none, or bounds the wrong way round."""
        found: list[str] = []
        has_bounds = self.min is not None or self.max is not None
        has_thresholds = check.warn_if is not None or check.fail_if is not None
        if has_bounds and has_thresholds:
            found.append("min/max and warn_if/fail_if are both given; write one of the two")
        if not has_bounds and not has_thresholds:
            found.append("row_count has no limit; write min: or max:, or warn_if: or fail_if:")
        if self.min is not None and self.max is not None and self.min > self.max:
            found.append(f"min {self.min} is above max {self.max}; no number of rows can be right")
        return tuple(found)

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """All rows."""
        del check
        return (RowCount(),)

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The number of rows against the limits."""
        rows = measured_count(evidence, RowCount())
        bounds = self._limits(check)
        verdict = bounds.verdict(rows)
        applied = bounds.applied(verdict)
        low, high = interval(applied) if applied else (None, None)
        text = holds(applied, "rows") if applied else ""
        expected = Expected(None if low is None else float(low), None if high is None else float(high), text)
        return Judgement(verdict, Observed(rows, Unit.ROWS), expected, f"{there_are(rows)}{because(bounds, verdict)}")

    def _limits(self, check: Check) -> Limits:
        match self.min, self.max:
            case None, None:
                return limits(check)
            case int() as low, None:
                return Limits(None, Threshold("<", Decimal(low)))
            case None, int() as high:
                return Limits(None, Threshold(">", Decimal(high)))
            case low, high:
                return Limits(None, Threshold("not between", Decimal(low or 0), Decimal(high or 0)))
