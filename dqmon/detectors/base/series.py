"""What a detector looks back on: clean, bounded history on the wall clock of the business."""

from __future__ import annotations

import sys
from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from dqmon.core.history import Point

if TYPE_CHECKING:
    from numpy import bool_, float64, int64, intp
    from numpy.typing import NDArray

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S

MOST_POINTS = 672
"""Four weeks of hours; keeps one judgement at about a millisecond."""

_MOST_DAYS = 182
"""Half a year: twenty-six values of each weekday, and still one way of working."""

_LARGEST = 1e150
"""Values are not taken to be larger than that, on either side of 0: their squares still have to be numbers."""

_ONE_OFFSET_S = 14 * DAY_S
"""A zone that has one offset at both ends of two weeks has it in between: clocks are changed months apart (Morocco: one)."""


@dataclass(frozen=True, slots=True)
class Series:
    """Values and when they were, oldest first, all before a tested time.

    local: seconds of the business's wall clock since 1970, so that a Sunday begins at midnight there, and nine o'clock stays
    nine over a clock change. at: the tested time, likewise. cadence_s: the usual distance of two points.
    """

    local: NDArray[float64]
    values: NDArray[float64]
    at: float
    cadence_s: float

    @property
    def per_year(self) -> float:
        """Points a year."""
        return 365.25 * DAY_S / self.cadence_s

    @property
    def is_finer(self) -> bool:
        """True when there are several points a day; clock changes and late runs do not make days so."""
        return self.cadence_s < 0.75 * DAY_S

    @property
    def is_daily(self) -> bool:
        """True when points are about a day apart."""
        return not self.is_finer and self.cadence_s <= 1.5 * DAY_S

    @property
    def span_s(self) -> float:
        """From the first point to the tested one."""
        return self.at - float(self.local[0]) if len(self.local) else 0.0

    @property
    def period(self) -> int:
        """Points in one turn of the season: a day of hours, a week of days; at most half of what there is."""
        turn = DAY_S if self.is_finer else WEEK_S
        return max(1, min(len(self.values) // 2, round(turn / self.cadence_s)))

    @property
    def week(self) -> int:
        """Points in a week, at most all that there are; those of days as in `period`."""
        return max(1, min(len(self.values), round(WEEK_S / self.cadence_s))) if self.is_finer else self.period

    @property
    def days(self) -> NDArray[int64]:
        """The days since 1970 of all points, and of the tested one last."""
        import numpy as np

        return np.floor(np.append(self.local, self.at) / DAY_S).astype(np.int64)

    def only(self, places: NDArray[intp]) -> Series:
        """The points at these places."""
        return Series(self.local[places], self.values[places], self.at, self.cadence_s)


@dataclass(frozen=True, slots=True)
class Window:
    """The points that a judgement looks at, which of them were alerted, and the same as a series."""

    points: tuple[Point, ...]
    alerted: NDArray[bool_]
    series: Series


def window_of(points: tuple[Point, ...], at: datetime, timezone: str) -> Window:
    """The newest points before `at`: at most `MOST_POINTS`, of half a year, or of 24 points where these take longer.

    points: oldest first. Values that are no finite numbers are left out, of two at one time the later one counts.
    """
    import numpy as np

    end = bisect_left(points, at, key=lambda point: point.at)
    newest = points[max(0, end - MOST_POINTS) : end]
    times = np.array([point.at.timestamp() for point in newest], dtype=np.float64)
    values = np.array([point.value for point in newest], dtype=np.float64)
    is_last = np.ones(len(times), np.bool_)
    is_last[:-1] = np.diff(times) > 0
    kept = np.flatnonzero(np.isfinite(values) & is_last)
    steps = np.sort(np.diff(times[kept]))
    cadence = float(steps[len(steps) // 2]) if len(steps) else DAY_S
    if len(kept):
        kept = kept[times[kept] > times[kept[-1]] - max(_MOST_DAYS * DAY_S, 24 * cadence)]
    local = np.append(times[kept], at.timestamp())
    local += _offsets(local, ZoneInfo(timezone))
    looked_at = newest if len(kept) == len(newest) else tuple(newest[place] for place in kept)
    alerted = np.array([point.is_excluded for point in looked_at], dtype=np.bool_)
    return Window(looked_at, alerted, Series(local[:-1], np.clip(values[kept], -_LARGEST, _LARGEST), float(local[-1]), cadence))


def finite(value: float) -> float:
    """The value, drawn in to the largest float: a bound may lie beyond what can be calculated."""
    return max(-sys.float_info.max, min(value, sys.float_info.max))


def runs(mask: NDArray[bool_]) -> list[tuple[int, int]]:
    """Start and end (exclusive) of each run of true values."""
    import numpy as np

    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _offsets(times: NDArray[float64], zone: ZoneInfo) -> NDArray[float64]:
    """The zone's offset at each of these times, in seconds; asked for as rarely as can be."""
    import numpy as np

    first, last = (_offset(float(time), zone) for time in (times[0], times[-1]))
    if len(times) == 1 or (first == last and times[-1] - times[0] <= _ONE_OFFSET_S):
        return np.full(len(times), first)
    half = len(times) // 2
    return np.concatenate([_offsets(times[:half], zone), _offsets(times[half:], zone)])


def _offset(time: float, zone: ZoneInfo) -> float:
    offset = datetime.fromtimestamp(time, zone).utcoffset()
    return offset.total_seconds() if offset is not None else 0.0
