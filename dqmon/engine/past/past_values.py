"""The past values of one series as a replay comes by them, one run after the other."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.core.alert import AlertEvent, AlertKind, EventKind
from dqmon.core.feedback import Feedback
from dqmon.core.history import History, Point, is_inside
from dqmon.store.measurements import POINTS

if TYPE_CHECKING:
    from dqmon.store.alerts import Span
    from dqmon.store.remembered import KeptValue


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody said of the incident behind a span in which the check's alert really fired."""

    span: Span
    feedback: Feedback
    said_at: datetime


@dataclass(slots=True)
class Spans:
    """When the data alert of a check has fired so far, in slots, oldest first, and which of that baselines learn from.

    A word said of a real alert counts for each replayed one that fired at the same time, from when it was said.
    """

    spans: list[Span]
    words: Sequence[Word] = ()
    _now: datetime | None = None

    def take(self, events: Sequence[AlertEvent]) -> datetime | None:
        """Notes what the alert says; since which slot values may be seen in another light, None when none may."""
        since = None
        for event in events:
            if event.key.kind is AlertKind.DATA and event.kind is not EventKind.CHANGED:
                start = event.slot if event.kind is EventKind.FIRED or not self.spans else self.spans.pop()[0]
                self.spans.append((start, None if event.kind is EventKind.FIRED else event.slot))
                since = start if since is None else min(since, start)
        return since

    def at(self, now: datetime) -> bool:
        """Sets the clock; True when somebody has said something since."""
        before, self._now = self._now, now
        return any(word.said_at <= now and (before is None or word.said_at > before) for word in self.words)

    def flags(self, slot: datetime) -> tuple[bool, bool]:
        """Whether a value of that slot lies inside an alert, and whether that was a real one; one that was expected is none."""
        last = next((span for span in reversed(self.spans) if span[0] <= slot), None)
        if last is None or not is_inside(slot, (last,)):
            return False, False
        said = self._said(last)
        return said not in (Feedback.EXPECTED, Feedback.BAD_THRESHOLD), said is Feedback.REAL

    def _said(self, span: Span) -> Feedback | None:
        """The newest word on a real alert that overlaps."""
        heard = [word for word in self.words if self._now is not None and word.said_at <= self._now and _overlap(word.span, span)]
        return max(heard, key=lambda word: word.said_at).feedback if heard else None


@dataclass(slots=True)
class Past:
    """The current points of one series and segment, by the time that they describe."""

    spans: Spans
    _times: list[datetime] = field(default_factory=list)
    _points: list[Point] = field(default_factory=list)
    _slots: list[datetime] = field(default_factory=list)

    def add(self, kept: KeptValue) -> None:
        """One more value; it replaces that of the same time. A failure says nothing, and what has no number is no point."""
        if kept.failure is not None:
            return
        place = bisect_left(self._times, kept.described_at)
        is_there = place < len(self._times) and self._times[place] == kept.described_at
        end = place + 1 if is_there else place
        points = [] if kept.number is None else [Point(kept.described_at, kept.number, text=kept.text, is_estimate=kept.is_estimate)]
        new = [self._flagged(point, kept.slot) for point in points]
        self._points[place:end] = new
        self._times[place:end] = [point.at for point in new]
        self._slots[place:end] = [kept.slot for _ in new]

    def flag(self, since: datetime) -> None:
        """Looks again at which values of slots from `since` on lie inside alerts."""
        for place in range(len(self._points) - 1, -1, -1):
            if self._slots[place] < since:
                return
            self._points[place] = self._flagged(self._points[place], self._slots[place])

    def before(self, at: datetime, span: timedelta) -> History:
        """What a baseline at that time rests on: the newest POINTS points of `span`."""
        end = bisect_left(self._times, at)
        start = max(bisect_left(self._times, at - span), end - POINTS)
        return History(tuple(self._points[start:end]))

    def _flagged(self, point: Point, slot: datetime) -> Point:
        is_excluded, is_real = self.spans.flags(slot)
        return (
            point
            if (point.is_excluded, point.is_real) == (is_excluded, is_real)
            else replace(point, is_excluded=is_excluded, is_real=is_real)
        )


def _overlap(one: Span, other: Span) -> bool:
    """True when two half-open spans, each of which may still go on, have an instant in common."""
    return (one[1] is None or other[0] < one[1]) and (other[1] is None or one[0] < other[1])
