"""What DuckDB's catalogue says of its own tables: columns, constraints, which it enforces, and about how many rows there are."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from dqmon.core.facts import ColumnFacts, TableFacts, UniqueKey
from dqmon.core.table import TypeGroup

_GROUPS = (
    (r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BIGNUM", TypeGroup.INTEGER),
    # What DuckDB calls a column of a file or frame that has nothing but NULL: any type would do.
    (r'"NULL"', TypeGroup.INTEGER),
    (r"DECIMAL.*", TypeGroup.DECIMAL),
    (r"FLOAT|DOUBLE", TypeGroup.FLOAT),
    (r"VARCHAR|ENUM\(.*", TypeGroup.TEXT),
    (r"BOOLEAN", TypeGroup.BOOLEAN),
    (r"DATE", TypeGroup.DATE),
    (r"TIMESTAMP(_S|_MS|_NS)?", TypeGroup.TIMESTAMP),
    (r"TIMESTAMP WITH TIME ZONE", TypeGroup.TIMESTAMP_ZONED),
)

CONSTRAINTS = r"""
    select lower(t.schema_name), lower(t.table_name), t.estimated_size, t.sql ilike '%collate%', c.kind, c.names
    from duckdb_tables() t left join (
        select database_name, schema_name, table_name, constraint_type as kind, constraint_column_names as names
        from duckdb_constraints() where constraint_type in ('PRIMARY KEY', 'UNIQUE', 'NOT NULL')
        union all select database_name, schema_name, table_name, 'UNIQUE INDEX', string_split(trim(expressions, '[]'), ', ')
        from duckdb_indexes() where is_unique and regexp_full_match(expressions, '\[\w+(, \w+)*\]')
    ) c using (database_name, schema_name, table_name)
    where t.database_name = current_database() and not t.internal
"""
"""One row for each constraint of each table, or one without a constraint.

Of all tables, since these functions go through all of them anyway: asked once, it costs what it costs for one table. Indexes of
expressions are left out.
"""

COLUMNS = """
    select lower(schema_name), lower(table_name), column_name, data_type, is_nullable
    from duckdb_columns() where database_name = current_database() and table_oid in (
        select table_oid from duckdb_tables() where database_name = current_database() and not internal
    ) order by table_oid, column_index
"""
"""Of all tables: 15 ms for few of them, since it goes through the engine's own views too, and 80 ms for 1,000."""

VIEWS = "select lower(schema_name), lower(view_name) from duckdb_views() where not internal"

Tables: TypeAlias = Mapping[tuple[str, str], TableFacts]
"""By schema and name in small letters: DuckDB's names do not tell letters' case."""


@lru_cache(1_024)
def group_of(kind: str) -> TypeGroup:
    """The group of one of DuckDB's types, by its name."""
    return next((group for pattern, group in _GROUPS if re.fullmatch(pattern, kind)), TypeGroup.OTHER)


def tables(rows: Iterable[Any]) -> Tables:
    """The facts of each table of CONSTRAINTS.

    Keys of a table with a collation are left out: DuckDB's indexes keep them by their bytes, GROUP BY does not.
    """
    grouped: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
    for schema, name, *rest in rows:
        grouped[schema, name].append(rest)
    return {place: _facts(constraints) for place, constraints in grouped.items()}


def columns(rows: Iterable[Any]) -> Mapping[tuple[str, str], list[tuple[Any, ...]]]:
    """The rows of COLUMNS without their tables, by table as in `Tables`."""
    grouped: defaultdict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
    for schema, name, *column in rows:
        grouped[schema, name].append(tuple(column))
    return dict(grouped)


def _facts(constraints: Iterable[Any]) -> TableFacts:
    columns: dict[str, ColumnFacts] = {}
    keys: list[UniqueKey] = []
    about = 0
    for size, is_collated, kind, names in constraints:
        about = int(size)
        if kind in ("NOT NULL", "PRIMARY KEY"):
            columns |= {name: ColumnFacts(f"{name} is {kind}", nulls=0) for name in names}
        if kind is not None and kind != "NOT NULL" and not is_collated:
            keys.append(UniqueKey(f"{kind} ({', '.join(names)})", frozenset(names)))
    return TableFacts(about_rows=about, columns=columns, keys=tuple(keys))
