"""Changes of schemas, told to the channels that want to know of changes: each once, and nobody is paged (PagerDuty's change events)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from dqmon.alerts.message import Background, facts
from dqmon.core.alert import Alert, AlertKey, AlertKind, AlertState
from dqmon.core.delivery import Delivery
from dqmon.core.message import DeliveryKind, Message
from dqmon.core.protocols import ChangeTeller
from dqmon.store import deliveries, meta, results
from dqmon.store.writes import one_teller

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from dqmon.core.protocols import Channel
    from dqmon.core.result import ResultRecord
    from dqmon.engine.environment import Environment

TYPES = ("schema_drift", "source_schema_change")
"""The checks whose observed value lists changes."""
YOUNG = timedelta(days=1)
"""What changed before that is no news: a channel was without `change_events` for a while."""
_BEFORE = 50


def queue_changes(environment: Environment, now: datetime) -> None:
    """Puts what changed since the last call into the outbox, in one transaction with how far it has come. Raises StoreError.

    A channel is told from the first call on that finds it wanting change events.
    """
    wanted = {name: part for name, channel in environment.channels.items() if (part := _part(channel))}
    if not wanted:
        return
    with environment.database.read() as connection:
        end = meta.revision(connection)
        if all(meta.get(connection, _position(name)) == str(end) for name in wanted):
            return
    with environment.database.write() as connection:
        one_teller(connection)
        end = meta.revision(connection)
        for name, part in wanted.items():
            after = meta.get(connection, _position(name))
            if after is not None:
                for record in results.of_types(connection, TYPES, int(after), end):
                    _queue(environment, connection, record, (name, part), now)
            meta.put(connection, _position(name), str(end))


def _queue(environment: Environment, connection: Connection, record: ResultRecord, to: tuple[str, str], now: datetime) -> None:
    """One delivery with the changes of a result that the result before it does not have; its id keeps a second one out."""
    name, part = to
    changes = tuple(_changes(connection, record))
    if not changes or record.measured_at < now - YOUNG:
        return
    slot = f"{record.scheduled_at:%Y-%m-%dT%H:%M:%S}"
    id_ = "change-" + hashlib.sha256(json.dumps([name, record.check_id, slot, changes]).encode()).hexdigest()[:32]
    if not deliveries.is_known(connection, id_):
        message = _message(environment.instance, record, changes, id_)
        deliveries.add(connection, [Delivery(id_, 0, id_, name, "", message.kind, part, message, now)])


def _changes(connection: Connection, record: ResultRecord) -> Iterator[str]:
    """What the check sees and did not see at its last slot of which a list of changes is kept."""
    if not isinstance(record.observed_value, list):
        return
    past = (one for one in results.recent(connection, record.check_id, _BEFORE) if one.scheduled_at < record.scheduled_at)
    before = next((one.observed_value for one in past if isinstance(one.observed_value, list)), [])
    yield from (str(change) for change in record.observed_value if change not in before)


def _message(instance: str, record: ResultRecord, changes: tuple[str, ...], id_: str) -> Message:
    alert = Alert(AlertKey(record.check_id, AlertKind.DATA), AlertState.FIRING, record.severity, since=record.scheduled_at)
    more = f" (and {len(changes) - 1} more)" if len(changes) > 1 else ""
    return Message(
        kind=DeliveryKind.UPDATE,
        instance=instance,
        incident_id="",
        group_id=id_,
        dedup_key="",
        severity=record.severity,
        title=f"the schema of {record.subject} changed: {changes[0]}{more}",
        opened_at=record.measured_at,
        at=record.measured_at,
        alerts=(facts(alert, (record,), Background()),),
        changes=changes,
        links={"runbook": record.runbook} if record.runbook else {},
    )


def _part(channel: Channel) -> str | None:
    return channel.change_part() if isinstance(channel, ChangeTeller) else None


def _position(channel: str) -> str:
    return f"change_events:{channel}"
