"""Step 2: alert events become incidents, incidents groups, groups deliveries, in one transaction of their own.

A crash before it loses nothing: unused events and due groups are still there for the next call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from dqmon.alerts.book import Rules, Scene
from dqmon.alerts.correlate import correlate
from dqmon.alerts.escalate import begun, is_step, is_unheard, key_on, on_time, steps_for
from dqmon.alerts.group import dedup_key, departed, first_due, view_of
from dqmon.alerts.message import Background, facts
from dqmon.alerts.route import attributes_of, routes_for
from dqmon.alerts.silence import Hush, decide_quietly, hush, never_told
from dqmon.alerts.storm import is_storm, took_over
from dqmon.core.alert import AlertEvent, AlertKey, EventKind
from dqmon.core.incident import Group, Incident
from dqmon.core.route import Route
from dqmon.engine.telling.compose import Composer
from dqmon.engine.telling.facts import alert_facts
from dqmon.engine.telling.fallback import Relay
from dqmon.engine.telling.former import former
from dqmon.engine.telling.inhibited import Intake, due_for_release, has_news, next_at, places
from dqmon.engine.telling.missed import without_missed
from dqmon.engine.telling.muted import Mutes
from dqmon.engine.telling.shown import Known, Telling
from dqmon.engine.telling.storm import calm
from dqmon.store import alerts, deliveries, groups, incidents, results, slots
from dqmon.store.writes import one_teller

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.alerts.route import Attributes
    from dqmon.core.alert import Alert
    from dqmon.core.delivery import Delivery
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
            one_teller(connection)
            _Step(environment, connection, now, is_at_once=is_at_once).take()
    with environment.database.read() as connection:
        return next_at(connection, now)


class _Step:
    def __init__(self, environment: Environment, connection: Connection, now: datetime, *, is_at_once: bool) -> None:
        self.environment = environment
        self.connection = connection
        self.now = now
        self.is_at_once = is_at_once
        self.composer = Composer(environment, connection, now)
        self.known = Known(connection)
        self.telling = Telling(environment, connection, self.composer, self.known, self._route_of, now)

    def take(self) -> None:
        """1. Works unused events into incidents. 2. Routes what fired, rose or was released. 3. Lets touched and due groups speak.

        4. Lets others speak in the place of channels that do not take it.
        """
        before = {incident.id: incident for incident in incidents.open_incidents(self.connection)}
        taken = Intake(self.environment, self.connection, self.now).take(before.values(), is_at_once=self.is_at_once)
        events = tuple(event for _, event in taken)
        members = {member.key: member for incident in before.values() for member in incident.open_members}
        found = alerts.get(self.connection, {event.key for event in events} | members.keys())
        due = due_for_release(self.connection, self.now)
        slots.hasten(self.connection, due.unmeasured, self.now)
        opened = {group.id: group for group in groups.open_groups(self.connection)}
        untold = {incident_id for group in opened.values() for incident_id in group.incident_ids} - before.keys()
        since = self.now - timedelta(seconds=self.environment.correlate_within_s)
        ended = former(self.connection, events, untold, since)
        scene = Scene(found, places(self.environment, self.connection, found), due.confirmed, ended.incidents, ended.unheard)
        rules = Rules(self.environment.lineage, self.environment.correlate_within_s, self.environment.new_id)
        changed = correlate(events, scene, before.values(), rules, self.now)
        incidents.save(self.connection, changed)
        after = before | {incident.id: incident for incident in changed}
        touched = self._route(_risen(events, members, changed), found, after, opened)
        news, ids = {str(event.key) for event in events}, {incident.id for incident in changed}
        touched |= {g.id for g in opened.values() if not (ids.isdisjoint(g.incident_ids) and news.isdisjoint(g.alert_keys))}
        alerts.mark_used(self.connection, [event_id for event_id, _ in taken], self.now)
        late = {group.id for group in groups.due(self.connection, self.now)}
        touched |= calm(self.telling, opened)
        speaking = [group for group_id, group in opened.items() if group_id in touched | late]
        self._read(speaking)
        for group in speaking:
            opened[group.id] = self.speak(group, is_touched=group.id in touched)
        self._begin_steps(opened.values())
        for spoken in Relay(self.telling).take():
            self.speak(spoken.group, is_touched=True, form=spoken.form)

    def speak(self, group: Group, *, is_touched: bool, form: Callable[[Delivery], Delivery] = lambda said: said) -> Group:
        """Lets one group decide, and puts what it says, given that form, into the outbox; the group as it is afterwards."""
        route = self._route_of(group)
        group = without_missed(self.telling, group)
        shown = self.known.shown(group)
        if (unheard := never_told(group, map(str, shown.open_keys))) and group.last_told_at is not None:
            group = replace(group, alert_keys=tuple(key for key in group.alert_keys if key not in unheard))
            shown = self.known.shown(group)
        found = self.known.alerts(shown.keys)
        quiet = hush(group, self.mutes.of((found[key] for key in shown.open_keys if key in found), shown.incident_of))
        channel = self.environment.channels.get(group.channel)
        view = view_of(
            (found[key] for key in shown.open_keys if key in found and key not in quiet.mutes),
            is_acknowledged=shown.is_acknowledged(quiet.hidden),
            pages=channel is not None and channel.pages,
            instance=self.environment.instance,
        )
        if self.is_at_once and is_touched and not route.unless_acknowledged:
            group = replace(group, due_at=min(self.now, group.due_at or self.now))
        decision = decide_quietly(on_time(group, route), view, quiet, route, self.now)
        groups.save(self.connection, (decision.group,))
        if shown.incidents:
            head = shown.worst if is_storm(group) else shown.incidents[0]
            self._withhold(group, head, quiet, found)
            told_keys = [key for key in shown.open_keys if key not in quiet.hidden]
            told = [found[key] for key in told_keys or shown.keys if key in found and key not in quiet.hidden]
            left = [found[key] for key in departed(group, shown.keys, shown.open_keys) if key in found]
            deliveries.add(self.connection, map(form, self.composer.of_decision(decision, head, told, left)))
        if decision.group.resolved_at is not None and quiet.hidden:
            groups.save(self.connection, (self._successor(decision.group, quiet),))
        return decision.group

    def _begin_steps(self, opened: Collection[Group]) -> None:
        """The time of an escalation's steps begins when a group that is none of them has told of their incident."""
        waiting = [group for group in opened if self._route_of(group).unless_acknowledged and is_unheard(group)]
        if not waiting:
            return
        told = {id_ for group in opened if not is_step(group) for id_ in self.known.shown(group).told(group.told_members)}
        begun_now = [begun(group, self._route_of(group), self.now) for group in waiting if told.intersection(group.incident_ids)]
        groups.save(self.connection, begun_now)

    def _read(self, speaking: Collection[Group]) -> None:
        """Reads what they all need at once."""
        self.known.read(speaking)
        self.composer.read({key.check_id for group in speaking for key in self.known.shown(group).keys})

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
        named = {(group.channel, group.key): group.id for group in reversed(opened.values())}
        storms = [group for group in opened.values() if is_storm(group)]
        touched: set[str] = set()
        for key in open_keys:
            incident, records = at[key], kept.get(key.check_id, ())
            cause = incident.members[key].caused_by
            attributes = attributes_of(found[key], records[0]) if records else {}
            for route, channel in self._told_by(attributes, is_caused=cause is not None) if records else ():
                name = key_on(route, incident.id, attributes)
                if cause is not None:
                    why, told = f"inhibited: caused by {cause}, incident {incident.id}", (facts(found[key], records, Background()),)
                    deliveries.add(self.connection, self.composer.not_sent(self._open(name, route, channel), incident, told, why))
                    continue
                storm = (g.id for g in storms if g.channel == channel and took_over(g, route, incident.id))
                group_id = named.get((channel, name)) or next(storm, None)
                group = opened[group_id] if group_id else self._open(name, route, channel)
                named[channel, name] = group.id
                opened[group.id] = _with(group, key, incident)
                touched.add(group.id)
        return touched

    def _told_by(self, attributes: Attributes, *, is_caused: bool) -> Sequence[tuple[Route, str]]:
        """The routes of an alert with their channels, and the steps of its escalations if nothing else causes it."""
        told = routes_for(attributes, self.environment.routes)
        return (*told, *steps_for(attributes, self.environment.escalation)) if told and not is_caused else told

    def _open(self, key: str, route: Route, channel: str) -> Group:
        id_ = self.environment.new_id()
        pages = self.environment.channels[channel].pages
        dedup = dedup_key(self.environment.instance, channel, id_, 0)
        due_at = None if route.unless_acknowledged else first_due(self.now, route, pages=pages)
        return Group(id_, key, route.name, channel, dedup, self.now, (), (), due_at)

    def _route_of(self, group: Group) -> Route:
        """The group's route; its times are the default ones when a reload took the route away."""
        known = (*self.environment.routes, *self.environment.escalation)
        found = (route for route in known if route.name == group.route)
        return next(found, Route(group.route, None, (group.channel,), unless_acknowledged=is_step(group)))


def _risen(events: Iterable[AlertEvent], before: Mapping[AlertKey, IncidentMember], changed: Iterable[Incident]) -> set[AlertKey]:
    """The alerts that fired, were inhibited until now, or whose severity is higher than their incident knew: these are routed."""
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
