"""Ingestion source postgres_slots: how far the readers of a PostgreSQL server's changes (Debezium, Fivetran, Airbyte) are behind."""

from __future__ import annotations

import builtins
import json
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from pydantic import Field

from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.options import SourceOptions
from dqmon.errors import SourceError
from dqmon.ingestion.base.sql_rows import instant, reading, required, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import BaseModel

    from dqmon.core.protocols import Warehouse

POSITIONS = 10_080
"""Positions of the server that are remembered: a week of polls a minute."""

# As JSON, since versions differ in their columns; a standby has a position to which it has replayed.
# https://www.postgresql.org/docs/current/view-pg-replication-slots.html
_COLUMNS: tuple[sa.ColumnElement[Any], ...] = (
    sa.literal_column("cast(pg_catalog.to_jsonb(s) as text)"),
    sa.literal_column("cast(r.reply_time as text)"),
    sa.literal_column(
        "cast(case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn() "
        "else pg_catalog.pg_current_wal_lsn() end as text)"
    ),
    sa.literal_column("cast(pg_catalog.clock_timestamp() as text)"),
)
_SLOTS = sa.select(*_COLUMNS).select_from(
    sa.text("pg_catalog.pg_replication_slots s left join pg_catalog.pg_stat_replication r on r.pid = s.active_pid where not s.temporary")
)


class PostgresSlotsOptions(SourceOptions):
    """Options of the source postgres_slots.

    warehouse: a PostgreSQL server. slots: those to watch, each of which must be there; without it all that there are.
    """

    warehouse: str
    slots: tuple[str, ...] = Field(default=(), strict=False)


@dataclass(frozen=True, slots=True)
class _Slot:
    """One slot, as the server tells it at `at` by its own clock. `position` and `confirmed` are bytes of the log; None: cannot say."""

    name: str
    at: datetime
    position: int | None
    confirmed: int | None
    is_active: bool
    lost: str | None
    inactive_since: datetime | None
    heard_at: datetime | None
    extra: Mapping[str, str]

    @property
    def pending(self) -> int | None:
        """Bytes of the log that the reader has not confirmed; None of a slot that is lost, or that holds nothing yet."""
        return None if self.lost or self.confirmed is None or self.position is None else max(0, self.position - self.confirmed)


class PostgresSlots:
    """Replication slots of a PostgreSQL server, one pipeline each; a load that never ends.

    A slot is RUNNING while a reader is connected, FAILED once the server has given it up (`wal_status` lost, or invalidated): its
    reader has missed changes for good. A slot without a reader is UNKNOWN, with raw_status `inactive`: a tool that syncs every hour
    is connected for some minutes of it. A slot of `slots:` that is not there is FAILED, too. `cursor` is the confirmed position,
    `heartbeat_at` the reader's last answer (for roles with pg_read_all_stats), `extra` holds pending_bytes and wal_status.

    The backlog is in seconds, and a lower bound: since when the reader has had something to read, as far as dqmon has seen. 0 where
    all is confirmed, else the age of the oldest position of the server, of those that dqmon saw at its own polls, which is not
    confirmed yet, or the time without a reader (PostgreSQL 17 and later tell it), whichever is more. pg_stat_replication's own lags
    are not used: they stand still while a reader hangs. A slot that is lost has no backlog that could be told.

    All writes of the server move its position, those of other databases, too: a reader of a quiet database that confirms
    nothing is behind, and keeps the log on the server's disk. Any role may read the slots; the statement reads two views of memory.

    Run on a PostgreSQL 15 with readers of its own; other versions, and standbys, by rows written after the documentation. No
    Debezium, Fivetran or Airbyte was run.
    """

    type: ClassVar[str] = "postgres_slots"
    Options: ClassVar[builtins.type[BaseModel]] = PostgresSlotsOptions
    provides: ClassVar[frozenset[str]] = frozenset({"failures", "running", "cursor", "heartbeat", "backlog"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        assert isinstance(options, PostgresSlotsOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._wanted = frozenset(options.slots)
        self._warehouse = required(name, options.warehouse, warehouse)
        if self._warehouse.type != "postgres":
            msg = f"ingestion {name}: warehouse {options.warehouse!r} is of type {self._warehouse.type}; replication slots are PostgreSQL's"
            raise SourceError(msg)
        self._positions: deque[tuple[datetime, int]] = deque(maxlen=POSITIONS)

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """All slots that are watched, by name, whether or not they are there."""
        names = self._wanted or {slot.name for slot in self._slots()}
        return tuple(PipelineInfo(self.name, name) for name in sorted(names))

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """How each slot stands, whatever the window: a slot has no end."""
        del since
        slots = {slot.name: slot for slot in self._slots()}
        return tuple(self._record(name, slots.get(name), until) for name in sorted(self._wanted or slots))

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """How many seconds each reader is behind, at least; the server's position is remembered for the next time."""
        slots = self._slots()
        for slot in slots[:1]:
            if slot.position is not None:
                self._positions.append((slot.at, slot.position))
        return tuple(self._waiting(slot, at) for slot in slots if slot.pending is not None)

    def _slots(self) -> list[_Slot]:
        """The watched slots that are there, by name."""
        with reading(self.name, self.type, self._warehouse) as rows:
            found = sorted(_slots(rows.fetch(_SLOTS)), key=lambda slot: slot.name)
        return [slot for slot in found if not self._wanted or slot.name in self._wanted]

    def _record(self, name: str, slot: _Slot | None, until: datetime) -> LoadRecord:
        if slot is None:
            error = "there is no such replication slot: it was dropped, or never made"
            return LoadRecord(self.name, name, name, LoadStatus.FAILED, until, raw_status="missing", error=error)
        status = LoadStatus.FAILED if slot.lost else LoadStatus.RUNNING if slot.is_active else LoadStatus.UNKNOWN
        return LoadRecord(
            source=self.name,
            pipeline=name,
            load_id=name,
            status=status,
            observed_at=until,
            raw_status=slot.lost or ("active" if slot.is_active else "inactive"),
            heartbeat_at=slot.heard_at,
            cursor=None if slot.confirmed is None else str(slot.confirmed),
            error=f"the server has given the slot up ({slot.lost}): its reader has missed changes" if slot.lost else None,
            extra=dict(slot.extra) | ({} if slot.pending is None else {"pending_bytes": str(slot.pending)}),
        )

    def _waiting(self, slot: _Slot, at: datetime) -> Backlog:
        seconds = 0
        if slot.pending and slot.confirmed is not None:
            unread = (seen for seen, position in self._positions if position > slot.confirmed)
            since = min(next(unread, slot.at), slot.inactive_since or slot.at)
            seconds = max(0, int((slot.at - since).total_seconds()))
        oldest = at - timedelta(seconds=seconds) if slot.pending else None
        return Backlog(self.name, slot.name, seconds, "seconds", at, oldest_pending_at=oldest)


def _slots(rows: Iterable[tuple[Any, ...]]) -> Iterator[_Slot]:
    """The slots of the rows of `_SLOTS`. Raises ValueError."""
    for told, heard_at, position, clock in rows:
        slot = json.loads(told)
        lost = text(slot.get("invalidation_reason")) or ("lost" if slot.get("wal_status") == "lost" else None)
        yield _Slot(
            name=str(slot["slot_name"]),
            at=datetime.fromisoformat(clock).astimezone(UTC),
            position=_bytes(position),
            confirmed=_bytes(slot.get("confirmed_flush_lsn") or slot.get("restart_lsn")),
            is_active=bool(slot.get("active")),
            lost=lost,
            inactive_since=instant(slot.get("inactive_since"), "UTC"),
            heard_at=instant(heard_at, "UTC"),
            extra={key: str(slot[key]) for key in ("slot_type", "wal_status") if slot.get(key)},
        )


def _bytes(position: str | None) -> int | None:
    """A position of the log, written as two hexadecimal numbers of 32 bits."""
    if position is None:
        return None
    high, _, low = position.partition("/")
    return (int(high, 16) << 32) + int(low, 16)
