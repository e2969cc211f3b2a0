"""One open connection: catalogue look-ups and SELECTs, with a limit, rolled back, errors in dqmon's own words."""

from __future__ import annotations

import difflib
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.fragment import Fragment
from dqmon.core.past_rows import PastRows
from dqmon.core.spending import NOTHING_TOLD, Spending
from dqmon.core.table import Column, TableRef
from dqmon.errors import QueryFailed, QueryTimeout, TableMissing, UnsafeSql, WarehouseError
from dqmon.warehouses.base.deadline import Deadline
from dqmon.warehouses.base.lookups import Ask, Lookups

if TYPE_CHECKING:
    from sqlalchemy.sql import Select

    from dqmon.warehouses.base.warehouse import SqlWarehouse

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
        self.lookups = Lookups(self.default_schema, self.fold)
        self._there: dict[str, list[str]] = {}
        self._names_at_once = warehouse.capabilities.max_parameters - 10

    def announce(self, tables: Iterable[TableRef]) -> None:
        """Says which tables will be asked about; asks nothing itself."""
        self.lookups.announce(tables)

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
            raise TableMissing(self._missing(table))
        return tuple(self.column(position, row) for position, row in enumerate(rows, start=1))

    def told(self, about: str, table: TableRef, ask: Ask) -> Sequence[Sequence[Any]]:
        """What the catalogue says `about` one table, asked once for all announced tables of its schema (`Lookups.told`)."""
        return self.lookups.told(about, table, ask)

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

    def _missing(self, table: TableRef) -> str:
        schema = table.schema or self.default_schema
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
