"""What people do to incidents and silences, as the store keeps it. Nothing is told here: that is for whoever holds the notify lease."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.alerts.transition import close
from dqmon.store import alerts, groups, incidents, silences
from dqmon.store.writes import one_teller

if TYPE_CHECKING:
    from dqmon.core.incident import Incident
    from dqmon.engine.environment import Environment


def settle(
    environment: Environment, incident_id: str, change: Callable[[Incident], Incident], now: datetime, *, ends_alerts: bool = False
) -> None:
    """Saves what somebody makes of an incident, and has its groups looked at next by whoever speaks. Raises StoreError.

    With `ends_alerts` its alerts end too, so that the next bad outcome fires them anew.
    """
    with environment.database.write() as connection:
        one_teller(connection)
        changed = [change(found) for found in incidents.by_ids(connection, (incident_id,)).values()]
        incidents.save(connection, changed)
        if ends_alerts:
            locked = alerts.lock(connection, [key for incident in changed for key in incident.members])
            alerts.save(connection, [close(alert, "resolved by hand", now)[0] for alert in locked.values()])
        groups.hasten(connection, [group for group in groups.open_groups(connection) if incident_id in group.incident_ids], now)


def unmute(environment: Environment, silence_id: str, by: str, now: datetime) -> None:
    """Ends a silence before its time, and has the groups with muted alerts looked at next by whoever speaks. Raises StoreError."""
    with environment.database.write() as connection:
        one_teller(connection)
        silences.expire(connection, silence_id, by, now)
        found = [group for group in groups.open_groups(connection) if group.muted and group.due_at is not None]
        groups.hasten(connection, found, now)
