"""The tick: four times a second, all that is due goes to its workers. Its truth is in the store; its clock is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Generic

from dqmon.daemon.agenda import LOOK_EVERY, Agenda
from dqmon.daemon.commit import Committer
from dqmon.daemon.leader import Candidate, Lease
from dqmon.daemon.work import Setup, T
from dqmon.errors import LeaseLost, StoreError
from dqmon.store import leases, slots
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from dqmon.daemon.workers import Executor
    from dqmon.store.database import Database
    from dqmon.store.slots import Slot

journal = Log("dqmon.daemon.scheduler")

QUEUED_BATCHES = 64
"""Batches that may wait for one warehouse; its further slots stay due in the store, where they coalesce."""
RECLAIM_EVERY = timedelta(minutes=1)
BACKWARD = timedelta(seconds=1)
"""A clock that goes back by more than this was set back."""


CANCEL_S = 2.0
"""How long statements that were cancelled are waited for."""
LAST_COMMIT_S = 2.0
"""What the last commit may take when the work itself used up the time to drain."""


@dataclass(frozen=True, slots=True)
class Drained:
    """How the end went: whether nothing runs any more, and whether the store took all that was found."""

    is_idle: bool
    is_recorded: bool


@dataclass(slots=True)
class Figures:
    """What the scheduler did since its start; `tick_cpu_s` is the CPU time of the tick's thread."""

    ticks: int = 0
    tick_cpu_s: float = 0.0
    slots: int = 0
    gaps: int = 0
    clock_jumps: int = 0
    failures: int = 0


class Scheduler(Generic[T]):
    """Claims due slots and runs them, wakes notifying and delivering, polls, purges; all by `tick`.

    `tick` never waits for a warehouse or a channel, and a store that fails is tried again by the next one. With `Inline` as
    executor and without starting the committer it does everything in the caller's thread, so that a virtual clock can drive
    it from `next_at` to `next_at`.
    """

    def __init__(
        self, database: Database, setup: Setup[T], executor: Executor, clock: Callable[[], datetime], candidate: Candidate
    ) -> None:
        self._database = database
        self._setup = setup
        self._next_setup: Setup[T] | None = setup
        self._executor = executor
        self._clock = clock
        self._leader = Lease(database, leases.LEADER, candidate)
        self._agenda = Agenda(database, executor, clock, candidate, self.swap)
        self._pools: tuple[str, ...] = ()
        self._held: set[tuple[str, str]] = set()
        self._last_tick: datetime | None = None
        self._reclaim_at: datetime | None = None
        self._must_sync = True
        self._trouble = ""
        self.committer: Committer[T] = Committer(database, self._commit, clock)
        self.figures = Figures()

    def swap(self, setup: Setup[T]) -> None:
        """Makes the next tick go over to `setup`; what is running ends with the old one. Safe from any thread."""
        self._next_setup = setup

    @property
    def is_leading(self) -> bool:
        """True while this process claims slots; False while it stands by."""
        return self._leader.epoch is not None

    def tick(self, now: datetime) -> None:
        """One round: reload, lease, due slots, reclaiming, then whatever else is due."""
        before = time.thread_time()
        try:
            self._notice_clock(now)
            self._take_over_setup()
            if self._leader.hold(now):
                self._lead(now)
            else:
                self._must_sync, self._reclaim_at = True, None
            self._setup.work.listen(self.is_leading)
            self._agenda.tick(now, is_leading=self.is_leading)
        except LeaseLost as e:
            self._leader.lose(str(e))
        except StoreError as e:
            self.figures.failures += 1
            if str(e) != self._trouble:  # four times a second the same line would bury all others
                journal.error("tick failed; every next one tries again", error=str(e))
            self._trouble = str(e)
        else:
            if self._trouble:
                journal.info("ticks go on")
            self._trouble = ""
        finally:
            self.figures.ticks += 1
            self.figures.tick_cpu_s += time.thread_time() - before

    def next_at(self) -> datetime | None:
        """When the next slot or message is due, for a virtual clock; None when nothing ever is. Raises StoreError.

        Always later than the last tick: what that one left over is looked at again after `LOOK_EVERY`.
        """
        with self._database.read() as connection:
            found = (slots.next_due_at(connection), self._agenda.next_at())
        first = min((at for at in found if at is not None), default=None)
        if first is None or self._last_tick is None or first > self._last_tick:
            return first
        return self._last_tick + LOOK_EVERY

    def due_not_started(self, now: datetime) -> int:
        """How much should be running and is not: due slots in the store and tasks that wait for a thread."""
        with self._database.read() as connection:
            return slots.count_due(connection, now) + self._executor.all_waiting()

    def drain(self, timeout_s: float) -> Drained:
        """Stops claiming, finishes what runs, commits, gives the rest's slots back, frees the leases, cancels the rest.

        No tick may run any more. Takes `timeout_s` and a few seconds of store time at most. What is cancelled ends as ERROR,
        which nobody records: its slots have been given back before.
        """
        until = time.monotonic() + timeout_s
        self._executor.stop()
        is_idle = self._executor.join(timeout_s)
        is_recorded = self.committer.stop(max(LAST_COMMIT_S, until - time.monotonic()))
        try:
            with self._database.write() as connection:
                slots.give_back(connection, list(self._held))
            self._leader.release(self._clock())
            self._agenda.release()
        except StoreError as e:
            is_recorded = False
            journal.error("the store did not take the last state; it is repaired at the next start", error=str(e))
        if not is_idle:
            self._setup.work.cancel()
            is_idle = self._executor.join(CANCEL_S)
        self._setup.work.close()
        return Drained(is_idle, is_recorded)

    def _commit(self, connection: Connection, outcomes: Sequence[T], now: datetime) -> None:
        self._setup.work.commit(connection, outcomes, now)

    def _notice_clock(self, now: datetime) -> None:
        if self._last_tick is not None and now < self._last_tick - BACKWARD:
            self.figures.clock_jumps += 1
            self._must_sync = True
            self._reclaim_at = None
            self._agenda.forget_times()
            journal.warning("the clock was set back; no slot runs twice", seconds=(self._last_tick - now).total_seconds())
        self._last_tick = now

    def _take_over_setup(self) -> None:
        setup, self._next_setup = self._next_setup, None
        if setup is None:
            return
        old, self._setup = self._setup, setup
        self._executor.resize({f"warehouse {name}": size for name, size in setup.connections.items()})
        self._pools = tuple(sorted({check.warehouse for check in setup.checks.values()}))
        self._agenda.take_over(setup)
        self._must_sync = True
        if old is not setup:
            old.work.close()

    def _lead(self, now: datetime) -> None:
        epoch = self._leader.epoch
        if epoch is None:
            return
        if self._must_sync:
            with self._database.write() as connection:
                leases.guard(connection, leases.LEADER, epoch)
                slots.sync(connection, self._setup.planned, self._setup.next_due, now)
            self._must_sync = False
        if self._reclaim_at is None or now >= self._reclaim_at:
            with self._database.write() as connection:
                leases.guard(connection, leases.LEADER, epoch)
                lost = slots.reclaim(connection, epoch, self._held)
            self._reclaim_at = now + RECLAIM_EVERY
            if lost:
                journal.warning("slots of a dead or failed attempt are due again", slots=len(lost), first=lost[0])
        for warehouse, batch in self._setup.batches(self._claim(epoch, now)):
            self._submit(warehouse, batch)

    def _claim(self, epoch: int, now: datetime) -> tuple[Slot, ...]:
        setup = self._setup
        with self._database.read() as connection:
            first = slots.next_due_at(connection)
        if first is None or first > now:
            return ()
        free = tuple(pool for pool in self._pools if self._executor.waiting(f"warehouse {pool}") < QUEUED_BATCHES)
        with self._database.write() as connection:
            leases.guard(connection, leases.LEADER, epoch)
            claimed = slots.advance(connection, now, slots.Claim(epoch, free), setup.next_due, setup.lapsed)
        self._held.update((slot.check_id, slot.attempt_token) for slot in claimed)
        self.figures.slots += len(claimed)
        if gaps := [slot for slot in claimed if slot.gap_since]:
            self.figures.gaps += len(gaps)
            journal.warning(
                "slots lapsed; each check runs once, late", checks=len(gaps), since=min(slot.gap_since for slot in gaps if slot.gap_since)
            )
        return claimed

    def _submit(self, warehouse: str, batch: tuple[Slot, ...]) -> None:
        work = self._setup.work
        attempts = {(slot.check_id, slot.attempt_token) for slot in batch}

        def done() -> None:
            self._held.difference_update(attempts)
            self._agenda.wake()

        def run() -> None:
            try:
                outcome = work.run_batch(batch, self._clock())
            except BaseException:
                self._held.difference_update(attempts)  # reclaimed within a minute
                raise
            self.committer.submit(outcome, len(batch), done)

        self._executor.submit(f"warehouse {warehouse}", run)
