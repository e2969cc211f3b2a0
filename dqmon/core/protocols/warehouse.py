"""What a warehouse must offer, and what some offer besides: the past of a table's row count, being written to."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from pydantic import BaseModel
    from sqlalchemy.engine.interfaces import Dialect
    from sqlalchemy.sql import Select

    from dqmon.core.capabilities import Capabilities
    from dqmon.core.cost import Price
    from dqmon.core.facts import TableFacts
    from dqmon.core.fragment import Fragment
    from dqmon.core.mirror import Position, Target
    from dqmon.core.past_rows import PastRows
    from dqmon.core.spending import Spending
    from dqmon.core.table import Column, TableRef


class Session(Protocol):
    """An open, read-only connection of one warehouse; used by one thread."""

    spent: Spending
    """What the last `fetch` took, as far as the engine tells."""
    labels: Mapping[str, str]
    """What is said along with each statement where the engine takes it (`instance`, `run`), so that its own history tells whose it is."""

    def announce(self, tables: Iterable[TableRef]) -> None:
        """Says which tables will be asked about, so that each catalogue is asked once for all tables of a schema; asks nothing itself."""

    def tables(self, schema: str | None) -> tuple[tuple[TableRef, bool], ...]:
        """All tables and views of a schema (None: all schemas but the engine's own), with `is_view`; by name."""

    def columns(self, table: TableRef) -> tuple[Column, ...]:
        """The columns in order. Raises TableMissing, PermissionDenied, ConnectFailed, QueryTimeout."""

    def unchanged_proof(self, table: TableRef) -> str | None:
        """What stays the same only while the table's rows do, in words; None when the engine cannot tell, or in doubt.

        Reads the catalogue or the file system, never the rows. Raises a WarehouseError.
        """

    def facts(self, table: TableRef) -> TableFacts:
        """What is certain of the table without reading its rows. Raises a WarehouseError."""

    def fragments(self, table: TableRef) -> tuple[Fragment, ...]:
        """The pieces of which the table is made, if it is of several and each can be read alone; else none.

        Reads the catalogue or the file system, never the rows. Raises a WarehouseError.
        """

    def fetch(self, statement: Select[tuple[object, ...]], timeout_s: float) -> Sequence[tuple[object, ...]]:
        """The rows of one SELECT. Past `timeout_s` it is cancelled on the server: QueryTimeout.

        Always rolled back. Raises a WarehouseError, never a driver's exception.
        """

    def estimate(self, statement: Select[tuple[object, ...]]) -> Spending:
        """What the statement would read and bill, as far as the engine tells without running it. Raises a WarehouseError."""

    def attributed(self, statement_ids: Collection[str], since: datetime) -> Mapping[str, float]:
        """Credits by `Spending.statement_id`, of those that the engine's history knows by now; all were sent after `since`.

        Asked only of engines with `Capabilities.attributed_after_s`. Raises a WarehouseError.
        """

    def clock(self) -> datetime | None:
        """The server's time, aware UTC; None of an engine that has no clock but this machine's. Raises a WarehouseError."""

    def powers(self) -> tuple[str, ...]:
        """What the role may do besides reading, each in words; empty when it can only read. Raises a WarehouseError."""

    def advice(self) -> tuple[str, ...]:
        """What the warehouse's settings should be for monitoring (zone, size, suspension), in words. Raises a WarehouseError."""


@runtime_checkable
class Remembering(Protocol):
    """A session that may know how many rows a table had before."""

    def past_rows(self, table: TableRef, since: datetime) -> PastRows:
        """The totals from `since` on, and the last one before it; none, with the reason, of tables that it knows nothing of.

        Reads logs and histories, never the rows. Raises a WarehouseError.
        """


class Warehouse(Protocol):
    """One configured warehouse: `dqmon/warehouses/<type>.py` or an entry point of `dqmon.warehouses`."""

    type: ClassVar[str]
    Options: ClassVar[builtins.type[BaseModel]]
    name: str
    capabilities: Capabilities
    dialect: Dialect
    default_schema: str | None
    naive_timezone: str
    timeout_s: float
    max_connections: int
    price: Price
    was_run: ClassVar[str]
    """Against what the tests run it, in words; `compiled, not run` where nothing does."""

    def __init__(self, name: str, options: BaseModel) -> None:
        """Keeps the options; connects to nothing."""

    def open(self) -> AbstractContextManager[Session]:
        """A session, given back (or closed, for file engines) at the end. Raises ConnectFailed, WarehouseBusy."""

    def cancel(self) -> None:
        """Ends all running statements where they run, and refuses all further ones; returns at once."""

    def close(self) -> None:
        """Drops all pooled connections."""

    def grants(self, tables: Iterable[TableRef]) -> str:
        """The statements that make the least role which reads `tables`, for an administrator; empty for files. Connects to nothing."""


class Writer(Protocol):
    """A second connection to a warehouse, which writes; used by one thread. All of it raises WarehouseErrors only."""

    def prepare(self, targets: Iterable[Target]) -> None:
        """Makes what is missing: the schema, tables, columns. Columns that nobody asked for are left alone."""

    def position(self, target: Target) -> Position:
        """How far the table has been copied."""

    def write(self, target: Target, rows: Sequence[Mapping[str, object]], before: Position, after: Position) -> None:
        """Puts the rows in the place of those with the same keys, and moves the position from `before` to `after`: all or nothing.

        QueryFailed, with nothing written, when the position is another one than `before`: somebody else copies, too.
        """

    def close(self) -> None:
        """Drops the connection; the next use opens another one."""


@runtime_checkable
class Writable(Protocol):
    """A warehouse that may be written to by whoever has the rights: the target of `mirror:`."""

    def writer(self, schema: str, instance: str) -> Writer:
        """Writes into `schema`, where each installation of dqmon has positions of its own. Connects to nothing yet."""
