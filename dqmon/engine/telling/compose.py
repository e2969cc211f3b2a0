"""What the second step puts into the outbox: the messages of groups, and those that nobody is sent, with the reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from dqmon.alerts.message import Background, compose, facts
from dqmon.core.delivery import Delivery, DeliveryState
from dqmon.core.message import BlastRadius, DeliveryKind
from dqmon.engine.telling.facts import alert_facts, blast_radius
from dqmon.engine.telling.runbooks import guided
from dqmon.store import alerts, results

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.alerts.group import Decision
    from dqmon.core.alert import Alert, AlertKey
    from dqmon.core.incident import Group, Incident
    from dqmon.core.message import AlertFacts, Message
    from dqmon.core.protocols import Channel
    from dqmon.core.result import ResultRecord
    from dqmon.engine.environment import Environment


class Composer:
    """Makes deliveries of one transaction."""

    def __init__(self, environment: Environment, connection: Connection, now: datetime) -> None:
        self._environment = environment
        self._connection = connection
        self._now = now
        self._newest: dict[str, tuple[ResultRecord, ...]] = {}

    def of_decision(self, decision: Decision, incident: Incident, shown: Sequence[Alert], left: Sequence[Alert] = ()) -> Iterable[Delivery]:
        """The messages of a decision; kept and not sent, with the reason, when it withholds them or the group ends without a word.

        left: the alerts that the group's last message named and that have resolved since.
        """
        group = decision.group
        ends_silently = not decision.says and group.resolved_at == self._now
        if not (decision.says or ends_silently):
            return
        facts = self._facts(shown, incident)
        radius = self._radius(incident, shown)
        ended = self._facts(left, incident) if decision.changes and left else ()
        reason = decision.reason if ends_silently else decision.withheld
        says = [(saying.kind, saying.dedup_key) for saying in decision.says] or [(DeliveryKind.TRIGGER, group.dedup_key)]
        for kind, key in says:
            keyed = replace(group, dedup_key=key)
            instance = self._environment.instance
            changes = decision.changes
            message = compose(kind, keyed, incident, facts, self._now, instance=instance, changes=changes, radius=radius, left=ended)
            yield from self._parts(message, group.channel, reason)

    def not_sent(self, group: Group, incident: Incident, told: Sequence[AlertFacts], reason: str) -> Iterable[Delivery]:
        """What `group` would have said of alerts that fired, kept with the reason why nobody is sent it."""
        kind = DeliveryKind.TRIGGER if group.last_told_at is None else DeliveryKind.UPDATE
        message = compose(kind, group, incident, told, self._now, instance=self._environment.instance)
        return self._parts(message, group.channel, reason)

    def read(self, check_ids: Collection[str]) -> None:
        """Reads the newest results of all these checks at once."""
        self._newest |= dict.fromkeys(check_ids, ()) | results.latest(self._connection, check_ids)

    def briefly(self, found: Iterable[Alert]) -> dict[AlertKey, AlertFacts]:
        """What is told of each alert by its newest result alone; those without any are left out. `read` must have had their checks."""
        newest = {alert.key: (alert, self._newest[alert.key.check_id]) for alert in found}
        return {key: facts(alert, records, Background()) for key, (alert, records) in newest.items() if records}

    def _facts(self, told: Sequence[Alert], incident: Incident) -> tuple[AlertFacts, ...]:
        if unknown := {alert.key.check_id for alert in told} - self._newest.keys():
            self.read(unknown)
        return alert_facts(self._connection, told, incident.root, self._newest)

    @cached_property
    def _failing(self) -> frozenset[str]:
        return alerts.open_checks(self._connection)

    def _radius(self, incident: Incident, shown: Sequence[Alert]) -> BlastRadius:
        """What the root takes along, for those who are told of the root."""
        root = incident.members.get(incident.root)
        if root is None or incident.root not in {alert.key for alert in shown}:
            return BlastRadius()
        return blast_radius(self._environment, self._connection, root.node, self._failing)

    def _parts(self, message: Message, name: str, reason: str) -> Iterable[Delivery]:
        """The message as its channel sends it; with a reason, or without the channel, it is kept and not sent."""
        message = guided(message, self._environment)
        channel: Channel | None = self._environment.channels.get(name)
        if channel is None:
            reason = reason or f"the channel {name!r} is not configured any more"
        for part in channel.parts(message) if channel is not None else ("gone",):
            yield Delivery(
                id=self._environment.new_id(),
                sequence=0,
                group_id=message.group_id,
                channel=name,
                dedup_key=message.dedup_key,
                kind=message.kind,
                part=part,
                message=message,
                created_at=self._now,
                state=DeliveryState.NOT_SENT if reason else DeliveryState.QUEUED,
                reason=reason,
            )
