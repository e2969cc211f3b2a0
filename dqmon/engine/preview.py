"""`dqmon plan`: the statements that a run would send, and which checks each one serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dqmon.core.cost import Cost
from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.measurement import Measurement, MetricRequest, Scan
from dqmon.core.metric import MetricKind
from dqmon.engine.measuring.asked import Task, asked_by
from dqmon.engine.measuring.budget import Purse, Ration, open_purses, ration
from dqmon.engine.measuring.estimate import Estimator
from dqmon.engine.measuring.fragments import Merging, chunks
from dqmon.engine.measuring.means import Means
from dqmon.engine.measuring.planning import Outlook, facts_of, look_up
from dqmon.engine.measuring.reuse import Memory
from dqmon.engine.measuring.rounds import Rounds
from dqmon.engine.measuring.sent import borne_by
from dqmon.engine.measuring.ways import Answer
from dqmon.engine.planned import Estimate, PlannedStatement
from dqmon.engine.run import by_warehouse
from dqmon.errors import ConnectFailed, WarehouseBusy
from dqmon.sql.literal_sql import literal_sql
from dqmon.store.recall import durations

if TYPE_CHECKING:
    from dqmon.core.table import TableRef
    from dqmon.engine.environment import Environment


def preview(environment: Environment, tasks: Sequence[Task]) -> tuple[PlannedStatement, ...]:
    """The statements that `evaluate` would send for the tasks, in its order; sends catalogue look-ups only.

    Nothing is planned of a warehouse that cannot be reached: it has one entry of the kind `none`, with the reason. Raises StoreError.
    """
    serves = asked_by(tasks)
    found: list[PlannedStatement] = []
    for name, tables in by_warehouse(serves).items():
        asked = [request for group in tables.values() for request in group]
        try:
            found.extend(_of_warehouse(environment, name, asked, serves))
        except (ConnectFailed, WarehouseBusy) as e:
            checks = tuple(dict.fromkeys(check for request in asked for check in serves[request]))
            found.append(PlannedStatement(name, "none", "", checks, str(e)))
    return tuple(found)


def _of_warehouse(
    environment: Environment, name: str, asked: Sequence[MetricRequest], serves: Mapping[MetricRequest, Sequence[str]]
) -> Sequence[PlannedStatement]:
    warehouse, memory = environment.warehouses[name], Memory(environment.database) if environment.reuses else None
    with environment.database.read() as connection:
        seconds = durations(connection, asked)
    purse = open_purses(environment, (name,), serves, environment.clock()).get(name)
    with warehouse.open() as session:
        known = look_up(warehouse, session, asked, Means(environment.clock, environment.new_id, memory, environment.ways))
        facts = {table: facts_of(session, table) for table in known.columns}
        rest = [r for r in asked if r not in known.failures and r not in known.reused and r not in known.told]
        estimator = Estimator(warehouse, session, known.columns, seconds, environment.clock())
        return tuple(_Preview(known, environment, serves, facts, estimator, purse).statements(rest))


@dataclass(frozen=True, slots=True)
class _Preview:
    """What would happen in one warehouse; `purse` is what its budget allows, None without one."""

    known: Outlook
    environment: Environment
    serves: Mapping[MetricRequest, Sequence[str]]
    facts: Mapping[TableRef, TableFacts]
    estimator: Estimator
    purse: Purse | None

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
        yield from self._said("metadata", {r: way for r, (_, way) in self.known.told.items()})
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
        asked, found = tuple(requests), Ration((), {})
        if kind is None and self.purse is not None:
            found = ration(asked, self.estimator.forecast(serving), self.purse)
            asked = tuple(request for scan, _ in found.granted for request in scan.requests)
        for scan, compiled, cost in self.estimator.scans(asked, serving):
            sql = literal_sql(compiled.statement, self.estimator.warehouse.dialect) if compiled else ""
            served = [serving.get(request, (request,)) for request in (r.exact for r in scan.requests)]
            checks = self._checks(request for requests in served for request in requests)
            estimate = self._estimate(scan, cost, borne_by(served, self.serves))
            remark = found.samples.get(scan.requests[0]) or self._remark(scan)
            yield PlannedStatement(str(scan.table), kind or scan.kind.value, sql, checks, remark, estimate)
        yield from self._said("skipped", {r: why for request, why in found.refused.items() for r in serving.get(request, (request,))})

    def _remark(self, scan: Scan) -> str | None:
        """Why rows are counted that some engine's catalogue knows the number of; of a statement that is sent for nothing else."""
        if scan.where is not None or scan.segment_by or scan.slices != (None,) or {m.name for m in scan.metrics} != {"row_count"}:
            return None
        said = self.estimator.warehouse.capabilities.row_count
        return "the catalogue says nothing of this table" if said.is_exact else f"not from metadata: {said.because}"

    def _estimate(self, scan: Scan, cost: Cost, shares: Mapping[str, float]) -> Estimate:
        """Rows: as the engine estimates, else of the whole table, or the share of its fragments that is read.

        A partition reads less where the engine prunes. What a user's own query reads is not known.
        """
        facts = self.facts.get(scan.table, NOTHING_KNOWN)
        rows = facts.about_rows if facts.rows is None else facts.rows
        if rows is not None and scan.fragments:
            rows = rows * len(scan.fragments) // len(self.known.pieces[scan.table].fragments)
        if cost.spent.rows_read is not None or scan.kind is MetricKind.QUERY:
            rows = cost.spent.rows_read
        columns = {name for metric in scan.metrics for name in metric.columns} | set(scan.segment_by)
        return Estimate(self.estimator.warehouse.name, rows, len(columns), cost, shares)

    def _said(self, kind: str, words: Mapping[MetricRequest, str]) -> Iterator[PlannedStatement]:
        """One entry for each table and text."""
        alike: dict[tuple[str, str], list[MetricRequest]] = {}
        for request, text in words.items():
            alike.setdefault((str(request.table), text), []).append(request)
        for (table, text), requests in alike.items():
            yield PlannedStatement(table, kind, "", self._checks(requests), text)

    def _checks(self, requests: Iterable[MetricRequest]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(check for request in requests for check in self.serves.get(request, ())))
