"""What other tools do by default, re-implemented small: a verdict and a score for each point, by the points before it.

A score above 1 is outside of the band. Each looks back 14 days, or as far as its season needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from labelled import Labelled
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]


def _rolling(series: Labelled, judge: Callable[[Values, float], float], days: int) -> Values:
    values = np.array([point.value for point in series.points])
    window = days * (24 if _is_hourly(series) else 1)
    return np.array([judge(values[max(0, place - window) : place], values[place]) for place in range(len(values))])


def _is_hourly(series: Labelled) -> bool:
    return (series.points[1].at - series.points[0].at).total_seconds() < 86_400 / 2


def z_score_with_tested(series: Labelled) -> Values:
    """|z| / 3 of 14 days, the tested point in its own window (Elementary's volume anomalies)."""

    def judge(past: Values, value: float) -> float:
        window = np.append(past[1:] if len(past) >= 14 else past, value)
        deviation = float(window.std(ddof=1)) if len(window) >= 7 else 0.0
        return abs(value - float(window.mean())) / deviation / 3 if deviation > 0 else 0.0

    return _rolling(series, judge, 14)


def z_score(series: Labelled) -> Values:
    """|z| / 3 of the 14 days before the tested point."""

    def judge(past: Values, value: float) -> float:
        if len(past) < 7:
            return 0.0
        deviation = float(past.std(ddof=1))
        off = abs(value - float(past.mean()))
        return min(99.0, off / deviation / 3) if deviation > 0 else 99.0 * (off > 0)

    return _rolling(series, judge, 14)


def half_of_previous(series: Labelled) -> Values:
    """A change of more than 50 % of the point before."""

    def judge(past: Values, value: float) -> float:
        if not len(past):
            return 0.0
        off = abs(value - float(past[-1]))
        return min(99.0, off / (0.5 * abs(float(past[-1])))) if past[-1] else 99.0 * (off > 0)

    return _rolling(series, judge, 1)


def seasonal_mad(series: Labelled) -> Values:
    """Four robust deviations around the median of the same weekday (hour of weekdays or weekends), of ten (four) weeks."""
    values = np.array([point.value for point in series.points])
    is_hourly = _is_hourly(series)
    slot = np.array([(p.at.hour, p.at.weekday() >= 5) if is_hourly else (p.at.weekday(), False) for p in series.points])
    keys = slot[:, 0] * 2 + slot[:, 1]
    window = 28 * 24 if is_hourly else 70
    found = np.zeros(len(values))
    for place, value in enumerate(values):
        first = max(0, place - window)
        alike = values[first:place][keys[first:place] == keys[place]]
        if len(alike) < 4:
            continue
        middle = float(np.median(alike))
        deviation = max(1.4826 * float(np.median(np.abs(alike - middle))), 0.02 * abs(middle), 1e-9)
        found[place] = min(99.0, abs(value - middle) / deviation / 4)
    return found


PEERS: dict[str, Callable[[Labelled], Values]] = {
    "z-score, 14 days, tested point inside": z_score_with_tested,
    "z-score, 14 days": z_score,
    "seasonal median/MAD": seasonal_mad,
    "±50 % of the previous": half_of_previous,
}
