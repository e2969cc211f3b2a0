"""The way to every warehouse: one that does not answer is tried less and less, whatever asks for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon import errors
from dqmon.core.breaker import Circuit, failed, may_try
from dqmon.engine.measuring.held import session_of

if TYPE_CHECKING:
    from dqmon.core.protocols import Session, Warehouse


@dataclass(frozen=True, slots=True)
class Contact:
    """A try to reach a warehouse; `failure` says why it did not answer, None when it did."""

    warehouse: str
    at: datetime
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Try:
    """One that has begun: how often the warehouse had answered before, and whether its circuit was open."""

    warehouse: str
    answers: int
    is_probe: bool


class Breakers:
    """The circuits of all warehouses, shared by all threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._circuits: dict[str, Circuit] = {}
        self._answers: dict[str, int] = {}
        self._probed: set[str] = set()

    def begin(self, name: str, now: datetime) -> Try:
        """Leave to try. Raises Unreachable, then nothing was tried: while the circuit is open there is one try at a time."""
        with self._lock:
            circuit = self._circuits.get(name, Circuit())
            if (circuit.is_open and name in self._probed) or not may_try(circuit, now):
                raise errors.Unreachable(_words(name, circuit, now))
            if circuit.is_open:
                self._probed.add(name)
            return Try(name, self._answers.get(name, 0), circuit.is_open)

    def answered(self, name: str) -> bool:
        """The warehouse was reached; True when that is news: the first time, and after a failure."""
        with self._lock:
            is_news = name not in self._circuits or self._circuits[name].failures > 0
            self._circuits[name] = Circuit()
            self._answers[name] = self._answers.get(name, 0) + 1
            return is_news

    def failed(self, begun: Try, now: datetime, reason: str) -> bool:
        """Counts a failure; False when the warehouse has answered since the try began: then one connection broke, no more."""
        with self._lock:
            if self._answers.get(begun.warehouse, 0) != begun.answers:
                return False
            self._circuits[begun.warehouse] = failed(self._circuits.get(begun.warehouse, Circuit()), now, reason)
            return True

    def end(self, begun: Try) -> None:
        """The try is over, however it went."""
        if begun.is_probe:
            with self._lock:
                self._probed.discard(begun.warehouse)


@dataclass(frozen=True, slots=True)
class Gate:
    """What one run goes through to its warehouses; `contacts` are its tries as far as they say something new.

    `labels` go along with its statements (`core.protocols.Session.labels`).
    """

    breakers: Breakers = field(default_factory=Breakers)
    contacts: list[Contact] = field(default_factory=list)
    labels: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def open(self, warehouse: Warehouse, clock: Callable[[], datetime]) -> Iterator[Session]:
        """A session, as `warehouse.open()` gives it. Raises Unreachable, without a try while the circuit is open.

        Some drivers connect with the first statement only: a connection that breaks before the caller has said `answered`
        counts as none.
        """
        begun = self.breakers.begin(warehouse.name, clock())
        try:
            with session_of(warehouse) as session:
                session.labels = self.labels
                yield session
            self.answered(warehouse, clock)
        except errors.ConnectFailed as e:
            now = clock()
            if not self.breakers.failed(begun, now, str(e)):
                raise
            self.contacts.append(Contact(warehouse.name, now, str(e)))
            raise errors.Unreachable(str(e)) from e
        finally:
            self.breakers.end(begun)

    def taken(self) -> tuple[Contact, ...]:
        """The contacts so far, each given to one caller only; for a gate that many runs go through."""
        found = []
        with suppress(IndexError):
            while True:
                found.append(self.contacts.pop(0))
        return tuple(found)

    def answered(self, warehouse: Warehouse, clock: Callable[[], datetime]) -> None:
        """To be called when the first statement has come back."""
        if self.breakers.answered(warehouse.name):
            self.contacts.append(Contact(warehouse.name, clock()))


def _words(name: str, circuit: Circuit, now: datetime) -> str:
    since, next_try = circuit.since or now, max(circuit.next_try_at or now, now)
    return (
        f"warehouse {name} has been unreachable since {since:%Y-%m-%d %H:%M:%S} UTC; next try {next_try:%H:%M:%S} UTC; "
        f"the last one said: {circuit.reason}"
    )
