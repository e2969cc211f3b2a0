"""Sends what the outbox holds: claim, render, send outside any transaction, mark."""

from __future__ import annotations

import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

from dqmon.errors import NotifyError, OutcomeUnknown, Permanent, Transient
from dqmon.store import deliveries, outages, sending
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.core.delivery import Delivery, Receipt
    from dqmon.core.protocols import Channel
    from dqmon.engine.telling.pace import Pace
    from dqmon.store.database import Database

log = Log("dqmon.deliver")

BACKOFF_S = (1.0, 300.0)
"""The first and the longest bound of the random wait before another attempt."""
RETRY_AFTER_LIMIT_S = 900.0
"""A vendor's Retry-After is obeyed up to here."""
GIVE_UP_AFTER = timedelta(hours=24)
UNSERVED_AFTER = timedelta(hours=25)
"""So old and in nobody's hands: its channel has left the configuration."""

_RANDOM = SystemRandom()


class Ending(StrEnum):
    """How one attempt ended. LOST: the sender was so late that another one had taken over."""

    SENT = "sent"
    RETRIED = "retried"
    DEAD = "dead"
    NOT_SENT = "not_sent"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Sender:
    """What sending needs: `clock` says now, `jitter` is a random number in [0, 1), `instance` names this process.

    pace: how fast; without it, as fast as it goes.
    """

    database: Database
    channels: Mapping[str, Channel]
    clock: Callable[[], datetime]
    instance: str
    jitter: Callable[[], float]
    pace: Pace | None = None


def deliver_once(
    database: Database,
    channels: Mapping[str, Channel],
    clock: Callable[[], datetime],
    instance_token: str,
    *,
    limit: int = 100,
    jitter: Callable[[], float] = _RANDOM.random,
    pace: Pace | None = None,
) -> Counter[Ending]:
    """Makes at most `limit` attempts at what is due for the given channels and counts how they ended.

    A channel that fails in passing is left alone for the rest of the call, so that a dead one costs one time-out. Safe to
    run in many processes and threads at once. Raises StoreError; what was being sent then is taken over after its lease.
    """
    sender = Sender(database, channels, clock, instance_token, jitter, pace)
    waiting = dict(channels)
    endings: Counter[Ending] = Counter()
    while waiting and endings.total() < limit and (delivery := _claim(sender, waiting)):
        ending = _attempt(sender, delivery)
        endings[ending] += 1
        if ending is Ending.RETRIED:
            del waiting[delivery.channel]
    with database.read() as connection:
        has_unserved = sending.has_unserved(connection, clock() - UNSERVED_AFTER)
    if has_unserved:
        with database.write() as connection:
            endings[Ending.DEAD] += sending.bury_unserved(connection, clock() - UNSERVED_AFTER)
    return endings


def lease_s(channels: Mapping[str, Channel]) -> float:
    """Longer than twice what one delivery may take: a look-up and a request, each with the channel's time-out."""
    return max(60.0, *(4 * channel.options.timeout + 10 for channel in channels.values()))


def backoff_s(attempt: int, jitter: float) -> float:
    """Full jitter: a random part of a bound that doubles with each attempt.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter
    """
    first, longest = BACKOFF_S
    return jitter * min(longest, first * 2.0 ** min(attempt - 1, 16))


def _claim(sender: Sender, waiting: Mapping[str, Channel]) -> Delivery | None:
    """Looks before it writes, so that an idle sender never takes SQLite's one write lock."""
    now = sender.clock()
    waiting = waiting if sender.pace is None else sender.pace.ready(waiting, now)
    if not waiting:
        return None
    with sender.database.read() as connection:
        if not sending.is_due(connection, now, waiting):
            return None
    token = f"{sender.instance}:{uuid.uuid4().hex}"
    with sender.database.write() as connection:
        return sending.claim(connection, now, lease_s(sender.channels), token, waiting)


def _attempt(sender: Sender, delivery: Delivery) -> Ending:
    channel = sender.channels[delivery.channel]
    try:
        payload = channel.render(delivery.message, delivery.part)
        delivery = replace(delivery, payload=payload, text=channel.text(payload))
        if channel.options.dry_run:
            with sender.database.write() as connection:
                is_ours = sending.mark_not_sent(connection, delivery, deliveries.DRY_RUN)
            return Ending.NOT_SENT if is_ours else Ending.LOST
        if sender.pace is not None:
            sender.pace.spend(delivery.channel, channel, sender.clock())
        receipt = channel.send(payload, delivery)
    except NotifyError as e:
        return _failed(sender, delivery, e)
    except Exception as e:  # noqa: BLE001 - one of the three places: a fault of one row must not stop the others
        # Not the exception's own words: they may hold what a message or a request holds.
        at = traceback.extract_tb(e.__traceback__)[-1]
        return _failed(
            sender, delivery, Transient(f"{type(e).__name__} at {Path(at.filename).name}:{at.lineno}, a fault of dqmon; please report it")
        )
    return _sent(sender, delivery, receipt)


def _sent(sender: Sender, delivery: Delivery, receipt: Receipt) -> Ending:
    with sender.database.write() as connection:
        if sending.mark_sent(connection, delivery, receipt, sender.clock()):
            outages.end(connection, delivery.channel)
            log.info("delivery sent", channel=delivery.channel, delivery=delivery.id, kind=delivery.kind, part=delivery.part)
            return Ending.SENT
        again = sending.resolve_again(connection, delivery)
    log.warning("sent after the lease was lost", channel=delivery.channel, delivery=delivery.id, resolves_again=again)
    return Ending.LOST


def _failed(sender: Sender, delivery: Delivery, error: NotifyError) -> Ending:
    now = sender.clock()
    reason = str(error)
    delivery = replace(delivery, is_uncertain=delivery.is_uncertain or isinstance(error, OutcomeUnknown))
    is_too_old = now - delivery.created_at >= GIVE_UP_AFTER
    with sender.database.write() as connection:
        if isinstance(error, Permanent) or is_too_old:
            ending = Ending.DEAD
            reason = f"given up after 24 h: {reason}" if is_too_old else reason
            is_ours = sending.give_up(connection, delivery, reason)
        else:
            ending = Ending.RETRIED
            wanted = error.retry_after_s if isinstance(error, Transient) else None
            wait_s = backoff_s(delivery.attempt, sender.jitter()) if wanted is None else min(wanted, RETRY_AFTER_LIMIT_S)
            is_ours = sending.retry(connection, delivery, now + timedelta(seconds=wait_s), reason)
        if is_ours:
            outages.begin(connection, delivery.channel, now, reason)
    log.warning("delivery failed", channel=delivery.channel, delivery=delivery.id, attempt=delivery.attempt, reason=reason, ending=ending)
    return ending if is_ours else Ending.LOST
