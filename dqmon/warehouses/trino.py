"""Trino by its own client: one catalog or several, read-only transactions, limits kept by the coordinator, what a statement read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import sqlalchemy as sa

from dqmon.core.capabilities import Capabilities, Said
from dqmon.core.spending import Spending
from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryFailed, QueryTimeout, TableMissing, WarehouseError
from dqmon.warehouses.base import Deadline, SqlSession, SqlWarehouse
from dqmon.warehouses.base.deadline import CANCEL_AFTER_S
from dqmon.warehouses.base.names import quoted
from dqmon.warehouses.base.session import MESSAGE_LIMIT, one_line
from dqmon.warehouses.base.trino_connect import TrinoOptions, arguments

_COLUMNS = (
    "select table_name, column_name, data_type, is_nullable from {place}information_schema.columns "
    "where table_schema = :schema and table_name in :names order by table_name, ordinal_position"
)

_POWERS = (
    "select distinct privilege_type from information_schema.table_privileges where privilege_type <> 'SELECT' "
    "and (grantee = current_user or grantee in (select role_name from information_schema.enabled_roles))"
)

_GROUPS = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), TypeGroup.INTEGER),
    "decimal": TypeGroup.DECIMAL,
    **dict.fromkeys(("real", "double"), TypeGroup.FLOAT),
    **dict.fromkeys(("varchar", "char"), TypeGroup.TEXT),
    "boolean": TypeGroup.BOOLEAN,
    "date": TypeGroup.DATE,
    "timestamp": TypeGroup.TIMESTAMP,
}

_NOTHING_EXACT = Said(is_exact=False, because="Trino's catalogue says nothing of rows but the connectors' estimates, and nothing of time")


class TrinoSession(SqlSession):
    """One connection of the pool."""

    tables_sql = (
        "select table_schema, table_name, table_type = 'VIEW' from information_schema.tables "
        "where table_schema = coalesce(cast(:schema as varchar), table_schema) and table_schema <> 'information_schema'"
    )
    columns_sql = _COLUMNS.format(place="")
    clock_sql = "select current_timestamp"

    def column_rows(self, catalog: str | None, schema: str, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """From the information schema of the catalog; names are in small letters there."""
        # A colon in a name would be a parameter.
        sql = self.columns_sql if catalog is None else _COLUMNS.format(place=quoted(catalog).replace(":", r"\:") + ".")
        return self.rows_of(sql, None, schema.lower(), [name.lower() for name in names])

    def fold(self, name: str) -> str:
        """Trino reads all names in small letters."""
        return name.lower()

    def column(self, position: int, row: Sequence[Any]) -> Column:
        """The group follows the type's first word; of timestamps the zone makes the difference."""
        name, declared, nullable = row
        kind = str(declared).partition("(")[0]
        zoned = kind.startswith("timestamp") and str(declared).endswith("with time zone")
        group = TypeGroup.TIMESTAMP_ZONED if zoned else _GROUPS.get(kind, TypeGroup.OTHER)
        return Column(str(name), str(declared), group, nullable != "NO", position)

    def unchanged_proof(self, table: TableRef) -> str | None:
        """None: what a connector knows of changes is told by tables of its own, if at all."""
        del table
        return None

    def powers(self) -> tuple[str, ...]:
        """Rights on the catalog's tables beyond reading, as far as its connector keeps rights."""
        rows = self._rows(sa.text(_POWERS), {}, self.timeout_s)
        return tuple(sorted(f"{str(privilege).lower()} on tables of the catalog" for (privilege,) in rows))

    def prepare(self, timeout_s: float) -> None:
        """The limit, which goes along with the statements and is kept by the coordinator."""
        self.driver.limit(timeout_s)

    def deadline(self, timeout_s: float) -> Deadline:
        """Second net: a cancel by the client. The third is the time-out of each request: an answer never takes longer than seconds."""
        return Deadline((timeout_s + CANCEL_AFTER_S, self.driver.cancel))

    def spending(self, result: sa.CursorResult[Any]) -> Spending:
        """What the coordinator counted, over all stages (https://trino.io/docs/current/develop/client-protocol.html)."""
        del result
        told: Mapping[str, Any] = self.driver.last.stats or {}
        return Spending(told.get("processedRows"), told.get("processedBytes"), None, told.get("queryId"))

    def translate(self, error: Exception, timeout_s: float) -> WarehouseError:
        """By the names of errors (io.trino.spi.StandardErrorCode)."""
        origin: Any = getattr(error, "orig", None) or error
        # The client's own text for people has the number, the class and the place before the words.
        words = " ".join(str(getattr(origin, "message", None) or one_line(error)).split())[:MESSAGE_LIMIT]
        match getattr(origin, "error_name", None):
            case "EXCEEDED_TIME_LIMIT" | "USER_CANCELED":
                return QueryTimeout(f"the statement passed its limit of {timeout_s:g} s and was cancelled on the server")
            case "TABLE_NOT_FOUND" | "SCHEMA_NOT_FOUND" | "CATALOG_NOT_FOUND":
                return TableMissing(words)
            case "COLUMN_NOT_FOUND":
                return ColumnMissing(words)
            case "PERMISSION_DENIED":
                return PermissionDenied(f"{words}; see `dqmon grants`")
            case "SERVER_SHUTTING_DOWN" | "SERVER_STARTING_UP":
                return ConnectFailed(words)
            case None if _is_broken(origin):
                return ConnectFailed(words)
            case _:
                return QueryFailed(words)


def _is_broken(error: Exception) -> bool:
    """True for what the client raises without an answer of the coordinator."""
    from requests import RequestException
    from trino import exceptions

    return isinstance(error, (RequestException, exceptions.OperationalError, exceptions.HttpError))


class Trino(SqlWarehouse):
    """A catalog of a Trino cluster, and others by names of three parts; Trino 418 or newer, for the way values are sent.

    Statements run one at a time (the protocol takes no more), in transactions that the coordinator keeps read-only, in UTC, under the
    source `dqmon`. INFORMATION_SCHEMA is asked once for all tables of a schema; it tells columns, and nothing exact of rows or of the
    last write. Names of tables and columns are found in any case of letters.

    NaN is in no order in Trino: a range check that takes NaN for a value finds it inside of every range. Quantiles are exact, by
    numbering the rows, since Trino's own are approximate. Regular expressions are Java's. Comparing rows of floats with another kind
    of engine finds differences where there are none: Trino writes the shortest digits of a double.
    """

    type: ClassVar[str] = "trino"
    Options = TrinoOptions
    standard_schema = "default"
    was_run = "Compiled, not run; the client against a replay of the protocol."
    example: ClassVar[Mapping[str, object]] = {"host": "trino.example.com", "user": "dqmon", "catalog": "lake", "token": "${TRINO_TOKEN}"}
    # A statement has 1,000,000 characters, with its values (query.max-length), and stages of a limited size.
    # https://trino.io/docs/current/admin/properties-query-management.html#query-max-length
    capabilities = Capabilities(
        max_expressions=500,
        max_parameters=5_000,
        has_quantiles=False,
        is_columnar=True,
        grammar="trino",
        row_count=_NOTHING_EXACT,
        last_change=_NOTHING_EXACT,
    )

    @property
    def default_catalog(self) -> str:
        """The catalog, which names need not have."""
        return str(self.options.catalog)

    def create_engine(self) -> sa.Engine:
        """A pool of at most `max_connections`; none is tested before use, since a connection is only what the next request says."""
        try:
            from dqmon.warehouses.base.trino_client import TrinoConnection
        except ImportError as e:
            raise ConnectFailed("Trino needs the extra `trino`: pip install 'dqmon[trino]'") from e
        sa.dialects.registry.register("trino.dqmon", "dqmon.warehouses.base.trino_dialect", "Dialect")
        return sa.create_engine(
            "trino+dqmon://",
            creator=lambda: TrinoConnection(**arguments(self.name, self.options, self.default_schema or "")),
            pool_size=self.max_connections,
            max_overflow=0,
            pool_timeout=self.options.connect_timeout,
            hide_parameters=True,
        )

    def session(self, connection: sa.Connection) -> TrinoSession:
        """The session of one connection."""
        return TrinoSession(connection, self)

    def grants(self, tables: Iterable[TableRef]) -> str:
        """The statements for connectors that keep rights, and what to write into a file of rules for the others."""
        named = {(table.catalog or self.options.catalog, table.schema or self.default_schema or "", table.name) for table in tables}
        user = quoted(self.options.user)
        lines = [
            "-- For connectors that keep rights (Hive with sql-standard, Iceberg and Delta with a metastore that does):",
            *(f"GRANT SELECT ON {'.'.join(map(quoted, names))} TO USER {user};" for names in sorted(named)),
            "-- For the others, a rule in the file that access-control.properties names, before those that allow more:",
            f'-- {{"user": "{self.options.user}", "privileges": ["SELECT"]}}',
            "-- https://trino.io/docs/current/security/file-system-access-control.html",
        ]
        return "\n".join(lines)

    def connect_error(self, error: Exception) -> WarehouseError:
        """What broke, and where."""
        return ConnectFailed(f"{self.name}: no connection to {self.options.host}:{self.options.port}: {one_line(error)}")
