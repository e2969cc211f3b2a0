"""What arrivals are measured by: days on a clock on the wall, and a scale of delays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from dqmon.core.calendar import at_wall_time

_MORNING, _EVENING = time(3), time(21)
_LARGEST_EXPONENT = 16.0
"""exp(16) seconds are 100 days: further than any due time."""
_SKEWED, _BEFORE, _FARTHEST = 1.5, 0.5, 4.0
"""Our choices, without a source: late is skewed from one and a half times as far from the middle as early, as of a log-normal delay
with sigma 0.32; delays start half as far before what is early; nothing is due later than four usual spreads after what is late."""


@dataclass(frozen=True, slots=True)
class ArrivalClock:
    """The clock of a zone. A day begins at `begin`: a nightly one at noon, and it is the day whose noon that was."""

    timezone: str
    zone: ZoneInfo
    begin: time

    @staticmethod
    def of(arrivals: Sequence[datetime], timezone: str) -> ArrivalClock:
        """Days begin at midnight; at noon where most arrivals are within three hours of midnight, a tenth at least on either side."""
        zone = ZoneInfo(timezone)
        clocks = [at.astimezone(zone).time() for at in arrivals]
        sides = (sum(clock < _MORNING for clock in clocks), sum(clock >= _EVENING for clock in clocks))
        is_nightly = 10 * min(sides) >= len(clocks) > 0 and 2 * sum(sides) > len(clocks)
        return ArrivalClock(timezone, zone, time(12) if is_nightly else time())

    def wall(self, at: datetime) -> datetime:
        """What the clock shows, without a zone."""
        return at.astimezone(self.zone).replace(tzinfo=None)

    def day(self, at: datetime) -> date:
        """The day in which `at` lies."""
        wall = self.wall(at)
        return wall.date() if wall.time() >= self.begin else wall.date() - timedelta(days=1)

    def begins(self, day: date) -> datetime:
        """What the clock shows when the day begins."""
        return datetime.combine(day, self.begin)

    def start(self, day: date) -> datetime:
        """The day's midnight, under which a detector knows the day."""
        return self.instant(datetime.combine(day, time()))

    def instant(self, wall: datetime) -> datetime:
        """When the clock shows it; the later time where it does so twice, or not at all."""
        return at_wall_time(wall, self.timezone).astimezone(UTC)

    def shown(self, at: datetime) -> str:
        """`06:58`."""
        return f"{self.wall(at):%H:%M}"


@dataclass(frozen=True, slots=True)
class Delays:
    """A scale of times of arrival, in seconds of the day, on which what comes late is about as spread as what comes early.

    Where it is far more spread, as queues and retries make it, that is the logarithm of the delay since `start`; else the time as it
    is (`start` is None). No time later than `latest` follows from such a logarithm.
    """

    start: float | None = None
    least: float = 1.0
    latest: float = math.inf

    @staticmethod
    def of(seconds: Sequence[float]) -> Delays:
        """The scale for those times, of at least one, by their middle and the bounds of eight of ten of them."""
        ordered, middle, tenth = sorted(seconds), median(seconds), len(seconds) // 10
        early, late = ordered[tenth], ordered[-1 - tenth]
        if late - middle <= _SKEWED * (middle - early):
            return Delays()
        start = early - _BEFORE * (middle - early) - 1.0
        return Delays(start, early - start, late + _FARTHEST * (late - early))

    def scaled(self, seconds: float) -> float:
        """A time of the day on the scale."""
        return seconds if self.start is None else math.log(max(seconds - self.start, self.least))

    def seconds(self, scaled: float) -> float:
        """The time of the day that has this place on the scale."""
        return scaled if self.start is None else min(self.latest, self.start + math.exp(min(scaled, _LARGEST_EXPONENT)))
