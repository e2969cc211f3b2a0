"""Step 2: alert events become incidents, incidents groups, groups deliveries, in one transaction of their own.

A crash before it loses nothing: unused events and due groups are still there for the next call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.alerts.correlate import correlate
from dqmon.alerts.group import Decision, decide, dedup_key, first_due, group_key, view_of
from dqmon.alerts.message import compose
from dqmon.alerts.route import attributes_of, routes_for
from dqmon.alerts.transition import close
from dqmon.core.alert import AlertEvent, AlertKey, EventKind
from dqmon.core.delivery import Delivery, DeliveryState
from dqmon.core.incident import Group, Incident, IncidentState
from dqmon.core.message import DeliveryKind
from dqmon.core.route import Route
from dqmon.engine.facts import alert_facts
from dqmon.store import alerts, deliveries, groups, incidents, results

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.alert import Alert
    from dqmon.core.message import AlertFacts
    from dqmon.core.protocols import Channel
    from dqmon.engine.environment import Environment

EVENTS_AT_ONCE = 1_000
"""Events taken in one transaction, so that a storm does not hold the store's write lock for long."""


def notify_once(environment: Environment, now: datetime, *, is_at_once: bool = False) -> datetime | None:
    """Tells what there is to tell at `now`; returns when to call again, None: after the next event.

    With `is_at_once` the groups that it touches do not wait (group_wait 0). Idempotent: a second call at the same time says
    nothing. Only the holder of the notify lease may call it. Raises StoreError.
    """
    with environment.database.read() as connection:
        is_idle = not alerts.unused_events(connection, 1) and not groups.due(connection, now)
    if not is_idle:
        with environment.database.write() as connection:
            _Step(environment, connection, now, is_at_once=is_at_once).take()
    with environment.database.read() as connection:
        if alerts.unused_events(connection, 1):
            return now
        return min((group.due_at for group in groups.open_groups(connection) if group.due_at), default=None)


def settle(environment: Environment, incident: Incident, now: datetime, *, ends_alerts: bool = False) -> None:
    """Saves an incident that was acknowledged or closed by hand, and lets its groups speak at once. Raises StoreError.

    With `ends_alerts` its alerts end too, so that the next bad outcome fires them anew.
    """
    with environment.database.write() as connection:
        incidents.save(connection, (incident,))
        if ends_alerts:
            locked = alerts.lock(connection, tuple(incident.members))
            alerts.save(connection, [close(alert, "resolved by hand", now)[0] for alert in locked.values()])
        step = _Step(environment, connection, now, is_at_once=True)
        for group in groups.open_groups(connection):
            if incident.id in group.incident_ids:
                step.speak(group, is_touched=True)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a group has to do with: its incidents, and its alerts that have not left them."""

    incidents: tuple[Incident, ...]
    keys: tuple[AlertKey, ...]
    open_keys: tuple[AlertKey, ...]


class _Step:
    def __init__(self, environment: Environment, connection: Connection, now: datetime, *, is_at_once: bool) -> None:
        self.environment = environment
        self.connection = connection
        self.now = now
        self.is_at_once = is_at_once

    def take(self) -> None:
        """1. Works unused events into incidents. 2. Routes what fired or rose. 3. Lets touched and due groups speak."""
        taken = alerts.unused_events(self.connection, EVENTS_AT_ONCE)
        events = tuple(event for _, event in taken)
        before = {incident.id: incident for incident in incidents.open_incidents(self.connection)}
        members = {member.key for incident in before.values() for member in incident.open_members}
        found = alerts.get(self.connection, {event.key for event in events} | members)
        changed = correlate(
            events,
            found,
            self._subjects(events),
            before.values(),
            self.environment.lineage,
            self.now,
            self.environment.correlate_within_s,
            self.environment.new_id,
        )
        incidents.save(self.connection, changed)
        after = before | {incident.id: incident for incident in changed}
        opened = {group.id: group for group in groups.open_groups(self.connection)}
        touched = self._route(self._risen(events, before), found, after, opened)
        touched |= {g.id for g in opened.values() if any(incident.id in g.incident_ids for incident in changed)}
        alerts.mark_used(self.connection, [event_id for event_id, _ in taken], self.now)
        due = {group.id for group in groups.due(self.connection, self.now)}
        for group_id, group in opened.items():
            if group_id in touched | due:
                self.speak(group, is_touched=group_id in touched)

    def speak(self, group: Group, *, is_touched: bool) -> None:
        """Lets one group decide, and puts what it says into the outbox."""
        shown = self._shown(group)
        found = alerts.get(self.connection, shown.keys)
        channel = self.environment.channels.get(group.channel)
        view = view_of(
            (found[key] for key in shown.open_keys if key in found),
            is_acknowledged=bool(shown.incidents) and all(i.state is IncidentState.ACKNOWLEDGED for i in shown.incidents),
            pages=channel is not None and channel.pages,
            instance=self.environment.instance,
        )
        if self.is_at_once and is_touched:
            group = replace(group, due_at=self.now)
        decision = decide(group, view, self._route_of(group), self.now)
        groups.save(self.connection, (decision.group,))
        deliveries.add(self.connection, self._deliveries(decision, shown, found, channel))

    def _subjects(self, events: Sequence[AlertEvent]) -> dict[AlertKey, str]:
        checks = self.environment.checks
        gone = {event.key.check_id for event in events} - checks.keys()
        kept = results.latest(self.connection, gone) if gone else {}
        named = {check_id: records[0].subject for check_id, records in kept.items()}
        named |= {event.key.check_id: checks[event.key.check_id].subject for event in events if event.key.check_id in checks}
        return {event.key: named.get(event.key.check_id, event.key.check_id) for event in events}

    def _risen(self, events: Iterable[AlertEvent], before: dict[str, Incident]) -> set[AlertKey]:
        """The alerts that fired, or whose severity is now higher than their incident knew: these are routed (R7)."""
        known = {member.key: member.severity.rank for incident in before.values() for member in incident.open_members}
        return {e.key for e in events if e.kind is EventKind.FIRED or e.severity.rank > known.get(e.key, e.severity.rank)}

    def _route(
        self,
        risen: set[AlertKey],
        found: dict[AlertKey, Alert],
        after: dict[str, Incident],
        opened: dict[str, Group],
    ) -> set[str]:
        """Gives each risen alert its groups, new ones where none is open; returns their ids. `opened` is brought up to date."""
        at = {member.key: incident for incident in after.values() for member in incident.open_members}
        open_keys = sorted(key for key in risen if key in at and found[key].is_open)
        kept = results.latest(self.connection, {key.check_id for key in open_keys}) if open_keys else {}
        touched: set[str] = set()
        for key in open_keys:
            for record in kept.get(key.check_id, ())[:1]:
                attributes = attributes_of(found[key], record)
                for route, channel in routes_for(attributes, self.environment.routes):
                    name = group_key(route.group_by, at[key].id, attributes)
                    same = (g for g in opened.values() if (g.channel, g.key) == (channel, name))
                    group = next(same, None) or self._open(name, route, channel)
                    opened[group.id] = _with(group, key, at[key])
                    touched.add(group.id)
        return touched

    def _open(self, key: str, route: Route, channel: str) -> Group:
        id_ = self.environment.new_id()
        pages = self.environment.channels[channel].pages
        dedup = dedup_key(self.environment.instance, channel, id_, 0)
        return Group(id_, key, route.name, channel, dedup, self.now, (), (), first_due(self.now, route, pages=pages))

    def _route_of(self, group: Group) -> Route:
        """The group's route; its times are the default ones when a reload took the route away."""
        found = (route for route in self.environment.routes if route.name == group.route)
        return next(found, Route(group.route, None, (group.channel,)))

    def _shown(self, group: Group) -> _Shown:
        found = [incidents.get(self.connection, id_) for id_ in group.incident_ids]
        members = {str(m.key): m for incident in found if incident for m in incident.members.values()}
        mine = [members[name] for name in group.alert_keys if name in members]
        opened = tuple(incident for incident in found if incident and incident.state is not IncidentState.RESOLVED)
        return _Shown(
            opened or tuple(incident for incident in found if incident),
            tuple(member.key for member in mine),
            tuple(member.key for member in mine if member.left_at is None),
        )

    def _deliveries(self, decision: Decision, shown: _Shown, found: dict[AlertKey, Alert], channel: Channel | None) -> Iterable[Delivery]:
        """The messages of a decision; one that is never sent, with the reason, when the group ends without a word."""
        ends_silently = not decision.says and decision.group.resolved_at == self.now
        if not shown.incidents or not (decision.says or ends_silently):
            return
        incident, group = shown.incidents[0], decision.group
        facts = alert_facts(self.connection, [found[key] for key in shown.open_keys or shown.keys if key in found], incident.root)
        says = [(saying.kind, saying.dedup_key) for saying in decision.says] or [(DeliveryKind.TRIGGER, group.dedup_key)]
        for kind, key in says:
            yield from self._parts(kind, replace(group, dedup_key=key), (incident, facts, decision), channel, ends_silently=ends_silently)

    def _parts(
        self,
        kind: DeliveryKind,
        group: Group,
        said: tuple[Incident, tuple[AlertFacts, ...], Decision],
        channel: Channel | None,
        *,
        ends_silently: bool,
    ) -> Iterable[Delivery]:
        incident, facts, decision = said
        message = compose(kind, group, incident, facts, self.now, instance=self.environment.instance, changes=decision.changes)
        reason = decision.reason if ends_silently else f"the channel {group.channel!r} is not configured any more"
        is_sent = channel is not None and not ends_silently
        for part in channel.parts(message) if channel is not None else ("gone",):
            yield Delivery(
                id=self.environment.new_id(),
                sequence=0,
                group_id=group.id,
                channel=group.channel,
                dedup_key=group.dedup_key,
                kind=kind,
                part=part,
                message=message,
                created_at=self.now,
                state=DeliveryState.QUEUED if is_sent else DeliveryState.NOT_SENT,
                reason="" if is_sent else reason,
            )


def _with(group: Group, key: AlertKey, incident: Incident) -> Group:
    """The group with one more alert and its incident; the same group when it has them."""
    return replace(
        group,
        alert_keys=tuple(dict.fromkeys((*group.alert_keys, str(key)))),
        incident_ids=tuple(dict.fromkeys((*group.incident_ids, incident.id))),
    )
