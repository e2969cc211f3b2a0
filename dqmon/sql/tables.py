"""Tables in FROM: catalog, schema and name quoted apart, whatever they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from dqmon.core.table import Column, TableRef
from dqmon.sql.columns import Stored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.sql.compiler import SQLCompiler


class NamedTable(sa.TableClause):
    """A table of a warehouse. SQLAlchemy's own has no catalog, and some dialects split a schema at its dots."""

    inherit_cache = False

    def __init__(self, ref: TableRef) -> None:
        super().__init__(ref.name)
        self.parts = tuple(part for part in (ref.catalog, ref.schema, ref.name) if part is not None)


@compiles(NamedTable)
def _quoted(element: NamedTable, compiler: SQLCompiler, *, asfrom: bool = False, ashint: bool = False, **kw: Any) -> str:
    del kw
    # Always quoted: DuckDB's and PostgreSQL's lists of words that need it differ.
    quote = compiler.preparer.quote_identifier
    return ".".join(map(quote, element.parts)) if asfrom or ashint else ""


def typed(columns: Mapping[str, Column], zone: str) -> dict[str, sa.ColumnElement[Any]]:
    """The elements of found columns (`columns.resolve`), by the names they were asked for."""
    return {
        name: sa.column(sa.sql.quoted_name(column.name, quote=True), Stored(column.group, zone, column.name))
        for name, column in columns.items()
    }
