"""Time in tests, on a machine that may be slow and busy: what has happened is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 90.0
"""How long a test waits for what comes at once on a quiet machine; it matters only when it never comes."""


def wait_for(reached: Callable[[], Any], what: str, timeout_s: float = PATIENCE_S, log: Callable[[], str] = str) -> Any:
    """The first true answer of `reached`; fails with `what` and the log when none comes in time."""
    until = time.monotonic() + timeout_s
    while not (found := reached()):
        assert time.monotonic() < until, f"waited {timeout_s:g} s for {what}; the log says:\n{log()}"
        time.sleep(0.05)
    return found


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    began = time.monotonic()
    work()
    return time.monotonic() - began
