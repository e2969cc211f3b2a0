"""The level of a series without its seasons, and how well it forecast."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from dqmon.detectors.base.incidents import RELEARN
from dqmon.detectors.base.robust import median, running_median, spread

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

_MEMORIES = (1.0, 0.4, 0.15, 0.05)
"""Weights of the newest point in the level: a random walk, a few points, about two weeks. The one that forecast best is used."""

_REACH = 40
"""Points that a level looks back; with the slowest memory the rest would weigh 0.2 %."""


@dataclass(frozen=True, slots=True)
class Level:
    """value: the forecast of the next value. errors: those of the one-step forecasts made so far, of the newest values.
    memory: the weight of the newest value. clean: the values with outliers drawn in.
    """

    value: float
    errors: NDArray[float64]
    memory: float
    clean: NDArray[float64]


def level_of(values: NDArray[float64]) -> Level:
    """Exponential smoothing of the cleaned values, with the memory that forecast them best; at least 2 of them."""
    import numpy as np

    clean = cleaned(values)
    first = max(1, min(RELEARN, len(values) // 3))
    best: tuple[float, NDArray[float64], float] | None = None
    for memory in _MEMORIES:
        levels = _smoothed(clean, memory)
        miss = float(np.abs(clean[first:] - levels[first - 1 : -1]).sum())
        if best is None or miss < best[0]:
            best = (miss, levels, memory)
    assert best is not None  # noqa: S101 - for the type checker
    _, levels, memory = best
    return Level(float(levels[-1]), values[first:] - levels[first - 1 : -1], memory, clean)


def _smoothed(values: NDArray[float64], memory: float) -> NDArray[float64]:
    """The level at each value, itself included: the mean of it and the ones before, of weights that sum up to 1 from the first on."""
    import numpy as np

    if memory == 1:
        return values
    kernel, weights = _weights(memory)
    reach = min(_REACH, len(values))
    levels = np.convolve(values, kernel[:reach])[: len(values)]
    levels[:reach] /= weights[:reach]
    levels[reach:] /= weights[reach - 1]
    return levels


@cache
def _weights(memory: float) -> tuple[NDArray[float64], NDArray[float64]]:
    """The weight of the newest value, of the one before, and so on; and their sums."""
    import numpy as np

    kernel = memory * np.power(1 - memory, np.arange(_REACH), dtype=np.float64)
    return kernel, np.cumsum(kernel)


def cleaned(values: NDArray[float64]) -> NDArray[float64]:
    """Values drawn in to three robust standard deviations around a running median of 7 (Hampel's filter, JASA 69, 1974).

    The deviation is not taken below that of the steps, for a steady slope has none in the middle but some at its ends.
    """
    import numpy as np

    if len(values) < RELEARN:
        return values
    around = running_median(values, RELEARN)
    room = 3 * max(spread(values - around), spread(np.diff(values)) / math.sqrt(2))
    return np.clip(values, around - room, around + room)


def on_one_level(values: NDArray[float64], shifts: tuple[int, ...]) -> NDArray[float64]:
    """Values with everything before a shift moved to the level after it."""
    moved = values.copy()
    for shift in shifts:
        moved[:shift] += median(moved[shift : shift + RELEARN]) - median(moved[shift - RELEARN : shift])
    return moved
