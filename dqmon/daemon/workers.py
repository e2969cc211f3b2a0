"""Bounded pools of threads by name: one for each warehouse, channel and source, so that a slow one blocks only itself."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from dqmon.telemetry import Log

journal = Log("dqmon.daemon.workers")

Task = Callable[[], object]


class Executor(Protocol):
    """Where tasks run. `Workers` has threads; `Inline` runs them in the caller's, for a virtual clock."""

    failures: int
    """How many tasks raised."""

    def resize(self, sizes: Mapping[str, int]) -> None:
        """Sets how many tasks each pool runs at once; unnamed pools run one."""

    def submit(self, pool: str, task: Task) -> None:
        """Runs the task later, in the order of submitting; after `stop` it is dropped."""

    def waiting(self, pool: str) -> int:
        """How many tasks of the pool have not begun."""

    def all_waiting(self) -> int:
        """How many tasks of all pools have not begun."""

    def stop(self) -> None:
        """Drops what has not begun and takes nothing more."""

    def join(self, timeout_s: float) -> bool:
        """Waits for what is running; False when some of it still does."""


class Inline:
    """Runs each task at once in the caller's thread: the same work on a virtual clock, in a fixed order."""

    failures = 0

    def resize(self, sizes: Mapping[str, int]) -> None:
        """Nothing to do: there are no threads."""

    def submit(self, pool: str, task: Task) -> None:
        """Runs the task; one that raises is logged and counted."""
        self.failures += not _runs_well(pool, task)

    def waiting(self, pool: str) -> int:
        """Always 0."""
        del pool
        return 0

    def all_waiting(self) -> int:
        """Always 0."""
        return 0

    def stop(self) -> None:
        """Nothing to do: nothing waits."""

    def join(self, timeout_s: float) -> bool:
        """True: nothing runs."""
        del timeout_s
        return True


class Workers:
    """Pools of daemon threads, started when needed. A task that raises is logged and counted; its thread goes on."""

    def __init__(self) -> None:
        self._pools: dict[str, _Pool] = {}
        self._sizes: Mapping[str, int] = {}
        self._lock = threading.Lock()
        self._is_stopped = False
        self.failures = 0

    def resize(self, sizes: Mapping[str, int]) -> None:
        """Running tasks go on; a pool that shrinks starts nothing until it is below its new size."""
        with self._lock:
            self._sizes = dict(sizes)
            for name, pool in self._pools.items():
                pool.resize(sizes.get(name, 1))

    def submit(self, pool: str, task: Task) -> None:
        """Queues the task behind the pool's others."""
        with self._lock:
            if self._is_stopped:
                return
            if pool not in self._pools:
                self._pools[pool] = _Pool(pool, self._sizes.get(pool, 1), self._failed)
            self._pools[pool].submit(task)

    def waiting(self, pool: str) -> int:
        """How many tasks of the pool have not begun."""
        found = self._pools.get(pool)
        return len(found.tasks) if found else 0

    def all_waiting(self) -> int:
        """How many tasks of all pools have not begun."""
        return sum(len(pool.tasks) for pool in list(self._pools.values()))

    def stop(self) -> None:
        """Drops what has not begun and takes nothing more."""
        with self._lock:
            self._is_stopped = True
            for pool in self._pools.values():
                pool.stop()

    def join(self, timeout_s: float) -> bool:
        """True when all running tasks ended within `timeout_s` in all."""
        until = time.monotonic() + timeout_s
        return all(pool.join(until) for pool in list(self._pools.values()))

    def _failed(self) -> None:
        with self._lock:
            self.failures += 1


class _Pool:
    def __init__(self, name: str, size: int, failed: Callable[[], None]) -> None:
        self._name = name
        self._failed = failed
        self._size = size
        self._change = threading.Condition()
        self._threads = 0
        self._idle = 0
        self._running = 0
        self._is_stopped = False
        self.tasks: deque[Task] = deque()

    def resize(self, size: int) -> None:
        with self._change:
            self._size = size
            while self._threads < min(self._size, len(self.tasks)):
                self._start()
            self._change.notify_all()

    def submit(self, task: Task) -> None:
        with self._change:
            self.tasks.append(task)
            if self._idle < len(self.tasks) and self._threads < self._size:
                self._start()
            self._change.notify()

    def stop(self) -> None:
        with self._change:
            self._is_stopped = True
            self.tasks.clear()
            self._change.notify_all()

    def join(self, until: float) -> bool:
        with self._change:
            return self._change.wait_for(lambda: self._running == 0, max(0.0, until - time.monotonic()))

    def _start(self) -> None:
        self._threads += 1
        threading.Thread(target=self._work, name=f"dqmon {self._name}", daemon=True).start()

    def _work(self) -> None:
        while (task := self._take()) is not None:
            if not _runs_well(self._name, task):
                self._failed()
            with self._change:
                self._running -= 1
                self._change.notify_all()

    def _take(self) -> Task | None:
        """The next task; None ends the thread."""
        with self._change:
            self._idle += 1
            self._change.wait_for(lambda: self._is_stopped or self._threads > self._size or self.tasks)
            self._idle -= 1
            if self._is_stopped or self._threads > self._size:
                self._threads -= 1
                return None
            self._running += 1
            return self.tasks.popleft()


def _runs_well(pool: str, task: Task) -> bool:
    """Runs the task; False when it raised, which is logged."""
    try:
        task()
    except Exception as e:  # noqa: BLE001 - a thread must outlive a defect in one task; the task's slots are reclaimed
        journal.error("a task failed", pool=pool, error=f"{type(e).__name__}: {e}")
        return False
    return True
