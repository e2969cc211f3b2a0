"""Snowflake by its own connector: key pair or OAuth, one role with the right to read, every statement tagged and limited on the server."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.core.capabilities import Capabilities
from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.table import Column, TableRef
from dqmon.errors import ConnectFailed, PermissionDenied, QueryFailed, TableMissing, WarehouseError
from dqmon.sql.tables import NamedTable
from dqmon.telemetry import Log
from dqmon.warehouses.base import Deadline, SqlSession, SqlWarehouse
from dqmon.warehouses.base.snowflake_catalogue import Entry, all_of, column, entries, is_view, listed, table_facts
from dqmon.warehouses.base.snowflake_connect import SnowflakeOptions, arguments, query_tag
from dqmon.warehouses.base.snowflake_errors import translated
from dqmon.warehouses.base.snowflake_grants import script
from dqmon.warehouses.base.snowflake_sql import quoted, stored_name, written_name

if TYPE_CHECKING:
    from sqlalchemy.sql import Select

log = Log(__name__)

CANCEL_AFTER_S = 0.5
"""Seconds past the limit after which the client asks for a cancel: the server's own limit, in whole seconds, may come after it."""

RECYCLE_S = 3_000
"""Seconds after which a pooled connection is opened anew: a session's token lives for an hour."""

_MIGHTY = ("ACCOUNTADMIN", "SECURITYADMIN", "SYSADMIN", "USERADMIN", "ORGADMIN", "GLOBALORGADMIN")
_STATEMENT = "dqmon_statement"
_COMMIT = sa.text("select system$last_change_commit_time(:name)")


class SnowflakeSession(SqlSession):
    """One connection of the pool; reads the catalogue of a schema once."""

    def __init__(self, connection: sa.Connection, warehouse: Snowflake) -> None:
        super().__init__(connection, warehouse)
        self._sees_all_rows: bool = warehouse.options.sees_all_rows
        self._schemas: dict[tuple[str | None, str], Mapping[str, Entry]] = {}
        self._dataset: str | None = None

    def fetch(self, statement: Select[tuple[object, ...]], timeout_s: float) -> Sequence[tuple[object, ...]]:
        """As every session's; the statement is tagged with the first table that it names."""
        elements = sa.sql.visitors.iterate(statement) if isinstance(statement, sa.Select) else ()
        self._dataset = next((".".join(element.parts) for element in elements if isinstance(element, NamedTable)), None)
        try:
            return super().fetch(statement, timeout_s)
        finally:
            self._dataset = None

    def tables(self, schema: str | None) -> tuple[tuple[TableRef, bool], ...]:
        """Those of the configured database, named as check files name them."""
        values = {} if schema is None else {"schema": stored_name(schema)}
        rows = self._rows(listed(None, schema), values, self.timeout_s)
        named = ((written_name(str(where)), written_name(str(name)), is_view(kind)) for where, name, kind in rows)
        return tuple(sorted((TableRef(self.name, None, where, name), view) for where, name, view in named))

    def columns(self, table: TableRef) -> tuple[Column, ...]:
        """From the catalogue. Raises TableMissing, which names near tables."""
        entry = self._entry(table)
        if entry is None:
            raise TableMissing(self._missing(table, table.schema or self.default_schema))
        return tuple(self.column(position, row) for position, row in enumerate(entry.columns, start=1))

    def facts(self, table: TableRef) -> TableFacts:
        """Rows of Snowflake's own tables, if the role sees all of them, and NOT NULL, the one constraint that is enforced."""
        entry = self._entry(table)
        if entry is None or not entry.is_plain:
            return NOTHING_KNOWN
        found = table_facts(entry, self.columns(table))
        return found if self._sees_all_rows else replace(found, rows=None, rows_because="")

    def unchanged_proof(self, table: TableRef) -> str | None:
        """By the commit of the last change, with rows, bytes, and when the table was made and defined; only of Snowflake's own tables.

        LAST_ALTERED proves nothing: it moves with grants and with the service's own work on metadata. The commit's token is what
        Snowflake gives to tell whether rows changed (https://docs.snowflake.com/en/sql-reference/functions/system_last_change_commit_time);
        the definition's time tells a table that was swapped with another one.
        """
        entry = self._entry(table)
        if entry is None or not entry.is_plain:
            return None
        parts = (table.catalog, table.schema or self.default_schema, table.name)
        name = ".".join(quoted(stored_name(part)) for part in parts if part is not None)
        # A role that may not call it, or a server that has no such function.
        with suppress(PermissionDenied, QueryFailed, TableMissing):
            ((token,),) = self._rows(_COMMIT, {"name": name}, self.timeout_s)
            return f"last change committed at {token}, {entry.rows} rows, {entry.size} bytes, {entry.since}"
        return None

    def _entry(self, table: TableRef) -> Entry | None:
        database = None if table.catalog is None else stored_name(table.catalog)
        schema = stored_name(table.schema or self.default_schema)
        if (database, schema) not in self._schemas:
            found = self._rows(all_of(database), {"schema": schema}, self.timeout_s)
            self._schemas[database, schema] = entries(found)
        return self._schemas[database, schema].get(stored_name(table.name))

    def column(self, position: int, row: Sequence[Any]) -> Column:
        """As the catalogue has it."""
        return column(position, row)

    def prepare(self, timeout_s: float) -> None:
        """Tag and limit of the next statement, which go along with it."""
        words = {"warehouse": self.name} | ({"dataset": self._dataset} if self._dataset else {})
        limit = max(1, math.ceil(timeout_s))
        self.connection.info[_STATEMENT] = {"QUERY_TAG": query_tag(words), "STATEMENT_TIMEOUT_IN_SECONDS": limit}

    def deadline(self, timeout_s: float) -> Deadline:
        """Second net after the server's own limit; the third is the connector's."""
        return Deadline((timeout_s + CANCEL_AFTER_S, self._cancel))

    def _cancel(self) -> None:
        """All statements of this session, by a second one beside it: the connector tells a statement's number only at its end."""
        from snowflake.connector import Error

        with suppress(Error), self.driver.cursor() as cursor:
            cursor.execute("select system$cancel_all_queries(%s)", (self.driver.session_id,))

    def translate(self, error: Exception, timeout_s: float) -> WarehouseError:
        """By Snowflake's numbers of errors."""
        return translated(error, timeout_s)


class Snowflake(SqlWarehouse):
    """A Snowflake database. `dqmon grants` prints the role that it needs, and no more.

    A name without capitals is read as Snowflake reads it unquoted: `analytics.orders` is ANALYTICS.ORDERS, and so dqmon writes it,
    columns too. A name with capitals is taken exactly; one that was created in small letters between quotes is found by writing the
    quotes into it, for a column x as '"x"'.

    INFORMATION_SCHEMA is asked once for all tables of a schema. ROW_COUNT of a standard table is taken as its rows, NOT NULL as kept;
    declared keys are not, since Snowflake enforces none. LAST_ALTERED is not used at all: it moves with DDL, grants and the service's
    own work, so that a table would look fresh that nobody loaded, and changed that did not. That a table is unchanged is proved by the
    commit of its last change; of views, hybrid, dynamic, Iceberg and external tables nothing is taken for proved.

    Regular expressions are Snowflake's, POSIX extended ones without look-around and `(?:…)`.

    Statements were compiled by the real dialect and run by the real connector against a stand-in. What the stand-in lacks was
    compiled, not run: cancels on the server, `SYSTEM$LAST_CHANGE_COMMIT_TIME`, collations, and the 17 digits of a double that
    comparing rows of floats with another engine needs. A column of DECFLOAT counts as of no kind, so that no number is compared
    with it.
    """

    type: ClassVar[str] = "snowflake"
    Options = SnowflakeOptions
    standard_schema = "public"
    was_run = "A stand-in of Snowflake's server by the real connector; what it lacks is compiled, not run."
    # https://docs.snowflake.com/en/user-guide/query-size-limits: 1 MB of text; parameters are written into it.
    # Not is_columnar: it reads the columns that a statement names only, but a further statement is time that is paid for.
    capabilities = Capabilities(max_expressions=1_000, max_parameters=10_000, grammar="snowflake")

    @property
    def default_catalog(self) -> str:
        """The database, which names need not have."""
        return written_name(stored_name(self.options.database))

    def create_engine(self) -> sa.Engine:
        """A pool of at most `max_connections`, each tested before use."""
        if self.options.password is not None:
            log.warning("password sign-in", warehouse=self.name, advice="Snowflake is about to refuse it; use private_key_file")
        # It warns on stderr of proxies and of clouds that it is not in.
        logging.getLogger("snowflake").setLevel(logging.ERROR)
        engine = sa.create_engine(
            "snowflake://",
            creator=self._opened,
            pool_size=self.max_connections,
            max_overflow=0,
            pool_timeout=self.options.connect_timeout,
            pool_pre_ping=True,
            pool_recycle=RECYCLE_S,
            hide_parameters=True,
        )
        sa.event.listen(engine, "do_execute", _execute)
        return engine

    def grants(self, tables: Iterable[TableRef]) -> str:
        """The statements that make the role that reads them."""
        return script(self.options, tables, self.default_schema or "")

    def session(self, connection: sa.Connection) -> SnowflakeSession:
        """The session of one connection."""
        return SnowflakeSession(connection, self)

    def connect_error(self, error: Exception) -> WarehouseError:
        """Snowflake's words, with what to do."""
        where = f"account {self.options.account} as {self.options.user}"
        return ConnectFailed(f"{self.name}: no connection to {where}: {translated(error, self.timeout_s)}")

    def _opened(self) -> Any:
        import snowflake.connector

        connection = snowflake.connector.connect(**arguments(self.name, self.options, self.default_schema or ""))
        if connection.role in _MIGHTY:
            advice = "print the statements that make one that can only read: dqmon grants"
            log.warning("the role can do more than read", warehouse=self.name, role=connection.role, advice=advice)
        return connection


def _execute(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    """Runs a statement with its tag and limit, without a further trip to the server; True: it was run."""
    cursor.execute(statement, parameters, _statement_params=context.root_connection.info.get(_STATEMENT))
    return True
