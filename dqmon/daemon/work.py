"""What the scheduler is given: which checks are due when, and what to call. `dqmon.app` fills it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

from dqmon.core.cron import last_fire, next_fire
from dqmon.daemon.cron import fingerprint, phase
from dqmon.store.slots import Planned, Slot

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from dqmon.core.check import Check, Schedule

FUSE_WITHIN_S = 30.0
"""Slots of one table that lie this close together run as one batch."""


def _nothing(*_: object) -> None:
    """For work without warehouses."""


T = TypeVar("T")
"""What one batch found, ready to be committed."""


@dataclass(frozen=True, slots=True)
class Work(Generic[T]):
    """The use cases, each called from a worker thread (never the tick's) with the time of the call.

    run_batch: measures and judges claimed slots of one table. It judges what it cannot measure as ERROR, and raises
        StoreError only; the slots are then due again within a minute.
    commit: transaction 1 for several batches; ends their slots by `slots.finish`.
    notify: step 2; returns when it has something to do next, None: only after new events.
    deliver: sends what is due on one channel; returns when that channel has something to send next.
    poll: reads one ingestion source. purge: retention.
    refresh: resolves the patterns again and returns the new setup, None when nothing changed.
    relearn: takes over what tools have said of the lineage since, and returns as refresh does; asks the store alone.
    close: gives back idle connections; called when another setup has taken over (last batches may still run), and at the end.
    cancel: at the end, ends the statements of batches that have not ended; returns at once.
    probe: tries the warehouses again that could not be reached, each when its time has come.
    end_removed: ends the alerts of checks that are not there any more.
    attribute: asks engines what earlier statements have really cost.
    mirror: copies the next rows of the metrics tables into a warehouse; when it is to be called again, None: after the usual time.
    emit: tells the next results to a lineage server; returns as mirror does.
    listen: called by the tick, with whether this process leads: starts or stops hearing what people answer in channels; returns at once.
    """

    run_batch: Callable[[tuple[Slot, ...], datetime], T]
    commit: Callable[[Connection, Sequence[T], datetime], object]
    notify: Callable[[datetime], datetime | None]
    deliver: Callable[[str, datetime], datetime | None]
    poll: Callable[[str, datetime], object]
    purge: Callable[[datetime], object]
    refresh: Callable[[], Setup[T] | None]
    close: Callable[[], object]
    cancel: Callable[[], object] = _nothing
    probe: Callable[[datetime], object] = _nothing
    end_removed: Callable[[datetime], object] = _nothing
    attribute: Callable[[datetime], object] = _nothing
    mirror: Callable[[datetime], datetime | None] = _nothing
    emit: Callable[[datetime], datetime | None] = _nothing
    listen: Callable[[bool], object] = _nothing
    relearn: Callable[[], Setup[T] | None] = _nothing


@dataclass(frozen=True, slots=True)
class Timed:
    """A check as the scheduler sees it: its schedule, the warehouse that runs it and its table.

    Of a pipeline `warehouse` is the source with a slash, `subject` the pipeline: a tool that hangs holds up no other one.
    """

    schedule: Schedule
    warehouse: str
    subject: str

    @property
    def phase_s(self) -> float:
        """The shift of its interval; 0 for cron, which is not shifted. Pipelines of a source share it, so that the tool is asked once."""
        subject = "" if self.warehouse.endswith("/") else self.subject
        return phase(self.warehouse, subject, self.schedule.every_s) if self.schedule.every_s else 0.0


@dataclass(frozen=True, slots=True)
class Setup(Generic[T]):
    """One loaded configuration; a reload makes a new one.

    checks: those with a schedule, by id. connections: how many batches a warehouse takes at once; a source takes one.
    polls: seconds between two looks at a source, by its name. refresh_every: how often patterns are applied anew: hourly, sooner
    while something that they need cannot be asked. mirror_every: None without a mirror; emit_every: None without a lineage server.
    """

    work: Work[T]
    checks: Mapping[str, Timed]
    connections: Mapping[str, int]
    channels: tuple[str, ...] = ()
    polls: Mapping[str, float] = field(default_factory=dict)
    fuse_within_s: float = FUSE_WITHIN_S
    refresh_every: timedelta = timedelta(hours=1)
    mirror_every: timedelta | None = None
    emit_every: timedelta | None = None

    @property
    def planned(self) -> dict[str, Planned]:
        """What the store keeps of each check's schedule."""
        return {check_id: Planned(check.warehouse, fingerprint(check.schedule, check.phase_s)) for check_id, check in self.checks.items()}

    def next_due(self, check_id: str, after: datetime) -> datetime | None:
        """The check's first slot strictly after `after`."""
        check = self.checks[check_id]
        return next_fire(check.schedule, check.phase_s, after)

    def lapsed(self, check_id: str, due_at: datetime, now: datetime) -> datetime:
        """The check's last slot in [due_at, now]."""
        check = self.checks[check_id]
        return last_fire(check.schedule, check.phase_s, due_at, now)

    def batches(self, slots: Sequence[Slot]) -> list[tuple[str, tuple[Slot, ...]]]:
        """The claimed slots as (warehouse, slots of one table within `fuse_within_s` of its first), oldest first."""
        groups: dict[tuple[str, str], list[list[Slot]]] = {}
        for slot in sorted(slots, key=lambda slot: slot.slot_at):
            check = self.checks[slot.check_id]
            runs = groups.setdefault((check.warehouse, check.subject), [])
            if runs and (slot.slot_at - runs[-1][0].slot_at).total_seconds() <= self.fuse_within_s:
                runs[-1].append(slot)
            else:
                runs.append([slot])
        found = [(warehouse, tuple(run)) for (warehouse, _), runs in groups.items() for run in runs]
        return sorted(found, key=lambda batch: batch[1][0].slot_at)


def timed(check: Check) -> Timed | None:
    """The check as the scheduler sees it; None when it runs on demand only."""
    pool = check.warehouse or (f"{check.pipeline.source}/" if check.pipeline else "")
    return Timed(check.schedule, pool, check.subject) if check.schedule else None
