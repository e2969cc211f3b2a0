"""Incidents and groups: the types; how they are formed is in `dqmon/alerts/`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from dqmon.core.alert import AlertKey
from dqmon.core.verdict import Severity

if TYPE_CHECKING:
    from datetime import datetime


class IncidentState(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class IncidentMember:
    """An alert in an incident: its node in the lineage, its slot of firing, and when it left.

    caused_by: the alert upstream that explains it, as text; it is then inhibited: in the incident, and told to nobody by itself.
    release_at: set once no such alert is open any more: from then on a result that still says so fires it.
    """

    key: AlertKey
    node: str
    severity: Severity
    joined_at: datetime
    slot: datetime
    left_at: datetime | None = None
    caused_by: str | None = None
    release_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """Open alerts with one cause: a root and its members."""

    id: str
    state: IncidentState
    root: AlertKey
    severity: Severity
    opened_at: datetime
    members: dict[AlertKey, IncidentMember] = field(default_factory=dict)
    resolved_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    closed_by_hand: str | None = None

    @property
    def open_members(self) -> tuple[IncidentMember, ...]:
        """The members whose alerts have not resolved."""
        return tuple(member for member in self.members.values() if member.left_at is None)


@dataclass(frozen=True, slots=True)
class Group:
    """What one channel shows as one message: one incident's (or `group_by` value's) part on one route.

    `alert_keys` are the alerts that were routed to it when they fired (their texts): a reload of the routes never moves an
    open alert. `id` is random, made when the group opens; a resolved group never reopens. `due_at` is the next time that it must
    be looked at, None when there is nothing to wait for. `told_*` is what the last message said. `muted` are those of its open
    alerts that were muted when it was looked at last (their texts), each with why.
    """

    id: str
    key: str
    route: str
    channel: str
    dedup_key: str
    opened_at: datetime
    incident_ids: tuple[str, ...]
    alert_keys: tuple[str, ...]
    due_at: datetime | None
    last_told_at: datetime | None = None
    told_severity: Severity | None = None
    told_members: tuple[str, ...] = ()
    told_acknowledged: bool = False
    escalation: int = 0
    resolved_at: datetime | None = None
    muted: dict[str, str] = field(default_factory=dict)
