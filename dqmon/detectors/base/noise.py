"""The noise of counts: small ones vary by chance, large ones by a share of their level."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

_SHARES = (1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
"""Variances tried, as a share of the square of the level: from a thousandth to all of it."""

_FREEDOM = 5.0
"""Degrees of freedom of the t likelihood, so that outliers hardly move the share (Lange, Little & Taylor, JASA 84, 1989)."""


def overdispersion(errors: NDArray[float64], means: NDArray[float64]) -> float:
    """The share of the squared level that is noise beyond chance, the likeliest of a grid.

    errors: of forecasts on the scale log(1 + x). means: the counts that were forecast. A count of mean m with the variance
    m + phi m² has about the variance phi + 1 / m on that scale (negative binomial; delta method).
    """
    import numpy as np

    variance = np.array(_SHARES)[:, None] + 1 / (means + 1)
    fit = -0.5 * np.log(variance).sum(axis=1) - (_FREEDOM + 1) / 2 * np.log1p(errors**2 / (_FREEDOM * variance)).sum(axis=1)
    return _SHARES[int(fit.argmax())]


def deviation(share: float, mean: float) -> float:
    """The standard deviation of log(1 + x) of a count with that mean and that `overdispersion`."""
    return math.sqrt(share + 1 / (mean + 1))
