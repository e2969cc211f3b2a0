"""The scale on which the noise of a series is alike at every level."""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING

from dqmon.detectors.base.series import Series

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

_LARGEST_EXPONENT = 700.0
"""exp(700) is the largest round power that is a float."""

_SURE = 1e-4
"""The logit of 0 and of 1 is taken as that of 0.01 % away: ratios of 10,000 rows tell no smaller share."""

_SMALLEST = 1e-300
"""The logarithm of 0 is taken as that of the smallest round number with all digits."""

_TYPICAL = 0.95
"""The share of seasonal differences that scales are compared on; the largest ones are incidents, on any scale."""


class Scale(Enum):
    """A transformation of values.

    COUNT: log(1 + x), for noise that is a share of the level. ROOT: 2 sqrt(x + 3/8), on which a Poisson count has the
    variance 1 (Anscombe, Biometrika 35, 1948). LOGIT: for ratios, whose noise shrinks towards 0 and 1.
    """

    LINEAR = "linear"
    COUNT = "count"
    ROOT = "root"
    LOG = "log"
    LOGIT = "logit"

    def of(self, values: NDArray[float64]) -> NDArray[float64]:
        """The values on this scale; those beyond its range, as alerted ones may be, at its end."""
        import numpy as np

        match self:
            case Scale.LINEAR:
                return values
            case Scale.COUNT:
                return np.log1p(np.maximum(values, 0.0))
            case Scale.ROOT:
                return 2 * np.sqrt(np.maximum(values, 0.0) + 0.375)
            case Scale.LOG:
                return np.log(np.maximum(values, _SMALLEST))
            case Scale.LOGIT:
                ratios = np.clip(values, 0.0, 1.0)
                return np.log((ratios + _SURE) / (1 - ratios + _SURE))

    def back(self, scaled: float) -> float:
        """The value that has this place on the scale."""
        exponent = max(-_LARGEST_EXPONENT, min(scaled, _LARGEST_EXPONENT))
        match self:
            case Scale.LINEAR:
                return scaled
            case Scale.COUNT:
                return math.expm1(exponent)
            case Scale.ROOT:
                return (max(scaled, 0.0) / 2) ** 2 - 0.375
            case Scale.LOG:
                return math.exp(exponent)
            case Scale.LOGIT:
                return (1 + 2 * _SURE) / (1 + math.exp(-exponent)) - _SURE

    def effect(self, difference: float) -> str:
        """A difference on this scale in words: `+12%` where it is a share of the value."""
        if self in {Scale.COUNT, Scale.LOG}:
            return f"{math.expm1(min(difference, _LARGEST_EXPONENT)):+.0%}"
        return f"{difference:+.4g}" + {Scale.LOGIT: " log-odds", Scale.ROOT: " roots"}.get(self, "")


def is_count(values: NDArray[float64]) -> bool:
    """True for whole numbers from 0 up."""
    return bool((values >= 0).all() and (values == values.round()).all())


def scale_of(series: Series) -> Scale:
    """The scale on which the series is the likelier one.

    Counts are on COUNT. Ratios are on LINEAR or LOGIT, other positive values on LINEAR or LOG, whichever gives the differences
    to the same slot one turn before the higher likelihood: that of their mean size on the scale, times the scale's slope at
    the value (the Jacobian; Box & Cox, Journal of the Royal Statistical Society B 26, 1964).
    """
    values = series.values
    if is_count(values):
        return Scale.COUNT
    if values.min() <= 0 and (values.min() < 0 or values.max() > 1):
        return Scale.LINEAR
    other = Scale.LOGIT if values.max() <= 1 else Scale.LOG
    lag = series.period if len(values) >= 3 * series.period else 1
    return max((Scale.LINEAR, other), key=lambda scale: _likelihood(scale, values, lag))


def second_scale_of(series: Series) -> Scale | None:
    """The scale whose upper bound counts, too, when it is the tighter one; None where there is none.

    A day's load swings between nearly nothing and a lot. What is noise at night is then as large a share on the first scale as a
    burst at noon, which lies far out on a scale between the linear and the logarithmic one.
    """
    if not series.is_finer or series.values.min() < 0:
        return None
    return Scale.ROOT if is_count(series.values) else Scale.LINEAR


def _likelihood(scale: Scale, values: NDArray[float64], lag: int) -> float:
    """The log-likelihood of a value, of differences with a two-sided exponential distribution; -inf when all are alike."""
    import numpy as np

    scaled = scale.of(values)
    difference = np.abs(scaled[lag:] - scaled[:-lag])
    typical = difference <= np.quantile(difference, _TYPICAL)
    size, at = float(difference[typical].mean()), values[lag:][typical]
    if size <= 0:
        return -math.inf
    if scale is Scale.LOG:
        slope = -np.log(at)
    elif scale is Scale.LOGIT:
        slope = np.log(1 / (at + _SURE) + 1 / (1 - at + _SURE))
    else:
        slope = np.zeros(1)
    return float(slope.mean()) - math.log(size)
