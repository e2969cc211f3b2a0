"""What people do in the service that paged them: the same as the commands `incidents ack` and `incidents resolve`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from dqmon.alerts.correlate import acknowledge, close_by_hand
from dqmon.core.incident import Incident, IncidentState
from dqmon.core.page_event import PageAct, PageEvent
from dqmon.store import groups, incidents, page_events
from dqmon.store.writes import one_teller
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from datetime import datetime

    from dqmon.engine.environment import Environment

log = Log("dqmon.paged")

WINDOW = timedelta(hours=1)
"""An event that is older, or so far ahead of this clock, does not count; younger ones are remembered, so that each counts once."""


def paged(environment: Environment, event: PageEvent, now: datetime) -> str:
    """Does to the incidents of the page's group what was done to the page, and says what became of it. Raises StoreError.

    All in one transaction, and an event that is sent again changes nothing. What there is to tell is left to the daemon.
    """
    if abs(now - event.at) > WINDOW:
        return "ignored: it is too old, or this clock is wrong"
    with environment.database.write() as connection:
        one_teller(connection)
        if not page_events.is_news(connection, event, now - 3 * WINDOW):
            return "ignored: it is known already"
        opened = groups.open_groups(connection)
        page = next((one for one in opened if (one.channel, one.dedup_key) == (event.channel, event.dedup_key)), None)
        if page is None:
            return "ignored: no open page has this key"
        before = incidents.by_ids(connection, page.incident_ids).values()
        changed = [after for incident in before if (after := _after(incident, event, now)) != incident]
        incidents.save(connection, changed)
        ids = {incident.id for incident in changed}
        touched = [group for group in opened if not ids.isdisjoint(group.incident_ids)]
        if event.act is PageAct.ACKNOWLEDGED and ids:  # the page knows it; telling it back could undo what is done there next
            groups.save(connection, [replace(page, told_acknowledged=True)])
        elif event.act is PageAct.TAKEN_BACK:
            groups.save(connection, [replace(group, told_acknowledged=False) for group in touched])
        groups.hasten(connection, touched, now)
    log.info("done in the service that paged", channel=event.channel, act=event.act, by=event.by, incidents=len(ids))
    return event.act.value if ids else "ignored: it changes nothing"


def _after(incident: Incident, event: PageEvent, now: datetime) -> Incident:
    match event.act:
        case PageAct.ACKNOWLEDGED:
            return acknowledge(incident, event.by, now)
        case PageAct.RESOLVED:
            return close_by_hand(incident, event.by, now)
        case PageAct.TAKEN_BACK:
            if incident.state is not IncidentState.ACKNOWLEDGED:
                return incident
            return replace(incident, state=IncidentState.OPEN, acknowledged_at=None, acknowledged_by=None)
