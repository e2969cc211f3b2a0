"""What an ingestion source must offer, and what some offer besides: being told, all at once, lineage."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    from datetime import datetime

    from pydantic import BaseModel

    from dqmon.core.lineage import Lineage
    from dqmon.core.load_record import Backlog, LoadRecord, PipelineInfo
    from dqmon.core.protocols.warehouse import Warehouse


class Source(Protocol):
    """One configured ingestion source: `dqmon/ingestion/<type>.py` or an entry point of `dqmon.ingestion`."""

    type: ClassVar[str]
    Options: ClassVar[builtins.type[BaseModel]]
    provides: ClassVar[frozenset[str]]
    """What the tool can say: a check's `needs` must be a subset.

    success: when a load succeeded. failures: that one failed. running: what runs, since when. duration: start and end of a run
    as it ran. heartbeat: `heartbeat_at` of running loads, or of pipelines. rows, rejects, schema, cursor: `rows`, `rows_rejected`,
    `schema_version`, `cursor` of records. orphans: every half-done load, each time. schedule: `PipelineInfo.schedule`. backlog:
    what waits.
    """
    name: str

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        """`warehouse` is the one that the option `warehouse:` names, for sources that read SQL."""

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """All pipelines known. Raises SourceError."""

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """Records that changed in [since, until), oldest first; `until` is the time of observing. Raises SourceError."""

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """What waits now; empty where the tool has no backlog. Raises SourceError."""


@runtime_checkable
class Told(Protocol):
    """A source that is not read: what ran tells dqmon of itself, with the source's own token (option `token`)."""

    def admits(self, token: str) -> bool:
        """True for the source's token; takes the same time for any other one."""


@runtime_checkable
class AtOnce(Protocol):
    """A source that says what `pipelines` and `loads` do at once, by opening its warehouse a single time."""

    def both(self, since: datetime, until: datetime) -> tuple[tuple[PipelineInfo, ...], tuple[LoadRecord, ...]]:
        """The pipelines, and the records of [since, until). Raises SourceError."""


@runtime_checkable
class Lineaged(Protocol):
    """A source that knows what is made from what."""

    def lineage(self) -> Lineage:
        """All that the tool knows: nodes as in `core.lineage`, tables with the warehouse that the options name. Raises SourceError."""
