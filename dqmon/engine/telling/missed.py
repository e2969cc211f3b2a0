"""What came and went while a route's timetable let nothing be said: nobody is told of it, and it is recorded why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dqmon.alerts.timetable import opens_at, waits_for
from dqmon.core.timetable import ALWAYS
from dqmon.engine.telling.facts import alert_facts
from dqmon.store import deliveries

if TYPE_CHECKING:
    from dqmon.core.incident import Group
    from dqmon.engine.telling.shown import Telling


def without_missed(telling: Telling, group: Group) -> Group:
    """The group without the alerts of which it never spoke and that are over, and without incidents of which nothing else is left."""
    route = telling.route_of(group)
    shown = telling.known.shown(group)
    missed = frozenset() if route.speaks == ALWAYS else shown.missed(group.last_told_at)
    if not missed:
        return group
    until = waits_for(route, opens_at(route.speaks, group.due_at, telling.now), telling.now)
    found = telling.known.alerts(missed)
    for incident in shown.every:
        over = [found[key] for key in incident.members if key in found and incident.members[key].left_at is not None]
        if over:
            told = alert_facts(telling.connection, over, incident.root)
            deliveries.add(telling.connection, telling.composer.not_sent(group, incident, told, f"resolved before {until}"))
    names = {str(key) for key in missed}
    kept = tuple(name for name in group.alert_keys if name not in names)
    left = tuple(one.id for one in shown.every if any(str(key) in kept for key in one.members))
    return replace(group, alert_keys=kept, incident_ids=left)
