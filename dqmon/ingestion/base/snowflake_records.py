"""Records from what Snowflake says of copies, tasks, dynamic tables, streams and pipes. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus
from dqmon.ingestion.base.json_fields import instant as json_instant
from dqmon.ingestion.base.json_fields import mapping
from dqmon.ingestion.base.sql_rows import count, instant, text

if TYPE_CHECKING:
    from dqmon.core.plain import Json

STALE_SOON = timedelta(days=2)
"""A stream that becomes stale within this time is PARTIAL; Snowflake keeps changes for 14 days unless it is told otherwise."""
_FILES = {
    "loaded": LoadStatus.SUCCEEDED,
    "partially loaded": LoadStatus.PARTIAL,
    "load failed": LoadStatus.FAILED,
    "load skipped": LoadStatus.SKIPPED,
    "load in progress": LoadStatus.RUNNING,
}
"""https://docs.snowflake.com/en/sql-reference/account-usage/copy_history; in capitals or not."""
_TASKS = {
    "SCHEDULED": LoadStatus.QUEUED,
    "EXECUTING": LoadStatus.RUNNING,
    "SUCCEEDED": LoadStatus.SUCCEEDED,
    "FAILED": LoadStatus.FAILED,
    "FAILED_AND_AUTO_SUSPENDED": LoadStatus.FAILED,
    "CANCELLED": LoadStatus.CANCELLED,
    "SKIPPED": LoadStatus.SKIPPED,
}
"""https://docs.snowflake.com/en/sql-reference/functions/task_history. SKIPPED: its WHEN was false."""
_REFRESHES = {
    "SCHEDULED": LoadStatus.QUEUED,
    "EXECUTING": LoadStatus.RUNNING,
    "SUCCEEDED": LoadStatus.SUCCEEDED,
    "FAILED": LoadStatus.FAILED,
    "CANCELLED": LoadStatus.CANCELLED,
    # What failed is upstream, and told there.
    "UPSTREAM_FAILED": LoadStatus.SKIPPED,
}
"""https://docs.snowflake.com/en/sql-reference/functions/dynamic_table_refresh_history."""
_OPEN = (LoadStatus.QUEUED, LoadStatus.RUNNING)


def of_file(blank: LoadRecord, row: tuple[Any, ...]) -> LoadRecord:
    """One file that was loaded into a table; `blank` has whose it is. Raises ValueError."""
    file, at, rows, parsed, errors, error, raw, pipe = row
    status = _FILES.get(str(raw).lower(), LoadStatus.UNKNOWN)
    loaded, total = count(rows), count(parsed)
    ended = instant(at, "UTC")
    return replace(
        blank,
        load_id=f"{file}@{ended.isoformat() if ended else ''}",
        status=status,
        raw_status=text(raw),
        finished_at=None if status in _OPEN else ended,
        rows=loaded,
        rows_rejected=max(total - loaded, count(errors) or 0) if total is not None and loaded is not None else count(errors),
        error=text(error),
        extra={"pipe": str(pipe)} if pipe else {},
    )


def of_task(blank: LoadRecord, row: tuple[Any, ...]) -> LoadRecord:
    """One run of a task. Raises ValueError."""
    raw, error, due, begun, ended, run, attempt = row
    status = _TASKS.get(str(raw), LoadStatus.UNKNOWN)
    scheduled, started, finished = (instant(at, "UTC") for at in (due, begun, ended))
    return replace(
        blank,
        load_id=str(run) if run is not None else scheduled.isoformat() if scheduled else "?",
        attempt=count(attempt) or 1,
        status=status,
        raw_status=text(raw),
        scheduled_for=scheduled,
        started_at=started,
        finished_at=None if status in _OPEN else finished or started or scheduled,
        error=text(error) or ("Snowflake gives no reason" if status is LoadStatus.FAILED else None),
    )


def of_refresh(blank: LoadRecord, row: tuple[Any, ...]) -> LoadRecord:
    """One refresh of a dynamic table, whose data goes to its DATA_TIMESTAMP. Raises ValueError."""
    raw, message, data_at, begun, ended, target = row
    status = _REFRESHES.get(str(raw), LoadStatus.UNKNOWN)
    through, started, finished, due = (instant(at, "UTC") for at in (data_at, begun, ended, target))
    is_whole = status is LoadStatus.SUCCEEDED
    upstream = "not refreshed: a dynamic table that it reads has failed" if raw == "UPSTREAM_FAILED" else None
    is_late = is_whole and finished is not None and due is not None and finished > due
    return replace(
        blank,
        load_id=through.isoformat() if through else "?",
        status=status,
        raw_status=text(raw),
        started_at=started,
        finished_at=None if status in _OPEN else finished or started or through,
        data_through=through if is_whole else None,
        cursor=through.isoformat() if is_whole and through else None,
        error=upstream or ((text(message) or "Snowflake gives no reason") if status is LoadStatus.FAILED else None),
        extra=({"completion_target": due.isoformat()} if due else {}) | ({"late": "true"} if is_late else {}),
    )


def of_stream(blank: LoadRecord, stale_after: object) -> LoadRecord:
    """How a stream stands: a load that never ends, FAILED once it is stale. Raises ValueError."""
    at = instant(stale_after, "UTC")
    blank = replace(blank, load_id=blank.pipeline, extra={"stale_after": at.isoformat()} if at else {})
    if at is None:  # of a share, or of tables that the role may not see
        return replace(blank, status=LoadStatus.UNKNOWN)
    when = f"{at:%Y-%m-%d %H:%M} UTC"
    if at <= blank.observed_at:
        error = f"it is stale since {when}: its reader has missed changes; make the stream anew, and load what it missed"
        return replace(blank, status=LoadStatus.FAILED, raw_status="stale", error=error)
    if at - STALE_SOON <= blank.observed_at:
        return replace(blank, status=LoadStatus.PARTIAL, raw_status="stale soon", error=f"nothing reads it: it becomes stale at {when}")
    return replace(blank, status=LoadStatus.RUNNING, raw_status="fresh")


def of_pipe(blank: LoadRecord, told: Mapping[str, Json]) -> LoadRecord:
    """How a pipe stands: a load that never ends, FAILED while it is stopped or stalled."""
    state = text(told.get("executionState"))
    is_broken = str(state).startswith(("STOPPED", "STALLED"))
    status = LoadStatus.RUNNING if state == "RUNNING" else LoadStatus.FAILED if is_broken else LoadStatus.UNKNOWN
    trouble = text(told.get("error")) or text(told.get("fault"))
    ingested = json_instant(told.get("lastIngestedTimestamp"))
    return replace(
        blank,
        load_id=blank.pipeline,
        status=status,
        raw_status=state,
        error=trouble or ("Snowflake gives no reason" if is_broken else None),
        extra={"last_ingested_at": ingested.isoformat()} if ingested else {},
    )


def pipe_backlog(blank: LoadRecord, told: Mapping[str, Json]) -> Backlog:
    """The files that wait for a pipe. Raises ValueError."""
    pending = count(told.get("pendingFileCount"))
    if pending is None:
        raise ValueError(f"the status of {blank.pipeline} has no pendingFileCount")
    oldest = json_instant(told.get("oldestFileTimestamp")) if pending else None
    return Backlog(blank.source, blank.pipeline, pending, "files", blank.observed_at, oldest_pending_at=oldest)


def lag(blank: LoadRecord, latest: object) -> Backlog | None:
    """How many seconds the data of a dynamic table is behind; None when it was never refreshed. Raises ValueError."""
    through = instant(latest, "UTC")
    if through is None:
        return None
    seconds = max(0, int((blank.observed_at - through).total_seconds()))
    return Backlog(blank.source, blank.pipeline, seconds, "seconds", blank.observed_at, oldest_pending_at=through)


def parsed(told: object) -> Mapping[str, Json]:
    """A JSON object, which Snowflake gives as a text. Raises ValueError for anything else."""
    try:
        found = json.loads(str(told))
    except RecursionError:
        found = None
    if not isinstance(found, dict):
        raise ValueError("an object of JSON is expected where Snowflake says something else")  # noqa: TRY004 - of the value told
    return mapping(found)


def observed(source: str, at: datetime) -> LoadRecord:
    """What all records of a reading share."""
    return LoadRecord(source, "", "", LoadStatus.UNKNOWN, at)
