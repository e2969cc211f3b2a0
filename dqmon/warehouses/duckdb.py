"""DuckDB files, and Parquet, CSV and JSON files as tables; read-only, with no way out to other files."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from time import monotonic, sleep
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.core.capabilities import Capabilities, Said
from dqmon.core.table import TableRef
from dqmon.errors import ConnectFailed, WarehouseBusy, WarehouseError
from dqmon.warehouses.base import SqlWarehouse
from dqmon.warehouses.base.duckdb_files import locks
from dqmon.warehouses.base.duckdb_options import DuckdbOptions
from dqmon.warehouses.base.duckdb_session import DuckdbSession
from dqmon.warehouses.base.duckdb_tables import needs_store
from dqmon.warehouses.base.object_store import ObjectStore
from dqmon.warehouses.base.session import missing_file, one_line
from dqmon.warehouses.base.writer import Place, SqlWriter

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

LOOK_AGAIN_S = 0.1
"""Between two looks at a file that somebody writes to."""


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
