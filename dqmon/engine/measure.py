"""Metric requests of one warehouse in, measurements out: the fewest statements, and one bad metric spoils no other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

from dqmon import errors
from dqmon.core.metric import (
    Failure,
    FailureKind,
    Measurement,
    Metric,
    MetricKind,
    MetricRequest,
    Partition,
    Scan,
    Segment,
    StatementMetric,
    Value,
)
from dqmon.core.plan import plan, split
from dqmon.core.table import Column, TableRef
from dqmon.sql.columns import resolve
from dqmon.sql.compile import CompiledScan, compile_scan, fits
from dqmon.sql.text import literal_sql
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.core.protocols import Session, Warehouse

log = Log(__name__)

_KINDS: tuple[tuple[type[errors.WarehouseError], FailureKind], ...] = (
    (errors.ConnectFailed, FailureKind.UNREACHABLE),
    (errors.WarehouseBusy, FailureKind.BUSY),
    (errors.QueryTimeout, FailureKind.TIMEOUT),
    (errors.PermissionDenied, FailureKind.PERMISSION),
    (errors.TableMissing, FailureKind.MISSING_TABLE),
    (errors.ColumnMissing, FailureKind.MISSING_COLUMN),
)


Answers: TypeAlias = Mapping[tuple[Partition | None, Segment, Metric], Value]


@dataclass(slots=True)
class Measured:
    """Measurements by request (one for each segment), and how many data statements were sent for them."""

    by_request: dict[MetricRequest, tuple[Measurement, ...]] = field(default_factory=dict)
    statements: int = 0
    columns: dict[TableRef, tuple[Column, ...]] = field(default_factory=dict)

    @property
    def tables(self) -> frozenset[TableRef]:
        """The tables that something was asked of."""
        return frozenset(request.table for request in self.by_request)

    def take(self, other: Measured) -> None:
        """Adds what was measured of other tables."""
        self.by_request.update(other.by_request)
        self.columns.update(other.columns)
        self.statements += other.statements


@dataclass(frozen=True, slots=True)
class Planned:
    """What would be sent: scans with their statements, and why other requests cannot be measured."""

    scans: tuple[tuple[Scan, CompiledScan | None], ...]
    failures: Mapping[MetricRequest, Failure]
    columns: Mapping[TableRef, tuple[Column, ...]]


def measure(warehouse: Warehouse, requests: Iterable[MetricRequest], clock: Callable[[], datetime], new_id: Callable[[], str]) -> Measured:
    """Every request gets at least one measurement, with a value or a failure. Raises nothing.

    1. Columns are looked up, so that a missing one is known before any SQL runs. 2. The rest is planned into scans. 3. A scan
    that fails is halved until the bad metric stands alone; one that times out too, but only as often as one bad metric needs.
    """
    wanted = tuple(dict.fromkeys(requests))
    measuring = _Measuring(warehouse, clock, new_id)
    try:
        with warehouse.open() as session:
            planned = plan_scans(warehouse, session, wanted, clock())
            measuring.done.columns.update(planned.columns)
            for request, failure in planned.failures.items():
                measuring.fail((request,), failure, None)
            for scan, _ in planned.scans:
                allowed = 2 * math.ceil(math.log2(len(scan.metrics) + 1)) + 1
                measuring.scan(session, scan, _Patience(allowed))
    except errors.WarehouseError as e:
        missing = tuple(request for request in wanted if request not in measuring.done.by_request)
        measuring.fail(missing, failure_of(e), None)
    return measuring.done


def plan_scans(warehouse: Warehouse, session: Session, requests: Iterable[MetricRequest], at: datetime) -> Planned:
    """The scans for `requests` with their compiled statements; sends catalogue look-ups only. Raises ConnectFailed."""
    columns: dict[TableRef, tuple[Column, ...]] = {}
    lookup_failures: dict[TableRef, Failure] = {}
    failures: dict[MetricRequest, Failure] = {}
    for request in requests:
        for table, names in _reads(request):
            if table not in columns and table not in lookup_failures:
                try:
                    columns[table] = session.columns(table)
                except errors.ConnectFailed:
                    raise
                except errors.WarehouseError as e:
                    lookup_failures[table] = failure_of(e)
            found = lookup_failures.get(table) or _missing(table, names, columns[table])
            if found:
                failures.setdefault(request, found)
    possible = (request for request in requests if request not in failures)
    scans = []
    for scan in plan(possible, partial(fits, caps=warehouse.capabilities)):
        try:
            scans.append((scan, compile_with(scan, columns, warehouse, at)))
        except errors.WarehouseError as e:
            scans.append((scan, None))
            log.debug("scan does not compile as a whole", table=str(scan.table), error=str(e))
    return Planned(tuple(scans), failures, columns)


def failure_of(error: errors.WarehouseError) -> Failure:
    """The failure that stands for an exception; what is not known better is the statement's own fault."""
    kind = next((kind for type_, kind in _KINDS if isinstance(error, type_)), FailureKind.QUERY)
    return Failure(kind, str(error))


def _reads(request: MetricRequest) -> list[tuple[TableRef, tuple[str, ...]]]:
    """Each table that a request reads, with the columns that must be there."""
    names = (*request.metric.columns, *request.segment_by, *((request.partition.column,) if request.partition else ()))
    reads = [(request.table, names)]
    if isinstance(request.metric, StatementMetric):
        reads.append((request.metric.other.table, request.metric.other.columns))
    return reads


def _missing(table: TableRef, names: tuple[str, ...], columns: tuple[Column, ...]) -> Failure | None:
    try:
        resolve(names, columns)
    except errors.ColumnMissing as e:
        return Failure(FailureKind.MISSING_COLUMN, f"{table.dataset}: {e}")
    return None


def compile_with(scan: Scan, columns: Mapping[TableRef, tuple[Column, ...]], warehouse: Warehouse, at: datetime) -> CompiledScan | None:
    """The statement of a scan; None for METADATA, which the look-up has answered already."""
    metric = scan.metrics[0]
    if metric.kind is MetricKind.METADATA:
        return None
    others = columns[metric.other.table] if isinstance(metric, StatementMetric) else ()
    return compile_scan(scan, columns[scan.table], others, warehouse.capabilities, at)


@dataclass(slots=True)
class _Patience:
    """How many more time-outs a scan and its halves may have before the rest is given up."""

    timeouts: int


class _Measuring:
    def __init__(self, warehouse: Warehouse, clock: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self.warehouse = warehouse
        self.clock = clock
        self.new_id = new_id
        self.done = Measured()

    def scan(self, session: Session, scan: Scan, patience: _Patience) -> None:
        """Measures one scan; raises ConnectFailed when the warehouse is gone, so that nothing more is tried."""
        at, started = self.clock(), perf_counter()
        sql: str | None = None
        try:
            compiled = compile_with(scan, self.done.columns, self.warehouse, at)
            if compiled is None:
                answers = self._catalogue(scan)
            else:
                sql = literal_sql(compiled.statement, self.warehouse.dialect)
                self.done.statements += 1
                answers = compiled.decode(session.fetch(compiled.statement, self.warehouse.timeout_s))
        except errors.ConnectFailed:
            raise
        except errors.TooManySegments as e:
            self.fail(scan.requests, failure_of(e), sql)
        except errors.WarehouseError as e:
            self._narrow(session, scan, patience, e, sql)
        else:
            self._keep(scan, answers, at, perf_counter() - started, sql)

    def _catalogue(self, scan: Scan) -> Answers:
        columns = self.done.columns[scan.table]
        return {(request.partition, (), request.metric): columns for request in scan.requests}

    def _narrow(self, session: Session, scan: Scan, patience: _Patience, error: errors.WarehouseError, sql: str | None) -> None:
        if isinstance(error, errors.QueryTimeout):
            patience.timeouts -= 1
        halves = split(scan)
        if not halves or patience.timeouts < 0:
            self.fail(scan.requests, failure_of(error), sql)
            return
        log.info("scan failed, halving it", table=str(scan.table), metrics=len(scan.metrics), error=str(error))
        for half in halves:
            self.scan(session, half, patience)

    def _keep(
        self,
        scan: Scan,
        answers: Answers,
        at: datetime,
        duration_s: float,
        sql: str | None,
    ) -> None:
        scan_id = self.new_id()
        by_part: dict[tuple[Partition | None, Metric], list[Measurement]] = {}
        wanted = {(request.partition, request.metric): request for request in scan.requests}
        for (partition, segment, metric), value in answers.items():
            request = wanted.get((partition, metric))
            if request is not None:
                found = Measurement(request, segment, value, None, at, duration_s, scan_id, sql)
                by_part.setdefault((partition, metric), []).append(found)
        for key, request in wanted.items():
            self.done.by_request[request] = tuple(by_part.get(key, ()))

    def fail(self, requests: Iterable[MetricRequest], failure: Failure, sql: str | None) -> None:
        """Records why `requests` have no value."""
        at, scan_id = self.clock(), self.new_id()
        for request in requests:
            self.done.by_request[request] = (Measurement(request, (), None, failure, at, 0.0, scan_id, sql),)
