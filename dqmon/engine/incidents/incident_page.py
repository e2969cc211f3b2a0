"""What somebody who is woken wants to see of an incident, read from the store in one go: what, since when, why perhaps, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from dqmon.core.delivery import DeliveryState
from dqmon.core.duration import format_duration
from dqmon.core.incident import IncidentState
from dqmon.core.message import BlastRadius, DeliveryKind
from dqmon.core.runbook import is_path
from dqmon.engine.incidents.explain import story
from dqmon.engine.incidents.nearby import nearby
from dqmon.engine.telling.facts import alert_facts, blast_radius
from dqmon.engine.telling.runbooks import guided_facts, guides
from dqmon.store import alerts, feedback, incidents, silences

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.delivery import Delivery
    from dqmon.core.feedback import Said
    from dqmon.core.incident import Incident
    from dqmon.core.message import AlertFacts
    from dqmon.core.runbook import Runbook
    from dqmon.core.silence import Silence
    from dqmon.engine.environment import Environment
    from dqmon.engine.incidents.explain import Story

SIMILAR = 5
"""Earlier incidents of the root's check that are shown."""
MOMENTS = 60
"""Lines of the timeline; of a longer one the first ten and the newest are shown."""
_FIRST = 10
LISTED = 10
"""Alerts that are shown; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened, in words."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier incident of the same check, how long it took, and what people said of it."""

    incident: Incident
    said: Said | None

    @property
    def lasted(self) -> str:
        """For people: `1h 40m`; that it goes on."""
        end = self.incident.resolved_at
        return format_duration((end - self.incident.opened_at).total_seconds()) if end else "not over yet"


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """All of it at one moment. Texts are as the store has them: whoever shows them escapes them.

    alerts: the root first; of a resolved incident as it was told last. more: alerts beyond those. nearby: what else changed, oldest first.
    links: runbooks that are elsewhere.
    """

    incident: Incident
    alerts: tuple[AlertFacts, ...]
    more: int
    said: Said | None
    snoozed: Silence | None
    nearby: tuple[Moment, ...]
    radius: BlastRadius
    runbooks: tuple[Runbook, ...]
    links: tuple[str, ...]
    similar: tuple[Past, ...]
    timeline: tuple[Moment, ...]


def incident_page(environment: Environment, incident_id: str, now: datetime) -> IncidentPage | None:
    """The page of the incident of exactly that id; None when there is none (any more). Raises StoreError."""
    with environment.database.read() as connection:
        if not incidents.is_there(connection, incident_id):
            return None
        told = story(connection, incident_id)
        snoozes = silences.of_incident(connection, incident_id)
        shown = _facts(environment, connection, told)
        return IncidentPage(
            incident=told.incident,
            alerts=shown,
            more=max(0, len(told.incident.open_members or told.incident.members) - len(shown)),
            said=told.feedback,
            snoozed=next((one for one in snoozes if one.until(now)), None),
            nearby=tuple(Moment(at, text) for at, text in nearby(environment, connection, told.incident)),
            radius=_radius(environment, connection, told.incident),
            runbooks=guides(environment.checks, told.incident),
            links=_links(environment, told.incident, shown),
            similar=_similar(connection, told.incident),
            timeline=_shortened(sorted(_timeline(told, snoozes), key=lambda moment: moment.at)),
        )


def _facts(environment: Environment, connection: Connection, told: Story) -> tuple[AlertFacts, ...]:
    """Of an open incident the alerts as they are now. A check may fail again in another incident, so a resolved one is as it was told."""
    incident = told.incident
    if incident.state is IncidentState.RESOLVED:
        said = (one.message.alerts for one in reversed(told.deliveries) if one.kind is not DeliveryKind.RESOLVE)
        if last := next((shown for shown in said if shown), None):
            return last
    keys = [member.key for member in incident.open_members] or list(incident.members)
    found = alert_facts(connection, list(alerts.get(connection, keys).values()), incident.root)[:LISTED]
    return tuple(guided_facts(alert, environment.checks) for alert in found)


def _radius(environment: Environment, connection: Connection, incident: Incident) -> BlastRadius:
    root = incident.members.get(incident.root)
    return blast_radius(environment, connection, root.node, alerts.open_checks(connection)) if root else BlastRadius()


def _links(environment: Environment, incident: Incident, shown: Iterable[AlertFacts]) -> tuple[str, ...]:
    """The runbooks that are links: as the files have them by now, else as they were told."""
    check = environment.checks.get(incident.root.check_id)
    named = [check.runbook_url] if check else [alert.runbook for alert in shown]
    return tuple(dict.fromkeys(url for url in named if url and not is_path(url)))


def _similar(connection: Connection, incident: Incident) -> tuple[Past, ...]:
    found = [one for one in incidents.of_check(connection, incident.root.check_id, SIMILAR + 1) if one.id != incident.id][:SIMILAR]
    said = feedback.of_incidents(connection, {one.id for one in found})
    return tuple(Past(one, said.get(one.id)) for one in found)


def _timeline(told: Story, snoozes: Iterable[Silence]) -> Iterator[Moment]:
    incident = told.incident
    yield Moment(incident.opened_at, f"opened: {incident.root}")
    later = [member for member in incident.members.values() if member.joined_at > incident.opened_at]
    yield from (Moment(one.joined_at, f"{one.key} joined" + (f", caused by {one.caused_by}" if one.caused_by else "")) for one in later)
    yield from _messages(told.deliveries)
    if incident.acknowledged_at:
        yield Moment(incident.acknowledged_at, f"acknowledged by {incident.acknowledged_by}")
    for one in snoozes:
        ended = f", ended by {one.expired_by}" if one.expired_by else ""
        yield Moment(one.start, f"snoozed by {one.by} until {one.end:%Y-%m-%d %H:%M} UTC: {one.reason}{ended}")
    if incident.resolved_at:
        yield Moment(incident.resolved_at, "resolved" + (f" by {incident.closed_by_hand}" if incident.closed_by_hand else ""))
    if (said := told.feedback) is not None:
        yield Moment(said.said_at, f"{said.said_by} said: {said.feedback.value}" + (f": {said.note}" if said.note else ""))


def _messages(deliveries: Iterable[Delivery]) -> Iterator[Moment]:
    """What became of each message; of many with one fate in a row the first, and how many they are. Parts of one count once."""
    for (channel, fate), found in groupby(deliveries, key=lambda one: (one.channel, _fate(one))):
        first, *others = found
        times = 1 + sum(one.part == first.part for one in others)
        again = f" ({times} times)" if times > 1 else ""
        yield Moment(first.sent_at or first.created_at, f"{channel}: {fate}{again}")


def _fate(delivery: Delivery) -> str:
    kind = delivery.kind.value
    match delivery.state:
        case DeliveryState.SENT:
            return f"{kind} sent"
        case DeliveryState.NOT_SENT:
            return f"{kind} not sent: {delivery.reason}"
        case DeliveryState.DEAD:
            return f"{kind} given up: {delivery.reason}"
        case DeliveryState.QUEUED:
            return f"{kind} queued" + (f" after {delivery.attempt} tries: {delivery.reason}" if delivery.attempt else "")


def _shortened(moments: list[Moment]) -> tuple[Moment, ...]:
    """The first ones and the newest, and between them how many are left out."""
    left_out = len(moments) - MOMENTS
    if left_out <= 0:
        return tuple(moments)
    gap = Moment(moments[_FIRST].at, f"… {left_out:,} more")
    return (*moments[:_FIRST], gap, *moments[_FIRST + left_out :])
