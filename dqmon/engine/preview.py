"""`dqmon plan`: the statements that a run would send, and which checks each one serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dqmon.core.measurement import MetricRequest, Scan
from dqmon.engine.judge import Task
from dqmon.engine.planning import Outlook, look_up, plan_scans
from dqmon.engine.reuse import recall_from
from dqmon.engine.rounds import Rounds
from dqmon.engine.run import by_warehouse, task_requests
from dqmon.engine.ways import Answer
from dqmon.sql.text import literal_sql

if TYPE_CHECKING:
    from dqmon.core.protocols import Warehouse
    from dqmon.engine.environment import Environment
    from dqmon.sql.compile import CompiledScan


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


def preview(environment: Environment, tasks: Sequence[Task]) -> tuple[PlannedStatement, ...]:
    """The statements that `evaluate` would send for the tasks, in its order; sends catalogue look-ups only.

    Raises ConnectFailed and WarehouseBusy.
    """
    serves: dict[MetricRequest, list[str]] = {}
    for task in tasks:
        for request in task_requests(task):
            serves.setdefault(request, []).append(task.check.id)
    recall = recall_from(environment.database) if environment.reuses else None
    found: list[PlannedStatement] = []
    for name, tables in by_warehouse(tasks).items():
        warehouse, asked = environment.warehouses[name], [r for group in tables.values() for r in group]
        with warehouse.open() as session:
            known = look_up(warehouse, session, asked, recall, environment.ways)
        rest = [request for request in asked if request not in known.failures and request not in known.reused]
        found.extend(_Preview(warehouse, known, environment, serves).statements(rest))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Preview:
    """What would happen in one warehouse."""

    warehouse: Warehouse
    known: Outlook
    environment: Environment
    serves: Mapping[MetricRequest, Sequence[str]]

    def statements(self, asked: Sequence[MetricRequest]) -> Iterator[PlannedStatement]:
        """Those of the first round, those that may follow, then what needs none and what cannot be measured."""
        rounds, at = Rounds(asked, self.known.questions, self.environment.ways), self.environment.clock()
        wanted_by: dict[MetricRequest, list[MetricRequest]] = {request: [request] for request in rounds.wanted}
        for request, waits in rounds.waiting.items():
            for wait in waits:
                wanted_by[wait].append(request)
        for scan, compiled in plan_scans(self.warehouse, self.known.columns, rounds.wanted, at):
            yield self._statement(scan, compiled, scan.kind.value, [r for wait in scan.requests for r in wanted_by[wait]])
        for scan, compiled in plan_scans(self.warehouse, self.known.columns, (r for r in rounds.waiting if r not in rounds.wanted), at):
            yield self._statement(scan, compiled, "if needed", scan.requests)
        yield from self._said("known", {r: found.way for r, (found, _) in rounds.ended.items() if isinstance(found, Answer)})
        yield from self._said("reused", {r: self.known.proofs[r] for r in self.known.reused})
        yield from self._said("none", {r: failure.message for r, failure in self.known.failures.items()})

    def _statement(self, scan: Scan, compiled: CompiledScan | None, kind: str, requests: Iterable[MetricRequest]) -> PlannedStatement:
        sql = literal_sql(compiled.statement, self.warehouse.dialect) if compiled else ""
        return PlannedStatement(str(scan.table), kind, sql, self._checks(requests))

    def _said(self, kind: str, words: Mapping[MetricRequest, str]) -> Iterator[PlannedStatement]:
        """One entry for each table and text."""
        alike: dict[tuple[str, str], list[MetricRequest]] = {}
        for request, text in words.items():
            alike.setdefault((str(request.table), text), []).append(request)
        for (table, text), requests in alike.items():
            yield PlannedStatement(table, kind, "", self._checks(requests), text)

    def _checks(self, requests: Iterable[MetricRequest]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(check for request in requests for check in self.serves.get(request, ())))
