"""A configuration tried on the past, beside another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING

from dqmon.engine.past.memory import memories
from dqmon.engine.past.recalled import Memory
from dqmon.engine.rehearsal.compare import Known
from dqmon.engine.rehearsal.rehearse import Rehearsed, rehearse, watched
from dqmon.engine.rehearsal.replay import Course, Judged, Track, judged_alike, replay
from dqmon.engine.rehearsal.stage import Rules, empty_store
from dqmon.store import feedback, incidents

if TYPE_CHECKING:
    from dqmon.core.check import Check
    from dqmon.engine.run import Progress
    from dqmon.store.database import Database


@dataclass(frozen=True, slots=True)
class Period:
    """What is replayed: slots from `since` on; alerts go on until `until`."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of each configuration, and the incidents that there really were in that time, oldest first."""

    period: Period
    sides: tuple[Rehearsed, ...]
    known: tuple[Known, ...]


def trial(database: Database, sides: Sequence[Sequence[Check]], rules: Rules, period: Period, progress: Progress | None = None) -> Trial:
    """Replays what `database` has kept of the checks of each side; nothing is written to it. Raises StoreError.

    A check that is the same on several sides is replayed once.
    """
    forms: dict[str, list[Check]] = {}
    for check in (check for side in sides for check in side):
        forms.setdefault(check.id, []).append(check)
    number = count(1)
    tracks: list[dict[str, Track]] = [{} for _ in sides]
    upstream = [watched(side, rules) for side in sides]
    by_side = [{check.id: check for check in side} for side in sides]
    with database.read() as connection:
        for done, (id_, memory) in enumerate(zip(forms, memories(connection, list(forms.values()), period.since), strict=True), 1):
            once = _Once(memory, Course(period.since, lambda: f"replay-{next(number)}", any(id_ in ids for ids in upstream)))
            for found, checks in zip(tracks, by_side, strict=True):
                if id_ in checks:
                    found[id_] = once.of(checks[id_])
            if progress is not None:
                progress(done, len(forms), id_)
        opened = incidents.opened_since(connection, period.since)
        said = feedback.of_incidents(connection, [incident.id for incident in opened])
    with empty_store() as (empty, _):
        told = tuple(
            rehearse([found[check.id] for check in side], rules, empty, period.until) for side, found in zip(sides, tracks, strict=True)
        )
    known = tuple(Known(one, said[one.id].feedback if one.id in said else None) for one in opened)
    return Trial(period, told, known)


class _Once:
    """Replays each form of one check once; where it is declared makes no other form of it."""

    def __init__(self, memory: Memory, course: Course) -> None:
        self._memory = memory
        self._course = course
        self._known: list[tuple[Check, Track, Judged]] = []

    def of(self, check: Check) -> Track:
        """The check's track."""
        for form, track, _ in self._known:
            if replace(form, source=check.source) == check:
                return track
        judged = next((judged for form, _, judged in self._known if judged_alike(form, check)), {})
        track = replay(check, self._memory, self._course, judged)
        self._known.append((check, track, judged))
        return track
