"""Spark SQL by its Thrift server (also Kyuubi), through pyhive's client: typed literals, ANSI mode, limits kept by the server."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

import sqlalchemy as sa

from dqmon.core.capabilities import Capabilities, Gap, Said
from dqmon.core.spending import Spending
from dqmon.core.table import Column, TableRef
from dqmon.errors import (
    ColumnMissing,
    ConnectFailed,
    PermissionDenied,
    QueryFailed,
    QueryTimeout,
    TableMissing,
    WarehouseError,
)
from dqmon.telemetry import Log
from dqmon.warehouses.base import Deadline, SqlSession, SqlWarehouse
from dqmon.warehouses.base.session import one_line, refused
from dqmon.warehouses.base.spark_catalogue import column, described
from dqmon.warehouses.base.spark_connect import SparkOptions, missing, opened
from dqmon.warehouses.base.spark_sql import DOUBLE_QUOTES, quoted

log = Log(__name__)

_NOTHING_EXACT = Said(is_exact=False, because="Spark's catalogue keeps statistics of the last ANALYZE, and no time of the last write")

_GRANTS = """-- Spark's Thrift server has no roles and no GRANT: what its own user may do with the files, every session may.
-- Start it as a user who may read, and not write, the folders of these tables (DESCRIBE EXTENDED shows them as Location);
-- or put Kyuubi with Ranger in front of it, and let its user {user} select from them."""


class SparkSession(SqlSession):
    """One connection of the pool."""

    clock_sql = "select current_timestamp()"

    def announce(self, tables: Iterable[TableRef]) -> None:
        """Nothing: each table is asked by itself, so that a broken view says nothing of its neighbours."""

    def tables(self, schema: str | None) -> tuple[tuple[TableRef, bool], ...]:
        """Of a schema, or of each: Spark has no list of all tables."""
        schemas = [schema] if schema is not None else [str(name) for (name,) in self._show("SCHEMAS")]
        return tuple(sorted(found for place in schemas for found in self._tables_of(place)))

    def _tables_of(self, schema: str) -> Iterator[tuple[TableRef, bool]]:
        views: set[str] = set()
        try:
            names = [str(name) for _, name, is_temporary in self._show(f"TABLES IN {quoted(schema)}") if not is_temporary]
        except TableMissing:
            return
        # A catalogue of another kind than Hive's may have no views.
        with suppress(QueryFailed):
            views = {str(name) for _, name, _ in self._show(f"VIEWS IN {quoted(schema)}")}
        for name in names:
            yield TableRef(self.name, None, schema, name), name in views

    def column_rows(self, catalog: str | None, schema: str, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """By a DESCRIBE of each table: Spark has no information schema."""
        for name in names:
            with suppress(TableMissing):
                table = ".".join(quoted(part) for part in (catalog, schema, name) if part is not None)
                rows = self._rows(_statement(f"DESCRIBE TABLE {table}"), {}, self.timeout_s)
                yield from ((name, *row) for row in described(rows))

    def fold(self, name: str) -> str:
        """Spark tells names apart by more than their case only when it is set up to do so."""
        return name.lower()

    def column(self, position: int, row: Sequence[Any]) -> Column:
        """Every column may hold NULL: NOT NULL is not kept by files."""
        name, declared = row
        return column(position, name, declared)

    def unchanged_proof(self, table: TableRef) -> str | None:
        """None: whoever may write into the table's folder changes its rows without Spark's knowledge."""
        del table
        return None

    def powers(self) -> tuple[str, ...]:
        """Always: Spark's Thrift server knows neither roles nor read-only sessions."""
        return ("write, change and drop every table whose files the Thrift server may write",)

    def prepare(self, timeout_s: float) -> None:
        """The limit, which goes along with the statement and is kept by the server."""
        self.driver.limit(timeout_s)

    def deadline(self, timeout_s: float) -> Deadline:
        """None but the client's own, which asks whether the statement is done, and cancels it."""
        del timeout_s
        return Deadline()

    def spending(self, result: sa.CursorResult[Any]) -> Spending:
        """The statement's id, by which Spark's own pages show it."""
        del result
        return Spending(statement_id=self.driver.statement_id)

    def translate(self, error: Exception, timeout_s: float) -> WarehouseError:
        """By SQLSTATE (https://spark.apache.org/docs/latest/sql-error-conditions-sqlstates.html)."""
        match getattr(getattr(error, "orig", None), "state", ""):
            case "HYT00":
                return QueryTimeout(f"the statement passed its limit of {timeout_s:g} s and was cancelled on the server")
            case "42P01" | "42704":
                return TableMissing(one_line(error))
            case "42703":
                return ColumnMissing(one_line(error))
            case "42501":
                return PermissionDenied(one_line(error))
            case state if state[:2] == "08":
                return ConnectFailed(f"the connection broke: {one_line(error)}")
            case _:
                return refused(error)

    def _show(self, what: str) -> Sequence[Any]:
        return self._rows(_statement(f"SHOW {what}"), {}, self.timeout_s)


def _statement(sql: str) -> sa.TextClause:
    # A colon in a name would be a parameter.
    return sa.text(sql.replace(":", r"\:"))


class Spark(SqlWarehouse):
    r"""Tables of a Spark cluster, by its Thrift server; Spark 3.4 or newer, for its timestamps without zone.

    Reading only: Spark has no read-only sessions, no transactions and no roles of its own. The Thrift protocol takes one statement at a
    time, and dqmon sends SELECT, DESCRIBE and SHOW. So let the server run as a user who may only read the tables' files, or put Kyuubi
    with Ranger in front of it.

    All sessions run in ANSI mode (what overflows or cannot be cast is an error, never NULL) and in UTC. `${…}` in statements, which
    Spark would replace by its settings and the server's environment, means nothing. NaN equals NaN, and is greater than all numbers.
    Regular expressions are Java's. Names of tables and columns are found in any case of letters.

    The catalogue tells columns, by one statement a table, and nothing exact of rows or of the last write. Comparing rows of floats
    with another kind of engine finds differences where there are none: Spark writes the shortest digits of a double.
    """

    type: ClassVar[str] = "spark"
    Options = SparkOptions
    standard_schema = "default"
    was_run = "Spark 4.3's Thrift server, by `make test-spark`."
    example: ClassVar[Mapping[str, object]] = {"host": "spark.example.com", "user": "dqmon", "schema": "analytics"}
    # Spark has no limits; the plan of a statement grows with its expressions, and its generated code falls back to a slower way.
    capabilities = Capabilities(
        max_expressions=500,
        max_parameters=10_000,
        is_columnar=True,
        grammar="spark",
        row_count=_NOTHING_EXACT,
        last_change=_NOTHING_EXACT,
        gaps=tuple(Gap(f"{kind}: reserved words and mixed case", "UnsafeSql", DOUBLE_QUOTES) for kind in ("condition", "sql")),
    )

    def create_engine(self) -> sa.Engine:
        """A pool of at most `max_connections`, each tested before use."""
        if self.options.password is not None and not self.options.tls:
            log.warning("password without encryption", warehouse=self.name, advice="switch TLS on in the server, and write tls: true")
        # Both write errors that are raised, too.
        for library in ("thrift", "pyhive"):
            logging.getLogger(library).setLevel(logging.CRITICAL)
        sa.dialects.registry.register("spark", "dqmon.warehouses.base.spark_dialect", "SparkDialect")
        try:
            return sa.create_engine("spark://", creator=lambda: opened(self.options), **self.pool())
        except ImportError as e:
            raise missing() from e

    def session(self, connection: sa.Connection) -> SparkSession:
        """The session of one connection."""
        return SparkSession(connection, self)

    def grants(self, tables: Iterable[TableRef]) -> str:
        """What to see to, since Spark has no GRANT."""
        named = sorted({".".join(quoted(part) for part in (table.schema or self.default_schema or "", table.name)) for table in tables})
        return _GRANTS.format(user=self.options.user) + "".join(f"\n-- {name}" for name in named)

    def connect_error(self, error: Exception) -> WarehouseError:
        """What broke, and where."""
        return ConnectFailed(f"{self.name}: no connection to {self.options.host}:{self.options.port}: {one_line(error)}")
