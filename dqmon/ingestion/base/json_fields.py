"""What stands in an answer, as a record takes it. What cannot be read is None, which says nothing rather than something wrong."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dqmon.core.load_record import LoadRecord
    from dqmon.core.plain import Json

ERROR_LIMIT = 2_000
"""Characters of a tool's error text that are kept."""
_LARGEST = 2**63 - 1
_MILLISECONDS_FROM = 100_000_000_000
"""A number from here on counts milliseconds: as seconds it would be the year 5138, as milliseconds it is 1973."""


def instant(value: Json, zone: tzinfo = UTC) -> datetime | None:
    """Aware UTC of an ISO text (in `zone` where it names none) or of seconds or milliseconds since 1970; None of anything else."""
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            return (at.replace(tzinfo=zone) if at.tzinfo is None else at).astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if value >= _MILLISECONDS_FROM else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def count(value: Json) -> int | None:
    """A count from a number or its digits; None of anything else, and of a negative one, which is how some say "unknown"."""
    if isinstance(value, str) and len(value) < 20 and value.isdecimal():  # noqa: PLR2004 - the digits of the largest count
        value = int(value)
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= _LARGEST else None


def text(value: Json) -> str | None:
    """A text or number as text, ERROR_LIMIT characters at most; None of nothing, of an empty text, and of anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return value[:ERROR_LIMIT] if isinstance(value, str) and value.strip() else None


def mapping(value: Json) -> Mapping[str, Json]:
    """An object, empty of anything else, so that what is in it can be asked for."""
    return value if isinstance(value, dict) else {}


def in_window(records: Iterable[LoadRecord], since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
    """The loads that ended in [since, until), and those begun before `until` without an end, each once, oldest first."""
    found = {}
    for r in records:
        if since <= r.finished_at < until if r.finished_at else (r.started_at is None or r.started_at < until):
            found[(r.pipeline, r.load_id, r.attempt, r.table)] = r
    return tuple(
        sorted(found.values(), key=lambda r: (r.started_at or r.finished_at or until, r.pipeline, r.load_id, r.attempt, r.table or ""))
    )


def pointed(value: Json, pointer: str) -> Json:
    """What stands at a JSON pointer (RFC 6901); None where nothing does."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list):
            value = value[int(key)] if re.fullmatch(r"[0-9]{1,6}", key) and int(key) < len(value) else None
        else:
            value = mapping(value).get(key)
    return value
