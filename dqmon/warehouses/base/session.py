"""One open connection: catalogue look-ups and SELECTs, with a limit, rolled back, errors in dqmon's own words."""

from __future__ import annotations

import difflib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.fragment import Fragment
from dqmon.core.table import Column, TableRef
from dqmon.errors import QueryFailed, QueryTimeout, TableMissing, UnsafeSql, WarehouseError
from dqmon.warehouses.base.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.sql import Select

    from dqmon.warehouses.base.warehouse import SqlWarehouse

MESSAGE_LIMIT = 500
"""Characters of an engine's own message that are kept; the rest is the statement again."""


class SqlSession(ABC):
    """What all engines' sessions do the same way; used by one thread."""

    tables_sql: ClassVar[str]
    """Schema, name and whether it is a view, of the tables in `:schema` (NULL: all)."""
    columns_sql: ClassVar[str]
    """What `column` reads, for each column of the table at `place`, in order."""

    def __init__(self, connection: sa.Connection, warehouse: SqlWarehouse) -> None:
        self.connection = connection
        self.name = warehouse.name
        self.default_schema = warehouse.default_schema or ""
        self.timeout_s = warehouse.timeout_s
        self._watch = warehouse.watch
        self.driver: Any = connection.connection.driver_connection

    def fetch(self, statement: Select[tuple[object, ...]], timeout_s: float) -> Sequence[tuple[object, ...]]:
        """The rows of one SELECT; always rolled back. Raises a WarehouseError, never a driver's exception.

        Anything that SQLAlchemy did not build as a SELECT is UnsafeSql.
        """
        if not isinstance(statement, sa.Select):
            raise UnsafeSql(f"only a SELECT may be run, this is a {type(statement).__name__}")
        return self._rows(statement, {}, timeout_s)

    def tables(self, schema: str | None) -> tuple[tuple[TableRef, bool], ...]:
        """All tables and views of a schema (None: all but the engine's own), with `is_view`; by name."""
        rows = self._rows(sa.text(self.tables_sql), {"schema": schema}, self.timeout_s)
        found = ((TableRef(self.name, None, str(where), str(name)), bool(is_view)) for where, name, is_view in rows)
        return tuple(sorted(found))

    @abstractmethod
    def unchanged_proof(self, table: TableRef) -> str | None:
        """What stays the same only while the table's rows do; None when the engine cannot tell, or in doubt."""

    def facts(self, table: TableRef) -> TableFacts:
        """Nothing, unless the engine's session says more."""
        del table
        return NOTHING_KNOWN

    def fragments(self, table: TableRef) -> tuple[Fragment, ...]:
        """None, unless the engine's session says more."""
        del table
        return ()

    def columns(self, table: TableRef) -> tuple[Column, ...]:
        """The columns in order, from the catalogue. Raises TableMissing, which names near tables."""
        with suppress(TableMissing):
            if rows := self._rows(sa.text(self.columns_sql), self.place(table), self.timeout_s):
                return tuple(self.column(position, row) for position, row in enumerate(rows, start=1))
        raise TableMissing(self._missing(table, table.schema or self.default_schema))

    def place(self, table: TableRef) -> dict[str, str | None]:
        """The parameters of `columns_sql`."""
        return {"catalog": table.catalog, "schema": table.schema or self.default_schema, "name": table.name}

    def _missing(self, table: TableRef, schema: str) -> str:
        names = [other.name for other, _ in self.tables(schema)]
        near = difflib.get_close_matches(table.name, names, n=3) or sorted(names)[:10]
        listed = f"there are {', '.join(near)}" if near else f"there are no tables in {schema!r}"
        return f"there is no table {table.dataset!r}, or the role may not see it; {listed}"

    def _rows(self, statement: sa.Executable, values: Mapping[str, object], timeout_s: float) -> Sequence[Any]:
        with self._in_words(timeout_s), self.connection.begin() as transaction:
            try:
                self.prepare(timeout_s)
                return self.connection.execute(statement, values).fetchall()
            finally:
                transaction.rollback()

    @contextmanager
    def _in_words(self, timeout_s: float) -> Iterator[None]:
        deadline = self.deadline(timeout_s)
        try:
            with self._watch.over(deadline):
                yield
        except WarehouseError:
            raise
        except Exception as e:
            if deadline.is_past:
                raise QueryTimeout(f"the statement passed its limit of {timeout_s:g} s and was cancelled") from e
            raise self.translate(e, timeout_s) from e

    @abstractmethod
    def column(self, position: int, row: Sequence[Any]) -> Column:
        """The column that a row of `columns_sql` describes."""

    @abstractmethod
    def deadline(self, timeout_s: float) -> Deadline:
        """What stops a statement that takes longer."""

    def prepare(self, timeout_s: float) -> None:  # noqa: B027 - most engines need nothing here
        """Sets what holds for this transaction alone."""

    @abstractmethod
    def translate(self, error: Exception, timeout_s: float) -> WarehouseError:
        """The error in dqmon's tree, its message one line for people."""


def one_line(error: BaseException) -> str:
    """An engine's own words without the statement, on one line, shortened."""
    origin = getattr(error, "orig", None) or error
    text = " ".join(re.sub(r"\n+LINE \d+:.*\n *\^", "", str(origin)).split())
    return text[:MESSAGE_LIMIT] or type(origin).__name__


def refused(error: BaseException) -> QueryFailed:
    """The statement was refused for a reason without a class of its own."""
    return QueryFailed(one_line(error))


def missing_file(warehouse: str, path: Path) -> str:
    """What to do when a warehouse's file is not there."""
    return f"{warehouse}: there is no file {path}; load data into it first, or correct `path:` of the warehouse"
