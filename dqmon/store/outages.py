"""dq_outages: channels that take nothing, since when. dq_stand_ins: who was told in the place of a channel that did not take it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.core.delivery import DeliveryState
from dqmon.core.message import DeliveryKind
from dqmon.core.verdict import Severity
from dqmon.store.deliveries import deliveries
from dqmon.store.groups import groups
from dqmon.store.schema import Instant, SafeText, metadata
from dqmon.store.writes import insert_new, upsert

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection

AFTER = timedelta(minutes=2)
"""A channel that has taken nothing for so long, while something waits, is out."""

outages = sa.Table(
    "dq_outages",
    metadata,
    sa.Column("channel", SafeText, primary_key=True, comment="its name in the configuration; the row goes with the next message taken"),
    sa.Column("id", SafeText, nullable=False, comment="random"),
    sa.Column("since", Instant, nullable=False, comment="the first failure after which nothing was taken"),
    sa.Column("tried_at", Instant, nullable=False, comment="the last failure"),
    sa.Column("reason", SafeText, nullable=False, comment="of the last failure"),
    sa.Column("due_at", Instant, comment="when to decide who is told in its place; NULL: not before the next failure"),
    sa.Index(None, "due_at"),
)

stand_ins = sa.Table(
    "dq_stand_ins",
    metadata,
    sa.Column("stands_for", SafeText, primary_key=True, comment="dq_groups.id that was not taken; dq_outages.id: all less severe ones"),
    sa.Column("group_id", SafeText, nullable=False, comment="dq_groups.id that tells it elsewhere; empty: nobody is told"),
)


@dataclass(frozen=True, slots=True)
class Outage:
    """A channel that takes nothing: since when, and what it said last and when."""

    channel: str
    id: str
    since: datetime
    tried_at: datetime
    reason: str
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Untaken:
    """A group whose channel has not taken what opens it (or what says that it became critical). reason: the vendor's last words."""

    group_id: str
    is_dead: bool
    reason: str


def begin(connection: Connection, channel: str, at: datetime, reason: str) -> None:
    """Keeps that the channel did not take something at `at`; the first time since it took anything, an outage begins."""
    first = {"channel": channel, "id": uuid.uuid4().hex, "since": at, "tried_at": at, "reason": reason, "due_at": at + AFTER}
    insert_new(connection, outages, [first])
    again = {"tried_at": at, "reason": reason, "due_at": sa.func.coalesce(outages.c.due_at, sa.bindparam("again_at", at, Instant))}
    connection.execute(sa.update(outages).where(outages.c.channel == channel).values(again))


def end(connection: Connection, channel: str) -> None:
    """The channel took something: its outage, if it had one, is over."""
    connection.execute(sa.delete(outages).where(outages.c.channel == channel))


def wait(connection: Connection, outage: Outage, due_at: datetime | None) -> None:
    """Puts the decision on that outage off."""
    connection.execute(sa.update(outages).where(outages.c.id == outage.id).values(due_at=due_at))


def listed(connection: Connection) -> tuple[Outage, ...]:
    """All outages that last, by channel."""
    return tuple(Outage(**row._asdict()) for row in connection.execute(sa.select(outages).order_by(outages.c.channel)))


def next_at(connection: Connection) -> datetime | None:
    """When it must be decided next who is told in a channel's place; None: not before the next failure."""
    found: datetime | None = connection.scalar(sa.select(sa.func.min(outages.c.due_at, type_=Instant)))
    return found


def is_due(connection: Connection, now: datetime) -> bool:
    """True when somebody may have to be told in a channel's place: an outage is old enough, or a message was refused for good."""
    at = next_at(connection)
    return (at is not None and at <= now) or connection.execute(_untaken(DeliveryState.DEAD).limit(1)).first() is not None


def untaken(connection: Connection, channel: str, *, also_queued: bool) -> tuple[Untaken, ...]:
    """The open groups of the channel, oldest first, for which nobody else stands in. also_queued: what is tried again as well."""
    d, found = deliveries.c, dict[str, Untaken]()
    states = (DeliveryState.DEAD, DeliveryState.QUEUED) if also_queued else (DeliveryState.DEAD,)
    for group_id, state, reason in connection.execute(_untaken(*states).where(d.channel == channel).order_by(d.sequence)):
        known = found.get(group_id)
        if known is None or not known.is_dead:
            found[group_id] = Untaken(group_id, state is DeliveryState.DEAD, reason)
    return tuple(found.values())


def channels(connection: Connection) -> frozenset[str]:
    """The channels that are out, and those that refused something for which nobody stands in."""
    dead = _untaken(DeliveryState.DEAD).with_only_columns(deliveries.c.channel)
    return frozenset(connection.scalars(dead)) | frozenset(connection.scalars(sa.select(outages.c.channel)))


def stand_in(connection: Connection, stands_for: Iterable[str], group_id: str) -> None:
    """Keeps that this group tells those in their channels' place; with `""` that nobody does."""
    upsert(connection, stand_ins, [{"stands_for": key, "group_id": group_id} for key in stands_for])


def standing_in(connection: Connection, stands_for: str) -> str | None:
    """The group that tells it in its channel's place; `""` when it was found that nobody can, None when nothing was decided."""
    return connection.scalar(sa.select(stand_ins.c.group_id).where(stand_ins.c.stands_for == stands_for))


@cache
def _untaken(*states: DeliveryState) -> sa.Select[str, DeliveryState, str]:
    d, g, other = deliveries.c, groups.alias("standing").c, deliveries.alias("other").c
    opens = (d.kind == DeliveryKind.TRIGGER) | ((d.kind == DeliveryKind.UPDATE) & (d.rank >= Severity.CRITICAL.rank))
    is_open = d.group_id.in_(sa.select(groups.c.id).where(groups.c.resolved_at.is_(None)))
    is_ended = sa.exists().where(g.id == stand_ins.c.group_id, g.resolved_at.is_not(None))
    is_told = sa.exists().where(stand_ins.c.stands_for == d.group_id, ~is_ended)
    # Of a message in several parts one that people notice is enough: a picture may fail, and an edit alone wakes nobody.
    same = (other.group_id == d.group_id, other.kind == d.kind, other.created_at == d.created_at)
    is_taken = sa.exists().where(*same, other.state == DeliveryState.SENT, other.part != "edit")
    return sa.select(d.group_id, d.state, d.reason).where(d.state.in_(states), opens, is_open, ~is_told, ~is_taken)
