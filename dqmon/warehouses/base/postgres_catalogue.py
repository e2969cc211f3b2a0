"""What PostgreSQL's catalogue says of a table: constraints that hold for every row that anybody can see, and estimates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dqmon.core.facts import ColumnFacts, TableFacts, UniqueKey

CONSTRAINTS = """
    select c.reltuples,
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
                            and d.opcintype = a.atttypid and d.oid <> o.oid)))::text
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relname = cast(:name as text) and n.nspname = cast(:schema as text)
        and coalesce(cast(:catalog as text), current_database()) = current_database() and (
            (c.relkind = 'r' and not c.relhassubclass) or (c.relkind = 'p' and not exists (
                select from pg_catalog.pg_partition_tree(c.oid) p join pg_catalog.pg_class f on f.oid = p.relid where f.relkind = 'f')))
"""
"""Estimated rows, NOT NULL columns, and unique indexes with their columns; no row for other relations.

Left out is what some rows may break: NOT NULL that is not validated (from PostgreSQL 18 on), tables with children, whose rows have
constraints of their own, and with foreign partitions, whose constraints nobody enforces. Of unique indexes those that are not
finished, partial, of expressions, or deferrable: such a one is checked by a trigger, which an owner may disable. Its equality must
be the column's own, which GROUP BY has: the type's default operator class, no domain over another type, and the column's own
collation where texts that differ may be equal. A broken index, as after another system's collations without REINDEX
(https://wiki.postgresql.org/wiki/Locale_data_changes), is not noticed.
"""


DISTINCT = """
    select s.attname, case when s.n_distinct < 0 then -s.n_distinct * greatest(c.reltuples, 0) else s.n_distinct end
    from pg_catalog.pg_stats s join pg_catalog.pg_namespace n on n.nspname = s.schemaname
    join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = s.tablename
    where s.tablename = cast(:name as text) and s.schemaname = cast(:schema as text) and s.inherited = (c.relkind = 'p')
"""
"""Columns and estimated numbers of their distinct values; a negative one is a share of the rows
(https://www.postgresql.org/docs/current/view-pg-stats.html)."""


def table_facts(row: Sequence[Any]) -> TableFacts:
    """The facts that a row of CONSTRAINTS tells."""
    rows, columns, keys = row
    known = {name: ColumnFacts(f"{name} is NOT NULL", nulls=0) for name in _read(columns)}
    unique = tuple(UniqueKey(f"unique index {index} ({', '.join(names)})", frozenset(names)) for index, names in _read(keys))
    return TableFacts(about_rows=int(rows) if rows >= 0 else None, columns=known, keys=unique)


def _read(text: str | None) -> Any:
    return () if text is None else json.loads(text)
