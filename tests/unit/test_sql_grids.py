"""Limits moved to the numbers that a column can hold say the same of each of these; wall times and the ends of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqmon.core.calendar import at_wall_time, in_zone
from dqmon.core.table import TypeGroup
from dqmon.sql.columns import Stored
from dqmon.sql.grids import Grid, grid_of

EXACT = Context(prec=200)


@given(st.integers(1, 38), st.integers(0, 38), st.integers(), st.decimals(allow_nan=False, allow_infinity=False))
def test_a_moved_limit_says_the_same(digits: int, scale: int, units: int, limit: Decimal) -> None:
    grid = grid_of(Stored(TypeGroup.DECIMAL, declared=f"DECIMAL({digits},{min(scale, digits)})"))
    assert grid is not None
    held = Decimal(units % (2 * 10**digits - 1) - (10**digits - 1)).scaleb(-grid.scale, EXACT)
    assert grid.holds(held)
    assert (held < limit) == (held < grid.at_least(limit))
    assert (held >= limit) == (held >= grid.at_least(limit))
    assert (held > limit) == (held > grid.at_most(limit))
    assert (held <= limit) == (held <= grid.at_most(limit))
    assert (held == limit) <= grid.holds(limit)


@pytest.mark.parametrize(("group", "declared", "grid"), [
    (TypeGroup.INTEGER, "BIGINT", Grid(0, Decimal(2**127 - 1))),
    (TypeGroup.DECIMAL, "numeric(4,2)", Grid(2, Decimal("99.99"))),
    (TypeGroup.DECIMAL, "DECIMAL(38, 0)", Grid(0, Decimal(10**38 - 1))),
    (TypeGroup.DECIMAL, "numeric", None),
    (TypeGroup.DECIMAL, "money_amount", None),
    (TypeGroup.FLOAT, "DOUBLE", None),
])  # fmt: skip
def test_grids_of_types(group: TypeGroup, declared: str, grid: Grid | None) -> None:
    assert grid_of(Stored(group, declared=declared)) == grid


@pytest.mark.parametrize(("wall", "zone", "utc"), [
    ("2026-01-10 12:00", "America/New_York", "2026-01-10 17:00"),
    ("2025-11-02 01:30", "America/New_York", "2025-11-02 06:30"),  # Shown twice: the later one.
    ("2026-03-08 02:30", "America/New_York", "2026-03-08 07:30"),  # Left out: as if the clock had not been moved.
    ("2025-10-26 01:30", "Europe/Dublin", "2025-10-26 01:30"),
    ("2014-10-26 01:30", "Europe/Moscow", "2014-10-25 22:30"),  # A change that is no end of summer time.
    ("0001-01-01 09:30", "Asia/Tokyo", "0001-01-01 00:11:01"),
])  # fmt: skip
def test_wall_times(wall: str, zone: str, utc: str) -> None:
    # Not compared with the local time: in hours that are there twice, Python calls different zones' times never equal (PEP 495).
    assert at_wall_time(datetime.fromisoformat(wall), zone).astimezone(UTC) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@given(st.datetimes(timezones=st.sampled_from([UTC, ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")])))
def test_another_zones_clock_is_the_same_instant_or_an_end(at: datetime) -> None:
    for zone in (UTC, ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")):
        found = in_zone(at, zone)
        assert found.tzinfo is zone
        is_inside = timedelta(days=1) < at.replace(tzinfo=None) - datetime.min < datetime.max - datetime.min - timedelta(days=1)
        assert found - at == timedelta(0) or not is_inside
        assert is_inside or found.year in (1, 9999)
