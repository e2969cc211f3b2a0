"""SQL Server by pymssql, compiled by SQLAlchemy's dialect; limits are the driver's, and what may be written is the role's matter."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import sqlalchemy as sa
from pydantic import Field, SecretStr

from dqmon.core.capabilities import Capabilities, Gap, Said
from dqmon.core.facts import TableFacts
from dqmon.core.options import WarehouseOptions
from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryFailed, QueryTimeout, TableMissing, WarehouseError
from dqmon.warehouses.base import Deadline, SqlSession, SqlWarehouse
from dqmon.warehouses.base import mssql_sql as _mssql_sql  # noqa: F401 - registers how SQL Server writes SQL
from dqmon.warehouses.base.index_facts import index_facts
from dqmon.warehouses.base.session import one_line

_GROUPS = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), TypeGroup.INTEGER),
    **dict.fromkeys(("decimal", "numeric", "money", "smallmoney"), TypeGroup.DECIMAL),
    **dict.fromkeys(("real", "float"), TypeGroup.FLOAT),
    **dict.fromkeys(("char", "varchar", "nchar", "nvarchar", "sysname"), TypeGroup.TEXT),
    "bit": TypeGroup.BOOLEAN,
    "date": TypeGroup.DATE,
    **dict.fromkeys(("datetime", "datetime2", "smalldatetime"), TypeGroup.TIMESTAMP),
    "datetimeoffset": TypeGroup.TIMESTAMP_ZONED,
}

_FACTS = (
    "select o.name, (select sum(p.rows) from sys.partitions p where p.object_id = o.object_id and p.index_id in (0, 1)), i.name, c.name, 0 "
    "from sys.tables o join sys.schemas s on s.schema_id = o.schema_id "
    "left join sys.indexes i on i.object_id = o.object_id and i.is_unique = 1 and i.is_disabled = 0 and i.has_filter = 0 "
    "left join sys.index_columns k on k.object_id = i.object_id and k.index_id = i.index_id and k.key_ordinal > 0 "
    "left join sys.columns c on c.object_id = k.object_id and c.column_id = k.column_id "
    "where s.name = :schema and o.name in :names and :catalog is null and o.is_external = 0 union all "
    "select o.name, null, null, c.name, 1 from sys.tables o join sys.schemas s on s.schema_id = o.schema_id "
    "join sys.columns c on c.object_id = o.object_id and c.is_nullable = 0 "
    "where s.name = :schema and o.name in :names and :catalog is null and o.is_external = 0"
)
"""By table its estimated rows, and each column of each unique index, or 1 in the last place and a column that is NOT NULL.

https://learn.microsoft.com/en-us/sql/relational-databases/system-catalog-views/sys-indexes-transact-sql
"""

_READING = frozenset({"CONNECT", "SELECT", "VIEW DEFINITION", "VIEW DATABASE STATE", "VIEW ANY COLUMN ENCRYPTION KEY DEFINITION"})
_VIEWING = "VIEW ANY "

_HINTS = {18456: "check user and password", 4060: "check `database:`, and that the login has a user in it"}


class MssqlOptions(WarehouseOptions):
    """host, port, database: where it is. user, password: a login of SQL Server; take the password from the environment."""

    host: str = Field(min_length=1)
    port: int = Field(default=1433, ge=1, le=65_535)
    database: str = Field(min_length=1)
    user: str = Field(min_length=1)
    password: SecretStr


class MssqlSession(SqlSession):
    """One connection of the pool."""

    tables_sql = (
        "select s.name, o.name, case when o.type = 'V' then 1 else 0 end from sys.objects o "
        "join sys.schemas s on s.schema_id = o.schema_id where o.type in ('U', 'V') and o.is_ms_shipped = 0 "
        "and s.name = coalesce(:schema, s.name)"
    )
    columns_sql = (
        "select o.name, c.name, coalesce(b.name, t.name), c.precision, c.scale, c.is_nullable from sys.columns c "
        "join sys.objects o on o.object_id = c.object_id and o.type in ('U', 'V') join sys.schemas s on s.schema_id = o.schema_id "
        "join sys.types t on t.user_type_id = c.user_type_id "
        "left join sys.types b on b.user_type_id = c.system_type_id and b.is_user_defined = 0 "
        "where s.name = :schema and o.name in :names and :catalog is null order by o.name, c.column_id"
    )
    clock_sql = "select sysutcdatetime()"

    def unchanged_proof(self, table: TableRef) -> str | None:
        """None: counters of use begin anew with the server, and need a right that reading does not."""
        del table
        return None

    def facts(self, table: TableRef) -> TableFacts:
        """NOT NULL columns and unique indexes without a filter, which hold for every row; an estimate of the rows."""
        return index_facts(self.told("facts", table, partial(self.rows_of, _FACTS)))

    def column(self, position: int, row: Sequence[Any]) -> Column:
        """The group follows the base type; decimals are declared with their size."""
        name, kind, precision, scale, nullable = row
        group = _GROUPS.get(str(kind), TypeGroup.OTHER)
        declared = f"{kind}({precision},{scale})" if kind in ("decimal", "numeric") else str(kind)
        return Column(str(name), declared, group, bool(nullable), position)

    def powers(self) -> tuple[str, ...]:
        """Rights in the database besides reading (https://learn.microsoft.com/en-us/sql/t-sql/functions/has-perms-by-name-transact-sql)."""
        rows = self._rows(sa.text("select permission_name from fn_my_permissions(null, 'DATABASE')"), {}, self.timeout_s)
        names = sorted(str(name) for (name,) in rows)
        return tuple(f"{name} in the database" for name in names if name not in _READING and not name.startswith(_VIEWING))

    def deadline(self, timeout_s: float) -> Deadline:
        """None of dqmon's own: the driver cancels a statement itself after the warehouse's limit, and cannot be asked from beside."""
        del timeout_s
        return Deadline()

    def translate(self, error: Exception, timeout_s: float) -> WarehouseError:
        """By SQL Server's numbers of errors."""
        return translated(error, timeout_s)


def translated(error: Exception, timeout_s: float) -> WarehouseError:
    """The error, by its number; those from 20000 on are the driver's.

    https://learn.microsoft.com/en-us/sql/relational-databases/errors-events/database-engine-events-and-errors
    """
    number, words = _number_and_words(error)
    match number:
        case 20003 | 1222:
            return QueryTimeout(f"the statement passed its limit of {timeout_s:g} s and was cancelled")
        case 208 | 4701:
            return TableMissing(words)
        case 207:
            return ColumnMissing(words)
        case 229 | 230 | 262 | 297 | 300 | 916 | 3906:
            return PermissionDenied(f"{words}; see `dqmon grants`")
        case _ if number in _HINTS:
            return ConnectFailed(f"{words}; {_HINTS[number]}")
        case _ if number >= 20_000 or getattr(error, "connection_invalidated", False):  # noqa: PLR2004 - see above
            return ConnectFailed(words)
        case _:
            return QueryFailed(words)


def _number_and_words(error: Exception) -> tuple[int, str]:
    origin: Any = getattr(error, "orig", None) or error
    args = origin.args[0] if len(origin.args) == 1 and isinstance(origin.args[0], tuple) else origin.args
    number, words = (*args, None, None)[:2]
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    # The driver's own lines follow those of the server.
    told = str(text).partition("DB-Lib error message")[0] or str(text) if text else one_line(error)
    return (number if isinstance(number, int) else 0), one_line(Exception(told))


class Mssql(SqlWarehouse):
    """A database of SQL Server 2019 or newer, or of Azure SQL. Compiled, not run: no test has a server.

    SQL Server has no read-only transactions. What keeps dqmon from writing is that it runs single SELECTs, rolls each back, and above
    all a login that may only read: `dqmon grants` prints it. A statement is cancelled by the driver, after `statement_timeout`.

    There are no regular expressions before SQL Server 2025, so that checks with `regex`, `missing_pattern` or a format are errors;
    `like` is there. Texts compare by code points whatever the column's collation; that trailing spaces do not count is SQL Server's,
    and stays. A BIT is no condition: write `is_open = 1`; and a condition check with `segment_by` is refused by the server, since a
    condition is no value. Quantiles are found by numbering the rows.
    """

    type: ClassVar[str] = "mssql"
    Options = MssqlOptions
    standard_schema = "dbo"
    was_run = "Compiled, not run."
    example: ClassVar[Mapping[str, object]] = {
        "host": "db.example.com",
        "database": "shop",
        "user": "dqmon",
        "password": "${SHOP_PASSWORD}",
    }
    # https://learn.microsoft.com/en-us/sql/sql-server/maximum-capacity-specifications-for-sql-server: 4,096 columns of a SELECT;
    # parameters are written into the text.
    capabilities = Capabilities(
        max_expressions=1_000,
        has_nan=False,
        has_quantiles=False,
        grammar="tsql",
        row_count=Said(is_exact=False, because="sys.partitions tells an approximate number of rows"),
        last_change=Said(is_exact=False, because="sys.dm_db_index_usage_stats begins anew with the server"),
        gaps=(
            Gap("pattern: regex", "QueryFailed", "no regular expressions before SQL Server 2025"),
            Gap("pattern: format", "QueryFailed", "formats are regular expressions"),
        ),
    )

    def create_engine(self) -> sa.Engine:
        """A pool of at most `max_connections`, each tested before use."""
        options = self.options
        url = sa.URL.create(
            "mssql+pymssql", options.user, options.password.get_secret_value(), options.host, options.port, options.database
        )
        try:
            return sa.create_engine(
                url,
                **self.pool(),
                connect_args={
                    "appname": "dqmon",
                    "charset": "UTF-8",
                    "login_timeout": options.connect_timeout,
                    "timeout": math.ceil(options.statement_timeout),
                    "read_only": True,
                },
            )
        except ImportError as e:
            raise ConnectFailed("SQL Server needs the extra `mssql`: pip install 'dqmon[mssql]'") from e

    def session(self, connection: sa.Connection) -> MssqlSession:
        """The session of one connection."""
        return MssqlSession(connection, self)

    def grants(self, tables: Iterable[TableRef]) -> str:
        """The statements that make the login and the user that read them; a pattern stands for all tables of its schema."""
        user, database = _quoted(self.options.user), _quoted(self.options.database)
        named = sorted({(table.schema or self.default_schema or "dbo", table.name) for table in tables})
        is_all = any("*" in place for place, _ in named)
        whole = {place for place, name in named if "*" in name}
        wide = [f"GRANT SELECT ON SCHEMA::{_quoted(place)} TO {user};" for place in sorted(whole)]
        single = [f"GRANT SELECT ON {_quoted(place)}.{_quoted(name)} TO {user};" for place, name in named if place not in whole]
        return "\n".join([
            "-- Run by an administrator. The user reads, and may do nothing else.",
            f"CREATE LOGIN {user} WITH PASSWORD = '<a password>';",
            f"USE {database};",
            f"CREATE USER {user} FOR LOGIN {user};",
            *([f"GRANT SELECT TO {user};"] if is_all else wide + single),
        ])  # fmt: skip

    def connect_error(self, error: Exception) -> WarehouseError:
        """The server's words, and where it was looked for."""
        where = f"{self.options.host}:{self.options.port}/{self.options.database}"
        return ConnectFailed(f"{self.name}: no connection to {where}: {translated(error, self.timeout_s)}")


def _quoted(name: str) -> str:
    return "[" + name.replace("]", "]]") + "]"
