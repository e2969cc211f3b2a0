"""`dqmon plan`: the statements that a run would send, and which checks each one serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dqmon.core.measurement import MetricRequest
from dqmon.engine.judge import Task
from dqmon.engine.planning import plan_scans
from dqmon.engine.reuse import recall_from
from dqmon.engine.run import by_warehouse, task_requests
from dqmon.sql.text import literal_sql

if TYPE_CHECKING:
    from dqmon.engine.environment import Environment


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """One statement, values inlined, or why none is needed or possible (`problem`). `kind`: the scan's, `reused` or `none`."""

    table: str
    kind: str
    sql: str
    checks: tuple[str, ...]
    problem: str | None = None


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
        warehouse = environment.warehouses[name]
        with warehouse.open() as session:
            planned = plan_scans(warehouse, session, [r for asked in tables.values() for r in asked], environment.clock(), recall)
        for scan, compiled in planned.scans:
            checks = tuple(dict.fromkeys(check for request in scan.requests for check in serves[request]))
            sql = literal_sql(compiled.statement, warehouse.dialect) if compiled else ""
            found.append(PlannedStatement(str(scan.table), scan.kind.value, sql, checks))
        again: dict[tuple[str, str], list[str]] = {}
        for request in planned.reused:
            again.setdefault((str(request.table), planned.proofs[request]), []).extend(serves[request])
        found.extend(PlannedStatement(table, "reused", "", tuple(dict.fromkeys(checks)), proof) for (table, proof), checks in again.items())
        problems: dict[tuple[str, str], list[str]] = {}
        for request, failure in planned.failures.items():
            problems.setdefault((str(request.table), failure.message), []).extend(serves[request])
        found.extend(
            PlannedStatement(table, "none", "", tuple(dict.fromkeys(checks)), problem) for (table, problem), checks in problems.items()
        )
    return tuple(found)
