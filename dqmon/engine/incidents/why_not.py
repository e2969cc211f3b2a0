"""Who was told of an incident, and of everybody else why not: read from the store and the routes, channel by channel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING

from dqmon.alerts.escalate import is_step
from dqmon.alerts.names import held_text
from dqmon.alerts.route import attributes_of
from dqmon.alerts.storm import is_storm
from dqmon.alerts.timetable import opens_at, waits_for
from dqmon.core.alert import Alert, AlertKind
from dqmon.core.delivery import DeliveryState
from dqmon.engine.incidents.explain import story
from dqmon.store import alerts, deliveries, groups, outages, results

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from dqmon.alerts.route import Attributes
    from dqmon.core.delivery import Delivery, Receipt
    from dqmon.core.incident import Group, Incident, IncidentMember
    from dqmon.core.route import Route

IDLE = "; is a daemon running (`dqmon run`)?"


@dataclass(frozen=True, slots=True)
class Answer:
    """One channel: whether anything of the incident reached it, and when, or why not."""

    channel: str
    is_told: bool
    text: str


def why_not(
    connection: Connection, incident_id: str, channels: Collection[str], routes: Sequence[Route], now: datetime
) -> tuple[Incident, tuple[Answer, ...]]:
    """The incident of that id (or the only one that begins so), and what became of it on each channel.

    The configured `channels` come first, then those that only the incident's messages name. UsageError when there is no such incident.
    """
    told = story(connection, incident_id)
    found = {one.id: one for group in told.groups for one in deliveries.of_group(connection, group.id)}
    found |= {one.id: one for one in told.deliveries}
    every = sorted(found.values(), key=lambda one: one.sequence)
    gone = {name: None for name in (*(one.channel for one in every), *(group.channel for group in told.groups)) if name not in channels}
    alike = tuple(_attributes(connection, told.incident))
    answers = []
    for name in (*channels, *gone):
        mine = [one for one in every if one.channel == name]
        own = _not_merged([group for group in told.groups if group.channel == name])
        receipt = groups.receipt(connection, own[-1].id) if own else None
        answer = _answer(_Channel(name, mine, own, receipt, routes), told.incident, now)
        answer = answer or Answer(name, False, _unrouted(name, told.incident, alike, routes))
        answer = replace(answer, text=answer.text + _in_its_place(connection, name, own, told.groups))
        answers.append(replace(answer, text=f"not configured any more; {answer.text}") if name in gone else answer)
    return told.incident, tuple(answers)


def _in_its_place(connection: Connection, name: str, own: Sequence[Group], others: Sequence[Group]) -> str:
    """That the channel takes nothing, and who was told in its place; empty when all is well."""
    out = next((outage for outage in outages.listed(connection) if outage.channel == name), None) if own else None
    said = [f"takes nothing since {_at(out.since)}: {out.reason}"] if out else []
    standing = [found for group in own if (found := outages.standing_in(connection, group.id)) is not None]
    told = dict.fromkeys(group.channel for group in others if group.id in standing)
    if told:
        said.append(f"{', '.join(told)} told in its place")
    elif standing or (out and outages.standing_in(connection, out.id) == ""):
        said.append("nobody else is told: it has no fallback")
    return "".join(f"; {text}" for text in said)


@dataclass(frozen=True, slots=True)
class _Channel:
    """What the store has of one channel and the incident, oldest first. receipt: what the vendor said to the newest group. routes: as
    they are now.
    """

    name: str
    deliveries: Sequence[Delivery]
    groups: Sequence[Group]
    receipt: Receipt | None
    routes: Sequence[Route]


def _answer(channel: _Channel, incident: Incident, now: datetime) -> Answer | None:
    """By what was sent, else by the groups that wait and what was to be sent; None when there is nothing of these."""
    sent = [one for one in channel.deliveries if one.state is DeliveryState.SENT]
    unheard = [group for group in channel.groups if group.last_told_at is None and group.resolved_at is None]
    soonest = sorted((group for group in unheard if not group.muted), key=lambda group: (group.due_at is None, group.due_at or now))
    waiting = next(iter(soonest), None)
    others = list(dict.fromkeys(other for group in channel.groups for other in group.incident_ids if other != incident.id))
    more = f" and {len(others) - 1:,} more" if len(others) > 1 else ""
    shared = f"; in one message with incident {others[0]}{more}" if others else ""
    if sent:
        return Answer(channel.name, True, _told(sent, channel) + shared)
    reasons = [_waits(waiting, channel.routes, now)] if waiting is not None else []
    reasons += [_unsent(channel.deliveries, now)] if channel.deliveries else []
    if reasons:
        return Answer(channel.name, False, "; ".join(reasons) + shared)
    if channel.groups:
        return _without_messages(channel, shared)
    return None


def _without_messages(channel: _Channel, shared: str) -> Answer:
    """By the newest group alone: its messages are older than the store keeps them, or there never were any."""
    group = channel.groups[-1]
    if group.last_told_at is not None:
        return Answer(channel.name, True, f"told {_at(group.last_told_at)}; its messages are older than retention.deliveries{shared}")
    reasons = "; ".join(dict.fromkeys(group.muted.values())) or "nothing was said before it was over"
    return Answer(channel.name, False, f"{reasons}{shared}")


def _told(sent: Sequence[Delivery], channel: _Channel) -> str:
    """`trigger sent 2026-03-01 06:00 UTC, then resolve 07:10, answer ok`, and what has not arrived since."""
    first, last, newest = sent[0], sent[-1], channel.deliveries[-1]
    text = f"{first.kind.value} sent {_at(first.sent_at)}"
    if last.kind is not first.kind or last.sent_at != first.sent_at:
        text += f", last {last.kind.value} {_at(last.sent_at)}"
    if channel.groups:
        text += f" (route {channel.groups[-1].route})"
    if channel.receipt:
        where = ", ".join(f"{name} {value}" for name, value in channel.receipt.reference.items())
        text += f"; it answered {channel.receipt.detail or 'yes'}" + (f" ({where})" if where else "")
    if newest.state is not DeliveryState.SENT:
        return f"{text}; but then {_state(newest)}"
    held = held_text(channel.groups[-1].told_members) if channel.groups else ""
    return f"{text}; {held}" if held else text


def _unsent(made: Sequence[Delivery], now: datetime) -> str:
    """The newest of what never arrived, and how many more there are with another reason."""
    newest = made[-1]
    others = {one.reason for one in made if one.state is DeliveryState.NOT_SENT} - {newest.reason}
    more = f" (and {len(others)} more {'reason' if len(others) == 1 else 'reasons'}: `dqmon incidents show`)" if others else ""
    if newest.state is DeliveryState.QUEUED and not newest.attempt:
        waits_s = (now - newest.created_at).total_seconds()
        return f"{newest.kind.value} queued {_at(newest.created_at)}, not tried yet{IDLE if waits_s > _LATE_S else ''}{more}"
    return _state(newest) + more


_LATE_S = 60
"""A daemon takes what is due within seconds."""


def _state(one: Delivery) -> str:
    kind = one.kind.value
    tries = f"{one.attempt} {'try' if one.attempt == 1 else 'tries'}"
    match one.state:
        case DeliveryState.DEAD:
            return f"{kind} given up after {tries}: {one.reason}"
        case DeliveryState.NOT_SENT:
            return f"{kind} not sent: {one.reason}"
        case DeliveryState.QUEUED:
            again = f", again {_at(one.not_before, with_seconds=True)}" if one.not_before else ""
            return f"{kind} failed {tries}{again}: {one.reason}" if one.attempt else f"{kind} queued {_at(one.created_at)}"
        case DeliveryState.SENT:
            return f"{kind} sent {_at(one.sent_at)}"


def _not_merged(own: Sequence[Group]) -> tuple[Group, ...]:
    """Without those that a storm's group took over."""
    storms = [set(group.alert_keys) for group in own if is_storm(group)]
    ended = {group.id for group in own if group.last_told_at is None and group.resolved_at is not None and not is_storm(group)}
    return tuple(one for one in own if one.id not in ended or not any(set(one.alert_keys) <= keys for keys in storms))


def _waits(group: Group, routes: Sequence[Route], now: datetime) -> str:
    late = IDLE if group.due_at is not None and (now - group.due_at).total_seconds() > _LATE_S else ""
    if is_step(group):
        begins = "begins with the first message" if group.due_at is None else f"comes at {_at(group.due_at, with_seconds=True)}"
        return f"the escalation {group.route} {begins}, unless somebody acknowledges{late}"
    if group.due_at is None:
        return f"route {group.route} chose it, and nothing of it is due"
    route = next((route for route in routes if route.name == group.route), None)
    if route is not None and (opening := opens_at(route.speaks, group.due_at, now)) > now:
        return f"waits until {waits_for(route, opening, now)}"
    return f"waits for group_wait of route {group.route} until {_at(group.due_at, with_seconds=True)}{late}"


def _attributes(connection: Connection, incident: Incident) -> Iterator[tuple[IncidentMember, Attributes | None]]:
    """The alerts that nothing upstream explains, and what routes see of each as it is now; None where its results are gone."""
    members = [one for one in incident.open_members or incident.members.values() if one.caused_by is None]
    kept = alerts.get(connection, [one.key for one in members])
    newest = results.latest(connection, {one.key.check_id for one in members})
    for one in members:
        records = newest.get(one.key.check_id)
        if not records:
            yield one, None
            continue
        alert = kept.get(one.key)
        found: Mapping[str, tuple[str, ...]] = attributes_of(alert or Alert(one.key), records[0])
        word = "error" if one.key.kind is AlertKind.ERROR else "failing"
        is_open = alert is not None and alert.is_open
        yield one, found if is_open else {**found, "severity": (one.severity.value,), "state": (word,)}


def _unrouted(channel: str, incident: Incident, alike: Sequence[tuple[IncidentMember, Attributes | None]], routes: Sequence[Route]) -> str:
    """Why no route chose the channel, by the routes as they are now."""
    if not routes:
        return "there are no routes: nobody is told"
    naming = [route for route in routes if channel in route.to]
    if not naming:
        return "no route names it"
    if not alike:
        causes = sorted({one.caused_by for one in incident.members.values() if one.caused_by})
        return f"inhibited: caused by {', '.join(causes)}"
    known = [found for _, found in alike if found is not None]
    if not known:
        return "the results by which it was routed are gone; `dqmon route explain CHECK` says what the routes do now"
    reasons = [_passed_over(route, known, routes) for route in naming]
    if (chosen := next((route for route, reason in zip(naming, reasons, strict=True) if reason is None), None)) is not None:
        return f"route {chosen.name} would choose it now; when the alert fired no route did, and a reload moves no open alert"
    return "no route chose it: " + "; ".join(reason for reason in reasons if reason)


def _passed_over(route: Route, known: Sequence[Attributes], routes: Sequence[Route]) -> str | None:
    """Why none of the alerts came to `route`; None when one does."""
    before = () if route.unless_acknowledged else routes[: routes.index(route)]
    stopped = [next((one for one in before if not one.goes_on and _matches(one, found)), None) for found in known]
    if any(by is None and _matches(route, found) for by, found in zip(stopped, known, strict=True)):
        return None
    takers = dict.fromkeys(by.name for by, found in zip(stopped, known, strict=True) if by is not None and _matches(route, found))
    if takers:
        return f"{route.name} comes after {', '.join(takers)}, which matched without continue"
    return f"{route.name} ({route.match}) does not match"


def _matches(route: Route, found: Attributes) -> bool:
    return route.match is None or route.match.matches(found)


def _at(at: datetime | None, *, with_seconds: bool = False) -> str:
    if at is None:
        return "at an unknown time"
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if with_seconds else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
