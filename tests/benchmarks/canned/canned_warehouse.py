"""A warehouse for load tests whose every table has 1,000 rows and nothing missing: it answers at once and from no database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from dqmon.core.capabilities import Capabilities
from dqmon.core.cost import Price
from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.fragment import Fragment
from dqmon.core.options import WarehouseOptions
from dqmon.core.spending import NOTHING_TOLD, Spending
from dqmon.core.table import Column, TableRef, TypeGroup

ROWS = 1_000
COLUMNS = tuple(Column(f"c{n}", "INTEGER", TypeGroup.INTEGER, nullable=True, position=n) for n in range(1, 10))


class CannedOptions(WarehouseOptions):
    """tables: how many there are."""

    tables: int


class CannedSession:
    spent = NOTHING_TOLD

    def __init__(self, name: str, tables: int) -> None:
        self._name = name
        self._tables = tables

    def tables(self, schema: str | None) -> tuple[tuple[TableRef, bool], ...]:
        return tuple((TableRef(self._name, None, "main", f"t{n:04}"), False) for n in range(self._tables))

    def announce(self, tables: Iterable[TableRef]) -> None:
        """All tables are alike."""

    def estimate(self, statement: Any) -> Spending:
        return NOTHING_TOLD

    def attributed(self, statement_ids: Collection[str], since: datetime) -> Mapping[str, float]:
        return {}

    def clock(self) -> None:
        return None

    def powers(self) -> tuple[str, ...]:
        return ()

    def advice(self) -> tuple[str, ...]:
        return ()

    def columns(self, table: TableRef) -> tuple[Column, ...]:
        return COLUMNS

    def unchanged_proof(self, table: TableRef) -> None:
        return None

    def facts(self, table: TableRef) -> TableFacts:
        return NOTHING_KNOWN

    def fragments(self, table: TableRef) -> tuple[Fragment, ...]:
        return ()

    def fetch(self, statement: Any, timeout_s: float) -> Sequence[tuple[object, ...]]:
        """The first metric of the load's checks counts rows, the others missing values."""
        return [(ROWS, *(0 for _ in list(statement.selected_columns)[1:]))]


class Canned:
    type: ClassVar[str] = "canned"
    Options = CannedOptions
    was_run = "it is no database"

    def __init__(self, name: str, options: CannedOptions) -> None:
        self.name = name
        self.options = options
        self.capabilities = Capabilities()
        self.dialect = SQLiteDialect(paramstyle="named")
        self.default_schema = "main"
        self.naive_timezone = options.naive_timezone
        self.timeout_s = float(options.statement_timeout)
        self.max_connections = options.max_connections
        self.price = Price(options.credits_per_hour, options.price_per_tib)

    @contextmanager
    def open(self) -> Iterator[CannedSession]:
        yield CannedSession(self.name, self.options.tables)

    def cancel(self) -> None:
        """Nothing to do: every answer is there at once."""

    def close(self) -> None:
        """There is nothing to close."""

    def grants(self, tables: Iterable[TableRef]) -> str:
        return ""
