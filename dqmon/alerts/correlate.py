"""Alerts with one cause form one incident. Pure; nothing depends on the order of sets, dicts or hash seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from dqmon.alerts.book import Book, Rules, Scene, age
from dqmon.alerts.inhibit import Ancestry
from dqmon.core.alert import AlertEvent, AlertKey, EventKind
from dqmon.core.incident import Incident, IncidentState


def correlate(
    events: Sequence[AlertEvent], scene: Scene, open_incidents: Iterable[Incident], rules: Rules, now: datetime
) -> tuple[Incident, ...]:
    """The incidents that `events` and the time opened or changed, the oldest first.

    A FIRED symptom joins the incident of the most upstream open alert that explains it, inhibited (`alerts.inhibit`). That a
    pipeline cannot be judged joins the incident that says so of another pipeline of its source: the tool cannot be read. Any
    other FIRED alert joins an open incident in which an ancestor of its node has an open alert; else it returns to the one that
    it left within `within_s` (or that is one of `scene.former`), which is open again by that; else it joins one in which its own
    node has an open alert, if it fired in the same slot as, or within `within_s` of, the incident's opening; else, one that can
    be a cause, one of nothing but its symptoms that opened within `within_s`; else it opens its own. Of several the oldest is
    taken. RESOLVED leaves; a member whose alert is not open any more leaves at `now`. An incident without open members is
    resolved. Later members inherit an acknowledgement. `events` of one alert are in their order.

    An inhibited alert brings no others in. When nothing explains it any more it gets its `release_at`; from then on, being
    confirmed, it leaves and fires anew. One that becomes worse than its causes stays, and is told.
    """
    before = {incident.id: incident for incident in open_incidents if incident.state is not IncidentState.RESOLVED}
    book = Book(before, scene, rules)
    for event in _ordered(events, scene, book.ancestry):
        match event.kind:
            case EventKind.FIRED:
                book.join(event)
            case EventKind.CHANGED:
                book.change(event)
            case EventKind.RESOLVED:
                book.leave(event.key, event.at)
    for key in sorted(scene.alerts):
        if not scene.alerts[key].is_open:
            book.leave(key, now)
    book.release(now)
    changed = (book.finished(incident) for id_, incident in book.incidents.items() if incident != before.get(id_))
    return tuple(sorted(changed, key=age))


def acknowledge(incident: Incident, who: str, now: datetime) -> Incident:
    """The incident as somebody's: no more repeats. A resolved or already acknowledged one is returned as it is."""
    if incident.state is not IncidentState.OPEN:
        return incident
    return replace(incident, state=IncidentState.ACKNOWLEDGED, acknowledged_at=now, acknowledged_by=who)


def close_by_hand(incident: Incident, who: str, now: datetime) -> Incident:
    """The incident resolved by somebody. Its alerts stay as they are, so none opens a new one before it has resolved.

    (`--still-failing` closes the alerts too, by `transition.close`: then the next bad outcomes fire them anew.)
    """
    if incident.state is IncidentState.RESOLVED:
        return incident
    members = {key: member if member.left_at else replace(member, left_at=now) for key, member in incident.members.items()}
    return replace(incident, state=IncidentState.RESOLVED, members=members, resolved_at=now, closed_by_hand=who)


def _ordered(events: Sequence[AlertEvent], scene: Scene, ancestry: Ancestry) -> list[AlertEvent]:
    """By slot, then the most upstream first, then by key; the events of one alert stay in their order, whatever their slots.

    A symptom that fired comes after all that fired upstream, also in a later slot: whose check ran first says nothing.
    """
    fired: dict[str, datetime] = {}
    for event in events:
        place = scene.place(event.key)
        if event.kind is EventKind.FIRED and place.can_cause:
            fired[place.node] = max(event.slot, fired.get(place.node, event.slot))
    reached: dict[AlertKey, datetime] = {}
    keyed = []
    for event in events:
        place = scene.place(event.key)
        above = ancestry.of(place.node)
        slots = [event.slot, reached.get(event.key, event.slot)]
        if event.kind is EventKind.FIRED and place.is_symptom(event.key):
            slots += [fired[node] for node in above & fired.keys()]
        reached[event.key] = max(slots)
        keyed.append(((reached[event.key], len(above), event.key), event))
    return [event for _, event in sorted(keyed, key=lambda item: item[0])]
