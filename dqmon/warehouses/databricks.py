"""Databricks SQL by its own connector: a SQL warehouse over Unity Catalog, values bound by the server, every session tagged and limited."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

import sqlalchemy as sa

from dqmon.core.capabilities import Capabilities, Gap, Said
from dqmon.core.facts import TableFacts
from dqmon.core.table import Column, TableRef
from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryFailed, QueryTimeout, TableMissing, WarehouseError
from dqmon.warehouses.base import Deadline, SqlSession, SqlWarehouse
from dqmon.warehouses.base.databricks_connect import DatabricksOptions, arguments
from dqmon.warehouses.base.deadline import CANCEL_AFTER_S
from dqmon.warehouses.base.index_facts import not_null
from dqmon.warehouses.base.session import one_line, refused
from dqmon.warehouses.base.spark_catalogue import column
from dqmon.warehouses.base.spark_sql import DOUBLE_QUOTES, quoted

_COLUMNS = (
    "select c.table_name, c.column_name, c.full_data_type, c.is_nullable, t.table_type, t.data_source_format "
    "from {place}information_schema.columns c join {place}information_schema.tables t "
    "on t.table_schema = c.table_schema and t.table_name = c.table_name "
    "where c.table_schema = :schema and c.table_name in :names order by c.table_name, c.ordinal_position"
)

_POWERS = (
    "select distinct privilege_type from information_schema.table_privileges where privilege_type <> 'SELECT' "
    "and (grantee = current_user() or is_account_group_member(grantee))"
)

_STATE = re.compile(r"SQLSTATE: (\w{5})")
_STOPPED = re.compile(r"timed out|timeout|cancel", re.IGNORECASE)
_RUNNING = "dqmon_cursor"


class DatabricksSession(SqlSession):
    """One connection of the pool."""

    tables_sql = (
        "select table_schema, table_name, table_type like '%VIEW' from information_schema.tables "
        "where table_schema = coalesce(:schema, table_schema) and table_schema <> 'information_schema'"
    )
    columns_sql = _COLUMNS.format(place="")
    clock_sql = "select current_timestamp()"

    def __init__(self, connection: sa.Connection, warehouse: Databricks) -> None:
        super().__init__(connection, warehouse)
        self._sees_all_rows: bool = warehouse.options.sees_all_rows

    def column_rows(self, catalog: str | None, schema: str, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """From the information schema of the catalog; names are in small letters there."""
        # A colon in a name would be a parameter.
        sql = self.columns_sql if catalog is None else _COLUMNS.format(place=quoted(catalog).replace(":", r"\:") + ".")
        return self.rows_of(sql, None, schema.lower(), [name.lower() for name in names])

    def fold(self, name: str) -> str:
        """Unity Catalog keeps all names in small letters."""
        return name.lower()

    def column(self, position: int, row: Sequence[Any]) -> Column:
        """As the catalogue has it. NOT NULL is believed of tables of Delta alone, which keep it."""
        name, declared, nullable, *_ = row
        return column(position, str(name), str(declared), nullable=nullable != "NO" or not _is_delta(row))

    def facts(self, table: TableRef) -> TableFacts:
        """NOT NULL of Delta tables, the one constraint that is kept; keys are for people.

        https://docs.databricks.com/aws/en/tables/constraints
        """
        return TableFacts(columns=not_null(column.name for column in self.columns(table) if not column.nullable))

    def unchanged_proof(self, table: TableRef) -> str | None:
        """By number and time of a Delta table's last version (https://docs.databricks.com/aws/en/delta/history).

        A new version may have the same rows, as after OPTIMIZE; the same version never has others.
        """
        rows = self.told("columns", table, self.column_rows)
        if not self._sees_all_rows or not rows or not _is_delta(rows[0]):
            return None
        parts = (table.catalog, table.schema or self.default_schema, table.name)
        name = ".".join(quoted(part) for part in parts if part is not None).replace(":", r"\:")
        # A role that may not see it, or a table that lost its history.
        with suppress(PermissionDenied, QueryFailed, TableMissing):
            for version, at, *_ in self._rows(sa.text(f"DESCRIBE HISTORY {name} LIMIT 1"), {}, self.timeout_s):
                return f"version {version} of the Delta table, committed at {at}"
        return None

    def powers(self) -> tuple[str, ...]:
        """Rights on tables of the catalog beyond reading, the role's own and its groups'."""
        rows = self._rows(sa.text(_POWERS), {}, self.timeout_s)
        return tuple(sorted(f"{str(privilege).lower()} on tables of the catalog" for (privilege,) in rows))

    def deadline(self, timeout_s: float) -> Deadline:
        """A cancel by the client, which may come before the server's own limit."""
        return Deadline((timeout_s + CANCEL_AFTER_S, self._cancel))

    def _cancel(self) -> None:
        from databricks.sql import Error

        with suppress(Error, KeyError):
            self.connection.info[_RUNNING].cancel()

    def translate(self, error: Exception, timeout_s: float) -> WarehouseError:
        """By the SQLSTATE that stands in the message (https://docs.databricks.com/aws/en/error-messages/sqlstates)."""
        words = one_line(error)
        state = _STATE.search(str(getattr(error, "orig", None) or error))
        match state[1] if state else "":
            case "42P01" | "42704":
                return TableMissing(words)
            case "42703":
                return ColumnMissing(words)
            case "42501":
                return PermissionDenied(f"{words}; see `dqmon grants`")
            case "HY008" | "57014" | "57KD0":
                return QueryTimeout(f"the statement passed its limit of {timeout_s:g} s and was cancelled on the server")
            case "" if _is_broken(error):
                return ConnectFailed(words)
            case "" if _STOPPED.search(words):
                return QueryTimeout(f"the statement passed its limit of {timeout_s:g} s and was cancelled on the server")
            case _:
                return refused(error)


def _is_delta(row: Sequence[Any]) -> bool:
    *_, kind, form = row
    return kind in ("MANAGED", "EXTERNAL") and form == "DELTA"


def _is_broken(error: Exception) -> bool:
    """True for what the connector raises without an answer of the server."""
    from databricks.sql.exc import OperationalError

    return isinstance(getattr(error, "orig", None) or error, (OperationalError, OSError))


def _remember(connection: sa.Connection, cursor: Any, *_: Any) -> None:
    connection.info[_RUNNING] = cursor


class Databricks(SqlWarehouse):
    """A catalog of Unity Catalog, by a SQL warehouse; others by names of three parts.

    Reading only: Databricks has no read-only sessions, so the role must have no more than SELECT (`dqmon grants`); a statement is one
    statement to the server, and dqmon sends SELECT and DESCRIBE HISTORY. Sessions run in ANSI mode and in UTC, carry the query tags
    app and warehouse, and are limited by STATEMENT_TIMEOUT.

    INFORMATION_SCHEMA is asked once for all tables of a schema. It says nothing of rows; LAST_ALTERED is when the definition was
    changed. That a table is unchanged is proved by the version of a Delta table, NOT NULL is believed of Delta tables only, and keys,
    which are for people, never. NaN equals NaN, and is greater than all numbers. Regular expressions are Java's. Names of tables and
    columns are found in any case of letters. Comparing rows of floats with another kind of engine finds differences where there are
    none: the shortest digits of a double are written.
    """

    type: ClassVar[str] = "databricks"
    Options = DatabricksOptions
    standard_schema = "default"
    was_run = "Compiled, not run."
    example: ClassVar[Mapping[str, object]] = {
        "host": "dbc-1234.cloud.databricks.com",
        "http_path": "/sql/1.0/warehouses/abcdef",
        "catalog": "main",
        "client_id": "${DATABRICKS_CLIENT_ID}",
        "client_secret": "${DATABRICKS_CLIENT_SECRET}",
    }
    # 255 parameter markers: https://docs.databricks.com/aws/en/dev-tools/python-sql-connector
    capabilities = Capabilities(
        max_expressions=500,
        max_parameters=255,
        is_columnar=True,
        grammar="databricks",
        row_count=Said(is_exact=False, because="the catalogue says nothing of rows"),
        last_change=Said(
            is_exact=False, because="LAST_ALTERED is of the definition, and a table's history tells of rewrites without new rows, too"
        ),
        gaps=tuple(Gap(f"{kind}: reserved words and mixed case", "UnsafeSql", DOUBLE_QUOTES) for kind in ("condition", "sql")),
    )

    @property
    def default_catalog(self) -> str:
        """The catalog, which names need not have."""
        return str(self.options.catalog)

    def create_engine(self) -> sa.Engine:
        """A pool of at most `max_connections`; each is tested before use."""
        try:
            engine = sa.create_engine("databricks://", creator=self._opened, **self.pool())
        except (ImportError, sa.exc.NoSuchModuleError) as e:
            raise ConnectFailed("Databricks needs the extra `databricks`: pip install 'dqmon[databricks]'") from e
        sa.event.listen(engine, "before_cursor_execute", _remember)
        return engine

    def _opened(self) -> Any:
        from databricks import sql

        return sql.connect(**arguments(self.name, self.options, self.default_schema or ""))

    def session(self, connection: sa.Connection) -> DatabricksSession:
        """The session of one connection."""
        return DatabricksSession(connection, self)

    def grants(self, tables: Iterable[TableRef]) -> str:
        """The statements that let a principal read them."""
        principal = quoted(self.options.client_id or "dqmon")
        named = sorted({(t.catalog or self.options.catalog, t.schema or self.default_schema or "", t.name) for t in tables})
        lines = [
            "-- Run by an owner of the catalog. The principal also needs CAN USE on the SQL warehouse, which is given in its settings."
        ]
        schemas = dict.fromkeys((catalog, schema) for catalog, schema, _ in named)
        lines += [f"GRANT USE CATALOG ON CATALOG {quoted(name)} TO {principal};" for name in dict.fromkeys(name for name, _ in schemas)]
        lines += [f"GRANT USE SCHEMA ON SCHEMA {quoted(catalog)}.{quoted(schema)} TO {principal};" for catalog, schema in schemas]
        lines += [f"GRANT SELECT ON TABLE {'.'.join(map(quoted, names))} TO {principal};" for names in named]
        return "\n".join(lines)

    def connect_error(self, error: Exception) -> WarehouseError:
        """What broke, and where."""
        return ConnectFailed(f"{self.name}: no connection to {self.options.host}: {one_line(error)}")
