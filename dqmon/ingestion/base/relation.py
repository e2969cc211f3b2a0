"""A tool's name of a table as check files write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.core.table import TableRef

if TYPE_CHECKING:
    from dqmon.core.protocols import Warehouse


def relation(warehouse: Warehouse, catalog: str | None, schema: str | None, name: str, statement: str = "") -> TableRef:
    """The table of the warehouse that the tool calls so; without a schema it is in the warehouse's own.

    `statement` is how the tool writes the name in SQL: there it says which parts are in quotes. That matters where other names are stored
    in capitals (Snowflake, Oracle), which check files write in small letters. The catalog stands only if it is not the warehouse's own;
    an engine without `default_catalog` sees one only, so that none is written.
    """
    is_capital = warehouse.dialect.requires_name_normalize

    def written(part: str) -> str:
        if not is_capital:
            return part
        stored = part if f'"{part}"' in statement else part.upper()
        if stored == stored.upper():
            return stored.lower()
        return f'"{stored}"' if stored == stored.lower() else stored

    own: str | None = getattr(warehouse, "default_catalog", None)
    other = written(catalog) if catalog and own and written(catalog).lower() != own.lower() else None
    return TableRef(warehouse.name, other, written(schema) if schema else warehouse.default_schema, written(name))
