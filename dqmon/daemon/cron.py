"""When a check's schedule fires: intervals with a stable phase, and how often that is."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from dqmon.core.cron import next_fire

if TYPE_CHECKING:
    from dqmon.core.check import Schedule

PHASE_STEP_S = 0.25
"""Phases are whole ticks (section (c)): finer ones would spread nothing."""

_COUNTED, _MOST = timedelta(weeks=52), 1_000
"""A year of whole weeks."""


@lru_cache(1_000)
def runs_per_day(schedule: Schedule, day: date) -> float:
    """How often the schedule fires a day, from `day` on: over a year, or over its first 1,000 fires."""
    if schedule.every_s is not None:
        return timedelta(days=1) / timedelta(seconds=schedule.every_s)
    start = at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end, fires = start + _COUNTED, 0
    while fires < _MOST and (fire := next_fire(schedule, 0.0, at)) is not None and fire <= end:
        fires, at = fires + 1, fire
    return fires / (((at if fires == _MOST else end) - start) / timedelta(days=1))


def phase(warehouse: str, subject: str, every_s: int) -> float:
    """The seconds by which an interval is shifted: a hash of the table and the interval, the same in every process.

    All checks of a table at one interval share it, so that they fuse; intervals that divide each other meet, too.
    """
    digest = hashlib.blake2b(f"{warehouse}\0{subject}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % int(every_s / PHASE_STEP_S) * PHASE_STEP_S


def fingerprint(schedule: Schedule, phase_s: float) -> str:
    """A text that changes exactly when the schedule's fires do."""
    if schedule.every_s is not None:
        return f"every {schedule.every_s}s + {phase_s}s"
    return f"{schedule.cron} {schedule.timezone}"
