"""Ingestion source fivetran_platform: syncs and their rows, from the log that Fivetran delivers to the warehouse."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.options import SourceOptions
from dqmon.core.table import quote_part
from dqmon.ingestion.base.fivetran_log import EVENTS, Sync
from dqmon.ingestion.base.json_fields import in_window
from dqmon.ingestion.base.sql_rows import Rows, in_halves, instant, reading, required

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.protocols import Warehouse

LONGEST = timedelta(days=30)
"""How long before the window the events of a sync are looked for."""


class FivetranPlatformOptions(SourceOptions):
    """Options of the source fivetran_platform.

    warehouse: where the Fivetran Platform Connector delivers its tables. db_schema: their schema; `fivetran_log` where it was set
    up long ago.
    """

    warehouse: str
    db_schema: str = "fivetran_metadata"

    def reads(self) -> tuple[str, ...]:
        """The log and the connections."""
        return tuple(f"{quote_part(self.db_schema)}.{table}" for table in ("connection", "log"))


class FivetranPlatform:
    """Syncs as loads; a pipeline is a connection, by its id, such as `paint_wedges`, as in the source fivetran.

    SUCCEEDED, FAILED and CANCELLED by the status in `sync_end`. A sync that was rescheduled is PARTIAL, since it is tried again;
    SKIPPED when Fivetran calls it intended behavior. A sync without an end is RUNNING, or was when the log was delivered. `rows` are
    those of `records_modified`, deletions too: of the sync, and of each table, named `schema.table`; a success without any has 0.
    Tables and columns that the sync added, dropped or changed are its `schema_changes`; tables in schemas ending in `_staging`,
    which it makes for itself, are not. Transformations are left out.

    Fivetran delivers the log once a day unless it is set to do so more often, and dqmon learns of a sync only then: for freshness
    use the source fivetran. An event that comes late is read when it comes, by `_fivetran_synced`. The pipelines' heartbeat is when
    the log was last delivered, so that a log which no longer comes is not taken for syncs which no longer run. Let `poll_every` be
    about as long as Fivetran's own interval: each poll asks the warehouse four times.

    Compiled from the documentation of the Fivetran Platform Connector of 2026 and run on rows written after it; not run on a
    log that Fivetran delivered. How `alter_table` describes a change is known from an example only.
    """

    type: ClassVar[str] = "fivetran_platform"
    Options: ClassVar[builtins.type[BaseModel]] = FivetranPlatformOptions
    provides: ClassVar[frozenset[str]] = frozenset({"success", "failures", "duration", "rows", "schema", "heartbeat"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        assert isinstance(options, FivetranPlatformOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._warehouse = required(name, options.warehouse, warehouse)
        times = (sa.column(column, sa.TIMESTAMP(timezone=True)) for column in ("time_stamp", "_fivetran_synced"))
        texts = (sa.column(c, sa.String) for c in ("connection_id", "sync_id", "message_event", "transformation_id"))
        # Without a type: it is JSON in some engines, and text in others.
        self._log = sa.table("log", *texts, *times, sa.column("message_data"), schema=options.db_schema)
        names = ("connection_id", "paused", "_fivetran_deleted")
        self._connections = sa.table("connection", *map(sa.column, names), schema=options.db_schema)

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """All connections that are not deleted, by id; a paused one says so."""
        x = self._connections.c
        with reading(self.name, self.type, self._warehouse) as rows:
            found = rows.fetch(sa.select(x.connection_id, x.paused, x["_fivetran_deleted"]))
            ((delivered_at,),) = rows.fetch(sa.select(sa.func.max(self._log.c["_fivetran_synced"])))
            heartbeat = instant(delivered_at, "UTC")
        paused = {str(id_): bool(is_paused) for id_, is_paused, is_deleted in found if not is_deleted}
        return tuple(PipelineInfo(self.name, id_, is_paused=paused[id_], heartbeat_at=heartbeat) for id_ in sorted(paused))

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """Syncs that began or ended in [since, until), or whose start or end was delivered since then."""
        with reading(self.name, self.type, self._warehouse) as rows:
            syncs: dict[tuple[str, str], Sync] = {}
            for connection, sync, event, at, told in self._events(rows, since, until):
                syncs.setdefault((connection, sync), Sync(connection, sync)).add(event, at, told)
        blank = LoadRecord(self.name, "", "", LoadStatus.UNKNOWN, until)
        records = [record for sync in syncs.values() for record in sync.records(blank)]
        earliest = min((r.finished_at for r in records if r.finished_at), default=since)
        return in_window(records, min(since, earliest), until)

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: Fivetran does not tell what waits."""
        del at
        return ()

    def _events(self, rows: Rows, since: datetime, until: datetime) -> Iterator[tuple[str, str, str, datetime, Any]]:
        """All events of the syncs that are wanted, also those before the window: connection, sync, event, time, data."""
        x = self._log.c
        low, high = since.astimezone(UTC), until.astimezone(UTC)
        is_read = sa.and_(x.message_event.in_(EVENTS), x.transformation_id.is_(None), x.time_stamp < high)
        is_new = sa.or_(x.time_stamp >= low, x["_fivetran_synced"] >= low)
        marks = sa.select(x.sync_id).where(is_read, is_new, x.message_event.in_(EVENTS[:2]))
        is_wanted = sa.and_(is_read, x.sync_id.in_(marks))
        statement = sa.select(x.connection_id, x.sync_id, x.message_event, x.time_stamp, x.message_data).where(is_wanted)
        ((first,),) = rows.fetch(sa.select(sa.func.min(x.time_stamp)).where(is_wanted))
        begin = max(instant(first, "UTC") or high, low - LONGEST)
        for connection, sync, event, at, told in in_halves(
            rows, lambda start, end: statement.where(x.time_stamp >= start, x.time_stamp < end), begin, high
        ):
            moment = instant(at, "UTC")
            if connection and sync and moment is not None:
                yield str(connection), str(sync), str(event), moment, told
