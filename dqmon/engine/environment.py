"""What every use case works with, made once by `dqmon.app`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.alerts.storm import STORM_ABOVE
from dqmon.engine.measuring.breaker import Breakers, Gate
from dqmon.engine.measuring.outage import Platform
from dqmon.engine.measuring.ways import WAYS
from dqmon.engine.polling.polls import Polls

if TYPE_CHECKING:
    from dqmon.core.check import Check
    from dqmon.core.cost import Budget
    from dqmon.core.digest import DigestPlan
    from dqmon.core.lineage import Lineage
    from dqmon.core.pages import Pages
    from dqmon.core.protocols import Channel, Source, Warehouse
    from dqmon.core.route import Route
    from dqmon.core.silence import Quiet
    from dqmon.store.database import Database


@dataclass(frozen=True, slots=True)
class Environment:
    """Concrete objects by their configured names. `clock` gives aware UTC; `new_id` random, sortable ids.

    `ways` are those that the planner may take (`engine.measuring.ways`). `checks` are all enabled checks by id, patterns resolved.
    `quiet` is what the configuration silences; what people silence by hand is in the store. `storm_above`: so many groups may wait
    for one channel at once.
    `pages` are None where incidents have none. `escalation` are the steps of all escalations.
    `source_gate` is the one that `sources` go through to their warehouses. A reload makes a new environment.
    """

    instance: str
    database: Database
    warehouses: Mapping[str, Warehouse]
    sources: Mapping[str, Source]
    channels: Mapping[str, Channel]
    checks: Mapping[str, Check]
    routes: tuple[Route, ...]
    lineage: Lineage
    correlate_within_s: float
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    unresolved: tuple[str, ...] = ()
    reuses: bool = True
    ways: Collection[str] = WAYS
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    breakers: Breakers = field(default_factory=Breakers)
    source_gate: Gate = field(default_factory=Gate)
    polls: Polls = field(default_factory=Polls)
    platform: Platform = field(default_factory=Platform)
    quiet: tuple[Quiet, ...] = ()
    escalation: tuple[Route, ...] = ()
    storm_above: int = STORM_ABOVE
    digest: DigestPlan | None = None
    pages: Pages | None = None
