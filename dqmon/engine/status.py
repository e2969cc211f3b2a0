"""How everything stands, as the store has it: the daemon, checks, incidents, messages, and what cannot be reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.core.delivery import DeliveryState
from dqmon.engine.measuring import outage
from dqmon.engine.select import states_of
from dqmon.store import deliveries, incidents, leases, meta, outages, pipelines, silences, slots

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.config.project import Project
    from dqmon.core.incident import Incident
    from dqmon.core.silence import Quiet

STATES = ("passing", "warning", "failing", "error", "skipped", "learning", "overdue", "never run")
"""The words of the selector `state:`, and one for checks without a result."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """holder: the host and process of the last one; empty when it has stopped as it should, None when none has ever run.

    seen_at: its last sign of life, a third of a lease's term behind its ticks at most.
    """

    holder: str | None
    seen_at: datetime | None
    is_alive: bool
    loaded: meta.Loaded


@dataclass(frozen=True, slots=True)
class Trouble:
    """What cannot be reached: a channel, warehouse or source, since when, and why. since: of a source, when it was tried last."""

    kind: str
    name: str
    since: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Status:
    """How everything stands at `at`.

    checks: how many there are in all. states: how many have each word of STATES; a check with several results counts for each, as
    the selector `state:` takes it. waiting, given_up: messages, by channel. quiet: what mutes at `at`, with its end.
    """

    at: datetime
    daemon: Daemon
    checks: int
    states: Mapping[str, int]
    incidents: tuple[Incident, ...]
    waiting: Mapping[str, int]
    given_up: Mapping[str, int]
    troubles: tuple[Trouble, ...]
    quiet: tuple[tuple[Quiet, datetime], ...]


def status(connection: Connection, project: Project | None, now: datetime) -> Status:
    """What the store says, without asking anybody else. Checks that only patterns find count once a daemon has planned them.

    Without a `project` (its files are invalid) the checks are those that a daemon has planned.
    """
    ids = {check.id for check in project.checks} if project else set()
    if project is None or project.patterns:
        ids |= slots.planned_checks(connection)
    states = states_of(connection, ids, now)
    counted = Counter(word for words in states.values() for word in words or ("never run",))
    totals = deliveries.totals(connection)
    waiting, given_up = (
        {name: count for name, found in totals.items() if (count := found.get(state))}
        for state in (DeliveryState.QUEUED, DeliveryState.DEAD)
    )
    quiet = (*silences.active(connection, now), *(project.quiet if project else ()))
    return Status(
        now,
        _daemon(connection, now),
        len(ids),
        {word: counted[word] for word in STATES if counted[word]},
        incidents.open_incidents(connection),
        waiting,
        given_up,
        tuple(_troubles(connection, project)),
        tuple((one, end) for one in quiet if (end := one.until(now))),
    )


def _daemon(connection: Connection, now: datetime) -> Daemon:
    holder, seen_at = leases.last_sign(connection, leases.LEADER) or (None, None)
    is_alive = leases.holder_of(connection, leases.LEADER, now) is not None
    return Daemon(holder and holder.rpartition(":")[0], seen_at, is_alive, meta.loaded(connection))


def _troubles(connection: Connection, project: Project | None) -> Iterator[Trouble]:
    """What was in trouble when it was tried last; what the configuration no longer names is left out."""
    settings = project.settings if project else None
    for out in outages.listed(connection):
        if settings is None or out.channel in settings.channels:
            yield Trouble("channel", out.channel, out.since, out.reason)
    for name, alert in outage.outages(connection).items():
        reason = next((member.reason for member in alert.members.values()), "")
        yield Trouble("warehouse", name, alert.fired_at, reason)
    for name, contact in pipelines.contacts(connection).items():
        if contact.is_lost and contact.failed_at and (settings is None or name in settings.ingestion):
            yield Trouble("source", name, contact.failed_at, contact.failure or "")
