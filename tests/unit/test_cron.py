"""Cron across clock changes against a brute-force oracle of Debian's rule, and the phase of intervals."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from dqmon.core.check import Schedule
from dqmon.core.cron import last_fire, next_fire
from dqmon.daemon.cron import PHASE_STEP_S, fingerprint, phase

MINUTE = timedelta(minutes=1)

TRANSITIONS = (
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("America/Santiago", "2026-09-06"),  # the gap is 00:00 to 01:00
    ("America/Santiago", "2026-04-05"),  # 23:00 to 24:00 happens twice
    ("Australia/Lord_Howe", "2026-10-04"),  # 30 minutes
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Europe/London", "2026-03-29"),
    ("Europe/London", "2026-10-25"),
    ("Africa/Cairo", "2026-04-24"),  # the gap is 00:00 to 01:00, on a Friday
    ("Asia/Tokyo", "2026-03-29"),  # no change at all
)
FIXED = tuple(f"{m} {h} * * *" for h in (0, 1, 2, 3, 23) for m in (0, 15, 30, 45, 59))
OTHERS = (
    *("0 1-3 * * *", "30 1,2,3 * * *", "15,45 2 * * *", "0 0-23/2 * * *", "5 0-5/1 * * *", "*/15 * * * *", "* * * * *"),
    *("30 * * * *", "0 * * * *", "*/20 2 * * *", "* 2 * * *", "* 0 * * *", "*/30 0-3 * * *", "0 */2 * * *", "30 */3 * * *"),
    *("15 */1 * * *", "0 2 * * 0", "30 2 * * 7", "30 2 * * 1-5", "0 0 * * 1", "0 0 1 * *", "30 0 1,15 * *", "0 3 29 * *"),
    *("*/10 2 * * 0", "30 2 25 10 0", "0 12 * * *", "59 23 * * 6", "*/7 1-2 * * *", "1-59/2 2 * * *"),
)
EXPRESSIONS = FIXED + OTHERS


@cache
def parsed(field: str, low: int, high: int) -> frozenset[int]:
    """The oracle's own reading of a cron field."""
    found: set[int] = set()
    for term in field.split(","):
        span, _, step = term.partition("/")
        if span == "*":
            first, last = low, high
        elif "-" in span:
            first, last = map(int, span.split("-"))
        else:
            first, last = int(span), high if step else int(span)
        found.update(range(first, last + 1, int(step or 1)))
    return frozenset(found)


@cache
def sets(expression: str) -> tuple[frozenset[int], ...]:
    limits = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
    return tuple(parsed(field, *limit) for field, limit in zip(expression.split(), limits, strict=True))


def matches(expression: str, local: datetime) -> bool:
    minutes, hours, days, months, weekdays = sets(expression)
    if local.minute not in minutes or local.hour not in hours or local.month not in months:
        return False
    is_day = local.day in days
    is_weekday = local.isoweekday() in weekdays or local.isoweekday() % 7 in weekdays
    _, _, day, _, weekday = expression.split()
    return (is_day and is_weekday) if day.startswith("*") or weekday.startswith("*") else (is_day or is_weekday)


@cache
def elapsed_minutes(zone: ZoneInfo, start: datetime, end: datetime) -> tuple[tuple[datetime, datetime], ...]:
    """Every whole minute of UTC in [start, end] with what the wall clock shows."""
    first = start.replace(second=0, microsecond=0)
    count = (end - first) // MINUTE + 1
    return tuple((first + n * MINUTE, (first + n * MINUTE).astimezone(zone)) for n in range(count))


def oracle(expression: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """All fires in (start, end], by looking at every minute: of UTC for elapsed time, of the wall clock otherwise."""
    minute, hour = expression.split()[:2]
    if minute.startswith("*") or hour.startswith("*"):
        fires = {at for at, local in elapsed_minutes(zone, start, end) if matches(expression, local)}
    else:
        first = start.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0) - timedelta(hours=3)
        last = end.astimezone(zone).replace(tzinfo=None) + timedelta(hours=3)
        walls = (first + n * MINUTE for n in range((last - first) // MINUTE + 1))
        fires = {first_instant(wall, zone) for wall in walls if matches(expression, wall)}
    return sorted(fire for fire in fires if start < fire <= end)


def first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first time that the wall clock shows `wall`; in a gap, the first instant after it."""
    while True:
        at = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if at.astimezone(zone).replace(tzinfo=None) == wall:
            return at
        wall += MINUTE


def fires(expression: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    found: list[datetime] = []
    schedule = Schedule(expression, None, zone)
    at = next_fire(schedule, 0, start)
    while at is not None and at <= end:
        found.append(at)
        at = next_fire(schedule, 0, at)
    return found


def test_the_648_clock_change_cases_equal_the_oracle(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(set(EXPRESSIONS)) == 54
    assert len(TRANSITIONS) == 12
    wrong = []
    for zone, day in TRANSITIONS:
        start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) - timedelta(hours=8)
        end = start + timedelta(hours=40)
        wrong += [(zone, day, e) for e in EXPRESSIONS if fires(e, zone, start, end) != oracle(e, ZoneInfo(zone), start, end)]
    with capsys.disabled():
        print(f"\ncron x clock change: {len(TRANSITIONS) * len(EXPRESSIONS)} cases, {len(wrong)} mismatches")
    assert not wrong, f"found other fires than Debian's rule gives for {wrong}"


def test_1000_random_next_fires_equal_the_oracle(capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(648)
    wrong = []
    for _ in range(1000):
        zone, day = chance.choice(TRANSITIONS)
        expression = random_expression(chance)
        start = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(seconds=chance.randrange(-86400, 86400))
        end = start + timedelta(hours=30)
        expected = oracle(expression, ZoneInfo(zone), start, end)
        found = next_fire(Schedule(expression, None, zone), 0, start)
        if (found if found and found <= end else None) != (expected[0] if expected else None):
            wrong.append((expression, zone, start.isoformat()))
    with capsys.disabled():
        print(f"\nrandom cron: 1000 cases, {len(wrong)} mismatches")
    assert not wrong, f"found another next fire than Debian's rule gives for {wrong}"


def random_expression(chance: random.Random) -> str:
    def field(low: int, high: int) -> str:
        a, b = sorted((chance.randint(low, high), chance.randint(low, high)))
        return chance.choice(("*", f"*/{chance.randint(1, 9)}", str(a), f"{a},{b}", f"{a}-{b}", f"{a}-{b}/{chance.randint(1, 5)}"))

    days = chance.choice(("*", "*", "*", field(1, 28)))
    weekdays = chance.choice(("*", "*", "*", field(0, 7)))
    return f"{field(0, 59)} {field(0, 4)} {days} * {weekdays}"


@pytest.mark.parametrize("seconds", [0, 1800, 5399, 5400, 86_399])
def test_seconds_and_microseconds_inside_a_repeat_do_not_fire_again(seconds: int) -> None:
    start = datetime(2026, 10, 24, 23, 0, 0, 7, tzinfo=UTC) + timedelta(seconds=seconds)
    end = start + timedelta(days=2)
    for expression in ("30 2 * * *", "*/30 2 * * *"):
        assert fires(expression, "Europe/Berlin", start, end) == oracle(expression, ZoneInfo("Europe/Berlin"), start, end)


def test_an_expression_that_never_matches_is_never_due() -> None:
    assert next_fire(Schedule("0 0 31 2 1#5", None, "UTC"), 0, datetime(2026, 1, 1, tzinfo=UTC)) is not None
    assert next_fire(Schedule("0 0 29 2 *", None, "UTC"), 0, datetime(2096, 3, 1, tzinfo=UTC)) == datetime(2104, 2, 29, tzinfo=UTC)


def test_intervals_fire_at_their_phase_strictly_after() -> None:
    schedule = Schedule(None, 900, "UTC")
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    first = next_fire(schedule, 60.25, at)
    assert first == at + timedelta(seconds=60.25)
    assert next_fire(schedule, 60.25, first) == first + timedelta(seconds=900)
    assert next_fire(schedule, 60.25, first - timedelta(microseconds=1)) == first


@pytest.mark.parametrize(
    "schedule", [Schedule(None, 60, "UTC"), Schedule("* * * * *", None, "UTC"), Schedule("30 2 * * 1", None, "Europe/Berlin")]
)
@pytest.mark.parametrize("gap", [timedelta(seconds=30), timedelta(hours=5), timedelta(days=40), timedelta(days=900)])
def test_the_last_of_many_missed_fires_is_the_newest(schedule: Schedule, gap: timedelta) -> None:
    since = next_fire(schedule, 7.0, datetime(2026, 1, 1, tzinfo=UTC))
    last = last_fire(schedule, 7.0, since, since + gap)
    following = next_fire(schedule, 7.0, last)
    assert since <= last <= since + gap < following, "found a fire that is not the last one before the end"


def test_phases_spread_over_the_interval_and_nested_intervals_meet() -> None:
    phases = [phase("main", f"t{n}", 60) for n in range(10_000)]
    assert all(0 <= p < 60 and p % PHASE_STEP_S == 0 for p in phases)
    per_tick = [phases.count(n * PHASE_STEP_S) for n in range(240)]
    assert max(per_tick) < 80, f"found {max(per_tick)} tables in one tick; about 42 are expected"
    assert phase("main", "orders", 1800) % 900 == phase("main", "orders", 900)


def test_the_phase_is_the_same_in_every_process() -> None:
    code = "from dqmon.daemon.cron import phase; print(phase('main', 'shop.orders', 3600))"
    runs = {subprocess.check_output([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}) for seed in ("1", "2")}
    assert runs == {f"{phase('main', 'shop.orders', 3600)}\n".encode()}


def test_a_fingerprint_changes_with_the_fires_only() -> None:
    assert fingerprint(Schedule("0 9 * * *", None, "UTC"), 1) == fingerprint(Schedule("0 9 * * *", None, "UTC"), 2)
    texts = {
        fingerprint(Schedule("0 9 * * *", None, "UTC"), 0),
        fingerprint(Schedule("0 9 * * *", None, "Asia/Tokyo"), 0),
        fingerprint(Schedule(None, 60, "UTC"), 0),
        fingerprint(Schedule(None, 60, "UTC"), 1.5),
    }
    assert len(texts) == 4
