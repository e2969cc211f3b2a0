"""Medians: what half of the values cannot move. By sorting, which for a few hundred values is the fastest way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

AS_DEVIATION = 1.4826
"""The median distance from the middle times this is the standard deviation, for normal values (Hampel, JASA 69, 1974)."""


def median(values: NDArray[float64]) -> float:
    """The median of at least one value."""
    return float(medians(values[None, :])[0])


def medians(rows: NDArray[float64]) -> NDArray[float64]:
    """The median of each row."""
    import numpy as np

    ordered = np.sort(rows, axis=1)
    size = rows.shape[1]
    middle: NDArray[float64] = (ordered[:, (size - 1) // 2] + ordered[:, size // 2]) / 2
    return middle


def spread(distances: NDArray[float64]) -> float:
    """The standard deviation that distances from the middle speak of, outliers left aside."""
    import numpy as np

    return AS_DEVIATION * median(np.abs(distances))


def running_median(values: NDArray[float64], width: int) -> NDArray[float64]:
    """The median of the `width` (odd) values around each; the first and last ones take that of the nearest whole window."""
    import numpy as np

    width = min(width, len(values) - 1 + len(values) % 2)
    windows = np.lib.stride_tricks.sliding_window_view(values, width)
    middle = np.partition(windows, width // 2, axis=1)[:, width // 2]
    around: NDArray[float64] = middle[np.clip(np.arange(len(values)) - width // 2, 0, len(middle) - 1)]
    return around
