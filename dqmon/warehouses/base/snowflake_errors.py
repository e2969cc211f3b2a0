"""Snowflake's errors in dqmon's tree, by their numbers (https://docs.snowflake.com/en/user-guide/troubleshooting)."""

from __future__ import annotations

from typing import Any

from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryTimeout, TableMissing, WarehouseError
from dqmon.warehouses.base.session import one_line, refused

_SIGN_IN = 390_000
"""From here on numbers are of signing in and of sessions, below 400,000."""

_HINTS = {
    606: "no warehouse runs the statement; set `warehouse:`, and grant the role USAGE on it",
    90073: "the resource monitor has used up the warehouse's credits",
    390100: "check `user:` and the secret",
    390144: "the public key of the user is another one than that of the private key; DESC USER shows its fingerprint",
    390189: "the role does not exist, or the user was not granted it",
    390318: "the OAuth token has expired; hand a fresh one over",
}


def translated(error: Exception, timeout_s: float) -> WarehouseError:
    """The error, with what to do where Snowflake does not say it."""
    origin: Any = getattr(error, "orig", None) or error
    number, state = getattr(origin, "errno", None) or -1, getattr(origin, "sqlstate", None) or ""
    words = _with_hint(error, number)
    match number:
        case 604 | 630:
            return QueryTimeout(f"the statement passed its limit of {timeout_s:g} s and was cancelled on the server")
        case 2003 | 2043:
            return TableMissing(f"{words}; Snowflake says the same when the role lacks USAGE on the schema or SELECT on the table")
        case 904:
            return ColumnMissing(words)
        case _ if state == "42501":
            return PermissionDenied(f"{words}; see `dqmon grants`")
        case 606 | 90073:
            return ConnectFailed(words)
        case _ if number >= _SIGN_IN or state[:2] == "08" or getattr(error, "connection_invalidated", False):
            return ConnectFailed(words)
        case _ if not state and type(origin).__name__ in ("OperationalError", "InterfaceError"):
            return ConnectFailed(words)
        case _:
            return refused(error)


def _with_hint(error: Exception, number: int) -> str:
    hint = _HINTS.get(number)
    return f"{one_line(error)}; {hint}" if hint else one_line(error)
