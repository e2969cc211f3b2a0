"""Check type volume_anomaly: a number of rows that the past does not explain."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from dqmon.checks.base.anomaly import AnomalyCheck, CountBandCheck
from dqmon.checks.base.words import there_are
from dqmon.core.metric import Metric
from dqmon.core.verdict import Dimension, Unit
from dqmon.sql.metrics import RowCount


class VolumeAnomaly(CountBandCheck, AnomalyCheck):
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
        A holiday is known once the same calendar was seen to matter before; the first one alerts.
        A leak of less than the daily noise is found late or not at all.

    References:
        - The page of the detector says how the band is made, and names its sources.
    """

    type: ClassVar[str] = "volume_anomaly"
    dimension: ClassVar[Dimension] = Dimension.VOLUME
    unit: ClassVar[Unit] = Unit.ROWS
    none: ClassVar[str] = "there are no rows"

    @property
    def watched(self) -> Metric:
        """All rows."""
        return RowCount()

    def says(self, value: float | Decimal) -> str:
        """`there are 3 rows`."""
        return there_are(int(value))
