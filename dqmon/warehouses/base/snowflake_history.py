"""What Snowflake's histories say: when a table was loaded last, and what statements cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from dqmon.core.capabilities import Said
from dqmon.core.past_rows import PastRows, counted_back
from dqmon.warehouses.base.names import quoted, stored_name
from dqmon.warehouses.base.snowflake_catalogue import place

TABLES_AT_ONCE = 500
"""Tables whose loads one statement asks for; each is a call of 300 characters, and a statement takes 1 MB."""

# Half an hour less than the 14 days that it goes back, beyond which a start is an error.
# https://docs.snowflake.com/en/sql-reference/functions/copy_history; a file without rows, failed or skipped, changes nothing.
_LOADS = (
    "select cast(:name{at} as varchar), max(last_load_time) from table({place}.copy_history(table_name => :table{at}, "
    "start_time => dateadd(minute, -20130, current_timestamp()))) where row_count > 0"
)

LAST_LOAD = "COPY_HISTORY, the last load by COPY or Snowpipe within 14 days"

OF_LOADS = Said(
    is_exact=True,
    because="`load_history: true` says that COPY and Snowpipe alone fill the tables, and COPY_HISTORY has their loads of 14 days at once",
)
NOT_OF_LOADS = Said(
    is_exact=False,
    because="LAST_ALTERED moves with grants and the service's own work; `load_history: true` says that COPY and Snowpipe alone fill tables",
)

ATTRIBUTED_AFTER_S = 8 * 3_600
"""QUERY_ATTRIBUTION_HISTORY is up to 8 hours late (https://docs.snowflake.com/en/sql-reference/account-usage/query_attribution_history)."""

# The server's clock may be behind the caller's.
ATTRIBUTED_BEFORE = timedelta(minutes=5)
ATTRIBUTED = sa.text(
    "select query_id, credits_attributed_compute + coalesce(credits_used_query_acceleration, 0) "
    "from snowflake.account_usage.query_attribution_history where start_time >= :since and query_id in :ids"
).bindparams(sa.bindparam("ids", expanding=True))


CHANGES = "TABLE_DML_HISTORY of Snowflake, which is up to six hours late"
# By the hour; the newest table of that name alone. https://docs.snowflake.com/en/sql-reference/account-usage/table_dml_history
CHANGED = sa.text(
    "select end_time, rows_added - rows_removed from snowflake.account_usage.table_dml_history where end_time > :since and "
    "database_name = coalesce(:database, current_database()) and schema_name = :schema and table_name = :table "
    "qualify table_id = max(table_id) over () order by end_time"
)


def past_totals(rows: int, changes: Sequence[tuple[datetime, int]]) -> PastRows:
    """The rows after each hour with changes (its end and the rows that came, less those that went), counted back from those of now.

    An estimate: changes of the last hours may not be in the history yet, and then older totals are too high by as many.
    """
    totals: list[tuple[datetime, int]] = []
    for ended, change in reversed(changes):
        totals.append((ended.astimezone(UTC), rows))
        rows -= change
    if not totals:
        return PastRows((), "TABLE_DML_HISTORY has no change of the table's rows in this time")
    if min(rows, *(total for _, total in totals)) < 0:
        return PastRows((), "TABLE_DML_HISTORY has more new rows than the table has")
    return counted_back(totals, CHANGES, is_exact=False)


def loads(database: str | None, schema: str, names: Sequence[str]) -> tuple[sa.TextClause, Mapping[str, str]]:
    """The statement, with its values, that gives each table's name and when it was loaded last; no more than `TABLES_AT_ONCE`.

    Everything is named as in check files; a table that was not loaded has NULL.
    """
    values: dict[str, str] = {}
    for at, name in enumerate(names):
        parts = (database, schema, name) if database is not None else (schema, name)
        values |= {f"name{at}": name, f"table{at}": ".".join(quoted(stored_name(part)) for part in parts)}
    where = place(None if database is None else stored_name(database))
    return sa.text(" union all ".join(_LOADS.format(at=at, place=where) for at in range(len(names)))), values
