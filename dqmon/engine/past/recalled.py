"""The measurements of a check's past runs, as judging takes them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, TypeAlias

from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.measurement import Measurement, MetricRequest, Partition, Segment
from dqmon.engine.judging.judge import Knowledge
from dqmon.engine.judging.knowledge import HISTORY
from dqmon.engine.measuring.asked import Task, keyless, missing_requests, requests, windows
from dqmon.engine.past.past_values import Past, Spans, Word
from dqmon.engine.past.recorded import Lacking, why_not
from dqmon.store.series import history_key, series

if TYPE_CHECKING:
    from dqmon.core.history import History
    from dqmon.core.result import ResultRecord
    from dqmon.engine.judging.judge import HistoryOf
    from dqmon.store.alerts import Span
    from dqmon.store.remembered import KeptRun, KeptValue

Found: TypeAlias = dict[MetricRequest, tuple[Measurement, ...]]
_Place: TypeAlias = tuple[object, str, str]
"""A run (by its id, or where it was not recorded by its slot), a series and a partition."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A run to be replayed: when its results were committed (`at`) and its slot. Without a `run_id` it was never recorded."""

    at: datetime
    order: str
    slot: datetime
    run_id: str = ""

    @property
    def token(self) -> object:
        """What its values are found by."""
        return self.run_id or self.slot


@dataclass(frozen=True, slots=True)
class Memory:
    """All that the store has of one check.

    values: by series, what was measured, from before the replay on where there is a baseline. runs: those that were recorded since
    the replay begins; began: the slot of the very first one. records: what they said, asked only where it is needed. fired: when its
    data alert really fired; words: what was said of that.
    """

    values: Mapping[str, tuple[KeptValue, ...]]
    runs: tuple[KeptRun, ...]
    began: datetime | None
    records: Callable[[], Mapping[str, tuple[ResultRecord, ...]]]
    fired: tuple[Span, ...] = ()
    words: tuple[Word, ...] = ()


class Recalled:
    """What was measured for a check, from `since` on run by run; before it, what baselines know."""

    def __init__(self, check: Check, memory: Memory, spans: Spans, since: datetime) -> None:
        values, began = memory.values, memory.began
        self._check = check
        self._runs = memory.runs
        self._spans = spans
        self._why_not = why_not(check)
        self._plain = _plain(check)
        self._names: dict[MetricRequest, str] = {}
        self._metric = rule.history_metric(check) if isinstance(rule := check.rule, DatasetCheck) and not self._why_not else None
        self._span = (rule.history_span if isinstance(rule, DatasetCheck) else None) or HISTORY
        self._pasts: dict[tuple[str, str], Past] = {}
        self._began = began or datetime.max.replace(tzinfo=UTC)
        self._by_place: dict[_Place, dict[str, KeptValue]] = defaultdict(dict)
        self._newest: dict[tuple[str, str], dict[str, KeptValue]] = {}
        self._unrecorded: dict[datetime, datetime] = {}
        self._queue: list[tuple[str, KeptValue]] = []
        self._next = 0
        if self._why_not is None:
            self._index(values, since)

    def _index(self, values: Mapping[str, tuple[KeptValue, ...]], since: datetime) -> None:
        """Sorts the values by run, and those that baselines learn by when they became known; estimates are of no run."""
        for name, kept in values.items():
            for value in kept:
                if value.slot < since or value.is_estimate:
                    continue
                self._by_place[self._token(value), name, value.partition][value.segment] = value
                if value.slot < self._began:
                    self._unrecorded[value.slot] = max(value.measured_at, self._unrecorded.get(value.slot, value.measured_at))
        task = Task(self._check, since)
        mine = {series(request) for window in windows(task) for request in requests(task, window) if request.metric == self._metric}
        for name in mine & values.keys():
            self._queue += [(name, value) for value in values[name] if value.slot >= since or value.is_current]
        # What was filled in of the days before the first recorded run is known as if each run had been in its time.
        self._queue.sort(key=lambda item: (item[1].slot >= self._began, min(item[1].slot, self._began), item[1].id))

    def _token(self, value: KeptValue) -> object:
        return value.run_id if value.slot >= self._began else value.slot

    def visits(self) -> Iterator[Visit]:
        """The runs in the order of their commits; those before the first recorded one as they were measured."""
        lag = timedelta(seconds=self._check.partition.lag_s) if self._check.partition else None
        for slot, measured_at in sorted(self._unrecorded.items()):
            yield Visit(measured_at if lag is None else slot + lag, "", slot)
        for run in self._runs:
            yield Visit(run.at, run.first, run.slot, run.run_id)

    def at(self, visit: Visit) -> tuple[Task, Found, Knowledge]:
        """What judging the run takes, once it has been learned what was before it. Raises Lacking."""
        if self._why_not is not None:
            raise Lacking(self._why_not)
        if self._plain is not None:
            task, found = Task(self._check, visit.slot), {request: self._of(request, visit) for request in self._plain}
        else:
            task, found = self._measured(visit)
            while missing := missing_requests((task,), found):
                for request in missing:
                    found[request] = self._of(request, visit)
        return task, found, Knowledge(self._histories(task, found)) if self._metric is not None else Knowledge()

    @property
    def has_baseline(self) -> bool:
        """True when verdicts rest on past values, and so on which of them lie inside alerts."""
        return self._metric is not None

    def flag(self, since: datetime) -> None:
        """Looks again at which values of slots from `since` on lie inside alerts."""
        for past in self._pasts.values():
            past.flag(since)

    def learn(self, visit: Visit, *, is_over: bool = False) -> None:
        """Takes what was known before the run; once it `is_over`, what it measured itself, which is the past of the next one."""
        while self._next < len(self._queue):
            name, value = self._queue[self._next]
            is_mine = value.run_id == visit.run_id if visit.run_id else value.slot == visit.slot
            is_before = value.slot < self._began or value.measured_at <= visit.at if visit.run_id else value.slot < visit.slot
            if not (is_mine if is_over else is_before and not is_mine):
                return
            key = name, value.segment
            if key not in self._pasts:
                self._pasts[key] = Past(self._spans)
            self._pasts[key].add(value)
            self._next += 1

    def _measured(self, visit: Visit) -> tuple[Task, Found]:
        task = self._task(visit)
        found: Found = {}
        for window in windows(task):
            for request in requests(task, window):
                found[request] = self._of(request, visit)
        for request in keyless(task):
            if (place := self._place(request, visit)) in self._by_place:
                found[request] = self._restored(request, self._by_place[place].values())
        return task, found

    def _task(self, visit: Visit) -> Task:
        """The task, with as many partitions as were measured; where no run was recorded, as were known then."""
        check = self._check
        if check.partition is None:
            return Task(check, visit.slot)
        task = Task(check, visit.slot if visit.run_id else visit.at)
        asked = [window for window in windows(task) if window is not None and window.start is not None]
        known = sum(1 for _ in takewhile(lambda window: self._knows(task, window, visit), reversed(asked)))
        if not asked or known == len(asked):
            return task
        if not known:
            raise Lacking("not all that it judges was measured")
        return replace(task, check=replace(check, partition=replace(check.partition, lookback=known)))

    def _knows(self, task: Task, window: Partition, visit: Visit) -> bool:
        """True when all that judging the partition takes was measured in the run, or where none was recorded in one before it."""
        places = [self._place(request, visit) for request in requests(task, window)]
        if visit.run_id:
            return all(place in self._by_place for place in places)
        self._newest |= {place[1:]: self._by_place[place] for place in places if place in self._by_place}
        return all(place[1:] in self._newest for place in places)

    def _place(self, request: MetricRequest, visit: Visit) -> _Place:
        if request.partition is not None:
            return visit.token, series(request), request.partition.key
        if (name := self._names.get(request)) is None:
            name = self._names[request] = series(request)
        return visit.token, name, ""

    def _of(self, request: MetricRequest, visit: Visit) -> tuple[Measurement, ...]:
        place = self._place(request, visit)
        kept = self._by_place.get(place) or (None if visit.run_id else self._newest.get(place[1:]))
        if kept:
            return self._restored(request, kept.values(), None if visit.run_id or request.partition is None else visit.at)
        if not visit.run_id and request.partition is not None and request.partition.start is None:
            return (Measurement(request, (), request.metric.empty, None, visit.at, 0.0, ""),)
        raise Lacking("not all that it judges was measured, or it is not kept")

    def _restored(self, request: MetricRequest, kept: Collection[KeptValue], at: datetime | None = None) -> tuple[Measurement, ...]:
        """The values as they were measured; `at`: when, where they were filled in later."""
        try:
            return tuple(
                Measurement(
                    request,
                    _segment(value.segment, request.segment_by),
                    None if value.failure else request.metric.restore(value.number, value.text),
                    value.failure,
                    at or value.measured_at,
                    0.0,
                    "",
                )
                for value in kept
            )
        except (ValueError, ArithmeticError) as e:
            raise Lacking("what it measures is kept in short only") from e

    def _histories(self, task: Task, found: Found) -> dict[HistoryOf, History]:
        """The past of each partition and segment that is judged."""
        histories: dict[HistoryOf, History] = {}
        for window in windows(task):
            for request in requests(task, window):
                if request.metric == self._metric and not (window and window.start is None):
                    before = window.start if window and window.start else task.scheduled_at
                    for one in found[request]:
                        key = history_key(request, one.segment, task.check.id)
                        if (past := self._pasts.get((key.series, key.segment))) is not None:
                            histories[task.check.id, request, one.segment] = past.before(before, self._span)
        return histories


def _plain(check: Check) -> tuple[MetricRequest, ...] | None:
    """What a check of a whole table asks for in every run; None where that depends on the run."""
    rule = check.rule
    if not isinstance(rule, DatasetCheck) or (check.partition is not None and not rule.across_table):
        return None
    follows = type(rule).further_requests is not DatasetCheck.further_requests
    return None if follows else requests(Task(check, datetime.max.replace(tzinfo=UTC)), None)


def _segment(text: str, segment_by: Sequence[str]) -> Segment:
    """The segment of a stored text, in the order of `segment_by`."""
    if text == "{}":
        return ()
    values = json.loads(text)
    return tuple((name, values[name]) for name in segment_by if name in values)
