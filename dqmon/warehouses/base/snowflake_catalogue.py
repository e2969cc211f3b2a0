"""What Snowflake's INFORMATION_SCHEMA says of the tables of one schema, asked once for all of them.

| said | taken as |
|---|---|
| ROW_COUNT of a base table | exact: it is that of the last commit |
| ROW_COUNT of hybrid, dynamic, Iceberg and external tables, of views | not known |
| NOT NULL | enforced, the only constraint that is (https://docs.snowflake.com/en/sql-reference/constraints-overview) |
| PRIMARY KEY, UNIQUE | nothing: duplicates get in |
| LAST_ALTERED | nothing, neither for freshness nor as a proof of no change |
| COPY_HISTORY | the last change, where `load_history: true` says that loads alone fill the tables (snowflake_history.py) |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from dqmon.core.facts import TableFacts
from dqmon.core.table import Column, TypeGroup
from dqmon.warehouses.base.index_facts import not_null
from dqmon.warehouses.base.names import quoted, written_name
from dqmon.warehouses.base.snowflake_sql import COLLATED

_ALL = """
    select t.table_name, t.table_type, t.is_hybrid, t.is_dynamic, t.is_iceberg, t.row_count, t.bytes, t.created, t.last_ddl,
        c.column_name, c.data_type, c.numeric_precision, c.numeric_scale, c.collation_name, c.is_nullable
    from {place}.tables t join {place}.columns c on c.table_schema = t.table_schema and c.table_name = t.table_name
    where t.table_schema = :schema order by t.table_name, c.ordinal_position
"""

_TABLES = "select table_schema, table_name, table_type from {place}.tables where table_schema <> 'INFORMATION_SCHEMA'{of_schema}"

_GROUPS = {
    "FLOAT": TypeGroup.FLOAT,
    "TEXT": TypeGroup.TEXT,
    "BOOLEAN": TypeGroup.BOOLEAN,
    "DATE": TypeGroup.DATE,
    "TIMESTAMP_NTZ": TypeGroup.TIMESTAMP,
    # Both are moments: one keeps the offset it was written with, the other is shown in the session's zone.
    **dict.fromkeys(("TIMESTAMP_LTZ", "TIMESTAMP_TZ"), TypeGroup.TIMESTAMP_ZONED),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One table or view: what `column` reads of each column, and of Snowflake's own tables (`is_plain`) rows and bytes."""

    columns: tuple[Sequence[Any], ...]
    is_plain: bool
    rows: int | None
    size: int | None
    since: str


def table_facts(entry: Entry, columns: Iterable[Column]) -> TableFacts:
    """What is certain of a table of Snowflake's own."""
    known = not_null(column.name for column in columns if not column.nullable)
    because = "ROW_COUNT of INFORMATION_SCHEMA.TABLES" if entry.rows is not None else ""
    return TableFacts(rows=entry.rows, rows_because=because, about_rows=entry.rows, columns=known)


def all_of(database: str | None) -> sa.TextClause:
    """All tables of `:schema` with their columns, in one statement."""
    return sa.text(_ALL.format(place=place(database)))


def listed(database: str | None, schema: str | None) -> sa.TextClause:
    """Schema, name and kind of the tables of `:schema`, or of all when it is None."""
    return sa.text(_TABLES.format(place=place(database), of_schema="" if schema is None else " and table_schema = :schema"))


def entries(rows: Iterable[Any]) -> Mapping[str, Entry]:
    """The tables of `all_of`'s rows, by their names in the catalogue."""
    grouped: dict[str, list[Any]] = {}
    for name, *row in rows:
        grouped.setdefault(str(name), []).append(row)
    return {name: _entry(found) for name, found in grouped.items()}


def is_view(kind: str) -> bool:
    """By TABLE_TYPE."""
    return "VIEW" in kind


def column(position: int, row: Sequence[Any]) -> Column:
    """Named as a check file names it; a number without decimals is an integer; a collation stands in the type."""
    name, kind, precision, scale, collation, nullable = row
    if kind == "NUMBER":
        group, declared = (TypeGroup.DECIMAL if scale else TypeGroup.INTEGER), f"NUMBER({precision},{scale})"
    else:
        group, declared = _GROUPS.get(kind, TypeGroup.OTHER), kind if collation is None else f"{kind}{COLLATED}{collation}"
    return Column(written_name(str(name)), declared, group, nullable == "YES", position)


def _entry(rows: Sequence[Sequence[Any]]) -> Entry:
    kind, *others, count, size, created, defined = rows[0][:8]
    is_plain = kind == "BASE TABLE" and "YES" not in others
    return Entry(tuple(row[8:] for row in rows), is_plain, count, size, f"created {created}, defined {defined}")


def place(database: str | None) -> str:
    """The INFORMATION_SCHEMA of a database, by its name in the catalogue (None: the session's), for `text`."""
    # A colon would be a parameter of the text.
    return "information_schema" if database is None else quoted(database).replace(":", r"\:") + ".information_schema"
