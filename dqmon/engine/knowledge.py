"""What judging needs besides the measurements: past values, accepted schemas, kept load records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.core.check import DatasetCheck, PipelineRef
from dqmon.core.history import History, Point
from dqmon.core.judgement import LoadEvidence
from dqmon.core.metric import MetricKind
from dqmon.engine.arrivals import Arrivals, gather_arrivals, loaders, stale_sources
from dqmon.engine.asked import Task, requests, windows
from dqmon.engine.judge import HistoryOf, Knowledge
from dqmon.store import schemas
from dqmon.store.feedback import alerted
from dqmon.store.measurements import HistoryKey, history, history_key

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.load_record import PipelineInfo
    from dqmon.engine.environment import Environment
    from dqmon.engine.measured import Measured
    from dqmon.errors import SourceError

HISTORY = timedelta(days=400)
"""How far back a baseline may look: a year and a month, so that a yearly season is inside."""
LOADS = timedelta(days=90)
"""How far back a pipeline's load records are judged."""


def gather(environment: Environment, tasks: Sequence[Task], measured: Measured, now: datetime) -> Knowledge:
    """Reads what the tasks need, in few statements; nothing at all for tasks that need nothing. Raises StoreError.

    The sources of pipeline checks, and those of learned arrivals, are polled first, so that the records are as new as the verdict.
    """
    piped = [task for task in tasks if task.check.pipeline is not None]
    loading = loaders(environment, tasks)
    sources = {task.check.pipeline.source for task in piped if task.check.pipeline} | stale_sources(environment, loading, now)
    unreachable: dict[str, SourceError] = {}
    listed: dict[PipelineRef, PipelineInfo] = {}
    if sources:
        from dqmon.engine.poll import poll

        unreachable = poll({name: environment.sources[name] for name in sorted(sources)}, environment.database, now, listed)
    past = _histories_wanted(tasks, measured)
    tables = {request.table for request in measured.by_request if request.metric.kind is MetricKind.METADATA}
    if not (past or piped or tables or loading):
        return Knowledge()
    # A pipeline that is looked at for the first time is noted, so that its grace counts from now.
    with environment.database.write() if piped else environment.database.read() as connection:
        return Knowledge(
            _histories(connection, past),
            schemas.accepted(connection, tables) if tables else {},
            _load_evidence(connection, piped, listed, now),
            unreachable,
            gather_arrivals(connection, tasks, measured, loading, unreachable) if loading else Arrivals(),
            now,
        )


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


def _load_evidence(
    connection: Connection, tasks: Sequence[Task], listed: Mapping[PipelineRef, PipelineInfo], now: datetime
) -> dict[str, LoadEvidence]:
    """By check id, what is kept of the pipelines of the tasks; each pipeline is read once."""
    if not tasks:
        return {}
    from dqmon.store import backlogs, loads, pipelines

    fired = alerted(connection, {task.check.id for task in tasks})
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
            known[ref] = LoadEvidence(records, first_seen, now, now, listed.get(ref), waiting, samples)
        incidents, real = fired.spans.get(check.id, ()), fired.real.get(check.id, ())
        found[check.id] = replace(known[ref], scheduled_at=task.scheduled_at, incidents=incidents, real=real)
    return found
