"""The clock of a time zone as SQL, for engines that know no zones, know them by other names, or only after an administrator's help."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TypeAlias
from zoneinfo import ZoneInfo

Arm: TypeAlias = tuple[datetime, int]
"""A wall time, and the seconds that the clock is ahead of UTC from then on."""

_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Between them the clock's changes are written out; before and after it stays as it is there."""

_STEP = timedelta(days=7)
"""No clock was changed and changed back within it."""


def seconds_ahead(value: str, zone: str, written: Callable[[datetime], str]) -> str:
    """SQL for the seconds that the clock of `zone` is ahead of UTC when it shows `value`, read as `calendar.at_wall_time` does.

    `written` makes a literal of a wall time. Halves are compared with halves, so that a row takes nine comparisons at most.
    """
    return _halved(value, _arms(zone), written)


def _halved(value: str, arms: tuple[Arm, ...], written: Callable[[datetime], str]) -> str:
    if len(arms) == 1:
        return str(arms[0][1])
    middle = len(arms) // 2
    before, after = (_halved(value, half, written) for half in (arms[:middle], arms[middle:]))
    return f"CASE WHEN {value} < {written(arms[middle][0])} THEN {before} ELSE {after} END"


@cache
def _arms(zone: str) -> tuple[Arm, ...]:
    clock = ZoneInfo(zone)
    start = (_FIRST.replace(tzinfo=None), _ahead(_FIRST, clock))
    return (start, *((at.replace(tzinfo=None) + timedelta(seconds=_ahead(at, clock)), _ahead(at, clock)) for at in _changes(clock)))


def _changes(clock: ZoneInfo) -> Iterator[datetime]:
    """The instants at which the clock is set.

    A time that is left out, or shown twice, is read with the smaller of both offsets: the new one's mark of the change is where it begins.
    """
    at = _FIRST
    while at < _LAST:
        low, high = at, at + _STEP
        if _ahead(low, clock) != _ahead(high, clock):
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                low, high = (middle, high) if _ahead(middle, clock) == _ahead(at, clock) else (low, middle)
            yield high.replace(microsecond=0)
        at += _STEP


def _ahead(at: datetime, clock: ZoneInfo) -> int:
    return round((at.astimezone(clock).utcoffset() or timedelta()).total_seconds())
