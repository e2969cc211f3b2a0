"""Digests: what each owner is told of all of their checks together, each time once, through the outbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.alerts.digest import WEEK, digest_lines, digest_title
from dqmon.alerts.group import dedup_key
from dqmon.core.cron import last_fire, next_fire
from dqmon.core.delivery import Delivery, DeliveryState
from dqmon.core.message import DeliveryKind, Message
from dqmon.core.verdict import Severity
from dqmon.engine.telling.digest_figures import Looked
from dqmon.store import deliveries, meta
from dqmon.store.writes import one_teller
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.alerts.digest import Figures
    from dqmon.core.check import Check
    from dqmon.core.digest import DigestPlan
    from dqmon.engine.environment import Environment

log = Log(__name__)

_TOLD = "digest_slot"
"""The key in dq_meta of the time of the last digests."""
_LONGEST = timedelta(days=400)
"""So far back the digest before is looked for."""


def digest_once(environment: Environment, now: datetime) -> datetime | None:
    """Puts the digests that are due into the outbox; returns when the next ones are, None where none are wanted.

    Those of one time are written together with that they were, so that each is sent once whatever ends the process. Of several
    times that passed while nobody was there the last one counts; a store that never knew of digests begins with the next one.
    Only the holder of the notify lease may call it. Raises StoreError.
    """
    plan = environment.digest
    if plan is None:
        return None
    with environment.database.read() as connection:
        told = meta.get(connection, _TOLD)
    if told is None:
        with environment.database.write() as connection:
            meta.put(connection, _TOLD, now.isoformat())
        return next_fire(plan.schedule, 0.0, now)
    before = datetime.fromisoformat(told)
    slot = last_fire(plan.schedule, 0.0, min(before, now), now)
    if slot > before:
        made = tuple(_made(environment, plan, slot, now))
        with environment.database.write() as connection:
            one_teller(connection)
            if meta.get(connection, _TOLD) == told:
                deliveries.add(connection, made)
                meta.put(connection, _TOLD, slot.isoformat())
        log.info("digests are in the outbox", slot=f"{slot:%Y-%m-%dT%H:%M:%SZ}", messages=len(made))
    return next_fire(plan.schedule, 0.0, now)


def digests(environment: Environment, now: datetime, owner: str | None = None) -> tuple[Figures, ...]:
    """The figures of the last week of each owner, or of one, by name; without that owner none. Nothing is sent."""
    return _figures(environment, (now - WEEK, now), owner)


def _made(environment: Environment, plan: DigestPlan, slot: datetime, now: datetime) -> Iterator[Delivery]:
    """The messages of a time, each to all channels of its owner; kept and not sent where a channel takes no digests."""
    before = last_fire(plan.schedule, 0.0, slot - _LONGEST, slot - timedelta(seconds=1))
    since = before if before > slot - _LONGEST else slot - WEEK
    for figures in _figures(environment, (since, slot), None):
        for channel in plan.channels(figures.owner):
            yield from _parts(environment, figures, channel, now)


def _parts(environment: Environment, figures: Figures, name: str, now: datetime) -> Iterator[Delivery]:
    group_id = f"digest {figures.until.astimezone(UTC):%Y-%m-%dT%H:%M}Z {figures.owner}"
    message = Message(
        DeliveryKind.DIGEST,
        environment.instance,
        incident_id="",
        group_id=group_id,
        dedup_key=dedup_key(environment.instance, name, group_id, 0),
        severity=Severity.INFO,
        title=digest_title(figures),
        opened_at=figures.since,
        at=figures.until,
        alerts=(),
        lines=digest_lines(figures),
    )
    channel = environment.channels.get(name)
    parts = channel.parts(message) if channel is not None else ()
    reason = "" if parts else f"the channel {name!r} {'takes no digests' if channel else 'is not configured any more'}"
    for part in parts or ("none",):
        state = DeliveryState.NOT_SENT if reason else DeliveryState.QUEUED
        key, kind = message.dedup_key, message.kind
        yield Delivery(environment.new_id(), 0, group_id, name, key, kind, part, message, now, state=state, reason=reason)


def _figures(environment: Environment, span: tuple[datetime, datetime], owner: str | None) -> tuple[Figures, ...]:
    owned: dict[str, list[Check]] = {}
    for check in environment.checks.values():
        if owner is None or (check.owner or "") == owner:
            owned.setdefault(check.owner or "", []).append(check)
    with environment.database.read() as connection:
        looked = Looked(environment, connection, *span)
        return tuple(looked.at(name, owned[name]) for name in sorted(owned))
