"""Symptoms of trouble upstream, as step 2 meets them: which must wait, and which are to be told after all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from dqmon.alerts.inhibit import Ancestry, Place, Watched, waits
from dqmon.core.alert import AlertEvent, AlertKey, AlertKind, AlertState, EventKind
from dqmon.core.verdict import worst
from dqmon.store import alerts, groups, incidents, outages, results, slots

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.alert import Alert
    from dqmon.core.check import Check
    from dqmon.core.incident import Incident
    from dqmon.engine.environment import Environment

EVENTS_AT_ONCE = 1_000
"""Events taken in one transaction, so that a storm does not hold the store's write lock for long."""

Taken: TypeAlias = tuple[tuple[int, AlertEvent], ...]
"""Events with their ids, oldest first."""


@dataclass(frozen=True, slots=True)
class Due:
    """Of the inhibited alerts that are to be released: those measured as bad since, and the checks that were not measured since."""

    confirmed: frozenset[AlertKey]
    unmeasured: frozenset[str]


def has_news(connection: Connection, now: datetime, *, is_at_once: bool = False) -> bool:
    """True when step 2 has something to do at `now`; with `is_at_once` also what would wait."""
    if alerts.unused_events(connection, 1, None if is_at_once else now) or groups.due(connection, now) or outages.is_due(connection, now):
        return True
    due = due_for_release(connection, now)
    return bool(due.confirmed) or slots.can_hasten(connection, due.unmeasured, now)


def next_at(connection: Connection, now: datetime) -> datetime | None:
    """When step 2 has something to do next, `now` when it has already; None: not before the next event or result."""
    if alerts.unused_events(connection, 1, now):
        return now
    released = (member.release_at for member in incidents.to_release(connection))
    times = [group.due_at for group in groups.open_groups(connection)]
    times += [alerts.held_until(connection), outages.next_at(connection), *(at for at in released if at is not None and at > now)]
    return min((at for at in times if at is not None), default=None)


def due_for_release(connection: Connection, now: datetime) -> Due:
    """What is known of the inhibited alerts whose `release_at` is over."""
    waiting = ((member, member.release_at) for member in incidents.to_release(connection))
    due = [(member, at) for member, at in waiting if at is not None and at <= now]
    kept = results.latest(connection, {member.key.check_id for member, _ in due}) if due else {}
    since = {m.key: [r for r in kept.get(m.key.check_id, ()) if r.measured_at >= at] for m, at in due}
    return Due(
        frozenset(key for key, records in since.items() if any(record.verdict.is_bad for record in records)),
        frozenset(key.check_id for key, records in since.items() if not records),
    )


def places(environment: Environment, connection: Connection, keys: Iterable[AlertKey]) -> dict[AlertKey, Place]:
    """Where the checks of the alerts stand; of checks that are gone as their newest results say."""
    every = set(keys)
    gone = {key.check_id for key in every} - environment.checks.keys()
    kept = results.latest(connection, gone) if gone else {}
    known = {check_id: Place(found[0].node, found[0].dimension, found[0].pipeline is not None) for check_id, found in kept.items()}
    known |= {key.check_id: _place(environment.checks[key.check_id]) for key in every if key.check_id in environment.checks}
    return {key: known[key.check_id] for key in every if key.check_id in known}


def _place(check: Check) -> Place:
    return Place(check.node, check.rule.dimension, check.pipeline is not None)


class Intake:
    """The events that step 2 works in now. Those of symptoms that must wait are put off, and what they wait for is run."""

    def __init__(self, environment: Environment, connection: Connection, now: datetime) -> None:
        self._environment = environment
        self._connection = connection
        self._now = now
        self._ancestry = Ancestry(environment.lineage)

    def take(self, before: Iterable[Incident], *, is_at_once: bool) -> Taken:
        """At most EVENTS_AT_ONCE, and beyond that all that belongs to them: the rest of their alerts', and those of open alerts
        upstream of symptoms, so that no symptom is worked in before its cause. With `is_at_once` nothing waits.
        """
        first = alerts.unused_events(self._connection, EVENTS_AT_ONCE, None if is_at_once else self._now)
        keys = {event.key for _, event in first}
        taken = alerts.unused_of(self._connection, keys)
        known = places(self._environment, self._connection, keys)
        symptoms = (known[event.key].node for _, event in taken if _is_fired_symptom(event, known))
        upstream = self._upstream(frozenset[str]().union(*map(self._ancestry.of, symptoms)))
        if not upstream:
            return taken
        states = alerts.get(self._connection, {AlertKey(check.id, kind) for check in upstream for kind in AlertKind})
        causes = {key for key, alert in states.items() if alert.is_open} - keys
        taken = tuple(sorted((*taken, *alerts.unused_of(self._connection, causes)), key=itemgetter(0)))
        return taken if is_at_once else self._without_waiting(taken, before, upstream, states)

    def _without_waiting(
        self, taken: Taken, before: Iterable[Incident], upstream: Sequence[Check], states: Mapping[AlertKey, Alert]
    ) -> Taken:
        members = [member for incident in before for member in incident.open_members if member.caused_by is None]
        found = alerts.get(self._connection, {event.key for _, event in taken})
        known = places(self._environment, self._connection, {*found, *(member.key for member in members)})
        last = {event.key: event for _, event in taken if event.kind is EventKind.FIRED and event.key in found}
        opened = [replace(event, severity=found[key].severity) for key, event in last.items() if found[key].is_open]
        told = [(member.key, member.severity.rank) for member in members]
        told += [(event.key, event.severity.rank) for event in opened if not _is_fired_symptom(event, known)]
        ranks: dict[str, int] = {}
        for key, rank in told:
            if key in known and known[key].can_cause:
                ranks[known[key].node] = max(rank, ranks.get(known[key].node, rank))
        fired = [(event, known[event.key].node) for event in opened if _is_fired_symptom(event, known)]
        waiting = waits(fired, ranks, self._watched(upstream, states), self._ancestry, self._now)
        for until in sorted(set(waiting.until.values())):
            alerts.hold(self._connection, [id_ for id_, event in taken if waiting.until.get(event.key) == until], until)
        slots.hasten(self._connection, waiting.to_run, self._now)
        return tuple((id_, event) for id_, event in taken if event.key not in waiting.until)

    def _upstream(self, above: Collection[str]) -> list[Check]:
        """The checks on those nodes that can be causes."""
        if not above:
            return []
        return [check for check in self._environment.checks.values() if check.node in above and _place(check).can_cause]

    def _watched(self, upstream: Sequence[Check], states: Mapping[AlertKey, Alert]) -> dict[str, list[Watched]]:
        scheduled = [check for check in upstream if check.schedule is not None]
        measured = results.measured(self._connection, [check.id for check in scheduled])
        pending = {key.check_id for key, alert in states.items() if alert.state is AlertState.PENDING}
        found: dict[str, list[Watched]] = {}
        for check in scheduled:
            rank = worst(check.severity, check.error_severity).rank
            found.setdefault(check.node, []).append(Watched(check.id, rank, measured.get(check.id), check.id in pending))
        return found


def _is_fired_symptom(event: AlertEvent, known: Mapping[AlertKey, Place]) -> bool:
    return event.kind is EventKind.FIRED and event.key in known and known[event.key].is_symptom(event.key)
