"""ClickHouse's errors in dqmon's tree, by their numbers (https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp)."""

from __future__ import annotations

import re
from typing import Any

from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryFailed, QueryTimeout, TableMissing, WarehouseError
from dqmon.warehouses.base.session import MESSAGE_LIMIT

_FRAME = re.compile(
    # What the driver, the server's number and its version add, and the statement over again.
    r"^Received ClickHouse exception, code: \d+, server response: |Code: \d+\. DB::Exception: |[:.] (?:In scope|While processing) .*"
    r"|(?:: )?while executing .*| \(for url [^)]*\)$| \(version [^()]*(?:\([^()]*\))?\)"
)
_NAME = re.compile(r"\(([A-Z][A-Z_]+)\)")

_SIGN_IN = frozenset({192, 193, 194, 195, 516})
_DOWN = frozenset({209, 210, 202, 203, 242, 279, 999})
_HINTS = {
    158: "the user's max_rows_to_read is less than the table; raise it in its settings profile",
    307: "the user's max_bytes_to_read is less than the columns have; raise it in its settings profile",
    202: "the server runs as many statements as it may; lower max_connections, or try again later",
    241: "the statement needs more memory than the user may have; raise max_memory_usage, or check by partition",
    516: "check `user:` and the secret",
}


def translated(error: Exception, timeout_s: float) -> WarehouseError:
    """The error, with what to do where ClickHouse does not say it."""
    origin: Any = getattr(error, "orig", None) or error
    number = getattr(origin, "code", None)
    words = spoken(origin) + (f"; {_HINTS[number]}" if number in _HINTS else "")
    match number:
        case 159 | 160:
            return QueryTimeout(f"the statement passed its limit of {timeout_s:g} s and was cancelled on the server")
        case 60 | 81:
            return TableMissing(words)
        case 47 | 8 | 16:
            return ColumnMissing(words)
        case 497 | 164:
            return PermissionDenied(f"{words}; see `dqmon grants`")
        case _ if number in _SIGN_IN or number in _DOWN:
            return ConnectFailed(words)
        case None if type(origin).__name__ in ("OperationalError", "InterfaceError"):
            return ConnectFailed(words)
        case _:
            return QueryFailed(words)


def spoken(origin: BaseException) -> str:
    """The server's sentence on one line, without number, version and address."""
    text = " ".join(str(origin).split())
    names = _NAME.findall(text)
    for _ in range(3):
        text = _FRAME.sub("", text).strip()
    if names and f"({names[-1]})" not in text:
        text = f"{text} ({names[-1]})"
    return text[:MESSAGE_LIMIT] or type(origin).__name__
