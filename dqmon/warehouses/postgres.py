"""PostgreSQL by psycopg 3: read-only transactions, limits on the server, a pool that never grows past its cap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar

import sqlalchemy as sa
from pydantic import SecretStr, field_validator

from dqmon.core.capabilities import Capabilities, Said
from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.fragment import Fragment
from dqmon.core.options import WarehouseOptions
from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryFailed, QueryTimeout, TableMissing, WarehouseError
from dqmon.warehouses.base import Deadline, SqlSession, SqlWarehouse
from dqmon.warehouses.base.deadline import CANCEL_AFTER_S, DROP_AFTER_S, shut
from dqmon.warehouses.base.postgres_catalogue import LEAVES, RELATIONS, WORTH_DISTINCT, Relation, leaves, relation
from dqmon.warehouses.base.postgres_grants import script
from dqmon.warehouses.base.postgres_powers import POWERS, in_words
from dqmon.warehouses.base.session import one_line, refused
from dqmon.warehouses.base.writer import Place, SqlWriter

_SAME_EVERYWHERE = "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=postgres"
"""What server and role may set otherwise, so that conditions would mean other rows, and moments be written in another way; `options`
in the URL come after it."""

_GROUPS = {
    **dict.fromkeys(("int2", "int4", "int8"), TypeGroup.INTEGER),
    "numeric": TypeGroup.DECIMAL,
    **dict.fromkeys(("float4", "float8"), TypeGroup.FLOAT),
    # JSON and XML are kept as they were written; jsonb is a type of its own, with an equality.
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "citext", "json", "xml"), TypeGroup.TEXT),
    "bool": TypeGroup.BOOLEAN,
    "date": TypeGroup.DATE,
    "timestamp": TypeGroup.TIMESTAMP,
    "timestamptz": TypeGroup.TIMESTAMP_ZONED,
}


class PostgresOptions(WarehouseOptions):
    """url: `postgresql://user:password@host:port/database`; take it from the environment, it holds a password."""

    url: SecretStr

    @field_validator("url")
    @classmethod
    def _is_postgres(cls, url: SecretStr) -> SecretStr:
        try:
            backend = sa.make_url(url.get_secret_value()).get_backend_name()
        except sa.exc.ArgumentError:
            backend = ""
        if backend not in ("postgresql", "postgres"):
            raise ValueError("it is no PostgreSQL URL; write postgresql://user:password@host:5432/database")
        return url


class PostgresSession(SqlSession):
    """One connection of the pool."""

    no_past_rows = "PostgreSQL counts inserted and deleted rows without their times (pg_stat_user_tables)"
    tables_sql = (
        "select n.nspname, c.relname, c.relkind in ('v', 'm') from pg_catalog.pg_class c "
        "join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'v', 'm', 'f', 'p') "
        "and n.nspname = coalesce(cast(:schema as text), n.nspname) and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
    )
    columns_sql = (
        "select c.relname, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), coalesce(b.typname, t.typname), not a.attnotnull, "
        "case when coalesce(b.typname, t.typname) = 'citext' then 'citext' when not l.collisdeterministic then l.collname end "
        "from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid "
        "join pg_catalog.pg_namespace n on n.oid = c.relnamespace join pg_catalog.pg_type t on t.oid = a.atttypid "
        "left join pg_catalog.pg_type b on b.oid = t.typbasetype left join pg_catalog.pg_collation l on l.oid = a.attcollation "
        "where c.relname in :names and n.nspname = cast(:schema as text) "
        "and coalesce(cast(:catalog as text), current_database()) = current_database() "
        "and a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'v', 'm', 'f', 'p') order by c.relname, a.attnum"
    )

    clock_sql = "select pg_catalog.clock_timestamp()"

    def announce(self, tables: Iterable[TableRef]) -> None:
        """As every session's; PostgreSQL takes no NUL in a text, so that no table has one in its name."""
        super().announce(table for table in tables if "\0" not in table.dataset)

    def columns(self, table: TableRef) -> tuple[Column, ...]:
        """As every session's; PostgreSQL takes no NUL in a text, so that no table has one in its name."""
        if "\0" in table.dataset:
            raise TableMissing(f"there is no table {table.dataset!r}")
        return super().columns(table)

    def powers(self) -> tuple[str, ...]:
        """By its attributes, its memberships, its rights and what it owns."""
        return in_words(self._rows(sa.text(POWERS), {}, self.timeout_s))

    def unchanged_proof(self, table: TableRef) -> str | None:
        """By the counters of inserted, updated and deleted rows, the file that holds the table, and when counting began.

        Only of plain tables without children. The server publishes counters at most once a second, and up to 10 s late from
        a busy or idle client (https://www.postgresql.org/docs/current/monitoring-stats.html): a change in the last seconds
        before a run may be seen by the next one.
        """
        known = self._relation(table)
        return known.proof if known else None

    def facts(self, table: TableRef) -> TableFacts:
        """By the constraints of plain and partitioned tables; numbers of distinct values of large ones only."""
        known = self._relation(table)
        return known.facts if known else NOTHING_KNOWN

    def fragments(self, table: TableRef) -> tuple[Fragment, ...]:
        """The leaf partitions, if all of them are plain tables that may be read alone."""
        known = self._relation(table)
        return leaves(self.told("leaves", table, partial(self.rows_of, LEAVES))) if known and known.is_partitioned else ()

    def _relation(self, table: TableRef) -> Relation | None:
        """None of views and foreign tables, and of a table that somebody holds exclusively."""
        rows = self.told("relations", table, partial(self.rows_of, RELATIONS, large=WORTH_DISTINCT))
        return relation(rows[0]) if rows else None

    def column(self, position: int, row: Sequence[Any]) -> Column:
        """The group follows the type's name, a domain's base type; a collation stands in the type when texts that differ may be equal."""
        name, kind, base, nullable, folding = row
        declared = str(kind) if folding is None else f"{kind} collate {folding}"
        return Column(str(name), declared, _GROUPS.get(str(base), TypeGroup.OTHER), bool(nullable), position)

    def prepare(self, timeout_s: float) -> None:
        """The server's own limit, for this transaction alone."""
        limit = sa.text("select pg_catalog.set_config('statement_timeout', :limit, true)")
        self.connection.execute(limit, {"limit": f"{max(1, round(timeout_s * 1000))}ms"})

    def deadline(self, timeout_s: float) -> Deadline:
        """Second and third net: a cancel by the client, then the socket shut."""
        return Deadline((timeout_s + CANCEL_AFTER_S, self._cancel), (timeout_s + DROP_AFTER_S, self._shut))

    def _cancel(self) -> None:
        # Less than the time until the next stop, which waits for this one.
        self.driver.cancel_safe(timeout=1.0)

    def _shut(self) -> None:
        shut(self.driver.fileno())

    def translate(self, error: Exception, timeout_s: float) -> WarehouseError:
        """By SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""
        if getattr(error, "connection_invalidated", False):
            return ConnectFailed(f"the connection broke: {one_line(error)}")
        match getattr(getattr(error, "orig", None), "sqlstate", None) or "":
            case "57014":
                return QueryTimeout(f"the statement passed its limit of {timeout_s:g} s and was cancelled on the server")
            case "42501":
                return PermissionDenied(f"{one_line(error)}; grant the warehouse's user SELECT on the table and USAGE on its schema")
            case "25006":
                return PermissionDenied(one_line(error))
            case "42P01" | "3F000":
                return TableMissing(one_line(error))
            case "42703":
                return ColumnMissing(one_line(error))
            case "42883":
                return QueryFailed(f"{one_line(error)}; cast the column in a view, or leave it out")
            case state if state[:2] in ("08", "28", "53", "57") or (not state and isinstance(error, sa.exc.OperationalError)):
                return ConnectFailed(one_line(error))
            case _:
                return refused(error)


class Postgres(SqlWarehouse):
    """A PostgreSQL database, or one that speaks its protocol."""

    type: ClassVar[str] = "postgres"
    Options = PostgresOptions
    standard_schema = "public"
    was_run = "PostgreSQL 18, in all tests."
    example = MappingProxyType({"url": "postgresql://dqmon@db.example.com:5432/shop"})
    # https://www.postgresql.org/docs/current/limits.html: 1,664 result columns, 65,535 parameters.
    capabilities = Capabilities(
        max_expressions=1_000,
        max_parameters=60_000,
        key_ways=frozenset(("copies",)),
        has_samples=True,
        grammar="postgres",
        # https://www.postgresql.org/docs/current/catalog-pg-class.html, https://www.postgresql.org/docs/current/monitoring-stats.html
        row_count=Said(is_exact=False, because="each transaction sees rows of its own, and reltuples is what the last ANALYZE estimated"),
        last_change=Said(is_exact=False, because="PostgreSQL counts changes and keeps no time of them"),
    )

    def create_engine(self) -> sa.Engine:
        """A pool of at most `max_connections`, each tested before use."""
        reading = {"execution_options": {"postgresql_readonly": True}}
        return self._engine_with("-c default_transaction_read_only=on", {"cursor_factory": _one_statement_cursor()}, **reading)

    def writer(self, schema: str, instance: str) -> SqlWriter:
        """Rows go to the server in a pipeline."""
        engine = self._engine_with(f"-c statement_timeout={round(self.timeout_s * 1000)}", {}, pool_size=1)
        return SqlWriter(Place(engine, schema, instance, self.connect_error))

    def _engine_with(self, settings: str, arguments: dict[str, Any], **more: Any) -> sa.Engine:
        url = sa.make_url(self.options.url.get_secret_value()).set(drivername="postgresql+psycopg")
        given = url.query.get("options", "")
        return sa.create_engine(
            url,
            connect_args={
                "application_name": "dqmon",
                "connect_timeout": self.options.connect_timeout,
                "options": f"{_SAME_EVERYWHERE} {given} {settings} -c standard_conforming_strings=on",
            }
            | arguments,
            **self.pool() | more,
        )

    def session(self, connection: sa.Connection) -> PostgresSession:
        """The session of one connection."""
        return PostgresSession(connection, self)

    def grants(self, tables: Iterable[TableRef]) -> str:
        """The statements that make the role that reads them."""
        url = sa.make_url(self.options.url.get_secret_value())
        return script(url, tables, self.default_schema or "", self.max_connections)

    def connect_error(self, error: Exception) -> WarehouseError:
        """The server's words without the URL, which holds a password."""
        url = sa.make_url(self.options.url.get_secret_value())
        where = f"{url.host or url.query.get('host', 'the local socket')}:{url.port or 5432}/{url.database}"
        return ConnectFailed(f"{self.name}: no connection to {where}: {one_line(error)}")


def _one_statement_cursor() -> type[Any]:
    """A cursor that always speaks the extended protocol, in which the server takes one statement only."""
    try:
        from psycopg import Cursor
    except ImportError as e:
        raise ConnectFailed("PostgreSQL needs the extra `postgres`: pip install 'dqmon[postgres]'") from e

    class OneStatementCursor(Cursor[Any]):
        def _execute_send(self, query: Any, *, force_extended: bool = False, binary: bool | None = None) -> None:
            # psycopg sends a query without parameters by the simple protocol, which takes `select 1; drop table x`.
            del force_extended
            super()._execute_send(query, force_extended=True, binary=binary)

    return OneStatementCursor
