"""One open connection: catalogue look-ups and SELECTs, with a limit, rolled back, errors in dqmon's own words."""

from __future__ import annotations

import difflib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import sqlalchemy as sa

from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.fragment import Fragment
from dqmon.core.spending import NOTHING_TOLD, Spending
from dqmon.core.table import Column, TableRef
from dqmon.errors import QueryFailed, QueryTimeout, TableMissing, UnsafeSql, WarehouseError
from dqmon.warehouses.base.deadline import Deadline

if TYPE_CHECKING:
    from sqlalchemy.sql import Select

    from dqmon.warehouses.base.warehouse import SqlWarehouse

Place: TypeAlias = tuple[str | None, str]
"""Catalog, if a table is written with one, and schema."""

MESSAGE_LIMIT = 500
"""Characters of an engine's own message that are kept; the rest is the statement again."""


class SqlSession(ABC):
    """What all engines' sessions do the same way; used by one thread."""

    tables_sql: ClassVar[str]
    """Schema, name and whether it is a view, of the tables in `:schema` (NULL: all)."""
    columns_sql: ClassVar[str]
    """The table's name, then what `column` reads, for each column of the tables `in :names` of `:schema`, by table and in order.

    `:names` becomes a list of values, `:catalog` is NULL for tables that are written without one.
    """
    clock_sql: ClassVar[str | None] = None
    """One row with the server's time, with its zone."""

    def __init__(self, connection: sa.Connection, warehouse: SqlWarehouse) -> None:
        self.connection = connection
        self.name = warehouse.name
        self.default_schema = warehouse.default_schema or ""
        self.timeout_s = warehouse.timeout_s
        self._watch = warehouse.watch
        self.driver: Any = connection.connection.driver_connection
        self.spent = NOTHING_TOLD
        self._announced: dict[Place, dict[str, None]] = {}
        self._columns: dict[Place, dict[str, list[Sequence[Any]]]] = {}
        self._names_at_once = warehouse.capabilities.max_parameters - 2

    def announce(self, tables: Iterable[TableRef]) -> None:
        """Says which tables will be asked about; asks nothing itself."""
        for table in tables:
            self._announced.setdefault(self._where(table), {})[table.name] = None

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

    def clock(self) -> datetime | None:
        """The server's time, aware UTC; None of an engine without a clock of its own."""
        if self.clock_sql is None:
            return None
        ((now,),) = self._rows(sa.text(self.clock_sql), {}, self.timeout_s)
        return now.replace(tzinfo=now.tzinfo or UTC).astimezone(UTC) if isinstance(now, datetime) else None

    def powers(self) -> tuple[str, ...]:
        """Nothing but reading, unless the engine's session says more."""
        return ()

    def advice(self) -> tuple[str, ...]:
        """None, unless the engine's session has some."""
        return ()

    def columns(self, table: TableRef) -> tuple[Column, ...]:
        """The columns in order, asked once for all announced tables of a schema. Raises TableMissing, which names near tables."""
        place, name = self._where(table), self.fold(table.name)
        known = self._columns.setdefault(place, {})
        if name not in known:
            names = dict.fromkeys((*self._announced.pop(place, {}), table.name))
            known |= {self.fold(other): [] for other in names}
            with suppress(TableMissing):
                for found, *row in self.column_rows(*place, tuple(names)):
                    known.setdefault(self.fold(str(found)), []).append(row)
        if not known[name]:
            raise TableMissing(self._missing(table, place[1]))
        return tuple(self.column(position, row) for position, row in enumerate(known[name], start=1))

    def column_rows(self, catalog: str | None, schema: str, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """The rows of `columns_sql` for the tables `names`, in as few statements as the engine takes so many names."""
        statement = sa.text(self.columns_sql).bindparams(sa.bindparam("names", expanding=True))
        for start in range(0, len(names), self._names_at_once):
            values = {"catalog": catalog, "schema": schema, "names": names[start : start + self._names_at_once]}
            yield from self._rows(statement, values, self.timeout_s)

    def fold(self, name: str) -> str:
        """The same text for two names that the engine takes for one table; by default they must be equal."""
        return name

    def _where(self, table: TableRef) -> Place:
        return table.catalog, table.schema or self.default_schema

    def _missing(self, table: TableRef, schema: str) -> str:
        names = [other.name for other, _ in self.tables(schema)]
        near = difflib.get_close_matches(table.name, names, n=3) or sorted(names)[:10]
        listed = f"there are {', '.join(near)}" if near else f"there are no tables in {schema!r}"
        return f"there is no table {table.dataset!r}, or the role may not see it; {listed}"

    def _rows(self, statement: sa.Executable, values: Mapping[str, object], timeout_s: float) -> Sequence[Any]:
        with self._in_words(timeout_s), self.connection.begin() as transaction:
            try:
                self.prepare(timeout_s)
                result = self.connection.execute(statement, values)
                rows = result.fetchall()
                self.spent = self.spending(result)
                return rows
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

    def spending(self, result: sa.CursorResult[Any]) -> Spending:
        """What the statement took, of a result whose rows have been read; nothing, unless the engine's session says more."""
        del result
        return NOTHING_TOLD

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
