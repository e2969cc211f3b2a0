"""The daemon's life: start, tick, reload (SIGHUP), drain (SIGTERM). The main thread only waits for signals."""

from __future__ import annotations

import logging
import os
import queue
import signal
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic

from dqmon.daemon.leader import Candidate
from dqmon.daemon.lock import only_daemon
from dqmon.daemon.scheduler import Scheduler
from dqmon.daemon.work import Setup, T
from dqmon.daemon.workers import Workers
from dqmon.errors import ConfigError, DqmonError, StoreError
from dqmon.store.leases import TTL_S, check_writable
from dqmon.store.meta import keep_loaded
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from types import FrameType

    from dqmon.store.database import Database

journal = Log("dqmon.daemon.service")

TICK_S = 0.25
"""The lateness that a tick adds, at 0.4 % of a core."""
DRAIN_S = 20.0
"""How long running work may take to finish after SIGTERM."""
STALLED_S = 2.0
"""APScheduler waits by the wall clock: when that is set back no tick comes until it has caught up, so one is called for."""
OK, NOT_RECORDED = 0, 4
"""Exit codes."""


class Service(Generic[T]):
    """One daemon process on one store.

    `load` reads and validates the whole configuration; at the start its errors are the caller's, at a reload they are
    logged with file and line and what ran goes on. On SQLite a second daemon is refused (UsageError); on PostgreSQL it
    stands by until the leader's lease is free.
    """

    def __init__(self, database: Database, load: Callable[[], Setup[T]], *, drain_s: float = DRAIN_S, lease_s: float = TTL_S) -> None:
        self._database = database
        self._load = load
        self._drain_s = drain_s
        self._lease_s = lease_s
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._reloads = {"succeeded": 0, "failed": 0}
        self._ticked_at = time.monotonic()

    def run(self) -> int:
        """Runs until SIGTERM or SIGINT and returns the exit code; a second signal ends the process at once.

        1. take the file lock (SQLite); 2. load, and see that the store can be written; 3. tick until told to stop; 4. drain;
        5. log the figures. Raises ConfigError, UsageError and StoreError before the first tick only.
        """
        file = self._database.file
        with only_daemon(file) if file else nullcontext(), self._listening():
            setup = self._load()
            with self._database.write() as connection:
                check_writable(connection)
                keep_loaded(connection, datetime.now(UTC))
            holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
            candidate = Candidate(holder, self._lease_s, is_alone=self._database.is_sqlite)
            scheduler = Scheduler(self._database, setup, Workers(), lambda: datetime.now(UTC), candidate)
            started = time.monotonic()
            scheduler.committer.start()
            self._tick_until_stopped(scheduler)
            drained = scheduler.drain(self._drain_s)
            self._log_figures(scheduler, time.monotonic() - started)
        code = OK if drained.is_recorded else NOT_RECORDED
        if not drained.is_idle:
            _leave(code)
        return code

    def idle_s(self) -> float:
        """Seconds since the last tick was seen, a second more or less; before the first one, since the start."""
        return time.monotonic() - self._ticked_at

    def reload(self, scheduler: Scheduler[T]) -> bool:
        """Loads everything anew and goes over to it at the next tick; keeps the old one when anything is wrong."""
        try:
            setup = self._load()
        except DqmonError as e:
            self._reloads["failed"] += 1
            problems = [str(problem) for problem in (e.problems if isinstance(e, ConfigError) else (e,))]
            self._keep(problems)
            for problem in problems:
                journal.error("reload refused, the old configuration stays", problem=problem)
            return False
        self._reloads["succeeded"] += 1
        scheduler.swap(setup)
        self._keep()
        journal.info("reloaded", checks=len(setup.checks))
        return True

    def _keep(self, problems: Sequence[str] = ()) -> None:
        """Keeps how the reload went, for `dqmon status`; a store that does not answer is no reason to stop."""
        try:
            with self._database.write() as connection:
                keep_loaded(connection, datetime.now(UTC), problems)
        except StoreError as e:
            journal.warning("how the reload went was not kept", error=str(e))

    def _tick_until_stopped(self, scheduler: Scheduler[T]) -> None:
        clock, job = _clock(lambda: scheduler.tick(datetime.now(UTC)))
        journal.info("daemon started", pid=os.getpid())
        seen = -1
        try:
            while True:
                try:
                    number = self._signals.get(timeout=STALLED_S / 2)
                except queue.Empty:
                    number = 0
                if number in (signal.SIGTERM, signal.SIGINT):
                    journal.info("stopping", signal=signal.Signals(number).name)
                    return
                if number == signal.SIGHUP:
                    self.reload(scheduler)
                if scheduler.figures.ticks != seen:
                    seen, self._ticked_at = scheduler.figures.ticks, time.monotonic()
                elif self.idle_s() > STALLED_S:
                    job.modify(next_run_time=datetime.now(UTC))
        finally:
            clock.shutdown(wait=True)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Signals go to the queue, whose `put` is safe in a signal handler; the second one to stop ends the process."""
        stops = 0

        def receive(number: int, _frame: FrameType | None) -> None:
            nonlocal stops
            stops += number != signal.SIGHUP
            if stops > 1:
                os._exit(128 + number)
            self._signals.put(number)

        before = {number: signal.signal(number, receive) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _log_figures(self, scheduler: Scheduler[T], uptime_s: float) -> None:
        figures, committer = scheduler.figures, scheduler.committer
        journal.info(
            "daemon stopped",
            uptime_s=round(uptime_s, 3),
            ticks=figures.ticks,
            tick_cpu_s=round(figures.tick_cpu_s, 3),
            commit_cpu_s=round(committer.cpu_s, 3),
            commits=committer.commits,
            slots=figures.slots,
            gaps=figures.gaps,
            clock_jumps=figures.clock_jumps,
            failures=figures.failures,
            not_recorded=committer.dropped,
            reloads=self._reloads["succeeded"],
            failed_reloads=self._reloads["failed"],
        )


def _clock(tick: Callable[[], None]) -> tuple[Any, Any]:
    """A started APScheduler with the one job: every `TICK_S`, never twice at once, never caught up on."""
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler

    # A tick that takes longer than `TICK_S` skips the next one, which is meant; only failures are worth a line.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    clock = BackgroundScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(1)})
    # From a whole second on, so that ticks meet the slots, which lie on whole seconds and quarters of them.
    since = datetime(2026, 1, 1, tzinfo=UTC)
    job = clock.add_job(tick, "interval", seconds=TICK_S, start_date=since, max_instances=1, coalesce=True, misfire_grace_time=None)
    clock.start()
    return clock, job


def _leave(code: int) -> None:
    """Ends the process without waiting for threads that hang in a driver; their slots were given back."""
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)
