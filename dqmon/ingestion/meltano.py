"""Ingestion source meltano: the runs in Meltano's system database."""

from __future__ import annotations

import builtins
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.options import SourceOptions
from dqmon.core.table import quote_part
from dqmon.ingestion.base.json_fields import in_window, mapping, text
from dqmon.ingestion.base.sql_rows import instant, reading, required

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.plain import Json
    from dqmon.core.protocols import Warehouse

PAYLOAD_LIMIT = 256 * 1024
"""Characters of a run's payload; a longer one (a state with thousands of streams) is left in the database."""
_STATUSES = {
    "IDLE": LoadStatus.QUEUED,
    "RUNNING": LoadStatus.RUNNING,
    "SUCCESS": LoadStatus.SUCCEEDED,
    "FAIL": LoadStatus.FAILED,
    "DEAD": LoadStatus.FAILED,
}
_EDIT = "STATE_EDIT"
"""Somebody set the state by hand (`meltano state set`): a row among the runs, and no run."""


class MeltanoOptions(SourceOptions):
    """Options of the source meltano.

    warehouse: the system database (`database_uri` of Meltano), SQLite or PostgreSQL, declared as a warehouse. db_schema: the
    schema of its tables, where it is not the one that is searched. cursor_key: under which name the state of a stream keeps
    its cursor; taps differ.
    """

    warehouse: str
    db_schema: str | None = None
    cursor_key: str = "replication_key_value"

    def reads(self) -> tuple[str, ...]:
        """The runs."""
        return (f"{quote_part(self.db_schema)}.runs" if self.db_schema else "runs",)


class Meltano:
    """Runs of Meltano as loads, by their job (`environment:tap-to-target`); one more record for each stream with a bookmark.

    SUCCEEDED only by the run's own state: a run that fails moves the bookmarks and their time, too, so that cursors are
    told of successful runs alone. Meltano gives a reason in general words only ("Extractor failed"), and no rows. A run whose
    process was killed stays RUNNING with an old `heartbeat_at` until Meltano finds it.

    Read by SQL from the table `runs`: recorded on 4.4.1 with SQLite; PostgreSQL is run on the same rows. Schedules, which stand
    in meltano.yml, and states that are kept in an object store are not read; IDLE and DEAD are compiled from the source, not run.
    """

    type: ClassVar[str] = "meltano"
    Options: ClassVar[builtins.type[BaseModel]] = MeltanoOptions
    provides: ClassVar[frozenset[str]] = frozenset({"success", "failures", "running", "duration", "cursor", "heartbeat"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        assert isinstance(options, MeltanoOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._cursor_key = options.cursor_key
        self._warehouse = required(name, options.warehouse, warehouse)
        times = (sa.column(column, sa.DateTime) for column in ("started_at", "ended_at", "last_heartbeat_at"))
        texts = (sa.column(column, sa.String) for column in ("id", "job_name", "state", "payload"))
        self._runs = sa.table("runs", *texts, *times, schema=options.db_schema)
        # A text of it in any case: as a column it may be an enumeration, which is compared with nothing but its own words.
        self._state = sa.cast(self._runs.c.state, sa.String)

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """All jobs that have run, by name."""
        x = self._runs.c
        with reading(self.name, self.type, self._warehouse) as rows:
            found = rows.fetch(sa.select(x.job_name).where(self._state != _EDIT).distinct())
        return tuple(PipelineInfo(self.name, job) for job in sorted(str(name) for (name,) in found if name))

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """Runs that ended in [since, until), and those without an end that began before `until`."""
        x = self._runs.c
        payload = sa.case((sa.func.length(x.payload) <= PAYLOAD_LIMIT, x.payload))
        # Meltano writes UTC without a zone, as the columns have it.
        low, high = (at.astimezone(UTC).replace(tzinfo=None) for at in (since, until))
        is_of_window = sa.or_(sa.and_(x.ended_at >= low, x.ended_at < high), sa.and_(x.ended_at.is_(None), x.started_at < high))
        statement = sa.select(x.id, x.job_name, self._state, x.started_at, x.ended_at, x.last_heartbeat_at, payload)
        with reading(self.name, self.type, self._warehouse) as rows:
            found = rows.fetch(statement.where(is_of_window, self._state != _EDIT, x.job_name.is_not(None)))
        return in_window((record for row in found for record in self._records(row, until)), since, until)

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: Meltano has no queue."""
        del at
        return ()

    def _records(self, row: tuple[Any, ...], until: datetime) -> list[LoadRecord]:
        """The record of a run, then those of its streams."""
        id_, job, state, started, ended, heartbeat, payload = row
        status = _STATUSES.get(str(state), LoadStatus.UNKNOWN)
        told = _told(payload)
        begun, over = instant(started, "UTC"), instant(ended, "UTC")
        whole = LoadRecord(
            source=self.name,
            pipeline=str(job),
            load_id=str(id_),
            status=status,
            observed_at=until,
            raw_status=text(state),
            started_at=begun if not (begun and over and begun > over) else None,
            finished_at=None if status in (LoadStatus.QUEUED, LoadStatus.RUNNING) else over,
            heartbeat_at=instant(heartbeat, "UTC"),
            error=(text(told.get("error")) or "Meltano gives no reason") if status is LoadStatus.FAILED else None,
        )
        if status is not LoadStatus.SUCCEEDED:
            return [whole]
        streams = mapping(mapping(told.get("singer_state")).get("bookmarks"))
        cursors = {stream: text(mapping(streams[stream]).get(self._cursor_key)) for stream in sorted(streams)}
        only = next(iter(cursors.values())) if len(cursors) == 1 else None
        return [replace(whole, cursor=only), *(replace(whole, table=stream, cursor=cursor) for stream, cursor in cursors.items() if stream)]


def _told(payload: object) -> Mapping[str, Json]:
    """The payload of a run; empty when there is none that can be read."""
    try:
        return mapping(json.loads(payload)) if isinstance(payload, str) else {}
    except (ValueError, RecursionError):
        return {}
