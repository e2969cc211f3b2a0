"""The statements that make a PostgreSQL role which can read what the checks read, and do nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from dqmon.core.table import TableRef
from dqmon.warehouses.base.names import quoted

_HEAD = """-- Run by the owner of the tables, in the database {database}.
-- The role reads; it owns nothing, may write nothing, and is no member of other roles."""


def script(url: sa.URL, tables: Iterable[TableRef], schema: str, connections: int) -> str:
    """For reading `tables`, those without a schema in `schema`; a pattern stands for all tables of its schema, now and later.

    PostgreSQL has no grant on all schemas but `pg_read_all_data`, which a pattern in the schema's place gives.
    """
    role, database = quoted(url.username or "dqmon"), quoted(url.database or "postgres")
    named = sorted({(table.schema or schema, table.name) for table in tables})
    lines = [
        _HEAD.format(database=database),
        f"CREATE ROLE {role} LOGIN CONNECTION LIMIT {connections};",
        f"ALTER ROLE {role} SET default_transaction_read_only = on;",
        f"GRANT CONNECT ON DATABASE {database} TO {role};",
        *_reading(named, role),
        f"\\password {role}",
    ]
    return "\n".join(lines)


def _reading(named: Iterable[tuple[str, str]], role: str) -> Iterator[str]:
    named = tuple(named)
    if any("*" in place for place, _ in named):
        yield f"GRANT pg_read_all_data TO {role};"
        return
    whole = {place for place, name in named if "*" in name}
    for place in sorted({place for place, _ in named}):
        yield f"GRANT USAGE ON SCHEMA {quoted(place)} TO {role};"
        if place in whole:
            yield f"GRANT SELECT ON ALL TABLES IN SCHEMA {quoted(place)} TO {role};"
            yield f"ALTER DEFAULT PRIVILEGES IN SCHEMA {quoted(place)} GRANT SELECT ON TABLES TO {role};"
    for place, name in named:
        if place not in whole:
            yield f"GRANT SELECT ON {quoted(place)}.{quoted(name)} TO {role};"
