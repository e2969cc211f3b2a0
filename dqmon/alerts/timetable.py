"""When a message may be said, by the timetable of its route. Pure; clocks are local, and clock changes make days of 23 or 25 hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from dqmon.core.calendar import at_wall_time
from dqmon.core.cron import next_fire
from dqmon.core.due_days import DAY_NAMES, is_due
from dqmon.core.timetable import Always, Digest, Hours, Timetable

if TYPE_CHECKING:
    from dqmon.core.route import Route

_INSTANT = timedelta(microseconds=1)
_DAYS = 366
"""So far ahead the next day that counts is looked for."""


def speaks_at(timetable: Timetable, due: datetime) -> datetime:
    """The first instant at or after `due` at which the timetable lets something be said; `due` where it never does again."""
    match timetable:
        case Always():
            return due
        case Digest():
            return next_fire(timetable.schedule, 0.0, due - _INSTANT) or due
        case Hours():
            return _in_hours(timetable, due)


def opens_at(timetable: Timetable, due: datetime | None, now: datetime) -> datetime:
    """When what became due at `due` may be said: `now`, or the first instant after it. None: nothing has become due yet.

    A digest whose time has passed since `due`, because nobody was there to send it, is said now; hours that have passed are not.
    """
    if isinstance(timetable, Digest) and due is not None and speaks_at(timetable, due) <= now:
        return now
    return speaks_at(timetable, now)


def timetable_text(timetable: Timetable) -> str:
    """`always`; `at 0 9 * * * Europe/Berlin`; `mon-fri 08:00-18:00 Europe/Berlin, not on holidays of DE`."""
    match timetable:
        case Always():
            return "always"
        case Digest():
            return f"at {timetable.schedule.cron} {timetable.schedule.timezone}"
        case Hours():
            off = f", not on holidays of {timetable.calendar}" if timetable.calendar else ""
            return f"{_days(timetable.days)} {timetable.start:%H:%M}-{timetable.end:%H:%M} {timetable.timezone}{off}"


def waits_for(route: Route, at: datetime, now: datetime) -> str:
    """What a message of the route waits for until `at`: `Mon 08:00 Europe/Berlin (hours of route team)`; a far day with its date."""
    match route.speaks:
        case Always():
            return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC (route {route.name})"
        case Digest():
            zone, word = route.speaks.schedule.timezone, "digest"
        case Hours():
            zone, word = route.speaks.timezone, "hours"
    local = at.astimezone(ZoneInfo(zone))
    day = DAY_NAMES[local.weekday()].capitalize()
    date = "" if at - now < timedelta(days=6) else f" {local:%Y-%m-%d}"
    return f"{day}{date} {local:%H:%M} {zone} ({word} of route {route.name})"


def _in_hours(hours: Hours, due: datetime) -> datetime:
    """Begins a day early: hours that began then may last beyond midnight."""
    first = due.astimezone(ZoneInfo(hours.timezone)).date() - timedelta(days=1)
    lasts_days = timedelta(days=0 if hours.start < hours.end else 1)
    for day in (first + timedelta(days=number) for number in range(_DAYS)):
        if not is_due(day, hours.days, hours.calendar):
            continue
        start = at_wall_time(datetime.combine(day, hours.start), hours.timezone).astimezone(UTC)
        end = at_wall_time(datetime.combine(day + lasts_days, hours.end), hours.timezone).astimezone(UTC)
        if max(due, start) < end:
            return max(due, start)
    return due


def _days(days: tuple[str, ...]) -> str:
    """`mon-fri`, `daily`, `mon, wed`."""
    places = [DAY_NAMES.index(name) for name in DAY_NAMES if name in days]
    if len(places) == len(DAY_NAMES):
        return "daily"
    is_row = len(places) > 2 and places[-1] - places[0] == len(places) - 1  # noqa: PLR2004 - two days are named
    return f"{DAY_NAMES[places[0]]}-{DAY_NAMES[places[-1]]}" if is_row else ", ".join(DAY_NAMES[place] for place in places)
