"""The functions that SQLite lacks: instants of text timestamps, regular expressions with bounds, characters replaced."""

from __future__ import annotations

import hashlib
import math
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from dqmon.core.calendar import at_wall_time, in_zone
from dqmon.core.histogram import grid_code
from dqmon.warehouses.base.sqlite_aggregates import AGGREGATES

TEXT_LIMIT = 4_000
"""Characters of a text that a pattern is tried on: Python's engine cannot be interrupted, and backtracking grows with the text."""


class Functions:
    """The functions of one connection. `failure` is why one of them raised: SQLite does not pass that on."""

    def __init__(self) -> None:
        self.failure: Exception | None = None

    def register(self, connection: sqlite3.Connection) -> None:
        """Makes known what SQLite has not: instants, patterns, characters replaced, the grid of histograms, aggregates of numbers."""
        connection.create_function("dqmon_instant", 2, self._instant, deterministic=True)
        connection.create_function("dqmon_wall", 2, self._wall, deterministic=True)
        connection.create_function("regexp", 2, self._matches, deterministic=True)
        connection.create_function("dqmon_fully_matches", 2, _fully_matches, deterministic=True)
        connection.create_function("dqmon_translate", 3, _translated, deterministic=True)
        connection.create_function("dqmon_digits", 1, _digits, deterministic=True)
        connection.create_function("dqmon_double", 1, _double, deterministic=True)
        connection.create_function("dqmon_micros", 2, self._micros, deterministic=True)
        connection.create_function("dqmon_measured", 1, _measured, deterministic=True)
        connection.create_function("dqmon_hash", 1, _hash, deterministic=True)
        connection.create_function("dqmon_grid_code", 1, self._grid_code, deterministic=True)
        for name, (arguments, kind) in AGGREGATES.items():
            made: Any = partial(kind, self._fail)
            connection.create_aggregate(name, arguments, made)

    def _fail(self, message: str) -> NoReturn:
        self.failure = ValueError(message)
        raise self.failure

    def _instant(self, value: object, zone: str) -> str | None:
        return self._moment(value, zone, "UTC")

    def _wall(self, value: object, zone: str) -> str | None:
        return self._moment(value, zone, zone)

    def _moment(self, value: object, zone: str, clock: str) -> str | None:
        try:
            return None if value is None else _on_clock(value, zone, clock)
        except (ValueError, OverflowError, OSError, TypeError) as e:
            self.failure = ValueError(f"{str(value)[:60]!r} is no timestamp (ISO 8601, or a number of Unix seconds)")
            raise self.failure from e

    def _grid_code(self, value: object) -> int | None:
        if value is None or isinstance(value, int | float):
            return None if value is None else grid_code(value)
        return self._fail(f"{str(value)[:60]!r} is no number")

    def _micros(self, value: object, zone: str) -> str | None:
        found = self._instant(value, zone)
        return None if found is None else str((datetime.fromisoformat(found) - _EPOCH) // timedelta(microseconds=1))

    def _matches(self, pattern: str, text: object) -> bool | None:
        if text is None:
            return None
        try:
            return _compiled(pattern).search(_bounded(str(text))) is not None
        except (ValueError, re.error) as e:
            self.failure = e
            raise


@lru_cache(65_536)
def _on_clock(value: object, zone: str, clock: str) -> str:
    """`YYYY-MM-DD HH:MM:SS.ffffff` on the clock of a zone, so that texts sort as moments; without a zone it is read in `zone`."""
    if isinstance(value, int | float):
        found = datetime.fromtimestamp(value, UTC)
    elif isinstance(value, str):
        found = datetime.fromisoformat(value.strip())
    else:
        raise TypeError(type(value).__name__)
    if found.tzinfo or zone != clock:
        found = in_zone(found if found.tzinfo else at_wall_time(found, zone), ZoneInfo(clock))
    return found.replace(tzinfo=None).isoformat(" ", "microseconds")


def _fully_matches(text: object, pattern: str) -> bool | None:
    """Whether the whole text matches one of dqmon's own patterns, which need no limits (see `dqmon.sql.texts`)."""
    return None if text is None else _own(pattern).fullmatch(str(text)) is not None


def _translated(text: object, characters: str, others: str) -> str | None:
    return None if text is None else str(text).translate(_table(characters, others))


def _digits(value: object) -> str | None:
    """A number as `dqmon.sql.plain` writes it. What is no number is told from all numbers, and has no bar in it."""
    match value:
        case int() | None:
            return None if value is None else str(value)
        case float():
            found = Decimal(repr(value))
            text = format(found, "f") if found.is_finite() else str(found)
            text = text.rstrip("0").rstrip(".") if "." in text else text
            return "0" if text == "-0" else text
        case _:
            return f"x{str(value).encode().hex()}"


def _double(value: object) -> str | None:
    """A float as `dqmon.sql.plain` writes it; NaN is NULL on SQLite."""
    if value is None:
        return None
    if not isinstance(value, int | float):
        return _digits(value)
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return f"{float(value):.16e}" if value else "0"


def _measured(text: str | None) -> str:
    return "|" if text is None else f"{len(text)}:{text}|"


def _hash(text: str) -> int:
    return int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:15], 16)


_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - as `_on_clock` writes it, in UTC without saying so
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
