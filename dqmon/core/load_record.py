"""What loading tools leave behind, in one shape. `None` means: the tool cannot say."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dqmon.core.check import Schedule


class LoadStatus(StrEnum):
    """Where a load stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PipelineInfo:
    """A pipeline that the tool knows, whether or not it has run.

    schedule: when the tool starts it; None where the tool cannot say, and for what is started by hand, by an event or never ends.
    heartbeat_at: when the part of the tool that starts and runs it last gave a sign of life.
    """

    source: str
    pipeline: str
    tables: tuple[str, ...] = ()
    is_paused: bool | None = None
    schedule: Schedule | None = None
    heartbeat_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """Something that ran; with `table`, what it did to that table.

    Unique by (source, pipeline, load_id, attempt, table). Times are aware UTC. `extra["schema_changes"]` lists what the load
    changed, a line each: `column_added: orders.discount (double)`; kinds are those of source_schema_change.
    scheduled_for: the fire of the schedule that the run is of, where the tool keeps it.
    """

    source: str
    pipeline: str
    load_id: str
    status: LoadStatus
    observed_at: datetime
    table: str | None = None
    attempt: int = 1
    kind: Literal["load", "backfill", "reset", "refresh", "schema"] = "load"
    raw_status: str | None = None
    scheduled_for: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    heartbeat_at: datetime | None = None
    rows: int | None = None
    rows_rejected: int | None = None
    schema_version: str | None = None
    cursor: str | None = None
    data_through: datetime | None = None
    error: str | None = None
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits now, in messages, files, bytes or seconds."""

    source: str
    pipeline: str
    pending: int
    unit: Literal["messages", "files", "bytes", "seconds"]
    observed_at: datetime
    partition: str | None = None
    oldest_pending_at: datetime | None = None


def total(unit: str, pending: Iterable[int]) -> int:
    """What waits in all partitions together, of at least one; of seconds (a lag), in the one that is farthest behind."""
    return max(pending) if unit == "seconds" else sum(pending)
