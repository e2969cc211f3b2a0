"""Edges of the month that were alerted once: the next one may be alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.detectors.base.clock import month_edge
from dqmon.detectors.base.robust import running_median
from dqmon.detectors.base.series import Series

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

_AROUND = 15
"""Days whose median a day is compared with: one week on either side."""

_MONTH_DAYS, _TWO_MONTHS_DAYS = 28, 62
"""An edge comes again after a February at the earliest; two long months have 62 days."""


def edge_of(scaled: NDArray[float64], series: Series, alerts: tuple[float, ...]) -> float | None:
    """How far off its neighbours the newest alerted day was that had the tested day's place at an edge of the month, one or two
    months ago; None without one.

    scaled: one value a point of the daily series, without weekdays. alerts: when points were alerted, on the series' clock. One
    alert is little to learn an effect from, but an invoice run that comes again should not be told of again.
    """
    import numpy as np

    days = series.days
    edge = month_edge(days)
    if not edge[-1]:
        return None
    ago = days[-1] - days[:-1]
    is_same = (edge[:-1] == edge[-1]) & (ago >= _MONTH_DAYS) & (ago <= _TWO_MONTHS_DAYS) & np.isin(series.local, alerts)
    places = np.flatnonzero(is_same)
    if not len(places):
        return None
    return float((scaled - running_median(scaled, _AROUND))[places[-1]])
