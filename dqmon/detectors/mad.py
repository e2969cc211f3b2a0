"""Median and median absolute deviation of the points before the tested one."""

from __future__ import annotations

from typing import ClassVar

from dqmon.detectors.base.forecast import Forecast
from dqmon.detectors.base.series import Series
from dqmon.detectors.base.simple import Simple, robust_band


class Mad(Simple):
    """median ± k · 1.4826 · median |x − median| of the earlier points: half of them may be outliers. It knows no seasons.

    Options: sigmas is k. Without it k follows from false_alerts_per_year: the t quantile for what a deviation of so little
    efficiency tells (37 %). Hampel, The Influence Curve and its Role in Robust Estimation, JASA 69 (1974).
    """

    type: ClassVar[str] = "mad"
    takes: ClassVar[frozenset[str]] = frozenset({"false_alerts_per_year", "sigmas"})

    def band(self, series: Series) -> Forecast:
        """Median and MAD."""
        return robust_band(series.values, series, self._sigmas, self._budget)
