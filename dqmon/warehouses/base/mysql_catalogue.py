"""What MySQL's and MariaDB's INFORMATION_SCHEMA say of tables, and what of it is certain.

| said | taken as |
|---|---|
| TABLE_ROWS | an estimate: InnoDB samples pages (https://dev.mysql.com/doc/refman/8.4/en/information-schema-tables-table.html) |
| UPDATE_TIME | nothing: InnoDB keeps it in memory only, and loses it when the server starts anew or forgets the table |
| NOT NULL | kept, of base tables of engines that keep their rows themselves |
| unique indexes | kept, of these tables; equality of a collation is coarser than that of characters, and a prefix than the whole |

Somebody who loads rows with `unique_checks` off promises that keys are unique; the server may then take copies unseen
(https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_unique_checks), and this is not noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dqmon.core.table import Column, TypeGroup

TABLES = (
    "select table_schema, table_name, table_type like '%VIEW' from information_schema.tables "
    "where table_schema = coalesce(:schema, table_schema) "
    "and (:schema is not null or table_schema not in ('mysql', 'information_schema', 'performance_schema', 'sys'))"
)

COLUMNS = (
    "select table_name, column_name, column_type, data_type, is_nullable = 'YES' from information_schema.columns "
    "where table_schema = :schema and table_name in :names and :catalog is null order by table_name, ordinal_position"
)

_KEEPING = (
    "t.table_schema = :schema and t.table_name in :names and :catalog is null and t.table_type = 'BASE TABLE' "
    "and t.engine in ('InnoDB', 'MyISAM', 'Aria', 'MEMORY', 'ROCKSDB', 'ndbcluster')"
)

FACTS = (
    "select t.table_name, t.table_rows, s.index_name, s.column_name, 0 from information_schema.tables t "  # noqa: S608 - this file's
    "left join information_schema.statistics s on s.table_schema = t.table_schema and s.table_name = t.table_name and s.non_unique = 0 "
    f"where {_KEEPING} union all "
    "select t.table_name, t.table_rows, null, c.column_name, 1 from information_schema.tables t "
    "join information_schema.columns c on c.table_schema = t.table_schema and c.table_name = t.table_name "
    f"where {_KEEPING} and c.is_nullable = 'NO'"
)
"""By table its estimated rows, and each column of each unique index, or 1 in the last place and a column that is NOT NULL.

Engines that read other servers' tables or files declare keys that nobody keeps, and are left out.
"""

_GROUPS = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), TypeGroup.INTEGER),
    "decimal": TypeGroup.DECIMAL,
    **dict.fromkeys(("float", "double"), TypeGroup.FLOAT),
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"), TypeGroup.TEXT),
    "date": TypeGroup.DATE,
    "datetime": TypeGroup.TIMESTAMP,
    "timestamp": TypeGroup.TIMESTAMP_ZONED,
}

_BOOLEAN = "tinyint(1)"
"""What BOOLEAN is kept as; the one width that MySQL 8 still shows."""

_PLAIN_NAMES = frozenset({"float", "bit"})
"""Types whose size says nothing of the values that dqmon compares; they are declared without it."""


def column(position: int, row: Sequence[Any]) -> Column:
    """By the type's name; a whole number of one digit is a boolean, as MySQL has no other."""
    name, declared, kind, nullable = row
    group = TypeGroup.BOOLEAN if str(declared).startswith(_BOOLEAN) else _GROUPS.get(str(kind), TypeGroup.OTHER)
    written = kind if kind in _PLAIN_NAMES else str(declared).replace(" unsigned", "").replace(" zerofill", "")
    return Column(str(name), str(written), group, bool(nullable), position)
