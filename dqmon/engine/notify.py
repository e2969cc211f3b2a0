"""Step 2: alert events become incidents, incidents groups, groups deliveries, in one transaction of their own.

A crash before it loses nothing: unused events and due groups are still there for the next call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from dqmon.alerts.book import Rules, Scene
from dqmon.alerts.correlate import correlate
from dqmon.alerts.group import dedup_key, first_due, group_key, view_of
from dqmon.alerts.message import Background, facts
from dqmon.alerts.route import attributes_of, routes_for
from dqmon.alerts.silence import Hush, decide_quietly, hush, never_told
from dqmon.alerts.transition import close
from dqmon.core.alert import AlertEvent, AlertKey, EventKind
from dqmon.core.incident import Group, Incident, IncidentState
from dqmon.core.route import Route
from dqmon.engine.compose import Composer
from dqmon.engine.facts import alert_facts
from dqmon.engine.inhibited import Intake, due_for_release, has_news, next_at, places
from dqmon.engine.muted import Mutes
from dqmon.store import alerts, deliveries, groups, incidents, results, silences, slots

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.alert import Alert
    from dqmon.core.incident import IncidentMember
    from dqmon.engine.environment import Environment


def notify_once(environment: Environment, now: datetime, *, is_at_once: bool = False) -> datetime | None:
    """Tells what there is to tell at `now`; returns when to call again, None: after the next event.

    With `is_at_once` no symptom waits for its ancestors, and the groups that it touches do not wait (group_wait 0).
    Idempotent: a second call at the same time says nothing. Only the holder of the notify lease may call it. Raises StoreError.
    """
    with environment.database.read() as connection:
        is_idle = not has_news(connection, now, is_at_once=is_at_once)
    if not is_idle:
        with environment.database.write() as connection:
            _Step(environment, connection, now, is_at_once=is_at_once).take()
    with environment.database.read() as connection:
        return next_at(connection, now)


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


def unmute(environment: Environment, silence_id: str, by: str, now: datetime) -> None:
    """Ends a silence before its time, and lets the groups with muted alerts speak at once. Raises StoreError."""
    with environment.database.write() as connection:
        silences.expire(connection, silence_id, by, now)
        step = _Step(environment, connection, now, is_at_once=True)
        for group in groups.open_groups(connection):
            if group.muted:
                step.speak(group, is_touched=True)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a group has to do with: its incidents, and its alerts that have not left them."""

    incidents: tuple[Incident, ...]
    keys: tuple[AlertKey, ...]
    open_keys: tuple[AlertKey, ...]

    @property
    def incident_of(self) -> dict[AlertKey, str]:
        """The incident of each open alert."""
        return {member.key: incident.id for incident in self.incidents for member in incident.open_members}


class _Step:
    def __init__(self, environment: Environment, connection: Connection, now: datetime, *, is_at_once: bool) -> None:
        self.environment = environment
        self.connection = connection
        self.now = now
        self.is_at_once = is_at_once
        self.composer = Composer(environment, connection, now)

    def take(self) -> None:
        """1. Works unused events into incidents. 2. Routes what fired, rose or was released. 3. Lets touched and due groups speak."""
        before = {incident.id: incident for incident in incidents.open_incidents(self.connection)}
        taken = Intake(self.environment, self.connection, self.now).take(before.values(), is_at_once=self.is_at_once)
        events = tuple(event for _, event in taken)
        members = {member.key: member for incident in before.values() for member in incident.open_members}
        found = alerts.get(self.connection, {event.key for event in events} | members.keys())
        due = due_for_release(self.connection, self.now)
        slots.hasten(self.connection, due.unmeasured, self.now)
        scene = Scene(found, places(self.environment, self.connection, found), due.confirmed)
        rules = Rules(self.environment.lineage, self.environment.correlate_within_s, self.environment.new_id)
        changed = correlate(events, scene, before.values(), rules, self.now)
        incidents.save(self.connection, changed)
        after = before | {incident.id: incident for incident in changed}
        opened = {group.id: group for group in groups.open_groups(self.connection)}
        touched = self._route(_risen(events, members, changed), found, after, opened)
        touched |= {g.id for g in opened.values() if any(incident.id in g.incident_ids for incident in changed)}
        alerts.mark_used(self.connection, [event_id for event_id, _ in taken], self.now)
        late = {group.id for group in groups.due(self.connection, self.now)}
        for group_id, group in opened.items():
            if group_id in touched | late:
                self.speak(group, is_touched=group_id in touched)

    def speak(self, group: Group, *, is_touched: bool) -> None:
        """Lets one group decide, and puts what it says into the outbox."""
        shown = self._shown(group)
        if (unheard := never_told(group, map(str, shown.open_keys))) and group.last_told_at is not None:
            group = replace(group, alert_keys=tuple(key for key in group.alert_keys if key not in unheard))
            shown = self._shown(group)
        found = alerts.get(self.connection, shown.keys)
        quiet = hush(group, self.mutes.of((found[key] for key in shown.open_keys if key in found), shown.incident_of))
        channel = self.environment.channels.get(group.channel)
        view = view_of(
            (found[key] for key in shown.open_keys if key in found and key not in quiet.mutes),
            is_acknowledged=bool(shown.incidents) and all(i.state is IncidentState.ACKNOWLEDGED for i in shown.incidents),
            pages=channel is not None and channel.pages,
            instance=self.environment.instance,
        )
        if self.is_at_once and is_touched:
            group = replace(group, due_at=self.now)
        decision = decide_quietly(group, view, quiet, self._route_of(group), self.now)
        groups.save(self.connection, (decision.group,))
        if shown.incidents:
            self._withhold(group, shown.incidents[0], quiet, found)
            told_keys = [key for key in shown.open_keys if key not in quiet.hidden]
            told = [found[key] for key in told_keys or shown.keys if key in found and key not in quiet.hidden]
            deliveries.add(self.connection, self.composer.of_decision(decision, shown.incidents[0], told))
        if decision.group.resolved_at is not None and quiet.hidden:
            groups.save(self.connection, (self._successor(decision.group, quiet),))

    @cached_property
    def mutes(self) -> Mutes:
        """What mutes alerts now."""
        return Mutes(self.environment, self.connection, self.now)

    def _withhold(self, group: Group, incident: Incident, quiet: Hush, found: Mapping[AlertKey, Alert]) -> None:
        """Records for the hidden alerts that nobody is told of them, once for each reason."""
        fresh: dict[str, list[Alert]] = {}
        for key in sorted(quiet.hidden):
            if group.muted.get(str(key)) != quiet.mutes[key].reason:
                fresh.setdefault(quiet.mutes[key].reason, []).append(found[key])
        for reason, muted in fresh.items():
            told = alert_facts(self.connection, muted, incident.root)
            deliveries.add(self.connection, self.composer.not_sent(group, incident, told, reason))

    def _successor(self, ended: Group, quiet: Hush) -> Group:
        """What tells of the hidden alerts of a group once they may be told, since all that it told of has resolved."""
        id_ = self.environment.new_id()
        dedup = dedup_key(self.environment.instance, ended.channel, id_, 0)
        due_at = min(quiet.mutes[key].until for key in quiet.hidden)
        keys = tuple(map(str, sorted(quiet.hidden)))
        muted = {key: ended.muted[key] for key in keys}
        return Group(id_, ended.key, ended.route, ended.channel, dedup, self.now, ended.incident_ids, keys, due_at, muted=muted)

    def _route(
        self,
        risen: set[AlertKey],
        found: dict[AlertKey, Alert],
        after: dict[str, Incident],
        opened: dict[str, Group],
    ) -> set[str]:
        """Gives each risen alert its groups, new ones where none is open; returns their ids. `opened` is brought up to date.

        Of an inhibited one it is recorded what it would have said.
        """
        at = {member.key: incident for incident in after.values() for member in incident.open_members}
        open_keys = sorted(key for key in risen if key in at and found[key].is_open)
        kept = results.latest(self.connection, {key.check_id for key in open_keys}) if open_keys else {}
        touched: set[str] = set()
        for key in open_keys:
            incident, records = at[key], kept.get(key.check_id, ())
            cause = incident.members[key].caused_by
            attributes = attributes_of(found[key], records[0]) if records else {}
            for route, channel in routes_for(attributes, self.environment.routes) if records else ():
                name = group_key(route.group_by, incident.id, attributes)
                if cause is not None:
                    why, told = f"inhibited: caused by {cause}, incident {incident.id}", (facts(found[key], records, Background()),)
                    deliveries.add(self.connection, self.composer.not_sent(self._open(name, route, channel), incident, told, why))
                    continue
                same = (g for g in opened.values() if (g.channel, g.key) == (channel, name))
                group = next(same, None) or self._open(name, route, channel)
                opened[group.id] = _with(group, key, incident)
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
        members = {str(m.key): m for incident in found if incident for m in incident.members.values() if m.caused_by is None}
        mine = [members[name] for name in group.alert_keys if name in members]
        opened = tuple(incident for incident in found if incident and incident.state is not IncidentState.RESOLVED)
        return _Shown(
            opened or tuple(incident for incident in found if incident),
            tuple(member.key for member in mine),
            tuple(member.key for member in mine if member.left_at is None),
        )


def _risen(events: Iterable[AlertEvent], before: Mapping[AlertKey, IncidentMember], changed: Iterable[Incident]) -> set[AlertKey]:
    """The alerts that fired, were inhibited until now, or whose severity is higher than their incident knew: these are routed (R7)."""
    told = {member.key for incident in changed for member in incident.open_members if member.caused_by is None}
    freed = {key for key in told if key in before and before[key].caused_by is not None}
    return freed | {
        e.key for e in events if e.kind is EventKind.FIRED or (e.key in before and e.severity.rank > before[e.key].severity.rank)
    }


def _with(group: Group, key: AlertKey, incident: Incident) -> Group:
    """The group with one more alert and its incident; the same group when it has them."""
    return replace(
        group,
        alert_keys=tuple(dict.fromkeys((*group.alert_keys, str(key)))),
        incident_ids=tuple(dict.fromkeys((*group.incident_ids, incident.id))),
    )
