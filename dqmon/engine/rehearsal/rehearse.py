"""The second step over replayed checks: which incidents there would have been, and who would have been told what."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING

from dqmon.core.message import DeliveryKind
from dqmon.core.result import record
from dqmon.engine.rehearsal.stage import Rules, Stage, clear
from dqmon.store import alerts, incidents, results

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.alert import AlertEvent
    from dqmon.core.check import Check
    from dqmon.core.incident import Incident
    from dqmon.engine.rehearsal.replay import Step, Track
    from dqmon.store.database import Database

_ALL = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Sent:
    """A message to a channel: `checks` are those of which it tells. `pages`: it wakes somebody."""

    at: datetime
    channel: str
    kind: DeliveryKind
    incident_id: str
    checks: tuple[str, ...]
    pages: bool


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One configuration's past: its checks, its incidents (oldest first), and its messages in the order of sending."""

    tracks: tuple[Track, ...]
    incidents: tuple[Incident, ...]
    sent: tuple[Sent, ...]


def watched(checks: Sequence[Check], rules: Rules) -> frozenset[str]:
    """The checks upstream of another one: it is asked of them when they were measured, even while they pass."""
    above = frozenset[str]().union(*(rules.lineage.ancestors(check.node) for check in checks))
    return frozenset(check.id for check in checks if check.node in above)


def rehearse(tracks: Sequence[Track], rules: Rules, database: Database, until: datetime) -> Rehearsed:
    """What step 2 makes of the alerts up to `until`, at the times of the replayed runs and whenever it asks to be called.

    `database` is an empty store, and empty again afterwards. What people did by hand (acknowledgements, silences, incidents closed)
    is not in it, and neither are warehouses that could not be reached: those are alerts of their own.
    """
    steps = sorted((step for track in tracks for step in track.steps), key=attrgetter("at", "order"))
    if not steps:
        return Rehearsed(tuple(tracks), (), ())
    rehearsal = _Rehearsal(Stage(rules, (track.check for track in tracks), database, steps[0].at), rules)
    for at, found in itertools.groupby(steps, key=attrgetter("at")):
        rehearsal.wait(at)
        rehearsal.take(tuple(found))
    rehearsal.wait(until)
    with database.read() as connection:
        opened = incidents.listed(connection, None, _ALL)[::-1]
    clear(database)
    return Rehearsed(tuple(tracks), opened, tuple(rehearsal.sent))


class _Rehearsal:
    def __init__(self, stage: Stage, rules: Rules) -> None:
        self.stage = stage
        self.rules = rules
        self.sent: list[Sent] = []
        self.unwritten: dict[str, Step] = {}
        self.is_releasing = False

    def wait(self, until: datetime) -> None:
        """Step 2 at each time that it asks for; the newest runs before that are in the store then."""
        if self.stage.due is not None and self.stage.due <= until and self.unwritten:
            with self.stage.environment.database.write() as connection:
                self._write(connection, ())
        self.stage.wait(until)
        self._note()

    def take(self, steps: Sequence[Step]) -> None:
        """The runs of one commit. What no alert speaks of waits: writing each run would take hours."""
        for step in steps:
            self.unwritten[step.results[0].check.id] = step
        events = [event for step in steps for event in step.events]
        if events or self.is_releasing:
            self.stage.take(lambda connection: self._write(connection, events))
            with self.stage.environment.database.read() as connection:
                self.is_releasing = bool(incidents.to_release(connection))
            self._note()

    def _note(self) -> None:
        """Keeps of the messages what is asked of them: whole ones of months would not fit into memory."""
        for one in self.stage.told:
            pages = self.rules.pages.get(one.channel, False) and one.kind is DeliveryKind.TRIGGER
            checks = tuple(dict.fromkeys(facts.check_id for facts in one.message.alerts))
            self.sent.append(Sent(one.created_at, one.channel, one.kind, one.message.incident_id, checks, pages))
        self.stage.told.clear()

    def _write(self, connection: Connection, events: Sequence[AlertEvent]) -> None:
        steps, self.unwritten = self.unwritten.values(), {}
        results.add(connection, [record(result) for step in steps for result in step.results], self.stage.now)
        alerts.save(connection, [alert for step in steps for alert in step.alerts])
        alerts.add_events(connection, events)
