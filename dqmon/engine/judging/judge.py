"""Measurements and kept records in, one result for each partition and segment out. Nothing is read or written here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias, TypeVar

from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck, PipelineCheck
from dqmon.core.history import History
from dqmon.core.judgement import Evidence, Expected, Judgement, LoadEvidence, Observed
from dqmon.core.load_record import LoadRecord
from dqmon.core.measurement import FailureKind, Measurement, MetricRequest, Partition, Segment
from dqmon.core.result import CheckResult
from dqmon.core.table import Column, TableRef
from dqmon.core.verdict import Severity, Verdict, least
from dqmon.engine.judging.arrivals import Arrivals
from dqmon.engine.judging.remarks import of_sample, without_data
from dqmon.engine.measuring.asked import Run, Task, keyless, other_requests, own_requests, windows
from dqmon.errors import SourceError
from dqmon.store.alerts import Span
from dqmon.telemetry import Log

log = Log(__name__)


HistoryOf: TypeAlias = tuple[str, MetricRequest, Segment]
"""Whose past: a check id, the request whose metric has a baseline, and the segment."""


_Kept = TypeVar("_Kept")


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What judging needs besides the measurements, read from the store before.

    history: points before each tested one. loads: by check id. unreachable: source name to what went wrong. at: when it was read.
    """

    history: Mapping[HistoryOf, History] = field(default_factory=dict)
    schemas: Mapping[TableRef, tuple[Column, ...]] = field(default_factory=dict)
    loads: Mapping[str, LoadEvidence] = field(default_factory=dict)
    unreachable: Mapping[str, SourceError] = field(default_factory=dict)
    arrivals: Arrivals = field(default_factory=Arrivals)
    at: datetime | None = None


def judge(
    task: Task,
    run: Run,
    measured: Mapping[MetricRequest, tuple[Measurement, ...]],
    knowledge: Knowledge,
    new_id: Callable[[], str],
) -> tuple[CheckResult, ...]:
    """All results of a task. A type that breaks while judging yields ERROR for that check alone."""
    judging = _Judging(task, run, measured, knowledge, new_id)
    try:
        if isinstance(task.check.rule, PipelineCheck):
            return (judging.pipeline(task.check.rule),)
        return tuple(result for partition in windows(task) for result in judging.part(partition))
    except Exception as e:  # noqa: BLE001 - one broken check must not stop the others
        log.error("check broke while judging", check_id=task.check.id, error=f"{type(e).__name__}: {e}")
        reason = f"the check type {task.check.type} broke while judging: {type(e).__name__}: {e}; this is a defect of the type"
        return (judging.error(windows(task)[0], reason, ()),)


@dataclass(frozen=True, slots=True)
class _Judging:
    task: Task
    run: Run
    measured: Mapping[MetricRequest, tuple[Measurement, ...]]
    knowledge: Knowledge
    new_id: Callable[[], str]

    def part(self, partition: Partition | None) -> Iterable[CheckResult]:
        """The results of one partition, one for each segment."""
        own = own_requests(self.task, partition)
        if not own:
            return (self._unmeasured(),)
        found = tuple(m for request in own for m in self.measured[request])
        others = tuple(m for request in other_requests(self.task, partition, self.measured) for m in self.measured[request])
        if failures := self._failures((*found, *others)):
            return (self._unjudged(partition, "; ".join(failures), (*found, *others)),)
        by_segment: dict[Segment, list[Measurement]] = {}
        for measurement in found:
            by_segment.setdefault(measurement.segment, []).append(measurement)
        judged = ((segment, measured, self._judgement(partition, measured, others)) for segment, measured in by_segment.items())
        return tuple(
            self._result(partition, segment, judgement, (*measured, *others)) for segment, measured, judgement in judged if judgement
        )

    def _unmeasured(self) -> CheckResult:
        """The result of a check that looks at kept loads alone; ERROR while their source cannot be read."""
        check, rule, at = self.task.check, self.task.check.rule, self.knowledge.at or self.task.scheduled_at
        assert isinstance(rule, DatasetCheck)  # noqa: S101 - for the type checker
        if (lost := self.knowledge.arrivals.lost.get(check.id)) is not None:
            return replace(self.error(None, str(lost), ()), is_cut_off=lost.is_cut_off)
        evidence = Evidence({}, self.task.scheduled_at, at, loads=self._loads, incidents=self._incidents)
        return replace(self._result(None, (), rule.judge(check, evidence), ()), measured_at=at)

    @property
    def _loads(self) -> tuple[LoadRecord, ...]:
        return self.knowledge.arrivals.loads.get(self.task.check.id, ())

    @property
    def _incidents(self) -> tuple[Span, ...]:
        return tuple(self.knowledge.arrivals.incidents.get(self.task.check.id, ()))

    def _failures(self, measured: Iterable[Measurement]) -> tuple[str, ...]:
        """Each text once; that of another table with its name, unless it speaks of that table or warehouse itself."""
        said: dict[str, str] = {}
        for m in measured:
            if m.failure is not None:
                table, text = m.request.table, m.failure.message
                is_named = table == self.task.check.table or not {table.warehouse, table.name}.isdisjoint(re.findall(r"\w+", text))
                said.setdefault(text, text if is_named else f"{table}: {text}")
        return tuple(said.values())

    def pipeline(self, rule: PipelineCheck) -> CheckResult:
        """The result of a check of a pipeline; ERROR while its source cannot be read."""
        check = self.task.check
        source = check.pipeline.source if check.pipeline else ""
        if source in self.knowledge.unreachable:
            failure = self.knowledge.unreachable[source]
            return replace(self.error(None, str(failure), ()), is_cut_off=failure.is_cut_off)
        evidence = self.knowledge.loads[check.id]
        judgement = rule.judge(check, evidence)
        judgement = without_data(check, judgement) if judgement.is_no_data else judgement
        return replace(self._result(None, (), judgement, ()), measured_at=evidence.measured_at)

    def error(self, partition: Partition | None, reason: str, measured: Sequence[Measurement]) -> CheckResult:
        """The result that says why nothing could be judged."""
        verdict = Judgement(Verdict.ERROR, Observed(None, self.task.check.rule.unit), Expected(), reason)
        return self._result(partition, (), verdict, measured)

    def _unjudged(self, partition: Partition | None, reason: str, measured: Sequence[Measurement]) -> CheckResult:
        """ERROR; SKIPPED when nothing but the budget was in the way."""
        if any(m.failure is not None and m.failure.kind is not FailureKind.BUDGET for m in measured):
            return self.error(partition, reason, measured)
        skipped = Judgement(Verdict.SKIPPED, Observed(None, self.task.check.rule.unit), Expected(), reason)
        return self._result(partition, (), skipped, measured)

    def _judgement(self, partition: Partition | None, measured: Sequence[Measurement], others: Sequence[Measurement]) -> Judgement | None:
        """The type's own judgement of one segment; None for the rows without a partition key when there are none."""
        check, rule, segment = self.task.check, self.task.check.rule, measured[0].segment
        assert isinstance(rule, DatasetCheck)  # noqa: S101 - for the type checker
        evidence = Evidence(
            {m.request.metric: m.value for m in measured},
            self.task.scheduled_at,
            max(m.measured_at for m in (*measured, *others)),
            partition,
            segment,
            self._first(self.knowledge.history, measured) or History(),
            self.knowledge.schemas.get(check.table) if check.table else None,
            {m.request: m.value for m in others},
            self._loads,
            self._first(self.knowledge.arrivals.changes, measured) or (),
            self._incidents,
        )
        judgement = of_sample(self._with_keyless(rule.judge(check, evidence), segment), measured)
        if not judgement.is_no_data:
            return judgement
        return None if partition is not None and partition.start is None else without_data(check, judgement)

    def _first(self, known: Mapping[HistoryOf, _Kept], measured: Iterable[Measurement]) -> _Kept | None:
        """What is known of the first measured series of which anything is."""
        keys = ((self.task.check.id, m.request, m.segment) for m in measured) if known else ()
        return next((known[key] for key in keys if key in known), None)

    def _with_keyless(self, judgement: Judgement, segment: Segment) -> Judgement:
        """The judgement, its reason naming the rows that no partition holds, if there are any."""
        found = (m for request in keyless(self.task) for m in self.measured.get(request, ()) if m.segment == segment)
        count = next((m.value for m in found), None)
        if not isinstance(count, int) or count == 0 or self.task.check.partition is None:
            return judgement
        column = self.task.check.partition.column
        return replace(judgement, reason=f"{judgement.reason}; {count:,} more rows have no {column}, so no partition holds them")

    def _result(self, partition: Partition | None, segment: Segment, judgement: Judgement, measured: Sequence[Measurement]) -> CheckResult:
        return CheckResult(
            id=self.new_id(),
            check=self.task.check,
            partition=partition,
            segment=segment,
            verdict=judgement.verdict,
            severity=severity_of(self.task.check, judgement.verdict),
            observed=None if judgement.verdict is Verdict.ERROR else judgement.observed,
            expected=judgement.expected,
            reason=judgement.reason,
            measurements=tuple(measured),
            run_id=self.run.id,
            scheduled_at=self.task.scheduled_at,
            measured_at=max((m.measured_at for m in measured), default=self.run.at or self.task.scheduled_at),
            duration_s=sum({m.scan_id: m.duration_s for m in measured}.values()),
            is_learning=judgement.is_learning,
            is_ad_hoc=self.run.is_ad_hoc,
            as_of="current_contents" if self.run.at is not None and partition is None else None,
            baseline=judgement.baseline,
        )


def severity_of(check: Check, verdict: Verdict) -> Severity:
    """What a verdict of this check costs."""
    match verdict:
        case Verdict.WARN:
            return least(check.severity, check.warn_severity)
        case Verdict.ERROR:
            return check.error_severity
        case _:
            return check.severity
