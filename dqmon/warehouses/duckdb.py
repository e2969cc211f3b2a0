"""DuckDB files, and Parquet, CSV and JSON files as tables; read-only, with no way out to other files."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from pydantic import Field, field_validator, model_validator

from dqmon.core.capabilities import Capabilities
from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.fragment import Fragment
from dqmon.core.options import ProjectPath, WarehouseOptions
from dqmon.core.table import Column, TableRef
from dqmon.errors import ConnectFailed, PermissionDenied, TableMissing, WarehouseBusy, WarehouseError
from dqmon.warehouses.base import Deadline, SqlSession, SqlWarehouse
from dqmon.warehouses.base.duckdb_catalogue import COLUMNS, CONSTRAINTS, VIEWS, Tables, columns, group_of, tables
from dqmon.warehouses.base.duckdb_files import READERS, folder_of, kind_of, make_view, quoted_name, quoted_text
from dqmon.warehouses.base.parquet_footers import FILES, chunks_sql, footers, is_worth
from dqmon.warehouses.base.session import missing_file, one_line, refused
from dqmon.warehouses.base.stamps import files_proof

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry


_SINGLY = 15
"""Tables whose columns are looked up one by one, 1 ms each, before those of all tables are read at once."""


class DuckdbOptions(WarehouseOptions):
    """path: the database file. files: table name → file, or pattern of files, that is read as a table. One of both is needed."""

    path: ProjectPath | None = None
    files: dict[str, ProjectPath] = Field(default_factory=dict)

    @field_validator("files")
    @classmethod
    def _known(cls, files: dict[str, str]) -> dict[str, str]:
        for file in files.values():
            if kind_of(file) not in READERS:
                raise ValueError(f"{file!r} ends in none of {', '.join(READERS)} (or these with .gz)")
        return files

    @model_validator(mode="after")
    def _some(self) -> DuckdbOptions:
        if self.path is None and not self.files:
            raise ValueError("give `path:`, the database file, or `files:`, tables that are files")
        return self


class DuckdbSession(SqlSession):
    """One connection."""

    # Views over files are temporary, so that they need no right to write; DuckDB finds them under `main`.
    tables_sql = (
        "select schema_name, table_name, false from duckdb_tables() where not internal and database_name = current_database() "
        "and schema_name = coalesce(:schema, schema_name) union all select schema_name, view_name, not temporary from duckdb_views() "
        "where not internal and database_name in (current_database(), 'temp') and schema_name = coalesce(:schema, schema_name)"
    )
    # duckdb_columns() takes 15 ms, since it binds all of the engine's own views; this takes 0.3 ms.
    columns_sql = 'select name, type, not "notnull" from pragma_table_info(:path) order by cid'

    def __init__(self, connection: sa.Connection, warehouse: Duckdb) -> None:
        super().__init__(connection, warehouse)
        self._unreadable: dict[str, str] = connection.info["unreadable"]
        self._files: dict[str, str] = warehouse.options.files
        self._path = Path(warehouse.options.path) if warehouse.options.path else None
        self._tables: Tables | None = None
        self._views: frozenset[tuple[str, str]] | None = None
        self._of_all: Mapping[tuple[str, str], Sequence[Any]] = {}
        self._look_ups = 0

    def columns(self, table: TableRef) -> tuple[Column, ...]:
        """As every session's, of many tables at once; a table whose file cannot be read says so."""
        if table.name in self._unreadable:
            raise TableMissing(f"table {table.name!r} cannot be read from its file: {self._unreadable[table.name]}")
        self._look_ups += 1
        if self._look_ups == _SINGLY:
            self._of_all = columns(self._rows(sa.text(COLUMNS), {}, self.timeout_s))
        found = self._of_all.get(self._key(table)) if table.catalog is None and table.name not in self._files else None
        if found is None:
            return super().columns(table)
        return tuple(self.column(position, row) for position, row in enumerate(found, start=1))

    def _key(self, table: TableRef) -> tuple[str, str]:
        return (table.schema or self.default_schema).lower(), table.name.lower()

    def column_rows(self, catalog: str | None, schema: str, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """By the quoted path of each table."""
        for name in names:
            path = ".".join(quoted_name(part) for part in (catalog, schema, name) if part is not None)
            with suppress(TableMissing):
                yield from ((name, *row) for row in self._rows(sa.text(self.columns_sql), {"path": path}, self.timeout_s))

    def unchanged_proof(self, table: TableRef) -> str | None:
        """By the files: of a table of `files:` its own, else the database's with its write-ahead log. Nothing of other views."""
        own = self._files.get(table.name) if table.schema in (None, "main") else None
        if own is not None:
            found = self._rows(sa.text("select file from glob(:pattern)"), {"pattern": own}, self.timeout_s)
            return files_proof(Path(str(file)) for (file,) in found)
        if self._views is None:
            self._views = frozenset((schema, name) for schema, name in self._rows(sa.text(VIEWS), {}, self.timeout_s))
        if self._path is None or self._key(table) in self._views:
            return None
        return files_proof((self._path, self._path.with_name(f"{self._path.name}.wal")))

    def fragments(self, table: TableRef) -> tuple[Fragment, ...]:
        """The Parquet files of a table of `files:`; of other kinds the types depend on what all files hold together."""
        pattern = self._files.get(table.name) if table.schema in (None, "main") else None
        if pattern is None or kind_of(pattern) != "parquet":
            return ()
        found = self._rows(sa.text("select file from glob(:pattern) order by 1"), {"pattern": pattern}, self.timeout_s)
        return tuple(Fragment(file, (file,), files_proof((Path(file),))) for (file,) in found)

    def facts(self, table: TableRef) -> TableFacts:
        """Of a table of `files:` by the footers of its Parquet files, else by the constraints of the catalogue; nothing of views."""
        schema, name = self._key(table)
        if schema == "main" and name in map(str.lower, self._files):
            file = self._files.get(table.name, "")
            return self._footers(self.columns(table), file) if kind_of(file) == "parquet" else NOTHING_KNOWN
        if self._tables is None:
            self._tables = tables(self._rows(sa.text(CONSTRAINTS), {}, self.timeout_s))
        return self._tables.get((schema, name), NOTHING_KNOWN) if table.catalog is None else NOTHING_KNOWN

    def _footers(self, columns: Sequence[Column], pattern: str) -> TableFacts:
        (files,) = self._rows(sa.text(FILES), {"files": pattern}, self.timeout_s)
        chunks = self._rows(sa.text(chunks_sql()), {"files": pattern}, self.timeout_s) if is_worth(files, columns) else ()
        return footers(files, chunks, columns)

    def column(self, position: int, row: Sequence[Any]) -> Column:
        """The group follows DuckDB's type name; enums are texts."""
        name, kind, nullable = row
        return Column(str(name), str(kind), group_of(str(kind)), bool(nullable), position)

    def deadline(self, timeout_s: float) -> Deadline:
        """Interrupts the statement; DuckDB has no limit of its own."""
        return Deadline((timeout_s, self.driver.interrupt))

    def translate(self, error: Exception, timeout_s: float) -> WarehouseError:
        """By the class of DuckDB's error."""
        import duckdb

        del timeout_s
        match getattr(error, "orig", None) or error:
            case duckdb.Error() as refusal if isinstance(refusal, duckdb.PermissionException) or "read-only mode" in str(refusal):
                return PermissionDenied(f"only reading is allowed: {one_line(error)}")
            case duckdb.Error() if re.match(r"\w+ Error: (Table|Catalog|Schema) .* does not exist", one_line(error)):
                return TableMissing(one_line(error))
            case duckdb.ConnectionException() | duckdb.FatalException():
                return ConnectFailed(one_line(error))
            case _:
                return refused(error)


class Duckdb(SqlWarehouse):
    """A DuckDB file, files as tables, or both. The file is opened for each batch and freed after it."""

    type: ClassVar[str] = "duckdb"
    Options = DuckdbOptions
    standard_schema = "main"
    was_run = "DuckDB itself, in all tests."
    capabilities = Capabilities(
        max_expressions=1_000,
        max_parameters=10_000,
        is_file=True,
        is_columnar=True,
        key_ways=frozenset(("ordered", "bitmap", "hashes")),
        grammar="duckdb",
    )

    def __init__(self, name: str, options: DuckdbOptions) -> None:
        super().__init__(name, options)
        self._configuring = threading.Lock()

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
        """The driver's connection. The dialect would open a second database in memory, for 20 ms, to ask for the names of settings."""
        import duckdb
        from duckdb_engine import ConnectionWrapper

        config: Any = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
        return ConnectionWrapper(duckdb.connect(self.options.path or ":memory:", read_only=self.options.path is not None, config=config))

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
        """Makes the files' views, then shuts all other files, settings and extensions off.

        Connections of one process to one path share their settings, so that only the first one can make them.
        """
        driver: Any = connection
        with self._configuring:
            if driver.execute("select current_setting('lock_configuration')").fetchone() == (False,):
                folders = ", ".join(quoted_text(folder_of(file)) for file in self.options.files.values())
                driver.execute(f"set allowed_directories = [{folders}]")
                driver.execute("set python_enable_replacements = false")
                # Else it is the machine's zone, and conditions mean other rows on another machine.
                driver.execute("set global timezone = 'UTC'")
                driver.execute("set enable_external_access = false")
                driver.execute("set lock_configuration = true")
        record.info["unreadable"] = {
            table: words for table, file in self.options.files.items() if (words := make_view(driver, table, file)) is not None
        }
