"""DuckDB files, and Parquet, CSV and JSON files as tables; read-only, with no way out to other files."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from pydantic import Field, field_validator, model_validator

from dqmon.core.capabilities import Capabilities
from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.options import ProjectPath, WarehouseOptions
from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.errors import ConnectFailed, PermissionDenied, TableMissing, WarehouseBusy, WarehouseError
from dqmon.warehouses.base import Deadline, SqlSession, SqlWarehouse
from dqmon.warehouses.base.session import missing_file, one_line, refused
from dqmon.warehouses.base.stamps import files_proof

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

_READERS = {
    "parquet": "read_parquet",
    **dict.fromkeys(("csv", "tsv"), "read_csv"),
    **dict.fromkeys(("json", "jsonl", "ndjson"), "read_json"),
}
"""By the ending of the file's name."""

_GROUPS = (
    (r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?", TypeGroup.INTEGER),
    (r"DECIMAL.*", TypeGroup.DECIMAL),
    (r"FLOAT|DOUBLE", TypeGroup.FLOAT),
    (r"VARCHAR|ENUM\(.*", TypeGroup.TEXT),
    (r"BOOLEAN", TypeGroup.BOOLEAN),
    (r"DATE", TypeGroup.DATE),
    (r"TIMESTAMP(_S|_MS|_NS)?", TypeGroup.TIMESTAMP),
    (r"TIMESTAMP WITH TIME ZONE", TypeGroup.TIMESTAMP_ZONED),
)


class DuckdbOptions(WarehouseOptions):
    """path: the database file. files: table name → file, or pattern of files, that is read as a table. One of both is needed."""

    path: ProjectPath | None = None
    files: dict[str, ProjectPath] = Field(default_factory=dict)

    @field_validator("files")
    @classmethod
    def _known(cls, files: dict[str, str]) -> dict[str, str]:
        for file in files.values():
            if _kind(file) not in _READERS:
                raise ValueError(f"{file!r} ends in none of {', '.join(_READERS)} (or these with .gz)")
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

    def columns(self, table: TableRef) -> tuple[Column, ...]:
        """As every session's; a table whose file cannot be read says so."""
        if table.name in self._unreadable:
            raise TableMissing(f"table {table.name!r} cannot be read from its file: {self._unreadable[table.name]}")
        return super().columns(table)

    def place(self, table: TableRef) -> dict[str, str | None]:
        """The quoted path."""
        parts = (table.catalog, table.schema or self.default_schema, table.name)
        return {"path": ".".join(_name(part) for part in parts if part is not None)}

    def unchanged_proof(self, table: TableRef) -> str | None:
        """By the files: of a table of `files:` its own, else the database's with its write-ahead log. Nothing of other views."""
        own = self._files.get(table.name) if table.schema in (None, "main") else None
        if own is not None:
            found = self._rows(sa.text("select file from glob(:pattern)"), {"pattern": own}, self.timeout_s)
            return files_proof(Path(str(file)) for (file,) in found)
        is_view = "select count(*) from duckdb_views() where view_name = :name and schema_name = :schema and not internal"
        if self._path is None or self._rows(sa.text(is_view), {"name": table.name, "schema": table.schema}, self.timeout_s)[0][0]:
            return None
        return files_proof((self._path, self._path.with_name(f"{self._path.name}.wal")))

    def facts(self, table: TableRef) -> TableFacts:
        """About how many rows the table has."""
        about = (
            "select estimated_size from duckdb_tables() where table_name = :name and schema_name = :schema "
            "and database_name = current_database()"
        )
        rows = self._rows(sa.text(about), {"name": table.name, "schema": table.schema or self.default_schema}, self.timeout_s)
        return TableFacts(about_rows=int(rows[0][0])) if rows else NOTHING_KNOWN

    def column(self, position: int, row: Sequence[Any]) -> Column:
        """The group follows DuckDB's type name; enums are texts."""
        name, kind, nullable = row
        group = next((group for pattern, group in _GROUPS if re.fullmatch(pattern, str(kind))), TypeGroup.OTHER)
        return Column(str(name), str(kind), group, bool(nullable), position)

    def deadline(self, timeout_s: float) -> Deadline:
        """Interrupts the statement; DuckDB has no limit of its own."""
        return Deadline((timeout_s, self.driver.interrupt))

    def translate(self, error: Exception, timeout_s: float) -> WarehouseError:
        """By the class of DuckDB's error."""
        import duckdb

        del timeout_s
        match getattr(error, "orig", None) or error:
            case duckdb.PermissionException() | duckdb.InvalidInputException():
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
    capabilities = Capabilities(max_expressions=1_000, max_parameters=10_000, is_file=True, is_columnar=True, grammar="duckdb")

    def __init__(self, name: str, options: DuckdbOptions) -> None:
        super().__init__(name, options)
        self._configuring = threading.Lock()

    def create_engine(self) -> sa.Engine:
        """One connection an `open`."""
        url = sa.URL.create("duckdb", database=self.options.path or ":memory:")
        config = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
        arguments = {"read_only": self.options.path is not None, "config": config}
        engine = sa.create_engine(url, connect_args=arguments, poolclass=sa.NullPool)
        sa.event.listen(engine, "connect", self._lock_down)
        return engine

    def session(self, connection: sa.Connection) -> DuckdbSession:
        """The session of one connection."""
        return DuckdbSession(connection, self)

    @property
    def _path(self) -> Path | None:
        return Path(self.options.path) if self.options.path else None

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
                folders = ", ".join(_quoted(_folder(file)) for file in self.options.files.values())
                driver.execute(f"set allowed_directories = [{folders}]")
                driver.execute("set python_enable_replacements = false")
                driver.execute("set enable_external_access = false")
                driver.execute("set lock_configuration = true")
        record.info["unreadable"] = {
            table: words for table, file in self.options.files.items() if (words := _make_view(driver, table, file)) is not None
        }


def _make_view(driver: Any, table: str, file: str) -> str | None:
    """Makes the temporary view of a file; why not, if it cannot be read."""
    import duckdb

    try:
        driver.execute(f"create temp view {_name(table)} as select * from {_READERS[_kind(file)]}({_quoted(file)})")  # noqa: S608 - quoted; views take no parameters
    except duckdb.Error as e:
        return one_line(e)
    return None


def _kind(file: str) -> str:
    return file.lower().removesuffix(".gz").rpartition(".")[2]


def _folder(file: str) -> str:
    """The folder that holds the file, or all that a pattern may find."""
    fixed = re.split(r"[*?\[]", file, maxsplit=1)[0]
    return fixed.rpartition("/")[0] + "/"


def _name(part: str) -> str:
    return '"' + part.replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
