"""Syncs from the events of Fivetran's log (https://fivetran.com/docs/logs). Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.core.load_record import LoadRecord, LoadStatus
from dqmon.ingestion.base.json_fields import count, mapping, text

if TYPE_CHECKING:
    from dqmon.core.plain import Json

EVENTS = ("sync_start", "sync_end", "records_modified", "create_table", "alter_table", "drop_table")
"""What is read of the log."""
_STATUSES = {
    "SUCCESSFUL": LoadStatus.SUCCEEDED,
    "FAILURE": LoadStatus.FAILED,
    "FAILURE_WITH_TASK": LoadStatus.FAILED,
    "RESCHEDULED": LoadStatus.PARTIAL,
    "CANCELED": LoadStatus.CANCELLED,
}
"""https://fivetran.com/docs/logs/changelog: December 2021 and 2022."""
_INTENDED = "intended behavior"
"""In the reason of a sync that Fivetran itself put off to flush what it has (dbt_fivetran_log, connection_status)."""
_STAGING = "_staging"
"""Ends the name of the schema in which Fivetran makes tables and drops them again during a sync."""


@dataclass(slots=True)
class Sync:
    """What the events of one sync say, as they are added one by one. `rows` and `changes` are by table."""

    connection: str
    id: str
    started_at: datetime | None = None
    finished_at: datetime | None = None
    status: LoadStatus = LoadStatus.RUNNING
    raw_status: str | None = None
    reason: str | None = None
    rows: Counter[str] = field(default_factory=Counter)
    changes: dict[str, list[str]] = field(default_factory=dict)

    def add(self, event: str, at: datetime, told: object) -> None:
        """Takes one event of EVENTS, with its `message_data`: a text of JSON, or what a driver has made of it."""
        data = _data(told)
        if event == "sync_start":
            self.started_at = min(self.started_at or at, at)
        elif event == "sync_end" and (self.finished_at is None or at >= self.finished_at):
            self.finished_at, self.raw_status, self.reason = at, text(data.get("status")), text(data.get("reason"))
            self.status = _STATUSES.get(self.raw_status or "", LoadStatus.UNKNOWN)
            if self.status is LoadStatus.PARTIAL and _INTENDED in (self.reason or ""):
                self.status = LoadStatus.SKIPPED
        elif event == "records_modified" and (table := _table(data, "table")):
            self.rows[table] += count(data.get("count")) or 0
        elif (change := _change(event, data)) is not None:
            table, line = change
            if line not in self.changes.setdefault(table, []):
                self.changes[table].append(line)

    def records(self, whole: LoadRecord) -> Iterator[LoadRecord]:
        """The sync, then what it did to each table; `whole` has whose it is and when it was observed."""
        is_bad = self.status in (LoadStatus.FAILED, LoadStatus.PARTIAL)
        is_counted = self.rows or self.status is LoadStatus.SUCCEEDED
        whole = replace(
            whole,
            pipeline=self.connection,
            load_id=self.id,
            status=self.status,
            raw_status=self.raw_status,
            started_at=self.started_at if not (self.started_at and self.finished_at and self.started_at > self.finished_at) else None,
            finished_at=self.finished_at,
            rows=sum(self.rows.values()) if is_counted else None,
            error=self.reason or ("Fivetran gives no reason" if is_bad else None),
        )
        yield replace(whole, extra=_extra(line for lines in self.changes.values() for line in lines))
        changed = {self._full(table): lines for table, lines in self.changes.items()}
        for table in sorted({*self.rows, *changed}):
            yield replace(whole, table=table, rows=self.rows[table] if is_counted else None, extra=_extra(changed.get(table, ())))

    def _full(self, table: str) -> str:
        """The table as `records_modified` names it: `alter_table` does not tell its schema."""
        alike = [name for name in self.rows if name.partition(".")[2] == table]
        return alike[0] if len(alike) == 1 else table


def _change(event: str, data: Mapping[str, Json]) -> tuple[str, str] | None:
    """The table and the line of `schema_changes`; None for a table that is made and dropped within a sync."""
    table = _table(data, "table" if event == "alter_table" else "name")
    if table is None or table.partition(".")[0].endswith(_STAGING):
        return None
    if event == "create_table":
        return table, f"table_added: {table}"
    if event == "drop_table":
        return table, f"table_removed: {table}"
    if event != "alter_table":
        return None
    what, column = (text(data.get("type")) or "changed").upper(), mapping(data.get("properties"))
    name, kind = text(column.get("columnName")), text(column.get("dataType"))
    where = f"{table}.{name}" if name else table
    words = {"ADD": "column_added", "DROP": "column_removed", "DELETE": "column_removed"}
    said = "type_changed" if "TYPE" in what else words.get(what.partition("_")[0])
    return table, f"{said}: {where}{f' ({kind})' if kind else ''}" if said else f"version_changed: {where} ({what.lower()})"


def _table(data: Mapping[str, Json], key: str) -> str | None:
    schema, name = text(data.get("schema")), text(data.get(key))
    return f"{schema}.{name}" if schema and name else name


def _extra(lines: Iterable[str]) -> dict[str, str]:
    joined = "\n".join(line.replace("\n", " ") for line in lines)
    return {"schema_changes": joined} if joined else {}


def _data(told: object) -> Mapping[str, Json]:
    if isinstance(told, str | bytes):
        try:
            told = json.loads(told)
        except (ValueError, RecursionError):
            return {}
    return mapping(told)
