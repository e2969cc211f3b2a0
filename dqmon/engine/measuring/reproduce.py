"""The statement by which a person sees for themselves what a bad result saw: that check's alone, not the fused one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from dqmon.core.measurement import MetricRequest
from dqmon.core.metric import MetricKind
from dqmon.core.plan import plan
from dqmon.core.result import CheckResult
from dqmon.core.table import Column, TableRef
from dqmon.engine.measuring.planning import compile_with
from dqmon.errors import WarehouseError
from dqmon.sql.compile import CompiledScan, fits
from dqmon.sql.literal_sql import literal_sql

if TYPE_CHECKING:
    from dqmon.core.protocols import Warehouse


def with_reproduction(
    result: CheckResult, warehouses: Mapping[str, Warehouse], columns: Mapping[TableRef, tuple[Column, ...]]
) -> CheckResult:
    """The result with its statement, values inlined, if it is bad and was measured by one; else as it is. Runs nothing."""
    wanted = _wanted(m.request for m in result.measurements)
    if not result.verdict.is_bad or not wanted:
        return result
    home = result.measurements[0].request.table.warehouse
    scans = plan(wanted, lambda scan: fits(scan, warehouses[scan.table.warehouse].capabilities))
    try:
        compiled = [compile_with(scan, columns, warehouses[scan.table.warehouse], result.measured_at) for scan in scans]
    except WarehouseError:
        return result
    return replace(result, reproduce=";\n".join(_text(one, warehouses, home) for one in compiled if one))


def _wanted(asked: Iterable[MetricRequest]) -> tuple[MetricRequest, ...]:
    """The requests that a statement answers; of the steps of a search the last one of each side, which has the rows."""
    found = {(r if r.metric.is_kept else (r.table, r.where)): r for r in asked if r.metric.kind is not MetricKind.METADATA}
    return tuple(found.values())


def _text(compiled: CompiledScan, warehouses: Mapping[str, Warehouse], home: str) -> str:
    """The statement; below the name of its warehouse when that is not `home`."""
    name = compiled.scan.table.warehouse
    sql = literal_sql(compiled.statement, warehouses[name].dialect)
    return sql if name == home else f"-- in warehouse {name}\n{sql}"
