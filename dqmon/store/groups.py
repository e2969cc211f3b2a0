"""dq_groups: what each channel shows as one message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.core.delivery import Receipt
from dqmon.core.incident import Group
from dqmon.core.verdict import Severity
from dqmon.store.schema import Choice, Instant, JsonText, SafeText, TextTuple, metadata
from dqmon.store.writes import chunks, upsert

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.engine import Connection

groups = sa.Table(
    "dq_groups",
    metadata,
    sa.Column("id", SafeText, primary_key=True, comment="random, made when the group opens"),
    sa.Column("key", SafeText, nullable=False, comment="what the route groups by: an incident's id, an owner, ..."),
    sa.Column("route", SafeText, nullable=False),
    sa.Column("channel", SafeText, nullable=False),
    sa.Column("dedup_key", SafeText, nullable=False, comment="the vendor's key of the message or incident"),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("incident_ids", TextTuple, nullable=False, comment="list of dq_incidents.id"),
    sa.Column("alert_keys", TextTuple, nullable=False, comment="the alerts that were routed here when they fired"),
    sa.Column("due_at", Instant, comment="when the group must be looked at again; NULL: nothing to wait for"),
    sa.Column("last_told_at", Instant),
    sa.Column("told_severity", Choice(Severity), comment="what the last message said"),
    sa.Column("told_members", TextTuple, nullable=False, comment="the alerts that the last message listed"),
    sa.Column("told_acknowledged", sa.Boolean, nullable=False),
    sa.Column("escalation", sa.Integer, nullable=False),
    sa.Column("resolved_at", Instant, comment="NULL while open; a resolved group never reopens"),
    sa.Column("muted", JsonText, nullable=False, comment="the open alerts that are silenced, each with why: {alert: reason}"),
    sa.Column("receipt", JsonText, comment="the vendor's answer to the first message: {reference: {...}, detail}"),
    sa.Index(None, "due_at"),
    sa.Index(None, "resolved_at", "channel"),
)

_FIELDS = [column for column in groups.c if column.name != "receipt"]


def save(connection: Connection, changed: Iterable[Group]) -> None:
    """Inserts or replaces the groups by id; their receipts stay."""
    upsert(connection, groups, [{c.name: getattr(group, c.name) for c in _FIELDS} for group in changed])


def open_groups(connection: Connection) -> tuple[Group, ...]:
    """The groups that are not resolved, oldest first."""
    return _select(connection, groups.c.resolved_at.is_(None))


def due(connection: Connection, now: datetime) -> tuple[Group, ...]:
    """The groups whose `due_at` has come, the longest overdue first."""
    return tuple(sorted(_select(connection, groups.c.due_at <= now), key=lambda group: (group.due_at or now, group.id)))


def of_incident(connection: Connection, incident_id: str) -> tuple[Group, ...]:
    """All groups, open and resolved, that have told of the incident, oldest first."""
    found = _select(connection, groups.c.incident_ids.cast(sa.Text).contains(incident_id, autoescape=True))
    return tuple(group for group in found if incident_id in group.incident_ids)


def hasten(connection: Connection, found: Iterable[Group], now: datetime) -> None:
    """Whoever speaks for the groups looks at them at once; one that is due already keeps since when."""
    is_later = groups.c.due_at.is_(None) | (groups.c.due_at > now)
    for part in chunks([group.id for group in found]):
        connection.execute(sa.update(groups).where(groups.c.id.in_(part), is_later).values(due_at=now))


def set_receipt(connection: Connection, group_id: str, receipt: Receipt) -> None:
    """Keeps the vendor's answer to the group's first message, for edits and replies."""
    data = {"reference": receipt.reference, "detail": receipt.detail}
    connection.execute(sa.update(groups).where(groups.c.id == group_id).values(receipt=data))


def receipt(connection: Connection, group_id: str) -> Receipt | None:
    """The vendor's answer to the group's first message; None before it was sent."""
    data = connection.scalar(sa.select(groups.c.receipt).where(groups.c.id == group_id))
    return None if data is None else Receipt(**data)


def _select(connection: Connection, condition: sa.ColumnElement[bool]) -> tuple[Group, ...]:
    rows = connection.execute(sa.select(*_FIELDS).where(condition).order_by(groups.c.opened_at, groups.c.id))
    return tuple(Group(**row._asdict()) for row in rows)
