"""Days, partitions and deadlines in a business time zone. Clock changes make days of 23 or 25 hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from dqmon.core.measurement import Partition

if TYPE_CHECKING:
    from collections.abc import Callable

    from dqmon.core.check import PartitionBy


def at_wall_time(wall: datetime, timezone: str) -> datetime:
    """A time without zone, read in a zone. One that a clock shows twice, or leaves out, is the later of its two readings.

    PostgreSQL and ICU (DuckDB) do so, too: https://www.postgresql.org/docs/current/datetime-invalid-input.html.
    """
    zone = ZoneInfo(timezone)
    readings = (wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    return min(readings, key=lambda reading: reading.utcoffset() or timedelta())


def in_zone(at: datetime, zone: tzinfo) -> datetime:
    """The same instant on another zone's clock; where that is outside of the years 1 to 9999, the end of these there."""
    try:
        return at.astimezone(zone)
    except OverflowError:
        return (datetime.min if at.year == 1 else datetime.max).replace(tzinfo=zone)  # noqa: DTZ901 - the zone follows


def local_midnight(day: date, timezone: str) -> datetime:
    """The first instant of a local day, as aware UTC."""
    return datetime.combine(day, time(), ZoneInfo(timezone)).astimezone(UTC)


def partitions(spec: PartitionBy, timezone: str, now: datetime) -> tuple[Partition, ...]:
    """The last `lookback` partitions with end + lag <= now, oldest first, half-open, bounds on local clock marks."""
    zone = ZoneInfo(timezone)
    start = _floor((now - timedelta(seconds=spec.lag_s)).astimezone(zone), spec.grain)
    found: list[Partition] = []
    for _ in range(spec.lookback):
        end, start = start, _previous(start, spec.grain)
        found.append(Partition(spec.column, start.astimezone(UTC), end.astimezone(UTC)))
    return tuple(reversed(found))


def required_since(
    deadline: time,
    timezone: str,
    covers: timedelta,
    now: datetime,
    is_due_day: Callable[[date], bool],
) -> datetime:
    """What max(column) must have reached: local midnight of the last due day whose deadline has passed, minus `covers`.

    On days that are not due, and before the deadline, the previous due day's requirement stands. Looks back 400 days at most.
    """
    zone = ZoneInfo(timezone)
    day = now.astimezone(zone).date()
    for _ in range(400):
        if is_due_day(day) and datetime.combine(day, deadline, zone) <= now:
            break
        day -= timedelta(days=1)
    return local_midnight(day, timezone) - covers


def _floor(at: datetime, grain: str) -> datetime:
    if grain == "hour":
        return at.replace(minute=0, second=0, microsecond=0)
    day = at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if grain == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if grain == "month" else day


def _previous(start: datetime, grain: str) -> datetime:
    """The partition start before; hours step in real time, everything else on the local clock."""
    if grain == "hour":
        return (start.astimezone(UTC) - timedelta(hours=1)).astimezone(start.tzinfo)
    return _floor(start.replace(tzinfo=None) - timedelta(hours=1), grain).replace(tzinfo=start.tzinfo)
