"""What people make quiet by hand: silences, and snoozes of one incident."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.alerts.route import attributes_of
from dqmon.core.duration import format_duration
from dqmon.core.incident import IncidentState
from dqmon.core.selector import Selector, Term
from dqmon.core.silence import LONGEST_S, Silence
from dqmon.core.verdict import Severity
from dqmon.engine.incidents.settle import unmute
from dqmon.engine.telling.tell import tell_now
from dqmon.errors import NotifyError, UsageError
from dqmon.store import alerts, incidents, results, silences

if TYPE_CHECKING:
    from dqmon.core.alert import AlertKey
    from dqmon.engine.environment import Environment


@dataclass(frozen=True, slots=True)
class Span:
    """From when until when it is to be quiet."""

    start: datetime
    end: datetime


def silence(environment: Environment, match: Selector, span: Span, reason: str, by: str) -> Silence:
    """Keeps a silence and returns it with its id; what is queued already is still sent.

    UsageError when it selects nothing in particular, has no reason, is over already or longer than 30 days.
    """
    if not match.terms:
        raise UsageError('a silence needs a selector, such as main.orders or severity:warning; "*" is everything')
    return _kept(environment, Silence("", match, span.start, span.end, reason.strip(), by))


def snooze(environment: Environment, incident_id: str, length: timedelta, reason: str, by: str) -> Silence:
    """Makes the incident's alerts quiet, also those that join it later, but none that gets more severe than the incident is now.

    UsageError when there is none of that id, or it is resolved, and as `silence`.
    """
    now = environment.clock()
    with environment.database.read() as connection:
        found = incidents.get(connection, incident_id)
    if found is None:
        raise UsageError(f"there is no incident {incident_id!r}; `dqmon incidents list` names them")
    if found.state is IncidentState.RESOLVED:
        raise UsageError(f"the incident {found.id} is resolved already")
    match = Selector((Term("severity", tuple(word.value for word in Severity if word.rank <= found.severity.rank)),))
    return _kept(environment, Silence("", match, now, now + length, reason.strip() or "snoozed", by, found.id))


def expire(environment: Environment, silence_id: str, by: str) -> Silence:
    """Ends a silence now, tells at once of what still fires, and returns the silence as it was.

    UsageError when there is none of that id, or it is over; NotifyError when a message was not delivered.
    """
    now = environment.clock()
    with environment.database.read() as connection:
        found = silences.get(connection, silence_id)
    if found is None:
        raise UsageError(f"there is no silence {silence_id!r}; `dqmon silence list` names those of today")
    if found.end <= now:
        raise UsageError(f"the silence {found.id} is over already")
    unmute(environment, found.id, by, now)
    if problem := tell_now(environment):
        raise NotifyError(problem)
    return found


def would_mute(environment: Environment, match: Selector) -> frozenset[AlertKey]:
    """The alerts that are open and would not be told."""
    with environment.database.read() as connection:
        found = alerts.open_alerts(connection)
        kept = results.latest(connection, {alert.key.check_id for alert in found})
    known = ((alert, kept[alert.key.check_id]) for alert in found if alert.key.check_id in kept)
    return frozenset(alert.key for alert, records in known if match.matches(attributes_of(alert, records[0])))


def _kept(environment: Environment, new: Silence) -> Silence:
    now = environment.clock()
    if not new.reason:
        raise UsageError("a silence needs a reason; it stands at every message that is not sent")
    if new.end <= max(new.start, now):
        raise UsageError(f"the silence would end at {new.end:%Y-%m-%d %H:%M} UTC, before it begins; write a later end")
    length = (new.end - new.start).total_seconds()
    if length > LONGEST_S:
        longest = format_duration(LONGEST_S)
        raise UsageError(f"a silence of {format_duration(length)} is too long: {longest} at most, or change the check or its route")
    with environment.database.write() as connection:
        return silences.add(connection, new, now)
