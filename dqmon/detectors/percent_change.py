"""The change from the point before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from dqmon.detectors.base.forecast import Forecast
from dqmon.detectors.base.series import Series
from dqmon.detectors.base.simple import Simple


class PercentChange(Simple):
    """The last earlier point ± a percentage of it; a last point of 0 allows nothing else. It knows no seasons.

    Options: percent, default 50. No number of false alerts follows from it: weekends alone change many series by more. The
    last point is the last one that is no incident. Deequ has the same as RelativeRateOfChangeStrategy
    (https://github.com/awslabs/deequ).
    """

    type: ClassVar[str] = "percent_change"
    takes: ClassVar[frozenset[str]] = frozenset({"percent"})
    needs_spread: ClassVar[bool] = False

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._percent = float(str(options.get("percent", 50)))

    def band(self, series: Series) -> Forecast:
        """Around the last value."""
        last = float(series.values[-1])
        room = abs(last) * self._percent / 100
        return Forecast(last - room, last + room, last, (f"{self._percent:g} % around the last point, {last:,.4g}",))
