"""When routes may speak: digests and hours, across clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_tables import tried

from dqmon.alerts.group import GroupView, decide
from dqmon.alerts.timetable import opens_at, speaks_at, timetable_text, waits_for
from dqmon.core.check import Schedule
from dqmon.core.due_days import DAY_NAMES
from dqmon.core.incident import Group
from dqmon.core.route import Route
from dqmon.core.timetable import ALWAYS, Digest, Hours, Timetable
from dqmon.core.verdict import Severity

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
WEEKDAYS = DAY_NAMES[:5]
OFFICE = Hours(WEEKDAYS, time(8), time(18), BERLIN, "DE")
NIGHT = Hours(DAY_NAMES, time(22), time(6), BERLIN)
NINE = Digest(Schedule("0 9 * * *", None, BERLIN))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("timetable", "due", "said"),
    [
        (ALWAYS, "2026-03-29T01:30", "2026-03-29T01:30"),
        (NINE, "2026-03-28T08:00", "2026-03-28T08:00"),  # at the time itself, in winter
        (NINE, "2026-03-28T08:00:00.000001", "2026-03-29T07:00"),  # the clocks go forward in between
        (NINE, "2026-10-24T07:00:01", "2026-10-25T08:00"),  # and back
        (
            Digest(Schedule("30 2 * * *", None, BERLIN)),
            "2026-03-28T12:00",
            "2026-03-29T01:00",
        ),  # 02:30 is in the gap: the first instant after
        (Digest(Schedule("30 2 * * *", None, BERLIN)), "2026-10-24T12:00", "2026-10-25T00:30"),  # 02:30 comes twice: once
        (Digest(Schedule("30 2 * * *", None, BERLIN)), "2026-10-25T00:31", "2026-10-26T01:30"),
        (OFFICE, "2026-03-27T07:00", "2026-03-27T07:00"),  # Friday 08:00, the first moment
        (OFFICE, "2026-03-27T16:59:59", "2026-03-27T16:59:59"),
        (OFFICE, "2026-03-27T17:00", "2026-03-30T06:00"),  # 18:00 is over; Monday, in summer time
        (OFFICE, "2026-12-24T17:30", "2026-12-28T07:00"),  # Christmas and a weekend
        (Hours(DAY_NAMES, time(2), time(3), BERLIN), "2026-03-28T12:00", "2026-03-30T00:00"),  # there is no such hour on Sunday
        (Hours(DAY_NAMES, time(2), time(3), BERLIN), "2026-10-24T12:00", "2026-10-25T01:00"),  # two of them: the later reading of 02:00
        (NIGHT, "2026-03-28T21:30", "2026-03-28T21:30"),
        (NIGHT, "2026-03-29T03:59", "2026-03-29T03:59"),  # 05:59 of the night that began the day before
        (NIGHT, "2026-03-29T04:00", "2026-03-29T20:00"),
        (Hours(("fri",), time(22), time(6), BERLIN), "2026-03-28T04:00", "2026-03-28T04:00"),  # Saturday 05:00 belongs to Friday's
        (Hours(("fri",), time(22), time(0), BERLIN), "2026-03-27T22:59", "2026-03-27T22:59"),  # until midnight
        (Hours(("fri",), time(22), time(0), BERLIN), "2026-03-27T23:00", "2026-04-03T20:00"),
        (Hours(WEEKDAYS, time(9), time(17), NEW_YORK, "US"), "2026-07-03T15:00", "2026-07-06T13:00"),  # the 4th of July is kept on the 3rd
    ],
)
def test_the_first_instant_at_or_after(timetable: Timetable, due: str, said: str) -> None:
    assert speaks_at(timetable, utc(due)) == utc(said)


def _is_open(hours: Hours, at: datetime) -> bool:
    """The definition, on the clock on the wall; not at a clock change."""
    local = at.astimezone(ZoneInfo(hours.timezone))
    days = [DAY_NAMES[(local.weekday() - back) % 7] for back in (0, 1)]
    if hours.start < hours.end:
        return days[0] in hours.days and hours.start <= local.time() < hours.end
    return (days[0] in hours.days and local.time() >= hours.start) or (days[1] in hours.days and local.time() < hours.end)


CLOCKS = st.sampled_from([time(h, m) for h in range(24) for m in (0, 30)])
HOURS = st.builds(
    Hours,
    st.sets(st.sampled_from(DAY_NAMES), min_size=1).map(lambda days: tuple(sorted(days))),
    CLOCKS,
    CLOCKS,
    st.sampled_from([BERLIN, NEW_YORK, "UTC"]),
).filter(lambda hours: hours.start != hours.end)
INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))


@tried(60)
@given(hours=HOURS, due=INSTANTS)
def test_hours_are_kept_and_come_within_a_week(hours: Hours, due: datetime) -> None:
    said = speaks_at(hours, due)
    assert due <= said <= due + timedelta(days=8, hours=1), "a day may be lost to a clock change"
    assert speaks_at(hours, said) == said
    local = said.astimezone(ZoneInfo(hours.timezone))
    if local.date() not in _CHANGES:
        assert _is_open(hours, said), f"{local} is outside of {timetable_text(hours)}"
    if said == due:
        return
    missed = due + (said - due) / 2
    if (
        missed.astimezone(ZoneInfo(hours.timezone)).date() not in _CHANGES
        and due.astimezone(ZoneInfo(hours.timezone)).date() not in _CHANGES
    ):
        assert not _is_open(hours, due), "it could have been said at once"
        assert not _is_open(hours, missed), f"it could have been said at {missed}"


_CHANGES = {date(2026, month, day + more) for month, day in ((3, 8), (3, 29), (10, 25), (11, 1)) for more in (0, 1) if day + more < 31}


@tried(40)
@given(
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    zone=st.sampled_from([BERLIN, NEW_YORK, "UTC"]),
    due=INSTANTS,
    late=st.integers(0, 40),
)
def test_a_digest_is_said_at_its_times_and_one_that_was_missed_at_once(minute: int, hour: int, zone: str, due: datetime, late: int) -> None:
    digest = Digest(Schedule(f"{minute} {hour} * * *", None, zone))
    said = speaks_at(digest, due)
    assert due <= said <= due + timedelta(hours=25)
    assert opens_at(digest, due, said) == said, "at its time it is not said"
    now = said + timedelta(hours=late)
    assert opens_at(digest, due, now) == now, "what was missed waits for another day"
    before = said - timedelta(seconds=1)
    if before >= due:
        assert opens_at(digest, due, before) == said


@pytest.mark.parametrize(
    ("timetable", "text"),
    [
        (ALWAYS, "always"),
        (NINE, "at 0 9 * * * Europe/Berlin"),
        (OFFICE, "mon-fri 08:00-18:00 Europe/Berlin, not on holidays of DE"),
        (NIGHT, "daily 22:00-06:00 Europe/Berlin"),
        (Hours(("sat", "sun"), time(8), time(9, 30), "UTC"), "sat, sun 08:00-09:30 UTC"),
    ],
)
def test_as_people_read_it(timetable: Timetable, text: str) -> None:
    assert timetable_text(timetable) == text


def test_what_is_waited_for() -> None:
    friday = utc("2026-03-27T18:00")
    route = Route("team", None, ("team",), speaks=OFFICE)
    assert waits_for(route, speaks_at(OFFICE, friday), friday) == "Mon 08:00 Europe/Berlin (hours of route team)"
    christmas = utc("2026-12-18T18:00")
    assert waits_for(route, utc("2026-12-28T07:00"), christmas) == "Mon 2026-12-28 08:00 Europe/Berlin (hours of route team)"
    assert (
        waits_for(Route("low", None, ("team",), speaks=NINE), speaks_at(NINE, friday), friday)
        == "Sat 09:00 Europe/Berlin (digest of route low)"
    )


SPEAKS = st.sampled_from([ALWAYS, NINE, OFFICE, NIGHT, Digest(Schedule("*/20 * * * *", None, "UTC"))])


@tried(60)
@given(
    speaks=SPEAKS,
    steps=st.lists(st.tuples(st.integers(1, 40_000), st.integers(0, 2), st.sampled_from(Severity), st.booleans()), max_size=12),
)
def test_a_group_never_speaks_outside_of_its_timetable(speaks: Timetable, steps: list[tuple[int, int, Severity, bool]]) -> None:
    route = Route("r", None, ("team",), speaks=speaks)
    now = utc("2026-03-27T12:00:01")
    group = Group("g", "k", "r", "team", "d", now, ("i",), ("a",), now + timedelta(seconds=30))
    for seconds, members, severity, is_acknowledged in steps:
        target = now + timedelta(seconds=seconds)
        view = GroupView(tuple("ab"[:members]), severity, is_acknowledged, pages=False, instance="prod")
        # The daemon asks when something changes, and whenever the group is due.
        while group.due_at is not None and now < group.due_at < target:
            now = group.due_at
            group = _asked(group, view, route, now)
        now = target
        group = _asked(group, view, route, now)


def _asked(group: Group, view: GroupView, route: Route, now: datetime) -> Group:
    decision = decide(group, view, route, now)
    if decision.says:
        assert speaks_at(route.speaks, now) == now, f"{decision.says} at {now}: {timetable_text(route.speaks)}"
    return decision.group
