"""Every method that a check may name: its formula against a reference, what none may do, and time."""

from __future__ import annotations

import hashlib
import math
import statistics
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import thread_time

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dqmon.core.history import Band, History, Learning, Point
from dqmon.core.registry import Registry

METHODS = Registry("detectors")
NAMES = METHODS.names()
SIMPLE = tuple(name for name in NAMES if name != "auto")
START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
UNEVEN = [103.5, 98.25, 110.75, 95.0, 101.5, 97.75, 104.25, 99.0, 106.5, 93.25, 102.0, 100.5, 108.75, 96.25, 105.0, 94.5, 99.75, 107.25]
"""Neither counts nor a total, so that no rule but the formula applies."""


def history(values: list[float], step: timedelta = DAY, alerted: frozenset[int] = frozenset()) -> History:
    return History(tuple(Point(START + i * step, float(v), i in alerted) for i, v in enumerate(values)))


def expect(method: str, past: History, at: datetime | None = None, timezone: str = "UTC", **options: object) -> Band | Learning:
    if at is None:
        at = past.points[-1].at + DAY if past.points else START
    return METHODS.get(method)(options).expect(past, at, timezone)


def band(method: str, past: History, at: datetime | None = None, timezone: str = "UTC", **options: object) -> Band:
    found = expect(method, past, at, timezone, **options)
    assert isinstance(found, Band), f"{method} is learning: {found}"
    return found


@pytest.fixture(scope="module", autouse=True)
def calendars() -> None:
    """The first daily point of a process reads the public holidays; no example's time limit is about that."""
    band("auto", history([*UNEVEN, *UNEVEN]))


def edges(found: Band) -> tuple[float, float, float]:
    return found.low, found.center, found.high


def test_the_methods_that_auditors_ask_for_are_there() -> None:
    assert NAMES == ("auto", "mad", "percent_change", "quantile", "seasonal", "zscore")
    for name in NAMES:
        documented = METHODS.get(name).__doc__ or ""
        assert METHODS.get(name).takes, f"{name} says no option that it takes"
        for option in METHODS.get(name).takes:
            assert option in documented, f"{name} takes {option}; say in its docstring what it means there"


# --- formulas ---------------------------------------------------------------------------------------------------------


def test_zscore_is_mean_and_deviation_of_the_other_points() -> None:
    mean, deviation = statistics.fmean(UNEVEN), statistics.stdev(UNEVEN)
    found = band("zscore", history(UNEVEN), sigmas=3)
    assert edges(found) == pytest.approx((mean - 3 * deviation, mean, mean + 3 * deviation))


def test_zscore_of_a_budget_is_the_prediction_interval_of_a_normal_sample() -> None:
    """t of 17 degrees of freedom beyond 1 - p / 2 with p = 2 / 365.25 is 3.174 (scipy.stats.t.ppf)."""
    found = band("zscore", history(UNEVEN))
    room = 3.174 * statistics.stdev(UNEVEN) * math.sqrt(1 + 1 / 18)
    assert found.high - found.center == pytest.approx(room, rel=0.01)


def test_mad_is_median_and_median_distance() -> None:
    middle = statistics.median(UNEVEN)
    deviation = 1.4826 * statistics.median(abs(v - middle) for v in UNEVEN)
    found = band("mad", history(UNEVEN), sigmas=3)
    assert edges(found) == pytest.approx((middle - 3 * deviation, middle, middle + 3 * deviation))


def test_mad_of_mostly_one_value_goes_by_the_mean_distance() -> None:
    values = [5.0] * 12 + [6.5, 4.5, 5.5, 3.5]
    found = band("mad", history(values), sigmas=2, smallest_change=0)
    assert found.high == pytest.approx(5 + 2 * 1.2533 * statistics.fmean(abs(v - 5) for v in values))


def test_half_of_the_points_cannot_move_mad_and_all_move_zscore() -> None:
    spoiled = [*UNEVEN, 9000.0, 12000.0, 15000.0, -8000.0]
    assert band("mad", history(spoiled)).high < 200
    assert band("zscore", history(spoiled)).high > 5000


def test_quantile_is_the_empirical_one_where_a_tail_is_given() -> None:
    found = band("quantile", history(UNEVEN), tail_percent=10)
    low, high = np.quantile(UNEVEN, [0.1, 0.9])
    assert edges(found) == pytest.approx((low, statistics.median(UNEVEN), high))


def test_quantile_follows_a_skew() -> None:
    rng = np.random.default_rng(3)
    found = band("quantile", history(list(np.exp(rng.normal(0, 1, 120)))))
    assert found.high - found.center > 1.5 * (found.center - found.low)


@pytest.mark.parametrize(("percent", "low", "high"), [(None, 47.25, 141.75), (10, 85.05, 103.95)])
def test_percent_change_is_around_the_last_point(percent: float | None, low: float, high: float) -> None:
    options = {} if percent is None else {"percent": percent}
    assert edges(band("percent_change", history([*UNEVEN, 94.5]), **options)) == pytest.approx((low, 94.5, high))


def test_percent_change_compares_with_the_last_point_that_is_no_incident() -> None:
    past = history([*UNEVEN, 94.5, 1.0], alerted=frozenset({19}))
    assert band("percent_change", past).center == 94.5
    assert band("percent_change", history([*UNEVEN, 0.0])).high == 0


def test_seasonal_looks_at_the_same_weekday_alone() -> None:
    values = [10.5 + i % 3 if i % 7 == 6 else 1000.5 + 7 * (i % 5) for i in range(70)]
    sunday, monday = START + 76 * DAY, START + 77 * DAY
    assert band("seasonal", history(values), sunday).high < 50
    assert band("seasonal", history(values), monday).low > 900
    assert {point.at.weekday() for point in band("seasonal", history(values), sunday).used} == set(range(7)), "the rest is its history"
    assert band("mad", history(values), sunday).low > 50, "mad knows no weekdays"


@pytest.mark.parametrize(
    ("seasonality", "step", "period", "at_slot"), [("hour", HOUR, 24, 3), ("auto", HOUR, 24, 3), ("month_day", DAY, None, None)]
)
def test_seasonal_looks_at_the_named_slot(seasonality: str, step: timedelta, period: int | None, at_slot: int | None) -> None:
    times = [START + i * step for i in range(150)]
    is_low = [t.hour == at_slot if period else t.day == 1 for t in times]
    values = [5.5 + i % 2 if low else 800.5 + 11 * (i % 7) for i, low in enumerate(is_low)]
    past = History(tuple(Point(t, v) for t, v in zip(times, values, strict=True)))
    low_at = times[-1] + step
    while not (low_at.hour == at_slot if period else low_at.day == 1):
        low_at += step
    assert band("seasonal", past, low_at, seasonality=seasonality).high < 100
    assert band("seasonal", past, low_at, seasonality="none").low > 100
    assert band("auto", past, low_at, seasonality=seasonality).center < band("auto", past, low_at, seasonality="none").center


def test_weeks_have_no_season_to_auto() -> None:
    weekly = history(UNEVEN, 7 * DAY)
    at = weekly.points[-1].at + 7 * DAY
    assert band("seasonal", weekly, at) == band("mad", weekly, at)


def test_seasonal_is_learning_until_four_points_of_the_slot() -> None:
    assert expect("seasonal", history(UNEVEN)) == Learning(14), "Fridays come twice in 18 days: two weeks more"
    assert isinstance(expect("seasonal", history([*UNEVEN, *UNEVEN])), Band)


# --- what all of them do ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", NAMES)
def test_too_little_history_is_learning(method: str) -> None:
    for points in (0, 1, 13):
        assert expect(method, history(UNEVEN[:points])) == Learning(14 - points)


@pytest.mark.parametrize("method", NAMES)
def test_a_constant_history_has_one_rule(method: str) -> None:
    found = band(method, history([200.0] * 40))
    room = 100 if method == "percent_change" else 20
    assert (found.low, found.high) == pytest.approx((200 - room, 200 + room))
    zeros = band(method, history([0.0] * 40))
    assert (zeros.low, zeros.high) == (0, 0)


@pytest.mark.parametrize("method", NAMES)
def test_a_total_is_judged_by_its_steps(method: str) -> None:
    totals = [float(v) for v in 50_000 + np.cumsum(np.random.default_rng(4).poisson(1000, 60))]
    found = band(method, history(totals))
    assert found.low > totals[-1], f"{method}: a table that stalls has to be seen"
    assert found.high < totals[-1] + 3000


@pytest.mark.parametrize("method", NAMES)
def test_alerted_points_teach_nothing_until_they_are_the_level(method: str) -> None:
    usual = [*UNEVEN, *reversed(UNEVEN)]
    shifted = [value * 4 for value in UNEVEN[:8]]
    three = band(method, history([*usual, *shifted[:3]], alerted=frozenset({36, 37, 38})), smallest_change=0)
    assert three.high < 380, f"{method} learned from alerts"
    options = {"seasonality": "none"} if method == "seasonal" else {}
    eight = band(method, history([*usual, *shifted], alerted=frozenset(range(36, 44))), smallest_change=0, **options)
    assert eight.low < 400 < eight.high, f"{method} alarms for ever after a new level"


@pytest.mark.parametrize("method", [name for name in NAMES if "false_alerts_per_year" in METHODS.get(name).takes])
def test_fewer_false_alerts_need_a_wider_band(method: str) -> None:
    past = history([*UNEVEN, *reversed(UNEVEN)])
    bands = [band(method, past, false_alerts_per_year=budget) for budget in (0.1, 2, 12, 60)]
    assert all(one.low < other.low and one.high > other.high for one, other in pairwise(bands)), [edges(b) for b in bands]


BUDGETED = [name for name in SIMPLE if "false_alerts_per_year" in METHODS.get(name).takes]


@pytest.mark.parametrize("method", BUDGETED)
def test_normal_noise_costs_about_the_budget(method: str) -> None:
    """1,600 normal points, 4 after each of 400 histories of 60: 8.8 alerts are due at 2 a year; 20 is what chance allows (99.9 %)."""
    rng = np.random.default_rng(11)
    alerts = 0
    for _ in range(400):
        found = band(method, history(list(rng.normal(500.5, 20, 60))), seasonality="none")
        alerts += int(((tested := rng.normal(500.5, 20, 4)) < found.low).sum() + (tested > found.high).sum())
    assert 1 <= alerts <= 20, f"{method}: {alerts} alerts of 1,600 usual values, expected about 9"


values = st.one_of(
    st.lists(st.integers(0, 5).map(float), min_size=14, max_size=60),
    st.lists(st.sampled_from([0.0, 1e15]), min_size=14, max_size=60),
    st.lists(st.sampled_from([3.0, 4.0]), min_size=14, max_size=60),
    st.lists(st.floats(-1e12, 1e12), min_size=14, max_size=60),
    st.lists(st.floats(0, 1), min_size=14, max_size=60),
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=14, max_size=60),
    st.lists(st.sampled_from([0.0, -1.0, 5e-324, 1e308, -1e308, 1.7e308]), min_size=14, max_size=60),
    st.lists(st.integers(0, 10**9).map(float), min_size=14, max_size=60).map(sorted),
)
steps = st.sampled_from([DAY, HOUR, timedelta(minutes=5), 7 * DAY, 30 * DAY, timedelta(seconds=1)])
zones = st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu"])


@pytest.mark.parametrize("method", NAMES)
@given(values, steps, st.booleans(), zones)
@example([0.0] * 14, DAY, False, "UTC")
@example([7.0] * 14, HOUR, True, "UTC")
def test_any_history_gives_a_finite_band_around_its_center(method: str, seen: list[float], step: timedelta, bad: bool, zone: str) -> None:
    past = history(seen, step, frozenset(range(3, len(seen), 4)) if bad else frozenset())
    found = expect(method, past, past.points[-1].at + max(step, 3 * DAY), zone, min_history=5)
    if isinstance(found, Learning):
        assert found.missing > 0
        return
    assert all(map(math.isfinite, edges(found))), f"{method}: {edges(found)}"
    assert found.low <= found.center <= found.high, f"{method}: {edges(found)}"
    assert all(sentence and "nan" not in sentence for sentence in found.explanation), found.explanation


@pytest.mark.parametrize("method", NAMES)
@given(
    st.lists(st.tuples(st.integers(0, 60 * 24), st.floats(0, 1e6), st.booleans()), max_size=80), st.sampled_from(["UTC", "Europe/Berlin"])
)
def test_gaps_duplicate_times_and_clock_changes_are_no_trouble(method: str, points: list[tuple[int, float, bool]], zone: str) -> None:
    """Hours around the change of clocks on 29 March 2026, any of them missing or there twice."""
    ordered = sorted(points, key=lambda point: point[0])
    past = History(tuple(Point(datetime(2026, 2, 15, tzinfo=UTC) + h * HOUR, v, x) for h, v, x in ordered))
    found = expect(method, past, datetime(2026, 4, 20, tzinfo=UTC), zone)
    if isinstance(found, Band):
        assert found.low <= found.center <= found.high
        assert len({point.at for point in found.used}) == len(found.used)
    else:
        assert found.missing > 0


uneven = st.lists(st.integers(-(10**6), 10**6), min_size=20, max_size=60, unique=True).map(lambda found: [v + 0.5 for v in found])


@pytest.mark.parametrize("method", [name for name in SIMPLE if name != "percent_change"])
@given(uneven, st.sampled_from([0.25, 3.0, 1e6]), st.sampled_from([-5e6, 0.0, 1e4]))
def test_scale_and_shift_change_nothing_but_the_unit(method: str, seen: list[float], scale: float, shift: float) -> None:
    assume(min(np.diff(seen)) < 0 < max(np.diff(seen)))
    there = [scale * value + shift for value in seen]
    assume(not _is_total(seen) and not _is_total(there))
    one, other = (band(method, history(v), seasonality="none") for v in (seen, there))
    assert edges(other) == pytest.approx([scale * edge + shift for edge in edges(one)], rel=1e-6, abs=1e-6 * scale * max(map(abs, seen)))


@pytest.mark.parametrize("method", ["percent_change"])
@given(uneven, st.sampled_from([0.25, 3.0, 1e6]))
def test_scale_changes_nothing_but_the_unit(method: str, seen: list[float], scale: float) -> None:
    one, other = (band(method, history([k * v for v in seen])) for k in (1, scale))
    assert edges(other) == pytest.approx([scale * edge for edge in edges(one)])


def _is_total(seen: list[float]) -> bool:
    return min(seen) >= 0 and float((np.diff(seen) >= 0).mean()) >= 0.95


@pytest.mark.parametrize("method", NAMES)
def test_ten_years_of_hours_take_no_longer_than_a_month(method: str) -> None:
    rng = np.random.default_rng(1)
    past = history([float(v) for v in np.round(1000 * np.exp(rng.normal(0, 0.05, 10 * 365 * 24)))], HOUR)
    at = past.points[-1].at + HOUR
    band(method, past, at)
    started = thread_time()
    found = band(method, past, at)
    assert thread_time() - started < 0.5
    assert len(found.used) <= 672


# --- the default ------------------------------------------------------------------------------------------------------


def _generated(kind: int) -> np.ndarray:
    rng, n = np.random.default_rng([7, kind]), 150
    day = np.arange(n)
    match kind:
        case 0:
            weekly = 1000 * np.exp(rng.normal(0, 0.05, n)) * np.where(day % 7 >= 5, 0.5, 1)
            return np.round(weekly * np.where(day >= 90, 2, 1))
        case 1:
            return rng.poisson(6, n).astype(float)
        case 2:
            totals = np.cumsum(rng.poisson(500, n)).astype(float)
            totals[120:124] = totals[119]
            return totals
        case 3:
            return np.clip(rng.normal(0.03, 0.01, n), 0, 1)
        case 4:
            hours = np.round(np.where(day % 24 >= 8, 400, 20) * np.exp(rng.normal(0, 0.1, n)))
            hours[[77, 100]] = hours[77] * 5, 0
            return hours
        case _:
            return rng.normal(-5, 2, n)


ALERTS, DIGEST = 14, "ce1422beae4ea28b"


def test_the_default_says_what_it_said() -> None:
    """Bands of 900 points, to five digits. A refactoring leaves them as they are; whoever means to change them pins the new ones."""
    detector, said = METHODS.get("auto")({}), []
    for kind in range(6):
        points: list[Point] = []
        for place, value in enumerate(_generated(kind)):
            at = START + place * (HOUR if kind == 4 else DAY)
            found = detector.expect(History(tuple(points)), at, "Europe/Berlin")
            is_bad = isinstance(found, Band) and not found.low <= value <= found.high
            said.append(f"{is_bad:d} " + (" ".join(f"{edge:.5g}" for edge in edges(found)) if isinstance(found, Band) else "learning"))
            points.append(Point(at, float(value), is_bad))
    assert sum(line[0] == "1" for line in said) == ALERTS
    assert hashlib.blake2b("\n".join(said).encode(), digest_size=8).hexdigest() == DIGEST
