"""When a route may speak: always, at certain times, or in certain hours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import time

    from dqmon.core.check import Schedule


@dataclass(frozen=True, slots=True)
class Always:
    """At any time."""


@dataclass(frozen=True, slots=True)
class Digest:
    """Each time that the schedule fires: what has come up since is then told together."""

    schedule: Schedule


@dataclass(frozen=True, slots=True)
class Hours:
    """From `start` to `end`, the end not included, on the local clock of those `days` that are no holiday of `calendar`.

    An end that is not after the start is on the day after. days: names as in `core.due_days`.
    """

    days: tuple[str, ...]
    start: time
    end: time
    timezone: str
    calendar: str | None = None


Timetable: TypeAlias = Always | Digest | Hours

ALWAYS = Always()
