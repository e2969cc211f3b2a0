"""What PostgreSQL's catalogue says of all announced tables of a schema in one statement: constraints, estimates, counters of changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dqmon.core.facts import NOTHING_KNOWN, TableFacts, UniqueKey
from dqmon.core.fragment import Fragment
from dqmon.warehouses.base.index_facts import not_null

_ASKED = """
    with held (oid) as materialized (
        select coalesce(a.relid, l.relation) from pg_catalog.pg_locks l
            left join lateral pg_catalog.pg_partition_ancestors(l.relation) a on true
        where l.locktype = 'relation' and l.mode = 'AccessExclusiveLock'
            and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
    ), asked as materialized (
        select c.* from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relname in :names and n.nspname = cast(:schema as text) and c.relkind in ('r', 'p')
            and coalesce(cast(:catalog as text), current_database()) = current_database() and c.oid not in (select oid from held)
    )"""
"""The relations asked about, but for those that somebody locks, or waits to lock, exclusively: their size and partitions are told
only to whoever waits for that lock, too, and nobody else's table may wait for it."""

_COUNTERS = """
        pg_catalog.pg_stat_get_tuples_inserted(c.oid), pg_catalog.pg_stat_get_tuples_updated(c.oid),
        pg_catalog.pg_stat_get_tuples_deleted(c.oid), pg_catalog.pg_relation_filenode(c.oid), pg_catalog.pg_relation_size(c.oid),
        greatest(pg_catalog.pg_postmaster_start_time(), (select pg_catalog.pg_stat_get_db_stat_reset_time(d.oid)
            from pg_catalog.pg_database d where d.datname = current_database()))::text"""
"""Rows inserted, updated and deleted, the file and its size, and since when rows are counted. By functions: the view of all tables'
counters reads all tables for each one that is asked about."""

RELATIONS = f"""{_ASKED}
    select c.relname, c.relkind = 'p', (c.relkind = 'r' and not c.relhassubclass) or (c.relkind = 'p' and not exists (
            select from pg_catalog.pg_partition_tree(c.oid) p join pg_catalog.pg_class f on f.oid = p.relid where f.relkind = 'f')),
        c.reltuples,
        (select json_agg(a.attname) from pg_catalog.pg_attribute a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attnotnull and not exists (
                select from pg_catalog.pg_constraint k
                where k.conrelid = c.oid and k.contype = 'n' and not k.convalidated and a.attnum = any(k.conkey)))::text,
        (select json_agg(json_build_array(x.relname, (
                select json_agg(a.attname) from pg_catalog.pg_attribute a
                where a.attrelid = c.oid and a.attnum = any(i.indkey[0:i.indnkeyatts - 1]))))
            from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid
            where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indisready and i.indislive and i.indimmediate
                and not i.indisexclusion and i.indpred is null and i.indexprs is null and not exists (
                    select from generate_series(0, i.indnkeyatts - 1) as place (n)
                    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[n]
                    join pg_catalog.pg_type t on t.oid = a.atttypid join pg_catalog.pg_opclass o on o.oid = i.indclass[n]
                    left join pg_catalog.pg_collation l on l.oid = a.attcollation
                    where t.typtype = 'd' or not o.opcdefault or (not l.collisdeterministic and i.indcollation[n] <> l.oid)
                        or exists (select from pg_catalog.pg_opclass d where d.opcmethod = o.opcmethod and d.opcdefault
                            and d.opcintype = a.atttypid and d.oid <> o.oid)))::text,
        case when c.reltuples >= cast(:large as real) then (select json_object_agg(s.attname, case
                when s.n_distinct < 0 then -s.n_distinct * c.reltuples else s.n_distinct end)
            from pg_catalog.pg_stats s join pg_catalog.pg_namespace n on n.nspname = s.schemaname
            where n.oid = c.relnamespace and s.tablename = c.relname and s.inherited = (c.relkind = 'p')) end::text,
        c.relkind = 'r' and not c.relhassubclass and not c.relrowsecurity and current_setting('track_counts') = 'on',{_COUNTERS}
    from asked c
"""  # noqa: S608 - all of it is written here
"""Of each table: whether it is partitioned, whether its constraints hold for all of its rows, estimated rows, NOT NULL columns, unique
indexes with their columns, of large ones columns with estimated numbers of distinct values
(https://www.postgresql.org/docs/current/view-pg-stats.html), whether the counters tell all changes, and these.

Left out is what some rows may break: NOT NULL that is not validated (from PostgreSQL 18 on), tables with children, whose rows have
constraints of their own, and with foreign partitions, whose constraints nobody enforces. Of unique indexes those that are not
finished, partial, of expressions, or deferrable: such a one is checked by a trigger, which an owner may disable. Its equality must
be the column's own, which GROUP BY has: the type's default operator class, no domain over another type, and the column's own
collation where texts that differ may be equal. A broken index, as after another system's collations without REINDEX
(https://wiki.postgresql.org/wiki/Locale_data_changes), is not noticed.
"""

LEAVES = f"""{_ASKED}
    select r.relname, n.nspname, c.relname,
        c.relkind = 'r' and not c.relrowsecurity and pg_catalog.has_table_privilege(c.oid, 'select'),{_COUNTERS}
    from asked r cross join lateral pg_catalog.pg_partition_tree(r.oid) tree
        join pg_catalog.pg_class c on c.oid = tree.relid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where r.relkind = 'p' and not r.relrowsecurity and tree.isleaf and current_setting('track_counts') = 'on' order by 1, 2, 3
"""  # noqa: S608 - all of it is written here
"""Of each leaf of a partitioned table: schema, name, whether it is a plain table that may be read alone, and its counters."""

WORTH_DISTINCT = 100_000
"""Estimated rows from which on the planner may choose by distinct values; of smaller tables they are not looked up."""


@dataclass(frozen=True, slots=True)
class Relation:
    """What a row of RELATIONS says of one table."""

    is_partitioned: bool
    facts: TableFacts
    proof: str | None


def relation(row: Sequence[Any]) -> Relation:
    """A row of RELATIONS without its table's name."""
    is_partitioned, is_enforced, *said = row[:6]
    is_counted, *counters = row[6:]
    facts = _facts(*said) if is_enforced else NOTHING_KNOWN
    return Relation(bool(is_partitioned), facts, _proof(counters) if is_counted else None)


def leaves(rows: Sequence[Sequence[Any]]) -> tuple[Fragment, ...]:
    """The rows of LEAVES of one table as its fragments; none when one of them cannot be read alone."""
    if not all(is_readable for _, _, is_readable, *_ in rows):
        return ()
    return tuple(Fragment(f"{schema}.{name}", (schema, name), _proof(counters)) for schema, name, _, *counters in rows)


def _facts(rows: float, columns: str | None, keys: str | None, distinct: str | None) -> TableFacts:
    known = not_null(_read(columns))
    unique = (UniqueKey(f"unique index {index} ({', '.join(names)})", frozenset(names)) for index, names in _read(keys))
    about = {name: int(count) for name, count in dict(_read(distinct)).items()}
    return TableFacts(about_rows=int(rows) if rows >= 0 else None, columns=known, keys=tuple(unique), about_distinct=about)


def _proof(counters: Sequence[Any]) -> str | None:
    """The change counters and the file in words; None when one is not known."""
    if None in counters:
        return None
    inserted, updated, deleted, file, size, since = counters
    return f"{inserted} rows inserted, {updated} updated, {deleted} deleted since {since}, in file {file} of {size} bytes"


def _read(text: str | None) -> Any:
    return () if text is None else json.loads(text)
