"""ClickHouse by its own client, over HTTP: every statement read-only, limited on the server, with a number by which it is cancelled."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

import sqlalchemy as sa

from dqmon.core.capabilities import Capabilities, Said
from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.spending import Spending
from dqmon.core.table import Column, TableRef
from dqmon.errors import ConnectFailed, PermissionDenied, WarehouseError
from dqmon.warehouses.base import Deadline, SqlWarehouse
from dqmon.warehouses.base.clickhouse_catalogue import PARTS, Parts, column, proof, table_facts
from dqmon.warehouses.base.clickhouse_client import ClickhouseOptions, missing_package, opened
from dqmon.warehouses.base.clickhouse_errors import translated
from dqmon.warehouses.base.clickhouse_grants import powers, script
from dqmon.warehouses.base.clickhouse_sql import STATEMENT
from dqmon.warehouses.base.deadline import CANCEL_AFTER_S, DROP_AFTER_S
from dqmon.warehouses.base.labelled_session import LabelledSession, label_text

CANCEL_WAIT_S = 1.0
"""Seconds that the answer to a cancel may take: the statement's own end waits for it."""

RECYCLE_S = 3_000
"""Seconds after which a pooled connection is opened anew, with what the user may set by then."""


class ClickhouseSession(LabelledSession):
    """One client of the pool; reads the catalogue of a database once."""

    tables_sql = (
        "select database, name, endsWith(engine, 'View') from system.tables where not is_temporary and not startsWith(name, '.inner') "
        "and if(:schema is null, lower(database) not in ('system', 'information_schema'), database = :schema)"
    )
    columns_sql = (
        "select table, name, type from system.columns where database = :schema and table in :names and :catalog is null "
        "and default_kind <> 'EPHEMERAL' order by table, position"
    )
    clock_sql = "select now64(6, 'UTC')"

    def __init__(self, connection: sa.Connection, warehouse: Clickhouse) -> None:
        super().__init__(connection, warehouse)
        self._options: ClickhouseOptions = warehouse.options
        self._number = ""

    def facts(self, table: TableRef) -> TableFacts:
        """Rows of MergeTree tables, if the user sees all of them, and columns without NULL."""
        found = self._parts_of(table)
        if found is None:
            return NOTHING_KNOWN
        facts = table_facts(found, self.columns(table))
        return facts if self._options.sees_all_rows else replace(facts, rows=None, rows_because="")

    def unchanged_proof(self, table: TableRef) -> str | None:
        """By the contents of the files of a MergeTree table that is not replicated, if the user sees all rows."""
        found = self._parts_of(table) if self._options.sees_all_rows else None
        return None if found is None else proof(found)

    def _parts_of(self, table: TableRef) -> Parts | None:
        """The parts of a table; None for other tables, and when the user may not read `system.parts`."""
        with suppress(PermissionDenied):
            for row in self.told("parts", table, self._part_rows):
                return Parts(*row)
        return None

    def _part_rows(self, catalog: str | None, schema: str, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        yield from self.rows_of(PARTS, catalog, schema, names)

    def powers(self) -> tuple[str, ...]:
        """By SHOW GRANTS, which names also what is not read-only; what roles add to a user is not told apart there."""
        return powers(str(line) for (line,) in self._rows(sa.text("show grants"), {}, self.timeout_s))

    def advice(self) -> tuple[str, ...]:
        """Of the zone: DateTime without one is an instant, which only its text has in the server's zone."""
        ((zone,),) = self._rows(sa.text("select serverTimeZone()"), {}, self.timeout_s)
        if zone in ("UTC", "Etc/UTC"):
            return ()
        return (f"the server's zone is {zone}; DateTime without zone is read as the instant that it keeps, so leave naive_timezone at UTC",)

    def column(self, position: int, row: Sequence[Any]) -> Column:
        """As the catalogue has it."""
        return column(position, row)

    def prepare(self, timeout_s: float) -> None:
        """Number, limit and label of the next statement, which go along with it."""
        self._number = str(uuid.uuid4())
        limits = {"query_id": self._number, "max_execution_time": f"{max(timeout_s, 0.001):.3f}", "log_comment": label_text(self.words())}
        self.connection.info[STATEMENT] = limits
        self._wait(timeout_s + DROP_AFTER_S)

    def _wait(self, most_s: float) -> None:
        """How long the client waits for the next answer."""
        from urllib3 import Timeout

        self.driver.client.timeout = Timeout(connect=self._options.connect_timeout, read=most_s)

    def spending(self, result: sa.CursorResult[Any]) -> Spending:
        """What the server says that the statement read."""
        told: Mapping[str, Any] = result.context.cursor.summary
        rows, size = (int(told[key]) if key in told else None for key in ("read_rows", "read_bytes"))
        return Spending(rows_read=rows, bytes_read=size, statement_id=told.get("query_id") or self._number)

    def deadline(self, timeout_s: float) -> Deadline:
        """Second net after the server's own limit; the third is the client's."""
        return Deadline((timeout_s + CANCEL_AFTER_S, self._cancel))

    def _cancel(self) -> None:
        """By a second request beside it; who may not KILL others may still end its own."""
        from clickhouse_connect.driver.exceptions import Error

        self._wait(CANCEL_WAIT_S)
        with suppress(Error):
            self.driver.client.raw_query(f"KILL QUERY WHERE query_id = '{self._number}' ASYNC", use_database=False)

    def translate(self, error: Exception, timeout_s: float) -> WarehouseError:
        """By ClickHouse's numbers of errors."""
        return translated(error, timeout_s)


class Clickhouse(SqlWarehouse):
    """A ClickHouse server, or a service of ClickHouse Cloud. `dqmon grants` prints the role that it needs, and no more.

    A dataset is `database.table`; names are taken exactly. DateTime and DateTime64 keep instants: with a zone in the type they are
    zoned, without one they are read in UTC, whatever the server's zone is, and `naive_timezone` is for values that were written as
    if local time were UTC. A condition of the user's means what ClickHouse makes of it.

    Rows of MergeTree tables are read from `system.parts` where no lightweight DELETE hides some of them; that a table is unchanged is
    proved by the contents of its files, of tables that are not replicated. No key is taken as unique: ClickHouse enforces none.
    Tables are read without FINAL, unless the user's settings say otherwise: rows that a merge will yet replace count.

    Regular expressions are RE2's, whose dot is no line break.
    """

    type: ClassVar[str] = "clickhouse"
    Options = ClickhouseOptions
    standard_schema = "default"
    was_run = "ClickHouse's engine in the process (chdb) behind a small HTTP server, by the real client."
    example = MappingProxyType(
        {"host": "abc.eu-west-1.aws.clickhouse.cloud", "user": "dqmon", "password": "${env:CLICKHOUSE_PASSWORD}", "schema": "analytics"}
    )
    # Not is_columnar: its max passes over NaN, which the ways that such engines get count on.
    capabilities = Capabilities(
        max_expressions=1_000,
        max_parameters=10_000,
        grammar="clickhouse",
        row_count=Said(is_exact=True, because="rows of active parts in system.parts, unless a lightweight DELETE hides some"),
        last_change=Said(is_exact=False, because="merges, which change no row, move the modification_time of parts"),
    )

    def create_engine(self) -> sa.Engine:
        """A pool of at most `max_connections`, each tested before use."""
        sa.dialects.registry.register("dqmon_clickhouse", "dqmon.warehouses.base.clickhouse_dialect", "DqmonDialect")
        try:
            return sa.create_engine(
                "dqmon_clickhouse://", creator=lambda: opened(self.options, self.default_schema or ""), **self.pool(RECYCLE_S)
            )
        except ImportError as e:
            raise missing_package() from e

    def grants(self, tables: Iterable[TableRef]) -> str:
        """The statements that make the role that reads them."""
        return script(self.options.user, tables, self.default_schema or "")

    def session(self, connection: sa.Connection) -> ClickhouseSession:
        """The session of one connection."""
        return ClickhouseSession(connection, self)

    def connect_error(self, error: Exception) -> WarehouseError:
        """ClickHouse's words, with what to do."""
        where = f"{self.options.where} as {self.options.user}"
        return ConnectFailed(f"{self.name}: no connection to {where}: {translated(error, self.timeout_s)}")
