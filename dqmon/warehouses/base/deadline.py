"""A limit on one statement, for engines that cannot set one, and as the second net for those that can."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class Deadline:
    """Runs each stop (seconds from now, what to do) that is reached inside `with`, from a thread of its own.

    A stop never runs after the `with` has ended, so that it cannot hit the next statement. `is_past` tells whether the
    first one was reached.
    """

    def __init__(self, *stops: tuple[float, Callable[[], object]]) -> None:
        self._stops: Sequence[tuple[float, Callable[[], object]]] = stops
        self._lock = threading.Lock()
        self._is_over = False
        self._timers: list[threading.Timer] = []
        self.is_past = False

    def __enter__(self) -> Self:
        for after_s, stop in self._stops:
            timer = threading.Timer(after_s, self._reach, (stop,))
            timer.daemon = True
            timer.start()
            self._timers.append(timer)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._is_over = True
        for timer in self._timers:
            timer.cancel()

    def _reach(self, stop: Callable[[], object]) -> None:
        with self._lock:
            if not self._is_over:
                self.is_past = True
                stop()
