"""What happens to loads, planted into values: the kinds that ANOMALY.md names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from labelled import Incident
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]
Rng: TypeAlias = np.random.Generator

COUNTS = ("total_drop", "partial_50", "partial_30", "duplicate_x2", "late_load", "spike", "level_shift", "slow_leak")
TOTALS = ("stalled", "rows_deleted")
METRICS = ("metric_spike", "metric_jump", "metric_drift")

FIRST_DAY, APART_DAYS = 42, 35
"""Days before the first incident, and from the start of one to that of the next."""

RELEARN = 7
"""Points within which a new level should have been told once, and after which silence is due."""


def planted(values: Values, kinds: tuple[str, ...], rng: Rng, per_day: int) -> tuple[Values, tuple[Incident, ...], NDArray[np.bool_]]:
    """The values with an incident of a random kind in each stretch of time, the incidents, and the neutral points.

    No kind comes again before all others have been; a level that shifts stays, and so does all that comes after it.
    """
    values, neutral = values.copy(), np.zeros(len(values), np.bool_)
    found: list[Incident] = []
    queue: list[str] = []
    first, apart = (FIRST_DAY, APART_DAYS) if per_day == 1 else (21 * per_day, 6 * per_day)
    for start in range(first, len(values) - apart, apart):
        queue = queue or list(rng.permutation(kinds))
        at = start + int(rng.integers(0, max(1, apart // 7)))
        kind = str(queue.pop())
        if values[at] <= 0:
            continue
        length, recovering = KINDS[kind](values, at, rng, per_day)
        found.append(Incident(at, at + length - 1, kind))
        neutral[at + length : at + length + recovering] = True
    return values, tuple(found), neutral


def _whole(values: Values, changed: Values) -> Values:
    """Whole numbers stay whole."""
    return np.round(changed) if (values == np.round(values)).all() else changed


def _times(factor: Callable[[Rng], float], longest: int) -> Kind:
    def plant(values: Values, at: int, rng: Rng, per_day: int) -> tuple[int, int]:
        length = int(rng.integers(1, longest + 1)) * (1 if per_day == 1 else 3)
        part = slice(at, at + length)
        values[part] = _whole(values, values[part] * factor(rng))
        return length, 0

    return plant


def _late(values: Values, at: int, rng: Rng, per_day: int) -> tuple[int, int]:
    """Most rows of a load come with the next one."""
    del per_day
    late = np.floor(values[at] * rng.uniform(0.5, 0.9))
    values[at] -= late
    values[at + 1] += late
    return 2, 0


def _shift(values: Values, at: int, rng: Rng, per_day: int) -> tuple[int, int]:
    factor = rng.uniform(0.35, 0.6) if rng.uniform() < 0.5 else rng.uniform(1.7, 3)
    values[at:] = _whole(values, values[at:] * factor)
    return RELEARN * (1 if per_day == 1 else 3), 0


def _leak(values: Values, at: int, rng: Rng, per_day: int) -> tuple[int, int]:
    """More and more rows are lost, until somebody mends it."""
    length = int(rng.integers(18, 26)) * (1 if per_day == 1 else 3)
    part = slice(at, at + length)
    values[part] = _whole(values, values[part] * np.linspace(1, 1 - rng.uniform(0.35, 0.6), length))
    return length, RELEARN


def _stalled(values: Values, at: int, rng: Rng, per_day: int) -> tuple[int, int]:
    """Nothing is added; what came in meanwhile is added at the end."""
    del per_day
    length = int(rng.integers(2, 5))
    values[at : at + length] = values[at - 1]
    return length, 1


def _deleted(values: Values, at: int, rng: Rng, per_day: int) -> tuple[int, int]:
    """Rows are gone for good: the total is another one from then on, which is to be learned as a level is."""
    del per_day
    values[at:] -= np.floor(values[at] * rng.uniform(0.05, 0.4))
    return 1, RELEARN - 1


def _deviation(values: Values, at: int) -> float:
    """The deviation of the changes of the last four weeks: what an incident of a metric has to stand out from."""
    recent = values[max(0, at - 28) : at]
    return float(np.std(np.diff(recent))) or abs(float(recent.mean())) * 0.01


def _moved(values: Values, part: slice, by: Values | float) -> None:
    low, high = (0.0, 1.0) if values.min() >= 0 and values.max() <= 1 else (-np.inf, np.inf)
    values[part] = np.clip(values[part] + by, low, high)


def _metric_spike(values: Values, at: int, rng: Rng, per_day: int) -> tuple[int, int]:
    del per_day
    _moved(values, slice(at, at + 1), _deviation(values, at) * rng.uniform(6, 12))
    return 1, 0


def _metric_jump(values: Values, at: int, rng: Rng, per_day: int) -> tuple[int, int]:
    del per_day
    length = int(rng.integers(3, 8))
    _moved(values, slice(at, at + length), _deviation(values, at) * rng.uniform(4, 8))
    return length, 2


def _metric_drift(values: Values, at: int, rng: Rng, per_day: int) -> tuple[int, int]:
    del per_day
    length = int(rng.integers(14, 22))
    _moved(values, slice(at, at + length), np.linspace(0, _deviation(values, at) * rng.uniform(5, 9), length))
    return length, RELEARN


Kind: TypeAlias = Callable[[Values, int, Rng, int], tuple[int, int]]
"""Changes the values from a place on; how many points should be alerted, and how many after them count neither way."""

KINDS: dict[str, Kind] = {
    "total_drop": _times(lambda _: 0.0, 2),
    "partial_50": _times(lambda rng: rng.uniform(0.45, 0.55), 2),
    "partial_30": _times(lambda rng: rng.uniform(0.65, 0.75), 2),
    "duplicate_x2": _times(lambda _: 2.0, 1),
    "spike": _times(lambda rng: rng.uniform(3, 8), 1),
    "late_load": _late,
    "level_shift": _shift,
    "slow_leak": _leak,
    "stalled": _stalled,
    "rows_deleted": _deleted,
    "metric_spike": _metric_spike,
    "metric_jump": _metric_jump,
    "metric_drift": _metric_drift,
}
