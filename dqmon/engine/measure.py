"""Metric requests of one warehouse in, measurements out: the fewest statements, and one bad metric spoils no other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

from dqmon import errors
from dqmon.core.measurement import Failure, FailureKind, Measurement, MetricRequest, Scan, Segment, Slice
from dqmon.core.metric import Metric, Value
from dqmon.core.plan import split
from dqmon.core.table import Column, TableRef
from dqmon.engine.fragments import Merging, Pieces, chunks
from dqmon.engine.means import Means
from dqmon.engine.planning import compile_with, failure_of, look_up, scans
from dqmon.engine.reuse import Earlier
from dqmon.engine.rounds import Rounds
from dqmon.sql.text import literal_sql
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.core.protocols import Session, Warehouse

log = Log(__name__)

Answers: TypeAlias = Mapping[tuple[Slice, Segment, Metric], Value]


@dataclass(slots=True)
class Measured:
    """Measurements by request (one for each segment), and how many data statements were sent for them."""

    by_request: dict[MetricRequest, tuple[Measurement, ...]] = field(default_factory=dict)
    statements: int = 0
    columns: dict[TableRef, tuple[Column, ...]] = field(default_factory=dict)
    pieces: dict[TableRef, Pieces] = field(default_factory=dict)

    @property
    def tables(self) -> frozenset[TableRef]:
        """The tables that something was asked of."""
        return frozenset(request.table for request in self.by_request)

    def take(self, other: Measured) -> None:
        """Adds what was measured of other tables."""
        self.by_request.update(other.by_request)
        self.columns.update(other.columns)
        # A later look at the same table knows nothing of what an earlier one has read.
        self.pieces.update({table: pieces for table, pieces in other.pieces.items() if pieces.changed or table not in self.pieces})
        self.statements += other.statements


def measure(warehouse: Warehouse, requests: Iterable[MetricRequest], means: Means) -> Measured:
    """Every request gets at least one measurement, with a value or a failure. Raises StoreError only, from the memory.

    1. Columns are looked up, so that a missing one is known before any SQL runs. 2. The rest is planned into scans, in rounds
    where a value may be had in another way than by its own statement. 3. A scan that fails is halved until the
    bad metric stands alone; one that times out too, but only as often as one bad metric needs.
    """
    wanted = tuple(dict.fromkeys(requests))
    measuring, rounds = _Measuring(warehouse, means), Rounds((), {}, ())
    try:
        with warehouse.open() as session:
            known = look_up(warehouse, session, wanted, means)
            measuring.done.columns.update(known.columns)
            measuring.proofs, measuring.merging = known.proofs, Merging(known.pieces)
            measuring.done.pieces.update(known.pieces)
            measuring.reuse(known.reused)
            for request, failure in known.failures.items():
                measuring.fail((request,), failure, ())
            rounds = Rounds((r for r in wanted if r not in measuring.done.by_request), known.questions, means.ways)
            while asked := rounds.wanted:
                measuring.round(session, asked)
                rounds.take(measuring.done.by_request)
            measuring.end(rounds)
    except errors.WarehouseError as e:
        measuring.end(rounds)
        measuring.fail_rest(wanted, failure_of(e))
    except errors.StoreError:
        raise
    except Exception as e:  # noqa: BLE001 - one broken warehouse type must not stop the others (STYLE.md 17)
        log.error("warehouse broke while measuring", warehouse=warehouse.name, error=f"{type(e).__name__}: {e}")
        said = f"the warehouse type {warehouse.type} broke while measuring: {type(e).__name__}: {e}; this is a defect of the type"
        measuring.fail_rest(wanted, Failure(FailureKind.QUERY, said))
    measuring.done.by_request = {request: measuring.done.by_request[request] for request in wanted}
    return measuring.done


@dataclass(slots=True)
class _Patience:
    """How many more time-outs a scan and its halves may have before the rest is given up."""

    timeouts: int


class _Measuring:
    def __init__(self, warehouse: Warehouse, means: Means) -> None:
        self.warehouse = warehouse
        self.clock = means.clock
        self.new_id = means.new_id
        self.proofs: Mapping[MetricRequest, str] = {}
        self.merging = Merging({})
        self.done = Measured()

    def reuse(self, reused: Mapping[MetricRequest, tuple[Earlier, ...]]) -> None:
        """Takes earlier values for measured now."""
        at, scan_id = self.clock(), self.new_id()
        for request, earlier in reused.items():
            self.done.by_request[request] = tuple(
                Measurement(request, e.segment, e.value, None, at, 0.0, scan_id, (), self.proofs[request], e.measured_at) for e in earlier
            )

    def round(self, session: Session, asked: Sequence[MetricRequest]) -> None:
        """Measures all that is asked for, by as few statements as it takes."""
        missing = [request for request in asked if request not in self.done.by_request]
        self._merge(session, [request for request in missing if self.merging.takes(request)])
        self._read(session, [request for request in missing if request not in self.done.by_request])

    def _merge(self, session: Session, requests: Sequence[MetricRequest]) -> None:
        """Measures tables in fragments as far as their values can be merged; what a fragment refuses is left to one statement."""
        merging, used = self.merging, {request: list[Measurement]() for request in requests}
        for needs in (merging.first, merging.second):
            pieces = {request: tuple(needs(request)) for request in used}
            for together in chunks(dict.fromkeys(piece for needed in pieces.values() for piece in needed)):
                self._read(session, together)
                merging.learn(m for piece in together for m in self.done.by_request[piece] if m.failure is None)
            for request, needed in pieces.items():
                used[request] += (m for piece in needed for m in self.done.by_request[piece])
                failures = [m.failure for m in used[request] if m.failure]
                final = [failure for failure in failures if failure.kind in (FailureKind.TIMEOUT, FailureKind.UNREACHABLE)]
                if final:
                    self.fail((request,), final[0], ())
                if failures:
                    del used[request]
        for request, measurements in used.items():
            if merging.can_merge(request):
                self._take_merged(request, measurements)

    def _take_merged(self, request: MetricRequest, used: Sequence[Measurement]) -> None:
        at, scan_id = self.clock(), self.new_id()
        own = Measurement(request, (), None, None, at, sum({m.scan_id: m.duration_s for m in used}.values()), scan_id)
        own = replace(own, sql=tuple(dict.fromkeys(text for m in used for text in m.sql)), proof=self.proofs.get(request))
        try:
            merged = self.merging.merged(request)
        except errors.TooManySegments as e:
            self.fail((request,), failure_of(e), own.sql)
        else:
            way = self.merging.way(request)
            self.done.by_request[request] = tuple(replace(own, segment=s, value=v, way=way) for s, v in merged.items())

    def _read(self, session: Session, requests: Sequence[MetricRequest]) -> None:
        """Sends the statements of requests, one after the other."""
        for scan in scans(self.warehouse, requests):
            allowed = 2 * math.ceil(math.log2(len(scan.metrics) + 1)) + 1
            self.scan(session, scan, _Patience(allowed))

    def end(self, rounds: Rounds) -> None:
        """Takes what was found on ways, with the statements that it rests on."""
        at, scan_id = self.clock(), self.new_id()
        for request, (found, used) in rounds.ended.items():
            first = Measurement(request, (), None, None, at, 0.0, scan_id)
            last = used[-1] if used else first
            value, failure, way = (None, found, None) if isinstance(found, Failure) else (found.value, None, found.way)
            sql = tuple(dict.fromkeys(text for m in used for text in m.sql))
            own = replace(last, request=request, value=value, failure=failure, way=way, sql=sql, proof=self.proofs.get(request))
            self.done.by_request[request] = (own,)

    def scan(self, session: Session, scan: Scan, patience: _Patience) -> None:
        """Measures one scan; raises ConnectFailed when the warehouse is gone, so that nothing more is tried."""
        at, started = self.clock(), perf_counter()
        sql: tuple[str, ...] = ()
        try:
            compiled = compile_with(scan, self.done.columns, self.warehouse, at)
            if compiled is None:
                answers = self._catalogue(scan)
            else:
                sql = (literal_sql(compiled.statement, self.warehouse.dialect),)
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
        return {(request.slice, (), request.metric): columns for request in scan.requests}

    def _narrow(self, session: Session, scan: Scan, patience: _Patience, error: errors.WarehouseError, sql: tuple[str, ...]) -> None:
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
        sql: tuple[str, ...],
    ) -> None:
        scan_id = self.new_id()
        by_part: dict[tuple[Slice, Metric], list[Measurement]] = {}
        wanted = {(request.slice, request.metric): request for request in scan.requests}
        for (partition, segment, metric), value in answers.items():
            request = wanted.get((partition, metric))
            if request is not None:
                found = Measurement(request, segment, value, None, at, duration_s, scan_id, sql, self.proofs.get(request))
                by_part.setdefault((partition, metric), []).append(found)
        for key, request in wanted.items():
            self.done.by_request[request] = tuple(by_part.get(key, ()))

    def fail_rest(self, wanted: Iterable[MetricRequest], failure: Failure) -> None:
        """Records why all that has no value yet has none."""
        self.fail((request for request in wanted if request not in self.done.by_request), failure, ())

    def fail(self, requests: Iterable[MetricRequest], failure: Failure, sql: tuple[str, ...]) -> None:
        """Records why `requests` have no value."""
        at, scan_id = self.clock(), self.new_id()
        for request in requests:
            self.done.by_request[request] = (Measurement(request, (), None, failure, at, 0.0, scan_id, sql),)
