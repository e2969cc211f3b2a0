"""Tables in FROM: catalog, schema and name quoted apart, whatever they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from dqmon.core.fragment import Fragment
from dqmon.core.table import Column, TableRef
from dqmon.sql.columns import Stored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


class SampledTable(NamedTable):
    """About so many percent of a table's rows: blocks of them, chosen by chance anew in each statement."""

    inherit_cache = False

    def __init__(self, ref: TableRef, percent: float) -> None:
        super().__init__(ref)
        self.percent = percent


@compiles(SampledTable)
def _sampled(element: SampledTable, compiler: SQLCompiler, **kw: Any) -> str:
    table = _quoted(element, compiler, **kw)
    return table and f"{table} TABLESAMPLE SYSTEM ({element.percent:g})"


@compiles(SampledTable, "duckdb")
def _sampled_percent(element: SampledTable, compiler: SQLCompiler, **kw: Any) -> str:
    """A plain number is one of rows there (https://duckdb.org/docs/stable/sql/samples)."""
    table = _quoted(element, compiler, **kw)
    return table and f"{table} TABLESAMPLE SYSTEM ({element.percent:g} PERCENT)"


class FragmentedTable(sa.TableClause):
    """Some fragments of a table as one: the table's columns by its types, and `dq_fragment`, the fragment's name."""

    inherit_cache = False

    def __init__(self, ref: TableRef, fragments: Sequence[Fragment], columns: Sequence[Column]) -> None:
        super().__init__(ref.name)
        self.fragments = fragments
        self.stored = columns


FRAGMENT = "dq_fragment"


@compiles(FragmentedTable)
def _union(element: FragmentedTable, compiler: SQLCompiler, *, asfrom: bool = False, ashint: bool = False, **kw: Any) -> str:
    del kw
    quote = compiler.preparer.quote_identifier
    names = ", ".join(quote(column.name) for column in element.stored)
    tables = ((fragment.name, ".".join(map(quote, fragment.place))) for fragment in element.fragments)
    selects = (f"SELECT {names}, {_text(name)} AS {FRAGMENT} FROM {table}" for name, table in tables)  # noqa: S608 - quoted
    return f"({' UNION ALL '.join(selects)}) AS {quote(element.name)}" if asfrom or ashint else ""


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def typed(columns: Mapping[str, Column], zone: str) -> dict[str, sa.ColumnElement[Any]]:
    """The elements of found columns (`columns.resolve`), by the names they were asked for."""
    return {
        name: sa.column(sa.sql.quoted_name(column.name, quote=True), Stored(column.group, zone, column.name, column.type))
        for name, column in columns.items()
    }
