"""`dqmon plan`: the statements that a run would send, and which checks each one serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.measurement import Measurement, MetricRequest, Scan
from dqmon.core.metric import MetricKind
from dqmon.engine.fragments import Merging, chunks
from dqmon.engine.judge import Task
from dqmon.engine.means import Means
from dqmon.engine.planning import Outlook, facts_of, look_up, plan_scans
from dqmon.engine.reuse import Memory
from dqmon.engine.rounds import Rounds
from dqmon.engine.run import all_requests, by_warehouse, task_requests
from dqmon.engine.ways import Answer
from dqmon.sql.text import literal_sql
from dqmon.store.recall import durations

if TYPE_CHECKING:
    from dqmon.core.protocols import Warehouse
    from dqmon.core.table import TableRef
    from dqmon.engine.environment import Environment


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a statement will cost, as far as is known: rows that it reads, columns of each, seconds that it took last time."""

    rows: int | None
    columns: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """One statement, values inlined, or why none is needed or possible (`remark`).

    `kind`: the scan's; `if needed` for one that is sent when a cheaper way does not tell; `known` and `reused` for values that
    need no statement, with the reason; `none` for what cannot be measured.
    """

    table: str
    kind: str
    sql: str
    checks: tuple[str, ...]
    remark: str | None = None
    estimate: Estimate | None = None


def preview(environment: Environment, tasks: Sequence[Task]) -> tuple[PlannedStatement, ...]:
    """The statements that `evaluate` would send for the tasks, in its order; sends catalogue look-ups only.

    Raises ConnectFailed, WarehouseBusy and StoreError.
    """
    serves: dict[MetricRequest, list[str]] = {}
    for task in tasks:
        for request in task_requests(task):
            serves.setdefault(request, []).append(task.check.id)
    memory = Memory(environment.database) if environment.reuses else None
    found: list[PlannedStatement] = []
    for name, tables in by_warehouse(all_requests(tasks)).items():
        warehouse, asked = environment.warehouses[name], [r for group in tables.values() for r in group]
        with warehouse.open() as session:
            known = look_up(warehouse, session, asked, Means(environment.clock, environment.new_id, memory, environment.ways))
            facts = {table: facts_of(session, table) for table in known.columns}
        with environment.database.read() as connection:
            seconds = durations(connection, asked)
        rest = [request for request in asked if request not in known.failures and request not in known.reused]
        found.extend(_Preview(warehouse, known, environment, serves, facts, seconds).statements(rest))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Preview:
    """What would happen in one warehouse. `seconds`: how long the statement behind each request took last."""

    warehouse: Warehouse
    known: Outlook
    environment: Environment
    serves: Mapping[MetricRequest, Sequence[str]]
    facts: Mapping[TableRef, TableFacts]
    seconds: Mapping[MetricRequest, float]

    def statements(self, asked: Sequence[MetricRequest]) -> Iterator[PlannedStatement]:
        """Those of the first round, those that may follow, then what needs none and what cannot be measured."""
        rounds = Rounds(asked, self.known.questions, self.environment.ways)
        wanted_by: dict[MetricRequest, list[MetricRequest]] = {request: [request] for request in rounds.wanted}
        for request, waits in rounds.waiting.items():
            for wait in waits:
                wanted_by[wait].append(request)
        merging = Merging(self.known.pieces)
        pieced = [request for request in rounds.wanted if merging.takes(request)]
        yield from self._scans((r for r in rounds.wanted if r not in pieced), wanted_by, None)
        yield from self._pieces(merging, pieced, wanted_by)
        known = {r: found.way for r, (found, _) in rounds.ended.items() if isinstance(found, Answer)}
        yield from self._scans(self._later(rounds, wanted_by), wanted_by, "if needed")
        yield from self._said("known", known)
        yield from self._said("reused", {r: self.known.proofs[r] for r in self.known.reused})
        yield from self._said("none", {r: failure.message for r, failure in self.known.failures.items()})

    def _later(self, rounds: Rounds, wanted_by: dict[MetricRequest, list[MetricRequest]]) -> tuple[MetricRequest, ...]:
        """What rounds after the first may ask for: all that is on a way itself, and each way's steps as those of an empty table."""
        at, asked = self.environment.clock(), set(rounds.wanted)
        later = dict.fromkeys(r for r in rounds.waiting if r not in asked)
        wanted_by |= {r: [r] for r in later}
        while rounds.waiting:
            rounds.take({r: (Measurement(r, (), r.metric.empty, None, at, 0.0, ""),) for r in rounds.wanted})
            for request, waits in rounds.waiting.items():
                for wait in waits:
                    if wait not in asked:
                        later[wait] = None
                        wanted_by.setdefault(wait, []).append(request)
            asked.update(rounds.wanted)
        return tuple(later)

    def _pieces(
        self, merging: Merging, pieced: Sequence[MetricRequest], wanted_by: Mapping[MetricRequest, Sequence[MetricRequest]]
    ) -> Iterator[PlannedStatement]:
        """The statements over new and changed fragments; over the whole table those whose values may not merge."""
        needs = {request: tuple(merging.first(request)) for request in pieced}
        serving: dict[MetricRequest, list[MetricRequest]] = {}
        for request, pieces in needs.items():
            for piece in pieces:
                serving.setdefault(piece, []).extend(wanted_by[request])
        for together in chunks(serving):
            yield from self._scans(together, serving, None)
        unsure = [r for r, pieces in needs.items() if r.metric.kind is not MetricKind.AGGREGATE and (pieces or not merging.can_merge(r))]
        yield from self._scans(unsure, {}, "if needed")
        yield from self._said("known", {r: way for r in pieced if r not in unsure and (way := merging.way(r))})

    def _scans(
        self, requests: Iterable[MetricRequest], serving: Mapping[MetricRequest, Sequence[MetricRequest]], kind: str | None
    ) -> Iterator[PlannedStatement]:
        """The statements for requests; `serving` are those that each is measured for, itself if it is not there."""
        for scan, compiled in plan_scans(self.warehouse, self.known.columns, requests, self.environment.clock()):
            sql = literal_sql(compiled.statement, self.warehouse.dialect) if compiled else ""
            served = [r for request in scan.requests for r in serving.get(request, (request,))]
            checks = self._checks(served)
            yield PlannedStatement(str(scan.table), kind or scan.kind.value, sql, checks, None, self._estimate(scan, served))

    def _estimate(self, scan: Scan, served: Iterable[MetricRequest]) -> Estimate | None:
        """Rows: of the whole table, or the share of its fragments that is read; a partition reads less where the engine prunes."""
        if scan.kind in (MetricKind.METADATA, MetricKind.QUERY):
            return None
        facts = self.facts.get(scan.table, NOTHING_KNOWN)
        rows = facts.about_rows if facts.rows is None else facts.rows
        if rows is not None and scan.fragments:
            rows = rows * len(scan.fragments) // len(self.known.pieces[scan.table].fragments)
        columns = {name for metric in scan.metrics for name in metric.columns} | set(scan.segment_by)
        seconds = [self.seconds[request] for request in served if request in self.seconds]
        return Estimate(rows, len(columns), max(seconds) if seconds else None)

    def _said(self, kind: str, words: Mapping[MetricRequest, str]) -> Iterator[PlannedStatement]:
        """One entry for each table and text."""
        alike: dict[tuple[str, str], list[MetricRequest]] = {}
        for request, text in words.items():
            alike.setdefault((str(request.table), text), []).append(request)
        for (table, text), requests in alike.items():
            yield PlannedStatement(table, kind, "", self._checks(requests), text)

    def _checks(self, requests: Iterable[MetricRequest]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(check for request in requests for check in self.serves.get(request, ())))
