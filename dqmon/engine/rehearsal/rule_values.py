"""Values of rule tests as if they had been measured: judged, and ready to be committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING

from dqmon.checks.base.as_measured import as_measured
from dqmon.core.measurement import Failure, FailureKind, Measurement, MetricRequest, Partition
from dqmon.core.metric import Value
from dqmon.core.rule_test import Given, Series
from dqmon.engine.judging.judge import judge
from dqmon.engine.judging.knowledge import gather
from dqmon.engine.measuring.asked import Run, Task, asked_by, missing_requests, own_requests, windows
from dqmon.engine.measuring.measured import Measured
from dqmon.engine.run import RunOutcome

if TYPE_CHECKING:
    from dqmon.core.check import Check
    from dqmon.engine.environment import Environment

_LOST = Failure(FailureKind.QUERY, "it could not be measured, as the test says")


class Values:
    """What each check finds in its next run. Of a partitioned check that is the value of the newest partition; those before it in the
    lookback keep theirs, and before the first run there are none.
    """

    def __init__(self, series: Sequence[Series]) -> None:
        self._left = [(one.check, iter(one.values)) for one in series]
        self._kept: dict[tuple[str, str], Given] = {}

    def outcomes(self, environment: Environment, slot: datetime) -> tuple[RunOutcome, ...]:
        """A run of each check that still has a value. Raises StoreError."""
        given = ((check, next(values, None)) for check, values in self._left)
        return tuple(self._outcome(environment, check, slot, value) for check, value in given if value is not None)

    def _outcome(self, environment: Environment, check: Check, slot: datetime, given: Given) -> RunOutcome:
        """As `engine.run.evaluate`, with what is given in the place of what a warehouse says; of all else it has no rows."""
        run, at = Run(environment.new_id()), environment.clock()
        task = Task(self._known(check, slot), slot)
        measured = Measured()

        def take(request: MetricRequest, value: Value, failure: Failure | None = None) -> None:
            measured.by_request[request] = (Measurement(request, (), value, failure, at, 0.0, environment.new_id()),)

        for window, here in self._by_window(task, given).items():
            values = as_measured(check, here, at)
            for request in own_requests(task, window):
                take(request, values[request.metric], _LOST if here.is_error else None)
        for request in asked_by((task,)):
            if request not in measured.by_request:
                take(request, request.metric.empty)
        while missing := missing_requests((task,), measured.by_request):
            for request in missing:
                take(request, request.metric.empty)
        results = judge(task, run, measured.by_request, gather(environment, (task,), measured, at), environment.new_id)
        every = tuple(m for request, found in measured.by_request.items() if request.metric.is_kept for m in found)
        return RunOutcome(run, (task,), results, every, (), at, at)

    def _known(self, check: Check, slot: datetime) -> Check:
        """The check with a lookback of the newest partition and those right before it that have had a value."""
        if check.partition is None:
            return check
        before = [window for window in windows(Task(check, slot)) if window is not None and window.start is not None][:-1]
        known = takewhile(lambda window: (check.id, window.key) in self._kept, reversed(before))
        return replace(check, partition=replace(check.partition, lookback=1 + sum(1 for _ in known)))

    def _by_window(self, task: Task, given: Given) -> dict[Partition | None, Given]:
        """What is found in each partition, or in the whole table; nothing is said of rows without a partition key."""
        asked = [window for window in windows(task) if window is None or window.start is not None]
        newest = asked[-1]
        found = {window: given if window == newest else self._kept[task.check.id, window.key if window else ""] for window in asked}
        if newest is not None and not given.is_error:
            self._kept[task.check.id, newest.key] = given
        return found
