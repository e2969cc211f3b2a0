"""What a warehouse, an ingestion source, a channel and a detector must offer. One contract suite tests each."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from pydantic import BaseModel
    from sqlalchemy.engine.interfaces import Dialect
    from sqlalchemy.sql import Select

    from dqmon.core.capabilities import Capabilities
    from dqmon.core.cost import Price
    from dqmon.core.delivery import Delivery, Rate, Receipt
    from dqmon.core.facts import TableFacts
    from dqmon.core.fragment import Fragment
    from dqmon.core.history import Band, History, Learning
    from dqmon.core.lineage import Lineage
    from dqmon.core.load_record import Backlog, LoadRecord, PipelineInfo
    from dqmon.core.message import Message
    from dqmon.core.mirror import Position, Target
    from dqmon.core.options import ChannelOptions
    from dqmon.core.page_event import PageEvent
    from dqmon.core.past_rows import PastRows
    from dqmon.core.plain import Json
    from dqmon.core.press import Press
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


class Source(Protocol):
    """One configured ingestion source: `dqmon/ingestion/<type>.py` or an entry point of `dqmon.ingestion`."""

    type: ClassVar[str]
    Options: ClassVar[builtins.type[BaseModel]]
    provides: ClassVar[frozenset[str]]
    """What the tool can say: a check's `needs` must be a subset.

    success: when a load succeeded. failures: that one failed. running: what runs, since when. duration: start and end of a run
    as it ran. heartbeat: `heartbeat_at` of running loads, or of pipelines. rows, rejects, schema, cursor: `rows`, `rows_rejected`,
    `schema_version`, `cursor` of records. orphans: every half-done load, each time. schedule: `PipelineInfo.schedule`. backlog:
    what waits.
    """
    name: str

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        """`warehouse` is the one that the option `warehouse:` names, for sources that read SQL."""

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """All pipelines known. Raises SourceError."""

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """Records that changed in [since, until), oldest first; `until` is the time of observing. Raises SourceError."""

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """What waits now; empty where the tool has no backlog. Raises SourceError."""


@runtime_checkable
class Remembering(Protocol):
    """A session that may know how many rows a table had before."""

    def past_rows(self, table: TableRef, since: datetime) -> PastRows:
        """The totals from `since` on, and the last one before it; none, with the reason, of tables that it knows nothing of.

        Reads logs and histories, never the rows. Raises a WarehouseError.
        """


@runtime_checkable
class Told(Protocol):
    """A source that is not read: what ran tells dqmon of itself, with the source's own token (option `token`)."""

    def admits(self, token: str) -> bool:
        """True for the source's token; takes the same time for any other one."""


@runtime_checkable
class Lineaged(Protocol):
    """A source that knows what is made from what."""

    def lineage(self) -> Lineage:
        """All that the tool knows: nodes as in `core.lineage`, tables with the warehouse that the options name. Raises SourceError."""


class Channel(Protocol):
    """One configured channel: `dqmon/notify/<type>.py` or an entry point of `dqmon.channels`."""

    type: ClassVar[str]
    Options: ClassVar[builtins.type[BaseModel]]
    pages: ClassVar[bool]
    """True for a channel that wakes people: group_wait is at most 10 s there."""
    name: str
    options: ChannelOptions
    """The engine reads `dry_run` and `timeout`."""

    def __init__(self, name: str, options: BaseModel) -> None:
        """Keeps the options; connects to nothing."""

    def parts(self, message: Message) -> tuple[str, ...]:
        """The requests that tell this message, in order, each a delivery of its own (`post`; `edit`, `reply`).

        None for a message that the channel does not take; a digest, which has lines and no alerts, may be one.
        """

    def render(self, message: Message, part: str) -> Json:
        """The request body, within all of the vendor's limits. Pure."""

    def text(self, payload: Json) -> str:
        """A rendered payload as a person reads it, line by line. Pure."""

    def send(self, payload: Json, delivery: Delivery) -> Receipt:
        """Sends once, without retries. Raises Transient, Permanent or OutcomeUnknown."""


@runtime_checkable
class Paced(Protocol):
    """A channel whose vendor takes only so many requests a second."""

    rate: ClassVar[Rate]


@runtime_checkable
class Listening(Protocol):
    """A channel in which people answer: they press buttons under its messages."""

    def listen(self, act: Callable[[Press], str]) -> Callable[[], None] | None:
        """Hears presses in threads of its own until what it returns is called; None where the options want none.

        Both return at once, and trouble with the vendor is logged and tried again. `act` does what was pressed and says what was
        done; it is called once for a press, from any thread.
        """


@runtime_checkable
class Opener(Protocol):
    """A channel that pages nobody, and yet has something open from a trigger to its resolve."""

    opens: str
    """What that is there, such as `alert`."""


@runtime_checkable
class Pager(Protocol):
    """A channel whose service tells what people do with its pages, in webhooks that it signs."""

    name: str

    def has_signed(self, body: bytes, header: str) -> bool:
        """True for a webhook that the service has signed; takes the same time for any wrong signature."""

    def page_event(self, data: Json) -> PageEvent | None:
        """What such a webhook says; None for what dqmon has no use for. ValueError for what is none of the service's."""


@runtime_checkable
class ChangeTeller(Protocol):
    """A channel that can tell of changes which are no incidents."""

    def change_part(self) -> str | None:
        """The part (of a message, as `Channel.parts` has them) that tells a change of a schema; None where none are wanted."""


class Detector(Protocol):
    """`dqmon/detectors/<type>.py` or an entry point of `dqmon.detectors`: history in, expected band out. Pure."""

    type: ClassVar[str]
    takes: ClassVar[frozenset[str]]
    """Which it reads of the options that not every method has a use for: false_alerts_per_year, sigmas, percent, tail_percent,
    seasonality. A check that gives another one is refused."""

    def __init__(self, options: Mapping[str, object]) -> None:
        """The options of the anomaly check whose `method` names this detector; those that are not given are left out."""

    def expect(self, history: History, at: datetime, timezone: str) -> Band | Learning:
        """The band for the value at `at`, from points before it; seasons are read in `timezone`."""
