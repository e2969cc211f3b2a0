"""Median and median absolute deviation of the same weekday, hour or day of the month."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from dqmon.core.history import Learning
from dqmon.detectors.base.clock import Seasonality, slots
from dqmon.detectors.base.constant import constant, is_constant
from dqmon.detectors.base.forecast import Forecast
from dqmon.detectors.base.series import DAY_S, WEEK_S, Series
from dqmon.detectors.base.simple import Simple, robust_band

if TYPE_CHECKING:
    from numpy import int64
    from numpy.typing import NDArray

_ENOUGH = 4
"""Points of the same slot that are needed: of three the median absolute deviation is one distance."""


class Seasonal(Simple):
    """As `mad`, of the earlier points in the same slot of the season alone.

    Options: seasonality says which slots: hour, day_of_week, month_day or none; auto (default) is the weekday of days, and of
    several points a day the hour, from four weeks on the hour of the week. sigmas and false_alerts_per_year as for `mad`. It is
    learning until there are 4 points of the slot. Seasonal medians: Cleveland and others, STL, Journal of Official Statistics 6
    (1990), whose cycle-subseries they are the middle of.
    """

    type: ClassVar[str] = "seasonal"
    takes: ClassVar[frozenset[str]] = frozenset({"false_alerts_per_year", "sigmas", "seasonality"})

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._seasonality = Seasonality(str(options.get("seasonality", "auto")))

    def band(self, series: Series) -> Forecast | Learning:
        """Median and MAD of the tested slot; of all points where there are no slots."""
        found = self._slots(series)
        if not found:
            return robust_band(series.values, series, self._sigmas, self._budget)
        name, slot = found[-1]
        values = series.values[slot[:-1] == slot[-1]]
        turn_s = {"hour": DAY_S, "day of the month": 30 * DAY_S}.get(name, WEEK_S)
        if (missing := _ENOUGH - len(values)) > 0:
            return Learning(max(1, round(missing * turn_s / series.cadence_s)))
        if is_constant(values):
            return constant(float(values[0]), len(values), self._smallest_change)
        band = robust_band(values, series, self._sigmas, self._budget)
        return Forecast(band.low, band.high, band.center, (f"only points of the same {name} count", *band.explanation))

    def _slots(self, series: Series) -> list[tuple[str, NDArray[int64]]]:
        """The seasons of `base.clock`, the last of which counts; auto leaves out edges of the month, and what cannot be learned yet."""
        found = slots(series, self._seasonality)
        if found and self._seasonality is Seasonality.AUTO and series.is_finer and series.span_s < _ENOUGH * WEEK_S:
            return slots(series, Seasonality.HOUR)
        return [(name, slot) for name, slot in found if name != "month edge"]
