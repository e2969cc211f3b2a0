"""What a check would have said of all that was measured for it, one run after the other, and what its alerts would have done.

Nothing is read or written here: `engine.past.memory` reads the store, `engine.rehearsal.rehearse` lets the second step speak.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from dqmon.core.alert import Alert, AlertEvent, AlertKey, AlertKind, AlertState, EventKind
from dqmon.core.verdict import Verdict
from dqmon.engine.judging.judge import judge, severity_of
from dqmon.engine.measuring.asked import Run, Task
from dqmon.engine.past.past_values import Spans
from dqmon.engine.past.recalled import Memory, Recalled, Visit
from dqmon.engine.past.recorded import Lacking, as_recorded
from dqmon.engine.run import advance

if TYPE_CHECKING:
    from dqmon.core.check import Check
    from dqmon.core.result import CheckResult, ResultRecord
    from dqmon.core.verdict import Severity
    from dqmon.store.alerts import Span

EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Course:
    """How to replay: slots from `since` on, results with ids of `new_id`. With `is_watched` every step is kept: checks downstream
    ask for them.
    """

    since: datetime
    new_id: Callable[[], str]
    is_watched: bool = False


Judged: TypeAlias = dict[tuple[Visit, tuple["Span", ...]], tuple[Task, Sequence["CheckResult"]]]
"""What was judged at each run, after which alerts (of a check without baseline: after any)."""


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert from when it fired until it resolved; None while it goes on."""

    key: AlertKey
    severity: Severity
    at: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A run of the check: what it found, its alerts afterwards, and what these said. `order` is that of runs at one time."""

    at: datetime
    order: str
    results: tuple[CheckResult, ...]
    alerts: tuple[Alert, ...]
    events: tuple[AlertEvent, ...]


@dataclass(frozen=True, slots=True)
class Track:
    """A check's replay. `steps` are those that the second step may need: with an alert that is not at rest, or all of them.

    judged: runs judged anew; recorded: runs whose recorded verdicts stand, since `reason`; first: the time of the first one.
    """

    check: Check
    steps: tuple[Step, ...]
    verdicts: Counter[Verdict]
    alerts: tuple[Fired, ...]
    judged: int
    recorded: int
    reason: str
    first: datetime | None
    last: datetime | None

    @property
    def runs(self) -> int:
        """How many runs were replayed."""
        return self.judged + self.recorded

    @property
    def days(self) -> int:
        """How many days the runs span; 0 without any."""
        return 0 if self.first is None or self.last is None else (self.last - self.first).days + 1


def replay(check: Check, memory: Memory, course: Course, judged: Judged | None = None) -> Track:
    """The runs in the order of their commits, through today's judging, folding and alerts.

    Before its first recorded run a check is judged whenever all that it needs was measured: `dqmon backfill` and other checks
    measure too. A run that cannot be judged anew keeps its recorded verdicts, and is left out when it has none. All alerts begin
    at rest. `judged` has what another form of the check said that is `judged_alike`, and is filled when it is empty.
    """
    return _Replay(check, memory, course, {} if judged is None else judged).track()


def judged_alike(one: Check, other: Check) -> bool:
    """True when two forms of a check differ in nothing that its verdicts rest on, while their alerts are the same."""
    told = {name: getattr(one, name) for name in ("hold_for", "recover_after", "severity", "warn_severity", "error_severity", "on_error")}
    said = {name: getattr(one, name) for name in ("source", "owner", "runbook", "guide", "description", "tags")}
    return replace(other, **told, **said) == one


class _Replay:
    def __init__(self, check: Check, memory: Memory, course: Course, judged: Judged) -> None:
        self.check = check
        self.memory = memory
        self.course = course
        self.judged = judged
        self.is_shared = bool(judged)
        before = [(start, min(end or course.since, course.since)) for start, end in memory.fired if start < course.since]
        self.spans = Spans(list(before), memory.words)
        self.recalled = Recalled(check, memory, self.spans, course.since)
        self.current = {key: Alert(key) for key in (AlertKey(check.id, kind) for kind in AlertKind)}
        self.is_at_rest = False
        """Good results change nothing any more."""
        self.steps: list[Step] = []
        self.alerts: dict[AlertKey, list[Fired]] = {key: [] for key in self.current}
        self.verdicts: Counter[Verdict] = Counter()
        self.reasons: Counter[str] = Counter()
        self.times: list[datetime] = []
        self.records: Mapping[str, tuple[ResultRecord, ...]] | None = None

    def track(self) -> Track:
        """All of it."""
        for visit in self.recalled.visits():
            if self.spans.at(visit.at):
                self.recalled.flag(EVER)
            task, found = self._found(visit)
            if found:
                self._take(visit, task, found)
            self.recalled.learn(visit, is_over=True)
        recorded = self.reasons.total()
        reason = self.reasons.most_common(1)[0][0] if self.reasons else ""
        alerts = tuple(sorted((one for found in self.alerts.values() for one in found), key=lambda one: one.at))
        first, last = (self.times[0], self.times[-1]) if self.times else (None, None)
        return Track(self.check, tuple(self.steps), self.verdicts, alerts, len(self.times) - recorded, recorded, reason, first, last)

    def _found(self, visit: Visit) -> tuple[Task, Sequence[CheckResult]]:
        """What the check says in a run; nothing when that cannot be known."""
        self.recalled.learn(visit)
        key = visit, tuple(self.spans.spans) if self.recalled.has_baseline else ()
        if (known := self.judged.get(key)) is not None:
            return known
        try:
            task, measured, knowledge = self.recalled.at(visit)
        except Lacking as e:
            return self._recorded(visit, str(e))
        self.judged[key] = found = task, judge(task, Run(visit.run_id), measured, knowledge, self.course.new_id)
        return found

    def _recorded(self, visit: Visit, why: str) -> tuple[Task, Sequence[CheckResult]]:
        if self.records is None:
            self.records = self.memory.records()
        found = [as_recorded(self.check, record) for record in self.records.get(visit.run_id, ()) if record.scheduled_at == visit.slot]
        self.reasons[why] += bool(found)
        return Task(self.check, visit.slot), found

    def _take(self, visit: Visit, task: Task, found: Sequence[CheckResult]) -> None:
        """Folds the results into the alerts, and keeps the step where it may be asked for."""
        self.times.append(visit.slot)
        self.verdicts.update(result.verdict for result in found)
        is_good = all(result.verdict is Verdict.PASS and not result.is_blind for result in found)
        if is_good and self.is_at_rest and not self.course.is_watched:
            return
        if self.is_shared:
            task = replace(task, check=replace(self.check, partition=task.check.partition))
            found = [replace(result, check=self.check, severity=severity_of(self.check, result.verdict)) for result in found]
        before = tuple(self.current.values())
        events = tuple(advance(self.current, task, found, visit.at))
        after = tuple(self.current.values())
        self.is_at_rest = is_good and before == after and all(alert.state is AlertState.RESOLVED for alert in after)
        for event in events:
            self._note(event)
        if (since := self.spans.take(events)) is not None:
            self.recalled.flag(since)
        if self.course.is_watched or before != after:
            self.steps.append(Step(visit.at, visit.order, tuple(found), after, events))

    def _note(self, event: AlertEvent) -> None:
        mine = self.alerts[event.key]
        if event.kind is EventKind.FIRED:
            mine.append(Fired(event.key, event.severity, event.at))
        elif event.kind is EventKind.RESOLVED and mine:
            mine[-1] = replace(mine[-1], until=event.at)
        elif mine:
            mine[-1] = replace(mine[-1], severity=max(mine[-1].severity, event.severity, key=lambda one: one.rank))
