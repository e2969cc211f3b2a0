"""Partitions and deadlines on the local clock, also where a day has 23 or 25 hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqmon.core.calendar import local_midnight, partitions, required_since
from dqmon.core.check import PartitionBy
from dqmon.core.due_days import is_due

NEW_YORK = "America/New_York"
ZONES = st.sampled_from(["UTC", NEW_YORK, "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo"])
INSTANTS = st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1)).map(lambda t: t.replace(tzinfo=UTC))


def bounds(grain: str, lookback: int, now: str, timezone: str = NEW_YORK, lag_s: int = 0) -> list[tuple[str, str]]:
    found = partitions(PartitionBy("d", grain, lookback, lag_s), timezone, datetime.fromisoformat(now))
    return [(f"{p.start:%m-%dT%H:%M}", f"{p.end:%m-%dT%H:%M}") for p in found]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (bounds("day", 2, "2026-01-10T12:00:00Z"), [("01-08T05:00", "01-09T05:00"), ("01-09T05:00", "01-10T05:00")]),
        (bounds("day", 1, "2026-01-10T05:00:00Z"), [("01-09T05:00", "01-10T05:00")]),
        (bounds("day", 1, "2026-01-10T04:59:59Z"), [("01-08T05:00", "01-09T05:00")]),
        (bounds("day", 1, "2026-01-10T07:59:59Z", lag_s=10800), [("01-08T05:00", "01-09T05:00")]),
        (bounds("day", 1, "2026-01-10T08:00:00Z", lag_s=10800), [("01-09T05:00", "01-10T05:00")]),
        (bounds("day", 1, "2026-03-09T12:00:00Z"), [("03-08T05:00", "03-09T04:00")]),  # 23 hours
        (bounds("day", 1, "2026-11-02T12:00:00Z"), [("11-01T04:00", "11-02T05:00")]),  # 25 hours
        (
            bounds("hour", 3, "2026-11-01T07:30:00Z"),
            [("11-01T04:00", "11-01T05:00"), ("11-01T05:00", "11-01T06:00"), ("11-01T06:00", "11-01T07:00")],
        ),
        (bounds("week", 1, "2026-01-10T12:00:00Z"), [("12-29T05:00", "01-05T05:00")]),
        (bounds("month", 2, "2026-01-31T12:00:00Z"), [("11-01T04:00", "12-01T05:00"), ("12-01T05:00", "01-01T05:00")]),
    ],
)
def test_partitions(found: list[tuple[str, str]], expected: list[tuple[str, str]]) -> None:
    assert found == expected


@given(
    grain=st.sampled_from(["hour", "day", "week", "month"]),
    lookback=st.integers(1, 8),
    zone=ZONES,
    now=INSTANTS,
    lag_s=st.integers(0, 10**6),
)
def test_partitions_touch_and_the_newest_has_ended(grain: str, lookback: int, zone: str, now: datetime, lag_s: int) -> None:
    found = partitions(PartitionBy("d", grain, lookback, lag_s), zone, now)
    assert len(found) == lookback
    assert all(p.start < p.end for p in found)
    assert all(a.end == b.start for a, b in pairwise(found))
    assert found[-1].end + timedelta(seconds=lag_s) <= now
    longest = {"hour": timedelta(hours=1), "day": timedelta(hours=25), "week": timedelta(hours=169), "month": timedelta(hours=745)}[grain]
    assert now - found[-1].end - timedelta(seconds=lag_s) < longest
    if grain != "hour":
        assert all(p.start == local_midnight(p.start.astimezone(ZoneInfo(zone)).date(), zone) for p in found)


def weekday(day: date) -> bool:
    return day.weekday() < 5


@pytest.mark.parametrize(
    ("now", "covers", "expected"),
    [
        ("2026-01-09T11:59:59Z", 0, "2026-01-08T05:00:00Z"),  # before Friday's deadline: Thursday's stands
        ("2026-01-09T12:00:00Z", 0, "2026-01-09T05:00:00Z"),
        ("2026-01-11T23:00:00Z", 0, "2026-01-09T05:00:00Z"),  # Sunday: Friday's stands
        ("2026-01-12T12:00:00Z", 0, "2026-01-12T05:00:00Z"),
        ("2026-01-09T12:00:00Z", 1, "2026-01-08T05:00:00Z"),
    ],
)
def test_what_a_deadline_asks_for(now: str, covers: int, expected: str) -> None:
    found = required_since(time(7), NEW_YORK, timedelta(days=covers), datetime.fromisoformat(now), weekday)
    assert found == datetime.fromisoformat(expected)


@given(zone=ZONES, now=INSTANTS, later=st.timedeltas(timedelta(0), timedelta(days=30)), hour=st.integers(0, 23))
def test_a_requirement_never_falls_back(zone: str, now: datetime, later: timedelta, hour: int) -> None:
    first, second = (required_since(time(hour), zone, timedelta(0), at, weekday) for at in (now, now + later))
    assert first <= second <= now + later


def test_days_without_end_stop() -> None:
    """No due day at all: it looks back 400 days and asks for something older than that, instead of never ending."""
    now = datetime(2026, 1, 9, 12, tzinfo=UTC)
    assert required_since(time(7), "UTC", timedelta(0), now, lambda day: False) < now - timedelta(days=399)


@pytest.mark.parametrize(
    ("day", "days", "calendar", "due"),
    [
        ("2026-01-19", ("mon",), None, True),
        ("2026-01-19", ("mon",), "US", False),
        ("2026-01-19", ("mon",), "DE", True),
        ("2026-01-20", ("mon",), None, False),
        ("2026-04-03", ("fri",), "XNYS", False),  # Good Friday closes the exchange, not the country
        ("2026-04-03", ("fri",), "US", True),
        ("2026-01-06", ("tue",), "DE-BY", False),
        ("2026-01-06", ("tue",), "DE", True),
    ],
)
def test_due_days(day: str, days: tuple[str, ...], calendar: str | None, due: bool) -> None:
    assert is_due(date.fromisoformat(day), days, calendar) is due


@pytest.mark.parametrize("calendar", ["Narnia", "", "US-XX", "us"])
def test_an_unknown_calendar_is_refused(calendar: str) -> None:
    with pytest.raises(ValueError, match="there is no calendar"):
        is_due(date(2026, 1, 19), ("mon",), calendar)
