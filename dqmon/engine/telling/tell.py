"""Telling at once: what `dqmon check` does after its run, under the notify lease."""

from __future__ import annotations

import secrets
from collections import Counter
from typing import TYPE_CHECKING

from dqmon.core.protocols import ChangeTeller
from dqmon.engine.telling.inhibited import has_news
from dqmon.store import leases, outages, sending

if TYPE_CHECKING:
    from dqmon.engine.environment import Environment


def tell_now(environment: Environment) -> str | None:
    """Notifies and delivers at once; returns what could not be delivered, None when all is well.

    While a daemon holds the notify lease, what there is to tell is left to it: queued is success. Raises StoreError.
    """
    now = environment.clock()
    if any(isinstance(channel, ChangeTeller) for channel in environment.channels.values()):
        from dqmon.engine.telling.schema_changes import queue_changes

        queue_changes(environment, now)
    with environment.database.read() as connection:
        if not has_news(connection, now, is_at_once=True) and not sending.is_due(connection, now, environment.channels):
            return None
    holder = f"check {secrets.token_hex(8)}"
    with environment.database.write() as connection:
        epoch = leases.acquire(connection, leases.NOTIFY, holder, now)
    if epoch is None:
        return None
    try:
        return _tell(environment, holder)
    finally:
        with environment.database.write() as connection:
            leases.release(connection, leases.NOTIFY, epoch, environment.clock())


def _tell(environment: Environment, holder: str) -> str | None:
    # Only a run with something to tell pays for what renders and sends.
    from dqmon.engine.telling.deliver import Ending, deliver_once
    from dqmon.engine.telling.notify import notify_once

    endings: Counter[Ending] = Counter()
    for _ in range(1 + len(environment.channels)):  # what one channel refuses its fallback is told, which may refuse it as well
        now = environment.clock()
        while (due := notify_once(environment, now, is_at_once=True)) is not None and due <= now:
            continue
        endings += deliver_once(environment.database, environment.channels, environment.clock, holder)
        with environment.database.read() as connection:
            if not outages.is_due(connection, environment.clock()):
                break
    late, dead = endings[Ending.RETRIED], endings[Ending.DEAD]
    if not late and not dead:
        return None
    return f"messages not delivered: {late} will be tried again, {dead} given up; `dqmon incidents show` says why"
