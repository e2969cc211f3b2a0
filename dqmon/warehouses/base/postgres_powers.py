"""What a PostgreSQL role may do besides reading: dqmon's transactions are read-only, but the role should not be able to write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

# `me` is without the superuser, of whom one line says all. The predefined roles are those that write, run programs or end the work
# of others: https://www.postgresql.org/docs/current/predefined-roles.html
POWERS = """
with me as (select * from pg_catalog.pg_roles where rolname = current_user and not rolsuper),
schemas as (select n.* from pg_catalog.pg_namespace n, me where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'),
tables as (
    select c.oid, n.nspname || '.' || c.relname as name, pg_catalog.pg_has_role(c.relowner, 'usage') as is_mine
    from pg_catalog.pg_class c join schemas n on n.oid = c.relnamespace where c.relkind in ('r', 'v', 'm', 'f', 'p')
),
found (place, what, name) as (
    select 1, 'do everything: it is a superuser', null from pg_catalog.pg_roles where rolname = current_user and rolsuper
    union all select 2, 'make roles', null from me where rolcreaterole
    union all select 3, 'make databases', null from me where rolcreatedb
    union all select 4, 'replicate', null from me where rolreplication
    union all select 5, 'act as', r.rolname from pg_catalog.pg_roles r, me where pg_catalog.pg_has_role(r.oid, 'member') and r.rolname in (
        'pg_write_all_data', 'pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files', 'pg_maintain',
        'pg_signal_backend', 'pg_create_subscription', 'pg_database_owner')
    union all select 6, 'make schemas in database', current_database()
    from me where pg_catalog.has_database_privilege(current_database(), 'create')
    union all select 7, 'make tables in schema', nspname from schemas where pg_catalog.has_schema_privilege(oid, 'create')
    union all select 8, 'change and drop, as its owner,', name from tables where is_mine
    union all select 9, 'write into', name from tables
    where not is_mine and pg_catalog.has_table_privilege(oid, 'insert, update, delete, truncate')
)
select what, count(name), (array_agg(name order by name))[1:3] from found group by place, what order by place
"""
"""What the role may do, to how many things, and the names of the first three."""


def in_words(rows: Iterable[Sequence[Any]]) -> tuple[str, ...]:
    """The answer to POWERS, a line each: `write into public.items, public.orders, public.users and 4 more`."""
    return tuple(_line(what, count, [name for name in names if name is not None]) for what, count, names in rows)


def _line(what: str, count: int, names: Sequence[str]) -> str:
    more = f" and {count - len(names):,} more" if count > len(names) else ""
    return " ".join((what, ", ".join(names))).strip() + more
