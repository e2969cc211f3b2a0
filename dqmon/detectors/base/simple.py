"""What the methods share that people know by name: which points count, and what needs no method."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from dqmon.core.history import Band, History, Learning
from dqmon.detectors.base.constant import constant, is_constant
from dqmon.detectors.base.forecast import Forecast
from dqmon.detectors.base.incidents import RELEARN, believed
from dqmon.detectors.base.robust import AS_DEVIATION, median
from dqmon.detectors.base.series import Series, finite, window_of
from dqmon.detectors.base.tail import probability, t_quantile
from dqmon.detectors.base.total import is_total

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy import float64
    from numpy.typing import NDArray

_EFFICIENCY = 0.37
"""Of n values the median absolute deviation tells as much as the standard deviation of 37 % of them (Hampel, JASA 69, 1974)."""

_MEAN_AS_DEVIATION = 1.2533
"""The mean distance from the middle times this, the root of pi / 2, is the standard deviation, for normal values."""


class Simple(ABC):
    """A method with one formula; a subclass says it (`band`).

    The tested point is never in its own baseline, alerted ones are not but for a level that they have become: from then on only
    points of that level count. A total that only grows is judged by its steps, a series that was always the same by
    `base.constant` where the formula has no band for it.
    """

    takes: ClassVar[frozenset[str]]
    needs_spread: ClassVar[bool] = True
    """True for a formula that makes no band of values that are all the same."""

    def __init__(self, options: Mapping[str, object]) -> None:
        self._budget = float(str(options.get("false_alerts_per_year", 2)))
        self._min_history = max(2, int(str(options.get("min_history", 14))))
        self._smallest_change = float(str(options.get("smallest_change", 1)))
        sigmas = options.get("sigmas")
        self._sigmas = None if sigmas is None else float(str(sigmas))

    @abstractmethod
    def band(self, series: Series) -> Forecast | Learning:
        """The band by the formula, of at least 2 values, which are not all the same where it `needs_spread`."""

    def expect(self, history: History, at: datetime, timezone: str) -> Band | Learning:
        """The band for the value at `at`, from earlier points; Learning while there are not `min_history` of them."""
        import numpy as np

        window = window_of(history.points, at, timezone)
        kept, shifts = believed(window.series, window.alerted)
        places = np.flatnonzero(kept)
        if (missing := self._min_history - len(places)) > 0:
            return Learning(missing)
        places = places[shifts[-1] :] if shifts else places
        found = self._of(window.series.only(places))
        if isinstance(found, Learning):
            return found
        used = tuple(map(window.points.__getitem__, places.tolist()))
        since = (f"only the {len(places)} points since a new level began count",) if shifts else ()
        return Band(finite(found.low), finite(found.high), finite(found.center), (*found.explanation, *since), used)

    def _of(self, series: Series) -> Forecast | Learning:
        if self.needs_spread and is_constant(series.values):
            return constant(float(series.values[0]), len(series.values), self._smallest_change)
        if not is_total(series.values):
            return self.band(series)
        return self._of_total(series)

    def _of_total(self, series: Series) -> Forecast | Learning:
        """The last total and a step: those over gaps teach nothing, and as many are due as there was time for."""
        import numpy as np

        is_regular = np.diff(series.local) <= 1.5 * series.cadence_s
        steps = np.diff(series.values)[is_regular]
        if len(steps) < RELEARN:
            return self.band(series)
        last, due = float(series.values[-1]), max(1, round((series.at - float(series.local[-1])) / series.cadence_s))
        of_steps = Series(series.local[1:][is_regular], steps, series.at, series.cadence_s)
        is_even = self.needs_spread and is_constant(steps)
        step = constant(float(steps[0]), len(steps), self._smallest_change) if is_even else self.band(of_steps)
        if isinstance(step, Learning):
            return step
        center = last + due * step.center
        low, high = (center + math.sqrt(due) * (bound - step.center) for bound in (step.low, step.high))
        grows = f"a total that grows: {last:,.0f} at the last point, and {due} step(s) since"
        return replace(step, low=max(last, low), high=high, center=center, explanation=(grows, *step.explanation))


def multiple(given: float | None, budget: float, series: Series, freedom: float) -> tuple[float, str]:
    """How many deviations wide one side of the band is, and why: `given`, else the quantile of t for the budget."""
    if given is not None:
        return given, f"{given:g} deviations on either side, as `sigmas` says"
    reach = t_quantile(1 - probability(budget, series) / 2, max(2.0, freedom))
    return reach, f"{reach:.3g} deviations on either side are as wide as {budget:g} false alerts a year need"


def robust_band(values: NDArray[float64], series: Series, sigmas: float | None, budget: float) -> Forecast:
    """Median ± k deviations, by the median absolute deviation; by the mean one where more than half of the values are the same.

    Iglewicz and Hoaglin, How to Detect and Handle Outliers, ASQC Basic References in Quality Control 16 (1993).
    """
    import numpy as np

    center, n = median(values), len(values)
    off = np.abs(values - center)
    deviation = AS_DEVIATION * median(off) or _MEAN_AS_DEVIATION * float(off.mean())
    # The variance of the median of n normal values is (pi / 2) / n of theirs.
    k, why = multiple(sigmas, budget, series, _EFFICIENCY * (n - 1))
    room = k * deviation * (1.0 if sigmas is not None else math.sqrt(1 + math.pi / 2 / n))
    return Forecast(
        center - room, center + room, center, (f"the median of {n} points is {center:,.4g}, their robust deviation {deviation:,.4g}", why)
    )
