"""SQLite files, read-only by URI, authorizer and lack of any other right."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

import sqlalchemy as sa

from dqmon.core.capabilities import Capabilities, Said
from dqmon.core.facts import ColumnFacts, TableFacts, UniqueKey
from dqmon.core.options import ProjectPath, WarehouseOptions
from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.errors import ConnectFailed, PermissionDenied, QueryFailed, TableMissing, WarehouseBusy, WarehouseError
from dqmon.warehouses.base import Deadline, SqlSession, SqlWarehouse
from dqmon.warehouses.base.session import missing_file, one_line, refused
from dqmon.warehouses.base.sqlite_functions import Functions
from dqmon.warehouses.base.stamps import files_proof

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_TRANSACTION})

_PRAGMAS = ("table_xinfo", "index_list", "index_xinfo")

_ACTING = frozenset({"load_extension", "fts3_tokenizer", "writefile", "readfile", "edit"})
"""Functions that do more than compute."""

_GROUPS = (
    ("INT", TypeGroup.INTEGER),
    ("BOOL", TypeGroup.BOOLEAN),
    ("WITH TIME ZONE", TypeGroup.TIMESTAMP_ZONED),
    ("TIMESTAMPTZ", TypeGroup.TIMESTAMP_ZONED),
    ("TIMESTAMP", TypeGroup.TIMESTAMP),
    ("DATETIME", TypeGroup.TIMESTAMP),
    ("DATE", TypeGroup.DATE),
    ("CHAR", TypeGroup.TEXT),
    ("CLOB", TypeGroup.TEXT),
    ("TEXT", TypeGroup.TEXT),
    ("REAL", TypeGroup.FLOAT),
    ("FLOA", TypeGroup.FLOAT),
    ("DOUB", TypeGroup.FLOAT),
    ("NUM", TypeGroup.DECIMAL),
    ("DEC", TypeGroup.DECIMAL),
)
"""The first word found in a declared type decides, as in https://sqlite.org/datatype3.html section 3.1."""

_CONSTRAINTS = """
    with plain as (select name, sql like '%collate%' as is_collated from sqlite_master
        where type = 'table' and rootpage > 0 and lower(name) = lower(:name)),
    keys as (select l.name as key, i.name from plain, pragma_index_list(plain.name) l, pragma_index_xinfo(l.name) i
        where l."unique" and not l.partial and i."key" and not plain.is_collated),
    number as (select i.name from plain, pragma_table_xinfo(plain.name) i
        where i.pk and not exists (select 1 from pragma_index_list(plain.name) l where l.origin = 'pk'))
    select null, i.name from plain, pragma_table_xinfo(plain.name) i where i."notnull"
    union all select null, name from number union all select 'primary key', name from number union all select key, name from keys
"""
"""NOT NULL columns without a key, then the columns of each key. A primary key without an index is the row's number."""


class SqliteOptions(WarehouseOptions):
    """path: the database file."""

    path: ProjectPath


class SqliteSession(SqlSession):
    """One connection to the file."""

    def __init__(self, connection: sa.Connection, warehouse: Sqlite) -> None:
        super().__init__(connection, warehouse)
        self._functions: Functions = connection.info["functions"]
        self._path = Path(warehouse.options.path)

    tables_sql = (
        "select 'main', name, type = 'view' from sqlite_master where type in ('table', 'view') "
        "and name not like 'sqlite!_%' escape '!' and coalesce(:schema, 'main') = 'main'"
    )
    columns_sql = (
        'select name, type, "notnull" = 0 and pk = 0 from pragma_table_xinfo(:name) '
        "where hidden <> 1 and :schema = 'main' and :catalog is null order by cid"
    )

    def column_rows(self, catalog: str | None, schema: str, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """Table by table, which costs nothing in the same process."""
        for name in names:
            values = {"catalog": catalog, "schema": schema, "name": name}
            yield from ((name, *row) for row in self._rows(sa.text(self.columns_sql), values, self.timeout_s))

    def unchanged_proof(self, table: TableRef) -> str | None:
        """By the database file and its write-ahead log; nothing of views."""
        is_table = "select count(*) from sqlite_master where type = 'table' and lower(name) = lower(:name)"
        if not self._rows(sa.text(is_table), {"name": table.name}, self.timeout_s)[0][0]:
            return None
        return files_proof((self._path, self._path.with_name(f"{self._path.name}-wal")))

    def facts(self, table: TableRef) -> TableFacts:
        """By NOT NULL, primary keys and unique indexes, which hold for values of any type.

        A primary key may hold NULLs unless it says NOT NULL, or is the row's number (https://sqlite.org/lang_createtable.html). Keys
        of tables with a collation are left out: an index may have another one than its column. Nothing of views and virtual tables.
        """
        rows = self._rows(sa.text(_CONSTRAINTS), {"name": table.name}, self.timeout_s)
        columns: dict[str, ColumnFacts] = {}
        indexes: dict[str, list[str]] = {}
        for index, column in rows:
            if index is None:
                columns[column] = ColumnFacts(f"{column} is NOT NULL", nulls=0)
            else:
                indexes.setdefault(index, []).append(column)
        keys = (UniqueKey(f"{index} ({', '.join(names)})", frozenset(names)) for index, names in indexes.items() if None not in names)
        return TableFacts(columns=columns, keys=tuple(keys))

    def column(self, position: int, row: Sequence[Any]) -> Column:
        """The group follows the declared type; SQLite itself holds any value in any column."""
        name, kind, nullable = row
        group = next((group for word, group in _GROUPS if word in str(kind).upper()), TypeGroup.OTHER)
        return Column(str(name), str(kind), group, bool(nullable), position)

    def deadline(self, timeout_s: float) -> Deadline:
        """Interrupts the statement."""
        self._functions.failure = None
        return Deadline((timeout_s, self.driver.interrupt))

    def translate(self, error: Exception, timeout_s: float) -> WarehouseError:
        """By SQLite's error code; a function's own words where one failed."""
        del timeout_s
        code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return WarehouseBusy(f"the file is locked by another process: {one_line(error)}")
        if code in (sqlite3.SQLITE_AUTH, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY):
            return PermissionDenied(f"only reading is allowed: {one_line(error)}")
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT):
            return ConnectFailed(one_line(error))
        if "no such table" in one_line(error):
            return TableMissing(one_line(error))
        if self._functions.failure is None and "user-defined function raised exception" in one_line(error):
            return QueryFailed("a text is not valid UTF-8, so that it has no characters to look at; leave such rows out with a filter")
        return refused(self._functions.failure or error)


class Sqlite(SqlWarehouse):
    """A SQLite file. Timestamps are text; see `dqmon.sql.instant` for how they are read."""

    type: ClassVar[str] = "sqlite"
    Options = SqliteOptions
    standard_schema = "main"
    was_run = "SQLite itself, in all tests."
    example = MappingProxyType({"path": "data/app.db"})
    # https://sqlite.org/limits.html: 2,000 columns, 32,766 parameters.
    capabilities = Capabilities(
        max_expressions=1_000,
        max_parameters=30_000,
        has_nan=False,
        is_file=True,
        has_typed_timestamps=False,
        has_typed_columns=False,
        grammar="sqlite",
        row_count=Said(is_exact=False, because="SQLite keeps no number of rows"),
        last_change=Said(is_exact=False, because="the file's time is that of its last change of any table"),
    )

    def create_engine(self) -> sa.Engine:
        """One connection an `open`, so that the file is free between batches."""
        engine = sa.create_engine("sqlite://", creator=self._open_file, poolclass=sa.NullPool, paramstyle="named")
        # After SQLAlchemy's own hook, which brings a REGEXP without any limit.
        sa.event.listen(engine, "connect", _lock_down)
        return engine

    def session(self, connection: sa.Connection) -> SqliteSession:
        """The session of one connection."""
        return SqliteSession(connection, self)

    def grants(self, tables: Iterable[TableRef]) -> str:
        """None: whoever may read the file may read all of it."""
        del tables
        return ""

    def connect_error(self, error: Exception) -> WarehouseError:
        """The file is there but somebody writes it, or it is no database."""
        if "locked" in one_line(error):
            return WarehouseBusy(f"{self.name}: {self.options.path} is locked by another process: {one_line(error)}")
        return ConnectFailed(f"{self.name}: {self.options.path} cannot be opened: {one_line(error)}")

    def _open_file(self) -> sqlite3.Connection:
        path = Path(self.options.path)
        if not path.is_file():
            raise ConnectFailed(missing_file(self.name, path))
        uri = f"file:{quote(str(path))}?mode=ro"
        return sqlite3.connect(uri, uri=True, timeout=self.options.connect_timeout, check_same_thread=False)


def _lock_down(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    driver: Any = connection
    record.info["functions"] = functions = Functions()
    functions.register(driver)
    # Their first use writes into SQLite's own schema, which the authorizer would refuse.
    for pragma in _PRAGMAS:
        driver.execute(f"select 1 from pragma_{pragma}('')")  # noqa: S608 - a name of this file
    driver.set_authorizer(_authorize)


def _authorize(action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
    """Reads only: everything else is refused when a statement is prepared (https://sqlite.org/c3ref/c_alter_table.html)."""
    del database, trigger
    is_harmless = (
        action in _ALLOWED
        or (action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _ACTING)
        or (action == sqlite3.SQLITE_PRAGMA and (first or "").lower() in _PRAGMAS)
    )
    return sqlite3.SQLITE_OK if is_harmless else sqlite3.SQLITE_DENY
