"""Effects of weekdays and hours, believed as far as the data show them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dqmon.detectors.base.robust import medians, spread

if TYPE_CHECKING:
    from numpy import float64, int16, int64, intp
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Season:
    """effects: what to take off each point, and off the tested one last. by_slot: the same for slots from 0 up. held_out: what to
    take off each point by the others of its slot alone: a median of few points fits these better than the next one. widening: how
    much less is known of the tested slot than of the others.
    """

    effects: NDArray[float64]
    by_slot: NDArray[float64]
    held_out: NDArray[float64]
    widening: float


@dataclass(frozen=True, slots=True)
class Turns:
    """The slot of each point, that of the tested one last, and what follows from the slots alone.

    seen: how many points each has. order: the points' slots, to sort by. lower, upper: where the middle of each slot's values is,
    once all are sorted by slot and by value. others_lower, others_upper: where it would be for each value, sorted so, without it.
    """

    slot: NDArray[int64]
    seen: NDArray[intp]
    order: NDArray[int16]
    lower: NDArray[intp]
    upper: NDArray[intp]
    others_lower: NDArray[intp]
    others_upper: NDArray[intp]

    @classmethod
    def of(cls, slot: NDArray[int64]) -> Turns:
        """Of slots from 0 up."""
        import numpy as np

        past = slot[:-1]
        seen = np.bincount(past, minlength=int(slot.max()) + 1)
        start, last = np.cumsum(seen) - seen, len(past) - 1
        lower = np.minimum(start + np.maximum(seen - 1, 0) // 2, last)
        upper = np.minimum(start + seen // 2, last)
        # Of the others of a slot, those from the value that is left out on are one place further; a value alone has any place.
        each = np.arange(len(past))
        below, above = (np.repeat(start + (seen - less) // 2, seen) for less in (2, 1))
        others_lower, others_upper = below + (below >= each), np.minimum(above + (above >= each), last)
        return cls(slot, seen, past.astype(np.int16), lower, upper, others_lower, others_upper)


def season_of(values: NDArray[float64], turns: Turns, period: int) -> Season:
    """The effect of each point's slot: the median deviation from the level of its period, shrunk towards 0.

    values: oldest first. period: points in one turn of the season; a shorter one would take the season for a level.
    A slot's median of n points has the variance (pi / 2) s² / n; what the medians vary beyond that is believed to be
    real, the share t² / (t² + variance) of each is kept (empirical Bayes: Efron & Morris, JASA 70, 1975). A slot that was
    never seen has no effect.
    """
    import numpy as np

    rest, slot, seen = values - _levels(values, period), turns.slot, turns.seen
    # By value, then by slot: the second sort keeps the order of the first, and counts 16-bit numbers in place of comparing.
    order = np.argsort(rest)
    order = order[np.argsort(turns.order[order], kind="stable")]
    ordered = rest[order]
    known = seen > 0
    middle = np.where(known, (ordered[turns.upper] + ordered[turns.lower]) / 2, 0.0)
    noise = spread(rest - middle[slot[:-1]])
    # In-slot residuals are smaller than the noise by the degrees of freedom that the medians took.
    slots = int(known.sum())
    variance = math.pi / 2 * noise**2 * len(rest) / max(1, len(rest) - slots) / np.maximum(seen, 1)
    off = middle[known] - float(middle.sum()) / slots
    real = max(0.0, float(off @ off - variance[known].sum()) / slots)
    kept = np.where(known, real / (real + variance) if real > 0 else 0.0, 0.0)
    held_out = np.empty(len(rest))
    others = (ordered[turns.others_lower] + ordered[turns.others_upper]) / 2
    held_out[order] = others * np.repeat(np.where(seen > 1, kept, 0.0), seen)
    # An effect of n points has about 1 / n of their variance, and one of the others of a slot that of one point less.
    share, usual = float(kept[slot[-1]]), float((seen * kept**2 / np.maximum(seen - 1, 1)).sum()) / len(rest)
    widening = math.sqrt((1 + share**2 / max(1, int(seen[slot[-1]]))) / (1 + usual))
    by_slot = kept * middle
    return Season(by_slot[slot], by_slot, held_out, widening)


def _levels(values: NDArray[float64], period: int) -> NDArray[float64]:
    """The median of each block of `period` points, counted from the newest; the oldest points take the first whole block's."""
    import numpy as np

    blocks = len(values) // period
    whole = values[len(values) - blocks * period :].reshape(blocks, period)
    levels = np.repeat(medians(whole), period)
    return np.concatenate([np.full(len(values) - len(levels), levels[0]), levels])
