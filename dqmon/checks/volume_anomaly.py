"""Check type volume_anomaly: a number of rows that the past does not explain."""

from __future__ import annotations

from decimal import Decimal
from math import ceil, floor
from typing import ClassVar

from dqmon.checks.base.anomaly import AnomalyCheck
from dqmon.checks.base.words import count, number, there_are
from dqmon.core.history import Band
from dqmon.core.judgement import Evidence, Expected, Judgement, Observed
from dqmon.core.metric import Metric
from dqmon.core.verdict import Dimension, Unit, Verdict
from dqmon.sql.metrics import RowCount


class VolumeAnomaly(AnomalyCheck):
    """The number of rows is one that its own past explains.

    What it measures:
        The number of rows (of the partition, if there is one) against the band that a detector expects from the earlier
        values of the same series: level, growth, weekday and hour are learned, the tested point is never in its own baseline.

    Why it matters:
        Half a load, a doubled load or a load that stopped keeps a table plausible for every rule that has fixed bounds.

    Parameters:
        direction: `both` (default), `drop` or `rise`: which side of the band is bad.
        false_alerts_per_year: how many false alerts this check may cost a year at its own cadence; it sets the width of the
          band. Default 2.
        warn_per_year: a wider net: outside of the band of so many false alerts a year it warns. Off by default.
        min_history: how many points are needed before it judges; default 14, two weeks of days.
        detector: how the band is found; default `seasonal`.

    NULLs and empty tables:
        Zero rows is a value. With less than `min_history` points the result is SKIPPED (learning), but for one case that
        needs no learning: zero rows where there never were zero is a FAIL, unless `direction: rise`.

    SQL it runs:
        `count(*)`, part of the table's fused statement.

    Example:
        ```yaml
        - volume_anomaly: {direction: both, false_alerts_per_year: 2, min_history: 14}
        ```

    Known limits:
        Holidays are not known to the detector. A leak of less than the daily noise is found late or not at all.

    References:
        - The page of the detector says how the band is made, and names its sources.
    """

    type: ClassVar[str] = "volume_anomaly"
    dimension: ClassVar[Dimension] = Dimension.VOLUME
    unit: ClassVar[Unit] = Unit.ROWS
    smallest_change: ClassVar[float] = 1

    @property
    def watched(self) -> Metric:
        """All rows."""
        return RowCount()

    def says(self, value: float | Decimal) -> str:
        """`there are 3 rows`."""
        return there_are(int(value))

    def amount(self, value: float) -> str:
        """`3 rows`."""
        return count(int(value), "rows")

    def good(self, band: Band) -> Band:
        """Whole numbers from 0 up."""
        return Band(max(0, ceil(band.low)), floor(band.high), round(band.center), band.explanation, band.used)

    def at_once(self, value: float | Decimal, evidence: Evidence) -> Judgement | None:
        """Zero rows where there never were zero is a FAIL that needs no learning."""
        past = evidence.history.points
        if value or self.direction == "rise" or not past or any(point.value <= 0 for point in past):
            return None
        fewest = number(min(point.value for point in past))
        reason = f"there are no rows, where there never were fewer than {fewest} in {count(len(past), 'earlier points')}"
        return Judgement(Verdict.FAIL, Observed(0, Unit.ROWS), Expected(1.0, None, "at least 1 row"), reason)
