"""Labelled series of our own: what tables do, and what happens to their loads.

Written from what loads of tables are like, without a look at how other benchmarks' series are made. Every series begins with weeks
without an incident, as long as the longest season needs; incidents are apart from each other.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

import holidays
import numpy as np
from incidents import COUNTS, METRICS, TOTALS, planted
from labelled import Labelled
from numpy.typing import NDArray

from dqmon.core.history import Point

Values: TypeAlias = NDArray[np.float64]
Rng: TypeAlias = np.random.Generator
Made: TypeAlias = tuple[Values, dict[int, str]]
"""Expected values or values, and why good points look odd, by place."""

DAYS, HOURS = 364, 24 * 56
START = date(2024, 2, 5)
"""A Monday."""


def series(each: int = 4, seed: int = 20) -> list[Labelled]:
    """So many series of each family. Equal arguments make equal series."""
    return [_made(name, number, seed) for name in FAMILIES for number in range(each)]


def _made(family: str, number: int, seed: int) -> Labelled:
    rng = np.random.default_rng([seed, number, *family.encode()])
    make, kinds = FAMILIES[family]
    values, benign = make(rng)
    step = timedelta(hours=1) if family.startswith("hourly") else timedelta(days=1)
    first = datetime(START.year, START.month, START.day, tzinfo=UTC)
    values, incidents, neutral = planted(values, kinds, rng, per_day=24 if step < timedelta(days=1) else 1)
    points = tuple(Point(first + place * step, float(value)) for place, value in enumerate(values))
    touched = {place for i in incidents for place in range(i.start, i.end + 1)}
    odd = {place: why for place, why in benign.items() if place not in touched}
    return Labelled(f"{family}_{number}", "own", family, points, incidents, neutral, odd)


def _counts(mean: Values, share: float, rng: Rng) -> Values:
    """Negative binomial counts: chance, and a share of the level."""
    if share <= 0:
        return rng.poisson(mean).astype(float)
    return rng.poisson(mean * rng.gamma(1 / share**2, share**2, len(mean))).astype(float)


def _level(rng: Rng, low: float = 300, high: float = 2e6) -> float:
    return float(low * (high / low) ** rng.uniform())


def _weekdays(rng: Rng, spread: float) -> Values:
    factors = np.exp(rng.normal(0, spread, 7))
    factors[5:] *= rng.uniform(0.3, 1.0)
    return np.tile(factors / factors.mean(), DAYS // 7)


def _correlated(rng: Rng, phi: float, deviation: float, length: int = DAYS) -> Values:
    """A first-order autoregression with that stationary deviation."""
    shocks = rng.normal(0, deviation * np.sqrt(1 - phi**2), length)
    found = np.empty(length)
    last = rng.normal(0, deviation)
    for place, shock in enumerate(shocks):
        last = phi * last + shock
        found[place] = last
    return found


def steady(rng: Rng) -> Made:
    """The same every day, with noise of some percent and now and then a heavier tail."""
    noise = rng.standard_t(rng.choice([4, 8, 30]), DAYS) * rng.uniform(0.02, 0.12)
    return np.round(_level(rng) * np.exp(noise)), {}


def weekly(rng: Rng) -> Made:
    """Weekdays, quiet weekends."""
    return _counts(_level(rng) * _weekdays(rng, 0.25), rng.uniform(0.03, 0.12), rng), {}


def holiday(rng: Rng) -> Made:
    """Weekdays, and the holidays of a country on which much less, or more, is done."""
    country = str(rng.choice(["US", "GB", "DE", "FR", "PT", "KR"]))
    free = holidays.country_holidays(country, years=(2024, 2025))
    factor = rng.uniform(0.15, 0.6) if rng.uniform() < 0.8 else rng.uniform(1.6, 2.5)
    off = {place: "holiday" for place in range(DAYS) if START + timedelta(days=place) in free}
    mean = _level(rng) * _weekdays(rng, 0.2)
    mean[list(off)] *= factor
    return _counts(mean, rng.uniform(0.04, 0.1), rng), off


def month_edge(rng: Rng) -> Made:
    """Invoices on the first working day, or closing on the last days of a month."""
    is_first, factor = rng.uniform() < 0.5, rng.uniform(1.8, 4)
    off = {}
    for place in range(DAYS):
        day = START + timedelta(days=place)
        until = ((day.replace(day=28) + timedelta(days=4)).replace(day=1) - day).days
        if (day.day <= 2) if is_first else until <= 2:
            off[place] = "month_edge"
    mean = _level(rng) * _weekdays(rng, 0.1)
    mean[list(off)] *= factor
    return _counts(mean, rng.uniform(0.04, 0.1), rng), off


def growing(rng: Rng) -> Made:
    """A product that takes off, or one that is being left."""
    day = np.arange(DAYS) / DAYS
    if rng.uniform() < 0.5:
        trend = np.exp(day * rng.uniform(0.7, 2.0) * rng.choice([1, -1]))
    else:
        trend = 1 + rng.uniform(1, 4) / (1 + np.exp(-12 * (day - rng.uniform(0.3, 0.7))))
    return _counts(_level(rng) * trend * _weekdays(rng, 0.15), rng.uniform(0.04, 0.1), rng), {}


def small(rng: Rng) -> Made:
    """A few rows a day, some days none."""
    return _counts(float(rng.uniform(1, 30)) * _weekdays(rng, 0.1), rng.uniform(0, 0.3), rng), {}


def closed(rng: Rng) -> Made:
    """Shops that are shut on some weekdays: no rows then."""
    shut = [[6], [5, 6], [0], [6, 0]][int(rng.integers(4))]
    values = _counts(_level(rng, 50, 1e5) * _weekdays(rng, 0.15), rng.uniform(0.04, 0.15), rng)
    off = {place: "zero_day" for place in range(DAYS) if place % 7 in shut}
    values[list(off)] = 0
    return values, off


def correlated(rng: Rng) -> Made:
    """Noise that lasts: campaigns, weather, backlogs."""
    wave = _correlated(rng, rng.uniform(0.6, 0.9), rng.uniform(0.1, 0.25))
    return _counts(_level(rng) * np.exp(wave) * _weekdays(rng, 0.15), 0.03, rng), {}


def total(rng: Rng) -> Made:
    """All rows of a table that only grows."""
    return np.round(_level(rng, 1e4, 1e7)) + np.cumsum(_counts(_level(rng, 20, 5e4) * _weekdays(rng, 0.2), 0.1, rng)), {}


def ratio(rng: Rng) -> Made:
    """A share of rows, such as of NULLs: near to 0, or in the middle."""
    center = np.log(rng.uniform(0.002, 0.3))
    rows = _level(rng, 2e3, 2e5)
    share = 1 / (1 + np.exp(-(center + _correlated(rng, 0.3, rng.uniform(0.05, 0.2)))))
    return rng.binomial(int(rows), share) / int(rows), {}


def average(rng: Rng) -> Made:
    """The mean of a column, which days of the week move a little."""
    wave = _correlated(rng, rng.uniform(0, 0.5), rng.uniform(0.01, 0.05))
    return _level(rng, 2, 500) * np.exp(wave + np.log(_weekdays(rng, 0.02))), {}


def hourly(rng: Rng) -> Made:
    """Busy by day, quiet at night, different at weekends."""
    hour = np.arange(HOURS)
    clock = np.exp(rng.uniform(0.4, 1.2) * np.cos(2 * np.pi * (hour % 24 - rng.uniform(11, 16)) / 24))
    weekend = np.where((hour // 24) % 7 >= 5, rng.uniform(0.4, 1.1), 1.0)
    wave = _correlated(rng, 0.7, rng.uniform(0.02, 0.1), HOURS)
    return _counts(_level(rng, 30, 3e4) * clock * weekend * np.exp(wave), rng.uniform(0.02, 0.1), rng), {}


FAMILIES: dict[str, tuple[Callable[[Rng], Made], tuple[str, ...]]] = {
    **{f"daily {make.__name__}": (make, COUNTS) for make in (steady, weekly, holiday, month_edge, growing, small, closed, correlated)},
    "daily total": (total, TOTALS),
    "metric ratio": (ratio, METRICS),
    "metric average": (average, METRICS),
    "hourly": (hourly, COUNTS),
}
"""How each family is made, and which kinds of incidents it has."""
