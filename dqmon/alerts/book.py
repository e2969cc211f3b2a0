"""The incidents while alerts are worked into them: who joins which, who is inhibited by what. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from dqmon.alerts.inhibit import GRACE, Ancestry, Place
from dqmon.core.alert import Alert, AlertEvent, AlertKey, AlertKind
from dqmon.core.incident import Incident, IncidentMember, IncidentState
from dqmon.core.lineage import Lineage
from dqmon.core.verdict import Severity, worst


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known while events are worked in.

    alerts: as they are now. places: where the checks of the events' alerts and of all open members stand. confirmed: of the
    inhibited alerts whose `release_at` is over, those that were measured as bad since. former: incidents that are over and that
    an alert of theirs which fires again returns to; unheard: the ids of those of whose end nobody was told.
    """

    alerts: Mapping[AlertKey, Alert] = field(default_factory=dict)
    places: Mapping[AlertKey, Place] = field(default_factory=dict)
    confirmed: frozenset[AlertKey] = frozenset()
    former: tuple[Incident, ...] = ()
    unheard: frozenset[str] = frozenset()

    def place(self, key: AlertKey) -> Place:
        """Where the alert's check stands; beside the graph when nobody knows."""
        return self.places.get(key) or Place(key.check_id, "")


@dataclass(frozen=True, slots=True)
class Rules:
    """How alerts come together: the graph, and how many seconds after an incident's opening others of its table join it."""

    lineage: Lineage
    within_s: float
    new_id: Callable[[], str]


def age(incident: Incident) -> tuple[datetime, AlertKey, str]:
    """What incidents are sorted by, the oldest first."""
    return incident.opened_at, incident.root, incident.id


class Book:
    """Open incidents, with indexes to their open members: by alert, and of those that are told by node or unread source."""

    def __init__(self, before: Mapping[str, Incident], scene: Scene, rules: Rules) -> None:
        self.incidents = dict(before)
        self._former = {incident.id: incident for incident in scene.former}
        self._unheard = scene.unheard | before.keys()
        self.ancestry = Ancestry(rules.lineage)
        self._scene = scene
        self._rules = rules
        self._told_at: dict[str, set[AlertKey]] = {}
        self._of_alert: dict[AlertKey, str] = {}
        for incident in before.values():
            for member in incident.open_members:
                self._put(incident, member)

    def join(self, event: AlertEvent) -> None:
        """Takes a fired alert into the incident that it belongs to. An alert that is in one already only changes."""
        if event.key in self._of_alert:
            self.change(event)
            return
        member = IncidentMember(event.key, self._scene.place(event.key).node, event.severity, event.at, event.slot)
        if causes := self._causes(member):
            self._put(self._incident_of(causes[0]), replace(member, caused_by=str(causes[0])))
        else:
            self._tell(member)

    def change(self, event: AlertEvent) -> None:
        """Notes a changed severity; an inhibited alert that is worse than before, and than its causes, is told from here on."""
        if event.key not in self._of_alert:
            return
        incident = self._incident_of(event.key)
        before = incident.members[event.key]
        member = replace(before, severity=event.severity)
        if before.caused_by is not None and event.severity.rank > before.severity.rank and not self._causes(member):
            member = replace(member, caused_by=None, release_at=None)
        self._put(incident, member)

    def leave(self, key: AlertKey, at: datetime) -> None:
        """Takes an alert out; the last one resolves the incident."""
        if key not in self._of_alert:
            return
        incident = self._incident_of(key)
        member = replace(incident.members[key], left_at=at, release_at=None)
        incident = replace(incident, members={**incident.members, key: member})
        if not incident.open_members:
            incident = replace(incident, state=IncidentState.RESOLVED, resolved_at=at)
        self.incidents[incident.id] = incident
        del self._of_alert[key]
        for subject in {member.node, self._unread(member)}:
            self._told_at.get(subject, set()).discard(key)

    def release(self, now: datetime) -> None:
        """Looks at every inhibited alert, the most upstream first: whether it is explained still, and else whether its time is over."""
        inhibited = [m for incident in self.incidents.values() for m in incident.open_members if m.caused_by is not None]
        for member in sorted(inhibited, key=lambda member: (len(self.ancestry.of(member.node)), member.key)):
            incident, causes = self._incident_of(member.key), self._causes(member)
            if member.caused_by in {str(key) for key in causes if self._of_alert[key] == incident.id}:
                self._put(incident, replace(member, release_at=None))
            elif causes:
                self._move(member, causes[0], now)
            elif member.release_at is None:
                self._put(incident, replace(member, release_at=now + GRACE))
            elif member.release_at <= now and member.key in self._scene.confirmed:
                self.leave(member.key, now)
                self._tell(replace(member, joined_at=now, caused_by=None, release_at=None))

    def finished(self, incident: Incident) -> Incident:
        """With its root and severity, those of the members that are told; without such, those that it had.

        A resolved one keeps those that it had, or gets those of all its members.
        """
        members = [m for m in incident.open_members or incident.members.values() if m.caused_by is None]
        if not members:
            return incident
        nodes = {member.node for member in members}

        def rank(member: IncidentMember) -> tuple[int, datetime, datetime, AlertKey]:
            return len(self.ancestry.of(member.node) & nodes), member.slot, member.joined_at, member.key

        severity = members[0].severity
        for member in members:
            severity = worst(severity, member.severity)
        return replace(incident, root=min(members, key=rank).key, severity=severity)

    def _tell(self, member: IncidentMember) -> None:
        """Puts an alert that is told where it belongs, else into an incident of its own."""
        if (source := self._unread(member)) != member.node:
            related = self._left(member) or self._open_at({source})
        else:
            related = self._open_at(self.ancestry.of(member.node))
            related = related or self._left(member)
            related = related or [incident for incident in self._open_at({member.node}) if self._is_near(incident, member)]
        related = related or self._symptoms_of(member)
        if not related:
            related = [Incident(self._rules.new_id(), IncidentState.OPEN, member.key, member.severity, member.joined_at)]
        self._put(related[0], member)

    def _unread(self, member: IncidentMember) -> str:
        """What cannot be read: when a pipeline cannot be judged, its source, by a name that no node has; of other alerts their node."""
        is_blind = member.key.kind is AlertKind.ERROR and self._scene.place(member.key).is_pipeline
        return f"{member.node.partition('/')[0]}/" if is_blind else member.node

    def _left(self, member: IncidentMember) -> list[Incident]:
        """The newest incident that the alert was told in and left a short time ago; open again, if it was over.

        Whoever has acknowledged it is still at it, unless the end was told meanwhile.
        """
        found = [i for i in (self._former | self.incidents).values() if self._is_returning(member, i)]
        if not found:
            return []
        incident = max(found, key=age)
        if incident.state is not IncidentState.RESOLVED:
            return [incident]
        if incident.acknowledged_at is not None and incident.id in self._unheard:
            return [replace(incident, state=IncidentState.ACKNOWLEDGED, resolved_at=None)]
        return [replace(incident, state=IncidentState.OPEN, resolved_at=None, acknowledged_at=None, acknowledged_by=None)]

    def _is_returning(self, member: IncidentMember, incident: Incident) -> bool:
        before = incident.members.get(member.key)
        if before is None or before.left_at is None or before.caused_by is not None or incident.closed_by_hand is not None:
            return False
        return incident.id in self._former or (member.joined_at - before.left_at).total_seconds() <= self._rules.within_s

    def _move(self, member: IncidentMember, cause: AlertKey, now: datetime) -> None:
        """Gives an inhibited alert another cause, and that one's incident."""
        moved = replace(member, caused_by=str(cause), release_at=None)
        if self._of_alert[cause] != self._of_alert[member.key]:
            self.leave(member.key, now)
            moved = replace(moved, joined_at=now)
        self._put(self._incident_of(cause), moved)

    def _put(self, incident: Incident, member: IncidentMember) -> None:
        if incident.members.get(member.key) != member:
            incident = replace(incident, members={**incident.members, member.key: member})
        self.incidents[incident.id] = incident
        self._of_alert[member.key] = incident.id
        if member.caused_by is None:
            for subject in {member.node, self._unread(member)}:
                self._told_at.setdefault(subject, set()).add(member.key)

    def _incident_of(self, key: AlertKey) -> Incident:
        return self.incidents[self._of_alert[key]]

    def _causes(self, member: IncidentMember) -> list[AlertKey]:
        """The open alerts that explain a symptom, the most upstream first; none of what is no symptom."""
        if not self._scene.place(member.key).is_symptom(member.key):
            return []
        above = self.ancestry.of(member.node) & self._told_at.keys()
        found = [key for node in above for key in self._told_at[node] if self._explains(key, member.severity)]
        return sorted(found, key=lambda key: (len(self.ancestry.of(self._scene.place(key).node)), key))

    def _explains(self, key: AlertKey, severity: Severity) -> bool:
        """A warning never swallows a page: a cause weighs at least as much as its symptoms."""
        return self._scene.place(key).can_cause and self._incident_of(key).members[key].severity.rank >= severity.rank

    def _open_at(self, nodes: Iterable[str]) -> list[Incident]:
        """The open incidents that tell of an open alert on one of the nodes, the oldest first."""
        found = {self._of_alert[key] for node in nodes for key in self._told_at.get(node, ())}
        return sorted((self.incidents[id_] for id_ in found), key=age)

    def _is_near(self, incident: Incident, member: IncidentMember) -> bool:
        opening = min(incident.members.values(), key=lambda first: (first.joined_at, first.slot, first.key))
        return member.slot == opening.slot or self._is_soon(incident, member)

    def _is_soon(self, incident: Incident, member: IncidentMember) -> bool:
        return abs((member.joined_at - incident.opened_at).total_seconds()) <= self._rules.within_s

    def _symptoms_of(self, member: IncidentMember) -> list[Incident]:
        """The young incidents of nothing but symptoms that this cause explains: it came after they had stopped waiting for it."""

        def is_below(other: IncidentMember) -> bool:
            return self._scene.place(other.key).is_symptom(other.key) and member.node in self.ancestry.of(other.node)

        if member.node not in self.ancestry.parents or not self._scene.place(member.key).can_cause:
            return []
        opened = [self.incidents[id_] for id_ in dict.fromkeys(self._of_alert.values())]
        return sorted((i for i in opened if self._is_soon(i, member) and all(map(is_below, i.open_members))), key=age)
