"""Alerts with one cause form one incident. Pure; nothing depends on the order of sets, dicts or hash seeds (R7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from dqmon.core.alert import Alert, AlertEvent, AlertKey, EventKind
from dqmon.core.incident import Incident, IncidentMember, IncidentState
from dqmon.core.lineage import Lineage
from dqmon.core.verdict import worst


def correlate(  # noqa: PLR0917 - the whole step in one call: what fired, what stands, how they relate
    events: Sequence[AlertEvent],
    alerts: Mapping[AlertKey, Alert],
    subjects: Mapping[AlertKey, str],
    open_incidents: Iterable[Incident],
    lineage: Lineage,
    now: datetime,
    within_s: float,
    new_id: Callable[[], str],
) -> tuple[Incident, ...]:
    """The incidents that `events` opened or changed, the oldest first.

    A FIRED alert joins an open incident in which an ancestor of its subject has an open alert; else one in which its
    own subject has one, if it fired in the same slot as, or within `within_s` of, the incident's opening; else it opens
    its own. Of several the oldest is taken. RESOLVED leaves; a member whose alert is not open any more leaves at `now`.
    An incident without open members is resolved for good. Later members inherit an acknowledgement.
    `events` of one alert are in their order; `subjects` names the dataset or pipeline of each alert that fires.
    """
    ancestry = _Ancestry(lineage)
    before = {incident.id: incident for incident in open_incidents if incident.state is not IncidentState.RESOLVED}
    book = _Book(before, ancestry, within_s, new_id)
    for event in _ordered(events, subjects, ancestry):
        match event.kind:
            case EventKind.FIRED:
                book.join(event, subjects.get(event.key, event.key.check_id))
            case EventKind.CHANGED:
                book.change(event)
            case EventKind.RESOLVED:
                book.leave(event.key, event.at)
    for key in sorted(alerts):
        if not alerts[key].is_open:
            book.leave(key, now)
    changed = (book.finished(incident) for id_, incident in book.incidents.items() if incident != before.get(id_))
    return tuple(sorted(changed, key=lambda incident: (incident.opened_at, incident.root, incident.id)))


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


def _ordered(events: Sequence[AlertEvent], subjects: Mapping[AlertKey, str], ancestry: _Ancestry) -> list[AlertEvent]:
    """By slot, then the most upstream first, then by key; the events of one alert stay in their order, whatever their slots."""
    reached: dict[AlertKey, datetime] = {}
    keyed = []
    for event in events:
        reached[event.key] = max(event.slot, reached.get(event.key, event.slot))
        depth = len(ancestry.of(subjects.get(event.key, event.key.check_id)))
        keyed.append(((reached[event.key], depth, event.key), event))
    return [event for _, event in sorted(keyed, key=lambda item: item[0])]


class _Ancestry:
    """The ancestors of subjects, looked up once each."""

    def __init__(self, lineage: Lineage) -> None:
        self._lineage = lineage
        self._known: dict[str, frozenset[str]] = {}

    def of(self, subject: str) -> frozenset[str]:
        if subject not in self._known:
            self._known[subject] = self._lineage.ancestors(subject)
        return self._known[subject]


class _Book:
    """The incidents while events are worked in, with an index from subjects to the open incidents they have alerts in."""

    def __init__(self, before: Mapping[str, Incident], ancestry: _Ancestry, within_s: float, new_id: Callable[[], str]) -> None:
        self.incidents = dict(before)
        self._ancestry = ancestry
        self._within_s = within_s
        self._new_id = new_id
        self._at_subject: dict[str, set[str]] = {}
        self._of_alert: dict[AlertKey, str] = {}
        for incident in before.values():
            for member in incident.open_members:
                self._note(incident.id, member)

    def join(self, event: AlertEvent, subject: str) -> None:
        """Takes a fired alert into the incident that it belongs to. An alert that is in one already only changes."""
        if event.key in self._of_alert:
            self.change(event)
            return
        related = self._open_at(self._ancestry.of(subject)) or [i for i in self._open_at({subject}) if self._is_near(i, event)]
        member = IncidentMember(event.key, subject, event.severity, event.at, event.slot)
        incident = related[0] if related else Incident(self._new_id(), IncidentState.OPEN, event.key, event.severity, event.at)
        self.incidents[incident.id] = replace(incident, members={**incident.members, event.key: member})
        self._note(incident.id, member)

    def change(self, event: AlertEvent) -> None:
        """Notes a changed severity."""
        incident = self.incidents.get(self._of_alert.get(event.key, ""))
        if incident is not None:
            member = replace(incident.members[event.key], severity=event.severity)
            self.incidents[incident.id] = replace(incident, members={**incident.members, event.key: member})

    def leave(self, key: AlertKey, at: datetime) -> None:
        """Takes an alert out; the last one resolves the incident."""
        id_ = self._of_alert.pop(key, None)
        if id_ is None:
            return
        incident = self.incidents[id_]
        subject = incident.members[key].subject
        incident = replace(incident, members={**incident.members, key: replace(incident.members[key], left_at=at)})
        if subject not in {member.subject for member in incident.open_members}:
            self._at_subject[subject].discard(id_)
        if not incident.open_members:
            incident = replace(incident, state=IncidentState.RESOLVED, resolved_at=at)
        self.incidents[id_] = incident

    def finished(self, incident: Incident) -> Incident:
        """With its root and severity; a resolved one keeps those that it had, or gets those of all its members."""
        members = incident.open_members or tuple(incident.members.values())
        subjects = {member.subject for member in members}

        def rank(member: IncidentMember) -> tuple[int, datetime, datetime, AlertKey]:
            return len(self._ancestry.of(member.subject) & subjects), member.slot, member.joined_at, member.key

        severity = members[0].severity
        for member in members:
            severity = worst(severity, member.severity)
        return replace(incident, root=min(members, key=rank).key, severity=severity)

    def _note(self, id_: str, member: IncidentMember) -> None:
        self._at_subject.setdefault(member.subject, set()).add(id_)
        self._of_alert[member.key] = id_

    def _open_at(self, subjects: Iterable[str]) -> list[Incident]:
        """The open incidents with an open alert on one of the subjects, the oldest first."""
        found = {id_ for subject in subjects for id_ in self._at_subject.get(subject, ())}
        return sorted((self.incidents[id_] for id_ in found), key=lambda incident: (incident.opened_at, incident.root, incident.id))

    def _is_near(self, incident: Incident, event: AlertEvent) -> bool:
        opening = min(incident.members.values(), key=lambda member: (member.joined_at, member.slot, member.key))
        return event.slot == opening.slot or abs((event.at - incident.opened_at).total_seconds()) <= self._within_s
