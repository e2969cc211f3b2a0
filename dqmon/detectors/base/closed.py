"""Closing times: hours and days without rows that come again in every turn of the week."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dqmon.detectors.base.forecast import Baseline, Forecast
from dqmon.detectors.base.scale import is_count
from dqmon.detectors.base.series import DAY_S, WEEK_S, Series, runs
from dqmon.detectors.base.tail import poisson_range

if TYPE_CHECKING:
    from numpy import bool_, float64
    from numpy.typing import NDArray

_TURNS = 4
"""A slot that was closed in one of so many turns may be closed again: what closes every other week counts."""


_ALWAYS = 4
"""A slot that was closed in so many turns, and open in none, is expected to be closed."""


@dataclass(frozen=True, slots=True)
class Closed:
    """points: which of them were closing times. may_be: whether the tested slot was closed lately, so that 0 is usual.
    always: in how many turns it was closed, when it was open in none; else 0.
    """

    points: NDArray[bool_]
    may_be: bool
    always: int


def closed_of(series: Series) -> Closed:
    """The zeros that recur in the same slot of another week (day, until there are three weeks of hours).

    They say nothing of the level of the time that is open. A row of zeros that fills a whole week leaves no time open: it is
    an outage, and never a closing time. Values below 0 have no closing times.
    """
    import numpy as np

    values, local = series.values, series.local
    is_zero = values == 0
    for start, end in runs(is_zero):
        if local[end - 1] - local[start] + series.cadence_s >= WEEK_S:
            is_zero[start:end] = False
    if not is_zero.any() or (values < 0).any():
        return Closed(np.zeros(len(values), np.bool_), may_be=False, always=0)
    turn = DAY_S if series.is_finer and series.span_s < 3 * WEEK_S else WEEK_S
    zeros = local[is_zero]
    comes_again = _is_near(zeros, zeros + turn, series) | _is_near(zeros, zeros - turn, series)
    if series.is_finer:
        comes_again |= _is_near(zeros, zeros + DAY_S, series)
    points = is_zero.copy()
    points[is_zero] = comes_again
    turns = (series.at - local) / turn
    is_same_slot = np.abs(turns - turns.round()) * turn < series.cadence_s / 4
    was_closed = is_zero[is_same_slot]
    lately = was_closed & (turns[is_same_slot].round() <= _TURNS)
    return Closed(points, may_be=bool(lately.any()), always=len(was_closed) if was_closed.all() else 0)


def with_closing(found: Forecast, closed: Closed, baseline: Baseline) -> Forecast:
    """The forecast of the open time, as far as the tested slot may be closed: then 0 is usual; when it always was, little else.

    After n turns without a row the rate is below 3 / n, with 95 % confidence (Hanley & Lippman-Hand, JAMA 249, 1983).
    """
    if not closed.may_be:
        return found
    if closed.always < _ALWAYS or not is_count(baseline.series.values):
        return replace(found, low=min(found.low, 0.0), explanation=(*found.explanation, "this slot was closed lately, so that 0 is usual"))
    _, most = poisson_range(3 / closed.always, baseline.p)
    reason = f"this slot was closed in all of {closed.always} turns"
    return Forecast(0.0, min(found.high, most), 0.0, (*found.explanation, reason))


def _is_near(times: NDArray[float64], among: NDArray[float64], series: Series) -> NDArray[bool_]:
    """Which of the times lie within a quarter of the cadence of one of the others (both in order of time or its reverse)."""
    import numpy as np

    ordered = np.sort(among)
    place = np.searchsorted(ordered, times)
    after, before = ordered[np.minimum(place, len(ordered) - 1)], ordered[np.maximum(place - 1, 0)]
    return np.minimum(np.abs(after - times), np.abs(times - before)) < series.cadence_s / 4
