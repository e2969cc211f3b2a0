"""What a baseline may learn from: the options and people's feedback, applied to the past."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from dqmon.core.due_days import holidays_of
from dqmon.core.history import Band, History, Point

if TYPE_CHECKING:
    from dqmon.checks.base.band_options import BandOptions

ENOUGH_HOLIDAYS = 2
"""Earlier holidays that a holiday is compared with at least: one alone is an accident."""


@dataclass(frozen=True, slots=True)
class Learned:
    """history: what a detector is given. is_holiday: whether the tested time is one of the calendar, which then has `holidays`,
    the values of earlier ones at the same hour.
    """

    history: History
    is_holiday: bool = False
    holidays: tuple[float, ...] = ()

    def with_holidays(self, band: Band) -> Band:
        """The band, on a holiday wide enough for what earlier ones brought."""
        if not self.is_holiday:
            return band
        low, high = min(self.holidays), max(self.holidays)
        reason = f"a holiday: {len(self.holidays)} earlier ones brought {low:,.4g} to {high:,.4g}"
        return replace(band, low=min(band.low, low), high=max(band.high, high), explanation=(*band.explanation, reason))


def learned(rule: BandOptions, history: History, at: datetime, timezone: str) -> Learned:
    """The past without real incidents, what is older than `training_period`, and what lies before a pause longer than
    `max_age_of_history`; holidays of `calendar` are excluded, as if they had been alerts.
    """
    points = tuple(point for point in history.points if not point.is_real)
    if rule.training_period is not None:
        since = at - timedelta(seconds=rule.training_period)
        points = tuple(point for point in points if point.at >= since)
    if rule.max_age_of_history is not None:
        points = _since_pause(points, at, timedelta(seconds=rule.max_age_of_history))
    if rule.calendar is None:
        return Learned(History(points))
    days, zone = holidays_of(rule.calendar), ZoneInfo(timezone)
    tested = at.astimezone(zone)
    is_holiday = [point.at.astimezone(zone).date() in days for point in points]
    kept = tuple(replace(p, is_excluded=True) if off else p for p, off in zip(points, is_holiday, strict=True))
    same = (p for p, off in zip(points, is_holiday, strict=True) if off and p.at.astimezone(zone).hour == tested.hour)
    return Learned(History(kept), tested.date() in days, tuple(p.value for p in same))


def left_out(history: History, learned_from: History, band: Band) -> tuple[str, ...]:
    """The alerted points, holidays and real incidents of the baseline's time that it does not rest on, newest first, and why."""
    why = {p.at: ("a holiday", p.value) for p in learned_from.points if p.is_excluded}
    why |= {p.at: ("a real incident" if p.is_real else "an alert", p.value) for p in history.points if p.is_excluded or p.is_real}
    if not why or not band.used:
        return ()
    used, since = {point.at for point in band.used}, band.used[0].at
    listed = sorted((at for at in why.keys() - used if at >= since), reverse=True)
    return tuple(f"left out, as {why[at][0]}: {at:%Y-%m-%dT%H:%M:%SZ}: {why[at][1]:,.6g}" for at in listed)


def _since_pause(points: tuple[Point, ...], at: datetime, longest: timedelta) -> tuple[Point, ...]:
    """The points since the last time that none came for so long."""
    times = [*(point.at for point in points), at]
    start = max((place for place, (one, next_one) in enumerate(pairwise(times), start=1) if next_one - one > longest), default=0)
    return points[start:]
