"""One connection to MySQL or MariaDB: its catalogue, its statements limited on the server."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dqmon.core.facts import TableFacts
from dqmon.core.spending import NOTHING_TOLD, Spending
from dqmon.core.table import Column, TableRef
from dqmon.errors import QueryFailed, WarehouseError
from dqmon.warehouses.base.deadline import CANCEL_AFTER_S, DROP_AFTER_S, Deadline, shut
from dqmon.warehouses.base.index_facts import index_facts
from dqmon.warehouses.base.mysql_catalogue import COLUMNS, FACTS, TABLES, column
from dqmon.warehouses.base.mysql_errors import translated
from dqmon.warehouses.base.mysql_grants import powers
from dqmon.warehouses.base.session import SqlSession

if TYPE_CHECKING:
    from dqmon.warehouses.mysql import Mysql

_GAVE_UP = 1139
"""ER_REGEXP_ERROR, a warning where MariaDB gives a pattern up (`match limit exceeded`) and goes on as if the text did not match."""

_LIMIT = "dqmon_limit"


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
        return index_facts(self.told("facts", table, partial(self.rows_of, FACTS)))

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
        shut(self.driver._sock.fileno())  # noqa: SLF001 - PyMySQL has no other way

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
