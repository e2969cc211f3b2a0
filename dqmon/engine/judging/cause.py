"""Late, broken or wrong: what is said of a bad result by the state of the pipelines that its table is made from. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from dqmon.checks.base.load_runs import ended, ended_at, error_text, last_attempts
from dqmon.checks.base.usual_limits import durations, usual_seconds
from dqmon.core.check import PipelineRef, Schedule
from dqmon.core.check_type import DatasetCheck
from dqmon.core.cron import last_fire
from dqmon.core.duration import format_duration
from dqmon.core.judgement import LoadEvidence
from dqmon.core.load_record import LoadRecord, LoadStatus
from dqmon.engine.judging.late_rows import late_rows

if TYPE_CHECKING:
    from dqmon.core.load_record import PipelineInfo
    from dqmon.core.result import CheckResult
    from dqmon.store.pipelines import Contact

GRACE = timedelta(minutes=10)
"""How much later than its schedule a load may start and not be called late; the default of missed_schedule."""
_HALF_DONE = timedelta(hours=1)
"""A load that is half done for longer than this has stopped; the default of orphan_load."""
_EARLY = timedelta(seconds=30)
"""A tool may start a load so much before the minute of its schedule, as in missed_schedule."""
_TIMES_USUAL, _FEWEST = 3.0, 5
"""Running for longer than three times what is usual, by five loads at least, is late: the example of stuck_run."""
_SERVED = (LoadStatus.SUCCEEDED, LoadStatus.SKIPPED)
"""What a schedule may expect: a load, or that the tool found nothing to do."""
_LONGEST_FAILURE = 200


class Condition(StrEnum):
    """How a pipeline is. UNREACHABLE: its source cannot be read, so that nobody knows."""

    FINE = "fine"
    BROKEN = "broken"
    LATE = "late"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a pipeline: its newest loads as a whole (the newest last), what its tool says of it, how far it was read."""

    ref: PipelineRef
    records: tuple[LoadRecord, ...]
    info: PipelineInfo | None
    contact: Contact


@dataclass(frozen=True, slots=True)
class Upstream:
    """A pipeline that a table is made from, and how it is. `said` is a clause about it; empty of a fine one.

    ended: its newest loads. known_at: up to when its records were read, of a fine one.
    """

    node: str
    condition: Condition
    said: str
    ended: tuple[LoadRecord, ...] = ()
    known_at: datetime | None = None


def upstream(kept: Kept, now: datetime) -> Upstream:
    """How the pipeline is at `now`: its newest load failed, its source cannot be read, it is late, or none of these."""
    node, evidence = str(kept.ref), LoadEvidence(kept.records, now, now, now)
    loads = tuple(r for r in ended(evidence) if r.kind == "load" and not _may_run(r, now))
    if loads and loads[-1].status is not LoadStatus.SUCCEEDED:
        return Upstream(node, Condition.BROKEN, _failed(node, loads[-1], now), loads)
    contact = kept.contact
    if contact.is_lost and contact.failed_at is not None:
        why = " ".join((contact.failure or "").split())[:_LONGEST_FAILURE]
        said = f"nobody knows how {node} is: its source could not be read at {_clock(contact.failed_at, now)}: {why}"
        return Upstream(node, Condition.UNREACHABLE, said, loads)
    if late := _late(kept, evidence, loads, min(now, contact.polled_at or now)):
        return Upstream(node, Condition.LATE, f"{node} {late}", loads)
    return Upstream(node, Condition.FINE, "", loads, min(now, contact.polled_at or now))


def with_cause(result: CheckResult, above: Sequence[Upstream]) -> CheckResult:
    """The bad result, its reason saying which pipeline it is caused by, or that the loads were fine and the rows are wrong.

    above: the pipelines that the table is made from, the most upstream first; the first one in trouble is the cause.
    """
    if (cause := next((one for one in above if one.condition is not Condition.FINE), None)) is not None:
        return replace(result, caused_by=cause.node, reason=f"{result.reason}; {cause.said}")
    if above and (said := _wrong(result, above) or late_rows(result, above)):
        return replace(result, reason=f"{result.reason}; {said}")
    return result


def _wrong(result: CheckResult, above: Sequence[Upstream]) -> str | None:
    """That every load since the newest row went well; None where one did not, or nothing was loaded since."""
    rule, observed = result.check.rule, result.observed
    if not isinstance(rule, DatasetCheck) or not rule.observes_age or observed is None or not isinstance(observed.value, int | float):
        return None
    newest_row = result.measured_at - timedelta(seconds=float(observed.value))
    found: list[tuple[datetime, str]] = []
    for one in above:
        since = [record for record in one.ended if (record.started_at or ended_at(record)) > newest_row]
        if not since or any(record.status is not LoadStatus.SUCCEEDED for record in since):
            return None
        found.append((ended_at(since[-1]), one.node))
    at, node = max(found)
    return f"its load {node} succeeded at {_clock(at, result.measured_at)}: the rows are wrong, not late"


def _failed(node: str, record: LoadRecord, now: datetime) -> str:
    verb = {LoadStatus.PARTIAL: "stopped half-way", LoadStatus.CANCELLED: "was cancelled"}.get(record.status, "failed")
    return f"{node} {verb} at {_clock(ended_at(record), now)}{error_text(record)}"


def _may_run(record: LoadRecord, now: datetime) -> bool:
    """True of a load without an end of which only half is there: it may still be running."""
    return record.status is LoadStatus.PARTIAL and record.finished_at is None and now - ended_at(record) <= _HALF_DONE


def _late(kept: Kept, evidence: LoadEvidence, loads: Sequence[LoadRecord], known_at: datetime) -> str | None:
    """Why the pipeline is late, by what is known up to `known_at`; None when it is not, or nothing says when it should load."""
    served = [r for r in last_attempts(evidence) if r.status in _SERVED and r.kind == "load"]
    if not served:
        return None
    usual_s = usual_seconds(durations(r for r in loads if r.status is LoadStatus.SUCCEEDED), _FEWEST)
    last = max(_stands_for(record) for record in served)
    running = [r.started_at for r in last_attempts(evidence) if r.status is LoadStatus.RUNNING and r.started_at and r.started_at > last]
    if running:
        running_s = (known_at - min(running)).total_seconds()
        is_long = usual_s is not None and running_s > max(_TIMES_USUAL * usual_s, GRACE.total_seconds())
        return f"has been running for {format_duration(running_s)}, usually {format_duration(usual_s or 0)}" if is_long else None
    if kept.info is None or kept.info.schedule is None or kept.info.is_paused:
        return None
    schedule, due_by = kept.info.schedule, known_at - GRACE - timedelta(seconds=usual_s or 0)
    fire = _last_fire(schedule, last, due_by)
    if fire is None:
        return None
    return f"has not loaded since {_clock(last, known_at)}, though it was due at {_clock(fire, known_at)}"


def _last_fire(schedule: Schedule, last: datetime, due_by: datetime) -> datetime | None:
    """The last fire after `last` and up to `due_by`; an interval counts from the last load. None when there is none."""
    if schedule.every_s is not None:
        step = timedelta(seconds=schedule.every_s)
        return last + step * ((due_by - last) // step) if due_by >= last + step else None
    since = last + _EARLY
    fire = last_fire(schedule, 0.0, since, max(since, due_by))
    return fire if fire > since else None


def _stands_for(record: LoadRecord) -> datetime:
    return record.scheduled_for or record.started_at or ended_at(record)


def _clock(at: datetime, now: datetime) -> str:
    return f"{at:%H:%M} UTC" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M} UTC"
