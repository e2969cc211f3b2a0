"""Which groups of rows account for a change of their number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dqmon.checks.base.words import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dqmon.checks.base.bins import Bin


@dataclass(frozen=True, slots=True)
class Contribution:
    """A group's rows before and now, and its share of the whole change: below 0 where it changed the other way."""

    label: str
    before: int
    now: int
    share: float
    is_value: bool = False

    def __str__(self) -> str:
        word = ""
        if self.is_value and not (self.before and self.now):
            word = "new, " if self.now else "gone, "
        return f"{self.label} {100 * self.share:.0f} % ({word}{number(self.before)} → {number(self.now)})"


def contributions(bins: Sequence[Bin], listed: int) -> tuple[Contribution, ...]:
    """The `listed` groups that changed most, the largest first, and all others together, where that changed; the shares add up to 1.

    Empty when the number of rows is the same on both sides: there is no change to account for.
    """
    change = sum(one.now - one.before for one in bins)
    if not change:
        return ()
    ranked = sorted(bins, key=lambda one: (-abs(one.now - one.before), one.label))
    top, rest = ranked[:listed], ranked[listed:]
    found = [Contribution(one.label, one.before, one.now, (one.now - one.before) / change, one.is_value) for one in top]
    before, now = sum(one.before for one in rest), sum(one.now for one in rest)
    if before != now:
        found.append(Contribution("the rest", before, now, (now - before) / change))
    return tuple(found)


def concentration(found: Sequence[Contribution]) -> float:
    """How well a few groups account for the change: the largest share, 0 without a change."""
    return max((one.share for one in found), default=0.0)
