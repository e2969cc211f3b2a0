"""One frame, judged as the only table of a DuckDB database in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.result import CheckResult
from dqmon.core.table import Column, TableRef
from dqmon.engine.frames import bad_positions, judge_frame
from dqmon.errors import QueryFailed
from dqmon.frames.table import POSITION, arrow_table, eager
from dqmon.warehouses.base.duckdb_options import DuckdbOptions
from dqmon.warehouses.base.duckdb_session import DuckdbSession
from dqmon.warehouses.base.session import one_line
from dqmon.warehouses.duckdb import Duckdb

if TYPE_CHECKING:
    import sqlalchemy as sa

    from dqmon.core.protocols import Warehouse

REASONS = "dq_reasons"
"""The column that is added to bad rows."""


class Frame(AbstractContextManager["Frame"]):
    """A pandas or polars frame under the name of the table that it is to be loaded into. UsageError for anything else."""

    def __init__(self, frame: Any, table: TableRef) -> None:
        self.frame, self.library = eager(frame)
        # Without its schema, so that a filter may name the table, and no schema need be there.
        self.table = TableRef("frame", None, None, table.name)
        # Any, as the classes of warehouses that come from the registry.
        warehouse: Any = _InMemory(table.name, arrow_table(self.frame, self.library))
        self._warehouse: Warehouse = warehouse

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._warehouse.close()

    def results(self, checks: Iterable[Check]) -> tuple[CheckResult, ...]:
        """The results of checks that have a `row_rule`, over all rows: what a check says of partitions is left out."""
        ids = count(1)
        asked = [replace(check, table=self.table, partition=None) for check in checks]
        return judge_frame(self._warehouse, asked, datetime.now(UTC), lambda: str(next(ids)))

    def bad(self, results: Iterable[CheckResult]) -> Mapping[str, tuple[int, ...]]:
        """By the id of each result that is FAIL, where its bad rows stand, ascending. Raises a WarehouseError."""
        return bad_positions(self._warehouse, results, POSITION)

    def split(self, results: Sequence[CheckResult]) -> tuple[Any, Any]:
        """The good and the bad rows, in their order; the bad ones with REASONS. Raises a WarehouseError."""
        by_id = {result.id: reason(result.check) for result in results}
        reasons: dict[int, list[str]] = {}
        for result_id, places in self.bad(results).items():
            for place in places:
                reasons.setdefault(place, []).append(by_id[result_id])
        bad = sorted(reasons)
        good = [place for place in range(len(self.frame)) if place not in reasons]
        texts = ["; ".join(reasons[place]) for place in bad]
        if self.library == "pandas":
            return self.frame.iloc[good], self.frame.iloc[bad].assign(**{REASONS: texts})
        import polars as pl

        return self.frame[good], self.frame[bad].with_columns(pl.Series(REASONS, texts, dtype=pl.String))


def reason(check: Check) -> str:
    """What is said of a row that the check finds bad: `main.orders.range.amount: has amount below 0`."""
    rule = check.rule.row_rule if isinstance(check.rule, DatasetCheck) else None
    return f"{check.id}: {rule.says if rule else 'is bad'}"


class _Session(DuckdbSession):
    def columns(self, table: TableRef) -> tuple[Column, ...]:
        """The frame's own."""
        return super().columns(table)[:-1]

    def facts(self, table: TableRef) -> TableFacts:
        """Nothing: a frame has no constraints, and to ask for those of no table takes as long as most checks."""
        del table
        return NOTHING_KNOWN


class _InMemory(Duckdb):
    """A database with one table, and with no way out to files, as every DuckDB warehouse."""

    def __init__(self, table: str, rows: Any) -> None:
        # Without a file, which the options of a configured warehouse insist on.
        super().__init__("frame", DuckdbOptions.model_construct())
        self._table = table
        self._rows = rows
        self._database: Any = None

    def close(self) -> None:
        """Frees the database."""
        super().close()
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _connected(self) -> Any:
        """A connection to the one database, which is made on first use: that takes 15 ms."""
        with self._lock:
            if self._database is None:
                self._database = super()._connected()
            return self._database.cursor()

    def session(self, connection: sa.Connection) -> DuckdbSession:
        """A session that has the table. QueryFailed for columns of types that DuckDB has not."""
        import duckdb

        session = _Session(connection, self)
        try:
            session.driver.register(self._table, self._rows)
        except duckdb.Error as e:
            raise QueryFailed(f"the frame cannot be read as a table: {one_line(e)}") from e
        return session
