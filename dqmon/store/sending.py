"""Sending what the outbox holds: a delivery is claimed under a lease, and only who holds it says what came of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.core.delivery import Delivery, DeliveryState, Receipt
from dqmon.core.message import DeliveryKind
from dqmon.store import groups
from dqmon.store.deliveries import cancel_overtaken, deliveries, of_ids
from dqmon.store.schema import Instant

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.engine import Connection

_REPEATABLE = ("event", "edit")
"""Parts that may be sent again without anybody seeing something twice."""


def is_due(connection: Connection, now: datetime, channels: Collection[str]) -> bool:
    """True when `claim` would find something."""
    return connection.execute(_claimable(now, channels)).first() is not None


def claim(connection: Connection, now: datetime, lease_s: float, token: str, channels: Collection[str]) -> Delivery | None:
    """The next delivery to send, leased to `token` for `lease_s`; None when nothing is due. Never the same one twice.

    Only the oldest undone delivery of a (channel, group), so that a resolve cannot overtake its trigger; the more severe
    first. A lease that ran out is taken over: the delivery is then uncertain. `token` must be new for each claim.
    """
    row = connection.execute(_claimable(now, channels).with_for_update(skip_locked=True, of=deliveries)).first()
    if row is None:
        return None
    taken = {
        "lease_token": token,
        "lease_until": now + timedelta(seconds=lease_s),
        "attempt": row.attempt + 1,
        "is_uncertain": row.is_uncertain or row.lease_token is not None,
    }
    connection.execute(sa.update(deliveries).where(deliveries.c.sequence == row.sequence).values(taken))
    (claimed,) = of_ids(connection, (row.id,))
    return replace(claimed, parent=groups.receipt(connection, row.group_id))


def mark_sent(connection: Connection, delivery: Delivery, receipt: Receipt, at: datetime) -> bool:
    """Keeps that it was sent, and the receipt of the group's first message, or one that adds to that. False when the lease was lost."""
    is_ours = _mark(connection, delivery, state=DeliveryState.SENT, sent_at=at, reason="", lease_until=None)
    if is_ours and receipt.reference.items() > (delivery.parent.reference if delivery.parent else {}).items():
        groups.set_receipt(connection, delivery.group_id, receipt)
    return is_ours


def retry(connection: Connection, delivery: Delivery, not_before: datetime, reason: str) -> bool:
    """Puts it back for later. False when the lease was lost."""
    later = {"lease_token": None, "lease_until": None, "not_before": not_before, "is_uncertain": delivery.is_uncertain}
    is_ours = _mark(connection, delivery, reason=reason, **later)
    if is_ours:
        cancel_overtaken(connection, delivery)
    return is_ours


def give_up(connection: Connection, delivery: Delivery, reason: str) -> bool:
    """Marks it dead. False when the lease was lost."""
    is_ours = _mark(connection, delivery, state=DeliveryState.DEAD, reason=reason, is_uncertain=delivery.is_uncertain, lease_until=None)
    if is_ours:
        cancel_overtaken(connection, delivery)
    return is_ours


def mark_not_sent(connection: Connection, delivery: Delivery, reason: str) -> bool:
    """Marks it as not sent on purpose. False when the lease was lost."""
    return _mark(connection, delivery, state=DeliveryState.NOT_SENT, reason=reason, lease_until=None)


def resolve_again(connection: Connection, late: Delivery) -> int:
    """Queues the sent resolve of `late`'s key once more; the number of rows.

    For a sender that was paused beyond its lease and then sent: its trigger may have come after the resolve.
    """
    c = deliveries.c
    same = (c.channel == late.channel, c.group_id == late.group_id, c.dedup_key == late.dedup_key)
    sent = (c.kind == DeliveryKind.RESOLVE, c.state == DeliveryState.SENT, c.part.in_(_REPEATABLE))
    again = {"state": DeliveryState.QUEUED, "lease_token": None, "not_before": None, "reason": "sent again after a late sender"}
    return connection.execute(sa.update(deliveries).where(*same, *sent).values(again)).rowcount


def has_unserved(connection: Connection, before: datetime) -> bool:
    """True when `bury_unserved` would find something."""
    return connection.execute(sa.select(deliveries.c.sequence).where(_is_unserved(before)).limit(1)).first() is not None


def bury_unserved(connection: Connection, before: datetime) -> int:
    """Marks dead what was created before that time and is still queued with nobody sending it; the number of rows."""
    dead = {"state": DeliveryState.DEAD, "reason": "no sender served the channel for a day; is it still configured?"}
    return connection.execute(sa.update(deliveries).where(_is_unserved(before)).values(dead)).rowcount


def next_at(connection: Connection, channel: str) -> datetime | None:
    """When the channel's next retry or lease is due; None when nothing waits for a time."""
    c = deliveries.c
    waits = sa.select(sa.func.min(sa.func.coalesce(c.lease_until, c.not_before), type_=Instant))
    found: datetime | None = connection.scalar(waits.where(c.state == DeliveryState.QUEUED, c.channel == channel))
    return found


def _claimable(now: datetime, channels: Collection[str]) -> sa.Select[tuple[object, ...]]:
    c, older = deliveries.c, deliveries.alias("older").c
    is_behind = sa.exists().where(
        older.channel == c.channel, older.group_id == c.group_id, older.state == DeliveryState.QUEUED, older.sequence < c.sequence
    )
    return (
        sa.select(c.sequence, c.id, c.group_id, c.attempt, c.is_uncertain, c.lease_token)
        .where(
            c.state == DeliveryState.QUEUED,
            c.channel.in_(sorted(channels)),
            sa.or_(c.not_before.is_(None), c.not_before <= now),
            sa.or_(c.lease_until.is_(None), c.lease_until <= now),
            ~is_behind,
        )
        .order_by(c.rank.desc(), c.sequence)
        .limit(1)
    )


def _is_unserved(before: datetime) -> sa.ColumnElement[bool]:
    c = deliveries.c
    return sa.and_(c.state == DeliveryState.QUEUED, c.created_at < before, c.lease_token.is_(None))


def _mark(connection: Connection, delivery: Delivery, **values: object) -> bool:
    """Writes to the row if it is still leased to the delivery's token; what was rendered is kept in any case."""
    c = deliveries.c
    fence = (c.id == delivery.id, c.state == DeliveryState.QUEUED, c.lease_token == delivery.lease_token)
    kept = {"payload": delivery.payload, "text": delivery.text}
    return connection.execute(sa.update(deliveries).where(*fence).values(kept | values)).rowcount == 1
