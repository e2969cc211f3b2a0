"""Slow drift: a leak of less than the daily noise, seen in the mean of a week."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dqmon.detectors.base.incidents import RELEARN
from dqmon.detectors.base.robust import AS_DEVIATION, median
from dqmon.detectors.base.series import DAY_S, Series
from dqmon.detectors.base.tail import t_quantile

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray


_SHARE = 0.5
"""The part of the probability of a false alert that is spent here: days that share six of seven values are alerted in pairs."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What the tested value may be, so that the mean of the last `recent` values stays as near to the `before` ones ahead of
    them, or to as many ahead of those, as such means have always been.
    """

    low: float
    high: float
    recent: int
    before: int


def recent_of(series: Series) -> int:
    """Points whose mean is tested: 7, or a day of several points a day."""
    return max(3, round(DAY_S / series.cadence_s)) if series.is_finer else RELEARN


def drift_of(values: NDArray[float64], series: Series, p: float) -> Drift | None:
    """Bounds for the next value, from what moving means did; None below seven whole windows of history.

    values: without season, on one level, outliers drawn in. The last 7 values (a day, for several points a day) are compared
    with four (seven) times as many before them, the tested one included: its own past differences set the width, by a t
    distribution with one degree of freedom less than there were whole windows, for windows that overlap tell little new. Never
    less than the differences were, but for those of one window. A mean as far back as the one before is usual, too: it is the
    end of a drift. `p`: the probability that a usual value is outside of the whole band.
    """
    import numpy as np

    recent = recent_of(series)
    before = recent * (7 if series.is_finer else 4)
    n = len(values)
    if n < before + 3 * recent:
        return None
    total = np.concatenate([[0.0], np.cumsum(values)])
    short = (total[recent:] - total[:-recent]) / recent
    long = (total[before:] - total[:-before]) / before
    difference = short[before:] - long[: len(short) - before]
    usual = median(difference)
    off = np.sort(np.abs(difference - usual))
    windows = len(difference) / recent
    reach = t_quantile(1 - _SHARE * p / 2, max(2.0, windows - 1)) * math.sqrt(1 + 1 / windows)
    room = max(reach * AS_DEVIATION * median(off), float(off[max(0, len(off) - 1 - recent)]))
    if room == 0:
        return None
    start = n - (recent - 1)
    base = float(total[start] - total[start - before]) / before + usual
    older = usual + float(total[start - before] - total[start - 2 * before]) / before if start >= 2 * before else base
    so_far = float(total[n] - total[start])
    return Drift(recent * (min(base, older) - room) - so_far, recent * (max(base, older) + room) - so_far, recent, before)
