"""dq_page_events: what was done with pages in the services that paged, so that nothing counts twice or in the wrong order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.store.schema import Instant, SafeText, metadata
from dqmon.store.writes import insert_new

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from dqmon.core.page_event import PageEvent

page_events = sa.Table(
    "dq_page_events",
    metadata,
    sa.Column("channel", SafeText, primary_key=True, comment="its name in the configuration"),
    sa.Column("id", SafeText, primary_key=True, comment="the service's own"),
    sa.Column("dedup_key", SafeText, nullable=False, comment="the page that it is about"),
    sa.Column("at", Instant, nullable=False, comment="when it was done"),
)


def is_news(connection: Connection, event: PageEvent, forget_before: datetime) -> bool:
    """Keeps the event; False when it, or a later one of the same page, is known. What is older than that time is forgotten."""
    p = page_events.c
    connection.execute(sa.delete(page_events).where(p.at < forget_before))
    known = (p.channel == event.channel) & ((p.id == event.id) | ((p.dedup_key == event.dedup_key) & (p.at > event.at)))
    if connection.execute(sa.select(p.id).where(known).limit(1)).first() is not None:
        return False
    insert_new(connection, page_events, [{"channel": event.channel, "id": event.id, "dedup_key": event.dedup_key, "at": event.at}])
    return True
