"""`dqmon backfill`: partitions of the past are measured as few statements at a time as can be, so that baselines begin with a history."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from dqmon.core.cost import Cost, together
from dqmon.core.measurement import FailureKind, Measurement, MetricRequest, Partition
from dqmon.engine.measuring.breaker import Gate
from dqmon.engine.measuring.budget import open_purses
from dqmon.engine.measuring.estimate import Estimator
from dqmon.engine.measuring.means import Means
from dqmon.engine.measuring.measure import measure
from dqmon.engine.measuring.planning import facts_of, look_up
from dqmon.engine.measuring.sent import statements
from dqmon.engine.past.past_partitions import BEFORE_FIRST_ROW, Past, as_if_alone, counted, from_first_row, pasts, scanned, started
from dqmon.errors import WarehouseError
from dqmon.sql.literal_sql import literal_sql
from dqmon.store import measurements, recall, runs
from dqmon.store import statements as costs
from dqmon.store.series import series

if TYPE_CHECKING:
    from dqmon.core.check import Check
    from dqmon.core.table import TableRef
    from dqmon.engine.environment import Environment
    from dqmon.engine.measuring.measured import Measured

LARGE_ROWS, LARGE_BYTES = 1_000_000_000, 100_000_000_000
"""A statement that reads more is cut into chunks of time. Our choice: minutes of a small warehouse, half a dollar of BigQuery."""

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called with the partitions done, all of them, and the table."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """What is to be measured of one table: by statements of so many partitions each, the first of which are `sql`.

    `known` partitions are measured already. rows: of the table. cost: of one chunk, as far as the engine says or the last run took.
    problem: why some or all of what is missing is left out.
    """

    past: Past
    known: int
    size: int
    sql: tuple[str, ...] = ()
    rows: int | None = None
    cost: Cost = field(default_factory=Cost)
    problem: str | None = None

    @property
    def chunks(self) -> int:
        """How many times a part of the partitions is measured."""
        return math.ceil(len(self.past.partitions) / self.size) if self.past.asked else 0


@dataclass(frozen=True, slots=True)
class Filled:
    """One measured and recorded chunk of a table. `before`: partitions before the first row. problems: what went wrong, each once."""

    table: TableRef
    partitions: int
    before: int
    statements: int
    cost: Cost
    problems: tuple[str, ...] = ()


def plan(environment: Environment, checks: Sequence[Check], days: int, chunk: timedelta | None) -> tuple[Backfill, ...]:
    """What is missing of the partitions that ended in the last `days`, by table; sends catalogue look-ups only.

    A chunk is as long as `chunk`; without it all of the time, unless that is more than the engine takes in one statement, LARGE,
    or likely to take half of the time-out. Raises StoreError.
    """
    now = environment.clock()
    found = []
    for past in pasts(checks, now - timedelta(days=days), now):
        with environment.database.read() as connection:
            known = recall.measured(connection, past.asked)
        rest = past.without(known)
        planned = Backfill(rest, len(past.partitions) - len(rest.partitions), max(1, len(rest.partitions)))
        found.append(_sized(environment, planned, chunk) if rest.asked else planned)
    return tuple(found)


def fill(environment: Environment, planned: Iterable[Backfill], progress: Progress | None = None) -> Iterator[Filled]:
    """Measures and records chunk by chunk, oldest first, each in one transaction: what a crash leaves undone is planned again.

    1. A chunk's statements are sent, as far as the warehouse's budget goes; one that times out is tried again in halves. 2. Values are
    kept as current ones of their partitions, of a slot at its end, and what they cost; there are no results, so that no alert and no
    `for` counts them. 3. A table ends with a chunk of which nothing could be measured. Raises StoreError.
    """
    for one in planned:
        partitions, size = list(one.past.partitions), one.size
        total, done = len(partitions), 0
        while partitions:
            filled = _filled(environment, one.past, partitions[:size])
            if filled is None:
                size = math.ceil(min(size, len(partitions)) / 2)
                continue
            yield filled
            done += filled.partitions
            if progress is not None:
                progress(done, total, str(one.past.table))
            if filled.problems and not filled.partitions:
                break
            del partitions[:size]


def rows_now(environment: Environment, request: MetricRequest, check_id: str) -> int | str:
    """The rows that a whole table has now, counted for a check; why they cannot be, in words. Records the cost. Raises StoreError."""
    measured, run_id = _measured(environment, request.table, {request: request}), environment.new_id()
    with environment.database.write() as connection:
        costs.add(connection, statements(measured.sent, {request: (check_id,)}, run_id, None))
    (found,) = measured.by_request[request]
    return int(found.value) if isinstance(found.value, int) else found.failure.message if found.failure else "its rows cannot be counted"


def _filled(environment: Environment, past: Past, partitions: Sequence[Partition]) -> Filled | None:
    """One chunk, measured and recorded; None when it timed out and is more than one partition."""
    chosen = frozenset(partitions)
    asked = {request: checks for request, checks in past.asked.items() if request.partition in chosen}
    scans = scanned(asked)
    measured, run_id, at = _measured(environment, past.table, scans), environment.new_id(), environment.clock()
    found = as_if_alone(measured.by_request, scans)
    failures = [m.failure for group in found.values() for m in group if m.failure is not None]
    is_too_slow = any(failure.kind is FailureKind.TIMEOUT for failure in failures) and len(partitions) > 1
    kept, before = ([], frozenset[Partition | None]()) if is_too_slow else _kept(environment, found)
    asked_by = {scan: asked[request] for scan, request in scans.items()}
    asked_by |= {count: asked[scans[scan]] for scan, count in counted(scans).items() if count not in asked_by}
    with environment.database.write() as connection:
        costs.add(connection, statements(measured.sent, asked_by, run_id, None))
        runs.save(connection, runs.Run(run_id, "backfill", at, environment.clock(), True, measured.statements))
        measurements.add(connection, run_id, kept, scheduled_at=None)
    if is_too_slow:
        return None
    done = {m.request.partition for m in kept}
    cost = together(sent.cost for sent in measured.sent)
    return Filled(past.table, len(done), len(before), measured.statements, cost, tuple(dict.fromkeys(f.message for f in failures)))


def _measured(environment: Environment, table: TableRef, scans: Mapping[MetricRequest, MetricRequest]) -> Measured:
    """The values by plain statements; nothing is reused, and nothing is sampled to please a budget."""
    warehouse = environment.warehouses[table.warehouse]
    purses = open_purses(environment, (table.warehouse,), {}, environment.clock())
    gate = Gate(environment.breakers, labels={"instance": environment.instance, "run": "backfill"})
    means = Means(environment.clock, environment.new_id, None, (), gate, purses)
    return measure(warehouse, (*scans, *counted(scans).values()), means)


def _kept(
    environment: Environment, found: Mapping[MetricRequest, Sequence[Measurement]]
) -> tuple[list[Measurement], frozenset[Partition | None]]:
    """What is recorded, and the partitions that lie before the first row."""
    with environment.database.read() as connection:
        first = recall.first_values(connection, {series(request) for request in found})
    alike: dict[tuple[object, ...], dict[MetricRequest, Sequence[Measurement]]] = {}
    for request, group in found.items():
        column = request.partition and request.partition.column
        alike.setdefault((request.where, column, request.naive_timezone), {})[request] = group
    kept: list[Measurement] = []
    for measured in alike.values():
        begun = min((first[name] for name in map(series, measured) if name in first), default=None)
        kept += (m for own in from_first_row(measured, begun).values() for m in own if m.failure is None)
    before = frozenset(m.request.partition for m in kept if m.way == BEFORE_FIRST_ROW)
    return kept, before


def _sized(environment: Environment, planned: Backfill, chunk: timedelta | None) -> Backfill:
    """The same with the length of a chunk, what a chunk would take, and without what cannot be measured."""
    warehouse, asked = environment.warehouses[planned.past.table.warehouse], tuple(planned.past.asked)
    with environment.database.read() as connection:
        seconds = recall.durations(connection, asked)
    try:
        with warehouse.open() as session:
            known = look_up(warehouse, session, asked, Means(environment.clock, environment.new_id, None, ()))
            planned = replace(planned, past=planned.past.without(frozenset(known.failures)))
            if known.failures:
                planned = replace(planned, problem="; ".join(dict.fromkeys(failure.message for failure in known.failures.values())))
            if not planned.past.asked:
                return planned
            facts = facts_of(session, planned.past.table)
            planned = replace(planned, rows=facts.about_rows if facts.rows is None else facts.rows)
            estimator = Estimator(warehouse, session, known.columns, seconds, environment.clock())
            if chunk is not None:
                return _estimated(planned, estimator, _partitions_in(planned.past, chunk))
            # A partition takes four bound values at most; a quarter of them is left for what else is bound.
            most = max(1, warehouse.capabilities.max_parameters * 3 // 16)
            whole = _estimated(planned, estimator, min(most, len(planned.past.partitions)))
            parts = _parts(whole, warehouse.timeout_s)
            return whole if parts == 1 else _estimated(planned, estimator, math.ceil(whole.size / parts))
    except WarehouseError as e:
        return replace(planned, past=replace(planned.past, asked={}), problem=str(e))


def _estimated(planned: Backfill, estimator: Estimator, size: int) -> Backfill:
    """With chunks of that size, and what the first one is."""
    chosen = frozenset(planned.past.partitions[:size])
    scans = scanned(request for request in planned.past.asked if request.partition in chosen)
    listed = estimator.scans((*scans, *counted(scans).values()), {})
    sql = tuple(literal_sql(compiled.statement, estimator.warehouse.dialect) for _, compiled, _ in listed if compiled)
    return replace(planned, size=size, sql=sql, cost=together(cost for _, _, cost in listed))


def _partitions_in(past: Past, chunk: timedelta) -> int:
    first = started(past.partitions[0])
    return max(1, sum(started(partition) < first + chunk for partition in past.partitions))


def _parts(whole: Backfill, timeout_s: float) -> int:
    """Into how many chunks a statement over everything is cut; 1 where it is not known to be large."""
    spent = whole.cost.spent
    rows, size, seconds = spent.rows_read or 0, whole.cost.paid_bytes or 0, whole.cost.seconds or 0
    return min(whole.size, max(1, math.ceil(max(rows / LARGE_ROWS, size / LARGE_BYTES, 2 * seconds / timeout_s))))
