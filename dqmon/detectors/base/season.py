"""Effects of weekdays and hours, believed as far as the data show them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dqmon.detectors.base.robust import medians, spread

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Season:
    """effects: what to take off each point, and off the tested one last. by_slot: the same for slots from 0 up. widening: what
    the band has to be multiplied by, because effects are learned from few points and fit these better than the next one.
    """

    effects: NDArray[float64]
    by_slot: NDArray[float64]
    widening: float


def season_of(values: NDArray[float64], slot: NDArray[int64], period: int) -> Season:
    """The effect of each point's slot: the median deviation from the level of its period, shrunk towards 0.

    values: oldest first. slot: one more than values, the tested point's last. period: points in one turn of the season; a shorter
    one would take the season for a level.
    A slot's median of n points has the variance (pi / 2) s² / n; what the medians vary beyond that is believed to be
    real, the share t² / (t² + variance) of each is kept (empirical Bayes: Efron & Morris, JASA 70, 1975). A slot that was
    never seen has no effect.
    """
    import numpy as np

    rest = values - _levels(values, period)
    past, size = slot[:-1], int(slot.max()) + 1
    seen = np.bincount(past, minlength=size)
    # By value, then by slot: the second sort keeps the order of the first, and counts 16-bit numbers in place of comparing.
    order = np.argsort(rest)
    ordered = rest[order[np.argsort(past[order].astype(np.int16), kind="stable")]]
    start = np.cumsum(seen) - seen
    upper = np.minimum(start + seen // 2, len(rest) - 1)
    lower = np.minimum(start + np.maximum(seen - 1, 0) // 2, len(rest) - 1)
    middle = np.where(seen > 0, (ordered[upper] + ordered[lower]) / 2, 0.0)
    noise = spread(rest - middle[past])
    known = seen > 0
    variance = math.pi / 2 * noise**2 / np.maximum(seen, 1)
    # In-slot residuals are smaller than the noise by the degrees of freedom that the medians took.
    variance = variance * len(rest) / max(1, len(rest) - int(known.sum()))
    real = max(0.0, float(middle[known].var() - variance[known].mean()))
    kept = np.where(known, real / (real + variance) if real > 0 else 0.0, 0.0)
    share, n = float(kept[slot[-1]]), max(2, int(seen[slot[-1]]))
    widening = math.sqrt((1 + share**2 / n) / (1 - share * (2 - share) / n))
    by_slot = kept * middle
    return Season(by_slot[slot], by_slot, widening)


def _levels(values: NDArray[float64], period: int) -> NDArray[float64]:
    """The median of each block of `period` points, counted from the newest; the oldest points take the first whole block's."""
    import numpy as np

    blocks = len(values) // period
    whole = values[len(values) - blocks * period :].reshape(blocks, period)
    levels = np.repeat(medians(whole), period)
    return np.concatenate([np.full(len(values) - len(levels), levels[0]), levels])
