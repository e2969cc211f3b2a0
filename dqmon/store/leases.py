"""Who may do what only one process may do: a name, its holder until a time, and an epoch that only grows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.errors import LeaseLost
from dqmon.store.schema import Instant, metadata
from dqmon.store.writes import insert_new

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

LEADER = "leader"
"""Advances due slots."""
NOTIFY = "notify"
"""Turns alert events into messages and sends them; held by the daemon, or shortly by a `check` command."""
TTL_S = 15.0
"""Seconds for which a lease is good; hosts' clocks may differ by 5 s."""
MAX_AHEAD_S = 60.0
"""A lease that ends later than this after a full term was written by a clock that has been set back since: it is over."""

leases = sa.Table(
    "dq_leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
)


def acquire(connection: Connection, name: str, holder: str, now: datetime, ttl_s: float = TTL_S, *, is_alone: bool = False) -> int | None:
    """The new epoch when the lease was free or over, else None (also while `holder` itself has it: renew it).

    Exactly one of any number of simultaneous callers gets it. `is_alone`: the caller knows that its last holder is dead.
    """
    insert_new(connection, leases, [{"name": name, "holder": "", "epoch": 0, "expires_at": now}])
    too_late = now + timedelta(seconds=ttl_s + MAX_AHEAD_S)
    taken = connection.execute(
        sa.update(leases)
        .where(leases.c.name == name, sa.or_(sa.literal(is_alone), leases.c.expires_at <= now, leases.c.expires_at > too_late))
        .values(holder=holder, epoch=leases.c.epoch + 1, expires_at=now + timedelta(seconds=ttl_s))
    )
    if taken.rowcount != 1:
        return None
    return int(connection.execute(sa.select(leases.c.epoch).where(leases.c.name == name)).scalar_one())


def check_writable(connection: Connection) -> None:
    """Writes nothing, as a write: StoreError where this user may only read. At a start, so that it is said once."""
    connection.execute(sa.delete(leases).where(sa.false()))


def renew(connection: Connection, name: str, epoch: int, now: datetime, ttl_s: float = TTL_S) -> None:
    """Prolongs the lease of that epoch, even when it is over but nobody took it. LeaseLost when somebody did."""
    renewed = connection.execute(
        sa.update(leases)
        .where(leases.c.name == name, leases.c.epoch == epoch, leases.c.holder != "")
        .values(expires_at=now + timedelta(seconds=ttl_s))
    )
    if renewed.rowcount != 1:
        raise _lost(name, epoch)


def guard(connection: Connection, name: str, epoch: int) -> None:
    """LeaseLost unless `epoch` is the newest; until the transaction ends nobody else can take the lease."""
    found = connection.execute(sa.select(leases.c.epoch).where(leases.c.name == name).with_for_update(read=True)).scalar_one_or_none()
    if found != epoch:
        raise _lost(name, epoch)


def release(connection: Connection, name: str, epoch: int, now: datetime) -> None:
    """Frees the lease at once if it is still that epoch's; the epoch stays used."""
    connection.execute(sa.update(leases).where(leases.c.name == name, leases.c.epoch == epoch).values(holder="", expires_at=now))


def holder_of(connection: Connection, name: str, now: datetime) -> str | None:
    """Who holds the lease at `now`; None when nobody does."""
    found = connection.execute(sa.select(leases.c.holder).where(leases.c.name == name, leases.c.expires_at > now)).scalar_one_or_none()
    return found or None


def last_sign(connection: Connection, name: str, ttl_s: float = TTL_S) -> tuple[str, datetime] | None:
    """Who had the lease last, empty when it was given back, and when that was seen; None when nobody ever had it.

    A holder is seen at each renewal, every third of `ttl_s`.
    """
    row = connection.execute(sa.select(leases.c.holder, leases.c.expires_at).where(leases.c.name == name)).first()
    if row is None:
        return None
    return row.holder, row.expires_at - timedelta(seconds=ttl_s) if row.holder else row.expires_at


def _lost(name: str, epoch: int) -> LeaseLost:
    return LeaseLost(f"the lease {name!r} of epoch {epoch} was taken over by another process; this write was refused")
