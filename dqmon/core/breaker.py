"""Whether a warehouse may be tried: no more after failures in a row, then again, ever more rarely. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

OPEN_AFTER = 3
"""Failures in a row after which a warehouse counts as unreachable."""
FIRST_WAIT = timedelta(seconds=15)
LAST_WAIT = timedelta(minutes=2)
"""Between two tries while it is: doubled from the first to the last."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """How many tries to connect have failed in a row, since when, what the last one said, and when the next one may be."""

    failures: int = 0
    since: datetime | None = None
    reason: str = ""
    next_try_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """True while the warehouse counts as unreachable."""
        return self.failures >= OPEN_AFTER


def may_try(circuit: Circuit, now: datetime) -> bool:
    """True unless the circuit is open and its time has not come; a time beyond any wait is one of a clock that was set back."""
    if not circuit.is_open or circuit.next_try_at is None:
        return True
    return not now < circuit.next_try_at <= now + LAST_WAIT


def failed(circuit: Circuit, now: datetime, reason: str) -> Circuit:
    """The circuit after a try that did not connect. One that began before the circuit opened does not make the wait longer."""
    if not may_try(circuit, now):
        return circuit
    failures = circuit.failures + 1
    wait = min(FIRST_WAIT * 2 ** min(max(0, failures - OPEN_AFTER), 10), LAST_WAIT)
    return Circuit(failures, circuit.since or now, reason, now + wait)
