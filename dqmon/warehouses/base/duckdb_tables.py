"""The tables of `files:` on one connection, each made when something asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from dqmon.core.facts import TableFacts
from dqmon.core.fragment import Fragment
from dqmon.core.past_rows import PastRows
from dqmon.core.table import Column, TableRef
from dqmon.errors import ConnectFailed, PermissionDenied, TableMissing, WarehouseError
from dqmon.warehouses.base.duckdb_files import FILE, READERS, Ask, Files, object_stamps
from dqmon.warehouses.base.duckdb_options import DuckdbOptions, FileTable
from dqmon.warehouses.base.names import quoted
from dqmon.warehouses.base.object_store import ObjectStore, store_error, within

if TYPE_CHECKING:
    from datetime import datetime

    from dqmon.warehouses.base.lake_table import LakeTable

LAKE = "dq_lake_"
"""Begins the names of the views that lake tables are read through; no list of tables has them (`DuckdbSession.tables_sql`)."""

Made: TypeAlias = Union[Files, "LakeTable"]


class FileTables:
    """Temporary views, by table name in any case of letters. Opening one in an object store takes tens of milliseconds, so that it is
    done once something asks for the table; a table that could not be opened stays so until the connection is closed.
    """

    def __init__(self, options: DuckdbOptions, store: ObjectStore, driver: Any, ask: Ask) -> None:
        self._options, self._store, self._driver, self._ask = options, store, driver, ask
        self._declared = {name.lower(): name for name in options.files}
        self._tables: Mapping[str, FileTable] = options.tables if options.files else {}
        self._made: dict[str, Made | WarehouseError] = {}

    def __contains__(self, table: TableRef) -> bool:
        """True of a table that is declared under `files:`."""
        return bool(self._declared) and table.catalog is None and table.schema in (None, "main") and table.name.lower() in self._declared

    def unchanged_proof(self, table: TableRef) -> str | None:
        """What stays the same only while the table's rows do. Raises a WarehouseError."""
        made = self.made(table.name)
        return made.unchanged_proof if isinstance(made, Files) else made.proof

    def fragments(self, table: TableRef) -> tuple[Fragment, ...]:
        """The table's files. Raises a WarehouseError."""
        made = self.made(table.name)
        return made.fragments() if isinstance(made, Files) else made.fragments(LAKE + self._declared[table.name.lower()])

    def facts(self, table: TableRef, columns: Sequence[Column]) -> TableFacts:
        """What the log or the footers say. Raises a WarehouseError."""
        return self.made(table.name).facts(columns)

    def past_rows(self, table: TableRef, since: datetime) -> PastRows:
        """What the log of a lake table says, within the time of a statement; files have no log. Raises a WarehouseError."""
        made, name = self.made(table.name), self._declared[table.name.lower()]
        if isinstance(made, Files):
            return PastRows((), "files keep no history of how many rows they had")
        try:
            return within(self._options.statement_timeout, partial(made.past_rows, since))
        except Exception as e:
            raise store_error(e, self._tables[name].path, self._store) from e

    def make_all(self) -> None:
        """Makes all that can be made."""
        for name in self._declared:
            with suppress(WarehouseError):
                self.made(name)

    def is_waiting(self) -> bool:
        """True when a table has not been asked for yet."""
        return len(self._made) < len(self._declared)

    def make_named(self, sql: str) -> None:
        """Makes the tables whose names stand in `sql`."""
        text = sql.lower()
        for name in self._declared.keys() - self._made.keys():
            with suppress(WarehouseError):
                if name in text:
                    self.made(name)

    def why(self, missing: str) -> WarehouseError | None:
        """Why the table could not be made that is missing in the engine's words; None when it is not one of `files:`."""
        words = missing.lower()
        failed = ((name, made) for name, made in self._made.items() if isinstance(made, WarehouseError))
        return next((made for name, made in failed if f"name {name} does not exist" in words), None)

    def made(self, name: str) -> Made:
        """The table, made when it is asked for first. Raises a WarehouseError, each time the same."""
        key = name.lower()
        if key not in self._made:
            self._made[key] = self._make(self._declared[key])
        found = self._made[key]
        if isinstance(found, WarehouseError):
            raise found
        return found

    def _make(self, name: str) -> Made | WarehouseError:
        import duckdb

        table = self._tables[name]
        try:
            return self._files(name, table) if table.kind in READERS else self._lake(name, table)
        except duckdb.InterruptException:
            raise
        except Exception as e:  # noqa: BLE001 - of four libraries, each with errors of its own
            error = store_error(e, table.path, self._store)
            kind = type(error) if isinstance(error, ConnectFailed | PermissionDenied) else TableMissing
            return kind(f"table {name!r} cannot be read from its file: {error}")

    def _files(self, name: str, table: FileTable) -> Files:
        made = Files(table, self._ask, self._stamps)
        self._driver.execute(f"create temp view {quoted(name)} as {made.view_sql}")
        return made

    def _stamps(self, pattern: str) -> Any:
        return object_stamps(self._store.sealed, pattern)

    def _lake(self, name: str, table: FileTable) -> LakeTable:
        # Imported here, since a warehouse without lake tables needs neither.
        from dqmon.warehouses.base.delta_table import read_delta
        from dqmon.warehouses.base.iceberg_table import read_iceberg

        read = read_delta if table.kind == "delta" else partial(read_iceberg, catalog=self._options.catalog_of(table))
        made = within(self._options.statement_timeout, partial(read, table.path, store=self._store))
        view, hidden = LAKE + name, "" if made.files is None else f" exclude ({quoted(FILE)})"
        self._driver.register(view, made.source())
        self._driver.execute(f"create temp view {quoted(name)} as select *{hidden} from {quoted(view)}")  # noqa: S608 - quoted
        return made


def needs_store(tables: Iterable[FileTable]) -> bool:
    """True when DuckDB itself reads from the object store."""
    return any("://" in table.path for table in tables if table.kind in READERS)
