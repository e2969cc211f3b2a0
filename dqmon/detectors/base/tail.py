"""How far a forecast may be off: widths from the errors that it made, by Student's t instead of a normal table."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

from dqmon.detectors.base.series import Series

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

_FREEDOMS = (4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""Degrees of freedom tried: 4 is the heaviest tail with a stable variance, 30 is nearly normal."""

NEWEST = 336
"""Errors that the width rests on: two weeks of hours. More would cost time, and tell of another time."""

_LIKELIEST, _RAREST = 0.2, 1e-12
"""Bounds of the probability of a false alert: a band that every fifth value leaves is none; no tail is known beyond the other."""

_ROUNDS = 3
"""EM rounds (Lange, Little & Taylor 1989, section 4), from the scale at which the median is that of the errors: it is within a percent."""


def probability(per_year: float, series: Series) -> float:
    """The probability of a false alert a point that makes `per_year` of them a year, at the cadence of the series."""
    return max(_RAREST, min(per_year / series.per_year, _LIKELIEST))


def half_width(errors: NDArray[float64], p: float) -> float:
    """The distance that a next error exceeds with probability `p`, on either side together; 0 when all errors are 0.

    errors: one-step forecast errors around 0, oldest first, at least 1; the newest 336 count. Each t of `_FREEDOMS` is fitted
    by maximum likelihood, which outliers hardly move (Lange, Little & Taylor, JASA 84, 1989), and the quantiles are averaged
    by likelihood, so that short histories, which cannot exclude heavy tails, get wider bands. Few errors also cost degrees of
    freedom, as in the prediction interval of a normal sample. Never less than the errors show: a band that its own baseline
    left clearly more often than `p` allows is widened to the empirical quantile.
    """
    import numpy as np

    errors = errors[-NEWEST:]
    n = len(errors)
    size = np.sort(np.abs(errors))
    empirical = float(size[max(0, n - math.ceil(n * p) - 2)])
    # Errors that are mostly 0 have no median worth the name; a thousandth of the mean keeps their squares in range.
    middle = max(float(size[(n - 1) // 2] + size[n // 2]) / 2, float(size.mean()) / 1000)
    if middle == 0.0:
        return 0.0
    freedom = np.array(_FREEDOMS)[:, None]
    square = (errors / middle)[None, :] ** 2
    scale = np.array(_STARTS)[:, None]
    for _ in range(_ROUNDS):
        weighted = square / (freedom + square / scale)
        scale = np.maximum((freedom + 1) / n * weighted.sum(axis=1, keepdims=True), 1e-12)
    fit = -0.5 * ((freedom + 1) * np.log1p(square / (freedom * scale)) + np.log(scale)).sum(axis=1) + n * np.array(_CONSTANTS)
    share = np.exp(fit - fit.max())
    reach = np.array([t_quantile(1 - p / 2, 1 / (1 / nu + 1 / max(1, n - 1))) for nu in _FREEDOMS])
    width = float((share * np.sqrt(scale[:, 0]) * reach).sum() / share.sum()) * middle
    return max(width * math.sqrt(1 + 1 / n), empirical)


@lru_cache(1024)  # of long histories the arguments are the same at every point
def t_quantile(probability: float, freedom: float) -> float:
    """The quantile (probability >= 0.5) of Student's t; within 1 % for freedom >= 2 and tails down to 1e-6.

    G. W. Hill, Algorithm 396: Student's t-quantiles, Communications of the ACM 13 (1970).
    """
    p = 2 * (1 - probability)
    a = 1 / (freedom - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * freedom
    y = (d * p) ** (2 / freedom)
    if y > 0.05 + a:
        x = NormalDist().inv_cdf(p / 2)
        y = x**2
        if freedom < 5:  # noqa: PLR2004 - the algorithm's own bound
            c += 0.3 * (freedom - 4.5) * (x + 0.6)
        c += (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b
        y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
        y = math.expm1(a * y**2)
    else:
        y = ((1 / (((freedom + 6) / (freedom * y) - 0.089 * d - 0.822) * (freedom + 2) * 3) + 0.5 / (freedom + 4)) * y - 1) * (
            freedom + 1
        ) / (freedom + 2) + 1 / y
    return math.sqrt(freedom * y)


def _log_constant(freedom: float) -> float:
    """The logarithm of the t density at 0."""
    return math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)


_STARTS = tuple(t_quantile(0.75, freedom) ** -2 for freedom in _FREEDOMS)
_CONSTANTS = tuple(_log_constant(freedom) for freedom in _FREEDOMS)


def poisson_range(mean: float, p: float) -> tuple[float, float]:
    """The counts that a Poisson variable of that mean leaves with probability of about `p`, on either side together.

    By the square root that makes its variance 1: F. J. Anscombe, Biometrika 35 (1948).
    """
    reach = NormalDist().inv_cdf(1 - p / 2) / 2
    root = math.sqrt(mean + 0.375)
    return max(0.0, max(0.0, root - reach) ** 2 - 0.375), (root + reach) ** 2 - 0.375
