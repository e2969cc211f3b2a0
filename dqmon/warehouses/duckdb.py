"""DuckDB files, and Parquet, CSV and JSON files as tables; read-only, with no way out to other files."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.core.capabilities import Capabilities, Said
from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.fragment import Fragment
from dqmon.core.past_rows import PastRows
from dqmon.core.table import Column, TableRef
from dqmon.errors import ConnectFailed, TableMissing, WarehouseBusy, WarehouseError
from dqmon.warehouses.base import Deadline, SqlSession, SqlWarehouse
from dqmon.warehouses.base.duckdb_catalogue import COLUMNS, CONSTRAINTS, VIEWS, Tables, columns, group_of, tables
from dqmon.warehouses.base.duckdb_errors import query_error
from dqmon.warehouses.base.duckdb_files import locks, quoted_name
from dqmon.warehouses.base.duckdb_options import DuckdbOptions
from dqmon.warehouses.base.duckdb_tables import FileTables, needs_store
from dqmon.warehouses.base.object_store import ObjectStore
from dqmon.warehouses.base.session import missing_file, one_line
from dqmon.warehouses.base.stamps import files_proof
from dqmon.warehouses.base.writer import Place, SqlWriter

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry


LOOK_AGAIN_S = 0.1
"""Between two looks at a file that somebody writes to."""

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
                path = ".".join(quoted_name(part) for part in (catalog, schema, name) if part is not None)
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


class Duckdb(SqlWarehouse):
    """A DuckDB file, files as tables, or both. The file is opened for each batch and freed after it."""

    type: ClassVar[str] = "duckdb"
    Options = DuckdbOptions
    standard_schema = "main"
    was_run = "DuckDB itself, in all tests."
    example = MappingProxyType({"path": "data/warehouse.duckdb"})
    capabilities = Capabilities(
        max_expressions=1_000,
        max_parameters=10_000,
        is_file=True,
        is_columnar=True,
        has_samples=True,
        key_ways=frozenset(("ordered", "bitmap", "hashes")),
        grammar="duckdb",
        # Tried with 2.0: after a delete of every third row estimated_size was that of before, and stayed so after a checkpoint.
        row_count=Said(is_exact=False, because="DuckDB's estimated_size counts deleted rows, too; of Parquet files the footers tell"),
        last_change=Said(is_exact=False, because="the file's time is that of its last change of any table"),
    )

    def __init__(self, name: str, options: DuckdbOptions) -> None:
        super().__init__(name, options)
        self._configuring = threading.Lock()
        self.store = ObjectStore(options.s3, options.connect_timeout, self.timeout_s)

    def create_engine(self) -> sa.Engine:
        """One connection an `open`."""
        engine = sa.create_engine("duckdb://", creator=self._opened, poolclass=sa.NullPool)
        sa.event.listen(engine, "connect", self._lock_down)
        return engine

    def session(self, connection: sa.Connection) -> DuckdbSession:
        """The session of one connection."""
        return DuckdbSession(connection, self)

    @property
    def _path(self) -> Path | None:
        return Path(self.options.path) if self.options.path else None

    def _opened(self) -> Any:
        """As the dialect makes it, which would open a second database in memory, for 20 ms, to ask for the names of settings."""
        from duckdb_engine import ConnectionWrapper

        return ConnectionWrapper(self._connected())

    def _connected(self) -> Any:
        """The driver's connection."""
        import duckdb

        config: Any = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
        path, is_file = self.options.path or ":memory:", self.options.path is not None
        until = monotonic() + self.options.connect_timeout
        while True:
            try:
                return duckdb.connect(path, read_only=is_file, config=config)
            except duckdb.IOException as e:
                # SQLite's driver waits for a writer by itself; DuckDB's does not.
                if "Could not set lock" not in str(e) or monotonic() > until:
                    raise
            sleep(LOOK_AGAIN_S)

    def writer(self, schema: str, instance: str) -> SqlWriter:
        """The file is opened for each batch, and made when it is not there. Keys are not declared: within a transaction DuckDB takes
        a row that was deleted for one that is there (https://duckdb.org/docs/stable/sql/indexes#over-eager-constraint-checking).
        """
        engine = sa.create_engine("duckdb://", creator=self._opened_to_write, poolclass=sa.NullPool, hide_parameters=True)
        return SqlWriter(Place(engine, schema, instance, self.connect_error, is_keyed=False))

    def _opened_to_write(self) -> Any:
        import duckdb
        from duckdb_engine import ConnectionWrapper

        if self.options.path is None:
            raise ConnectFailed(f"{self.name}: it has no `path:`, and files are not written to")
        return ConnectionWrapper(duckdb.connect(self.options.path))

    def grants(self, tables: Iterable[TableRef]) -> str:
        """None: whoever may read the file may read all of it."""
        del tables
        return ""

    def connect_error(self, error: Exception) -> WarehouseError:
        """No file, a file that another process holds, or one that is no database."""
        words = one_line(error)
        if self._path is not None and not self._path.is_file():
            return ConnectFailed(missing_file(self.name, self._path))
        if "lock" in words or "different configuration" in words:
            return WarehouseBusy(f"{self.name}: {self._path} is held by somebody who writes: {words}")
        return ConnectFailed(f"{self.name}: {self._path or 'DuckDB'} cannot be opened: {words}")

    def _lock_down(self, connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        """Shuts all files but the declared ones off, all settings and all extensions.

        Connections of one process to one path share their settings, so that only the first one can make them.
        """
        del record
        driver: Any = connection
        tables = self.options.tables.values() if self.options.files else ()
        with self._configuring:
            if driver.execute("select current_setting('lock_configuration')").fetchall() == [(False,)]:
                if needs_store(tables):
                    driver.register_filesystem(self.store.sealed)
                for statement in locks(tables):
                    driver.execute(statement)
