"""What every type does that compares a value with its own past."""

from __future__ import annotations

from abc import abstractmethod
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dqmon.checks.base.fields import Number
from dqmon.checks.base.valued import measured_number
from dqmon.checks.base.words import count, number
from dqmon.core.check import Check, DatasetCheck
from dqmon.core.history import Band, Learning
from dqmon.core.judgement import Evidence, Expected, Judgement, Observed
from dqmon.core.metric import Metric
from dqmon.core.protocols import Detector
from dqmon.core.registry import Registry
from dqmon.core.verdict import Verdict

_DETECTORS = Registry("detectors")
_SHOWN = 28
"""How many of the newest baseline points are kept with a result for `explain`: four weeks of days."""


class AnomalyCheck(DatasetCheck):
    """A value against the band that a detector expects from the earlier values of the same series.

    A subclass says what is measured (`watched`) and how it is worded; a value of None is SKIPPED, with `nothing` as the reason.
    """

    allows_threshold: ClassVar[bool] = False
    smallest_change: ClassVar[float]
    """What a value that was always the same may change by at least: 1 for counts, 0 for values that may be of any size."""

    direction: Literal["both", "drop", "rise"] = "both"
    false_alerts_per_year: Annotated[Number, Field(gt=0)] = Field(default=2, validate_default=True)
    warn_per_year: Annotated[Number, Field(gt=0)] | None = None
    min_history: Annotated[int, Field(ge=2)] = 14
    detector: str = "seasonal"

    @property
    def nothing(self) -> str:
        """Why there is no value."""
        return "there was nothing to measure"

    @property
    @abstractmethod
    def watched(self) -> Metric:
        """The metric whose values are compared."""

    @abstractmethod
    def says(self, value: float | Decimal) -> str:
        """The value in a sentence: `there are 3 rows`."""

    def amount(self, value: float) -> str:
        """A bound of the band for people."""
        return number(value)

    def good(self, band: Band) -> Band:
        """The band in values that can be: whole ones for counts."""
        return band

    def at_once(self, value: float | Decimal, evidence: Evidence) -> Judgement | None:
        """The verdict that needs no band; none unless the type says so."""
        del value, evidence
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
        observed = Observed(value, self.unit)
        if value is None:
            return Judgement(Verdict.SKIPPED, observed, Expected(text="a value to compare"), self.nothing, is_no_data=True)
        if (found := self.at_once(value, evidence)) is not None:
            return found
        band = self._band(check, evidence, float(self.false_alerts_per_year))
        if isinstance(band, Learning):
            reason = f"{self.says(value)}; learning, {count(band.missing, 'more points')} needed before judging"
            return Judgement(Verdict.SKIPPED, observed, Expected(text="learning"), reason, is_learning=True)
        if self._is_outside(value, band):
            return self._judgement(Verdict.FAIL, value, band)
        if self.warn_per_year is not None:
            net = self._band(check, evidence, float(self.warn_per_year))
            if isinstance(net, Band) and self._is_outside(value, net):
                return self._judgement(Verdict.WARN, value, net)
        return self._judgement(Verdict.PASS, value, band)

    def _band(self, check: Check, evidence: Evidence, per_year: float) -> Band | Learning:
        """The band of `per_year` false alerts; a one-sided check spends its whole budget on its side."""
        budget = per_year if self.direction == "both" else 2 * per_year
        options = {"false_alerts_per_year": budget, "min_history": self.min_history, "smallest_change": self.smallest_change}
        detector: Detector = _DETECTORS.get(self.detector)(options)
        at = evidence.partition.start if evidence.partition and evidence.partition.start else evidence.scheduled_at
        return detector.expect(evidence.history, at, check.timezone)

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


def _off(value: float, center: float) -> str:
    """How far off the value is when that is a percent or more: ` (12 % below)`."""
    ratio = value / center - 1 if center > 0 else 0.0
    share = round(100 * ratio) if abs(ratio) < float("inf") else 0
    return f" ({abs(share)} % {'below' if share < 0 else 'above'})" if share else ""
