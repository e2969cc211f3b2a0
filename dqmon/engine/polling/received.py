"""What jobs tell of themselves, kept as load records: pings, OpenLineage events. The caller has seen to it that they may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.core.check import PipelineRef
from dqmon.ingestion.base.openlineage_events import Event, read_event
from dqmon.ingestion.base.openlineage_runs import COLUMNS, merged
from dqmon.store import lineage, loads, pipelines
from dqmon.store.writes import one_writer

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.load_record import LoadRecord
    from dqmon.core.plain import Json
    from dqmon.ingestion.base.openlineage_events import Names
    from dqmon.ingestion.heartbeat import Heartbeat, Ping
    from dqmon.store.database import Database

OPEN_FOR = timedelta(days=7)
"""A ping without a run id ends no run that began earlier."""
LOADS_BEFORE = 200
"""Records of earlier loads, their tables counted, among which a table's former columns are looked for."""
SCHEMAS_FOR = timedelta(days=90)


def keep_ping(database: Database, source: Heartbeat, pipeline: str, ping: Ping, now: datetime) -> LoadRecord:
    """The run after the ping. Sent again, it changes nothing. Raises StoreError."""
    with database.write() as connection:
        one_writer(connection)
        same = loads.of_load(connection, source.name, pipeline, ping.run_id) if ping.run_id else ()
        opened = () if ping.run_id else loads.running(connection, source.name, pipeline, now - OPEN_FOR)
        records = source.records(pipeline, ping, same[0] if same else None, opened, now)
        loads.upsert(connection, records)
        pipelines.first_seen(connection, source.name, pipeline, now)
    return records[0]


def keep_events(database: Database, events: Sequence[Json], names: Names, now: datetime) -> tuple[str | None, ...]:
    """Why each event was refused, None where it was not; each is kept, or passed over, by itself. Raises StoreError."""
    return tuple(_keep_event(database, event, names, now) for event in events)


def _keep_event(database: Database, event: Json, names: Names, now: datetime) -> str | None:
    try:
        told, edges = read_event(event, names, now)
    except ValueError as e:
        return str(e)
    if told is None and not edges:
        return None
    with database.write() as connection:
        one_writer(connection)
        if told is not None:
            kept = loads.of_load(connection, names.source, told.pipeline, told.run_id)
            before = _columns_before(connection, names.source, told, now)
            loads.upsert(connection, merged(told, names.source, kept, before, now))
            pipelines.first_seen(connection, names.source, told.pipeline, now)
        lineage.add(connection, names.source, edges, now)
    return None


def _columns_before(connection: Connection, source: str, event: Event, now: datetime) -> Mapping[str, tuple[str, ...]]:
    """The columns of the event's tables as the newest other successful load left them; asked only where the event has columns."""
    wanted = {name for name, output in event.outputs.items() if output.columns is not None}
    if not wanted:
        return {}
    ref = PipelineRef(source, event.pipeline)
    records = loads.newest(connection, [ref], LOADS_BEFORE, now - SCHEMAS_FOR, whole=False)[ref]
    return {
        record.table: tuple(record.extra[COLUMNS].splitlines())
        for record in records  # the newest last, which stands
        if record.table in wanted and record.load_id != event.run_id and COLUMNS in record.extra
    }
