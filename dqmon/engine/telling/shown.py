"""What groups have to do with, their incidents and alerts, read once in a transaction however many groups there are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.alerts.names import check_of
from dqmon.core.incident import IncidentState
from dqmon.store import alerts, incidents

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.alert import Alert, AlertKey
    from dqmon.core.incident import Group, Incident, IncidentMember
    from dqmon.core.route import Route
    from dqmon.engine.environment import Environment
    from dqmon.engine.telling.compose import Composer


@dataclass(frozen=True, slots=True)
class Shown:
    """A group's incidents, and those of its alerts that nothing upstream explains, in the order of joining it."""

    every: tuple[Incident, ...]
    members: tuple[IncidentMember, ...]

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """Those that are open; all, when none is."""
        return tuple(incident for incident in self.every if incident.state is not IncidentState.RESOLVED) or self.every

    @property
    def keys(self) -> tuple[AlertKey, ...]:
        """All of its alerts."""
        return tuple(member.key for member in self.members)

    @property
    def open_keys(self) -> tuple[AlertKey, ...]:
        """Those that have not left their incidents."""
        return tuple(member.key for member in self.members if member.left_at is None)

    @property
    def incident_of(self) -> dict[AlertKey, str]:
        """The incident of each open alert."""
        return {member.key: incident.id for incident in self.incidents for member in incident.open_members}

    def is_acknowledged(self, hidden: Collection[AlertKey]) -> bool:
        """True when somebody is at every incident that has open alerts beside the `hidden` ones; of all, when none has."""
        of = self.incident_of
        told = {of[key] for key in self.open_keys if key in of and key not in hidden}
        found = [one for one in self.incidents if one.id in told] or self.incidents
        return bool(found) and all(one.state is IncidentState.ACKNOWLEDGED for one in found)

    @property
    def worst(self) -> Incident:
        """The incident of the highest severity, of several the one with the most open alerts, then the oldest."""
        return min(self.incidents, key=lambda one: (-one.severity.rank, -len(one.open_members), one.opened_at, one.id))

    def told(self, names: Iterable[str]) -> frozenset[str]:
        """The incidents of whose open alerts a message has named one; `names` are all that it named."""
        named = {check_of(name) for name in names}
        return frozenset(id_ for key, id_ in self.incident_of.items() if str(key) in named)

    def missed(self, told_at: datetime | None) -> frozenset[AlertKey]:
        """The alerts that came and went since the group spoke at `told_at`; None: it never did."""
        over = (member for member in self.members if member.left_at is not None)
        return frozenset(member.key for member in over if told_at is None or member.joined_at > told_at)


class Known:
    """Incidents and alerts in a transaction that changes them no more."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._incidents: dict[str, Incident] = {}
        self._alerts: dict[AlertKey, Alert] = {}

    def read(self, found: Collection[Group]) -> None:
        """Reads what all these groups have to do with at once."""
        self._of([id_ for group in found for id_ in group.incident_ids])
        self.alerts({key for group in found for key in self.shown(group).keys})

    def shown(self, group: Group) -> Shown:
        """What the group shows."""
        every = self._of(group.incident_ids)
        members = {str(m.key): m for incident in every for m in incident.members.values() if m.caused_by is None}
        return Shown(every, tuple(members[name] for name in group.alert_keys if name in members))

    def alerts(self, keys: Iterable[AlertKey]) -> dict[AlertKey, Alert]:
        """The alerts of the keys that have one."""
        wanted = tuple(keys)
        if missing := set(wanted) - self._alerts.keys():
            self._alerts |= alerts.get(self._connection, missing)
        return {key: self._alerts[key] for key in wanted if key in self._alerts}

    def _of(self, ids: Collection[str]) -> tuple[Incident, ...]:
        if missing := set(ids) - self._incidents.keys():
            self._incidents |= incidents.by_ids(self._connection, missing)
        return tuple(self._incidents[id_] for id_ in ids if id_ in self._incidents)


@dataclass(frozen=True, slots=True)
class Telling:
    """What deciding on groups works with in one transaction at `now`."""

    environment: Environment
    connection: Connection
    composer: Composer
    known: Known
    route_of: Callable[[Group], Route]
    now: datetime
