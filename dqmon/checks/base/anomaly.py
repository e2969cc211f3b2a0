"""What every type does that compares a value with its own past."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime
from decimal import Decimal
from math import ceil, floor
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dqmon.checks.base.fields import Number
from dqmon.checks.base.valued import measured_number
from dqmon.checks.base.words import count, number
from dqmon.core.check import Check, CheckType, DatasetCheck
from dqmon.core.history import Band, History, Learning
from dqmon.core.judgement import Evidence, Expected, Judgement, Observed
from dqmon.core.metric import Metric
from dqmon.core.protocols import Detector
from dqmon.core.registry import Registry
from dqmon.core.verdict import Unit, Verdict

_DETECTORS = Registry("detectors")
_SHOWN = 28
"""How many of the newest baseline points are kept with a result for `explain`: four weeks of days."""


class BandCheck(CheckType):
    """A value against the band that a detector expects from the earlier values of the same series.

    A subclass says how the value is worded.
    """

    allows_threshold: ClassVar[bool] = False
    smallest_change: ClassVar[float]
    """What a value that was always the same may change by at least: 1 for counts, 0 for values that may be of any size."""

    direction: Literal["both", "drop", "rise"] = "both"
    false_alerts_per_year: Annotated[Number, Field(gt=0)] = Field(default=2, validate_default=True)
    warn_per_year: Annotated[Number, Field(gt=0)] | None = None
    min_history: Annotated[int, Field(ge=2)] = 14
    detector: str = "seasonal"

    @abstractmethod
    def says(self, value: float | Decimal) -> str:
        """The value in a sentence: `there are 3 rows`."""

    def amount(self, value: float) -> str:
        """A bound of the band for people."""
        return number(value)

    def good(self, band: Band) -> Band:
        """The band in values that can be: whole ones for counts."""
        return band

    def at_once(self, value: float | Decimal, history: History) -> Judgement | None:
        """The verdict that needs no band; none unless the type says so."""
        del value, history
        return None

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

    def judge_in_band(self, value: float | Decimal, history: History, at: datetime, timezone: str) -> Judgement:
        """The verdict on the value at `at`, by `history` before it."""
        if (found := self.at_once(value, history)) is not None:
            return found

        def band_of(per_year: float) -> Band | Learning:
            """The band of `per_year` false alerts; a one-sided check spends its whole budget on its side."""
            budget = per_year if self.direction == "both" else 2 * per_year
            options = {"false_alerts_per_year": budget, "min_history": self.min_history, "smallest_change": self.smallest_change}
            detector: Detector = _DETECTORS.get(self.detector)(options)
            return detector.expect(history, at, timezone)

        band = band_of(float(self.false_alerts_per_year))
        if isinstance(band, Learning):
            reason = f"{self.says(value)}; learning, {count(band.missing, 'more points')} needed before judging"
            return Judgement(Verdict.SKIPPED, Observed(value, self.unit), Expected(text="learning"), reason, is_learning=True)
        if self._is_outside(value, band):
            return self._judgement(Verdict.FAIL, value, band)
        if self.warn_per_year is not None:
            net = band_of(float(self.warn_per_year))
            if isinstance(net, Band) and self._is_outside(value, net):
                return self._judgement(Verdict.WARN, value, net)
        return self._judgement(Verdict.PASS, value, band)

    def _is_outside(self, value: float | Decimal, band: Band) -> bool:
        is_drop, is_rise = value < band.low, value > band.high
        return (is_drop and self.direction != "rise") or (is_rise and self.direction != "drop")

    def _judgement(self, verdict: Verdict, value: float | Decimal, band: Band) -> Judgement:
        good = self.good(band)
        low = None if self.direction == "rise" else good.low
        high = None if self.direction == "drop" else good.high
        text = self._text(low, high)
        verb = "warns" if verdict is Verdict.WARN else "fails"
        center = f"{number(good.center)}{_off(float(value), band.center)}"
        return Judgement(
            verdict,
            Observed(value, self.unit),
            Expected(low, high, text),
            f"{self.says(value)}, expected about {center}; {verb} unless {text}",
            baseline=(*band.explanation, *(f"{point.at:%Y-%m-%dT%H:%M:%SZ}: {number(point.value)}" for point in band.used[-_SHOWN:])),
        )

    def _text(self, low: float | None, high: float | None) -> str:
        """What is inside of the band: `between 9,800 and 12,400 rows`."""
        if low is None:
            return f"at most {self.amount(high or 0)}"
        return f"at least {self.amount(low)}" if high is None else f"between {number(low)} and {self.amount(high)}"


class AnomalyCheck(BandCheck, DatasetCheck):
    """A measured value against its band.

    A subclass says what is measured (`watched`); a value of None is SKIPPED, with `nothing` as the reason.
    """

    @property
    def nothing(self) -> str:
        """Why there is no value."""
        return "there was nothing to measure"

    @property
    @abstractmethod
    def watched(self) -> Metric:
        """The metric whose values are compared."""

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """The one that is watched."""
        del check
        return (self.watched,)

    def history_metric(self, check: Check) -> Metric | None:
        """The same, earlier."""
        del check
        return self.watched

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The value against the band for its time: the partition's start, else the slot."""
        value = measured_number(evidence, self.watched)
        if value is None:
            observed, expected = Observed(value, self.unit), Expected(text="a value to compare")
            return Judgement(Verdict.SKIPPED, observed, expected, self.nothing, is_no_data=True)
        at = evidence.partition.start if evidence.partition and evidence.partition.start else evidence.scheduled_at
        return self.judge_in_band(value, evidence.history, at, check.timezone)


class CountBandCheck(BandCheck):
    """A number of rows against its band. Zero rows where there never were zero is a FAIL that needs no learning."""

    smallest_change: ClassVar[float] = 1
    none: ClassVar[str]
    """No rows, in a sentence: `there are no rows`."""

    def amount(self, value: float) -> str:
        """`3 rows`."""
        return count(int(value), "rows")

    def good(self, band: Band) -> Band:
        """Whole numbers from 0 up."""
        return Band(max(0, ceil(band.low)), floor(band.high), round(band.center), band.explanation, band.used)

    def at_once(self, value: float | Decimal, history: History) -> Judgement | None:
        """Zero rows where there never were zero."""
        past = history.points
        if value or self.direction == "rise" or not past or any(point.value <= 0 for point in past):
            return None
        fewest = number(min(point.value for point in past))
        reason = f"{self.none}, where there never were fewer than {fewest} in {count(len(past), 'earlier points')}"
        return Judgement(Verdict.FAIL, Observed(0, Unit.ROWS), Expected(1.0, None, "at least 1 row"), reason)


def _off(value: float, center: float) -> str:
    """How far off the value is when that is a percent or more: ` (12 % below)`."""
    ratio = value / center - 1 if center > 0 else 0.0
    share = round(100 * ratio) if abs(ratio) < float("inf") else 0
    return f" ({abs(share)} % {'below' if share < 0 else 'above'})" if share else ""
