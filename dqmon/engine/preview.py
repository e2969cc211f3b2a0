"""`dqmon plan`: the statements that a run would send, and which checks each one serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dqmon.core.metric import MetricRequest
from dqmon.engine.judge import Task
from dqmon.engine.measure import plan_scans
from dqmon.engine.run import by_warehouse, task_requests
from dqmon.sql.text import literal_sql

if TYPE_CHECKING:
    from dqmon.engine.environment import Environment


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """One statement, values inlined, or why `checks` cannot be measured (`problem`). `kind` is the scan's."""

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
    found: list[PlannedStatement] = []
    for name, tables in by_warehouse(tasks).items():
        warehouse = environment.warehouses[name]
        with warehouse.open() as session:
            planned = plan_scans(warehouse, session, [r for asked in tables.values() for r in asked], environment.clock())
        for scan, compiled in planned.scans:
            checks = tuple(dict.fromkeys(check for request in scan.requests for check in serves[request]))
            sql = literal_sql(compiled.statement, warehouse.dialect) if compiled else ""
            found.append(PlannedStatement(str(scan.table), scan.kind.value, sql, checks))
        problems: dict[tuple[str, str], list[str]] = {}
        for request, failure in planned.failures.items():
            problems.setdefault((str(request.table), failure.message), []).extend(serves[request])
        found.extend(
            PlannedStatement(table, "none", "", tuple(dict.fromkeys(checks)), problem) for (table, problem), checks in problems.items()
        )
    return tuple(found)
