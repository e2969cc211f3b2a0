"""A simulated year of arrivals: false alerts against the budget, and how long a load that does not come stays unseen."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

import pytest

from dqmon.checks.base.habit import Arrival, Habit
from dqmon.core.due_days import DAY_NAMES
from dqmon.core.verdict import Verdict

ZONE = "Europe/Berlin"
BUDGET = 2.0
FIRST, TRAINED = date(2025, 1, 6), 120


def daily(rng, delay):
    """06:30 on weekdays, on Mondays 20 minutes later, and a random delay in minutes."""
    for day in (FIRST + timedelta(days=n) for n in range(TRAINED + 366)):
        if day.weekday() < 5:
            yield datetime.combine(day, time(6, 50 if day.weekday() == 0 else 30), ZoneInfo(ZONE)) + timedelta(minutes=delay(rng))


def hourly(rng, delay):
    """At each full hour from 8 to 18 on weekdays, and a random delay in minutes."""
    for day in (FIRST + timedelta(days=n) for n in range(60)):
        for hour in range(8, 19) if day.weekday() < 5 else ():
            yield datetime.combine(day, time(hour), ZoneInfo(ZONE)) + timedelta(minutes=delay(rng))


def normal(rng):
    return rng.gauss(15, 4)


def skewed(rng):
    return rng.lognormvariate(2.0, 0.6)


def judged(known, now):
    return Habit(tuple(map(Arrival, known)), ZONE, DAY_NAMES, None, BUDGET).judge(now, "loads")


@pytest.mark.parametrize(("make", "delay", "seed", "step"), [(daily, normal, 1, 1), (daily, skewed, 2, 1), (hourly, skewed, 3, 3)])
def test_a_year_of_loads(make, delay, seed, step):
    """Each load is looked for just before it comes: what is called late then is a false alert. If it did not come, it is due when it is said."""
    arrivals = [at.astimezone(UTC) for at in make(random.Random(seed), delay)]
    start = next(n for n, at in enumerate(arrivals) if at.date() >= FIRST + timedelta(days=TRAINED if make is daily else 40))
    false, unseen, tested = 0, [], range(start, len(arrivals), step)
    for n in tested:
        found = judged(arrivals[:n], arrivals[n] - timedelta(seconds=1))
        assert found.verdict is not Verdict.SKIPPED, found.reason
        false += found.verdict is Verdict.FAIL
        if found.verdict is Verdict.PASS and found.expected.high is not None:
            unseen.append(arrivals[n - 1] + timedelta(seconds=found.expected.high) - arrivals[n])
    per_year = false / (arrivals[-1] - arrivals[start]).days * 365 * step
    oldest = max(later - earlier for earlier, later in pairwise(arrivals[:start]))
    by_age = median(arrivals[n - 1] + oldest - arrivals[n] for n in tested)
    learned = median(unseen)
    print(
        f"\n{make.__name__}, {delay.__name__} delays: {per_year:.1f} false alerts a year (budget {BUDGET:g}); a missing load is seen "
        f"{learned.total_seconds() / 60:.0f} min after it should have come, by the shortest fixed age without false alerts after {by_age}"
    )
    assert per_year <= 3 * BUDGET, "far more false alerts than the budget asks for"
    assert learned < by_age / 10, "a fixed maximum age sees it about as soon"
