"""MySQL and MariaDB by PyMySQL: read-only sessions, limits on the server, one meaning of SQL whatever the server is set to."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Iterable, Sequence
from contextlib import closing
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from pydantic import SecretStr, field_validator

from dqmon.core.capabilities import Capabilities, Gap, Said
from dqmon.core.facts import TableFacts
from dqmon.core.options import WarehouseOptions
from dqmon.core.spending import NOTHING_TOLD, Spending
from dqmon.core.table import Column, TableRef
from dqmon.errors import ConnectFailed, QueryFailed, WarehouseError
from dqmon.sql.grammars import STANDARD_MYSQL
from dqmon.warehouses.base import Deadline, SqlSession, SqlWarehouse
from dqmon.warehouses.base import mysql_sql as _mysql_sql  # noqa: F401 - registers how MySQL writes SQL
from dqmon.warehouses.base.mysql_catalogue import COLUMNS, FACTS, TABLES, column, table_facts
from dqmon.warehouses.base.mysql_errors import translated
from dqmon.warehouses.base.mysql_grants import powers, script

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

RECYCLE_S = 1_800
"""Seconds after which a pooled connection is opened anew: less than the idle limits of usual proxies."""

CANCEL_AFTER_S = 0.5
"""Seconds past the limit after which the client asks for a cancel: the server's own limit did not work."""

DROP_AFTER_S = 2.0
"""Seconds past the limit after which the socket is shut: nobody answers."""

_PINNED = (
    "SET SESSION sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,NO_UNSIGNED_SUBTRACTION,STRICT_TRANS_TABLES,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', sql_auto_is_null = 0, "
    "sql_select_limit = 18446744073709551615, "
    "sql_big_selects = 1, div_precision_increment = 4, group_concat_max_len = 1048576, default_week_format = 0, "
    "lc_time_names = 'en_US', max_error_count = 1024 /*M! , default_regex_flags = '' */"
)
"""What server and user may set otherwise, so that conditions would mean other rows."""

_GAVE_UP = 1139
"""ER_REGEXP_ERROR, a warning where MariaDB gives a pattern up (`match limit exceeded`) and goes on as if the text did not match."""

_LIMIT = "dqmon_limit"


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


class MysqlSession(SqlSession):
    """One connection of the pool."""

    tables_sql = TABLES
    columns_sql = COLUMNS
    clock_sql = "select utc_timestamp(6)"

    def __init__(self, connection: sa.Connection, warehouse: Mysql) -> None:
        super().__init__(connection, warehouse)
        self._beside = warehouse.beside
        self._folds: bool = connection.info["folds"]
        self._is_mariadb: bool = connection.info["is_mariadb"]

    def fold(self, name: str) -> str:
        """In small letters where the server keeps its tables so (`lower_case_table_names`)."""
        return name.lower() if self._folds else name

    def unchanged_proof(self, table: TableRef) -> str | None:
        """None: InnoDB keeps no counter of changes that outlives the server, and UPDATE_TIME may be NULL or late."""
        del table
        return None

    def facts(self, table: TableRef) -> TableFacts:
        """NOT NULL columns and unique indexes of tables whose engine keeps them; an estimate of the rows."""
        return table_facts(self.told("facts", table, partial(self.rows_of, FACTS)))

    def column(self, position: int, row: Sequence[Any]) -> Column:
        """As the catalogue has it."""
        return column(position, row)

    def powers(self) -> tuple[str, ...]:
        """By SHOW GRANTS."""
        return powers(str(line) for (line,) in self._rows(sa.text("show grants"), {}, self.timeout_s))

    def advice(self) -> tuple[str, ...]:
        """On the server's own zone, which NOW() writes into DATETIME columns, and on reading where others write."""
        asked = "select @@global.time_zone, @@system_time_zone, @@global.read_only"
        ((zone, system_zone, is_read_only),) = self._rows(sa.text(asked), {}, self.timeout_s)
        zone = system_zone if zone == "SYSTEM" else zone
        found = []
        if zone not in ("UTC", "+00:00", "Etc/UTC", "GMT"):
            found.append(f"the server's zone is {zone}: if DATETIME columns are in it, say so by naive_timezone")
        if not int(is_read_only):
            found.append("this server takes writes; on a read replica the checks would not slow them down")
        return tuple(found)

    def prepare(self, timeout_s: float) -> None:
        """The server's own limit, which the connection keeps until another one is asked for."""
        if self.connection.info.get(_LIMIT) == timeout_s:
            return
        # Seconds on MariaDB, milliseconds on MySQL; 0 would be no limit.
        milliseconds = max(1, math.ceil(timeout_s * 1000))
        limit = f"max_statement_time = {milliseconds / 1000}" if self._is_mariadb else f"max_execution_time = {milliseconds}"
        self.connection.exec_driver_sql(f"set session {limit}")
        self.connection.info[_LIMIT] = timeout_s

    def deadline(self, timeout_s: float) -> Deadline:
        """Second and third net: a KILL QUERY from beside, then the socket shut."""
        return Deadline((timeout_s + CANCEL_AFTER_S, self._cancel), (timeout_s + DROP_AFTER_S, self._shut))

    def _cancel(self) -> None:
        # Less than the time until the next stop, which waits for this one.
        with closing(self._beside(1)) as other, other.cursor() as cursor:
            cursor.execute(f"kill query {int(self.driver.thread_id())}")

    def _shut(self) -> None:
        with socket.socket(fileno=os.dup(self.driver._sock.fileno())) as wire:  # noqa: SLF001 - PyMySQL has no other way
            wire.shutdown(socket.SHUT_RDWR)

    def spending(self, result: sa.CursorResult[Any]) -> Spending:
        """Nothing; QueryFailed for a pattern that the server gave up, on some text, with no more than a warning."""
        if result.context.cursor.warning_count:
            for _, number, message in self.driver.show_warnings():
                if number == _GAVE_UP:
                    raise QueryFailed(f"{message}; write the pattern so that it needs fewer steps")
        return NOTHING_TOLD

    def translate(self, error: Exception, timeout_s: float) -> WarehouseError:
        """By the server's numbers of errors."""
        return translated(error, timeout_s)


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
            pool_size=self.max_connections,
            max_overflow=0,
            pool_timeout=self.options.connect_timeout,
            pool_pre_ping=True,
            pool_recycle=RECYCLE_S,
            hide_parameters=True,
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
