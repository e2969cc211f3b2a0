"""How many rows a table had before: what its log, its engine's history or its loads say of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter


@dataclass(frozen=True, slots=True)
class PastRows:
    """totals: since when (aware UTC) a table had how many rows, oldest first, each until the next one; empty where nobody knows.

    because: who says it; without totals, why nobody does. is_exact: False where changes may be missing, or be counted twice.
    """

    totals: tuple[tuple[datetime, int], ...]
    because: str
    is_exact: bool = True

    def at(self, when: datetime) -> int | None:
        """The rows at that time; None before the first total."""
        place = bisect_right(self.totals, when, key=itemgetter(0))
        return self.totals[place - 1][1] if place else None


def counted_back(newest_first: Iterable[tuple[datetime, int]], because: str, *, is_exact: bool = True) -> PastRows:
    """Totals in the order of their changes, the newest first; where clocks of writers differ, none begins after the one that follows."""
    totals: list[tuple[datetime, int]] = []
    for at, rows in newest_first:
        totals.append((min(at, totals[-1][0]) if totals else at, rows))
    return PastRows(tuple(reversed(totals)), because, is_exact)
