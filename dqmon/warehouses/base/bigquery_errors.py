"""BigQuery's errors in dqmon's tree, by their reasons (https://cloud.google.com/bigquery/docs/error-messages)."""

from __future__ import annotations

import re
from typing import Any

from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryFailed, QueryTimeout, TableMissing, WarehouseError
from dqmon.warehouses.base.session import MESSAGE_LIMIT

_FRAME = re.compile(r"^\d{3} (?:\w+ https?://\S+: )?|; reason: \w+, (?:location|message|debugInfo): .*| *Location: \S+ *| *Job ID: \S+ *")
_COLUMN = ("Unrecognized name:", "Name ", "Field name ")

_HINTS = {
    "bytesBilledLimitExceeded": "raise maximum_bytes_billed of the warehouse, or check by partition",
    "quotaExceeded": "a quota of the project is used up; https://cloud.google.com/bigquery/quotas",
    "rateLimitExceeded": "too many statements at once; lower max_connections",
    "billingNotEnabled": "the project has no billing account",
    "resourcesExceeded": "the statement needs more memory than it gets; check by partition",
}
_NO_SERVICE = frozenset(
    {"quotaExceeded", "rateLimitExceeded", "billingNotEnabled", "backendError", "internalError", "jobRateLimitExceeded"}
)


def translated(error: Exception, timeout_s: float) -> WarehouseError:
    """The error, with what to do where BigQuery does not say it."""
    origin: Any = getattr(error, "orig", None) or error
    reason = next((str(found.get("reason", "")) for found in getattr(origin, "errors", None) or ()), "")
    words = spoken(origin) + (f"; {_HINTS[reason]}" if reason in _HINTS else "")
    code = getattr(origin, "code", None)
    if isinstance(origin, TimeoutError) or reason in ("timeout", "stopped") or "Job timed out" in words:
        return QueryTimeout(f"the statement passed its limit of {timeout_s:g} s and was cancelled on the server")
    if reason in _NO_SERVICE or code is None or code in (401, 500, 502, 503, 504):
        return ConnectFailed(words)
    if "without a filter over column" in words:
        return QueryFailed(f"{words}; the table has require_partition_filter: give the check a `partition:` or a filter on that column")
    if code == 404:  # noqa: PLR2004 - HTTP's
        return TableMissing(words)
    if code == 403 and reason not in _HINTS:  # noqa: PLR2004 - HTTP's
        return PermissionDenied(f"{words}; see `dqmon grants`")
    if reason == "invalidQuery" and words.startswith(_COLUMN) and ("not found" in words or words.startswith("Unrecognized")):
        return ColumnMissing(words)
    return QueryFailed(words)


def spoken(origin: BaseException) -> str:
    """BigQuery's sentence on one line, without the address and the number of the job."""
    text = " ".join(str(origin).split())
    return _FRAME.sub("", text).strip()[:MESSAGE_LIMIT] or type(origin).__name__
