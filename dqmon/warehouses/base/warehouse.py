"""One configured warehouse: an engine made on first use, connections never above the cap."""

from __future__ import annotations

import builtins
import threading
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from dqmon.core.capabilities import Capabilities
from dqmon.core.cost import Price
from dqmon.core.options import WarehouseOptions
from dqmon.errors import WarehouseBusy, WarehouseError
from dqmon.warehouses.base.deadline import Watch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import sqlalchemy as sa
    from sqlalchemy.engine import Dialect

    from dqmon.core.table import TableRef
    from dqmon.warehouses.base.session import SqlSession

RECYCLE_S = 1_800
"""Seconds after which a pooled connection is opened anew: less than the idle limits of usual proxies."""


class SqlWarehouse(ABC):
    """What all engines' warehouses do the same way (`core.protocols.Warehouse`); safe to share between threads."""

    type: ClassVar[str]
    Options: ClassVar[builtins.type[WarehouseOptions]]
    capabilities: Capabilities
    standard_schema: ClassVar[str]
    """The schema of tables that are written without one, unless the option `schema:` says otherwise."""
    was_run: ClassVar[str]
    example: ClassVar[Mapping[str, object]]
    """Options as in config/dqmon.yaml, for the documentation."""

    def __init__(self, name: str, options: WarehouseOptions) -> None:
        self.name = name
        self.options: Any = options
        self.default_schema: str | None = options.default_schema or self.standard_schema
        self.naive_timezone = options.naive_timezone
        self.timeout_s = float(options.statement_timeout)
        self.max_connections = options.max_connections
        self.price = Price(options.credits_per_hour, options.price_per_tib)
        self.watch = Watch()
        self._slots = threading.BoundedSemaphore(options.max_connections)
        self._lock = threading.Lock()
        self._engine: sa.Engine | None = None

    @property
    def dialect(self) -> Dialect:
        """The engine's dialect; connects to nothing."""
        return self.engine.dialect

    @property
    def engine(self) -> sa.Engine:
        """The one engine, made on first use."""
        with self._lock:
            if self._engine is None:
                self._engine = self.create_engine()
            return self._engine

    @contextmanager
    def open(self) -> Iterator[SqlSession]:
        """A session, its connection given back at the end. Raises ConnectFailed, WarehouseBusy."""
        if not self._slots.acquire(timeout=self.options.connect_timeout):
            limit = f"all {self.max_connections} connections are in use for {self.options.connect_timeout} s"
            raise WarehouseBusy(f"{self.name}: {limit}; raise max_connections or run fewer checks at once")
        try:
            with self._connect() as connection:
                yield self.session(connection)
        finally:
            self._slots.release()

    def cancel(self) -> None:
        """Ends all running statements where they run, and refuses all further ones; returns at once."""
        self.watch.stop()

    def close(self) -> None:
        """Drops all pooled connections; the warehouse may be opened again."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    @abstractmethod
    def grants(self, tables: Iterable[TableRef]) -> str:
        """The statements that make the least role which reads `tables`; empty for files."""

    @contextmanager
    def _connect(self) -> Iterator[sa.Connection]:
        try:
            connection = self.engine.connect()
        except WarehouseError:
            raise
        except Exception as e:
            raise self.connect_error(e) from e
        try:
            yield connection
        finally:
            connection.close()

    @abstractmethod
    def create_engine(self) -> sa.Engine:
        """The engine; connects to nothing yet."""

    def pool(self, recycle_s: int = RECYCLE_S) -> dict[str, Any]:
        """How an engine on a server keeps connections: at most `max_connections`, each tested before use; no values in its messages."""
        return {
            "pool_size": self.max_connections,
            "max_overflow": 0,
            "pool_timeout": self.options.connect_timeout,
            "pool_pre_ping": True,
            "pool_recycle": recycle_s,
            "hide_parameters": True,
        }

    @abstractmethod
    def session(self, connection: sa.Connection) -> SqlSession:
        """The session of one connection."""

    @abstractmethod
    def connect_error(self, error: Exception) -> WarehouseError:
        """Why there is no connection, and what to do."""
