"""MySQL's and MariaDB's errors in dqmon's tree, by their numbers.

https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html, https://mariadb.com/kb/en/mariadb-error-code-reference/
"""

from __future__ import annotations

from typing import Any

from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryFailed, QueryTimeout, TableMissing, WarehouseError
from dqmon.warehouses.base.session import one_line

_LIMIT = frozenset({1317, 1969, 3024})
"""Interrupted (KILL QUERY), max_statement_time, max_execution_time."""

_PERMISSION = frozenset({1044, 1142, 1143, 1227, 1345, 1356, 1370, 1419})
_READ_ONLY = frozenset({1290, 1792, 1836})
_NO_TABLE = frozenset({1049, 1051, 1109, 1146})
_CONNECTION = frozenset(
    {1040, 1042, 1043, 1045, 1047, 1053, 1077, 1080, 1129, 1130, 1152, 1158, 1159, 1160, 1161, 1203, 1226, 1698, 1927, 4031}
)
_CLIENT = range(2000, 3000)
"""Numbers of the client library, all of them about the connection."""


def number_of(error: Exception) -> int:
    """The error's number; 0 when it has none."""
    origin: Any = getattr(error, "orig", None) or error
    first = origin.args[0] if getattr(origin, "args", ()) else 0
    return first if isinstance(first, int) else 0


def translated(error: Exception, timeout_s: float) -> WarehouseError:
    """The error, with what to do where the server does not say it."""
    number, words = number_of(error), _words(error)
    if getattr(error, "connection_invalidated", False) or number in _CONNECTION or number in _CLIENT:
        return ConnectFailed(words)
    if number in _LIMIT:
        return QueryTimeout(f"the statement passed its limit of {timeout_s:g} s and was cancelled on the server")
    if number in _PERMISSION:
        return PermissionDenied(f"{words}; see `dqmon grants`")
    if number in _READ_ONLY:
        return PermissionDenied(f"only reading is allowed: {words}")
    if number in _NO_TABLE:
        return TableMissing(words)
    if number == 1054:  # noqa: PLR2004 - ER_BAD_FIELD_ERROR
        return ColumnMissing(words)
    return QueryFailed(words)


def _words(error: Exception) -> str:
    """The server's words, without the number before them."""
    origin: Any = getattr(error, "orig", None) or error
    words = next(iter(getattr(origin, "args", ())[1:]), None)
    return one_line(Exception(words)) if words else one_line(error)
