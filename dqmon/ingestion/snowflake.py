"""Ingestion source snowflake: what Snowflake itself loads: COPY, Snowpipe, tasks, dynamic tables, streams."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from dqmon.core.load_record import Backlog, LoadRecord, PipelineInfo
from dqmon.core.options import SourceOptions
from dqmon.core.table import TableRef, split_dataset, table_ref
from dqmon.errors import SourceError
from dqmon.ingestion.base import snowflake_records as records
from dqmon.ingestion.base import snowflake_statements as ask
from dqmon.ingestion.base.json_fields import in_window
from dqmon.ingestion.base.relation import relation
from dqmon.ingestion.base.sql_rows import Between, Rows, in_halves, reading, required

if TYPE_CHECKING:
    import sqlalchemy as sa
    from pydantic import BaseModel

    from dqmon.core.protocols import Warehouse

LATENCY = timedelta(days=2)
"""How late ACCOUNT_USAGE may be: 2 hours for copies, 2 days for tables with few of them, 3 hours for dynamic tables, by its pages."""
_LONGEST = timedelta(days=1)
"""The functions know runs by when they were due: one that ends within a window may have been due so long before it."""
_OWNER = 3


class SnowflakeOptions(SourceOptions):
    """Options of the source snowflake.

    warehouse: a warehouse of the type snowflake. tables: those whose loads by COPY and Snowpipe are read. pipes: those whose queue of
    files is read. tasks, dynamic_tables: false leaves them out. account_usage: true reads the views of SNOWFLAKE.ACCOUNT_USAGE in
    place of the functions of INFORMATION_SCHEMA: the loads of all tables, a year back, hours late. streams: true reads them, too,
    which takes account_usage.
    """

    warehouse: str
    tables: tuple[str, ...] = Field(default=(), strict=False)
    pipes: tuple[str, ...] = Field(default=(), strict=False)
    tasks: bool = True
    dynamic_tables: bool = True
    account_usage: bool = False
    streams: bool = False

    def reads(self) -> tuple[str, ...]:
        """Those whose loads are read: Snowflake tells them to who has any right on the table."""
        return self.tables

    @model_validator(mode="after")
    def _consistent(self) -> SnowflakeOptions:
        for name in (*self.tables, *self.pipes):
            split_dataset(name)  # its ValueError says what is wrong
        if self.streams and not self.account_usage:
            raise ValueError("streams: true needs account_usage: true; Snowflake lists streams nowhere else that a SELECT can read")
        if self.tables and self.account_usage:
            raise ValueError(
                "tables and account_usage: true are both given; ACCOUNT_USAGE has the loads of all tables, so leave tables out"
            )
        return self


class SnowflakeLoads:
    """Loads inside Snowflake; a pipeline is `copy.<table>`, `task.<task>`, `dynamic_table.<table>`, `pipe.<pipe>` or `stream.<stream>`.

    copy: each file that COPY or Snowpipe loaded is a load, PARTIAL when rows of it were rejected. task: SKIPPED, when its WHEN was
    false, is healthy; `scheduled_for` is when it was due. dynamic_table: each refresh; `data_through` and `cursor` are its
    DATA_TIMESTAMP, up to which the table has all data, and `extra.late` says that it ended after its target; UPSTREAM_FAILED is
    SKIPPED, as the failure is that of a table above. Their backlog is how many seconds the data is behind now. pipe: RUNNING, FAILED
    while it is stopped or stalled; the backlog is its queue of files. stream: RUNNING, PARTIAL two days before it becomes stale
    because nothing reads it, FAILED once it is, since changes are lost then for good.

    The role needs what the functions ask for: MONITOR on tasks, dynamic tables and pipes, any right on the tables; for
    ACCOUNT_USAGE the database roles USAGE_VIEWER and OBJECT_VIEWER of SNOWFLAKE. Each poll runs a statement for each table, two for
    each pipe and five more, which keep the warehouse awake: let `poll_every` be as long as you can wait. Schedules are not read.

    Compiled from the documentation of 2026 by Snowflake's own dialect, not run against a live account.
    """

    type: ClassVar[str] = "snowflake"
    Options: ClassVar[builtins.type[BaseModel]] = SnowflakeOptions
    provides: ClassVar[frozenset[str]] = frozenset({"success", "failures", "running", "duration", "rows", "rejects", "cursor", "backlog"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        assert isinstance(options, SnowflakeOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._options = options
        self._warehouse = required(name, options.warehouse, warehouse)
        if self._warehouse.type != "snowflake":
            raise SourceError(
                f"ingestion {name}: warehouse {options.warehouse!r} is of type {self._warehouse.type}; one of Snowflake is needed"
            )
        self._tables = {f"copy.{ref.dataset}": ref for ref in map(self._declared, options.tables)}
        self._pipes = {f"pipe.{ref.dataset}": ref for ref in map(self._declared, options.pipes)}

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """Those that are declared, the dynamic tables, tasks with runs, and with account_usage tables with loads and streams; by name."""
        found = {name: PipelineInfo(self.name, name, (ref.dataset,)) for name, ref in self._tables.items()}
        found |= {name: PipelineInfo(self.name, name) for name in self._pipes}
        with reading(self.name, self.type, self._warehouse) as rows:
            for ref, _, state in self._dynamic(rows):
                name = f"dynamic_table.{ref.dataset}"
                is_paused = None if state is None else records.parsed(state).get("state") == "SUSPENDED"
                found[name] = PipelineInfo(self.name, name, (ref.dataset,), is_paused=is_paused)
            for kind, statement in self._listings():
                names = (f"{kind}.{self._found(row).dataset}" for row in rows.fetch(statement))
                found |= {name: PipelineInfo(self.name, name) for name in names}
        return tuple(info for _, info in sorted(found.items()))

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """Loads that ended in [since, until), with account_usage up to 2 days before, and what runs; pipes and streams as they stand."""
        with reading(self.name, self.type, self._warehouse) as rows:
            found = [*self._histories(rows, since, until), *self._standing(rows, until)]
        return in_window(found, since - LATENCY if self._options.account_usage else since, until)

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """How far dynamic tables are behind, and how many files wait for pipes."""
        blank = records.observed(self.name, at)
        with reading(self.name, self.type, self._warehouse) as rows:
            lags = [records.lag(replace(blank, pipeline=f"dynamic_table.{ref.dataset}"), latest) for ref, latest, _ in self._dynamic(rows)]
            waiting = [records.pipe_backlog(replace(blank, pipeline=name), self._status(rows, ref)) for name, ref in self._pipes.items()]
        return (*(found for found in lags if found is not None), *waiting)

    def _listings(self) -> Iterator[tuple[str, sa.Select[Any]]]:
        is_late = self._options.account_usage
        if self._options.tasks:
            yield "task", ask.all_task_names() if is_late else ask.task_names()
        if is_late:
            yield "copy", ask.all_copied_names()
        if self._options.streams:
            yield "stream", ask.streams()

    def _histories(self, rows: Rows, since: datetime, until: datetime) -> Iterator[LoadRecord]:
        blank = records.observed(self.name, until)
        is_late = self._options.account_usage
        copied = since - LATENCY if is_late else max(since, until - ask.COPIES_KEPT)
        ran = since - LATENCY if is_late else max(since - _LONGEST, until - ask.RUNS_KEPT)
        copies: dict[str | None, Between] = {name: ask.copies_of(ref) for name, ref in self._tables.items()}
        for name, statement in ({None: ask.all_copies} if is_late else copies).items():
            for row in in_halves(rows, statement, copied, until, ask.AT_ONCE):
                yield records.of_file(replace(blank, pipeline=name or f"copy.{self._found(row).dataset}"), row[_OWNER:])
        if self._options.tasks:
            for row in in_halves(rows, ask.all_tasks if is_late else ask.tasks, ran, until, ask.AT_ONCE):
                yield records.of_task(replace(blank, pipeline=f"task.{self._found(row).dataset}"), row[_OWNER:])
        if self._options.dynamic_tables:
            for row in in_halves(rows, ask.all_refreshes if is_late else ask.refreshes, ran, until, ask.AT_ONCE):
                yield records.of_refresh(replace(blank, pipeline=f"dynamic_table.{self._found(row).dataset}"), row[_OWNER:])

    def _standing(self, rows: Rows, until: datetime) -> Iterator[LoadRecord]:
        blank = records.observed(self.name, until)
        for name, ref in self._pipes.items():
            yield records.of_pipe(replace(blank, pipeline=name), self._status(rows, ref))
        for row in rows.fetch(ask.streams()) if self._options.streams else ():
            yield records.of_stream(replace(blank, pipeline=f"stream.{self._found(row).dataset}"), row[_OWNER])

    def _dynamic(self, rows: Rows) -> Iterator[tuple[TableRef, Any, Any]]:
        """Each dynamic table, up to when its data goes, its state."""
        for row in rows.fetch(ask.dynamic_tables()) if self._options.dynamic_tables else ():
            yield self._found(row), *row[_OWNER:]

    def _status(self, rows: Rows, pipe: TableRef) -> Mapping[str, Any]:
        ((told,),) = rows.fetch(ask.pipe_status(pipe))
        return records.parsed(told)

    def _declared(self, text: str) -> TableRef:
        return table_ref(self._warehouse.name, text, self._warehouse.default_schema)

    def _found(self, row: tuple[Any, ...]) -> TableRef:
        """The object of a row that begins with its database, schema and name, exactly as Snowflake has them."""
        database, schema, name = (str(part) for part in row[:_OWNER])
        return relation(self._warehouse, database, schema, name, f'"{database}"."{schema}"."{name}"')
