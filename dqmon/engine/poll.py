"""Reads what ingestion tools have left behind since the last time, and keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from dqmon.core.check import PipelineRef
from dqmon.core.load_record import LoadRecord, LoadStatus, PipelineInfo
from dqmon.errors import SourceError, StoreError
from dqmon.store import loads
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.core.protocols import Source
    from dqmon.store.database import Database

OVERLAP = timedelta(minutes=10)
"""How much of the time before the last poll is read again: a tool stamps a record before it commits it, on its own clock."""
FIRST_POLL = timedelta(days=90)
"""How far back the first poll of a source reads."""

log = Log(__name__)

_Key: TypeAlias = tuple[str, str, int, str | None]


def poll(
    sources: Mapping[str, Source], database: Database, now: datetime, listed: dict[PipelineRef, PipelineInfo] | None = None
) -> dict[str, str]:
    """Why sources could not be read, by name; of all others the records up to `now` are kept.

    `listed` is given what each source says of its pipelines.

    1. What is kept of the source says since when to read: OVERLAP before the last poll, or from the oldest load still open.
    2. The source is read, outside of any transaction.
    3. New records, pipelines and the time of the poll are written in one transaction.
    A load that was counted when it succeeded is not counted again: later merges take rows out of it (INGESTION.md, dlt).
    Raises StoreError.
    """
    failures = {}
    for name, source in sources.items():
        try:
            infos = _poll(source, database, now)
        except SourceError as e:
            failures[name] = str(e)
        except StoreError:
            raise
        except Exception as e:  # noqa: BLE001 - one broken source must not stop the checks of the others (STYLE.md 17)
            failures[name] = f"ingestion {name} broke while it was read: {type(e).__name__}: {e}; this is a defect of the source"
        else:
            if listed is not None:
                listed.update((PipelineRef(name, info.pipeline), info) for info in infos)
    for name, failure in failures.items():
        log.warning("source cannot be read", source=name, error=failure)
    return failures


def _poll(source: Source, database: Database, now: datetime) -> tuple[PipelineInfo, ...]:
    infos = source.pipelines()
    pipelines = {info.pipeline for info in infos}
    with database.read() as connection:
        last = loads.last_poll(connection, source.name)
        since = min(last or now - FIRST_POLL, now) - OVERLAP
        kept = {
            _key(record): record
            for pipeline in sorted(pipelines)
            for record in loads.of_pipeline(connection, source.name, pipeline, min(since, now - FIRST_POLL))
        }
    opened = [r.started_at for r in kept.values() if r.status is LoadStatus.PARTIAL and r.started_at is not None]
    found, waiting = source.loads(min([since, *opened]), now), source.backlog(now)
    with database.write() as connection:
        loads.upsert(connection, _news(source, found, kept, now))
        for pipeline in sorted(pipelines | {record.pipeline for record in found}):
            loads.first_seen(connection, source.name, pipeline, now)
        loads.upsert_backlogs(connection, waiting)
        loads.polled(connection, source.name, now)
    return infos


def _news(source: Source, found: Iterable[LoadRecord], kept: Mapping[_Key, LoadRecord], now: datetime) -> Iterator[LoadRecord]:
    """The records worth writing: new or changed ones, and half-done loads whose rows have gone."""
    seen = {_key(record): record for record in found}
    for key, record in seen.items():
        if key not in kept or kept[key].status is not LoadStatus.SUCCEEDED:
            yield record
    if "orphans" in source.provides:  # such a source reports every half-done load each time
        for key, record in kept.items():
            if record.status is LoadStatus.PARTIAL and key not in seen:
                yield replace(record, status=LoadStatus.CANCELLED, observed_at=now, error="never completed; its rows are gone")


def _key(record: LoadRecord) -> _Key:
    return (record.pipeline, record.load_id, record.attempt, record.table)
