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
    half = width // 2
    if width == _NETWORK_WIDTH:
        middle = _medians_of_seven(values)
    else:
        middle = np.partition(np.lib.stride_tricks.sliding_window_view(values, width), half, axis=1)[:, half]
    around = np.empty(len(values))
    around[:half], around[half : len(values) - half], around[len(values) - half :] = middle[0], middle, middle[-1]
    return around


_NETWORK_WIDTH = 7
_NETWORK = ((0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6), (2, 3), (3, 6), (4, 5), (1, 4), (1, 3), (3, 4))
"""Pairs to put in order, after which the fourth of seven is their median: N. Devillard, Fast median search (1998)."""


def _medians_of_seven(values: NDArray[float64]) -> NDArray[float64]:
    """The median of each seven neighbours."""
    import numpy as np

    nth = [values[start : len(values) - _NETWORK_WIDTH + 1 + start] for start in range(_NETWORK_WIDTH)]
    for low, high in _NETWORK:
        nth[low], nth[high] = np.minimum(nth[low], nth[high]), np.maximum(nth[low], nth[high])
    return nth[_NETWORK_WIDTH // 2]
