"""Checks that are due, and what must be measured to judge them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from dqmon.core.calendar import partitions
from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.measurement import Measurement, MetricRequest, Partition
from dqmon.engine.measuring.known import Known
from dqmon.sql.metrics import RowCount


@dataclass(frozen=True, slots=True)
class Task:
    """A check to be run for a slot; `attempt_token` is the claim on the slot, None for on-demand runs."""

    check: Check
    scheduled_at: datetime
    attempt_token: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What all results of one run share. `at` is set by `--at`: now, partitions and history stand still there."""

    id: str
    is_ad_hoc: bool = False
    at: datetime | None = None


def windows(task: Task) -> tuple[Partition | None, ...]:
    """The partitions that a task must judge, oldest first; (None,) for the whole table."""
    check, rule = task.check, task.check.rule
    if not isinstance(rule, DatasetCheck) or check.partition is None or rule.across_table:
        return (None,)
    found = partitions(check.partition, check.timezone, task.scheduled_at)
    return (*found, Partition(check.partition.column, None, None)) if rule.judges_null_keys else found


def requests(task: Task, partition: Partition | None) -> tuple[MetricRequest, ...]:
    """What must be measured to judge one partition, in the order of the type's metrics; of other tables last."""
    return (*own_requests(task, partition), *other_requests(task, partition, {}))


def asked_by(tasks: Iterable[Task]) -> dict[MetricRequest, list[str]]:
    """Every distinct request of the tasks, for all their partitions, in their order; and the ids of the checks that ask for it."""
    return _asked_by((task.check.id, r) for task in tasks for r in _task_requests(task))


def missing_requests(tasks: Iterable[Task], measured: Mapping[MetricRequest, tuple[Measurement, ...]]) -> dict[MetricRequest, list[str]]:
    """As `asked_by`, what must be measured besides, now that `measured` is known; nothing once all tasks can be judged."""
    wanted = ((task.check.id, r) for task in tasks for window in windows(task) for r in other_requests(task, window, measured))
    return _asked_by((check, request) for check, request in wanted if request not in measured)


def _task_requests(task: Task) -> Iterator[MetricRequest]:
    yield from (r for window in windows(task) for r in requests(task, window))
    yield from keyless(task)


def _asked_by(asked: Iterable[tuple[str, MetricRequest]]) -> dict[MetricRequest, list[str]]:
    found: dict[MetricRequest, list[str]] = {}
    for check, request in asked:
        checks = found.setdefault(request, [])
        if check not in checks:
            checks.append(check)
    return found


def own_requests(task: Task, partition: Partition | None) -> tuple[MetricRequest, ...]:
    """The metrics of the check's own table, for one partition."""
    check, rule = task.check, task.check.rule
    if not isinstance(rule, DatasetCheck) or check.table is None:
        return ()
    return tuple(
        MetricRequest(check.table, metric, check.where, partition, check.segment_by, check.max_segments, check.naive_timezone)
        for metric in rule.metrics(check)
    )


def other_requests(
    task: Task, partition: Partition | None, measured: Mapping[MetricRequest, tuple[Measurement, ...]]
) -> tuple[MetricRequest, ...]:
    """The type's other requests, and those that follow from what is measured."""
    check, rule = task.check, task.check.rule
    if not isinstance(rule, DatasetCheck):
        return ()
    return tuple(dict.fromkeys((*rule.other_requests(check, partition), *rule.further_requests(check, partition, Known(measured)))))


def keyless(task: Task) -> tuple[MetricRequest, ...]:
    """The request for how many rows have no partition key, where no result of their own says it."""
    check, rule = task.check, task.check.rule
    if check.table is None or check.partition is None or not isinstance(rule, DatasetCheck):
        return ()
    if rule.across_table or rule.judges_null_keys:
        return ()
    null = Partition(check.partition.column, None, None)
    return (MetricRequest(check.table, RowCount(), check.where, null, check.segment_by, check.max_segments, check.naive_timezone),)
