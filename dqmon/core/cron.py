"""When a schedule fires: cron by Debian's rule across clock changes, and even intervals."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cronsim import CronSim

if TYPE_CHECKING:
    from dqmon.core.check import Schedule

_RANGE_OF_ONE = re.compile(r"\b(\w+)-\1/\d+")
"""`3-3/2` is 3; cronsim 2.8 reads it as `3/2`, every second one from 3."""

_LOOK_BACK = tuple(timedelta(hours=h) for h in (1, 24, 24 * 7, 24 * 62, 24 * 366, 24 * 366 * 8))
"""Windows in which the last of many missed fires is looked for: the first one that has any holds few of them."""


def next_fire(schedule: Schedule, phase_s: float, after: datetime) -> datetime | None:
    """The first instant strictly after `after` at which the schedule fires, as aware UTC.

    An interval fires at the multiples of `every_s` since 1970 plus `phase_s`. Cron ignores the phase and follows Debian's
    cron: where the minute or the hour begins with `*`, elapsed time counts, so that fires
    are absent from a gap and twice in a repeated hour; otherwise a fire in a gap moves to the first instant after it and
    one in a repeated hour happens the first time only. None when the expression matches no date within 50 years.
    """
    if schedule.every_s is not None:
        steps = math.floor((after.timestamp() - phase_s) / schedule.every_s) + 1
        return datetime.fromtimestamp(steps * schedule.every_s + phase_s, UTC)
    expression = _RANGE_OF_ONE.sub(r"\1", schedule.cron or "")
    find = _elapsed if _follows_elapsed_time(expression) else _fixed
    return find(expression, ZoneInfo(schedule.timezone), after)


def last_fire(schedule: Schedule, phase_s: float, since: datetime, until: datetime) -> datetime:
    """The last instant in [since, until] at which the schedule fires; `since` when there is no later one."""
    if schedule.every_s is not None:
        steps = math.floor((until.timestamp() - phase_s) / schedule.every_s)
        return max(since, datetime.fromtimestamp(steps * schedule.every_s + phase_s, UTC))
    last = since
    for window in (*_LOOK_BACK, until - since):
        fire = next_fire(schedule, phase_s, max(since, until - window))
        while fire is not None and fire <= until:
            last, fire = fire, next_fire(schedule, phase_s, fire)
        if last > since or until - window <= since:
            break
    return last


def _follows_elapsed_time(expression: str) -> bool:
    fields = expression.split()
    return len(fields) != 5 or fields[0].startswith("*") or fields[1].startswith("*")  # noqa: PLR2004 - with seconds it is not Debian's


def _fixed(expression: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The next of cronsim's instants; inside a repeated hour it may offer the first pass again, which is over."""
    for local in CronSim(expression, after.astimezone(zone)):
        fire = local.astimezone(UTC)
        if fire > after:
            return fire
    return None


def _elapsed(expression: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The next match of the local clock as it really runs.

    Between two clock changes local time is UTC plus a constant, so cronsim walks naive time there and meets neither a gap
    nor a repeat. (Given aware times it loses fires where clocks change by 30 minutes, and matches inside a midnight gap.)
    """
    start, local = after, _naive(after, zone)
    while True:
        found = next(CronSim(expression, local), None)
        if found is None:
            return None
        fire = start + (found - _naive(start, zone))
        change = _first_change(zone, start, fire)
        if change is None:
            return fire
        start, local = change, _naive(change, zone) - timedelta(seconds=1)  # a match at the change itself counts


def _first_change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
    """The first instant in (start, end] with another offset than `start`, to the second; no zone changes twice a day."""
    offset = start.astimezone(zone).utcoffset()
    low = start
    while low < end:
        high = min(low + timedelta(days=1), end)
        if high.astimezone(zone).utcoffset() != offset:
            break
        low = high
    else:
        return None
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == offset else (low, middle)
    return high.replace(microsecond=0)


def _naive(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)
