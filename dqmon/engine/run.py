"""One run: plan, measure, judge (evaluate), then everything that it found in one transaction (commit)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.alerts.fold import fold, fold_errors
from dqmon.alerts.transition import transition
from dqmon.core.alert import Alert, AlertEvent, AlertKey, AlertKind, AlertPolicy, Outcome
from dqmon.core.check import Hold
from dqmon.core.measurement import Failure, Measurement, MetricRequest
from dqmon.core.result import CheckResult, ResultRecord, record
from dqmon.core.table import TableRef
from dqmon.engine.judging.judge import judge
from dqmon.engine.judging.knowledge import gather
from dqmon.engine.judging.upstreams import explained
from dqmon.engine.measuring import outage
from dqmon.engine.measuring.asked import Run, Task, asked_by, missing_requests, windows
from dqmon.engine.measuring.attempts import looked_up
from dqmon.engine.measuring.breaker import Gate
from dqmon.engine.measuring.budget import open_purses
from dqmon.engine.measuring.fragments import Pieces
from dqmon.engine.measuring.means import Means
from dqmon.engine.measuring.measure import measure
from dqmon.engine.measuring.measured import Measured
from dqmon.engine.measuring.reproduce import with_reproduction
from dqmon.engine.measuring.reuse import Memory
from dqmon.engine.measuring.sent import statements
from dqmon.sql.metrics import ColumnList
from dqmon.store import alerts, fragments, measurements, results, runs, schemas, slots
from dqmon.store import statements as costs

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.protocols import Warehouse
    from dqmon.engine.environment import Environment
    from dqmon.store.statements import Statement

ERROR_POLICY = AlertPolicy(Hold(2), Hold(1))
"""The error alert fires after two ERROR outcomes in a row and resolves with the first good one."""

Progress = Callable[[int, int, str], None]
"""Called with how many tables are done, how many there are, and the table that was measured last."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """All that a run found, ready to be committed."""

    run: Run
    tasks: tuple[Task, ...]
    results: tuple[CheckResult, ...]
    measurements: tuple[Measurement, ...]
    sent: tuple[Statement, ...]
    started_at: datetime
    finished_at: datetime
    pieces: Mapping[TableRef, Pieces] = field(default_factory=dict)
    contacts: tuple[ResultRecord, ...] = ()

    @property
    def statements(self) -> int:
        """How many data statements were sent."""
        return len(self.sent)

    @property
    def records(self) -> tuple[ResultRecord, ...]:
        """The results as they are kept."""
        return tuple(record(result) for result in self.results)


def evaluate(environment: Environment, run: Run, tasks: Sequence[Task], progress: Progress | None = None) -> RunOutcome:
    """Measures and judges all tasks; writes nothing but newly polled load records. Raises StoreError only.

    A file engine is opened once for all tables of the run; a server is asked for several tables at a time.
    """
    clock = environment.clock if run.at is None else _still(run.at)
    started_at = environment.clock()
    memory = Memory(environment.database) if environment.reuses and run.at is None else None
    gate = Gate(environment.breakers, labels={"instance": environment.instance, "run": run.id})
    asked = asked_by(tasks)
    purses = open_purses(environment, environment.warehouses, asked, started_at)
    means = Means(clock, environment.new_id, memory, environment.ways, gate, purses)
    measured = _measure_all(environment, asked, means, progress)
    while missing := missing_requests(tasks, measured.by_request):
        asked |= missing
        measured.take(_measure_all(environment, missing, means, None))
    knowledge = gather(environment, tasks, measured, clock())
    judged = [result for task in tasks for result in judge(task, run, measured.by_request, knowledge, environment.new_id)]
    caused = explained(environment, judged, clock())
    found = tuple(with_reproduction(result, environment.warehouses, measured.columns) for result in caused)
    every = tuple(m for request, group in measured.by_request.items() if request.metric.is_kept for m in group)
    sent = tuple(statements(measured.sent, asked, run.id, started_at if run.at is not None else None))
    contacts = outage.records(environment, (*environment.source_gate.taken(), *gate.contacts), run.id)
    return RunOutcome(run, tuple(tasks), found, every, sent, started_at, environment.clock(), measured.pieces, contacts)


def _still(at: datetime) -> Callable[[], datetime]:
    return lambda: at


def commit(connection: Connection, outcomes: Sequence[RunOutcome], now: datetime) -> None:
    """The first of the two transactions, for several runs: measurements, results, alert states, alert events.

    1. Slots are finished; one that a newer attempt owns drops the results of its check, not the batch. What statements cost is
    kept in any case. 2. What was measured and judged is kept. 3. Each check's results are folded into its alerts, whose rows are
    locked; events wait for step 2.
    """
    lost = _finish_slots(connection, outcomes)
    costs.add(connection, (statement for outcome in outcomes for statement in outcome.sent))
    kept = [(outcome, tuple(r for r in outcome.results if (r.check.id, r.run_id) not in lost)) for outcome in outcomes]
    for outcome, found in kept:
        run = outcome.run
        if outcome.results and not found:
            continue
        kind = "check" if all(task.attempt_token is None for task in outcome.tasks) else "scheduled"
        runs.save(connection, runs.Run(run.id, kind, outcome.started_at, outcome.finished_at, run.is_ad_hoc, outcome.statements))
        slot = max(task.scheduled_at for task in outcome.tasks)
        measurements.add(connection, run.id, outcome.measurements, scheduled_at=slot, is_ad_hoc=run.is_ad_hoc)
        if not run.is_ad_hoc:
            _record_schemas(connection, outcome, now)
            for table, pieces in outcome.pieces.items():
                fragments.save(connection, table, pieces.to_save, pieces.names)
    added = {row.id for row in results.add(connection, tuple(record(r) for _, found in kept for r in found), now)}
    counting = [(outcome, tuple(r for r in found if r.id in added)) for outcome, found in kept if not outcome.run.is_ad_hoc]
    _advance_alerts(connection, counting, now)
    outage.advance(connection, [contact for outcome, _ in kept if not outcome.run.is_ad_hoc for contact in outcome.contacts], now)


def by_warehouse(asked: Iterable[MetricRequest]) -> dict[str, dict[TableRef, tuple[MetricRequest, ...]]]:
    """Requests by warehouse and table."""
    found: dict[str, dict[TableRef, list[MetricRequest]]] = {}
    for request in asked:
        found.setdefault(request.table.warehouse, {}).setdefault(request.table, []).append(request)
    return {name: {table: tuple(group) for table, group in tables.items()} for name, tables in found.items()}


def _measure_all(environment: Environment, asked: Iterable[MetricRequest], means: Means, progress: Progress | None) -> Measured:
    everything = by_warehouse(asked)
    total, done = sum(map(len, everything.values())), Measured()
    finished = 0
    for name, tables in everything.items():
        warehouse = environment.warehouses[name]
        with closing(_parts(warehouse, tables, means)) as parts:
            for part in parts:
                done.take(part)
                finished += len(part.tables)
                if progress is not None:
                    progress(finished, total, str(max(part.tables, default="")))
    return done


def _parts(warehouse: Warehouse, tables: dict[TableRef, tuple[MetricRequest, ...]], means: Means) -> Generator[Measured, None, None]:
    """A file is read by one connection; a server is asked of all tables first, then each is measured by itself.

    When the caller is interrupted, what runs is cancelled where it runs.
    """
    everything = tuple(request for asked in tables.values() for request in asked)
    if warehouse.capabilities.is_file or len(tables) == 1:
        yield measure(warehouse, everything, means)
        return
    known = looked_up(warehouse, everything, means)
    if isinstance(known, Failure):
        yield measure(warehouse, everything, means, known)
        return
    with ThreadPoolExecutor(warehouse.max_connections) as pool:
        try:
            yield from pool.map(lambda asked: measure(warehouse, asked, means, known), tables.values())
        except (KeyboardInterrupt, GeneratorExit):
            warehouse.cancel()
            raise


def _finish_slots(connection: Connection, outcomes: Sequence[RunOutcome]) -> frozenset[tuple[str, str]]:
    """Ends the slots of the runs; returns (check id, run id) of those that were not theirs any more."""
    attempts = {(t.check.id, t.attempt_token): o.run.id for o in outcomes for t in o.tasks if t.attempt_token is not None}
    owned = slots.finish(connection, attempts.keys()) if attempts else frozenset()
    return frozenset((check_id, run_id) for (check_id, token), run_id in attempts.items() if (check_id, token) not in owned)


def _record_schemas(connection: Connection, outcome: RunOutcome, now: datetime) -> None:
    """Keeps the column lists that were measured; the first one of a table becomes its accepted schema."""
    listed = ((m.request.table, m.value) for m in outcome.measurements if isinstance(m.request.metric, ColumnList))
    if found := {table: columns for table, columns in listed if isinstance(columns, tuple)}:
        schemas.record(connection, found, now)


def _advance_alerts(connection: Connection, kept: Sequence[tuple[RunOutcome, Sequence[CheckResult]]], now: datetime) -> None:
    """Folds each check's results into its two alerts, in the order of the runs, and keeps what changed."""
    keys = [AlertKey(r.check.id, kind) for _, found in kept for r in found for kind in AlertKind]
    if not keys:
        return
    before = alerts.lock(connection, tuple(dict.fromkeys(keys)))
    current = dict(before)
    events: list[AlertEvent] = []
    for outcome, found in kept:
        by_check: dict[str, list[CheckResult]] = {}
        for result in found:
            by_check.setdefault(result.check.id, []).append(result)
        for task in outcome.tasks:
            if task.check.id in by_check:
                events.extend(advance(current, task, by_check[task.check.id], now))
    alerts.save(connection, tuple(alert for key, alert in current.items() if alert != before[key]))
    alerts.add_events(connection, events)


def advance(current: dict[AlertKey, Alert], task: Task, found: Sequence[CheckResult], now: datetime) -> Iterator[AlertEvent]:
    """Folds one run's results of a check into its two alerts in `current`, and says what happened to them."""
    check = task.check
    data, error = AlertKey(check.id, AlertKind.DATA), AlertKey(check.id, AlertKind.ERROR)
    policy = AlertPolicy(check.hold_for, check.recover_after)
    steps: tuple[tuple[AlertKey, Outcome | None, AlertPolicy], ...] = (
        (data, fold(found, current[data].members, windows(task)), policy),
        (error, fold_errors(found), ERROR_POLICY),
    )
    for key, outcome, rules in steps:
        current[key], events = transition(current[key], outcome, rules, now, task.scheduled_at)
        yield from events
