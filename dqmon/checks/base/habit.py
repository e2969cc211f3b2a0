"""When rows usually come, by calendar day, and that they are late."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from dqmon.checks.base.arrival_clock import ArrivalClock, Delays
from dqmon.checks.base.words import count
from dqmon.core.due_days import DAY_NAMES, is_due
from dqmon.core.duration import format_duration
from dqmon.core.history import Band, History, Learning, Point
from dqmon.core.judgement import Expected, Judgement, Observed
from dqmon.core.registry import Registry
from dqmon.core.verdict import Unit, Verdict

if TYPE_CHECKING:
    from dqmon.core.protocols import Detector

_DETECTORS = Registry("detectors")
_FEWEST = 14
"""Days with an arrival before anything is expected: as many points as an anomaly check needs."""
_COMES, _WEEKS = 0.8, 10
"""Rows come on a day of the week on which they came 8 of the last 10 times; two times of five are a habit of another kind."""
_SEVERAL = 2
"""From so many arrivals on the median day, the time since the last one is judged, not the first one of a day."""
_MOST_GAPS = 672
"""As many as the detector looks at."""
_SAME_S = 60.0
"""Arrivals within a minute are one, and a due time is not told to be shorter than that."""
_LOOK_BACK = 400
_WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
_SHOWN = 5
"""Fewer arrivals on one day of the week than this are shown together with those of all days."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """New rows came. `is_excluded`: inside an incident of the check, so that nothing is learned from it."""

    at: datetime
    is_excluded: bool = False


@dataclass(frozen=True)
class Habit:
    """When rows have come, as the clock of a zone shows it: nothing is expected but on `days` that are no holiday of `calendar`.

    arrivals: oldest first. per_year: false alerts.
    """

    arrivals: tuple[Arrival, ...]
    timezone: str
    days: tuple[str, ...]
    calendar: str | None
    per_year: float

    def judge(self, now: datetime, noun: str) -> Judgement:
        """FAIL when rows should have come by `now` and have not; SKIPPED while too little is known. noun: what is counted, `loads`."""
        known = Habit(self.arrivals[: bisect_right(self.arrivals, now, key=_at)], self.timezone, self.days, self.calendar, self.per_year)
        missing = _FEWEST - len(known._first)
        if known.arrivals and known._is_several and len(known.arrivals) <= _MOST_GAPS:
            missing = max(missing, _FEWEST - (known._clock.day(now) - known._clock.day(known.arrivals[0].at)).days)
        if missing > 0:
            return _learning(known._observed(now), missing)
        return known._since_last(now, noun) if known._is_several else known._of_day(now, noun)

    def _since_last(self, now: datetime, noun: str) -> Judgement:
        """By the time since the last arrival, against what follows an arrival at that hour of that day."""
        last, gaps = self.arrivals[-1], self._gaps
        band = self._band([Point(before.at, seconds, after.is_excluded) for before, after, seconds in gaps], last.at, _SAME_S)
        if isinstance(band, Learning):
            return _learning(self._observed(now), band.missing, "arrivals")
        due = self._later(last.at, max(band.high, _SAME_S))
        alike = [s for before, _, s in gaps if self._clock.wall(before.at).hour == self._clock.wall(last.at).hour]
        low, high = _usual(alike if len(alike) >= _SHOWN else [s for _, _, s in gaps])
        usual = f"usually {format_duration(low)}–{format_duration(high)} after the one before"
        return self._judgement(now, due, last.at, f"{usual} ({count(len(gaps) + 1, noun)})", is_here=now <= due)

    def _of_day(self, now: datetime, noun: str) -> Judgement:
        """By the first arrival of the newest day that is over, or due; what an earlier day asked for still stands."""
        today, last = self._clock.day(now), self.arrivals[-1]
        shown: Judgement | None = None
        for day in (today - timedelta(days=back) for back in range(_LOOK_BACK)):
            if not self._is_expected(day):
                continue
            earlier = {d: first for d, first in self._first.items() if d < day}
            if not earlier:
                break
            scale = Delays.of([seconds for seconds, _ in earlier.values()])
            points = [Point(self._clock.start(d), scale.scaled(s), is_excluded) for d, (s, is_excluded) in earlier.items()]
            band = self._band(points, self._clock.start(day), _SAME_S if scale.start is None else 0.0)
            if isinstance(band, Learning):
                return shown or _learning(self._observed(now), band.missing)
            usual, latest = self._usual_on(day, noun)
            seconds = max(scale.seconds(band.high), latest + _SAME_S)
            due = self._clock.instant(self._clock.begins(day) + timedelta(seconds=seconds))
            is_here = self._clock.day(last.at) >= day
            found = self._judgement(now, due, last.at, usual, is_here=is_here or now <= due)
            if is_here or now > due:
                return found if shown is None or found.verdict.is_bad else shown
            shown = shown or found
        return shown or Judgement(Verdict.PASS, self._observed(now), Expected(text="nothing is due"), "no day is due")

    def _judgement(self, now: datetime, due: datetime, last: datetime, usual: str, *, is_here: bool) -> Judgement:
        on_day = "" if self._clock.wall(due).date() == self._clock.wall(now).date() else f" on {self._clock.wall(due):%a %Y-%m-%d}"
        by = f"due by {self._clock.shown(due)}{on_day}"
        is_new = self._clock.day(last) >= self._clock.day(now)
        state = (
            f"the last came at {self._clock.shown(last)}"
            if is_new
            else f"the last came {format_duration((now - last).total_seconds())} ago"
        )
        reason = f"{usual}, {by}, {state}" if is_here else f"{usual}, {by}, now {self._clock.shown(now)}, not yet here"
        limit = (due - last).total_seconds()
        expected = Expected(high=limit if limit > 0 else None, text=f"new rows by {self._clock.shown(due)} {self.timezone}{on_day}")
        return Judgement(Verdict.PASS if is_here else Verdict.FAIL, self._observed(now), expected, reason)

    def _band(self, points: Sequence[Point], at: datetime, smallest_change: float) -> Band | Learning:
        """What is usual for the value at `at`. Only what is too late counts, so that the whole budget goes to that side."""
        options = {"false_alerts_per_year": 2 * self.per_year, "min_history": _FEWEST, "smallest_change": smallest_change}
        detector: Detector = _DETECTORS.get("auto")(options)
        return detector.expect(History(tuple(points)), at, self.timezone)

    @cached_property
    def _clock(self) -> ArrivalClock:
        return ArrivalClock.of([arrival.at for arrival in self.arrivals], self.timezone)

    @cached_property
    def _first(self) -> dict[date, tuple[float, bool]]:
        """The first arrival of each day that had one, in seconds of that day, and whether it is excluded."""
        found: dict[date, tuple[float, bool]] = {}
        for arrival in self.arrivals:
            day = self._clock.day(arrival.at)
            seconds = (self._clock.wall(arrival.at) - self._clock.begins(day)).total_seconds()
            found.setdefault(day, (max(seconds, 1.0), arrival.is_excluded))
        return found

    @cached_property
    def _is_several(self) -> bool:
        """True when rows come several times a day, or on no day of the week in particular."""
        counts = Counter(self._clock.day(arrival.at) for arrival in self.arrivals)
        return median(counts.values()) >= _SEVERAL or not self._habitual

    @cached_property
    def _habitual(self) -> frozenset[int]:
        """The days of the week on which rows come, up to the last arrival: an outage that goes on is no habit."""
        day, last, found = min(self._first), self._clock.day(self.arrivals[-1].at), dict[int, list[bool]]()
        while day <= last:
            if is_due(day, self.days, self.calendar):
                found.setdefault(day.weekday(), []).append(day in self._first)
            day += timedelta(days=1)
        return frozenset(weekday for weekday, came in found.items() if sum(came[-_WEEKS:]) >= _COMES * len(came[-_WEEKS:]))

    @cached_property
    def _gaps(self) -> list[tuple[Arrival, Arrival, float]]:
        """Two arrivals after each other and the seconds between, of the days on which rows come."""
        distinct: list[Arrival] = []
        for arrival in self.arrivals[-_MOST_GAPS - 1 :]:
            if not distinct or (arrival.at - distinct[-1].at).total_seconds() >= _SAME_S:
                distinct.append(arrival)
        return [(a, b, self._between(a.at, b.at)) for a, b in pairwise(distinct)]

    def _is_expected(self, day: date) -> bool:
        return day.weekday() in (self._habitual or range(len(DAY_NAMES))) and is_due(day, self.days, self.calendar)

    def _between(self, start: datetime, end: datetime) -> float:
        """Seconds from `start` to `end` on days on which rows come, by the clock on the wall or the real one: the fewer."""
        wall, until, closed = self._clock.wall(start), self._clock.wall(end), 0.0
        day = wall.date()
        while day <= until.date():
            if not self._is_expected(day):
                midnight = datetime.combine(day, time())
                closed += (min(until, midnight + timedelta(days=1)) - max(wall, midnight)).total_seconds()
            day += timedelta(days=1)
        return max(0.0, min((until - wall).total_seconds(), (end - start).total_seconds()) - closed)

    def _later(self, start: datetime, seconds: float) -> datetime:
        """When so many seconds of days on which rows come have passed since `start`."""
        at, left = self._clock.wall(start), timedelta(seconds=seconds)
        for _ in range(_LOOK_BACK):
            midnight = datetime.combine(at.date() + timedelta(days=1), time())
            if self._is_expected(at.date()):
                if at + left < midnight:
                    break
                left -= midnight - at
            at = midnight
        end = self._clock.instant(at + left)
        lost = (self._clock.wall(end) - self._clock.wall(start)) - (end - start)
        return end + max(lost, timedelta())

    def _usual_on(self, day: date, noun: str) -> tuple[str, float]:
        """`usually by 06:12–06:40 on Mondays (14 loads)`: what eight of ten arrivals keep; and the later bound in seconds of the day."""
        earlier = {d: first for d, first in self._first.items() if d < day}
        believed = {d: first for d, first in earlier.items() if not first[1]} or earlier
        learned = {d: seconds for d, (seconds, _) in believed.items()}
        alike = [seconds for d, seconds in learned.items() if d.weekday() == day.weekday()][-2 * _FEWEST :]
        is_enough = len(alike) >= _SHOWN
        chosen = alike if is_enough else list(learned.values())[-2 * _FEWEST :]
        bounds = _usual(chosen)
        low, high = (self._clock.begins(day) + timedelta(seconds=seconds) for seconds in bounds)
        on = f" on {_WEEKDAYS[day.weekday()]}" if is_enough else ""
        return f"usually by {low:%H:%M}–{high:%H:%M}{on} ({count(len(chosen), noun)})", bounds[1]

    def _observed(self, now: datetime) -> Observed:
        age = max(0.0, (now - self.arrivals[-1].at).total_seconds()) if self.arrivals else None
        return Observed(age, Unit.SECONDS)


def _at(arrival: Arrival) -> datetime:
    return arrival.at


def _usual(values: Sequence[float]) -> tuple[float, float]:
    """What eight of ten values lie between, values that occurred."""
    ordered = sorted(values)
    edge = len(ordered) // 10
    return ordered[edge], ordered[-1 - edge]


def _learning(seen: Observed, missing: int, what: str = "days") -> Judgement:
    with_arrival = " with an arrival" if what == "days" else ""
    reason = f"learning when rows usually come, {count(missing, f'more {what}')}{with_arrival} needed before judging"
    return Judgement(Verdict.SKIPPED, seen, Expected(text="learning"), reason, is_learning=True)
