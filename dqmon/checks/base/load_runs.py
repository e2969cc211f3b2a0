"""Which kept records a pipeline check looks at: ended loads, each by its last attempt, in the order in which they ended."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.core.load_record import LoadStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dqmon.core.judgement import LoadEvidence
    from dqmon.core.load_record import LoadRecord

ENDED = frozenset((LoadStatus.SUCCEEDED, LoadStatus.PARTIAL, LoadStatus.FAILED, LoadStatus.CANCELLED))
"""SKIPPED loads had nothing to do and UNKNOWN ones say nothing: neither is an outcome."""

_LONGEST_ERROR = 200
"""Characters of a tool's error that stand in a reason."""


def ended_at(record: LoadRecord) -> datetime:
    """When the load ended, or the best that is known of it: what it is complete through, its start, when it was seen."""
    return record.finished_at or record.data_through or record.started_at or record.observed_at


def last_attempts(evidence: LoadEvidence) -> tuple[LoadRecord, ...]:
    """Each load as a whole, by its last attempt that the time of judging can know of: a retry replaces what it retries."""
    found: dict[str, LoadRecord] = {}
    for record in evidence.records:
        if record.table is None and (record.started_at or ended_at(record)) <= evidence.measured_at:
            known = found.get(record.load_id)
            if known is None or known.attempt <= record.attempt:
                found[record.load_id] = record
    return tuple(found.values())


def ended(evidence: LoadEvidence, statuses: Iterable[LoadStatus] = ENDED) -> tuple[LoadRecord, ...]:
    """The loads of these statuses that had ended by the time of judging, oldest first."""
    wanted = frozenset(statuses)
    found = [r for r in last_attempts(evidence) if r.status in wanted and ended_at(r) <= evidence.measured_at]
    return tuple(sorted(found, key=lambda record: (ended_at(record), record.load_id)))


def successes(evidence: LoadEvidence) -> tuple[LoadRecord, ...]:
    """Successful plain loads, oldest first: no backfill, reset, refresh or change of schema."""
    return tuple(record for record in ended(evidence, (LoadStatus.SUCCEEDED,)) if record.kind == "load")


def of_table(evidence: LoadEvidence, loads: Iterable[LoadRecord], table: str | None) -> tuple[LoadRecord | None, ...]:
    """What each load did to the table, None where it did not touch it; the loads themselves without a table."""
    if table is None:
        return tuple(loads)
    parts = {(r.load_id, r.attempt): r for r in evidence.records if r.table == table}
    return tuple(parts.get((load.load_id, load.attempt)) for load in loads)


def rows_of(evidence: LoadEvidence, loads: Iterable[LoadRecord], table: str | None) -> tuple[tuple[LoadRecord, int], ...]:
    """Each load with its rows in the table, or in all; left out where the tool cannot say. A table that it did not touch got none."""
    loads = tuple(loads)
    found = []
    for load, part in zip(loads, of_table(evidence, loads, table), strict=True):
        rows = load.rows if part is load else part.rows if part else 0 if load.rows is not None else None
        if rows is not None:
            found.append((load, rows))
    return tuple(found)


def error_text(record: LoadRecord) -> str:
    """`: what the tool says went wrong`, on one line and not too long; empty when it says nothing."""
    text = " ".join((record.error or "").split())
    return f": {text[:_LONGEST_ERROR]}{'…' if len(text) > _LONGEST_ERROR else ''}" if text else ""
