"""What each part of the default detector is for: one story a part, with what the band says of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from dqmon.core.history import Band, History, Learning, Point
from dqmon.detectors.auto import Auto

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def noise(n: int, size: float = 0.05, seed: int = 1) -> np.ndarray:
    return np.exp(np.random.default_rng(seed).normal(0, size, n))


def expect(values: np.ndarray, alerted: set[int] = frozenset(), step: timedelta = DAY, start: datetime = START) -> Band:
    points = tuple(Point(start + i * step, float(value), i in alerted) for i, value in enumerate(values))
    found = Auto({"smallest_change": 0}).expect(History(points), start + len(values) * step, "UTC")
    assert isinstance(found, Band)
    return found


def said(band: Band, words: str) -> str:
    found = [sentence for sentence in band.explanation if words in sentence]
    assert len(found) == 1, f"{words!r} is not said once: {band.explanation}"
    return found[0]


def test_small_counts_have_the_noise_of_chance_and_large_ones_that_of_their_level() -> None:
    rng = np.random.default_rng(2)
    small = expect(rng.poisson(20, 90))
    assert 6 < small.low < 9, "of such counts 0.007 % are below 6 and 0.2 % below 9; 0.3 % may be"
    assert 33 < small.high < 60
    even = expect(20.0 + np.arange(90) % 2)
    assert 9 < even.low < 11
    assert said(even, "by chance alone")
    large = expect(np.round(20_000 * noise(90, 0.02)))
    assert 17_500 < large.low < 19_000
    assert 21_000 < large.high < 22_500


def test_ratios_stay_in_their_range() -> None:
    """Small ones vary by a share of themselves, so that the band is no symmetric one."""
    band = expect(0.02 * noise(90, 0.9, seed=3))
    assert 0 <= band.low < band.center
    assert band.high - band.center > 2 * (band.center - band.low)
    assert expect(1 - 0.02 * noise(90, 0.9, seed=3)).high < 1.0002


def test_a_burst_at_noon_is_not_hidden_by_the_noise_of_the_night() -> None:
    """At night there are 0 to 5 rows, on a logarithm as noisy as noon would be between 500 and 3,000."""
    rng = np.random.default_rng(4)
    hours = np.arange(24 * 20 + 12)
    means = np.where((hours % 24 >= 8) & (hours % 24 < 20), 1000.0, 2.0)
    values = np.round(means * np.exp(rng.normal(0, 0.04, len(hours)))) + np.where(means < 10, rng.poisson(2, len(hours)), 0)
    assert expect(values, step=HOUR).high < 1500


def test_closed_nights_teach_nothing_of_the_level() -> None:
    hours = np.arange(24 * 10 + 12)
    values = np.where((hours % 24 >= 8) & (hours % 24 < 20), np.round(1000 * noise(len(hours))), 0.0)
    noon = expect(values, step=HOUR)
    assert noon.low > 700
    assert all(point.value > 0 for point in noon.used)
    night = expect(values[:-9], step=HOUR)
    assert night.low == 0
    assert said(night, "closed in all of 10 turns")
    values[24 * 5] = 40
    assert said(expect(values[:-12], step=HOUR), "closed lately")


def test_rows_at_a_time_that_was_always_closed_are_unusual_but_for_a_few() -> None:
    values = np.array([0.0 if i % 7 == 6 else v for i, v in enumerate(np.round(1000 * noise(69)))])
    sunday = expect(values)
    assert (sunday.low, sunday.center) == (0, 0)
    assert 1 <= sunday.high < 10
    assert "closed in all of 9 turns" in said(sunday, "closed")
    values[6] = 1000
    assert expect(values).high > 1000


def test_an_outage_of_a_week_is_no_closing_time() -> None:
    values = np.concatenate([np.round(1000 * noise(40)), np.zeros(9)])
    assert expect(values, alerted=set(range(40, 49))).low > 500


def test_several_points_a_day_are_learned_for_two_days() -> None:
    points = tuple(Point(START + i * HOUR, 100.0 + i % 3) for i in range(47))
    detector = Auto({})
    assert detector.expect(History(points[:20]), START + 20 * HOUR, "UTC") == Learning(28)
    assert detector.expect(History(points), START + 47 * HOUR, "UTC") == Learning(1)
    assert isinstance(detector.expect(History(points), START + 48 * HOUR, "UTC"), Band)


def test_a_second_weekend_of_hours_is_like_the_first() -> None:
    """From the 13th day on, a Saturday: five times fewer rows on weekends, at every hour."""
    hours = np.arange(24 * 12 + 10)
    values = np.round(1000 * noise(len(hours)) * np.where(hours // 24 % 7 >= 5, 0.2, 1))
    saturday = set(range(24 * 12, len(hours)))
    band = expect(values, step=HOUR)
    assert band.low < 200 < band.high < 500
    assert said(band, "weekend effect")
    assert expect(values, alerted=saturday, step=HOUR).low < 200


def test_hours_of_a_few_weeks_make_no_wide_band() -> None:
    """Each hour of the week was seen thrice: the middle one of three is no error of nothing, and a weekend's afternoon no weekday's."""
    hours = np.arange(24 * 24)
    weekdays, weekends = 1000 * np.exp(np.cos(hours / 24 * 2 * np.pi)), 300 + 10.0 * (hours % 24)
    band = expect(np.round(np.where(hours // 24 % 7 >= 5, weekends, weekdays) * noise(len(hours))), step=HOUR)
    assert band.low > 0.7 * band.center
    assert band.high < 1.3 * band.center
    assert said(band, "hour of weekdays or weekends effect")


def test_a_quiet_hour_is_held_to_the_noise_of_the_others_but_never_to_none() -> None:
    """2,000 rows at noon, 10 at midnight, of which none is still told of."""
    hours = np.arange(24 * 20)
    band = expect(np.round(10 * 200.0 ** np.sin(hours % 24 / 24 * np.pi) * noise(len(hours))), step=HOUR)
    assert band.low > 0
    assert 30 < band.high < 100


def test_learning_of_minutes_ends_although_the_window_is_shorter_than_two_days() -> None:
    points = tuple(Point(START + i * timedelta(minutes=1), 100.0 + i % 3) for i in range(700))
    assert isinstance(Auto({}).expect(History(points), START + timedelta(minutes=700), "UTC"), Band)


@pytest.mark.parametrize("edge", ["first", "last"])
def test_a_month_edge_is_a_season(edge: str) -> None:
    days = [START + i * DAY for i in range(177)]  # the tested day is 1 July or, one earlier, 30 June
    is_edge = np.array([day.day == 1 if edge == "first" else (day + DAY).day == 1 for day in days])
    values = np.round(1000 * noise(177) * np.where(is_edge, 3, 1))
    cut = 177 if edge == "first" else 176
    band = expect(values[:cut])
    assert 2000 < band.center < 4000
    assert "+" in said(band, "month edge effect")


def test_a_month_edge_that_was_alerted_once_is_not_told_of_again() -> None:
    values = np.round(1000 * noise(55))  # until 28 February; the tested day is 1 March
    values[27] = 3000  # 1 February
    assert expect(values, alerted={27}).high > 3000
    assert said(expect(values, alerted={27}), "the one before was alerted")
    assert expect(np.append(values, 1000), alerted={27}).high < 1500


def test_an_alert_that_recurs_at_the_month_edge_is_believed() -> None:
    values = np.round(1000 * noise(86))
    firsts = {i for i in range(86) if (START + i * DAY).day == 1}
    for i in firsts:
        values[i] = 5000
    assert len(firsts) == 2
    assert len(expect(values, alerted=firsts).used) == 86
    assert len(expect(values, alerted={40}).used) == 85


def test_holidays_of_a_country_that_nobody_named_widen_the_band() -> None:
    """Memorial Day, Juneteenth and Independence Day were half as large; Labor Day may be."""
    start = datetime(2025, 4, 1, tzinfo=UTC)
    holidays = [datetime(2025, *day, tzinfo=UTC) for day in ((5, 26), (6, 19), (7, 4))]
    labor_day = (datetime(2025, 9, 1, tzinfo=UTC) - start).days
    values = np.round(1000 * noise(labor_day))
    closed = {(day - start).days for day in holidays}
    for i in closed:
        values[i] = 450
    band = expect(values, alerted=closed, start=start)
    assert band.low < 450
    assert "(US)" in said(band, "public holiday")
    assert expect(values[:-1], alerted=closed, start=start).low > 600


def test_one_incident_in_one_festival_names_no_country() -> None:
    """China's New Year of 2025 lasted from 28 January to 4 February, when an incident did; Tomb-Sweeping Day was 4 April."""
    start = datetime(2025, 1, 1, tzinfo=UTC)
    values = np.round(1000 * noise((datetime(2025, 4, 4, tzinfo=UTC) - start).days))
    incident = set(range(27, 34))
    values[list(incident)] *= 0.5
    band = expect(values, alerted=incident, start=start)
    assert not any("holiday" in sentence for sentence in band.explanation)
    assert band.low > 600


def test_usual_holidays_widen_nothing() -> None:
    start = datetime(2025, 4, 1, tzinfo=UTC)
    values = np.round(1000 * noise((datetime(2025, 9, 1, tzinfo=UTC) - start).days))
    band = expect(values, start=start)
    assert band.low > 600
    assert not any("holiday" in sentence for sentence in band.explanation)


def test_a_new_level_is_believed_and_the_old_one_is_usual_for_a_month() -> None:
    values = np.round(np.concatenate([1000 * noise(40), 3000 * noise(10, seed=2)]))
    band = expect(values, alerted=set(range(40, 47)))
    assert band.low < 1000
    assert band.high > 3000
    assert "a return to the old one" in said(band, "a new level since 10 points")
    later = expect(np.round(np.concatenate([1000 * noise(40), 3000 * noise(30, seed=2)])), alerted=set(range(40, 47)))
    assert later.low > 1500


def test_a_new_level_is_believed_although_one_of_its_points_was_inside_the_band() -> None:
    values = np.round(np.concatenate([1000 * noise(40), 1400 * noise(8, seed=2)]))
    seven = {40, 41, 42, 44, 45, 46, 47}
    assert expect(values, alerted=seven).center > 1300
    values[43] = 900
    assert expect(values, alerted=seven).center < 1100


def test_a_new_level_of_a_week_of_unlike_days_is_believed() -> None:
    """Three times as much on each weekday, and a tenth of that on weekends."""
    week = np.array([1, 1.1, 0.9, 1, 1.2, 0.1, 0.15])
    values = np.round(np.concatenate([1000 * noise(42), 3000 * noise(8, seed=2)]) * np.resize(week, 50))
    assert 2500 < expect(values, alerted=set(range(42, 50))).center < 4000


def test_a_stalled_total_is_unusual_as_long_as_it_lasts() -> None:
    grown = 1e6 + np.cumsum(np.round(1000 * noise(40)))
    for days in (1, 12):
        stalled = np.append(grown, np.full(days, grown[-1]))
        band = expect(stalled, alerted=set(range(40, 40 + days)))
        assert band.low > stalled[-1]
        # What was missing may come at once, or never.
        assert band.low < stalled[-1] + 1000 < stalled[-1] + (days + 1) * 1000 < band.high


def test_a_total_that_caught_up_has_no_new_level() -> None:
    """Five days of nothing, the rows of six on the next, then as before."""
    grown = 1e6 + np.cumsum(np.round(1000 * noise(47)))
    grown[40:45] = grown[39]
    band = expect(grown, alerted=set(range(40, 46)))
    assert 500 < band.low - grown[-1] < 1000 < band.high - grown[-1] < 1500


def test_rows_deleted_from_a_total_are_told_of_once() -> None:
    grown = 1e6 + np.cumsum(np.round(1000 * noise(40)))
    band = expect(np.append(grown, grown[-1] - 200_000), alerted={40})
    assert band.low < grown[-1] - 199_000 < band.high
    assert said(band, "or goes on from the alerted")


def test_a_long_incident_that_ended_leaves_the_baseline() -> None:
    values = np.round(np.concatenate([1000 * noise(40), 3000 * noise(9, seed=2), 1000 * noise(8, seed=3)]))
    band = expect(values, alerted=set(range(40, 47)))
    assert band.high < 2000
    assert all(point.value < 2000 for point in band.used)


def test_a_leak_of_less_than_the_noise_is_seen_within_nine_days() -> None:
    """From day 120 on 4 % are lost each day more, of a table with 8 % of noise; a level that follows never sees it."""
    base = 10_000 * noise(150, 0.08, seed=5)
    alerted: set[int] = set()
    for day in range(120, 135):
        base[day] *= 0.96 ** (day - 119)
        band = expect(np.round(base[:day]), alerted)
        if not band.low <= round(base[day]) <= band.high:
            alerted.add(day)
    assert min(alerted) <= 129
    usual = expect(np.round(10_000 * noise(120, 0.08, seed=5)))
    assert usual.low < usual.center < usual.high


def test_drift_is_silent_while_its_mean_spans_an_alert_that_is_over() -> None:
    base = 10_000 * noise(127, 0.08, seed=5)
    base[120:] *= 0.96 ** np.arange(1, 8)
    moved = "the mean of the last 7 points"
    assert not any(moved in sentence for sentence in expect(np.round(base), alerted={122}).explanation)
    assert said(expect(np.round(base), alerted={126}), moved)


def test_drift_says_what_it_moved() -> None:
    base = 10_000 * noise(127, 0.08, seed=5)
    base[120:] *= 0.96 ** np.arange(1, 8)
    assert "low" in said(expect(np.round(base)), "the mean of the last 7 points")
