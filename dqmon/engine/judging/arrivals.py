"""What checks of arrivals need: kept loads of the pipelines that load their tables, and when measured values changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.core.check import PipelineRef
from dqmon.core.check_type import DatasetCheck
from dqmon.core.history import Change
from dqmon.core.load_record import LoadRecord
from dqmon.core.measurement import MetricRequest, Segment
from dqmon.engine.judging.upstreams import nearest
from dqmon.engine.measuring.asked import Task, requests, windows

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.engine.environment import Environment
    from dqmon.engine.measuring.measured import Measured
    from dqmon.errors import SourceError
    from dqmon.store.alerts import Span

_SINCE = timedelta(days=400)
_MOST_LOADS = 5_000
"""Newest records of a pipeline: more than three days of a load every minute, more than half a year of hourly ones."""
_NEW = timedelta(seconds=90)
"""A source that was read so recently is not read again: the daemon polls every minute."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What checks of arrivals look at.

    lost: by check id, why the source of its loads cannot be read; then there are none. loads, incidents: by check id. changes: by
    check, request and segment.
    """

    lost: Mapping[str, SourceError] = field(default_factory=dict)
    loads: Mapping[str, tuple[LoadRecord, ...]] = field(default_factory=dict)
    incidents: Mapping[str, Sequence[Span]] = field(default_factory=dict)
    changes: Mapping[tuple[str, MetricRequest, Segment], tuple[Change, ...]] = field(default_factory=dict)


def loaders(environment: Environment, tasks: Iterable[Task]) -> dict[str, tuple[PipelineRef, ...]]:
    """By check id, the pipelines that load its table, of checks that need their loads."""
    found = {}
    for task in tasks:
        check = task.check
        if isinstance(check.rule, DatasetCheck) and check.rule.needs_loads:
            found[check.id] = nearest(environment.lineage, check.node, environment.sources)
    return found


def stale_sources(environment: Environment, wanted: Mapping[str, Sequence[PipelineRef]], now: datetime) -> frozenset[str]:
    """The sources of those pipelines whose kept records are too old to say that a load has not come."""
    sources = {ref.source for refs in wanted.values() for ref in refs}
    if not sources:
        return frozenset()
    from dqmon.store import pipelines

    with environment.database.read() as connection:
        contacts = pipelines.contacts(connection)
    polled = {source: contacts[source].polled_at for source in sources if source in contacts and not contacts[source].is_lost}
    return frozenset(source for source in sources if (at := polled.get(source)) is None or at < now - _NEW)


def gather_arrivals(
    connection: Connection,
    tasks: Sequence[Task],
    measured: Measured,
    wanted: Mapping[str, tuple[PipelineRef, ...]],
    unreachable: Mapping[str, SourceError],
) -> Arrivals:
    """Reads all of it, in a few statements for all tasks."""
    from dqmon.store.changes import changes
    from dqmon.store.feedback import alerted
    from dqmon.store.loads import newest
    from dqmon.store.series import history_key

    mine = [task for task in tasks if task.check.id in wanted]
    since = min(task.scheduled_at for task in mine) - _SINCE
    lost = {id_: unreachable[ref.source] for id_, refs in wanted.items() for ref in refs if ref.source in unreachable}
    readable = {id_: refs for id_, refs in wanted.items() if id_ not in lost}
    records = newest(connection, {ref for refs in readable.values() for ref in refs}, _MOST_LOADS, since, whole=False)
    keys = {}
    for task in mine:
        rule = task.check.rule
        metric = rule.changes_metric(task.check) if isinstance(rule, DatasetCheck) else None
        for window in windows(task) if metric is not None else ():
            for request in requests(task, window):
                if request.metric == metric:
                    for one in measured.by_request.get(request, ()):
                        keys[task.check.id, request, one.segment] = history_key(request, one.segment, task.check.id)
    changed = changes(connection, set(keys.values()), since) if keys else {}
    return Arrivals(
        lost,
        {id_: tuple(record for ref in refs for record in records[ref]) for id_, refs in readable.items()},
        alerted(connection, wanted.keys()).spans,
        {of: changed[key] for of, key in keys.items()},
    )
