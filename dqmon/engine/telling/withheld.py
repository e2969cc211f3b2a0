"""Why nobody would be told of an alert now, although a route chose channels for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.alerts.book import Rules, Scene
from dqmon.alerts.correlate import correlate
from dqmon.alerts.route import attributes_of
from dqmon.alerts.silence import mute_of
from dqmon.core.alert import AlertEvent, EventKind
from dqmon.core.incident import IncidentState
from dqmon.core.message import DeliveryKind
from dqmon.engine.telling.inhibited import places
from dqmon.store import alerts, incidents, silences

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from dqmon.core.alert import Alert
    from dqmon.core.incident import Incident
    from dqmon.core.result import ResultRecord
    from dqmon.engine.environment import Environment


def withheld(environment: Environment, alert: Alert, record: ResultRecord, kind: DeliveryKind) -> tuple[str, ...]:
    """Why a message of that kind on a firing alert would not be sent now: silenced, inhibited or acknowledged; mostly empty.

    An alert that is not open is taken as if it fired now. Nothing is saved.
    """
    now = environment.clock()
    with environment.database.read() as connection:
        incident = _incident(environment, connection, alert, now)
        quiet = (*environment.quiet, *silences.active(connection, now))
    mute = mute_of(quiet, attributes_of(alert, record), incident.id if incident else None, now)
    reasons = [mute.reason] if mute else []
    if incident is None:
        return tuple(reasons)
    if (cause := incident.members[alert.key].caused_by) is not None:
        reasons.append(f"inhibited: caused by {cause}, incident {incident.id}")
    if incident.state is IncidentState.ACKNOWLEDGED and kind is DeliveryKind.REPEAT:
        reasons.append(f"acknowledged by {incident.acknowledged_by}, incident {incident.id}: no repeats")
    return tuple(reasons)


def _incident(environment: Environment, connection: Connection, alert: Alert, now: datetime) -> Incident | None:
    """The open incident that the alert is in, or would be in; None where it would open its own."""
    before = incidents.open_incidents(connection)
    members = {member.key: incident for incident in before for member in incident.open_members}
    if alert.key in members:
        return members[alert.key]
    found = alerts.get(connection, members) | {alert.key: alert}
    scene = Scene(found, places(environment, connection, found))
    rules = Rules(environment.lineage, environment.correlate_within_s, environment.new_id)
    event = AlertEvent(alert.key, EventKind.FIRED, alert.severity, now, now)
    changed = correlate((event,), scene, before, rules, now)
    known = {incident.id for incident in before}
    return next((one for one in changed if one.id in known and alert.key in one.members), None)
