"""Reads what ingestion tools have left behind since the last time, and keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.core.load_record import LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.protocols import AtOnce
from dqmon.engine.polling.lineage import keep_lineage
from dqmon.engine.polling.polls import Poll, Polls
from dqmon.errors import SourceError, StoreError
from dqmon.store import backlogs, loads, pipelines
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.core.protocols import Source
    from dqmon.store.database import Database

OVERLAP = timedelta(minutes=10)
"""How much of the time before the last poll is read again: a tool stamps a record before it commits it, on its own clock."""
FIRST_POLL = timedelta(days=90)
"""How far back the first poll of a source reads."""

log = Log(__name__)


def poll(sources: Mapping[str, Source], database: Database, now: datetime, polls: Polls | None = None) -> dict[str, SourceError]:
    """Why sources could not be read, by name; of all others the records up to `now` are kept.

    `polls` is given what came of each source.

    1. What is kept of the source says since when to read: OVERLAP before the last poll, or from the oldest load still half done.
    2. The source is read, outside of any transaction.
    3. New records, pipelines and the time of the poll are written in one transaction.
    A load that was counted when it succeeded is not counted again: later merges take rows out of it.
    Raises StoreError.
    """
    failures: dict[str, SourceError] = {}
    for name, source in sources.items():
        try:
            infos = _poll(source, database, now)
        except SourceError as e:
            failures[name] = e
        except StoreError:
            raise
        except Exception as e:  # noqa: BLE001 - one broken source must not stop the checks of the others
            why = f"ingestion {name} broke while it was read: {type(e).__name__}: {e}; this is a defect of the source"
            failures[name] = SourceError(why)
        else:
            if polls is not None:
                polls.keep(name, Poll(now, infos))
    for name, failure in failures.items():
        log.warning("source cannot be read", source=name, error=str(failure))
        if polls is not None:
            polls.keep(name, Poll(now, failure=failure))
    if failures:
        with database.write() as connection:
            pipelines.unread(connection, {name: str(failure) for name, failure in failures.items()}, now)
    return failures


def _poll(source: Source, database: Database, now: datetime) -> tuple[PipelineInfo, ...]:
    with database.read() as connection:
        last = pipelines.last_poll(connection, source.name)
        # Only such a source reports every half-done load each time; another one's is over, or changes once more.
        half_done = loads.half_done(connection, source.name) if "orphans" in source.provides else ()
    since = min(last or now - FIRST_POLL, now) - OVERLAP
    opened = [r.started_at for r in half_done if r.started_at is not None and r.started_at >= now - FIRST_POLL]
    since = min([since, *opened])
    infos, found = source.both(since, now) if isinstance(source, AtOnce) else (source.pipelines(), source.loads(since, now))
    waiting = source.backlog(now)
    named = {info.pipeline: info for info in infos}
    unlisted = {record.pipeline for record in found} - named.keys()
    with database.write() as connection:
        loads.upsert(connection, _news(found, loads.kept(connection, found), half_done, now))
        pipelines.note(connection, source.name, [*infos, *(PipelineInfo(source.name, name) for name in sorted(unlisted))], now)
        backlogs.keep(connection, waiting)
        pipelines.polled(connection, source.name, now)
    keep_lineage(source, database, now)
    return infos


def _news(
    found: Iterable[LoadRecord], kept: Mapping[loads.Key, LoadRecord], half_done: Iterable[LoadRecord], now: datetime
) -> Iterator[LoadRecord]:
    """The records worth writing: new or changed ones, and half-done loads whose rows have gone.

    A kept success is written again only when the run itself is another one (it was started again, or ended at another time): what
    the tool counts of it later is no news, since merges take rows out of it.
    """
    seen = {loads.key_of(record): record for record in found}
    for key, record in seen.items():
        before = kept.get(key)
        if before is None or before.status is not LoadStatus.SUCCEEDED or _run(record) != _run(before):
            yield record
    for record in half_done:
        if loads.key_of(record) not in seen:
            yield replace(record, status=LoadStatus.CANCELLED, observed_at=now, error="never completed; its rows are gone")


def _run(record: LoadRecord) -> tuple[LoadStatus, datetime | None, datetime | None]:
    return record.status, record.started_at, record.finished_at
