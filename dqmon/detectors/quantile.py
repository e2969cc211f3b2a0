"""Quantiles of the points before the tested one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import ClassVar

from dqmon.detectors.base.forecast import Forecast
from dqmon.detectors.base.series import Series
from dqmon.detectors.base.simple import Simple, multiple

_QUARTILE = NormalDist().inv_cdf(0.75)
"""A quartile of normal values lies so many standard deviations from their median."""

_EFFICIENCY = 0.16
"""Of n normal values a quartile's distance from the median tells as much of their deviation as 16 % of them do otherwise: its
relative variance is 3.2 / n, by the asymptotic ones of order statistics (Mosteller, Annals of Mathematical Statistics 17, 1946),
in place of 1 / 2n."""


class Quantile(Simple):
    """Quantiles of the earlier points; it knows no seasons, and each side has a width of its own.

    Options: tail_percent: of the earlier points so many percent lie below the band, and as many above (interpolated: Hyndman and
    Fan, Sample Quantiles in Statistical Packages, The American Statistician 50, 1996, type 7). That share of usual values alerts
    for ever. Without it the width follows from false_alerts_per_year: few points have no such quantile, so the quartiles are
    extended, as fences (Tukey, Exploratory Data Analysis, 1977), each side by its own distance from the median.
    """

    type: ClassVar[str] = "quantile"
    takes: ClassVar[frozenset[str]] = frozenset({"false_alerts_per_year", "tail_percent"})

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        given = options.get("tail_percent")
        self._tail = None if given is None else float(str(given)) / 100

    def band(self, series: Series) -> Forecast:
        """Quantiles, or fences around the quartiles."""
        import numpy as np

        values, n = series.values, len(series.values)
        if self._tail is not None:
            low, center, high = np.quantile(values, [self._tail, 0.5, 1 - self._tail]).tolist()
            why = f"{100 * self._tail:g} % of {n} points lie below the band and as many above, as `tail_percent` says"
            return Forecast(low, high, center, (why,))
        lower, center, upper = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
        k, why = multiple(None, self._budget, series, _EFFICIENCY * (n - 1))
        # Where a quarter of the values is the median, the other side speaks for both; where a half is, their mean distance does.
        other = max(center - lower, upper - center) or _QUARTILE * float(np.abs(values - center).mean())
        k *= math.sqrt(1 + math.pi / 2 / n)
        below, above = ((side or other) * k / _QUARTILE for side in (center - lower, upper - center))
        quartiles = f"the quartiles of {n} points are {lower:,.4g}, {center:,.4g} and {upper:,.4g}"
        return Forecast(center - below, center + above, center, (quartiles, why))
