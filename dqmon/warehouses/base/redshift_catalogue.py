"""What Redshift's catalogue says, and the statements that ask it.

| said | taken as |
|---|---|
| NOT NULL of a local table | enforced (https://docs.aws.amazon.com/redshift/latest/dg/t_Defining_constraints.html) |
| PRIMARY KEY, UNIQUE, FOREIGN KEY | nothing: for the planner only, duplicates get in (the same page) |
| TBL_ROWS of SVV_TABLE_INFO | nothing: it counts rows that are deleted and not vacuumed yet |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dqmon.core.table import Column, TypeGroup

TABLES = (
    "select table_schema, table_name, table_type <> 'BASE TABLE' and table_type <> 'EXTERNAL TABLE' from svv_tables "
    "where table_schema = coalesce(cast(:schema as varchar(65535)), table_schema) "
    "and table_schema not in ('information_schema', 'pg_catalog', 'pg_internal', 'pg_automv')"
)
"""https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_TABLES.html"""

COLUMNS = (
    "select c.table_name, c.column_name, c.data_type, c.numeric_precision, c.numeric_scale, c.is_nullable, t.table_type "
    "from svv_columns c join svv_tables t on t.table_schema = c.table_schema and t.table_name = c.table_name "
    "where c.table_name in :names and c.table_schema = cast(:schema as varchar(65535)) "
    "and coalesce(cast(:catalog as varchar(65535)), current_database()) = current_database() order by c.table_name, c.ordinal_position"
)
"""https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_COLUMNS.html"""

POWERS = (
    "select distinct lower(privilege_type) || ' on tables' from svv_relation_privileges "
    "where privilege_type <> 'SELECT' and identity_name in (current_user, 'public') "
    "union all select 'everything: it is a superuser' from pg_user where usename = current_user and usesuper"
)
"""https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_RELATION_PRIVILEGES.html"""

_GROUPS = {
    **dict.fromkeys(("smallint", "integer", "bigint"), TypeGroup.INTEGER),
    "numeric": TypeGroup.DECIMAL,
    **dict.fromkeys(("real", "double precision"), TypeGroup.FLOAT),
    **dict.fromkeys(("character varying", "character", "text", "varchar", "char"), TypeGroup.TEXT),
    "boolean": TypeGroup.BOOLEAN,
    "date": TypeGroup.DATE,
    "timestamp without time zone": TypeGroup.TIMESTAMP,
    "timestamp with time zone": TypeGroup.TIMESTAMP_ZONED,
}


def column(position: int, row: Sequence[Any]) -> Column:
    """The column of a row of COLUMNS; NOT NULL is believed of local tables alone, and a decimal's digits stand in its type."""
    name, kind, precision, scale, nullable, table = row
    declared = f"{kind}({precision},{scale})" if kind == "numeric" and precision is not None else str(kind)
    is_kept = nullable == "NO" and table == "BASE TABLE"
    return Column(str(name), declared, _GROUPS.get(str(kind), TypeGroup.OTHER), not is_kept, position)
