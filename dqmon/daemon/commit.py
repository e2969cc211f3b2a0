"""Writes what finished batches found, many in one transaction: a store with slow commits must not set the pace."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from dqmon.errors import StoreError
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from dqmon.store.database import Database

journal = Log("dqmon.daemon.commit")

GROUP_S = 0.05
"""How long a result waits for others to share its transaction."""
GROUP_RESULTS = 500
"""More results than this are not put into one transaction."""
MAX_WAITING = 5_000
"""Results in memory while the store is down; beyond them `submit` waits, so that checks slow down."""
RETRY_S = 1.0
"""Between two tries while the store is down."""

T = TypeVar("T")
Write = Callable[["Connection", Sequence[T], datetime], object]


@dataclass(frozen=True, slots=True)
class _Item(Generic[T]):
    outcome: T
    size: int
    done: Callable[[], None]


class Committer(Generic[T]):
    """One thread that commits in groups; before `start` and after `stop` the submitting thread commits itself.

    While the store does not answer, outcomes are kept and tried again. One that the store refuses while it answers is
    tried once more alone, then dropped and logged: its slot becomes due again. `done` is called either way.
    """

    def __init__(self, database: Database, write: Write[T], clock: Callable[[], datetime]) -> None:
        self._database = database
        self._write = write
        self._clock = clock
        self._items: deque[_Item[T]] = deque()
        self._waiting = 0
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_stopping = False
        self.cpu_s = 0.0
        self.commits = 0
        self.dropped = 0

    def start(self) -> None:
        """Starts the thread."""
        self._thread = threading.Thread(target=self._run, name="dqmon commit", daemon=True)
        self._thread.start()

    def submit(self, outcome: T, size: int, done: Callable[[], None]) -> None:
        """Commits soon; `size` is how many results the outcome has. Waits while too many results wait already."""
        item = _Item(outcome, size, done)
        with self._change:
            if self._thread is not None:
                self._change.wait_for(lambda: self._waiting < MAX_WAITING or self._is_stopping)
                self._items.append(item)
                self._waiting += size
                self._change.notify_all()
                return
        if not self._commit([item]):
            raise StoreError("the store does not answer; the results were not recorded")

    def stop(self, timeout_s: float) -> bool:
        """Commits all that waits; False when the store did not take it in time (the slots will run again)."""
        with self._change:
            thread = self._thread
            self._is_stopping = True
            self._change.notify_all()
        if thread is not None:
            thread.join(timeout_s)
        with self._change:
            return not self._items and (thread is None or not thread.is_alive())

    def _run(self) -> None:
        while group := self._next_group():
            before = time.thread_time()
            while not self._commit(group):
                with self._change:
                    self._change.wait(RETRY_S)
            self.cpu_s += time.thread_time() - before
            with self._change:
                self._waiting -= sum(item.size for item in group)
                self._change.notify_all()

    def _next_group(self) -> list[_Item[T]]:
        """The outcomes of `GROUP_S` or up to `GROUP_RESULTS` results; empty when stopping and all is written."""
        with self._change:
            self._change.wait_for(lambda: self._items or self._is_stopping)
            self._change.wait_for(lambda: self._waiting >= GROUP_RESULTS or self._is_stopping, GROUP_S)
            group: list[_Item[T]] = []
            size = 0
            while self._items and (not group or size + self._items[0].size <= GROUP_RESULTS):
                group.append(self._items.popleft())
                size += group[-1].size
            if not group:
                self._thread = None
            return group

    def _commit(self, group: list[_Item[T]]) -> bool:
        """True when every outcome is written or given up; False when the store does not answer."""
        if self._try(group) is not None:
            if not self._answers():
                return False
            for item in group:
                if (problem := self._try([item])) is not None:
                    self.dropped += 1
                    journal.error("results were not recorded; the checks will run again", error=problem)
        for item in group:
            item.done()
        return True

    def _try(self, group: list[_Item[T]]) -> str | None:
        """Writes the group in one transaction; what went wrong, if something did."""
        try:
            with self._database.write() as connection:
                self._write(connection, [item.outcome for item in group], self._clock())
        except Exception as e:  # noqa: BLE001 - one bad outcome must not stop the recording of all others
            return f"{type(e).__name__}: {e}"
        self.commits += 1
        return None

    def _answers(self) -> bool:
        try:
            with self._database.write():
                return True
        except StoreError as e:
            journal.error("the store does not answer; results wait", error=str(e), results=self._waiting)
            return False
