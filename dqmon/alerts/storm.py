"""When so many groups wait for one channel that nobody could read their messages: one group for each owner, or for all. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.alerts.timetable import opens_at
from dqmon.alerts.wording import count
from dqmon.core.timetable import ALWAYS

if TYPE_CHECKING:
    from dqmon.core.incident import Group, Incident
    from dqmon.core.route import Route

STORM_ABOVE = 20
"""Groups that may wait for one channel at once."""
LASTS = timedelta(minutes=10)
"""So long after the newest incident of its group a storm goes on: two steps of group_interval."""

_MARK = '["storm"'


@dataclass(frozen=True, slots=True)
class Waiting:
    """A group that nobody was told of yet. owner: of its first alert; empty when nobody knows."""

    group: Group
    route: Route
    owner: str


@dataclass(frozen=True, slots=True)
class Merge:
    """Groups that become one: the storm's group `into`, else a new one of that key."""

    key: str
    into: Group | None
    groups: tuple[Waiting, ...]


def is_storm(group: Group) -> bool:
    """True for the group of a storm."""
    return group.key.startswith(_MARK)


def waits_at_once(group: Group, route: Route, now: datetime) -> bool:
    """True for a group that is to speak first now, or as soon as its group_wait is over."""
    if group.last_told_at is not None or group.resolved_at is not None or group.due_at is None:
        return False
    return max(group.due_at, opens_at(route.speaks, group.due_at, now)) <= now + timedelta(seconds=route.group_wait_s)


def goes_on(group: Group, incidents: Mapping[str, Incident], now: datetime) -> bool:
    """True while new groups join the storm's group; `incidents` are the open ones."""
    opened = (incidents[id_].opened_at for id_ in group.incident_ids if id_ in incidents)
    return is_storm(group) and group.resolved_at is None and max((group.opened_at, *opened)) + LASTS > now


def took_over(group: Group, route: Route, incident_id: str) -> bool:
    """True for the storm's group that tells of the incident in the place of a group of the route."""
    return is_storm(group) and incident_id in group.incident_ids and json.loads(group.key)[1] == _kind(route)


def merges(waiting: Sequence[Waiting], running: Iterable[Group], above: int) -> tuple[Merge, ...]:
    """What becomes of the groups that wait for one channel; `running` are the groups of its storms that go on.

    While a storm goes on, what is of its owner joins its group. When more than `above` of the others wait, each owner's become one; when
    these would be more than `above` still, all become one. Groups of routes with a timetable, and of steps of an escalation, join those
    of their own route alone: no other may make them early, or late.
    """
    storms = {group.key: group for group in running}
    joined: dict[str, list[Waiting]] = {}
    others: list[Waiting] = []
    for one in waiting:
        key = next((key for key in (_key(one.route, one.owner), _key(one.route, None)) if key in storms), None)
        if key is None:
            others.append(one)
        else:
            joined.setdefault(key, []).append(one)
    if len(others) > above:
        are_many = len({_key(one.route, one.owner) for one in others}) > above
        for one in others:
            joined.setdefault(_key(one.route, None if are_many else one.owner), []).append(one)
    return tuple(Merge(key, storms.get(key), tuple(found)) for key, found in joined.items())


def notice(group: Group, members: Sequence[str]) -> tuple[str, ...]:
    """What the first message of a storm's group says of it; nothing of any other group."""
    if not is_storm(group):
        return ()
    _, _, owner = json.loads(group.key)
    whose = "of all owners" if owner is None else f"of {owner}" if owner else "without an owner"
    what = f"{count(len(members), 'failure')} of {count(len(group.incident_ids), 'incident')} {whose}"
    return (f"a storm: {what} at once, told in one message; the worst are listed, `dqmon incidents list` names all",)


def _key(route: Route, owner: str | None) -> str:
    """Of the storm's group of an owner; None: of everybody."""
    return json.dumps(["storm", _kind(route), owner], ensure_ascii=False)


def _kind(route: Route) -> str:
    """What routes have in common whose groups may become one."""
    return "" if route.speaks == ALWAYS and not route.unless_acknowledged else route.name
