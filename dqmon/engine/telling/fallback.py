"""Who is told when a channel does not take it: its `fallback`, by groups of their own, so that the end is told there as well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from dqmon.alerts.group import PAGING_SEVERITIES, dedup_key
from dqmon.alerts.timetable import opens_at
from dqmon.core.duration import format_duration
from dqmon.core.incident import Group
from dqmon.core.message import DeliveryKind
from dqmon.store import groups, incidents, outages
from dqmon.store.outages import AFTER
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.core.delivery import Delivery
    from dqmon.engine.telling.shown import Telling
    from dqmon.store.outages import Outage, Untaken

log = Log("dqmon.fallback")

STALE = timedelta(minutes=20)
"""Longer than any channel is left alone (a Retry-After of 15 min): nobody has tried since, so the channel may be well again."""
_PLACE = "in place of "


@dataclass(frozen=True, slots=True)
class Spoken:
    """A group that is to speak in a channel's place, and why. is_path: it stands for all that is less severe than a page."""

    group: Group
    because: str = ""
    is_path: bool = False

    def form(self, delivery: Delivery) -> Delivery:
        """The delivery saying why it comes here, if it is the group's first."""
        message = delivery.message
        if not self.because or message.kind is not DeliveryKind.TRIGGER:
            return delivery
        title = f"[{message.severity.upper()}] notification path broken: {self.because}" if self.is_path else message.title
        return replace(delivery, message=replace(message, title=title, changes=(self.because, *message.changes)))


class Relay:
    """Looks once, in the transaction of step 2, at what channels have not taken.

    A group is stood in for once, until what stands in for it has resolved; what is less severe than a page, all of it once in
    an outage. What the channel did not take stays in its queue, and goes out when it takes things again.
    """

    def __init__(self, telling: Telling) -> None:
        self._environment = telling.environment
        self._connection = telling.connection
        self._route_of = telling.route_of
        self._now = telling.now

    def take(self) -> Iterator[Spoken]:
        """The groups that are to speak, not saved; that each stands in for something is."""
        for channel in sorted(outages.channels(self._connection)):
            yield from self._of(channel, self._outages.get(channel))

    def _of(self, channel: str, outage: Outage | None) -> Iterator[Spoken]:
        is_out = outage is not None and self._is_out(outage)
        if outage is not None:
            young_until = outage.since + AFTER
            outages.wait(self._connection, outage, young_until if self._now < young_until else None)
        untaken = outages.untaken(self._connection, channel, also_queued=is_out)
        found = [(self._open[one.group_id], one) for one in untaken if self._has_open_alert(one.group_id)]
        to = self._fallback(channel)
        if to is None:
            self._nobody(channel, outage if is_out else None, found)
            return
        own = [pair for pair in found if not self._is_told(pair[0], to)]
        for group, one in own:
            if group.told_severity in PAGING_SEVERITIES:
                yield Spoken(self._stand_in((group,), to, (group.id,)), self._because(channel, outage, one))
        if is_out:
            yield from self._joined(channel)
        others = [pair for pair in own if pair[0].told_severity not in PAGING_SEVERITIES]
        if others:
            yield from self._path(channel, to, outage, others)

    def _path(self, channel: str, to: str, outage: Outage | None, others: Sequence[tuple[Group, Untaken]]) -> Iterator[Spoken]:
        """One message for all of them, unless the outage has had it."""
        known = outage and outages.standing_in(self._connection, outage.id)
        if known:
            outages.stand_in(self._connection, (one.group_id for _, one in others if one.is_dead), known)
            return
        waiting = tuple(group for group, _ in others)
        stands_for = (*(group.id for group in waiting), *((outage.id,) if outage else ()))
        count = len({key for group in waiting for key in group.alert_keys})
        because = f"{self._because(channel, outage, others[0][1])}; {count} {'alert waits' if count == 1 else 'alerts wait'} there"
        yield Spoken(self._stand_in(waiting, to, stands_for), because, is_path=True)

    def _joined(self, channel: str) -> Iterator[Spoken]:
        """The groups that stand in for critical ones which more alerts have joined since."""
        for group in tuple(self._open.values()):
            if group.channel != channel or group.told_severity not in PAGING_SEVERITIES:
                continue
            other = self._open.get(outages.standing_in(self._connection, group.id) or "")
            if other is not None and other.key.startswith(_PLACE) and not set(group.alert_keys) <= set(other.alert_keys):
                yield Spoken(replace(_with(other, group), due_at=self._now))

    def _stand_in(self, waiting: Sequence[Group], to: str, stands_for: Sequence[str]) -> Group:
        id_, first = self._environment.new_id(), waiting[0]
        outages.stand_in(self._connection, stands_for, id_)
        log.warning("another channel is told in its place", channel=first.channel, fallback=to, groups=len(waiting))
        key = dedup_key(self._environment.instance, to, id_, 0)
        group = Group(id_, f"{_PLACE}{first.id}", f"fallback of {first.channel}", to, key, self._now, (), (), self._now)
        for one in waiting:
            group = _with(group, one)
        self._open[id_] = group
        return group

    def _is_told(self, group: Group, to: str) -> bool:
        """True when a route of its own tells the fallback, which then stands in for it, too."""
        native = (other for other in self._open.values() if other.channel == to and set(group.alert_keys) <= set(other.alert_keys))
        found = next(filter(self._speaks, native), None)
        if found is not None:
            outages.stand_in(self._connection, (group.id,), found.id)
        return found is not None

    def _speaks(self, group: Group) -> bool:
        """True for one that has spoken, or is about to: an escalation's step or a timetable may be hours away."""
        if group.last_told_at is not None or group.due_at is None:
            return group.last_told_at is not None
        return max(group.due_at, opens_at(self._route_of(group).speaks, group.due_at, self._now)) <= self._now + AFTER

    def _nobody(self, channel: str, outage: Outage | None, found: Iterable[tuple[Group, Untaken]]) -> None:
        """Says so in the log, once of each."""
        dead = [one for _, one in found if one.is_dead]
        outages.stand_in(self._connection, (one.group_id for one in dead), "")
        for one in dead:
            log.error("a message is given up and nobody else is told: the channel has no fallback", channel=channel, reason=one.reason)
        if outage is not None and outages.standing_in(self._connection, outage.id) is None:
            outages.stand_in(self._connection, (outage.id,), "")
            since = f"{outage.since:%Y-%m-%dT%H:%M:%SZ}"
            log.error("a channel takes nothing, and it has no fallback", channel=channel, since=since, reason=outage.reason)

    def _fallback(self, channel: str) -> str | None:
        """The channel's fallback, or that one's while it is out itself; None where there is none left."""
        while (found := self._environment.channels.get(channel)) is not None:
            name: str | None = found.options.fallback
            if name is None or name not in self._environment.channels:
                return None
            if name not in self._outages or not self._is_out(self._outages[name]) or self._last(name):
                return name
            channel = name
        return None

    def _last(self, channel: str) -> bool:
        """True for a channel without a fallback: what waits there is not lost."""
        return self._environment.channels[channel].options.fallback is None

    def _is_out(self, outage: Outage) -> bool:
        return outage.since + AFTER <= self._now <= outage.tried_at + STALE

    def _because(self, channel: str, outage: Outage | None, one: Untaken) -> str:
        if one.is_dead or outage is None:
            return f"{channel} refused it: {one.reason}"
        return f"{channel} has taken nothing for {format_duration(int((self._now - outage.since).total_seconds()))}: {outage.reason}"

    def _has_open_alert(self, group_id: str) -> bool:
        group = self._open.get(group_id)
        found = incidents.by_ids(self._connection, group.incident_ids if group else ())
        opened = {str(member.key) for incident in found.values() for member in incident.open_members if member.caused_by is None}
        return group is not None and not opened.isdisjoint(group.alert_keys)

    @cached_property
    def _outages(self) -> dict[str, Outage]:
        return {outage.channel: outage for outage in outages.listed(self._connection)}

    @cached_property
    def _open(self) -> dict[str, Group]:
        return {group.id: group for group in groups.open_groups(self._connection)}


def _with(group: Group, other: Group) -> Group:
    """The group with what the other one is of."""
    return replace(
        group,
        incident_ids=tuple(dict.fromkeys((*group.incident_ids, *other.incident_ids))),
        alert_keys=tuple(dict.fromkeys((*group.alert_keys, *other.alert_keys))),
    )
