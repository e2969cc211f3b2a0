"""What the web endpoint works with; a reload puts another one in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dqmon.core.page_event import PageEvent
    from dqmon.core.protocols import Pager
    from dqmon.engine.environment import Environment
    from dqmon.ingestion.base.openlineage_events import Resolve
    from dqmon.ingestion.heartbeat import Heartbeat
    from dqmon.ingestion.openlineage import Openlineage
    from dqmon.store.database import Database

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Hosts that requests may name without being listed: nobody but this machine is behind them."""


@dataclass(frozen=True, slots=True)
class Served:
    """One loaded configuration as the endpoint sees it. `clock` gives aware UTC; `idle_s` how long ago the daemon ticked last.

    hosts: names that requests may be sent to (the header Host), beside those of this machine. environment: what the pages of
    incidents are read with, where it has pages. actors: who may act there, each with what `session.digest` keeps of the token.
    pagers: the channels whose signed webhooks are listened to; `paged` does what one says, and answers what became of it.
    """

    database: Database
    heartbeats: Mapping[str, Heartbeat]
    openlineages: Mapping[str, Openlineage]
    hosts: frozenset[str]
    resolve: Resolve
    clock: Callable[[], datetime]
    idle_s: Callable[[], float]
    environment: Environment | None = None
    actors: Mapping[str, bytes] = field(default_factory=dict)
    pagers: Mapping[str, Pager] = field(default_factory=dict)
    paged: Callable[[PageEvent], str] = lambda _: "ignored"


class Current:
    """The `Served` of now. It is read once a request, so that no request sees halves of two."""

    def __init__(self, served: Served) -> None:
        self.served = served
