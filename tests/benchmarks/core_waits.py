"""How long a process waited for a core, at any moment, so that a benchmark can leave it out."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Waits:
    """How long a daemon had no core, by the moment: of its threads the one that waited longest between two looks.

    One runs at a time, so that their waits follow each other; together they are counted for less than they may have been.
    """

    def __init__(self, waits_s: Callable[[], dict[str, float]]) -> None:
        self._waits_s = waits_s
        self._before = waits_s()
        self._at = [datetime.now(UTC)]
        self._total_s = [0.0]

    def look(self) -> None:
        """Adds what was waited since the last look."""
        waits = self._waits_s()
        longest_s = max((wait - self._before.get(thread, 0.0) for thread, wait in waits.items()), default=0.0)
        now = datetime.now(UTC)
        self._before = waits
        self._total_s.append(self._total_s[-1] + min(longest_s, (now - self._at[-1]).total_seconds()))
        self._at.append(now)

    @property
    def total_s(self) -> float:
        """All that was waited."""
        return self._total_s[-1]

    def own(self, slot_at: datetime, late_s: float) -> float:
        """The part of a lateness in which the daemon had a core, or needed none."""
        return max(0.0, late_s - (self._until(slot_at + timedelta(seconds=late_s)) - self._until(slot_at)))

    def _until(self, moment: datetime) -> float:
        after = bisect.bisect(self._at, moment)
        if after in (0, len(self._at)):
            return self._total_s[min(after, len(self._at) - 1)]
        share = (moment - self._at[after - 1]) / (self._at[after] - self._at[after - 1])
        return self._total_s[after - 1] + share * (self._total_s[after] - self._total_s[after - 1])
