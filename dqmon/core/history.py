"""Past values of one series, as judging and detecting see them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Point:
    """A value and the time that it describes: the partition's start, else the scheduled time (aware UTC).

    `is_excluded`: it lay inside an alert of the check, so that a baseline learns from it only what became the level or recurs.
    `is_real`: and somebody said that the incident was real, so that it is never learned. `text` is the exact value where the
    number does not say all (`Metric.restore` reads both). `is_estimate`: it was not measured (`core.measurement.ESTIMATED`).
    """

    at: datetime
    value: float
    is_excluded: bool = False
    text: str | None = None
    is_real: bool = False
    is_estimate: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A measurement with another value than the one before it.

    at: its slot. after: the slot of the one before. text: the exact value, as `Metric.restore` reads it.
    """

    at: datetime
    after: datetime
    text: str | None


@dataclass(frozen=True, slots=True)
class History:
    """Current points of one series, oldest first, strictly before the tested one; ad-hoc runs are not in it."""

    points: tuple[Point, ...] = ()

    @property
    def baseline(self) -> tuple[Point, ...]:
        """The points that a detector may learn from."""
        return tuple(point for point in self.points if not point.is_excluded)


@dataclass(frozen=True, slots=True)
class Band:
    """What a detector expected at a time: the value is unusual outside [low, high].

    `explanation` has one sentence for each reason; `used` are the points that the band rests on.
    """

    low: float
    high: float
    center: float
    explanation: tuple[str, ...]
    used: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Learning:
    """There is too little history to expect anything; `missing` more points are needed."""

    missing: int


def is_inside(at: datetime, spans: Iterable[tuple[datetime, datetime | None]]) -> bool:
    """True when `at` lies in one of the half-open spans, of which the last may still go on."""
    return any(start <= at and (end is None or at < end) for start, end in spans)
