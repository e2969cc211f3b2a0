"""One connection to DuckDB: its catalogue, the tables of `files:` made when they are first needed, what proves them unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.fragment import Fragment
from dqmon.core.past_rows import PastRows
from dqmon.core.table import Column, TableRef
from dqmon.errors import TableMissing, WarehouseError
from dqmon.warehouses.base.deadline import Deadline
from dqmon.warehouses.base.duckdb_catalogue import COLUMNS, CONSTRAINTS, VIEWS, Tables, columns, group_of, tables
from dqmon.warehouses.base.duckdb_errors import query_error
from dqmon.warehouses.base.duckdb_options import DuckdbOptions
from dqmon.warehouses.base.duckdb_tables import FileTables
from dqmon.warehouses.base.names import quoted
from dqmon.warehouses.base.session import SqlSession
from dqmon.warehouses.base.stamps import files_proof

if TYPE_CHECKING:
    from datetime import datetime

    from dqmon.warehouses.duckdb import Duckdb

_SINGLY = 15
"""Tables whose columns are looked up one by one, 1 ms each; those of more tables are read with all others' at once (COLUMNS)."""


class DuckdbSession(SqlSession):
    """One connection."""

    # Views over files are temporary, so that they need no right to write; DuckDB finds them under `main`. `dq_lake_…` ones are hidden.
    tables_sql = (
        "select schema_name, table_name, false from duckdb_tables() where not internal and database_name = current_database() "
        "and schema_name = coalesce(:schema, schema_name) union all select schema_name, view_name, not temporary from duckdb_views() "
        "where not internal and database_name in (current_database(), 'temp') and schema_name = coalesce(:schema, schema_name) "
        "and not (temporary and starts_with(view_name, 'dq_lake_'))"
    )
    # duckdb_columns() takes 15 ms, since it binds all of the engine's own views; this takes 0.3 ms.
    columns_sql = 'select name, type, not "notnull" from pragma_table_info(:path) order by cid'

    def __init__(self, connection: sa.Connection, warehouse: Duckdb) -> None:
        super().__init__(connection, warehouse)
        options: DuckdbOptions = warehouse.options
        self._files = FileTables(options, warehouse.store, self.driver, self._asked)
        self._path = Path(options.path) if options.path else None
        self._constraints: Tables | None = None
        self._views: frozenset[tuple[str, str]] | None = None

    def fetch(self, statement: sa.Select[tuple[object, ...]], timeout_s: float) -> Sequence[tuple[object, ...]]:
        """As every session's; a table of `files:` that the statement names is made first."""
        if self._files.is_waiting():
            with self._in_words(timeout_s):
                self._files.make_named(str(statement.compile(dialect=self.connection.dialect)))
        try:
            return super().fetch(statement, timeout_s)
        except TableMissing as e:
            if known := self._files.why(str(e)):
                raise known from e
            raise

    def tables(self, schema: str | None) -> tuple[tuple[TableRef, bool], ...]:
        """As every session's; of `files:` those that can be read."""
        with self._in_words(self.timeout_s):
            self._files.make_all()
        return super().tables(schema)

    def columns(self, table: TableRef) -> tuple[Column, ...]:
        """As every session's; a table of `files:` that cannot be read says why."""
        if table in self._files:
            with self._in_words(self.timeout_s):
                self._files.made(table.name)
        return super().columns(table)

    def fold(self, name: str) -> str:
        """DuckDB does not tell letters' case."""
        return name.lower()

    def column_rows(self, catalog: str | None, schema: str, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """Of many tables from the rows of all, else by the quoted path of each."""
        of_all = columns(self._asked(COLUMNS, {})) if len(names) >= _SINGLY and catalog is None else {}
        for name in names:
            if TableRef(self.name, catalog, schema, name) in self._files:
                with suppress(WarehouseError):
                    self._files.made(name)
                found: Sequence[Any] | None = None
            else:
                found = of_all.get((schema.lower(), name.lower()))
            if found is None:
                path = ".".join(quoted(part) for part in (catalog, schema, name) if part is not None)
                with suppress(TableMissing):
                    found = self._asked(self.columns_sql, {"path": path})
            yield from ((name, *row) for row in found or ())

    def unchanged_proof(self, table: TableRef) -> str | None:
        """By the files or the log of a table of `files:`, else by the database's file with its write-ahead log. Nothing of other views."""
        if table in self._files:
            return self._files.unchanged_proof(table)
        if self._views is None:
            self._views = frozenset((schema, name) for schema, name in self._asked(VIEWS, {}))
        if self._path is None or self._key(table) in self._views:
            return None
        return files_proof((self._path, self._path.with_name(f"{self._path.name}.wal")))

    def fragments(self, table: TableRef) -> tuple[Fragment, ...]:
        """The files of a table of `files:`."""
        return self._files.fragments(table) if table in self._files else ()

    def facts(self, table: TableRef) -> TableFacts:
        """Of a table of `files:` by its log or its footers, else by the constraints of the catalogue; nothing of views."""
        if table in self._files:
            return self._files.facts(table, self.columns(table))
        if self._constraints is None:
            self._constraints = tables(self._asked(CONSTRAINTS, {}))
        return self._constraints.get(self._key(table), NOTHING_KNOWN) if table.catalog is None else NOTHING_KNOWN

    def past_rows(self, table: TableRef, since: datetime) -> PastRows:
        """Of a lake table of `files:` by its log."""
        if table not in self._files:
            return super().past_rows(table, since)
        with self._in_words(self.timeout_s):
            return self._files.past_rows(table, since)

    def _asked(self, sql: str, values: dict[str, Any]) -> Sequence[Any]:
        return self._rows(sa.text(sql), values, self.timeout_s)

    def _key(self, table: TableRef) -> tuple[str, str]:
        return (table.schema or self.default_schema).lower(), table.name.lower()

    def column(self, position: int, row: Sequence[Any]) -> Column:
        """The group follows DuckDB's type name; enums are texts."""
        name, kind, nullable = row
        return Column(str(name), str(kind), group_of(str(kind)), bool(nullable), position)

    def deadline(self, timeout_s: float) -> Deadline:
        """Interrupts the statement; DuckDB has no limit of its own."""
        return Deadline((timeout_s, self.driver.interrupt))

    def translate(self, error: Exception, timeout_s: float) -> WarehouseError:
        """By the class of DuckDB's error."""
        del timeout_s
        return query_error(error)
