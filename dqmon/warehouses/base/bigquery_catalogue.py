"""What BigQuery's catalogue says of the tables of one dataset.

| said | taken as |
|---|---|
| `row_count` of `__TABLES__` | an estimate: rows that are still in the streaming buffer are left out |
| mode REQUIRED | no NULL: https://cloud.google.com/bigquery/docs/schemas#modes |
| PRIMARY KEY | nothing: https://cloud.google.com/bigquery/docs/primary-foreign-keys, it is not enforced |
| `last_modified_time` | nothing: it moves with descriptions, labels and schemas, and not with each row that is streamed in |

https://cloud.google.com/bigquery/docs/reference/rest/v2/tables says what `numRows` and `streamingBuffer` hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from dqmon.core.facts import ColumnFacts, TableFacts
from dqmon.core.table import Column, TypeGroup
from dqmon.warehouses.base.bigquery_sql import COLLATED, quoted

_COLUMNS = """
    select table_name, column_name, data_type, is_nullable, collation_name from {place}.INFORMATION_SCHEMA.COLUMNS
    where table_name in :names and is_system_defined = 'NO' order by table_name, ordinal_position
"""

_ROWS = "select table_id, row_count from {place}.`__TABLES__` where table_id in :names and type = 1"

_TABLES = "select table_schema, table_name, table_type from {place}.INFORMATION_SCHEMA.TABLES"

_DECIMAL = re.compile(r"(BIG)?NUMERIC(?:\((\d+)(?:, (\d+))?\))?")

_GROUPS = {
    "INT64": TypeGroup.INTEGER,
    "FLOAT64": TypeGroup.FLOAT,
    "STRING": TypeGroup.TEXT,
    "BOOL": TypeGroup.BOOLEAN,
    "DATE": TypeGroup.DATE,
    "DATETIME": TypeGroup.TIMESTAMP,
    "TIMESTAMP": TypeGroup.TIMESTAMP_ZONED,
}


def columns_of(project: str, dataset: str) -> str:
    """The statement for the columns of tables `:names` of a dataset."""
    return _COLUMNS.format(place=_place(project, dataset))


def rows_of(project: str, dataset: str) -> str:
    """The statement for the rows of BigQuery's own tables among `:names`."""
    return _ROWS.format(place=_place(project, dataset))


def listed(project: str, dataset: str | None, location: str) -> sa.TextClause:
    """Dataset, name and kind of the tables of a dataset, or of all in a location when it is None."""
    return sa.text(_TABLES.format(place=_place(project, f"region-{location.lower()}" if dataset is None else dataset)))


def is_view(kind: str) -> bool:
    """By `table_type`."""
    return "VIEW" in kind


def column(position: int, row: Sequence[Any]) -> Column:
    """Of (name, type, is_nullable, collation); decimals with their digits, a collation stands in the type."""
    name, declared, nullable, collation = row
    kind = str(declared)
    group = _GROUPS.get(kind.partition("(")[0], TypeGroup.OTHER)
    if found := _DECIMAL.fullmatch(kind):
        is_big, digits, places = found.groups()
        group = TypeGroup.DECIMAL
        if not is_big or digits:
            kind = f"{'BIG' if is_big else ''}NUMERIC({digits or 38}, {places or (0 if digits else 9)})"
    if collation not in (None, "NULL", ""):
        kind = f"{kind}{COLLATED}{collation}"
    return Column(str(name), kind, group, nullable != "NO", position)


def table_facts(rows: int | None, columns: Iterable[Column]) -> TableFacts:
    """About how many rows, and columns that have no NULL."""
    return TableFacts(about_rows=rows, columns={c.name: ColumnFacts(f"{c.name} is REQUIRED", nulls=0) for c in columns if not c.nullable})


def _place(project: str, dataset: str) -> str:
    # A colon would be a parameter of the text.
    return f"{quoted(project)}.{quoted(dataset)}".replace(":", r"\:")
