"""What a group says next, and when. The waits are Alertmanager's."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.alerts.names import check_of, differences, flapping_text, held_text, names_of
from dqmon.alerts.storm import notice
from dqmon.alerts.timetable import opens_at, waits_for
from dqmon.alerts.transition import severity_change
from dqmon.core.duration import format_duration
from dqmon.core.message import DeliveryKind
from dqmon.core.verdict import Severity, worst

if TYPE_CHECKING:
    from dqmon.alerts.route import Attributes
    from dqmon.core.alert import Alert, AlertKey
    from dqmon.core.incident import Group
    from dqmon.core.route import Route

PAGING_WAIT_S = 10
"""The longest group_wait on a channel that wakes people."""
PAGING_SEVERITIES = frozenset({Severity.CRITICAL})
"""What pages. PagerDuty ignores a trigger on an acknowledged key, so a rise to one of these needs a new key."""


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group's alerts as they are now: the names of the members in trouble (sorted), the worst severity.

    `members` empty: all resolved. `pages`: the channel wakes people. `instance`: part of every dedup key.
    """

    members: tuple[str, ...]
    severity: Severity
    is_acknowledged: bool
    pages: bool
    instance: str


@dataclass(frozen=True, slots=True)
class Saying:
    """One message to send, and the key under which the vendor knows it."""

    kind: DeliveryKind
    dedup_key: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What a group says now, in order (nothing is said too), why, and the group as it is afterwards.

    `changes` are sentences on what differs from what was said last. `group.due_at` is when to decide again, unless an
    alert of the group or its incident changes before. `withheld`: why what it says is kept and not sent.
    """

    says: tuple[Saying, ...]
    reason: str
    group: Group
    changes: tuple[str, ...] = ()
    withheld: str = ""


def view_of(alerts: Iterable[Alert], *, is_acknowledged: bool, pages: bool, instance: str) -> GroupView:
    """The view of a group's alerts; those that are resolved or pending do not count."""
    every = [alert for alert in alerts if alert.is_open]
    severity = Severity.INFO
    for alert in every:
        severity = worst(severity, alert.severity)
    return GroupView(names_of(every), severity, is_acknowledged, pages, instance)


def group_key(group_by: Sequence[str], incident_id: str, attributes: Attributes) -> str:
    """The text that alerts of one group share: the values of `group_by`; several values of one, as tags, as a set."""
    values = [(name, [incident_id] if name == "incident" else sorted(set(attributes.get(name, ())))) for name in group_by]
    return json.dumps(values, ensure_ascii=False)


def dedup_key(instance: str, channel: str, group_id: str, escalation: int) -> str:
    """`dqmon:` and 64 hex digits: the same for the same group wherever and whenever it is computed."""
    text = json.dumps([instance, channel, group_id, escalation])
    return "dqmon:" + hashlib.sha256(text.encode()).hexdigest()


def first_due(opened_at: datetime, route: Route, *, pages: bool) -> datetime:
    """When a group that opened at `opened_at` speaks first: after group_wait, at most 10 s on a paging channel that is no step of
    an escalation.
    """
    is_capped = pages and not route.unless_acknowledged
    return opened_at + timedelta(seconds=min(route.group_wait_s, PAGING_WAIT_S) if is_capped else route.group_wait_s)


def decide(group: Group, view: GroupView, route: Route, now: datetime) -> Decision:
    """What the group says at `now`.

    The first message comes after group_wait, and never when all has resolved by then. After it changes and the end wait
    for the next step of group_interval, and the group repeats itself after repeat_interval if nothing changed and nobody
    acknowledged; a repeat of nothing but alerts that flap is kept and not sent. A rise of severity and an acknowledgement are
    said at once. A rise to a paging severity on a paging channel, and what joins a page that was acknowledged without being so
    itself, triggers a new key, then resolves the old one. A resolved group says nothing any more, and a step of an escalation
    (`Route.unless_acknowledged`) not before somebody could have acknowledged. Outside of the route's timetable nothing is said: it
    waits for the next time that there is.
    """
    if group.resolved_at is not None:
        return Decision((), "resolved before", group)
    if (opening := opens_at(route.speaks, group.due_at, now)) > now:
        return _kept_back(group, view, route, opening, now)
    if group.last_told_at is None:
        return _first(group, view, route, now)
    if view.members and group.told_severity is not None and view.severity.rank > group.told_severity.rank:
        return _rise(group, view, route, now)
    if view.members and group.told_acknowledged and not view.is_acknowledged and _wakes(view) and changes(group, view):
        return _page_anew(group, view, route, now, "more than what was acknowledged: a new key")
    if view.members and view.is_acknowledged and not group.told_acknowledged:
        return Decision(_say(DeliveryKind.ACKNOWLEDGE, group), "acknowledged", replace(group, told_acknowledged=True))
    if group.due_at is not None and group.due_at <= now:
        return _regular(group, view, route, now)
    if view.members and not changes(group, view):
        return Decision((), "nothing changed since the last message", group)
    look = _next_look(group.last_told_at, route, now)
    due_at = min(look, group.due_at or look)
    if due_at <= now:
        return _regular(group, view, route, now)
    return Decision((), f"waits for group_interval until {due_at:%H:%M:%S} UTC", replace(group, due_at=due_at))


def changes(group: Group, view: GroupView) -> tuple[str, ...]:
    """What differs from what the group said last, as sentences; empty when nothing does."""
    if group.told_severity is None:
        return ()
    said = [severity_change(group.told_severity, view.severity)] if view.severity is not group.told_severity else []
    return (*said, *differences(group.told_members, view.members))


def departed(group: Group, keys: Iterable[AlertKey], open_keys: Collection[AlertKey]) -> tuple[AlertKey, ...]:
    """Those of `keys` that the group's last message named and that are no longer among the open ones, in order."""
    told = {check_of(name) for name in group.told_members}
    return tuple(key for key in keys if key not in open_keys and str(key) in told)


def _kept_back(group: Group, view: GroupView, route: Route, opening: datetime, now: datetime) -> Decision:
    """Nothing is said before `opening`, and of what is over by then never."""
    until = waits_for(route, opening, now)
    if group.last_told_at is None and not view.members:
        return Decision((), f"resolved before {until}", replace(group, resolved_at=now, due_at=None))
    return Decision((), f"waits until {until}", replace(group, due_at=opening))


def _first(group: Group, view: GroupView, route: Route, now: datetime) -> Decision:
    is_step, ended = route.unless_acknowledged, replace(group, resolved_at=now, due_at=None)
    if not view.members:
        return Decision((), f"resolved before {'it was escalated' if is_step else 'group_wait was over'}", ended)
    if is_step and view.is_acknowledged:
        return Decision((), "acknowledged before it was escalated", ended)
    if is_step and group.due_at is None:
        return Decision((), "waits for the incident's first message", group)
    if group.due_at is not None and now < group.due_at:
        return Decision((), f"waits for group_wait until {group.due_at:%H:%M:%S} UTC", group)
    kinds = (DeliveryKind.TRIGGER, DeliveryKind.ACKNOWLEDGE) if view.is_acknowledged else (DeliveryKind.TRIGGER,)
    says = tuple(saying for kind in kinds for saying in _say(kind, group))
    return Decision(says, "fired", _told(group, view, route, now), _besides(group, view, route))


def _besides(group: Group, view: GroupView, route: Route) -> tuple[str, ...]:
    """What the first message says besides what is wrong."""
    waited = format_duration(route.group_wait_s)
    escalated = (f"escalated ({route.name}): nobody has acknowledged it for {waited}",) if route.unless_acknowledged else ()
    return (*escalated, *notice(group, view.members), *flapping_text(view.members))


def _rise(group: Group, view: GroupView, route: Route, now: datetime) -> Decision:
    said = changes(group, view)
    if not _wakes(view):
        is_newly_acknowledged = view.is_acknowledged and not group.told_acknowledged
        then = _say(DeliveryKind.ACKNOWLEDGE, group) if is_newly_acknowledged else ()
        return Decision(_say(DeliveryKind.UPDATE, group) + then, "severity rose", _told(group, view, route, now), said)
    return _page_anew(group, view, route, now, "severity rose to one that pages: a new key")


def _page_anew(group: Group, view: GroupView, route: Route, now: datetime, reason: str) -> Decision:
    """An acknowledged key ignores triggers (PagerDuty, Events API v2, 02-Trigger-Events): only a new one pages."""
    number = group.escalation + 1
    risen = replace(group, escalation=number, dedup_key=dedup_key(view.instance, group.channel, group.id, number))
    says = (*_say(DeliveryKind.TRIGGER, risen), *_say(DeliveryKind.RESOLVE, group))
    return Decision(says, reason, _told(risen, view, route, now), changes(group, view))


def _wakes(view: GroupView) -> bool:
    return view.pages and view.severity in PAGING_SEVERITIES


def _regular(group: Group, view: GroupView, route: Route, now: datetime) -> Decision:
    if not view.members:
        ended = replace(group, resolved_at=now, due_at=None, last_told_at=now, told_members=())
        return Decision(_say(DeliveryKind.RESOLVE, group), "resolved", ended)
    said = changes(group, view)
    if said:
        return Decision(_say(DeliveryKind.UPDATE, group), "changed", _told(group, view, route, now), said)
    assert group.last_told_at is not None  # noqa: S101 - decide asks only groups that have spoken
    is_repeat_due = now - group.last_told_at >= timedelta(seconds=route.repeat_interval_s)
    if is_repeat_due and (held := held_text(view.members)):
        later = replace(group, due_at=now + timedelta(seconds=route.repeat_interval_s))
        return Decision(_say(DeliveryKind.REPEAT, group), held, later, withheld=held)
    if is_repeat_due and not view.is_acknowledged:
        return Decision(_say(DeliveryKind.REPEAT, group), "still the same after repeat_interval", _told(group, view, route, now))
    reason = "acknowledged: no repeats" if view.is_acknowledged else "nothing changed since the last message"
    return Decision((), reason, replace(group, due_at=_repeat_at(group.last_told_at, view, route)))


def _told(group: Group, view: GroupView, route: Route, now: datetime) -> Group:
    """The group after it has said `view`."""
    return replace(
        group,
        due_at=_repeat_at(now, view, route),
        last_told_at=now,
        told_severity=view.severity,
        told_members=view.members,
        told_acknowledged=view.is_acknowledged,
    )


def _repeat_at(told_at: datetime, view: GroupView, route: Route) -> datetime | None:
    """When an unchanged group repeats itself; None once somebody is at it."""
    return None if view.is_acknowledged else told_at + timedelta(seconds=route.repeat_interval_s)


def _next_look(told_at: datetime, route: Route, now: datetime) -> datetime:
    """The next step of group_interval since the last message: what changes before it is said together."""
    steps = math.ceil((now - told_at).total_seconds() / route.group_interval_s) if route.group_interval_s else 0
    return told_at + timedelta(seconds=max(1, steps) * route.group_interval_s)


def _say(kind: DeliveryKind, group: Group) -> tuple[Saying, ...]:
    return (Saying(kind, group.dedup_key),)
