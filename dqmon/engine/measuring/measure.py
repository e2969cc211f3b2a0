"""Metric requests of one warehouse in, measurements out: the fewest statements, and one bad metric spoils no other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

from dqmon import errors
from dqmon.core.cost import Cost
from dqmon.core.measurement import Failure, FailureKind, Measurement, MetricRequest, Scan, Segment, Slice
from dqmon.core.metric import Metric, Value
from dqmon.core.plan import split
from dqmon.engine.measuring.attempts import attempted
from dqmon.engine.measuring.budget import Purse, ration
from dqmon.engine.measuring.estimate import Estimator
from dqmon.engine.measuring.fragments import Merging, chunks
from dqmon.engine.measuring.means import Means
from dqmon.engine.measuring.measured import Measured
from dqmon.engine.measuring.planning import Outlook, compile_with, failure_of, look_up, scans
from dqmon.engine.measuring.rounds import Rounds
from dqmon.engine.measuring.sent import Behind, Sent, behind
from dqmon.sql.literal_sql import literal_sql
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from sqlalchemy.sql import Select

    from dqmon.core.protocols import Session, Warehouse

log = Log(__name__)

_FINAL = frozenset((FailureKind.TIMEOUT, FailureKind.UNREACHABLE, FailureKind.BROKEN))
"""Failures after which nothing else is tried for a value."""

Answers: TypeAlias = Mapping[tuple[Slice, Segment, Metric], Value]


def measure(warehouse: Warehouse, requests: Iterable[MetricRequest], means: Means, known: Outlook | Failure | None = None) -> Measured:
    """Every request gets at least one measurement, with a value or a failure. Raises StoreError only, from the memory.

    1. Columns are looked up, so that a missing one is known before any SQL runs, unless all is `known`, of these requests or more,
    or why nothing is. 2. The rest is planned into scans, in rounds where a value may be had in another way than by its own statement.
    3. A scan that fails is halved until the bad metric stands alone; one that times out too, but only as often as one bad metric
    needs. No connection is opened where nothing is left to ask.
    """
    wanted = tuple(dict.fromkeys(requests))
    measuring = _Measuring(warehouse, wanted, means)
    failure = known if isinstance(known, Failure) else attempted(warehouse, lambda: measuring.start(known))
    measuring.end()
    if failure is not None:
        measuring.fail_rest(failure)
    measuring.done.by_request = {request: measuring.done.by_request[request] for request in wanted}
    return measuring.done


@dataclass(slots=True)
class _Patience:
    """How many more time-outs a scan and its halves may have before the rest is given up."""

    timeouts: int


class _Measuring:
    def __init__(self, warehouse: Warehouse, wanted: tuple[MetricRequest, ...], means: Means) -> None:
        self.warehouse = warehouse
        self.wanted = wanted
        self.means = means
        self.clock = means.clock
        self.new_id = means.new_id
        self.proofs: Mapping[MetricRequest, str] = {}
        self.merging = Merging({})
        self.rounds = Rounds((), {}, ())
        self.purse = means.purses.get(warehouse.name)
        self.seconds: Mapping[MetricRequest, float] = {} if self.purse is None else self.purse.seconds(wanted)
        self.behind: dict[MetricRequest, tuple[MetricRequest, ...]] = {}
        self.done = Measured()

    def start(self, known: Outlook | None) -> None:
        """Measures all that is wanted, by what is known and by one connection. Raises a WarehouseError, with the rest still to be ended."""
        if known is None:
            with self.means.gate.open(self.warehouse, self.clock) as session:
                self._learn(look_up(self.warehouse, session, self.wanted, self.means))
                self.means.gate.answered(self.warehouse, self.clock)
                self._walk(session)
            return
        self._learn(known.of(self.wanted))
        if self.rounds.wanted:
            with self.means.gate.open(self.warehouse, self.clock) as session:
                # It answered a moment ago: a connection that breaks from here on is that connection's trouble.
                self.means.gate.answered(self.warehouse, self.clock)
                self._walk(session)

    def _learn(self, known: Outlook) -> None:
        """Takes what is known without a scan for measured now."""
        self.proofs, self.merging = known.proofs, Merging(known.pieces)
        self.done.columns.update(known.columns)
        self.done.pieces.update(known.pieces)
        at, scan_id = self.clock(), self.new_id()
        for request, earlier in known.reused.items():
            self.done.by_request[request] = tuple(
                Measurement(request, e.segment, e.value, None, at, 0.0, scan_id, (), self.proofs[request], e.measured_at) for e in earlier
            )
        for request, (value, way) in known.told.items():
            self.done.by_request[request] = (Measurement(request, (), value, None, at, 0.0, scan_id, way=way),)
        for request, failure in known.failures.items():
            self.fail((request,), failure, ())
        self.rounds = Rounds((r for r in self.wanted if r not in self.done.by_request), known.questions, self.means.ways)

    def _walk(self, session: Session) -> None:
        while asked := self.rounds.wanted:
            self.round(session, asked, self.rounds.waiting)
            self.rounds.take(self.done.by_request)

    def round(self, session: Session, asked: Sequence[MetricRequest], waiting: Behind) -> None:
        """Measures all that is asked for, by as few statements as it takes; `waiting` has what each request waits for."""
        own = frozenset(self.wanted)
        self.behind = behind(waiting, (request for request in asked if request in own))
        missing = [request for request in asked if request not in self.done.by_request]
        self._merge(session, [request for request in missing if self.merging.takes(request)])
        self._read(session, [request for request in missing if request not in self.done.by_request])

    def _merge(self, session: Session, requests: Sequence[MetricRequest]) -> None:
        """Measures tables in fragments as far as their values can be merged; what a fragment refuses is left to one statement."""
        merging, used = self.merging, {request: list[Measurement]() for request in requests}
        for needs in (merging.first, merging.second):
            pieces = {request: tuple(needs(request)) for request in used}
            self.behind |= behind(pieces, (), self.behind)
            for together in chunks(dict.fromkeys(piece for needed in pieces.values() for piece in needed)):
                self._read(session, together)
                merging.learn(m for piece in together for m in self.done.by_request[piece] if m.failure is None)
            for request, needed in pieces.items():
                used[request] += (m for piece in needed for m in self.done.by_request[piece])
                failures = [m.failure for m in used[request] if m.failure]
                final = [failure for failure in failures if failure.kind in _FINAL]
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
        """Sends the statements of requests, one after the other, as far as the warehouse's budget goes."""
        for scan in scans(self.warehouse, requests) if self.purse is None else self._affordable(session, requests, self.purse):
            allowed = 2 * math.ceil(math.log2(len(scan.metrics) + 1)) + 1
            self.scan(session, scan, _Patience(allowed))

    def _affordable(self, session: Session, requests: Sequence[MetricRequest], purse: Purse) -> Iterator[Scan]:
        """The scans that may be sent; what each was expected to cost is set aside until it is over."""
        estimator = Estimator(self.warehouse, session, self.done.columns, self.seconds, self.clock())
        found = ration(requests, estimator.forecast(self.behind), purse)
        for request, reason in found.refused.items():
            self.fail((request,), Failure(FailureKind.BUDGET, reason), ())
        left = list(found.granted)
        try:
            while left:
                yield left[0][0]
                purse.settle(left.pop(0)[1])
        finally:
            for _, promised in left:
                purse.settle(promised)
        for sample, reason in found.samples.items():
            measured = self.done.by_request.pop(sample)
            failures = [m.failure.message for m in measured if m.failure]
            if failures:
                self.fail((sample.exact,), Failure(FailureKind.BUDGET, f"no value {reason}: {failures[0]}"), ())
            else:
                self.done.by_request[sample.exact] = tuple(replace(m, way=reason) for m in measured)

    def end(self) -> None:
        """Takes what was found on ways, with the statements that it rests on."""
        at, scan_id = self.clock(), self.new_id()
        for request, (found, used) in self.rounds.ended.items():
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
            sql = (literal_sql(compiled.statement, self.warehouse.dialect),)
            answers = compiled.decode(self._send(session, scan, compiled.statement))
        except errors.ConnectFailed:
            raise
        except errors.TooManySegments as e:
            self.fail(scan.requests, failure_of(e), sql)
        except errors.WarehouseError as e:
            self._narrow(session, scan, patience, e, sql)
        else:
            self._keep(scan, answers, at, perf_counter() - started, sql)

    def _send(self, session: Session, scan: Scan, statement: Select[tuple[object, ...]]) -> Sequence[tuple[object, ...]]:
        at, started = self.clock(), perf_counter()
        try:
            return session.fetch(statement, self.warehouse.timeout_s)
        finally:
            seconds, spent = perf_counter() - started, session.spent
            cost = Cost(seconds, spent, self.warehouse.price.credits(seconds, spent))
            served = tuple(self.behind.get(request, (request,)) for request in (r.exact for r in scan.requests))
            self.done.sent.append(Sent(scan.table, scan.kind.value, at, cost, served))
            if self.purse is not None:
                self.purse.pay(cost)

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

    def fail_rest(self, failure: Failure) -> None:
        """Records why all that has no value yet has none."""
        self.fail((request for request in self.wanted if request not in self.done.by_request), failure, ())

    def fail(self, requests: Iterable[MetricRequest], failure: Failure, sql: tuple[str, ...]) -> None:
        """Records why `requests` have no value."""
        at, scan_id = self.clock(), self.new_id()
        for request in requests:
            self.done.by_request[request] = (Measurement(request, (), None, failure, at, 0.0, scan_id, sql),)
