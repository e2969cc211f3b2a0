"""Deliveries that were given up: listed, and put back into the queue by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.core.delivery import DeliveryState
from dqmon.store.deliveries import deliveries, of_ids
from dqmon.store.groups import groups
from dqmon.store.writes import chunks

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from dqmon.core.delivery import Delivery


def dead(connection: Connection, limit: int) -> tuple[Delivery, ...]:
    """The newest deliveries that were given up, newest first."""
    d = deliveries.c
    newest = sa.select(d.id).where(d.state == DeliveryState.DEAD).order_by(d.sequence.desc()).limit(limit)
    return of_ids(connection, tuple(connection.scalars(newest)))[::-1]


def requeue(connection: Connection, name: str, now: datetime) -> tuple[Delivery, ...]:
    """Queues dead ones as if they were new: those of a channel, or the one whose id is, or alone begins with, `name`.

    Only what the vendor would resolve some day: of open groups, under the key that they have now.
    """
    d = deliveries.c
    is_meant = (d.channel == name) | (sa.func.substr(d.id, 1, len(name)) == name)
    is_open = sa.exists().where(groups.c.id == d.group_id, groups.c.dedup_key == d.dedup_key, groups.c.resolved_at.is_(None))
    rows = connection.execute(sa.select(d.id, d.channel).where(is_meant, is_open, d.state == DeliveryState.DEAD)).all()
    is_clear = len(rows) == 1 or all(channel == name for _, channel in rows)
    ids = [id_ for id_, _ in rows if is_clear or id_ == name]
    fresh = {"state": DeliveryState.QUEUED, "attempt": 0, "created_at": now, "not_before": None, "lease_token": None, "lease_until": None}
    found: list[Delivery] = []
    for part in chunks(ids):
        connection.execute(sa.update(deliveries).where(d.id.in_(part)).values(reason="tried again by hand", **fresh))
        found += of_ids(connection, part)
    return tuple(found)
