"""dq_deliveries: the outbox. Every message of every group, sent or not sent, with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.core.delivery import Delivery, DeliveryState
from dqmon.core.message import DeliveryKind, from_json, to_json
from dqmon.store.schema import Choice, Instant, JsonText, SafeText, metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import Connection, Row

DRY_RUN = "dry_run: the channel is set to send nothing"
"""The reason of a message that was rendered and kept, as the configuration says."""

deliveries = sa.Table(
    "dq_deliveries",
    metadata,
    sa.Column(
        "sequence",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        comment="the order of sending within one channel and group",
    ),
    sa.Column("id", SafeText, nullable=False, unique=True, comment="random; sent along, so that an uncertain sending can be looked up"),
    sa.Column("group_id", SafeText, nullable=False, comment="dq_groups.id; of a digest: its time and owner"),
    sa.Column("incident_id", SafeText, nullable=False, comment="dq_incidents.id; empty of a digest"),
    sa.Column("channel", SafeText, nullable=False, comment="its name in the configuration"),
    sa.Column("dedup_key", SafeText, nullable=False, comment="the vendor's key of the message or incident"),
    sa.Column("kind", Choice(DeliveryKind), nullable=False, comment="trigger, update, repeat, acknowledge, resolve, digest"),
    sa.Column("part", SafeText, nullable=False, comment="the request of several that tell one message: post, edit, reply, event"),
    sa.Column("rank", sa.Integer, nullable=False, comment="0 info .. 3 critical; higher ones are sent first"),
    sa.Column("message", JsonText, nullable=False, comment="what is told, before the channel gives it its form"),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, comment="how often sending was begun"),
    sa.Column("not_before", Instant, comment="the next attempt; NULL: at once"),
    sa.Column("lease_token", SafeText, comment="who sends it now; only the holder may mark the row"),
    sa.Column("lease_until", Instant, comment="afterwards another sender takes over"),
    sa.Column("is_uncertain", sa.Boolean, nullable=False, comment="a sending broke off: the vendor may have it"),
    sa.Column("state", Choice(DeliveryState), nullable=False, comment="queued, sent, dead (given up), not_sent (on purpose)"),
    sa.Column("reason", SafeText, nullable=False, comment="why not sent, why tried again; empty when all went well"),
    sa.Column("sent_at", Instant),
    sa.Column("payload", JsonText, comment="what was rendered, in the vendor's form, without secrets"),
    sa.Column("text", SafeText, nullable=False, comment="the same for people"),
    sa.Index(None, "state", "channel", "group_id", "sequence"),
    sa.Index(None, "group_id", "sequence"),
    sa.Index(None, "incident_id", "sequence"),
)

_STORED = [name for name in Delivery.__slots__ if name in deliveries.c and name not in ("sequence", "message")]


def add(connection: Connection, new: Iterable[Delivery]) -> None:
    """Puts messages into the outbox in the order given; `sequence` is counted up here, whatever the delivery says.

    A resolve cancels the messages of its key that were never sent; when none was, itself too. One that was added before
    (same id) is an error.
    """
    rows: list[dict[str, object]] = []
    for delivery in new:
        rows.append(_row(delivery))
        if delivery.kind is DeliveryKind.RESOLVE:
            connection.execute(sa.insert(deliveries), rows)
            rows.clear()
            cancel_overtaken(connection, delivery)
    if rows:
        connection.execute(sa.insert(deliveries), rows)


def cancel_overtaken(connection: Connection, delivery: Delivery) -> None:
    """When the resolve of the delivery's key waits: what was not sent needs no sending; if nothing was sent, the resolve neither.

    What may have been sent stays, and the resolve after it. Other keys of the group are left alone: after a rise of severity the
    page goes out under a new key while the old one resolves.
    """
    c = deliveries.c
    group = (c.channel == delivery.channel, c.group_id == delivery.group_id, c.dedup_key == delivery.dedup_key)
    is_resolve, is_queued = c.kind == DeliveryKind.RESOLVE, c.state == DeliveryState.QUEUED
    if connection.execute(sa.select(c.sequence).where(*group, is_resolve, is_queued).limit(1)).first() is None:
        return
    untouched = sa.and_(*group, is_queued, c.lease_token.is_(None), sa.not_(c.is_uncertain))
    drop = sa.update(deliveries).values(state=DeliveryState.NOT_SENT)
    connection.execute(drop.where(untouched, sa.not_(is_resolve)).values(reason="resolved before it was sent"))
    was_told = sa.or_(c.state.in_((DeliveryState.SENT, DeliveryState.QUEUED)), c.is_uncertain, c.reason == DRY_RUN)
    if connection.execute(sa.select(c.sequence).where(*group, sa.not_(is_resolve), was_told).limit(1)).first() is None:
        connection.execute(drop.where(untouched, is_resolve).values(reason="nothing had been sent that it could resolve"))


def is_known(connection: Connection, id_: str) -> bool:
    """True for the id of a delivery that is there."""
    return connection.execute(sa.select(deliveries.c.sequence).where(deliveries.c.id == id_)).first() is not None


def of_incident(connection: Connection, incident_id: str) -> tuple[Delivery, ...]:
    """All deliveries of an incident in order; each that was not sent says why."""
    return _select(connection, deliveries.c.incident_id == incident_id)


def of_group(connection: Connection, group_id: str) -> tuple[Delivery, ...]:
    """All deliveries of a group in order; each that was not sent says why."""
    return _select(connection, deliveries.c.group_id == group_id)


def of_ids(connection: Connection, ids: Sequence[str]) -> tuple[Delivery, ...]:
    """Those of these ids that are there, in order."""
    return _select(connection, deliveries.c.id.in_(ids))


def after(connection: Connection, sequence: int) -> tuple[Delivery, ...]:
    """All deliveries made after that one, in order."""
    return _select(connection, deliveries.c.sequence > sequence)


def totals(connection: Connection) -> dict[str, dict[DeliveryState, int]]:
    """How many deliveries each channel has in each state."""
    c = deliveries.c
    found: dict[str, dict[DeliveryState, int]] = {}
    for channel, state, count in connection.execute(sa.select(c.channel, c.state, sa.func.count()).group_by(c.channel, c.state)):
        found.setdefault(channel, {})[state] = count
    return found


def _select(connection: Connection, condition: sa.ColumnElement[bool]) -> tuple[Delivery, ...]:
    rows = connection.execute(sa.select(deliveries).where(condition).order_by(deliveries.c.sequence))
    return tuple(_delivery(row) for row in rows)


def _row(delivery: Delivery) -> dict[str, object]:
    message = delivery.message
    more = {"message": to_json(message), "incident_id": message.incident_id, "rank": message.severity.rank}
    return {name: getattr(delivery, name) for name in _STORED} | more


def _delivery(row: Row[tuple[object, ...]]) -> Delivery:
    fields = {name: value for name, value in row._asdict().items() if name in Delivery.__slots__}
    return Delivery(**fields | {"message": from_json(row.message)})
