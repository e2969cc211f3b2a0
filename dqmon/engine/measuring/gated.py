"""The warehouse that an ingestion source is given: its own, behind the gate that runs go through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from dqmon.core.protocols import Session, Warehouse
    from dqmon.engine.measuring.breaker import Gate


class Gated:
    """Does what the warehouse does, but is not tried while its circuit is open; `gate.contacts` are the tries."""

    def __init__(self, warehouse: Warehouse, gate: Gate, clock: Callable[[], datetime]) -> None:
        self._warehouse = warehouse
        self._gate = gate
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        """What the warehouse has of that name."""
        return getattr(self._warehouse, name)

    @contextmanager
    def open(self) -> Iterator[Session]:
        """A session, as the warehouse gives it. Raises Unreachable, without a try while the circuit is open."""
        with self._gate.open(self._warehouse, self._clock) as session:
            yield session


def gated(warehouse: Warehouse, gate: Gate, clock: Callable[[], datetime]) -> Warehouse:
    """The warehouse behind the gate."""
    return cast("Warehouse", Gated(warehouse, gate, clock))
