"""The functions that SQLite lacks: instants of text timestamps, regular expressions with bounds, characters replaced."""

from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any
from zoneinfo import ZoneInfo

from dqmon.warehouses.base.sqlite_aggregates import AGGREGATES

TEXT_LIMIT = 4_000
"""Characters of a text that a pattern is tried on: Python's engine cannot be interrupted, and backtracking grows with the text."""


class Functions:
    """The functions of one connection. `failure` is why one of them raised: SQLite does not pass that on."""

    def __init__(self) -> None:
        self.failure: Exception | None = None

    def register(self, connection: sqlite3.Connection) -> None:
        """Makes `dqmon_instant(value, zone)`, `regexp(pattern, text)` and the aggregates of numbers known."""
        connection.create_function("dqmon_instant", 2, self._instant, deterministic=True)
        connection.create_function("regexp", 2, self._matches, deterministic=True)
        connection.create_function("dqmon_fully_matches", 2, _fully_matches, deterministic=True)
        connection.create_function("dqmon_translate", 3, _translated, deterministic=True)
        for name, (arguments, kind) in AGGREGATES.items():
            made: Any = partial(kind, self._fail)
            connection.create_aggregate(name, arguments, made)

    def _fail(self, message: str) -> None:
        self.failure = ValueError(message)
        raise self.failure

    def _instant(self, value: object, zone: str) -> str | None:
        try:
            return None if value is None else _in_utc(value, zone)
        except (ValueError, OverflowError, OSError, TypeError) as e:
            self.failure = ValueError(f"{str(value)[:60]!r} is no timestamp (ISO 8601, or a number of Unix seconds)")
            raise self.failure from e

    def _matches(self, pattern: str, text: object) -> bool | None:
        if text is None:
            return None
        try:
            return _compiled(pattern).search(_bounded(str(text))) is not None
        except (ValueError, re.error) as e:
            self.failure = e
            raise


@lru_cache(65_536)
def _in_utc(value: object, zone: str) -> str:
    """`YYYY-MM-DD HH:MM:SS.ffffff` in UTC, so that texts sort as instants."""
    if isinstance(value, int | float):
        found = datetime.fromtimestamp(value, UTC)
    elif isinstance(value, str):
        found = datetime.fromisoformat(value.strip())
    else:
        raise TypeError(type(value).__name__)
    aware = found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))
    return aware.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def _fully_matches(text: object, pattern: str) -> bool | None:
    """Whether the whole text matches one of dqmon's own patterns, which need no limits (see `dqmon.sql.texts`)."""
    return None if text is None else _own(pattern).fullmatch(str(text)) is not None


def _translated(text: object, characters: str, others: str) -> str | None:
    return None if text is None else str(text).translate(_table(characters, others))


_own = lru_cache(256)(re.compile)
_table = lru_cache(256)(str.maketrans)


def _bounded(text: str) -> str:
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"there is a text of {len(text):,} characters; on SQLite patterns are tried on {TEXT_LIMIT:,} at most")
    return text


@lru_cache(256)
def _compiled(pattern: str) -> re.Pattern[str]:
    """The pattern; one repeat inside another is refused, since it may take exponential time."""
    if _has_nested_repeat(pattern):
        raise ValueError(f"the pattern {pattern!r} repeats a group that repeats itself, which may never end on SQLite; write it without")
    return re.compile(pattern)


def _has_nested_repeat(pattern: str) -> bool:
    """True for `(a+)+` and its like: a group with an unbounded repeat or an alternative, itself repeated without bound."""
    opened: list[bool] = []
    text = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]])*\]", "x", pattern)
    for index, c in enumerate(text):
        follows = text[index + 1 : index + 2]
        if c == "(":
            opened.append(False)
        elif c == ")" and opened:
            repeats = opened.pop()
            if repeats and follows in ("*", "+", "{"):
                return True
            if opened and (repeats or follows in ("*", "+", "{")):
                opened[-1] = True
        elif c in "*+{|" and opened:
            opened[-1] = True
    return False
