"""DuckDB's errors in dqmon's tree."""

from __future__ import annotations

import re

from dqmon.errors import ConnectFailed, PermissionDenied, QueryFailed, TableMissing, WarehouseError
from dqmon.warehouses.base.session import one_line, refused

_MISSING = re.compile(r"\w+ Error: ((Table|Catalog|Schema) .* does not exist|No files found that match)")
_GONE = re.compile(r"No such file or directory|Path does not exist")
"""What DuckDB, the operating system and Arrow say of a file that was there when the table was opened."""


def query_error(error: Exception) -> WarehouseError:
    """Why a statement has failed."""
    import duckdb

    words = one_line(error)
    match getattr(error, "orig", None) or error:
        case duckdb.Error() as refusal if isinstance(refusal, duckdb.PermissionException) or "read-only mode" in words:
            return PermissionDenied(f"only reading is allowed: {words}")
        case duckdb.Error() if _MISSING.match(words):
            return TableMissing(words)
        case duckdb.Error() if _GONE.search(words):
            return QueryFailed(f"a file of the table went away while it was read: {words}; run the check again")
        case duckdb.ConnectionException() | duckdb.FatalException():
            return ConnectFailed(words)
        case _:
            return refused(error)
