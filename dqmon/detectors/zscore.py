"""The z-score: mean and standard deviation of the points before the tested one."""

from __future__ import annotations

import math
from typing import ClassVar

from dqmon.detectors.base.forecast import Forecast
from dqmon.detectors.base.series import Series
from dqmon.detectors.base.simple import Simple, multiple


class Zscore(Simple):
    """mean ± k · s of the earlier points, s with n − 1. It knows no seasons.

    Options: sigmas is k. Without it k follows from false_alerts_per_year: the t quantile with n − 1 degrees of freedom times
    √(1 + 1/n), the prediction interval of a normal sample (Hahn and Meeker, Statistical Intervals, Wiley 1991).

    The tested point is left out: within its own n points no value is further than (n − 1) / √n deviations from their mean
    (Shiffler, The American Statistician 42, 1988), 3.47 for two weeks of days.
    """

    type: ClassVar[str] = "zscore"
    takes: ClassVar[frozenset[str]] = frozenset({"false_alerts_per_year", "sigmas"})

    def band(self, series: Series) -> Forecast:
        """Mean and standard deviation."""
        values, n = series.values, len(series.values)
        center, deviation = float(values.mean()), float(values.std(ddof=1))
        k, why = multiple(self._sigmas, self._budget, series, n - 1)
        room = k * deviation * (1.0 if self._sigmas is not None else math.sqrt(1 + 1 / n))
        return Forecast(
            center - room, center + room, center, (f"the mean of {n} points is {center:,.4g}, their deviation {deviation:,.4g}", why)
        )
