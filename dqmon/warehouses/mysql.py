"""MySQL and MariaDB by PyMySQL: read-only sessions, limits on the server, one meaning of SQL whatever the server is set to."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from pydantic import SecretStr, field_validator

from dqmon.core.capabilities import Capabilities, Gap, Said
from dqmon.core.options import WarehouseOptions
from dqmon.core.table import TableRef
from dqmon.errors import ConnectFailed, WarehouseError
from dqmon.sql.grammars import STANDARD_MYSQL
from dqmon.warehouses.base import SqlWarehouse
from dqmon.warehouses.base import mysql_sql as _mysql_sql  # noqa: F401 - registers how MySQL writes SQL
from dqmon.warehouses.base.mysql_errors import translated
from dqmon.warehouses.base.mysql_grants import script
from dqmon.warehouses.base.mysql_session import MysqlSession

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

_PINNED = (
    "SET SESSION sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,NO_UNSIGNED_SUBTRACTION,STRICT_TRANS_TABLES,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', sql_auto_is_null = 0, "
    "sql_select_limit = 18446744073709551615, "
    "sql_big_selects = 1, div_precision_increment = 4, group_concat_max_len = 1048576, default_week_format = 0, "
    "lc_time_names = 'en_US', max_error_count = 1024 /*M! , default_regex_flags = '' */"
)
"""What server and user may set otherwise, so that conditions would mean other rows."""


class MysqlOptions(WarehouseOptions):
    """url: `mysql://user:password@host:port/database`, also for MariaDB; take it from the environment, it holds a password."""

    url: SecretStr

    @field_validator("url")
    @classmethod
    def _is_mysql(cls, url: SecretStr) -> SecretStr:
        try:
            made = sa.make_url(url.get_secret_value())
            is_right = made.get_backend_name() in ("mysql", "mariadb") and bool(made.database)
        except sa.exc.ArgumentError:
            is_right = False
        if not is_right:
            raise ValueError("it is no MySQL URL with a database; write mysql://user:password@host:3306/database")
        return url


class Mysql(SqlWarehouse):
    """A MySQL database from 8.0.17 on, or a MariaDB one from 10.6 on; the server tells which it is.

    A schema is a database. Sessions have one SQL mode whatever the server's is: in filters, conditions and queries a name stands
    between double quotes or backquotes, a text between single quotes, without backslash escapes, and `||` joins texts. Texts compare
    character by character, whatever the column's collation; only conditions that you write yourself follow it.

    TINYINT(1) is a boolean, a TIMESTAMP an instant, a DATETIME wall time. There is no NaN and no infinity. Regular expressions are
    ICU's on MySQL and PCRE's on MariaDB. A row's floats are compared by the digits that the server writes, so that they are equal
    to those of MySQL and MariaDB only: round them to decimals in a view before their rows are compared with another engine's.

    Rows are counted by reading them, since InnoDB's own number is an estimate, and that nothing changed is never taken for proved.
    """

    type: ClassVar[str] = "mysql"
    Options = MysqlOptions
    standard_schema = ""
    was_run = "MariaDB 10.11, in all tests; what MySQL writes otherwise is compiled, not run."
    example = MappingProxyType({"url": "mysql://dqmon@db.example.com:3306/shop"})
    # https://dev.mysql.com/doc/refman/8.4/en/column-count-limit.html: 4,096 columns; parameters are written into the text.
    capabilities = Capabilities(
        max_expressions=1_000,
        has_nan=False,
        has_quantiles=False,
        grammar=STANDARD_MYSQL,
        row_count=Said(is_exact=False, because="InnoDB estimates TABLE_ROWS from a sample of pages"),
        last_change=Said(is_exact=False, because="InnoDB's UPDATE_TIME is lost when the server starts anew or forgets the table"),
        gaps=(Gap("sql: two columns of one name", "QueryFailed", "a query in FROM may not have two columns of one name"),),
    )

    def __init__(self, name: str, options: WarehouseOptions) -> None:
        super().__init__(name, options)
        self.default_schema = options.default_schema or self._url.database

    @property
    def _url(self) -> sa.URL:
        # By one name for both: SQLAlchemy's mariadb dialect refuses a MySQL server.
        return sa.make_url(self.options.url.get_secret_value()).set(drivername="mysql+pymysql")

    def create_engine(self) -> sa.Engine:
        """A pool of at most `max_connections`, each tested before use."""
        engine = sa.create_engine(
            self._url,
            **self.pool(),
            connect_args=_arguments(self.options.connect_timeout),
        )
        # Before SQLAlchemy asks for the SQL mode.
        sa.event.listen(engine, "connect", _pin, insert=True)
        return engine

    def beside(self, timeout_s: int) -> Any:
        """A further connection outside of the pool, given up after `timeout_s`."""
        dialect = self.engine.dialect
        given, more = dialect.create_connect_args(self._url)
        return dialect.connect(*given, **{**more, **_arguments(timeout_s), "read_timeout": timeout_s})

    def session(self, connection: sa.Connection) -> MysqlSession:
        """The session of one connection."""
        return MysqlSession(connection, self)

    def grants(self, tables: Iterable[TableRef]) -> str:
        """The statements that make the user that reads them."""
        return script(self._url, tables, self.default_schema or "", self.max_connections)

    def connect_error(self, error: Exception) -> WarehouseError:
        """The server's words without the URL, which holds a password."""
        url = self._url
        where = f"{url.host or url.query.get('unix_socket', 'localhost')}:{url.port or 3306}/{url.database}"
        return ConnectFailed(f"{self.name}: no connection to {where}: {translated(error, self.timeout_s)}")


def _arguments(timeout_s: int) -> dict[str, Any]:
    """What the driver is given whatever the URL says: no second statement, no files of this machine, numbers as they are."""
    try:
        from pymysql.converters import conversions  # type: ignore[import-untyped]  # it has no types
    except ImportError as e:
        raise ConnectFailed("MySQL needs the extra `mysql`: pip install 'dqmon[mysql]'") from e
    return {
        "charset": "utf8mb4",
        "client_flag": 0,
        "connect_timeout": timeout_s,
        "conv": conversions | {Decimal: _decimal, float: _double},
        "local_infile": False,
        "program_name": "dqmon",
    }


def _decimal(value: Decimal, mapping: object) -> str:
    """Without an exponent, which would make a double of it."""
    del mapping
    return format(value, "f")


def _double(value: float, mapping: object) -> str:
    """A double; the largest one for an infinity, which MySQL has not. With an exponent, or it would be a decimal."""
    del mapping
    text = repr(value if math.isfinite(value) else math.copysign(1.7976931348623157e308, value))
    return text if "e" in text else f"{text}e0"


def _pin(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    driver: Any = connection
    with driver.cursor() as cursor:
        cursor.execute(_PINNED)
        # All transactions from here on: nothing is written.
        cursor.execute("SET SESSION TRANSACTION READ ONLY")
        cursor.execute("select @@lower_case_table_names, version()")
        ((folds, version),) = cursor.fetchall()
    driver.rollback()
    record.info.update(folds=bool(folds), is_mariadb="MariaDB" in str(version))
