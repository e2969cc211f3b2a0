"""Why a verdict, and what was said of it: everything is read from the store, nothing is measured again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.alerts.wording import count
from dqmon.core.alert import Alert, AlertKey, AlertKind
from dqmon.core.delivery import Delivery, DeliveryState
from dqmon.core.duration import format_duration
from dqmon.core.feedback import Said
from dqmon.core.incident import Group, Incident, IncidentState
from dqmon.core.message import DeliveryKind, Message
from dqmon.core.result import ResultRecord
from dqmon.engine.select import no_check
from dqmon.errors import UsageError
from dqmon.store import alerts, deliveries, feedback, groups, incidents, results

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import Connection

RECENT = 14
"""How many earlier results are shown: two weeks of a daily check."""


@dataclass(frozen=True, slots=True)
class Story:
    """An incident, its groups, its deliveries in the order of their making, sent or not, what people said it was, and its alerts that
    flap now.
    """

    incident: Incident
    groups: tuple[Group, ...]
    deliveries: tuple[Delivery, ...]
    feedback: Said | None = None
    flapping: tuple[Alert, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why the check has its verdict.

    results: of the run in question, one for each partition and segment. earlier: the results before it, newest first.
    alerts: of kind data and error, as they are now. story: the incident that the check was in at that time, or last.
    """

    check_id: str
    results: tuple[ResultRecord, ...]
    earlier: tuple[ResultRecord, ...]
    alerts: tuple[Alert, ...]
    story: Story | None


def explain(connection: Connection, check_id: str, at: datetime | None, known: Collection[str]) -> Explanation:
    """The newest verdict of the check (with `at`: of a slot not after it), ad-hoc runs included.

    UsageError for an id that neither the files (`known`) nor the store have, with a suggestion, and for a check that
    has no result yet.
    """
    found = _run_of(connection, check_id, at)
    if not found:
        raise UsageError(_nothing(connection, check_id, at, known))
    slot = found[0].scheduled_at
    before = results.recent(connection, check_id, 100 * RECENT)
    keys = [AlertKey(check_id, kind) for kind in AlertKind]
    return Explanation(
        check_id,
        found,
        tuple(record for record in before if record.scheduled_at < slot)[:RECENT],
        tuple(alerts.get(connection, keys).values()),
        _story_of(connection, check_id, slot),
    )


def story(connection: Connection, incident_id: str) -> Story:
    """The incident of that id, or of the only id that begins so. UsageError when there is none."""
    found = incidents.get(connection, incident_id)
    if found is None:
        raise UsageError(f"there is no incident {incident_id!r}; `dqmon incidents list --state all` names them")
    return _story(connection, found)


def channel_words(told: Story) -> tuple[tuple[str, str], ...]:
    """Each channel, and what became of its last message, with the reason; also of one that still waits for its time.

    Messages of inhibited alerts, which belong to no group, are left out.
    """
    known = {group.id for group in told.groups}
    last = {delivery.channel: delivery for delivery in told.deliveries if delivery.group_id in known}
    waiting = {group.channel: group for group in told.groups if group.channel not in last}
    said = [(channel, delivery_words(delivery)) for channel, delivery in last.items()]
    return (*said, *((channel, _waiting(group, told.incident)) for channel, group in waiting.items()))


def delivery_words(delivery: Delivery) -> str:
    """What became of one message, in a few words, with the reason where it was not sent."""
    what = f"{delivery.kind.value} ({delivery.part})" if delivery.part else delivery.kind.value
    match delivery.state:
        case DeliveryState.SENT:
            return f"{what} sent {delivery.sent_at:%Y-%m-%d %H:%M}Z" if delivery.sent_at else f"{what} sent"
        case DeliveryState.NOT_SENT:
            return f"{what} not sent: {delivery.reason}"
        case DeliveryState.DEAD:
            return f"{what} given up: {delivery.reason}"
        case DeliveryState.QUEUED:
            tries = f" after {count(delivery.attempt, 'attempt')}: {delivery.reason}" if delivery.attempt else ""
            return f"{what} queued{tries}"


def messages(told: Story) -> tuple[Delivery, ...]:
    """The deliveries that opened and closed something, for those who want to read them; one of several that say the same.

    Repeats and updates are left out, and what was never rendered.
    """
    found = (d for d in told.deliveries if d.kind in (DeliveryKind.TRIGGER, DeliveryKind.RESOLVE) and d.text)
    return tuple({(d.channel, d.kind, d.text): d for d in found}.values())


def newest_radius(told: Story) -> Message | None:
    """The newest message that lists what is affected; None when none does."""
    return next((d.message for d in reversed(told.deliveries) if d.message.affected), None)


def _run_of(connection: Connection, check_id: str, at: datetime | None) -> tuple[ResultRecord, ...]:
    r = results.results.c
    newest = sa.select(r.run_id).where(r.check_id == check_id).order_by(r.scheduled_at.desc(), r.measured_at.desc()).limit(1)
    run_id = connection.scalar(newest if at is None else newest.where(r.scheduled_at <= at))
    if run_id is None:
        return ()
    return tuple(record for record in results.of_run(connection, run_id) if record.check_id == check_id)


def _nothing(connection: Connection, check_id: str, at: datetime | None, known: Collection[str]) -> str:
    if at is not None and _run_of(connection, check_id, None):
        return f"{check_id} has no result up to {at:%Y-%m-%dT%H:%MZ}; leave --at out to see the newest"
    if check_id in known:
        return f"{check_id} has not run yet; type: dqmon check {check_id}"
    return no_check(check_id, known)


def _story_of(connection: Connection, check_id: str, slot: datetime) -> Story | None:
    """The incident that was open at the slot, else the newest."""
    found = incidents.of_check(connection, check_id)
    during = (i for i in found if i.opened_at <= slot and (i.resolved_at is None or i.resolved_at > slot))
    chosen = next(during, found[0] if found else None)
    return _story(connection, chosen) if chosen else None


def _story(connection: Connection, incident: Incident) -> Story:
    told = groups.of_incident(connection, incident.id), deliveries.of_incident(connection, incident.id)
    found = alerts.get(connection, [member.key for member in incident.open_members])
    flapping = tuple(alert for _, alert in sorted(found.items()) if alert.is_flapping)
    return Story(incident, *told, feedback.of_incident(connection, incident.id), flapping)


def _waiting(group: Group, incident: Incident) -> str:
    if incident.state is IncidentState.RESOLVED:
        return "nothing sent: it was over before group_wait had passed"
    if group.due_at is None:
        return "nothing sent, nothing due"
    wait = format_duration((group.due_at - group.opened_at).total_seconds())
    return f"nothing sent yet: route {group.route} waits {wait}, until {group.due_at:%Y-%m-%d %H:%M:%S}Z"
