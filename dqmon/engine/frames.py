"""A frame judged as a table is, before it is one: the same metrics, the same judgement, and which rows are bad."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.measurement import Scan
from dqmon.core.metric import MetricKind
from dqmon.core.result import CheckResult
from dqmon.core.verdict import Verdict
from dqmon.engine.judging.judge import Knowledge, judge
from dqmon.engine.measuring.asked import Run, Task, requests
from dqmon.engine.measuring.means import Means
from dqmon.engine.measuring.measure import measure
from dqmon.sql.bad_rows import bad_rows
from dqmon.sql.source import Source

if TYPE_CHECKING:
    from dqmon.core.protocols import Session, Warehouse


def judge_frame(warehouse: Warehouse, checks: Iterable[Check], now: datetime, new_id: Callable[[], str]) -> tuple[CheckResult, ...]:
    """The results of checks that have a `row_rule`, over all rows of the one table that `warehouse` has.

    Nothing is read from a store or written to one. What cannot be measured is ERROR.
    """
    tasks = [Task(check, now) for check in checks]
    wanted = [request for task in tasks for request in requests(task, None)]
    measured = measure(warehouse, wanted, Means(lambda: now, new_id)).by_request
    run = Run(new_id(), is_ad_hoc=True)
    return tuple(result for task in tasks for result in judge(task, run, measured, Knowledge(), new_id))


def bad_positions(warehouse: Warehouse, results: Iterable[CheckResult], position: str) -> Mapping[str, tuple[int, ...]]:
    """By the id of each result that is FAIL, the values of the column `position` of its bad rows, ascending.

    Raises a WarehouseError.
    """
    with warehouse.open() as session:
        return {result.id: _positions(warehouse, session, result, position) for result in results if result.verdict is Verdict.FAIL}


def _positions(warehouse: Warehouse, session: Session, result: CheckResult, position: str) -> tuple[int, ...]:
    check, rule = result.check, result.check.rule
    if check.table is None or not isinstance(rule, DatasetCheck) or rule.row_rule is None:
        return ()
    asked = requests(Task(check, result.scheduled_at), None)
    segment_by = tuple(name for name, _ in result.segment)
    scan = Scan(MetricKind.AGGREGATE, check.table, check.where, segment_by, check.max_segments, check.naive_timezone, (), asked)
    source = Source(scan, session.columns(check.table), warehouse.capabilities)
    rows = session.fetch(bad_rows(rule.row_rule, source, result.segment, position), warehouse.timeout_s)
    return tuple(int(str(row[0])) for row in rows)
