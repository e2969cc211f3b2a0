"""What ClickHouse's system tables say of tables: types, and of MergeTree tables the parts that they are made of.

| said | taken as |
|---|---|
| rows of the active parts of a MergeTree table | exact, unless a lightweight DELETE hides some of them, or the user's `final` is on |
| `hash_of_all_files` of these parts | a proof that no row changed, see `proof` |
| a type that is not Nullable | no NULL |
| PRIMARY KEY, ORDER BY | nothing: neither is unique |
| `modification_time` of parts | nothing: merges, which change no row, move it |
| `system.tables.total_rows` | nothing: rows that a lightweight DELETE took away still count |
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dqmon.core.facts import ColumnFacts, TableFacts
from dqmon.core.table import Column, TypeGroup

PARTS = """
    select t.name, t.engine, substring(lower(hex(MD5(t.create_table_query))), 1, 16), getSetting('final'),
        coalesce(p.parts, 0), coalesce(p.rows, 0), coalesce(p.masked, 0), coalesce(p.content, ''),
        coalesce(c.aliases, 0), coalesce(c.computed, 0), coalesce(s.stored, 0)
    from system.tables as t
    left join (
        select table, count() as parts, sumIf(rows, not startsWith(name, 'patch-')) as rows, max(has_lightweight_delete) as masked,
            lower(hex(MD5(arrayStringConcat(arraySort(groupArray(hash_of_all_files)))))) as content
        from system.parts where database = :schema and table in :names and active group by table
    ) as p on p.table = t.name
    left join (
        select table, countIf(default_kind = 'ALIAS') as aliases, countIf(default_kind in ('DEFAULT', 'MATERIALIZED')) as computed
        from system.columns where database = :schema and table in :names and position(default_expression, '(') > 0 group by table
    ) as c on c.table = t.name
    left join (
        select table, count() as stored from system.parts_columns
        where database = :schema and table in :names and active and (table, column) in (
            select table, name from system.columns where database = :schema and table in :names
            and default_kind in ('DEFAULT', 'MATERIALIZED') and position(default_expression, '(') > 0
        ) group by table
    ) as s on s.table = t.name
    where t.database = :schema and t.name in :names and :catalog is null and endsWith(t.engine, 'MergeTree')
"""
"""Of each MergeTree table among `:names`: name, then what a Parts holds."""

_WRAPPED = re.compile(r"(Nullable|LowCardinality)\((.*)\)|SimpleAggregateFunction\(\w+(?:\([^()]*\))?, (.*)\)")

_GROUPS = {
    "String": TypeGroup.TEXT,
    "Bool": TypeGroup.BOOLEAN,
    **dict.fromkeys(("Float32", "Float64", "BFloat16"), TypeGroup.FLOAT),
    **dict.fromkeys((f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64, 128, 256)), TypeGroup.INTEGER),
    **dict.fromkeys(("Date", "Date32"), TypeGroup.DATE),
}


@dataclass(frozen=True, slots=True)
class Parts:
    """What a MergeTree table is made of: number of parts and their rows, and whether all that it shows stands in them.

    definition: a hash of its DDL. masked: rows of some parts are deleted, but not yet gone. content: a hash of all files. aliases,
    computed, stored: columns whose values functions make when they are read, and how many parts of the latter ones have them written
    down.
    """

    engine: str
    definition: str
    is_final: bool
    parts: int
    rows: int
    masked: int
    content: str
    aliases: int
    computed: int
    stored: int


def proof(found: Parts) -> str | None:
    """By the contents of all files; None for replicated tables, since the next statement may be answered by a replica that is behind.

    None also where a value may change although no file does: columns that a function makes when they are read.
    """
    if found.engine.startswith(("Replicated", "Shared")) or found.aliases or found.stored != found.computed * found.parts:
        return None
    return f"{found.rows} rows in {found.parts} parts, files {found.content}, defined as {found.definition}"


def table_facts(found: Parts, columns: Iterable[Column]) -> TableFacts:
    """Rows, and columns that have no NULL."""
    known = {c.name: ColumnFacts(f"{c.name} is not Nullable", nulls=0) for c in columns if not c.nullable}
    if found.masked or found.is_final:
        return TableFacts(about_rows=found.rows, columns=known)
    return TableFacts(rows=found.rows, rows_because="rows of the active parts in system.parts", about_rows=found.rows, columns=known)


def column(position: int, row: Sequence[Any]) -> Column:
    """Of (name, type); the type without what only says how it is kept."""
    name, kind = map(str, row)
    nullable = kind.startswith(("Variant(", "Dynamic"))
    while wrapped := _WRAPPED.fullmatch(kind):
        nullable |= wrapped[1] == "Nullable"
        kind = wrapped[2] or wrapped[3]
    return Column(name, kind, _group(kind), nullable, position)


def _group(kind: str) -> TypeGroup:
    word, _, inside = kind.partition("(")
    if word == "Decimal":
        return TypeGroup.DECIMAL
    if word in ("DateTime", "DateTime64"):
        # All are moments; those without a zone are shown in one that the server chooses.
        return TypeGroup.TIMESTAMP_ZONED if "'" in inside else TypeGroup.TIMESTAMP
    return _GROUPS.get(kind, TypeGroup.OTHER)
