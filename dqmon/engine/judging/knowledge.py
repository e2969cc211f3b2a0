"""What judging needs besides the measurements: past values, accepted schemas, kept load records."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.core.check import PipelineRef
from dqmon.core.check_type import DatasetCheck
from dqmon.core.history import History, Point
from dqmon.core.judgement import LoadEvidence
from dqmon.core.metric import MetricKind
from dqmon.engine.judging.arrivals import Arrivals, gather_arrivals, loaders, stale_sources
from dqmon.engine.judging.judge import HistoryOf, Knowledge
from dqmon.engine.measuring.asked import Task, requests, windows
from dqmon.store import schemas
from dqmon.store.feedback import alerted
from dqmon.store.measurements import history
from dqmon.store.series import HistoryKey, history_key

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.engine.environment import Environment
    from dqmon.engine.measuring.measured import Measured
    from dqmon.engine.polling.polls import Poll

HISTORY = timedelta(days=400)
"""How far back a baseline may look: a year and a month, so that a yearly season is inside."""
LOADS = timedelta(days=90)
"""How far back a pipeline's load records are judged."""


def gather(environment: Environment, tasks: Sequence[Task], measured: Measured, now: datetime) -> Knowledge:
    """Reads what the tasks need, in few statements; nothing at all for tasks that need nothing. Raises StoreError.

    The sources of pipeline checks, and those of learned arrivals, are polled first, unless that was done since the checks were due.
    """
    piped = [task for task in tasks if task.check.pipeline is not None]
    loading = loaders(environment, tasks)
    polled = _polled(environment, piped, stale_sources(environment, loading, now), now)
    unreachable = {name: found.failure for name, found in polled.items() if found.failure is not None}
    past = _histories_wanted(tasks, measured)
    tables = {request.table for request in measured.by_request if request.metric.kind is MetricKind.METADATA}
    if not (past or piped or tables or loading):
        return Knowledge()
    # A pipeline that is looked at for the first time is noted, so that its grace counts from now.
    with environment.database.write() if piped else environment.database.read() as connection:
        return Knowledge(
            _histories(connection, past),
            schemas.accepted(connection, tables) if tables else {},
            _load_evidence(connection, piped, polled, now),
            unreachable,
            gather_arrivals(connection, tasks, measured, loading, unreachable) if loading else Arrivals(),
            now,
        )


def _polled(environment: Environment, piped: Sequence[Task], stale: Collection[str], now: datetime) -> dict[str, Poll]:
    """What came of the sources of the pipelines, read since they were due, and of the `stale` ones, read now."""
    due: dict[str, datetime] = {}
    for task in piped:
        if (ref := task.check.pipeline) is not None:
            due[ref.source] = max(task.scheduled_at, due.get(ref.source, task.scheduled_at))
    polls = environment.polls
    asked = sorted({name for name, at in due.items() if not polls.is_known(name, at, now)}.union(stale))
    if asked:
        from dqmon.engine.polling.poll import poll

        poll({name: environment.sources[name] for name in asked}, environment.database, now, polls)
    return {name: found for name in {*due, *stale} if (found := polls.newest(name)) is not None}


@dataclass(frozen=True, slots=True)
class _Past:
    """A series in the store, and which of its points count: those before an instant, as far back as `span`."""

    key: HistoryKey
    before: datetime
    span: timedelta


def _histories_wanted(tasks: Sequence[Task], measured: Measured) -> dict[HistoryOf, _Past]:
    """The past of each check, request and segment with a baseline."""
    found: dict[HistoryOf, _Past] = {}
    for task in tasks:
        rule = task.check.rule
        if not isinstance(rule, DatasetCheck) or (metric := rule.history_metric(task.check)) is None:
            continue
        span = rule.history_span or HISTORY
        for window in windows(task):
            for request in requests(task, window):
                if request.metric == metric and not (window and window.start is None):
                    before = window.start if window and window.start else task.scheduled_at
                    for measurement in measured.by_request.get(request, ()):
                        key = history_key(request, measurement.segment, task.check.id)
                        found[task.check.id, request, measurement.segment] = _Past(key, before, span)
    return found


def _histories(connection: Connection, wanted: dict[HistoryOf, _Past]) -> dict[HistoryOf, History]:
    """The points of each, in one statement for all that reach equally far back."""
    if not wanted:
        return {}
    fired = alerted(connection, {check_id for check_id, _, _ in wanted})
    points: dict[tuple[HistoryKey, timedelta], tuple[Point, ...]] = {}
    for span in {past.span for past in wanted.values()}:
        asked = [past for past in wanted.values() if past.span == span]
        newest, oldest = (choose(past.before for past in asked) for choose in (max, min))
        found = history(connection, {past.key for past in asked}, newest, oldest - span, fired)
        points |= {(key, span): kept for key, kept in found.items()}
    return {of: History(tuple(p for p in points[past.key, past.span] if p.at < past.before)) for of, past in wanted.items()}


def _load_evidence(connection: Connection, tasks: Sequence[Task], polled: Mapping[str, Poll], now: datetime) -> dict[str, LoadEvidence]:
    """By check id, what is kept of the pipelines of the tasks as of the last poll; each pipeline is read once."""
    if not tasks:
        return {}
    from dqmon.store import backlogs, loads, pipelines

    fired = alerted(connection, {task.check.id for task in tasks})
    listed = {PipelineRef(name, info.pipeline): info for name, poll in polled.items() for info in poll.infos}
    known: dict[PipelineRef, LoadEvidence] = {}
    found = {}
    for task in tasks:
        check, ref = task.check, task.check.pipeline
        assert ref is not None  # noqa: S101 - for the type checker: only tasks with a pipeline come here
        if ref not in known:
            records = loads.of_pipeline(connection, ref.source, ref.pipeline, now - LOADS)
            first_seen = pipelines.first_seen(connection, ref.source, ref.pipeline, now)
            waiting = backlogs.of_pipeline(connection, ref.source, ref.pipeline)
            samples = backlogs.samples_of(connection, ref.source, ref.pipeline, now - backlogs.KEPT)
            known[ref] = LoadEvidence(records, first_seen, now, polled[ref.source].at, listed.get(ref), waiting, samples)
        incidents, real = fired.spans.get(check.id, ()), fired.real.get(check.id, ())
        found[check.id] = replace(known[ref], scheduled_at=task.scheduled_at, incidents=incidents, real=real)
    return found
