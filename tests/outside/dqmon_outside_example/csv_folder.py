"""Warehouse csv_folder: every CSV file of a folder is a table of text columns."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from dqmon.core.capabilities import Capabilities
from dqmon.core.cost import Price
from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.fragment import Fragment
from dqmon.core.options import WarehouseOptions
from dqmon.core.spending import NOTHING_TOLD, Spending
from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.errors import ConnectFailed, QueryFailed, TableMissing


class CsvFolderOptions(WarehouseOptions):
    """path: the folder."""

    path: str


class CsvSession:
    """The folder's files in an SQLite database in memory."""

    spent = NOTHING_TOLD

    def __init__(self, warehouse: str, files: dict[str, Path], connection: sa.Connection) -> None:
        self._warehouse = warehouse
        self._files = files
        self._connection = connection

    def announce(self, tables: Iterable[TableRef]) -> None:
        """Each file is looked at by itself."""

    def estimate(self, statement: sa.Select[tuple[object, ...]]) -> Spending:
        """Nothing is told."""
        del statement
        return NOTHING_TOLD

    def attributed(self, statement_ids: Collection[str], since: datetime) -> Mapping[str, float]:
        """Files cost nothing."""
        del statement_ids, since
        return {}

    def clock(self) -> datetime | None:
        """A folder has none."""
        return None

    def powers(self) -> tuple[str, ...]:
        """Files are only read."""
        return ()

    def advice(self) -> tuple[str, ...]:
        """There is nothing to set."""
        return ()

    def tables(self, schema: str | None) -> tuple[tuple[TableRef, bool], ...]:
        """The files' names without `.csv`."""
        return tuple((TableRef(self._warehouse, None, schema, name), False) for name in sorted(self._files))

    def columns(self, table: TableRef) -> tuple[Column, ...]:
        """The names of the first line; everything is text."""
        if table.name not in self._files:
            raise TableMissing(f"there is no file {table.name}.csv")
        with self._files[table.name].open(newline="") as lines:
            names = next(csv.reader(lines))
        return tuple(Column(name, "text", TypeGroup.TEXT, True, i) for i, name in enumerate(names, 1))

    def unchanged_proof(self, table: TableRef) -> str | None:
        """Nothing is proved: every run scans."""
        del table

    def facts(self, table: TableRef) -> TableFacts:
        """Nothing is certain of a file of text."""
        del table
        return NOTHING_KNOWN

    def fragments(self, table: TableRef) -> tuple[Fragment, ...]:
        """A table is one file."""
        del table
        return ()

    def fetch(self, statement: sa.Select[tuple[object, ...]], timeout_s: float) -> Sequence[tuple[object, ...]]:
        """The rows of one SELECT; the data are small enough to need no time-out."""
        try:
            return [tuple(row) for row in self._connection.execute(statement)]
        except sa.exc.SQLAlchemyError as e:
            raise QueryFailed(str(e)) from e


class CsvFolder:
    """Reads the files anew each time that it is opened."""

    type: ClassVar[str] = "csv_folder"
    Options: ClassVar[type[CsvFolderOptions]] = CsvFolderOptions
    was_run: ClassVar[str] = "in the tests of dqmon"

    def __init__(self, name: str, options: CsvFolderOptions) -> None:
        self.name = name
        self.capabilities = Capabilities(has_nan=False, is_file=True, has_typed_timestamps=False)
        self.dialect = sqlite.dialect()
        self.default_schema = "main"
        self.naive_timezone = options.naive_timezone
        self.timeout_s = float(options.statement_timeout)
        self.max_connections = 1
        self.price = Price()
        self._folder = Path(options.path)

    @contextmanager
    def open(self) -> Iterator[CsvSession]:
        """A session over the folder as it is now."""
        if not self._folder.is_dir():
            raise ConnectFailed(f"there is no folder {self._folder}")
        files = {path.stem: path for path in self._folder.glob("*.csv")}
        engine = sa.create_engine("sqlite://")
        try:
            with engine.connect() as connection:
                for name, path in files.items():
                    _load(connection, name, path)
                yield CsvSession(self.name, files, connection)
        finally:
            engine.dispose()

    def cancel(self) -> None:
        """Nothing to do: reading a file takes no time worth it."""

    def close(self) -> None:
        """Nothing is kept open."""

    def grants(self, tables: Iterable[TableRef]) -> str:
        """None: whoever may read the folder may read the files."""
        del tables
        return ""


def _load(connection: sa.Connection, name: str, path: Path) -> None:
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    table = sa.Table(name, sa.MetaData(), *(sa.Column(column, sa.Text) for column in rows[0]))
    table.create(connection)
    connection.execute(table.insert(), rows)
