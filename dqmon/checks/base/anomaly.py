"""What every type does that compares a value with its own past."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import takewhile
from math import ceil, floor, inf
from typing import ClassVar

from dqmon.checks.base.band_options import BandOptions
from dqmon.checks.base.learned import ENOUGH_HOLIDAYS, Learned, learned, left_out
from dqmon.checks.base.rarity import RAREST, once_in, rate, rounded_down
from dqmon.checks.base.valued import measured_number
from dqmon.checks.base.words import count, number
from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.history import Band, History, Learning
from dqmon.core.judgement import Evidence, Expected, Judgement, Observed
from dqmon.core.metric import Metric
from dqmon.core.verdict import Unit, Verdict

_SHOWN = 28
"""How many of the newest baseline points are kept with a result for `explain`: four weeks of days."""
_LARGEST_CHANGE = 10
"""Ten times the expected value: to ignore a larger change is not to check."""
_LEFT_OUT = 7
"""How many of the newest points that a baseline does not rest on are kept with a result."""


@dataclass(frozen=True, slots=True)
class _Tested:
    """A value, the time that it describes in its zone, and its past."""

    value: float | Decimal
    history: History
    at: datetime
    timezone: str


class BandCheck(BandOptions):
    """A value against the band that a detector expects from the earlier values of the same series.

    A subclass says how the value is worded.
    """

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

    def while_learning(self, skipped: Judgement, value: float | Decimal, history: History) -> Judgement:
        """The verdict without a band: SKIPPED, unless the value ends what `at_once` found."""
        del value, history
        return skipped

    def judge_in_band(self, value: float | Decimal, history: History, at: datetime, timezone: str) -> Judgement:
        """The verdict on the value at `at`, by `history` before it."""
        past = learned(self, history, at, timezone)
        if past.is_holiday and (missing := ENOUGH_HOLIDAYS - len(past.holidays)) > 0:
            return self._learning(value, history, f"a holiday of {self.calendar}, {count(missing, 'more earlier holidays')} needed")
        if (found := self.at_once(value, past.history)) is not None:
            return found
        tested = _Tested(value, history, at, timezone)
        verdict, per_year = Verdict.FAIL, float(self.false_alerts_per_year)
        band = self._band(tested, past, per_year)
        if isinstance(band, Learning):
            return self._learning(value, history, f"{count(band.missing, 'more points')} needed")
        if self._excess(value, band) <= 0:
            verdict = Verdict.PASS
            if self.warn_per_year is not None:
                net = self._band(tested, past, float(self.warn_per_year))
                if isinstance(net, Band) and self._excess(value, net) > 0:
                    verdict, per_year, band = Verdict.WARN, float(self.warn_per_year), net
        return self._judgement(verdict, tested, past, band, per_year)

    def _band(self, tested: _Tested, past: Learned, per_year: float) -> Band | Learning:
        """The detector's band, as wide as `calendar` and `ignore_change_below` make it."""
        band = self.detector(per_year).expect(past.history, tested.at, tested.timezone)
        if isinstance(band, Learning):
            return band
        room = self.ignored_change(band.center)
        return past.with_holidays(replace(band, low=min(band.low, band.center - room), high=max(band.high, band.center + room)))

    def _learning(self, value: float | Decimal, history: History, missing: str) -> Judgement:
        reason = f"{self.says(value)}; learning, {missing} before judging"
        skipped = Judgement(Verdict.SKIPPED, Observed(value, self.unit), Expected(text="learning"), reason, is_learning=True)
        return self.while_learning(skipped, value, history)

    def _excess(self, value: float | Decimal, band: Band | Learning) -> float:
        """How far outside of the band the value is, on a side that is bad; 0 or less inside."""
        if isinstance(band, Learning):
            return inf
        below = -inf if self.direction == "rise" else band.low - float(value)
        return max(below, -inf if self.direction == "drop" else float(value) - band.high)

    def _judgement(self, verdict: Verdict, tested: _Tested, past: Learned, band: Band, per_year: float) -> Judgement:
        value, good = tested.value, self.good(band)
        low = None if self.direction == "rise" else good.low
        high = None if self.direction == "drop" else good.high
        text = self._text(low, high)
        verb = "warns" if verdict is Verdict.WARN else "fails"
        how_often = None
        if verdict is not Verdict.PASS and self.has_budget:
            how_often = rate(lambda budget: self._excess(value, self._band(tested, past, budget)), per_year, self._excess(value, band))
        off = [off for off in (_off(float(value), band.center), once_in(how_often) if how_often else "") if off]
        center = number(good.center) + (f" ({', '.join(off)})" if off else "")
        passes = () if verdict is Verdict.PASS else (self._passes(verdict, float(value), good, how_often),)
        points = (f"{point.at:%Y-%m-%dT%H:%M:%SZ}: {number(point.value)}" for point in band.used[-_SHOWN:])
        return Judgement(
            verdict,
            Observed(value, self.unit),
            Expected(low, high, text),
            f"{self.says(value)}, expected about {center}; {verb} unless {text}",
            baseline=(*band.explanation, *_estimates(band), *passes, *left_out(tested.history, past.history, band)[:_LEFT_OUT], *points),
        )

    def _text(self, low: float | None, high: float | None) -> str:
        """What is inside of the band: `between 9,800 and 12,400 rows`."""
        if low is None:
            return f"at most {self.amount(high or 0)}"
        return f"at least {self.amount(low)}" if high is None else f"between {number(low)} and {self.amount(high)}"

    def _passes(self, verdict: Verdict, value: float, good: Band, how_often: float | None) -> str:
        """What would make it pass: `passes from 9,812 rows, or with ignore_change_below: 12%`."""
        bound = f"from {self.amount(good.low)}" if value < good.low else f"up to {self.amount(good.high)}"
        ways = []
        if how_often is not None and how_often > RAREST:
            option = "warn_per_year" if verdict is Verdict.WARN else "false_alerts_per_year"
            budget = rounded_down(how_often)
            # Below the band of failures a net is none: then only another option stills the warning.
            if verdict is Verdict.FAIL or budget > self.false_alerts_per_year:
                ways.append(f"{option}: {number(budget)}")
        change = abs(value / good.center - 1) if good.center else inf
        if change <= _LARGEST_CHANGE:
            # One more than needed, since the expected value is told rounded.
            ways.append(f"ignore_change_below: {ceil(100 * change) + 1}%")
        return f"passes {bound}" + (f", or with {' or '.join(ways)}" if ways else "")


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

    def while_learning(self, skipped: Judgement, value: float | Decimal, history: History) -> Judgement:
        """PASS for rows after the zero rows that alerted: without an outcome the alert would stay, and nothing be learned any more."""
        alerted = list(takewhile(lambda point: point.is_excluded, reversed(history.points)))
        if not value or not alerted or alerted[-1].value:
            return skipped
        return replace(skipped, verdict=Verdict.PASS, expected=Expected(1.0, None, "at least 1 row"), is_learning=False)


def _estimates(band: Band) -> tuple[str, ...]:
    """How many of the points that the band rests on were not measured."""
    estimates = sum(point.is_estimate for point in band.used)
    return (f"{estimates} of {count(len(band.used), 'points')} are estimates of `dqmon backfill`",) if estimates else ()


def _off(value: float, center: float) -> str:
    """How far off the value is when that is a percent or more: `12 % below`."""
    percent = 100 * (value / center - 1) if center > 0 else 0.0
    share = round(percent) if abs(percent) < inf else 0
    return f"{abs(share)} % {'below' if share < 0 else 'above'}" if share else ""
