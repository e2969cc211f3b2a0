"""Holding a lease: taken when it is free, renewed long before it ends, given up when somebody else has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.errors import LeaseLost
from dqmon.store import leases
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.store.database import Database

journal = Log("dqmon.daemon.leader")

TRY_EVERY = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Who wants leases: `holder` names the process, `lease_s` is how long each is good.

    `is_alone`: no other daemon can be alive (SQLite, under the file lock), so that a dead one's leadership is not waited for.
    """

    holder: str
    lease_s: float = leases.TTL_S
    is_alone: bool = False


class Lease:
    """This process's claim on one lease; `epoch` is None while another process has it. Used by the tick alone."""

    def __init__(self, database: Database, name: str, candidate: Candidate) -> None:
        self._database = database
        self._name = name
        self._candidate = candidate
        self._looked_at: datetime | None = None
        self.epoch: int | None = None

    def hold(self, now: datetime) -> bool:
        """True while the lease is ours; takes, renews or loses it as time goes on. Raises StoreError."""
        me = self._candidate
        wait = TRY_EVERY if self.epoch is None else timedelta(seconds=me.lease_s / 3)
        if self._looked_at is not None and timedelta() <= now - self._looked_at < wait:
            return self.epoch is not None
        try:
            with self._database.write() as connection:
                if self.epoch is None:
                    is_alone = me.is_alone and self._name == leases.LEADER  # a `check` command may be notifying
                    self.epoch = leases.acquire(connection, self._name, me.holder, now, me.lease_s, is_alone=is_alone)
                else:
                    leases.renew(connection, self._name, self.epoch, now, me.lease_s)
        except LeaseLost as e:
            self.lose(str(e))
        self._looked_at = now
        return self.epoch is not None

    def lose(self, why: str) -> None:
        """Forgets the lease; it may be taken again later, with a new epoch."""
        journal.warning("lease lost", name=self._name, error=why)
        self.epoch = None

    def release(self, now: datetime) -> None:
        """Frees the lease at once for whoever waits. Raises StoreError."""
        if self.epoch is not None:
            with self._database.write() as connection:
                leases.release(connection, self._name, self.epoch, now)
            self.epoch = None
