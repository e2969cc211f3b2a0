"""Snowflake by its own connector: key pair or OAuth, one role with the right to read, every statement tagged and limited on the server."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

import sqlalchemy as sa

from dqmon.core.capabilities import Capabilities, Said
from dqmon.core.table import TableRef
from dqmon.errors import ConnectFailed, WarehouseError
from dqmon.telemetry import Log
from dqmon.warehouses.base import SqlWarehouse
from dqmon.warehouses.base import snowflake_sql as _snowflake_sql  # noqa: F401 - registers how Snowflake writes SQL
from dqmon.warehouses.base.names import stored_name, written_name
from dqmon.warehouses.base.snowflake_connect import SnowflakeOptions, arguments
from dqmon.warehouses.base.snowflake_errors import translated
from dqmon.warehouses.base.snowflake_grants import script
from dqmon.warehouses.base.snowflake_history import ATTRIBUTED_AFTER_S, NOT_OF_LOADS, OF_LOADS
from dqmon.warehouses.base.snowflake_session import STATEMENT, SnowflakeSession
from dqmon.warehouses.base.writer import Place, SqlWriter

log = Log(__name__)

_CHARACTERS_AT_ONCE = 200_000
"""Characters of the values of one INSERT of the mirror: quotes, escapes and UTF-8 leave it below the 1 MB that a statement may have."""

RECYCLE_S = 3_000
"""Seconds after which a pooled connection is opened anew: a session's token lives for an hour."""


class Snowflake(SqlWarehouse):
    """A Snowflake database. `dqmon grants` prints the role that it needs, and no more.

    A name without capitals is read as Snowflake reads it unquoted: `analytics.orders` is ANALYTICS.ORDERS, and so dqmon writes it,
    columns too. A name with capitals is taken exactly; one that was created in small letters between quotes is found by writing the
    quotes into it, for a column x as '"x"'.

    INFORMATION_SCHEMA is asked once for all tables of a schema. ROW_COUNT of a standard table is taken as its rows, NOT NULL as kept;
    declared keys are not, since Snowflake enforces none. LAST_ALTERED is not used at all: it moves with DDL, grants and the service's
    own work, so that a table would look fresh that nobody loaded, and changed that did not. With `load_history: true` the last load by
    COPY or Snowpipe is taken for the last change, from COPY_HISTORY, asked once for all tables of a schema. That a table is unchanged
    is proved by the commit of its last change; of views, hybrid, dynamic, Iceberg and external tables nothing is taken for proved.

    Regular expressions are Snowflake's, POSIX extended ones without look-around and `(?:…)`.

    Statements were compiled by the real dialect and run by the real connector against a stand-in. What the stand-in lacks was
    compiled, not run: cancels on the server, `SYSTEM$LAST_CHANGE_COMMIT_TIME`, COPY_HISTORY, QUERY_ATTRIBUTION_HISTORY,
    TABLE_DML_HISTORY, collations, and the 17 digits of a double that comparing rows of floats with another engine needs. A column
    of DECFLOAT counts as of no kind, so that no number is compared with it.
    """

    type: ClassVar[str] = "snowflake"
    Options = SnowflakeOptions
    standard_schema = "public"
    was_run = "A stand-in of Snowflake's server by the real connector; what it lacks is compiled, not run."
    example = MappingProxyType(
        {
            "account": "ACME-EU1",
            "user": "DQMON",
            "private_key_file": "/run/secrets/dqmon.p8",
            "role": "DQMON",
            "warehouse": "DQMON_XS",
            "database": "SHOP",
        }
    )
    # https://docs.snowflake.com/en/user-guide/query-size-limits: 1 MB of text; parameters are written into it.
    # Not is_columnar: it reads the columns that a statement names only, but a further statement is time that is paid for.
    capabilities = Capabilities(
        max_expressions=1_000,
        max_parameters=10_000,
        grammar="snowflake",
        has_samples=True,
        row_count=Said(is_exact=True, because="ROW_COUNT of a table of Snowflake's own is that of its last commit"),
        last_change=NOT_OF_LOADS,
        attributed_after_s=ATTRIBUTED_AFTER_S,
    )

    def __init__(self, name: str, options: SnowflakeOptions) -> None:
        super().__init__(name, options)
        if options.load_history:
            self.capabilities = replace(self.capabilities, last_change=OF_LOADS)

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
        engine = sa.create_engine("snowflake://", creator=self._opened, **self.pool(RECYCLE_S))
        sa.event.listen(engine, "do_execute", _execute)
        return engine

    def grants(self, tables: Iterable[TableRef]) -> str:
        """The statements that make the role that reads them."""
        return script(self.options, tables, self.default_schema or "")

    def writer(self, schema: str, instance: str) -> SqlWriter:
        """Names are written as Snowflake reads them without quotes, so that nobody needs some to ask for them."""
        engine = sa.create_engine("snowflake://", creator=self._opened, pool_size=1, max_overflow=0, pool_recycle=RECYCLE_S)
        return SqlWriter(Place(engine, schema, instance, self.connect_error, stored_name, characters_at_once=_CHARACTERS_AT_ONCE))

    def session(self, connection: sa.Connection) -> SnowflakeSession:
        """The session of one connection."""
        return SnowflakeSession(connection, self)

    def connect_error(self, error: Exception) -> WarehouseError:
        """Snowflake's words, with what to do."""
        where = f"account {self.options.account} as {self.options.user}"
        return ConnectFailed(f"{self.name}: no connection to {where}: {translated(error, self.timeout_s)}")

    def _opened(self) -> Any:
        import snowflake.connector

        return snowflake.connector.connect(**arguments(self.name, self.options, self.default_schema or ""))


def _execute(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    """Runs a statement with its tag and limit, without a further trip to the server; True: it was run."""
    cursor.execute(statement, parameters, _statement_params=context.root_connection.info.get(STATEMENT))
    return True
