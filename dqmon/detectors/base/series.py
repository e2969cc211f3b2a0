"""What a detector may learn from: clean, regular, bounded history, and the clock marks of its points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from dqmon.core.history import Point

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.typing import NDArray

DAY_S = 86_400.0
RELEARN = 7
"""So many alerted points in a row that agree with each other are a new level (ANOMALY.md: silent after 7 points)."""

_ALIKE = 0.25
"""Values within a quarter of each other are alike: above the noise of usual loads, below a half load. Our choice."""

_MOST_POINTS = 672
"""Four weeks of hours; keeps one judgement under a millisecond."""

_MOST_DAYS = 182
"""Half a year: twenty-six values of each weekday, and still one way of working."""


@dataclass(frozen=True, slots=True)
class Series:
    """Points to learn from, oldest first, and what is known of their rhythm.

    cadence_s: the usual distance of two points. shifts: indices at which a new level began.
    """

    points: tuple[Point, ...]
    cadence_s: float
    shifts: tuple[int, ...]

    @property
    def per_year(self) -> float:
        """Points a year."""
        return 365.25 * DAY_S / self.cadence_s

    @property
    def is_daily(self) -> bool:
        """True when points are about a day apart."""
        return 0.75 <= self.cadence_s / DAY_S <= 1.5  # noqa: PLR2004 - clock changes and late runs included


def learnable(points: tuple[Point, ...], at: datetime) -> Series:
    """What a baseline for `at` may rest on.

    Points at or after `at` and values that are no finite numbers are left out, of two at one time the later one counts.
    Excluded points are left out, too, unless `RELEARN` or more of them in a row agree on a level other than zero, or the
    same happened on the same weekday of another week: both are how it is now, and a baseline without them alerts for ever.
    """
    window = points[-2 * _MOST_POINTS :]
    usable = {p.at: p for p in window if p.at < at and math.isfinite(p.value)}
    ordered = [usable[when] for when in sorted(usable)]
    steps = sorted((b.at - a.at).total_seconds() for a, b in pairwise(ordered))
    cadence = steps[len(steps) // 2] if steps else DAY_S
    newest = ordered[-1].at if ordered else at
    oldest = newest - max(timedelta(days=_MOST_DAYS), timedelta(seconds=24 * cadence))
    recent = [p for p in ordered if p.at > oldest][-_MOST_POINTS:]
    kept, shifts = _believed(recent)
    return Series(kept, cadence, shifts)


def _believed(points: list[Point]) -> tuple[tuple[Point, ...], tuple[int, ...]]:
    """The points that teach something, and the indices among them at which a new level began."""
    runs = [list(group) for _, group in groupby(points, key=lambda p: p.is_excluded)]
    alerted = {p.at: (number, p.value) for number, run in enumerate(runs) if run[0].is_excluded for p in run}
    kept: list[Point] = []
    shifts: list[int] = []
    for number, run in enumerate(runs):
        if not run[0].is_excluded:
            kept.extend(run)
        elif _agrees(run):
            shifts.append(len(kept))
            kept.extend(run)
        else:
            kept.extend(p for p in run if _recurs(p, number, alerted))
    return tuple(kept), tuple(shift for shift in shifts if shift >= RELEARN)


def _recurs(point: Point, run: int, alerted: dict[datetime, tuple[int, float]]) -> bool:
    """True when the same was alerted a week before or after, in another run: a closed Sunday, not an incident."""
    for week in (-7, 7):
        other = alerted.get(point.at + timedelta(days=week))
        if other is not None and other[0] != run and abs(other[1] - point.value) <= _ALIKE * abs(point.value):
            return True
    return False


def _agrees(run: list[Point]) -> bool:
    """True when a run of alerted points is long enough, is no row of empty loads, and its middle half is alike."""
    values = sorted(p.value for p in run)
    middle = values[len(values) // 2]
    spread = values[-(len(values) // 4) - 1] - values[len(values) // 4]
    return len(run) >= RELEARN and middle != 0 and spread <= 2 * _ALIKE * abs(middle)


def slots(series: Series, at: datetime, timezone: str) -> list[tuple[str, NDArray[int64]]]:
    """The seasons worth trying, coarse before fine: each a name and the slot of every point, that of `at` last.

    Days have a weekday; shorter steps an hour of the day once there are two days, and an hour of the week once there
    are three weeks; longer steps none.
    """
    import numpy as np

    times = [*(p.at for p in series.points), at]
    span = (times[-1] - times[0]).total_seconds()
    if series.cadence_s > 1.5 * DAY_S:
        return []
    zone = ZoneInfo(timezone)
    first, last = times[0].astimezone(zone).utcoffset(), times[-1].astimezone(zone).utcoffset()
    if first == last and first is not None:
        local = np.array([t.timestamp() for t in times]) + first.total_seconds()
    else:
        local = np.array([t.timestamp() + _offset(t, zone) for t in times])
    day = np.floor(local / DAY_S).astype(np.int64)
    weekday, hour = (day + 3) % 7, np.floor(local % DAY_S / 3600).astype(np.int64)
    if series.is_daily:
        return [("weekday", weekday)]
    found = [("hour", hour)] if span >= 2 * DAY_S else []
    return [*found, ("hour of the week", weekday * 24 + hour)] if span >= 21 * DAY_S else found


def _offset(at: datetime, zone: ZoneInfo) -> float:
    offset = at.astimezone(zone).utcoffset()
    return offset.total_seconds() if offset is not None else 0.0


def log_scale(values: NDArray[float64]) -> bool:
    """True for counts: whole numbers from 0 up, whose noise is a share of their level."""
    return bool((values >= 0).all() and (values == values.round()).all())
