"""Oracle Database by python-oracledb in its thin mode: read-only transactions, limits of the driver, names as Oracle folds them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from pydantic import Field, SecretStr

from dqmon.core.capabilities import Capabilities, Said
from dqmon.core.facts import TableFacts
from dqmon.core.options import WarehouseOptions
from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryFailed, QueryTimeout, TableMissing, WarehouseError
from dqmon.warehouses.base import Deadline, SqlSession, SqlWarehouse
from dqmon.warehouses.base import oracle_sql as _oracle_sql  # noqa: F401 - registers how Oracle writes SQL
from dqmon.warehouses.base.deadline import CANCEL_AFTER_S
from dqmon.warehouses.base.index_facts import index_facts
from dqmon.warehouses.base.lookups import Ask
from dqmon.warehouses.base.names import quoted, stored_name, written_name
from dqmon.warehouses.base.session import one_line

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

_PINNED = (
    "alter session set time_zone = 'UTC' nls_comp = 'BINARY' nls_sort = 'BINARY' nls_numeric_characters = '.,' "
    "nls_date_format = 'YYYY-MM-DD HH24:MI:SS' nls_timestamp_format = 'YYYY-MM-DD HH24:MI:SS.FF6' nls_length_semantics = 'CHAR'"
)
"""What server and role may set otherwise, so that conditions would mean other rows."""

_FACTS = (
    "select t.table_name, t.num_rows, i.index_name, c.column_name, 0 from all_tables t "
    "left join all_indexes i on i.table_owner = t.owner and i.table_name = t.table_name and i.uniqueness = 'UNIQUE' "
    "and i.index_type = 'NORMAL' and i.status in ('VALID', 'N/A') "
    "left join all_ind_columns c on c.index_owner = i.owner and c.index_name = i.index_name "
    "where t.owner = :schema and t.table_name in :names and t.external = 'NO' and t.temporary = 'N' union all "
    "select c.table_name, null, null, c.column_name, 1 from all_tab_columns c join all_tables t on t.owner = c.owner "
    "and t.table_name = c.table_name and t.external = 'NO' and t.temporary = 'N' "
    "where c.owner = :schema and c.table_name in :names and c.nullable = 'N'"
)
"""By table its rows when statistics were gathered, and each column of each unique index, or 1 in the last place and a column that is
NOT NULL. https://docs.oracle.com/en/database/oracle/oracle-database/19/refrn/ALL_INDEXES.html

NULLABLE is Y for a constraint that is not validated: https://docs.oracle.com/en/database/oracle/oracle-database/19/refrn/ALL_TAB_COLUMNS.html
"""


class OracleOptions(WarehouseOptions):
    """host, port, service: where it is. user, password: who reads; take the password from the environment."""

    host: str = Field(min_length=1)
    port: int = Field(default=1521, ge=1, le=65_535)
    service: str = Field(min_length=1)
    user: str = Field(min_length=1)
    password: SecretStr


class OracleSession(SqlSession):
    """One connection of the pool."""

    tables_sql = (
        "select owner, object_name, case when object_type = 'TABLE' then 0 else 1 end from all_objects "
        "where object_type in ('TABLE', 'VIEW', 'MATERIALIZED VIEW') and owner = coalesce(:schema, owner) and oracle_maintained = 'N'"
    )
    columns_sql = (
        "select table_name, column_name, data_type, data_precision, data_scale, nullable from all_tab_columns "
        "where owner = :schema and table_name in :names order by table_name, column_id"
    )
    clock_sql = "select sys_extract_utc(systimestamp) from dual"

    def tables(self, schema: str | None) -> tuple[tuple[TableRef, bool], ...]:
        """Those of a schema, or of all, named as check files name them."""
        rows = self._rows(sa.text(self.tables_sql), {"schema": schema and stored_name(schema)}, self.timeout_s)
        named = {(written_name(str(where)), written_name(str(name))): bool(is_view) for where, name, is_view in rows}
        return tuple(sorted((TableRef(self.name, None, where, name), view) for (where, name), view in named.items()))

    def column_rows(self, catalog: str | None, schema: str, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """As the catalogue has them; a database is one catalogue, so that a table of another is not there."""
        return self._asked(self.columns_sql, catalog, schema, names)

    def _asked(self, sql: str, catalog: str | None, schema: str, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        if catalog is None:
            yield from self.rows_of(sql.replace(":catalog", "null"), None, stored_name(schema), [stored_name(name) for name in names])

    def fold(self, name: str) -> str:
        """As Oracle reads a name without quotes."""
        return stored_name(name)

    def unchanged_proof(self, table: TableRef) -> str | None:
        """None: ORA_ROWSCN is of blocks and not of deleted rows, and the counters of changes are written down late."""
        del table
        return None

    def facts(self, table: TableRef) -> TableFacts:
        """NOT NULL columns and unique indexes of columns, which hold for every row; the rows when statistics were gathered."""
        ask: Ask = partial(self._asked, _FACTS)
        rows = self.told("facts", table, ask)
        return index_facts((count, index, name and written_name(str(name)), is_not_null) for count, index, name, is_not_null in rows)

    def column(self, position: int, row: Sequence[Any]) -> Column:
        """A NUMBER without decimals is an integer; a DATE has a time of day, and is a timestamp."""
        name, kind, precision, scale, nullable = row
        declared = f"NUMBER({precision or 38},{scale})" if kind == "NUMBER" and scale is not None else str(kind)
        return Column(written_name(str(name)), declared, _group(str(kind), scale), nullable == "Y", position)

    def powers(self) -> tuple[str, ...]:
        """System privileges besides signing in and reading."""
        rows = self._rows(sa.text("select privilege from session_privs"), {}, self.timeout_s)
        reading = ("CREATE SESSION", "SELECT ANY TABLE", "READ ANY TABLE", "SELECT ANY DICTIONARY")
        return tuple(sorted(str(name) for (name,) in rows if name not in reading))

    def prepare(self, timeout_s: float) -> None:
        """Nothing is written in this transaction; the driver's limit is one of each round trip, and the first one holds the statement's."""
        self.driver.call_timeout = max(1, math.ceil(timeout_s * 1000))
        self.connection.exec_driver_sql("set transaction read only")

    def deadline(self, timeout_s: float) -> Deadline:
        """Second net: the client breaks the call."""
        return Deadline((timeout_s + CANCEL_AFTER_S, self.driver.cancel))

    def translate(self, error: Exception, timeout_s: float) -> WarehouseError:
        """By Oracle's and the driver's codes."""
        return translated(error, timeout_s)


def _group(kind: str, scale: object) -> TypeGroup:
    if kind.startswith("TIMESTAMP"):
        return TypeGroup.TIMESTAMP_ZONED if "TIME ZONE" in kind else TypeGroup.TIMESTAMP
    groups = {
        **dict.fromkeys(("CHAR", "VARCHAR2", "NCHAR", "NVARCHAR2", "CLOB", "NCLOB"), TypeGroup.TEXT),
        **dict.fromkeys(("BINARY_FLOAT", "BINARY_DOUBLE"), TypeGroup.FLOAT),
        "NUMBER": TypeGroup.INTEGER if scale == 0 else TypeGroup.DECIMAL,
        "FLOAT": TypeGroup.DECIMAL,
        "DATE": TypeGroup.TIMESTAMP,
    }
    return groups.get(kind, TypeGroup.OTHER)


def translated(error: Exception, timeout_s: float) -> WarehouseError:
    """The error, by its code (https://docs.oracle.com/en/error-help/db/)."""
    origin: Any = getattr(error, "orig", None) or error
    code, words = getattr(next(iter(origin.args), None), "full_code", ""), one_line(error).partition(" Help: ")[0]
    match code:
        case "DPY-4024" | "ORA-01013" | "ORA-00040" | "ORA-12161":
            return QueryTimeout(f"the statement passed its limit of {timeout_s:g} s and was cancelled")
        case "ORA-00942":
            return TableMissing(f"{words}; Oracle says the same when the user lacks READ on it")
        case "ORA-00904":
            return ColumnMissing(words)
        case "ORA-01031" | "ORA-01456" | "ORA-41900":
            return PermissionDenied(f"{words}; see `dqmon grants`")
        case "ORA-01017" | "ORA-28000" | "ORA-28001" | "ORA-01045" | "ORA-03113" | "ORA-03114" | "ORA-00028" | "ORA-02396":
            return ConnectFailed(words)
        case _ if str(code).startswith(("DPY-4", "DPY-6", "DPY-1001", "ORA-125", "ORA-121")) or getattr(
            error, "connection_invalidated", False
        ):
            return ConnectFailed(words)
        case _:
            return QueryFailed(words)


class Oracle(SqlWarehouse):
    """An Oracle Database 19c or newer, by service name. Compiled, not run: no test has a server.

    A name without capitals is read as Oracle reads it unquoted: `sales.orders` is SALES.ORDERS, and so dqmon writes it. The empty text
    is NULL there: it counts as missing whatever `missing_values` says, and has no length. A DATE has a time of day, and is read as a
    timestamp; a NUMBER without decimals is an integer. Texts are compared by their bytes, up to 4,000 of them.

    Regular expressions are Oracle's, of 512 bytes at most, without look-around and `(?:…)`: longer formats, such as `url`, are errors
    of the server. A condition check with `segment_by` needs Oracle 23ai, in which a condition is a value.
    """

    type: ClassVar[str] = "oracle"
    Options = OracleOptions
    standard_schema = ""
    was_run = "Compiled, not run."
    example: ClassVar[Mapping[str, object]] = {"host": "db.example.com", "service": "SHOP", "user": "dqmon", "password": "${SHOP_PASSWORD}"}
    # https://docs.oracle.com/en/database/oracle/oracle-database/19/refrn/logical-database-limits.html: 1,000 columns, 65,535 parameters;
    # lists of IN have 1,000 entries.
    capabilities = Capabilities(
        max_expressions=500,
        max_parameters=1_000,
        grammar="oracle",
        row_count=Said(is_exact=False, because="NUM_ROWS is of the time when statistics were gathered"),
        last_change=Said(is_exact=False, because="ALL_TAB_MODIFICATIONS is written down late, and begins anew with statistics"),
    )

    def __init__(self, name: str, options: WarehouseOptions) -> None:
        super().__init__(name, options)
        self.default_schema = options.default_schema or written_name(stored_name(self.options.user))

    def create_engine(self) -> sa.Engine:
        """A pool of at most `max_connections`, each tested before use."""
        options = self.options
        where = {"service_name": options.service}
        url = sa.URL.create("oracle+oracledb", options.user, options.password.get_secret_value(), options.host, options.port, query=where)
        try:
            engine = sa.create_engine(
                url,
                **self.pool(),
                connect_args={"tcp_connect_timeout": options.connect_timeout, "retry_count": 0, "program": "dqmon"},
            )
        except ImportError as e:
            raise ConnectFailed("Oracle needs the extra `oracle`: pip install 'dqmon[oracle]'") from e
        sa.event.listen(engine, "connect", _pin, insert=True)
        return engine

    def session(self, connection: sa.Connection) -> OracleSession:
        """The session of one connection."""
        return OracleSession(connection, self)

    def grants(self, tables: Iterable[TableRef]) -> str:
        """The statements that make the user that reads them; a pattern is READ ANY TABLE, since Oracle grants no schema before 23ai."""
        user = quoted(stored_name(self.options.user))
        named = sorted({(table.schema or self.default_schema or "", table.name) for table in tables})
        names = (".".join(quoted(stored_name(part)) for part in parts) for parts in named)
        is_wide = any("*" in part for parts in named for part in parts)
        return "\n".join([
            "-- Run by an administrator. READ, unlike SELECT, cannot lock rows.",
            f'CREATE USER {user} IDENTIFIED BY "<a password>";',
            f"GRANT CREATE SESSION TO {user};",
            *([f"GRANT READ ANY TABLE TO {user};"] if is_wide else [f"GRANT READ ON {name} TO {user};" for name in names]),
        ])  # fmt: skip

    def connect_error(self, error: Exception) -> WarehouseError:
        """Oracle's words, and where it was looked for."""
        where = f"{self.options.host}:{self.options.port}/{self.options.service}"
        return ConnectFailed(f"{self.name}: no connection to {where}: {translated(error, self.timeout_s)}")


def _pin(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    del record
    with connection.cursor() as cursor:  # type: ignore[attr-defined]  # the driver's cursors are context managers
        cursor.execute(_PINNED)
