"""Steps of escalations: who is told of an incident that nobody has acknowledged for a time. Pure.

A step is a route whose `group_wait_s` begins with the incident's first message and ends with an acknowledgement. Each of its
channels gets a group of its own, which lives like any other once it has spoken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dqmon.alerts.group import first_due, group_key

if TYPE_CHECKING:
    from datetime import datetime

    from dqmon.alerts.route import Attributes
    from dqmon.core.incident import Group
    from dqmon.core.route import Route


def steps_for(attributes: Attributes, steps: Sequence[Route]) -> tuple[tuple[Route, str], ...]:
    """The (step, channel) pairs of an alert: those of every escalation that matches, in their order."""
    return tuple((step, channel) for step in steps if step.match is None or step.match.matches(attributes) for channel in step.to)


def key_on(route: Route, incident_id: str, attributes: Attributes) -> str:
    """The text that alerts of one group of the route share; a step's groups are its own."""
    key = group_key(route.group_by, incident_id, attributes)
    return f"{key}{_mark(route.name)}" if route.unless_acknowledged else key


def is_step(group: Group) -> bool:
    """True for the group of a step, also of one that the configuration does not have any more."""
    return group.key.endswith(_mark(group.route))


def is_unheard(group: Group) -> bool:
    """True for a step's group whose time has not begun."""
    return group.due_at is None and group.last_told_at is None and group.resolved_at is None


def begun(group: Group, route: Route, now: datetime) -> Group:
    """A step's group whose incident was told for the first time at `now`; `opened_at` keeps that."""
    return on_time(replace(group, opened_at=now, due_at=now), route)


def on_time(group: Group, route: Route) -> Group:
    """A step's group that waits, due when its time is over; one whose time has not begun, or that has spoken, as it is."""
    if not route.unless_acknowledged or group.due_at is None or group.last_told_at is not None:
        return group
    return replace(group, due_at=first_due(group.opened_at, route, pages=False))


def _mark(name: str) -> str:
    return f" > {name}"
