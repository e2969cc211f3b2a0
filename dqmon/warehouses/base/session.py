"""One open connection: catalogue look-ups and SELECTs, with a limit, rolled back, errors in dqmon's own words."""

from __future__ import annotations

import difflib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import sqlalchemy as sa

from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.fragment import Fragment
from dqmon.core.past_rows import PastRows
from dqmon.core.spending import NOTHING_TOLD, Spending
from dqmon.core.table import Column, TableRef
from dqmon.errors import ConnectFailed, QueryFailed, QueryTimeout, TableMissing, UnsafeSql, WarehouseError
from dqmon.warehouses.base.deadline import Deadline

if TYPE_CHECKING:
    from sqlalchemy.sql import Select

    from dqmon.warehouses.base.warehouse import SqlWarehouse

Place: TypeAlias = tuple[str | None, str]
"""Catalog, if a table is written with one, and schema."""

Ask: TypeAlias = Callable[[str | None, str, Sequence[str]], Iterable[Sequence[Any]]]
"""Asks the catalogue about tables of one schema: catalog, schema and names in, rows out that begin with a table's name."""

PATIENCE = 3
"""Tables of a schema whose look-up may time out; then the catalogue is slow, and the others would wait as long, each by itself."""

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
    no_past_rows: ClassVar[str] = "the engine keeps no history of how many rows a table had"
    """Why `past_rows` knows nothing."""

    def __init__(self, connection: sa.Connection, warehouse: SqlWarehouse) -> None:
        self.connection = connection
        self.name = warehouse.name
        self.default_schema = warehouse.default_schema or ""
        self.timeout_s = warehouse.timeout_s
        self._watch = warehouse.watch
        self.driver: Any = connection.connection.driver_connection
        self.spent = NOTHING_TOLD
        self.labels: Mapping[str, str] = {}
        self._announced: dict[Place, dict[str, None]] = {}
        self._told: dict[tuple[str, Place], dict[str, list[Sequence[Any]] | WarehouseError]] = {}
        self._there: dict[str, list[str]] = {}
        self._alone: dict[tuple[str, Place], int] = {}
        self._names_at_once = warehouse.capabilities.max_parameters - 10

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

    def past_rows(self, table: TableRef, since: datetime) -> PastRows:
        """None, unless the engine's session says more."""
        del table, since
        return PastRows((), self.no_past_rows)

    def estimate(self, statement: Select[tuple[object, ...]]) -> Spending:
        """Nothing, unless the engine's session says more."""
        del statement
        return NOTHING_TOLD

    def attributed(self, statement_ids: Collection[str], since: datetime) -> Mapping[str, float]:
        """None, unless the engine's session says more."""
        del statement_ids, since
        return {}

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
        rows = self.told("columns", table, self.column_rows)
        if not rows:
            raise TableMissing(self._missing(table, self._where(table)[1]))
        return tuple(self.column(position, row) for position, row in enumerate(rows, start=1))

    def told(self, about: str, table: TableRef, ask: Ask) -> Sequence[Sequence[Any]]:
        """What the catalogue says `about` one table, asked once for all announced tables of its schema, in one answer of `ask`.

        When that fails, each table is asked about alone, so that one spoils no other: a view that is broken, a table that somebody
        locks. That there is no connection holds for all of them, and so do `PATIENCE` time-outs of single tables.
        """
        place, name = self._where(table), self.fold(table.name)
        key, announced = (about, place), self._announced.get(place, ())
        known = self._told.setdefault(key, {})
        if name not in known:
            together = (table.name,) if key in self._alone else (*announced, table.name)
            names = {folded: other for other in together if (folded := self.fold(other)) not in known}
            try:
                known |= self._rows_by_name(ask(*place, tuple(names.values())), names)
            except ConnectFailed as e:
                known |= dict.fromkeys(names, e)
            except WarehouseError as e:
                timeouts = self._alone[key] = self._alone.get(key, 0) + (isinstance(e, QueryTimeout) and len(names) == 1)
                if len(names) > 1:
                    return self.told(about, table, ask)
                known[name] = e
                if timeouts >= PATIENCE:
                    known |= {folded: e for other in announced if (folded := self.fold(other)) not in known}
        rows = known[name]
        if isinstance(rows, WarehouseError):
            raise rows
        return rows

    def _rows_by_name(self, rows: Iterable[Sequence[Any]], names: Iterable[str]) -> dict[str, list[Sequence[Any]]]:
        """The rows of each table; none of one that is not there, nor when there is no such schema."""
        found: dict[str, list[Sequence[Any]]] = {name: [] for name in names}
        with suppress(TableMissing):
            for name, *row in rows:
                found.setdefault(self.fold(str(name)), []).append(row)
        return found

    def column_rows(self, catalog: str | None, schema: str, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """The rows of `columns_sql` for the tables `names`."""
        return self.rows_of(self.columns_sql, catalog, schema, names)

    def rows_of(self, sql: str, catalog: str | None, schema: str, names: Sequence[str], **more: object) -> Iterator[Sequence[Any]]:
        """The rows of `sql`, written as `columns_sql`, for the tables `names`: in as few statements as the engine takes so many names."""
        # With its type: PostgreSQL would make it a `name`, cut off after 63 bytes, and find another table.
        statement = sa.text(sql).bindparams(sa.bindparam("names", type_=sa.Text(), expanding=True))
        for start in range(0, len(names), self._names_at_once):
            values = {"catalog": catalog, "schema": schema, "names": names[start : start + self._names_at_once]}
            yield from self._rows(statement, values | more, self.timeout_s)

    def fold(self, name: str) -> str:
        """The same text for two names that the engine takes for one table; by default they must be equal."""
        return name

    def _where(self, table: TableRef) -> Place:
        return table.catalog, table.schema or self.default_schema

    def _missing(self, table: TableRef, schema: str) -> str:
        if schema not in self._there:
            self._there[schema] = sorted(other.name for other, _ in self.tables(schema))
        near = difflib.get_close_matches(table.name, self._there[schema], n=3) or self._there[schema][:10]
        listed = f"there are {', '.join(near)}" if near else f"there are no tables in {schema!r}"
        return f"there is no table {table.dataset!r}, or the role may not see it; {listed}"

    def _rows(self, statement: sa.Executable, values: Mapping[str, object], timeout_s: float) -> Sequence[Any]:
        with self._in_words(timeout_s), self.connection.begin() as transaction:
            self.spent = NOTHING_TOLD
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
            if deadline.is_called_off:
                raise QueryFailed("the statement was cancelled: dqmon is stopping") from e
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
    text = " ".join(re.sub(r"\n+LINE \d+:.*\n *\^+", "", str(origin)).split())
    return text[:MESSAGE_LIMIT] or type(origin).__name__


def refused(error: BaseException) -> QueryFailed:
    """The statement was refused for a reason without a class of its own."""
    return QueryFailed(one_line(error))


def missing_file(warehouse: str, path: Path) -> str:
    """What to do when a warehouse's file is not there."""
    return f"{warehouse}: there is no file {path}; load data into it first, or correct `path:` of the warehouse"
