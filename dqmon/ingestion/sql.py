"""Ingestion source sql: loads as a query of the user's own tells them, for tools that keep their runs in a table."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, get_args

import sqlalchemy as sa
from pydantic import Field, field_validator

from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.options import Options, SourceOptions
from dqmon.core.table import TableRef
from dqmon.ingestion.base.mapped import said_by
from dqmon.ingestion.base.sql_rows import Rows, count, instant, reading, required, text
from dqmon.sql import raw
from dqmon.sql.tables import NamedTable

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.protocols import Warehouse

SINCE = "{since}"
"""What a query writes for the time from which on changes are wanted."""
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_OPEN = frozenset({LoadStatus.QUEUED, LoadStatus.RUNNING})
_TIMES = frozenset({"started_at", "finished_at", "heartbeat_at", "data_through"})
_COUNTS = frozenset({"rows", "rows_rejected", "attempt"})
_NEEDED = frozenset({"pipeline", "load_id", "status"})
_NO_TABLE = NamedTable(TableRef("", None, None, "dq_none"))

Status: TypeAlias = Literal["queued", "running", "succeeded", "partial", "failed", "cancelled", "skipped", "unknown"]
Kind: TypeAlias = Literal["load", "backfill", "reset", "refresh", "schema"]


class SqlColumns(Options):
    """Which column of the query says what."""

    pipeline: str = Field(min_length=1)
    load_id: str = Field(min_length=1)
    status: str = Field(min_length=1)
    table: str | None = None
    attempt: str | None = None
    kind: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    heartbeat_at: str | None = None
    data_through: str | None = None
    rows: str | None = None
    rows_rejected: str | None = None
    schema_version: str | None = None
    cursor: str | None = None
    error: str | None = None


class SqlOptions(SourceOptions):
    """Options of the source sql.

    warehouse: where the query runs. query: one SELECT, a row a load; `{since}` in it becomes the time, as a text such as
    '2026-11-20 06:00:00+00:00', from which on changes are wanted. columns: which of its columns says what: pipeline, load_id and
    status must be told; table, attempt, kind (load, backfill, reset, refresh, schema), started_at, finished_at, heartbeat_at,
    data_through, rows, rows_rejected, schema_version, cursor and error may be. statuses: what the tool's own words for a status
    mean: queued, running, succeeded, partial, failed, cancelled, skipped. pipelines: those that should be there, even before they
    ran.

    What no column tells, no check can ask for: last_success needs finished_at or data_through, run_duration started_at and
    finished_at, and rows_loaded, rejected_rows, source_schema_change and cursor_stall a column of their own.
    """

    warehouse: str
    query: str
    columns: SqlColumns
    statuses: Mapping[str, Status] = Field(default_factory=dict)
    pipelines: tuple[str, ...] = Field(default=(), strict=False)

    def narrowed(self, provides: frozenset[str]) -> frozenset[str]:
        """What the mapped columns tell."""
        return said_by(self.columns.model_dump(exclude_none=True), provides)

    @field_validator("query")
    @classmethod
    def _is_query(cls, text: str) -> str:
        if raw.DATASET in text:
            raise ValueError(f"{raw.DATASET} stands for a dataset's table, and a source has none; write the table's name")
        written = _with_since(text, _LONG_AGO)
        if problem := raw.refused_by_all(lambda text, grammar: raw.query(text, _NO_TABLE, grammar), written):
            raise ValueError(problem)
        return text


class Sql:
    """Loads that a tool keeps in tables of its own, one row a load, read by a query in the configuration.

    The query passes the same gate as all SQL of users (one SELECT, no acting functions) and runs read-only, with the warehouse's
    limit. A status is what `statuses:` says of it, or one of dqmon's own words; any other one is UNKNOWN, never a success. NULL is
    "cannot say". Times without zone are read in the warehouse's `naive_timezone`, numbers as seconds since 1970. Of loads that
    have ended those with `finished_at` in the window count; one without an end is told each time, so let the query keep it:

        select * from etl.runs where ended_at is null or ended_at >= {since}

    A row that cannot be read (no id, a count of -1, two rows with the same pipeline, load_id, attempt and table) fails the
    source as a whole, with its place: a load that is left out would look like one that never ran. More than 50,000 rows do so, too.

    Run on DuckDB, SQLite and PostgreSQL.
    """

    type: ClassVar[str] = "sql"
    Options: ClassVar[builtins.type[BaseModel]] = SqlOptions
    provides: ClassVar[frozenset[str]] = frozenset(
        {"success", "failures", "running", "duration", "rows", "schema", "cursor", "rejects", "heartbeat"}
    )

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        assert isinstance(options, SqlOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._options = options
        self._columns: dict[str, str] = options.columns.model_dump(exclude_none=True)
        self._statuses = {_folded(word): LoadStatus(meaning) for word, meaning in options.statuses.items()}
        self._warehouse = required(name, options.warehouse, warehouse)

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """Those that the query has ever named, and those that are declared; by name."""
        named = [name for name in ("pipeline", "table") if name in self._columns]
        tables: dict[str, set[str]] = {name: set() for name in self._options.pipelines}
        with reading(self.name, self.type, self._warehouse) as rows:
            for pipeline, *table in self._rows(rows, named, _LONG_AGO, distinct=True):
                found = tables.setdefault(_needed("pipeline", pipeline), set())
                found |= {name for value in table if (name := text(value))}
        return tuple(PipelineInfo(self.name, name, tuple(sorted(tables[name]))) for name in sorted(tables))

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """Loads that ended in [since, until), and those without an end that began before `until`; oldest first."""
        found: dict[tuple[object, ...], LoadRecord] = {}
        with reading(self.name, self.type, self._warehouse) as rows:
            for row in self._rows(rows, list(self._columns), since):
                record = self._record(dict(zip(self._columns, row, strict=True)), until)
                if not (since <= record.finished_at < until if record.finished_at else (record.started_at or since) < until):
                    continue
                key = (record.pipeline, record.load_id, record.attempt, record.table)
                if key in found:
                    where = f"load_id {record.load_id!r} of {record.pipeline!r}, attempt {record.attempt}, table {record.table!r}"
                    raise ValueError(f"the query returns two rows for {where}; one is expected")
                found[key] = record
        return tuple(sorted(found.values(), key=lambda r: (r.started_at or r.finished_at or until, r.load_id, r.table or "")))

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: the query tells loads."""
        del at
        return ()

    def _rows(self, rows: Rows, names: Iterable[str], since: datetime, *, distinct: bool = False) -> Iterable[tuple[Any, ...]]:
        """The declared columns `names` of the query's rows."""
        table = raw.query(_with_since(self._options.query, since), _NO_TABLE, self._warehouse.capabilities.grammar)
        columns: list[sa.ColumnClause[Any]] = [sa.column(self._columns[name]) for name in names]
        for column in columns:
            # With the table's name before it, or SQLite takes a misspelt one in quotes for a text.
            column.table = table
        statement = sa.select(*columns)
        return rows.fetch(statement.distinct() if distinct else statement)

    def _record(self, row: Mapping[str, Any], until: datetime) -> LoadRecord:
        """The load of a row. Raises ValueError, which says which load and column it is about."""
        pipeline, load_id = _needed("pipeline", row["pipeline"]), _needed("load_id", row["load_id"])
        fields: dict[str, Any] = {}
        for name, value in row.items():
            if name not in _NEEDED and value is not None:
                try:
                    fields[name] = self._value(name, value)
                except ValueError as e:
                    raise ValueError(f"{name} of load_id {load_id!r} of {pipeline!r}: {e}") from None
        status, raw_status = self._status(row["status"])
        started, finished = fields.get("started_at"), fields.get("finished_at")
        if status in _OPEN:
            fields["finished_at"] = None  # an end that a tool foresees is none
        elif started and finished and started > finished:
            fields["started_at"] = None  # of two clocks: how long it took cannot be said
        return LoadRecord(
            source=self.name, pipeline=pipeline, load_id=load_id, status=status, raw_status=raw_status, observed_at=until, **fields
        )

    def _value(self, name: str, value: object) -> object:
        """What a LoadRecord holds under that name. Raises ValueError."""
        if name in _TIMES:
            return instant(value, self._warehouse.naive_timezone)
        if name in _COUNTS:
            return count(value)
        return _kind(value) if name == "kind" else text(value)

    def _status(self, value: object) -> tuple[LoadStatus, str | None]:
        word = text(value)
        folded = _folded(word or "")
        known = {status.value: status for status in LoadStatus} | self._statuses
        return known.get(folded, LoadStatus.UNKNOWN), word


def _with_since(query: str, since: datetime) -> str:
    """The query with the time in it as a text, which engines read as the type that it is compared with.

    It is one to two seconds early: where moments are texts, `06:00:00` comes before `06:00:00+00:00`. `loads` is exact.
    """
    early = since.astimezone(UTC).replace(microsecond=0) - timedelta(seconds=1)
    return query.replace(SINCE, f"'{early.isoformat(' ')}'")


def _folded(word: str) -> str:
    return word.strip().casefold()


def _needed(column: str, value: object) -> str:
    if (found := text(value)) is None:
        raise ValueError(f"{column} of a row is NULL or empty")
    return found


def _kind(value: object) -> str:
    found = _folded(str(value))
    if found not in get_args(Kind):
        raise ValueError(f"{value!r} is none of {', '.join(get_args(Kind))}")
    return found
