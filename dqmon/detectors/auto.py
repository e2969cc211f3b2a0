"""The default detector: what a value should be, learned robustly from the past of one series."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from dqmon.core.history import Band, History, Learning
from dqmon.detectors.base.clock import Seasonality
from dqmon.detectors.base.closed import Closed, closed_of, with_closing
from dqmon.detectors.base.constant import constant, is_constant
from dqmon.detectors.base.forecast import Baseline, Forecast, forecast
from dqmon.detectors.base.incidents import believed
from dqmon.detectors.base.series import DAY_S, MOST_POINTS, Window, finite, window_of
from dqmon.detectors.base.tail import probability
from dqmon.detectors.base.total import is_total, total

if TYPE_CHECKING:
    from numpy import intp
    from numpy.typing import NDArray

_FIRST_DAYS_S = 2 * DAY_S
"""Several points a day are judged from the third day on: one day shows its hours, and a second one that they recur."""


class Auto:
    """What a value should be, from its level, its growth and its place in the week and the month.

    Options: false_alerts_per_year (default 2) sets the width of the band at the series' own cadence; min_history (default
    14) is the number of points below which it is still learning; smallest_change (default 1, as of a count; 0 for values that
    are none) is what a constant history may change by at least; seasonality (default auto) names the one season to look for.

    1. Learned from (`base.incidents`, `base.closed`): points that were not alerted; alerted ones that became the level (five in a
       row), or that recur on a weekday or an edge of the month. Closing times, zeros that recur in their slot, say nothing of the level.
    2. Scale (`base.scale`): counts on log(1 + x), ratios and other positive values on the likelier one of two. Several points a
       day are held to a second scale, on which a burst cannot hide in the noise of the night.
    3. Season (`base.season`, `base.clock`): the median deviation of each weekday and edge of the month (hour, weekend, hour of
       weekdays or weekends, hour of the week), shrunk towards none as far as its own noise explains it.
    4. Level (`base.level`): exponential smoothing of the values without season, outliers drawn in, with the memory that
       forecast this series best.
    5. Width (`base.tail`, `base.noise`): the quantile of the errors that these forecasts made of points that had no say in
       their season, by t distributions, for the probability false_alerts_per_year / points a year. Errors of counts are measured in
       standard deviations of an over-dispersed Poisson count of their level. Either side has room for a twentieth of the recent
       standard deviation besides, though never for an empty load.
    6. Drift (`base.drift`) narrows the band to what leaves the mean of a week where such means have been. It has half of the
       probability besides, and is silent while the week spans an alert that is over.
    7. Holidays (`base.public_holidays`) of the country whose holidays were unusual more often than by chance, an edge of the month
       (`base.month_edges`) that was alerted the month before, and for 28 points a return from a new level to the old one, widen it.
    8. A count that hardly ever falls is a total (`base.total`): its steps are forecast, so that a stalled table is seen. A
       constant history is exact (`base.constant`). After an alert it goes on from either total, the last good or the alerted one.

    The tested point is never in its own baseline. Pure; about a millisecond a point.
    """

    type: ClassVar[str] = "auto"
    takes: ClassVar[frozenset[str]] = frozenset({"false_alerts_per_year", "seasonality"})

    def __init__(self, options: Mapping[str, object]) -> None:
        self._budget = float(str(options.get("false_alerts_per_year", 2)))
        self._min_history = max(2, int(str(options.get("min_history", 14))))
        self._smallest_change = float(str(options.get("smallest_change", 1)))
        self._seasonality = Seasonality(str(options.get("seasonality", "auto")))

    def expect(self, history: History, at: datetime, timezone: str) -> Band | Learning:
        """The band for the value at `at`, from earlier points; Learning while `min_history` of them, or two days, are not full."""
        import numpy as np

        window = window_of(history.points, at, timezone)
        if (missing := self._missing(window)) > 0:
            return Learning(missing)
        closed = closed_of(window.series)
        is_open = np.flatnonzero(~closed.points)
        if len(is_open) < self._min_history:
            is_open = np.arange(len(window.points))
        kept, shifts = believed(window.series.only(is_open), window.alerted[is_open])
        places = is_open[kept]
        if len(places) < self._min_history:
            return Learning(self._min_history - len(places))
        found = self._found(window, places, shifts, closed)
        cadence = window.series.cadence_s / DAY_S
        width = f"the band is as wide as {self._budget:g} false alerts a year need, at one point every {cadence:.3g} days"
        used = window.points if len(places) == len(window.points) else tuple(map(window.points.__getitem__, places.tolist()))
        return Band(finite(found.low), finite(found.high), finite(found.center), (*found.explanation, width), used)

    def _missing(self, window: Window) -> int:
        """How many points are missing before anything can be learned; series of several points a day need two days of them."""
        series, seen = window.series, len(window.points)
        missing = self._min_history - seen
        if missing > 0 or not series.is_finer or seen >= MOST_POINTS:
            return missing
        return min(MOST_POINTS - seen, math.ceil((_FIRST_DAYS_S - series.span_s) / series.cadence_s))

    def _found(self, window: Window, places: NDArray[intp], shifts: tuple[int, ...], closed: Closed) -> Forecast:
        series = window.series.only(places)
        p = probability(self._budget, series)
        if is_constant(series.values):
            # The points' own values: a series may hold what is too large to calculate with.
            return constant(window.points[places[0]].value, len(places), self._smallest_change)
        alerts = tuple(window.series.local[window.alerted].tolist())
        baseline = Baseline(series, shifts, p, window.series, alerts, self._seasonality)
        return total(baseline) if is_total(series.values) else with_closing(forecast(baseline), closed, baseline)
