"""What several events of one run come to: one record of the run, one of each table that it wrote. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.core.load_record import LoadRecord, LoadStatus

if TYPE_CHECKING:
    from dqmon.ingestion.base.openlineage_events import Event

_ENDED = frozenset({LoadStatus.SUCCEEDED, LoadStatus.FAILED, LoadStatus.CANCELLED})
COLUMNS = "columns"
"""In `extra` of a table's record: its columns when the run ended, each a line of name, tab and type."""
CHANGES = "schema_changes"


def merged(
    event: Event, source: str, kept: Iterable[LoadRecord], before: Mapping[str, tuple[str, ...]], now: datetime
) -> tuple[LoadRecord, ...]:
    """The records of the run after the event, the run's own first.

    kept: those that are kept of the run. before: the columns of tables as the loads before left them. Events may come twice and
    in any order: an end stands against a start that comes later, and of two ends the one that happened later counts. What an event
    does not say stays as an earlier one said it.
    """
    known = {record.table: record for record in kept}
    fresh = LoadRecord(source, event.pipeline, event.run_id, LoadStatus.UNKNOWN, now)
    whole = _advanced(known.get(None, fresh), event, now)
    tables = [_table(whole, name, known.get(name), event, before) for name in sorted({*filter(None, known), *event.outputs})]
    counts = [one.rows for one in tables]
    versions = [one.schema_version for one in tables]
    return (
        replace(
            whole,
            rows=sum(filter(None, counts)) if counts and None not in counts else None,
            schema_version=_hash(filter(None, versions)) if versions and None not in versions else None,
            extra=_with(whole.extra, CHANGES, "\n".join(one.extra[CHANGES] for one in tables if CHANGES in one.extra)),
        ),
        *tables,
    )


def _advanced(record: LoadRecord, event: Event, now: datetime) -> LoadRecord:
    """The run's status and times after the event."""
    has_ended, ends = record.status in _ENDED, event.status in _ENDED
    if event.status is not None and (not has_ended or (ends and record.finished_at is not None and event.at >= record.finished_at)):
        record = replace(record, status=event.status, raw_status=event.kind, finished_at=event.at if ends else None)
    started = min(filter(None, (record.started_at, event.at if event.kind == "START" else None)), default=None)
    is_odd = started is not None and record.finished_at is not None and started > record.finished_at
    alive = max(filter(None, (record.heartbeat_at, event.at if event.kind == "RUNNING" else None)), default=None)
    return replace(
        record,
        started_at=None if is_odd else started,  # of two clocks: how long it took cannot be said
        heartbeat_at=alive,
        scheduled_for=event.scheduled_for or record.scheduled_for,
        error=None if record.status is LoadStatus.SUCCEEDED else event.error or record.error,
        observed_at=max(now, record.observed_at),
    )


def _table(whole: LoadRecord, name: str, known: LoadRecord | None, event: Event, before: Mapping[str, tuple[str, ...]]) -> LoadRecord:
    """What the run did to one table."""
    told = event.outputs.get(name)
    rows, version, extra = (known.rows, known.schema_version, known.extra) if known else (None, None, {})
    if told is not None and told.rows is not None:
        rows = told.rows
    if told is not None and told.columns is not None:
        version, extra = _hash(told.columns), {COLUMNS: "\n".join(told.columns)}
        extra = _with(extra, CHANGES, "\n".join(_changes(name, before[name], told.columns) if name in before else ()))
    return replace(whole, table=name, rows=rows, schema_version=version, extra=extra)


def _changes(table: str, before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[str]:
    """A line for each column that came, went or has another type, as source_schema_change reads them."""
    old, new = (dict(line.rsplit("\t", 1) for line in lines) for lines in (before, after))
    for name in sorted({*old, *new}):
        if name not in old:
            yield f"column_added: {table}.{name} ({new[name]})"
        elif name not in new:
            yield f"column_removed: {table}.{name} ({old[name]})"
        elif old[name] != new[name]:
            yield f"type_changed: {table}.{name} from {old[name]} to {new[name]}"


def _with(extra: Mapping[str, str], key: str, value: str) -> dict[str, str]:
    """`extra` with the value; without the key when it is empty."""
    return {**{name: text for name, text in extra.items() if name != key}, **({key: value} if value else {})}


def _hash(lines: Iterable[str]) -> str:
    """A short name for a schema: equal for equal columns in the same order."""
    return hashlib.blake2b("\n".join(lines).encode("utf-8", "replace"), digest_size=6).hexdigest()
