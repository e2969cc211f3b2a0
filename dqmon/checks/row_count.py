"""Check type row_count: the number of rows."""

from __future__ import annotations

from typing import ClassVar

from dqmon.checks.base.counted import because, measured_count
from dqmon.checks.base.row_bounds import RowBounds, expected_rows
from dqmon.checks.base.words import there_are
from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.judgement import Evidence, Judgement, Observed
from dqmon.core.metric import Metric
from dqmon.core.verdict import Dimension, Unit
from dqmon.sql.metrics import RowCount


class RowCountCheck(RowBounds, DatasetCheck):
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

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """All rows."""
        del check
        return (RowCount(),)

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The number of rows against the limits."""
        rows = measured_count(evidence, RowCount())
        bounds = self.row_limits(check)
        verdict = bounds.verdict(rows)
        expected = expected_rows(bounds, verdict)
        return Judgement(verdict, Observed(rows, Unit.ROWS), expected, f"{there_are(rows)}{because(bounds, verdict)}")
