"""Storms: groups that wait for one channel in great number become one for each owner, or one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from dqmon.alerts.group import dedup_key
from dqmon.alerts.storm import Merge, Waiting, goes_on, is_storm, merges, waits_at_once
from dqmon.store import deliveries, groups, incidents, results

if TYPE_CHECKING:
    from dqmon.core.delivery import Delivery
    from dqmon.core.incident import Group
    from dqmon.engine.telling.shown import Telling


def calm(telling: Telling, opened: dict[str, Group]) -> frozenset[str]:
    """Merges what waits where a storm begins or goes on; returns the ids of the storms' groups that took others in.

    `opened` are all open groups, and it is brought up to date: the merged ones are gone from it. They end, with the reason
    recorded; what they had to tell is in the storm's group, which speaks no later than any of them would have.
    """
    found = [(merge, _merged(telling, merge)) for merge in _merges(telling, opened.values())]
    ended = [one.group for merge, _ in found for one in merge.groups]
    if ended:
        telling.known.read(ended)
        telling.composer.read({key.check_id for group in ended for key in telling.known.shown(group).keys})
        deliveries.add(telling.connection, [one for merge, into in found for one in _withheld(telling, merge, into)])
        groups.save(telling.connection, [replace(group, due_at=None, resolved_at=telling.now) for group in ended])
    for group in ended:
        del opened[group.id]
    opened.update({into.id: into for _, into in found})
    return frozenset(into.id for _, into in found)


def _merges(telling: Telling, opened: Collection[Group]) -> Iterator[Merge]:
    above = telling.environment.storm_above
    waiting = _waiting(telling, opened)
    storms = [group for group in opened if is_storm(group) and group.channel in waiting]
    found = {one.id: one for one in incidents.open_incidents(telling.connection)} if storms else {}
    for channel, of_channel in waiting.items():
        running = [group for group in storms if group.channel == channel and goes_on(group, found, telling.now)]
        if running or len(of_channel) > above:
            yield from merges(_owned(telling, of_channel), running, above)


def _waiting(telling: Telling, found: Iterable[Group]) -> dict[str, list[Group]]:
    """By channel, those that nobody was told of and that are to speak at once."""
    waiting: dict[str, list[Group]] = {}
    for group in found:
        if not is_storm(group) and waits_at_once(group, telling.route_of(group), telling.now):
            waiting.setdefault(group.channel, []).append(group)
    return waiting


def _owned(telling: Telling, waiting: Iterable[Group]) -> list[Waiting]:
    """With their owners, of checks that are gone as their newest results say."""
    checks = telling.environment.checks
    first = {group.id: group.alert_keys[0].removesuffix("#error") for group in waiting if group.alert_keys}
    kept = results.latest(telling.connection, gone) if (gone := set(first.values()) - checks.keys()) else {}
    owners = {check_id: found[0].owner for check_id, found in kept.items()}
    owners |= {check_id: checks[check_id].owner for check_id in first.values() if check_id in checks}
    return [Waiting(group, telling.route_of(group), owners.get(first.get(group.id, "")) or "") for group in waiting]


def _merged(telling: Telling, merge: Merge) -> Group:
    """The storm's group with all that the others have. Their waits end with the first of them."""
    every = [one.group for one in merge.groups]
    into = merge.into
    if into is None:
        first = min(every, key=lambda group: (group.due_at or telling.now, group.opened_at, group.id))
        id_ = telling.environment.new_id()
        key = dedup_key(telling.environment.instance, first.channel, id_, 0)
        into = replace(first, id=id_, key=merge.key, dedup_key=key, opened_at=min(group.opened_at for group in every))
    dues = [] if into.last_told_at is not None else [group.due_at for group in (into, *every) if group.due_at is not None]
    return replace(
        into,
        due_at=min(dues, default=into.due_at),
        incident_ids=tuple(dict.fromkeys(id_ for group in (into, *every) for id_ in group.incident_ids)),
        alert_keys=tuple(dict.fromkeys(key for group in (into, *every) for key in group.alert_keys)),
        muted={name: why for group in (into, *every) for name, why in group.muted.items()},
    )


def _withheld(telling: Telling, merge: Merge, into: Group) -> Iterator[Delivery]:
    """What each merged group would have said; it is told by the storm's."""
    for one in merge.groups:
        shown = telling.known.shown(one.group)
        told = telling.composer.briefly(telling.known.alerts(shown.keys).values())
        if shown.every:
            reason = f"merged into group {into.id} (storm)"
            yield from telling.composer.not_sent(one.group, shown.incidents[0], tuple(told.values()), reason)
