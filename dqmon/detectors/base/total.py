"""Totals: counts that only grow, whose steps are what can be unusual."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from dqmon.detectors.base.constant import constant, is_constant
from dqmon.detectors.base.forecast import Baseline, Forecast, forecast
from dqmon.detectors.base.incidents import RELEARN
from dqmon.detectors.base.series import Series

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

_RISING = 0.95
"""Share of steps that do not fall, from which on a count is taken for a total that only grows."""


def is_total(values: NDArray[float64]) -> bool:
    """True for values from 0 up that hardly ever fall and mostly rise."""
    import numpy as np

    steps = np.diff(values)
    return bool((values >= 0).all() and (steps >= 0).mean() >= _RISING and (steps > 0).mean() >= 0.5)  # noqa: PLR2004 - mostly


def total(baseline: Baseline) -> Forecast:
    """A band around the last total plus the steps that are due since; steps over gaps and to a new level teach nothing.

    After an alert the total goes on from where it was before, as after a load that was mended, or from where it is, as after rows
    that were deleted: both are usual.
    """
    import numpy as np

    series = baseline.series
    is_regular = np.diff(series.local) <= 1.5 * series.cadence_s
    is_regular[[shift - 1 for shift in baseline.shifts]] = False
    steps = np.maximum(np.diff(series.values), 0.0).round()[is_regular]
    if len(steps) < RELEARN:
        return forecast(baseline)
    if is_constant(steps):
        step = constant(float(steps[0]), len(steps), smallest_change=1.0)
    else:
        of_steps = Series(series.local[1:][is_regular], steps, series.at, series.cadence_s)
        step = forecast(replace(baseline, series=of_steps, shifts=(), everything=None))
    found = _after(series, step)
    if (everything := baseline.everything) is None or everything.local[-1] == series.local[-1]:
        return found
    now = _after(everything, step)
    either = f"or goes on from the alerted {everything.values[-1]:,.0f}"
    return replace(found, low=min(found.low, now.low), high=max(found.high, now.high), explanation=(*found.explanation, either))


def _after(series: Series, step: Forecast) -> Forecast:
    """The last total of the series, and as many steps as there was time for since."""
    last, due = float(series.values[-1]), max(1, round((series.at - float(series.local[-1])) / series.cadence_s))
    center = due * step.center
    low, high = (center + math.sqrt(due) * (bound - step.center) for bound in (step.low, step.high))
    grows = f"a total that grows: {last:,.0f} at the last point, and {due} step(s) since"
    return Forecast(last + max(0.0, low), last + high, last + center, (grows, *step.explanation))
