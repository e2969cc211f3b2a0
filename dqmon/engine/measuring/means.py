"""What measuring needs besides the warehouse."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dqmon.engine.measuring.breaker import Gate
from dqmon.engine.measuring.budget import Purse
from dqmon.engine.measuring.reuse import Memory
from dqmon.engine.measuring.ways import WAYS


@dataclass(frozen=True, slots=True)
class Means:
    """`clock` gives aware UTC, `new_id` sortable ids.

    `memory` is None where nothing may be reused; `ways` names the ways to a value that may be taken (`engine.measuring.ways`);
    `gate` is the way to the warehouses, `purses` have what those with a budget may take.
    """

    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    memory: Memory | None = None
    ways: Collection[str] = WAYS
    gate: Gate = field(default_factory=Gate)
    purses: Mapping[str, Purse] = field(default_factory=dict)
