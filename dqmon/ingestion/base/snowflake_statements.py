"""What Snowflake is asked about its own loads, as SELECTs (https://docs.snowflake.com/en/sql-reference/info-schema).

The functions of INFORMATION_SCHEMA are live and go back 7 or 14 days; the views of ACCOUNT_USAGE are hours late and go back a year.
Both have the same columns here. No SELECT gives more than AT_ONCE rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from dqmon.core.table import TableRef
    from dqmon.ingestion.base.sql_rows import Between

AT_ONCE = 10_000
"""The largest RESULT_LIMIT of the functions; of more rows they leave out the oldest, without a word."""
COPIES_KEPT, RUNS_KEPT = timedelta(days=13, hours=23), timedelta(days=6, hours=23)
"""How far back the functions may be asked: an hour less than they go (14 and 7 days), since an earlier start is an error."""

_OWNER = ("database_name", "schema_name", "name")
_COPIED = ("table_catalog_name as database_name", "table_schema_name as schema_name", "table_name as name")
_FILE = ("file_name", "last_load_time", "row_count", "row_parsed", "error_count", "first_error_message", "status", "pipe_name")
_TASK = (*_OWNER, "state", "error_message", "scheduled_time", "query_start_time", "completed_time", "run_id", "attempt_number")
_REFRESH = (*_OWNER, "state", "state_message", "data_timestamp", "refresh_start_time", "refresh_end_time", "completion_target")
_DYNAMIC = (*_OWNER, "latest_data_timestamp", "cast(scheduling_state as varchar) as scheduling_state")
_FROM, _UNTIL = "cast(:since as timestamp_ltz)", "cast(:until as timestamp_ltz)"
_MONTH = "dateadd(day, -30, current_timestamp())"
_LIMIT = f"result_limit => {AT_ONCE}"


def copies_of(table: TableRef) -> Between:
    """The files that COPY and Snowpipe have loaded into a table."""
    place = "" if table.catalog is None else f"{_quoted(_stored(table.catalog))}.".replace(":", r"\:")
    source = f"table({place}information_schema.copy_history(table_name => :object, start_time => {_FROM}, end_time => {_UNTIL}))"
    columns = tuple(f"cast(null as varchar) as {name}" for name in _OWNER)
    return lambda since, until: _select((*columns, *_FILE), source, _times(since, until) | {"object": full_name(table)})


def all_copies(since: datetime, until: datetime) -> sa.Select[Any]:
    """The files that were loaded into any table, from ACCOUNT_USAGE."""
    return _select((*_COPIED, *_FILE), _view("copy_history", "last_load_time"), _times(since, until))


def tasks(since: datetime, until: datetime) -> sa.Select[Any]:
    """The runs of tasks that were due then."""
    source = (
        f"table(information_schema.task_history(scheduled_time_range_start => {_FROM}, scheduled_time_range_end => {_UNTIL}, {_LIMIT}))"
    )
    return _select(_TASK, source, _times(since, until))


def all_tasks(since: datetime, until: datetime) -> sa.Select[Any]:
    """The runs of tasks that have ended, from ACCOUNT_USAGE."""
    return _select(_TASK, _view("task_history", "completed_time"), _times(since, until))


def refreshes(since: datetime, until: datetime) -> sa.Select[Any]:
    """The refreshes of dynamic tables with data of then, and those that run."""
    given = f"data_timestamp_start => {_FROM}, data_timestamp_end => {_UNTIL}, {_LIMIT}"
    return _select(_REFRESH, f"table(information_schema.dynamic_table_refresh_history({given}))", _times(since, until))


def all_refreshes(since: datetime, until: datetime) -> sa.Select[Any]:
    """The refreshes of dynamic tables that have ended, from ACCOUNT_USAGE."""
    return _select(_REFRESH, _view("dynamic_table_refresh_history", "refresh_end_time"), _times(since, until))


def dynamic_tables() -> sa.Select[Any]:
    """The dynamic tables with how far their data goes, as far as the role may monitor them."""
    return _select(_DYNAMIC, f"table(information_schema.dynamic_tables({_LIMIT}))", {})


def task_names() -> sa.Select[Any]:
    """The tasks that ran within 7 days, or have a next run."""
    return _distinct(_OWNER, f"table(information_schema.task_history({_LIMIT}))")


def all_task_names() -> sa.Select[Any]:
    """The tasks that ran within 30 days, from ACCOUNT_USAGE."""
    return _distinct(_OWNER, f"snowflake.account_usage.task_history where completed_time >= {_MONTH}")


def all_copied_names() -> sa.Select[Any]:
    """The tables that files were loaded into within 30 days, from ACCOUNT_USAGE."""
    return _distinct(_COPIED, f"snowflake.account_usage.copy_history where last_load_time >= {_MONTH}")


def streams() -> sa.Select[Any]:
    """The streams with when they become stale, from ACCOUNT_USAGE: nothing else that a SELECT reads lists them."""
    columns = ("stream_catalog as database_name", "stream_schema as schema_name", "stream_name as name", "stale_after")
    return _select(columns, "snowflake.account_usage.streams where deleted is null", {})


def pipe_status(pipe: TableRef) -> sa.Select[Any]:
    """The status of a pipe as a JSON text."""
    return sa.select(sa.func.__getattr__("system$pipe_status")(full_name(pipe)).label("told"))


def full_name(name: TableRef) -> str:
    """As a function takes it: names without capitals are those that Snowflake stored in capitals, others are exact."""
    return ".".join(_quoted(_stored(part)) for part in (name.catalog, name.schema, name.name) if part is not None)


def _stored(part: str) -> str:
    if len(part) > 1 and part[0] == part[-1] == '"':
        return part[1:-1].replace('""', '"')
    return part.upper() if part == part.lower() else part


def _quoted(part: str) -> str:
    return '"' + part.replace('"', '""') + '"'


def _view(name: str, at: str) -> str:
    return f"snowflake.account_usage.{name} where {at} >= {_FROM} and {at} < {_UNTIL}"


def _times(since: datetime, until: datetime) -> dict[str, str]:
    """As texts with their zone: the driver would write a time without it."""
    return {"since": since.astimezone(UTC).isoformat(" "), "until": until.astimezone(UTC).isoformat(" ")}


def _distinct(columns: tuple[str, ...], source: str) -> sa.Select[Any]:
    return _select((f"distinct {columns[0]}", *columns[1:]), source, {})


def _select(columns: tuple[str, ...], source: str, values: Mapping[str, str]) -> sa.Select[Any]:
    written = f"select {', '.join(columns)} from {source} limit {AT_ONCE}"  # noqa: S608 - this file's words; users' are bound or quoted
    told = sa.text(written).bindparams(**values)
    found = told.columns(*(sa.column(name.rpartition(" ")[2]) for name in columns)).subquery("told")
    return sa.select(*found.c)
