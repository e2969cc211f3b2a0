"""A clock that is set by hand, and the daemon's own tick driven by it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.daemon.scheduler import Scheduler
from dqmon.daemon.work import T

if TYPE_CHECKING:
    from collections.abc import Callable


class VirtualClock:
    """Says the instant that it was set to last (aware UTC)."""

    def __init__(self, start: datetime) -> None:
        self.at = start

    def __call__(self) -> datetime:
        """The instant."""
        return self.at


def run_until(scheduler: Scheduler[T], clock: VirtualClock, until: datetime, ticked: Callable[[], None]) -> None:
    """Ticks at every instant at which something is due, up to `until`; `ticked` is called after each tick.

    The scheduler must run its work in the caller's thread (`Inline`), on this clock.
    """
    scheduler.tick(clock())
    while (due := scheduler.next_at()) is not None and due <= until:
        clock.at = max(clock.at, due)
        scheduler.tick(clock())
        ticked()
    clock.at = until
