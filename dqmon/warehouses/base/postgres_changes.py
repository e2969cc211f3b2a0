"""How PostgreSQL tells whether the rows of a table have changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

COUNTERS = (
    "select s.n_tup_ins, s.n_tup_upd, s.n_tup_del, pg_catalog.pg_relation_filenode(c.oid), pg_catalog.pg_relation_size(c.oid), "
    "greatest(pg_catalog.pg_postmaster_start_time(), d.stats_reset)::text from pg_catalog.pg_class c "
    "join pg_catalog.pg_namespace n on n.oid = c.relnamespace join pg_catalog.pg_stat_all_tables s on s.relid = c.oid "
    "join pg_catalog.pg_stat_database d on d.datname = current_database() where c.relname = cast(:name as text) "
    "and n.nspname = cast(:schema as text) and coalesce(cast(:catalog as text), current_database()) = current_database() "
    "and c.relkind = 'r' and not c.relhassubclass and not c.relrowsecurity and current_setting('track_counts') = 'on'"
)
"""Change counters of a plain table without children, and the file that holds it; no row for other relations."""

LEAVES = (
    "select ln.nspname, l.relname, s.n_tup_ins, s.n_tup_upd, s.n_tup_del, pg_catalog.pg_relation_filenode(l.oid), "
    "pg_catalog.pg_relation_size(l.oid), greatest(pg_catalog.pg_postmaster_start_time(), d.stats_reset)::text, "
    "l.relkind = 'r' and not l.relrowsecurity and pg_catalog.has_table_privilege(l.oid, 'select') from pg_catalog.pg_class c "
    "join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
    "cross join lateral pg_catalog.pg_partition_tree(c.oid) tree join pg_catalog.pg_class l on l.oid = tree.relid "
    "join pg_catalog.pg_namespace ln on ln.oid = l.relnamespace join pg_catalog.pg_stat_all_tables s on s.relid = l.oid "
    "join pg_catalog.pg_stat_database d on d.datname = current_database() where c.relname = cast(:name as text) "
    "and n.nspname = cast(:schema as text) and coalesce(cast(:catalog as text), current_database()) = current_database() "
    "and c.relkind = 'p' and not c.relrowsecurity and tree.isleaf and current_setting('track_counts') = 'on' order by 1, 2"
)
"""Schema, name, change counters and file of each leaf of a partitioned table, and whether it is a plain table that may be read alone."""


def counters_proof(counters: Sequence[Any]) -> str | None:
    """The change counters and the file in words; None when one is not known."""
    if None in counters:
        return None
    inserted, updated, deleted, file, size, since = counters
    return f"{inserted} rows inserted, {updated} updated, {deleted} deleted since {since}, in file {file} of {size} bytes"
