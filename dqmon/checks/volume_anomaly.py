"""Check type volume_anomaly: a number of rows that the past does not explain."""

from __future__ import annotations

from math import ceil, floor
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dqmon.checks.base.counted import measured_count
from dqmon.checks.base.fields import Number
from dqmon.checks.base.words import count, number, there_are
from dqmon.core.check import Check, DatasetCheck, Evidence, Expected, Judgement, Observed
from dqmon.core.history import Band, Learning
from dqmon.core.metric import Metric
from dqmon.core.protocols import Detector
from dqmon.core.registry import Registry
from dqmon.core.verdict import Dimension, Unit, Verdict
from dqmon.sql.metrics import RowCount

_DETECTORS = Registry("detectors")
_SHOWN = 28
"""How many of the newest baseline points are kept with a result for `explain`: four weeks of days."""


class VolumeAnomaly(DatasetCheck):
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
    allows_threshold: ClassVar[bool] = False

    direction: Literal["both", "drop", "rise"] = "both"
    false_alerts_per_year: Annotated[Number, Field(gt=0)] = Field(default=2, validate_default=True)
    warn_per_year: Annotated[Number, Field(gt=0)] | None = None
    min_history: Annotated[int, Field(ge=2)] = 14
    detector: str = "seasonal"

    def problems(self, check: Check) -> tuple[str, ...]:
        """A warning net that is no wider, a detector that does not exist."""
        del check
        found: list[str] = []
        if self.warn_per_year is not None and self.warn_per_year <= self.false_alerts_per_year:
            found.append(
                f"warn_per_year {number(self.warn_per_year)} is not above false_alerts_per_year "
                f"{number(self.false_alerts_per_year)}, so that it never warns; a wider net costs more false alerts"
            )
        if self.detector not in _DETECTORS.names():
            found.append(f"there is no detector {self.detector!r}; there are {', '.join(_DETECTORS.names())}")
        return tuple(found)

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """All rows."""
        del check
        return (RowCount(),)

    def history_metric(self, check: Check) -> Metric | None:
        """The same number of rows, earlier."""
        del check
        return RowCount()

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The number of rows against the band for its time: the partition's start, else the slot."""
        rows = measured_count(evidence, RowCount())
        past = evidence.history.points
        observed = Observed(rows, Unit.ROWS)
        if rows == 0 and past and all(point.value > 0 for point in past) and self.direction != "rise":
            fewest = number(min(point.value for point in past))
            reason = f"there are no rows, where there never were fewer than {fewest} in {count(len(past), 'earlier points')}"
            return Judgement(Verdict.FAIL, observed, Expected(1.0, None, "at least 1 row"), reason)
        band = self._band(check, evidence, float(self.false_alerts_per_year))
        if isinstance(band, Learning):
            reason = f"{there_are(rows)}; learning, {count(band.missing, 'more points')} needed before judging"
            return Judgement(Verdict.SKIPPED, observed, Expected(text="learning"), reason, is_learning=True)
        if self._is_outside(rows, band):
            return self._judgement(Verdict.FAIL, rows, band)
        if self.warn_per_year is not None:
            net = self._band(check, evidence, float(self.warn_per_year))
            if isinstance(net, Band) and self._is_outside(rows, net):
                return self._judgement(Verdict.WARN, rows, net)
        return self._judgement(Verdict.PASS, rows, band)

    def _band(self, check: Check, evidence: Evidence, per_year: float) -> Band | Learning:
        """The band of `per_year` false alerts; a one-sided check spends its whole budget on its side."""
        budget = per_year if self.direction == "both" else 2 * per_year
        options = {"false_alerts_per_year": budget, "min_history": self.min_history}
        detector: Detector = _DETECTORS.get(self.detector)(options)
        at = evidence.partition.start if evidence.partition and evidence.partition.start else evidence.scheduled_at
        return detector.expect(evidence.history, at, check.timezone)

    def _is_outside(self, rows: int, band: Band) -> bool:
        is_drop, is_rise = rows < band.low, rows > band.high
        return (is_drop and self.direction != "rise") or (is_rise and self.direction != "drop")

    def _judgement(self, verdict: Verdict, rows: int, band: Band) -> Judgement:
        low = None if self.direction == "rise" else max(0, ceil(band.low))
        high = None if self.direction == "drop" else floor(band.high)
        text = _text(low, high)
        verb = "warns" if verdict is Verdict.WARN else "fails"
        return Judgement(
            verdict,
            Observed(rows, Unit.ROWS),
            Expected(low, high, text),
            f"{there_are(rows)}, expected about {_about(rows, band.center)}; {verb} unless {text}",
            baseline=(*band.explanation, *(f"{point.at:%Y-%m-%dT%H:%M:%SZ}: {number(point.value)}" for point in band.used[-_SHOWN:])),
        )


def _about(rows: int, center: float) -> str:
    """The expected number, and how far off the found one is when that is a percent or more."""
    share = round(100 * (rows / center - 1)) if center > 0 else 0
    off = f" ({abs(share)} % {'below' if share < 0 else 'above'})" if share else ""
    return f"{number(round(center))}{off}"


def _text(low: int | None, high: int | None) -> str:
    """The rows that are inside of the band: `between 9,800 and 12,400 rows`."""
    if low is None:
        return f"at most {count(high or 0, 'rows')}"
    return f"at least {count(low, 'rows')}" if high is None else f"between {number(low)} and {count(high, 'rows')}"
