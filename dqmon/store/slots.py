"""When each check is due next, and who is running it now: the truth of the scheduler, one row a check.

A slot is (check id, scheduled time). It is claimed with a random attempt token; only the attempt whose token still stands
in the row may finish it, so that a slot counts once however often its daemon dies. Nothing here asks a clock.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dqmon.store.schema import Instant, SafeText, metadata

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

MAX_BACKWARD = timedelta(hours=1)
"""A clock set back by up to this much waits for slots that have run already, so that none runs twice; beyond it the
recorded slots are taken for a wrong clock's."""

_CHUNK = 500
_Row = dict[str, Any]

slots = sa.Table(
    "dq_slots",
    metadata,
    sa.Column("check_id", SafeText, primary_key=True),
    sa.Column("pool", SafeText, nullable=False, comment="the warehouse, or for checks of pipelines the source with a slash"),
    sa.Column("schedule", sa.Text, nullable=False, comment="the fingerprint of the schedule behind next_due_at"),
    sa.Column("next_due_at", Instant, comment="NULL: never"),
    sa.Column("last_slot_at", Instant, comment="the newest slot ever claimed"),
    sa.Column("slot_at", Instant, comment="the slot in progress"),
    sa.Column("attempt_token", sa.Text),
    sa.Column("claimed_at", Instant),
    sa.Column("epoch", sa.BigInteger, comment="of the leader that claimed"),
    sa.Column("gap_since", Instant, comment="the first slot of the last gap: slots that lapsed and did not run"),
    sa.Column("gap_until", Instant, comment="the slot that ran late in place of the gap's"),
    sa.Index("ix_dq_slots_due", "next_due_at", sqlite_where=sa.text("slot_at IS NULL"), postgresql_where=sa.text("slot_at IS NULL")),
    sa.Index(
        "ix_dq_slots_claimed", "slot_at", sqlite_where=sa.text("slot_at IS NOT NULL"), postgresql_where=sa.text("slot_at IS NOT NULL")
    ),
)


@dataclass(frozen=True, slots=True)
class Slot:
    """A claimed slot. `gap_since`: the first slot that lapsed before it and will not run; None without a gap."""

    check_id: str
    slot_at: datetime
    attempt_token: str
    gap_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """What is kept of a check's schedule: which pool runs it, and the fingerprint of its schedule."""

    pool: str
    schedule: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Who claims: the leader of `epoch`, for the pools that have room, at most `limit` slots at once."""

    epoch: int
    pools: tuple[str, ...]
    limit: int = 2_000


NextDue = Callable[[str, datetime], datetime | None]
"""The first slot of a check strictly after an instant; None: never."""
Lapsed = Callable[[str, datetime, datetime], datetime]
"""The last slot of a check in [due, now], `due` being one."""


def sync(connection: Connection, planned: Mapping[str, Planned], next_due: NextDue, now: datetime) -> None:
    """Makes the rows those of `planned`: adds, drops, and moves the next slot of changed schedules.

    An unchanged check keeps its next slot, and every kept check its slot in progress; a dropped check's running attempt
    will not be accepted. A next slot later than the schedule allows (the clock was set back) is drawn in.
    """
    rows = {row.check_id: row for row in connection.execute(sa.select(slots))}
    _delete(connection, [check_id for check_id in rows if check_id not in planned])
    new = [
        {"check_id": check_id, "pool": plan.pool, "schedule": plan.schedule, "next_due_at": next_due(check_id, now)}
        for check_id, plan in planned.items()
        if check_id not in rows
    ]
    if new:
        connection.execute(sa.insert(slots), new)
    changed = []
    for check_id, row in rows.items():
        plan = planned.get(check_id)
        if plan is None:
            continue
        ran_until = row.last_slot_at if row.last_slot_at and row.last_slot_at <= now + MAX_BACKWARD else now
        latest = next_due(check_id, max(now, ran_until))
        keeps = row.schedule == plan.schedule and row.next_due_at and latest and row.next_due_at <= latest
        due_at = row.next_due_at if keeps else latest
        if (row.pool, row.schedule, row.next_due_at) != (plan.pool, plan.schedule, due_at):
            changed.append({"id": check_id, "pool": plan.pool, "schedule": plan.schedule, "next_due_at": due_at})
    _update(connection, changed)


def advance(connection: Connection, now: datetime, claim: Claim, next_due: NextDue, lapsed: Lapsed) -> tuple[Slot, ...]:
    """Claims the slots that are due at `now`, oldest first, and moves each check to its next slot; one batch.

    A check in progress is not claimed again. Of several lapsed slots only the last is claimed, the gap is recorded.
    """
    due = connection.execute(
        sa.select(slots.c.check_id, slots.c.next_due_at)
        .where(slots.c.slot_at.is_(None), slots.c.next_due_at <= now, slots.c.pool.in_(claim.pools))
        .order_by(slots.c.next_due_at, slots.c.check_id)
        .limit(claim.limit)
    ).all()
    token = uuid.uuid4().hex
    claimed = []
    rows: list[_Row] = []
    for check_id, due_at in due:
        slot_at = lapsed(check_id, due_at, now)
        claimed.append(Slot(check_id, slot_at, token, due_at if slot_at > due_at else None))
        stamp = {"slot_at": slot_at, "last_slot_at": slot_at, "attempt_token": token, "claimed_at": now, "epoch": claim.epoch}
        rows.append({"id": check_id, "next_due_at": next_due(check_id, now), **stamp})
    _update(connection, rows)
    _update(
        connection, [{"id": slot.check_id, "gap_since": slot.gap_since, "gap_until": slot.slot_at} for slot in claimed if slot.gap_since]
    )
    return tuple(claimed)


def finish(connection: Connection, attempts: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Ends the attempts (check id, token) that still own their slot and returns these; call it inside transaction 1.

    The results of the others must be dropped: a newer attempt has the slot, or the check is gone.
    """
    return _end(connection, attempts, {})


def give_back(connection: Connection, attempts: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Makes the slots of attempts that will not finish due again, for whoever is next; returns those that were theirs."""
    return _end(connection, attempts, {"next_due_at": slots.c.slot_at})


def reclaim(connection: Connection, epoch: int, held: Collection[tuple[str, str]]) -> tuple[str, ...]:
    """Makes slots due again that nobody works on: claimed in another epoch, or in this one but not `held` in memory.

    Returns their check ids. The old attempts' tokens are void from here on.
    """
    rows = connection.execute(
        sa.select(slots.c.check_id, slots.c.attempt_token, slots.c.epoch).where(slots.c.slot_at.is_not(None)).with_for_update()
    )
    lost = [(row.check_id, row.attempt_token) for row in rows if row.epoch != epoch or (row.check_id, row.attempt_token) not in held]
    return tuple(sorted(check_id for check_id, _ in give_back(connection, lost)))


def hasten(connection: Connection, check_ids: Collection[str], now: datetime) -> None:
    """Makes the checks due at `now` that are due later. Those in progress or without a schedule stay as they are.

    Needs no epoch: a slot that was drawn in is claimed like any other, and the check goes on with the next of its schedule.
    """
    for part in _of_checks(check_ids):
        connection.execute(sa.update(slots).where(part, *_is_later(now)).values(next_due_at=now))


def can_hasten(connection: Connection, check_ids: Collection[str], now: datetime) -> bool:
    """True when `hasten` would change something."""
    return any(connection.scalar(sa.select(slots.c.check_id).where(part, *_is_later(now)).limit(1)) for part in _of_checks(check_ids))


def next_due_at(connection: Connection) -> datetime | None:
    """The earliest slot that nobody has claimed; None without any."""
    found: datetime | None = connection.execute(
        sa.select(sa.func.min(slots.c.next_due_at, type_=Instant)).where(slots.c.slot_at.is_(None))
    ).scalar()
    return found


def count_due(connection: Connection, now: datetime) -> int:
    """How many slots are due and not claimed."""
    return int(connection.execute(sa.select(sa.func.count()).where(slots.c.slot_at.is_(None), slots.c.next_due_at <= now)).scalar_one())


def overdue(connection: Connection, before: datetime) -> frozenset[str]:
    """The checks whose slot was due before that time and that nobody has taken."""
    waiting = sa.select(slots.c.check_id).where(slots.c.slot_at.is_(None), slots.c.next_due_at < before)
    return frozenset(connection.scalars(waiting))


def planned_checks(connection: Connection) -> frozenset[str]:
    """The checks that a daemon has given a slot, those that patterns found too."""
    return frozenset(connection.scalars(sa.select(slots.c.check_id)))


def _of_checks(check_ids: Collection[str]) -> list[sa.ColumnElement[bool]]:
    ids = sorted(check_ids)
    return [slots.c.check_id.in_(ids[start : start + _CHUNK]) for start in range(0, len(ids), _CHUNK)]


def _is_later(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return slots.c.slot_at.is_(None), slots.c.next_due_at > now


def _end(connection: Connection, attempts: Iterable[tuple[str, str]], values: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """Locks the rows in one order (two commits cannot block each other), and frees those whose token is still right."""
    owned: set[tuple[str, str]] = set()
    ordered = sorted(set(attempts))
    for start in range(0, len(ordered), _CHUNK):
        part = ordered[start : start + _CHUNK]
        ids = [check_id for check_id, _ in part]
        rows = connection.execute(
            sa.select(slots.c.check_id, slots.c.attempt_token).where(slots.c.check_id.in_(ids)).order_by(slots.c.check_id).with_for_update()
        )
        mine = {(row.check_id, row.attempt_token) for row in rows} & set(part)
        freed = {"slot_at": None, "attempt_token": None, "claimed_at": None, "epoch": None}
        connection.execute(sa.update(slots).where(slots.c.check_id.in_([i for i, _ in mine])).values({**freed, **values}))
        owned |= mine
    return frozenset(owned)


def _update(connection: Connection, rows: list[_Row]) -> None:
    """Sets each row's columns where check_id is its `id`; all rows have the same keys."""
    if rows:
        connection.execute(sa.update(slots).where(slots.c.check_id == sa.bindparam("id")), rows)


def _delete(connection: Connection, check_ids: list[str]) -> None:
    for start in range(0, len(check_ids), _CHUNK):
        connection.execute(sa.delete(slots).where(slots.c.check_id.in_(check_ids[start : start + _CHUNK])))
