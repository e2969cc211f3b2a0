"""The parts of the detector against independent references: integrals, sums, closed forms."""

from __future__ import annotations

import math
from datetime import date, timedelta
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqmon.detectors.base.clock import month_edge
from dqmon.detectors.base.drift import drift_of
from dqmon.detectors.base.incidents import _recurring
from dqmon.detectors.base.noise import overdispersion
from dqmon.detectors.base.robust import running_median
from dqmon.detectors.base.scale import Scale
from dqmon.detectors.base.season import Turns, season_of
from dqmon.detectors.base.series import Series
from dqmon.detectors.base.tail import half_width, poisson_range, t_quantile

P_DAILY = 2 / 365.25
EPOCH = date(1970, 1, 1)


@pytest.mark.parametrize("freedom", [2.1, 3.0, 4.0, 6.0, 12.0, 96.0])
@pytest.mark.parametrize("probability", [0.9, 0.975, 0.99, 0.999, 0.9999])
def test_t_quantile_against_the_integral_of_the_density(freedom: float, probability: float) -> None:
    """By numeric integration with x = tan(u), exact to 1e-8; 1 % because Hill's expansion gives that for small freedom."""
    x = t_quantile(probability, freedom)
    u = np.linspace(math.atan(x), math.pi / 2, 200_001)[:-1]
    constant = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    values = constant * (1 + np.tan(u) ** 2 / freedom) ** (-(freedom + 1) / 2) / np.cos(u) ** 2
    tail = float(((values[1:] + values[:-1]) / 2 * np.diff(u)).sum())
    assert tail == pytest.approx(1 - probability, rel=0.02)


def test_width_of_normal_errors_comes_close_to_the_normal_quantile() -> None:
    """Of the newest 336 errors the scale is known to 4 %; 15 % is three standard errors plus what heavy tails still weigh."""
    errors = np.random.default_rng(3).normal(0, 2, 2000)
    assert half_width(errors, P_DAILY) == pytest.approx(2 * NormalDist().inv_cdf(1 - P_DAILY / 2), rel=0.15)


def test_width_of_heavy_tails_is_wider_than_a_normal_table_says() -> None:
    errors = np.random.default_rng(4).standard_t(3, 2000)
    normal = errors.std() * NormalDist().inv_cdf(1 - P_DAILY / 2)
    assert half_width(errors, P_DAILY) > 1.2 * normal
    exact = t_quantile(1 - P_DAILY / 2, 3)
    assert half_width(errors, P_DAILY) == pytest.approx(exact, rel=0.15)


def test_few_errors_make_a_wide_band() -> None:
    errors = np.random.default_rng(5).normal(0, 1, 400)
    widths = [np.median([half_width(errors[i : i + n], P_DAILY) for i in range(0, 400 - n, n)]) for n in (10, 30, 100)]
    assert widths == sorted(widths, reverse=True)


def test_an_outlier_hardly_moves_the_width() -> None:
    errors = np.random.default_rng(6).normal(0, 1, 100)
    with_outlier = np.append(errors, 50.0)
    by_deviation = with_outlier.std() / errors.std()
    assert by_deviation > 4
    assert half_width(with_outlier, P_DAILY) < 2.5 * half_width(errors, P_DAILY)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60), st.floats(1e-5, 0.1), st.floats(0.01, 100))
def test_width_is_finite_scales_and_shrinks_with_p(errors: list[float], p: float, factor: float) -> None:
    found = half_width(np.array(errors), p)
    assert math.isfinite(found)
    assert found >= 0
    assert half_width(np.array(errors), p / 2) >= found * (1 - 1e-9)
    assert half_width(np.array(errors) * factor, p) == pytest.approx(found * factor, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("mean", [0.5, 3.0, 20.0, 500.0])
def test_poisson_range_against_the_sum_of_probabilities(mean: float) -> None:
    """The counts outside are about as likely as asked; whole counts cannot hit it, so that small means are on the safe side."""
    low, high = poisson_range(mean, 0.01)
    logs = np.cumsum([-mean, *(math.log(mean / k) for k in range(1, 1000))])
    probabilities = np.exp(logs)
    outside = probabilities[: math.ceil(low)].sum() + probabilities[math.floor(high) + 1 :].sum()
    assert outside <= 0.03
    if mean >= 20:
        assert outside >= 0.01 / 3


def test_a_clear_season_is_believed_and_noise_is_not() -> None:
    rng = np.random.default_rng(7)
    turns = Turns.of(np.arange(71) % 7)
    noise = rng.normal(0, 1, 70)
    clear = season_of(noise + np.where(turns.slot[:-1] == 6, -50.0, 0.0), turns, 7).effects
    assert clear[6] == pytest.approx(-50, abs=1.5)
    assert np.abs(season_of(noise, turns, 7).effects).max() < 0.6


@pytest.mark.parametrize("slots", [3, 20, 60])
def test_a_season_of_the_others_against_the_season_without_a_point(slots: int) -> None:
    """Without a share that is kept, which is the same for all points of a slot: by how many points it has, and how unlike slots are."""
    rng = np.random.default_rng(slots)
    slot = rng.integers(0, slots, 91)
    values = rng.normal(0, 1, 90) + 10 * slot[:-1]
    found = season_of(values, Turns.of(slot), 90)
    rest = values - np.median(values)
    for place in range(90):
        mine = slot[:-1] == slot[place]
        others = np.delete(rest, place)[np.delete(mine, place)]
        kept = found.effects[place] / np.median(rest[mine])
        assert found.held_out[place] == pytest.approx(kept * np.median(others) if len(others) else 0.0)


@pytest.mark.parametrize("width", [3, 7, 15])
@given(values=st.lists(st.sampled_from([0.0, 1.0, 1.5, 2.0, -3.0, 1e9]), min_size=1, max_size=40))
def test_running_medians_against_numpy(width: int, values: list[float]) -> None:
    width = min(width, len(values) - 1 + len(values) % 2)
    around = [float(np.median(values[start : start + width])) for start in range(len(values) - width + 1)]
    half = width // 2
    expected = [around[min(max(0, place - half), len(around) - 1)] for place in range(len(values))]
    assert running_median(np.array(values), width).tolist() == expected


@pytest.mark.parametrize(("step_s", "days"), [(86_400.0, 150), (3_600.0, 24)])
@pytest.mark.parametrize("seed", range(4))
def test_alerts_that_recur_against_a_look_at_every_pair(step_s: float, days: int, seed: int) -> None:
    """With an hour that the clock showed twice, and runs of several points."""
    rng = np.random.default_rng(seed)
    local = np.arange(days * 86_400 / step_s) * step_s
    local[len(local) // 2 :] -= 3_600.0 if step_s < 86_400 else 0.0
    series = Series(local, rng.choice([10.0, 11.0, 20.0, 45.0], len(local)), float(local[-1]) + step_s, step_s)
    run = np.zeros(len(local), np.int64)
    for number, start in enumerate(sorted(rng.choice(len(local) - 3, len(local) // 6, replace=False)), start=1):
        run[start : start + int(rng.integers(1, 4))] = number
    edge, size = month_edge(series.days[:-1]), np.bincount(run)

    def is_again(one: int, other: int) -> bool:
        apart = abs(local[one] - local[other])
        at_edge = series.is_daily and edge[one] > 0 and edge[one] == edge[other] and size[run[one]] <= 2
        if not (apart == 7 * 86_400 or (at_edge and 26 * 86_400 < apart < 64 * 86_400)) or run[one] == run[other]:
            return False
        return bool(abs(series.values[one] - series.values[other]) <= 0.25 * abs(series.values[one]))

    alerted = np.flatnonzero(run).tolist()
    expected = [any(is_again(one, other) for other in alerted) if run[one] else False for one in range(len(run))]
    assert any(expected)
    assert _recurring(series, run).tolist() == expected


@pytest.mark.parametrize(("mean", "share"), [(20, 0.0), (200, 0.01), (5000, 0.1)])
def test_overdispersion_of_negative_binomial_counts(mean: int, share: float) -> None:
    """Gamma-Poisson draws; the next but one step of the grid is a factor of 10."""
    rng = np.random.default_rng(11)
    rate = mean * (rng.gamma(1 / share, share, 600) if share else np.ones(600))
    found = overdispersion(np.log1p(rng.poisson(rate)) - math.log1p(mean), np.full(600, float(mean)))
    assert found <= 1e-3 if share == 0 else share / 3.4 <= found <= share * 3.4


@pytest.mark.parametrize("scale", list(Scale))
@given(value=st.floats(0.001, 0.999))
def test_every_scale_has_its_way_back(scale: Scale, value: float) -> None:
    assert scale.back(float(scale.of(np.array([value]))[0])) == pytest.approx(value)


def test_month_edges_against_the_calendar() -> None:
    days = np.arange(0, 3000)
    for day, edge in zip(days, month_edge(days), strict=True):
        when = EPOCH + timedelta(days=int(day))
        following = when + timedelta(days=1), when + timedelta(days=2)
        expected = {1: 1, 2: 2}.get(when.day) or (4 if following[0].day == 1 else 3 if following[1].day == 1 else 0)
        assert edge == expected, f"{when:%Y-%m-%d} is edge {expected}, not {edge}"


def test_drift_against_the_means_it_speaks_of() -> None:
    """The bounds are those at which the mean of the last seven, the tested value included, is as far off as may be."""
    rng = np.random.default_rng(12)
    values = rng.normal(0, 1, 120)
    series = Series(np.arange(120) * 86_400.0, values, 120 * 86_400.0, 86_400.0)
    found = drift_of(values, series, P_DAILY)
    assert found is not None
    differences = [values[i : i + 7].mean() - values[i - 28 : i].mean() for i in range(28, 114)]
    usual = float(np.median(differences))
    bases = sorted((values[-34:-6].mean(), values[-62:-34].mean()))
    off = [np.append(values[-6:], bound).mean() - base - usual for base, bound in zip(bases, (found.low, found.high), strict=True)]
    assert off[0] == pytest.approx(-off[1])
    assert 3 * np.std(differences) < off[1] < 8 * np.std(differences)
