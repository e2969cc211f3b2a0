"""Incidents that are over and that an alert returns to when it fires again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.core.alert import EventKind
from dqmon.store import groups, incidents

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.alert import AlertEvent
    from dqmon.core.incident import Incident


@dataclass(frozen=True, slots=True)
class Former:
    """The incidents, and the ids of those of whose end nobody was told."""

    incidents: tuple[Incident, ...] = ()
    unheard: frozenset[str] = frozenset()


def former(connection: Connection, events: Iterable[AlertEvent], untold: Collection[str], since: datetime) -> Former:
    """The incidents of the alerts that fire, that resolved after `since` or are `untold`: a group has still to tell of their end.

    None that somebody has closed by hand: that one stays closed.
    """
    fired = {event.key.check_id for event in events if event.kind is EventKind.FIRED}
    if not fired:
        return Former()
    found = incidents.ended_with(connection, fired, since, untold)
    return Former(found, frozenset(incident.id for incident in found if not _is_heard(connection, incident)))


def _is_heard(connection: Connection, incident: Incident) -> bool:
    return any(group.resolved_at is not None and group.last_told_at is not None for group in groups.of_incident(connection, incident.id))
