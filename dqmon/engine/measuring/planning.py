"""What a run would send: what is known without reading a table, and the rest planned into scans and compiled."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from dqmon import errors
from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.measurement import Failure, FailureKind, MetricRequest, Scan
from dqmon.core.metric import MetricKind, Value
from dqmon.core.metric_kinds import MetadataMetric, StatementMetric
from dqmon.core.plan import plan
from dqmon.core.table import Column, TableRef
from dqmon.core.version import version
from dqmon.engine.measuring.fragments import Merging, Pieces, pieces
from dqmon.engine.measuring.means import Means
from dqmon.engine.measuring.reuse import Earlier, Memory, is_reusable
from dqmon.engine.measuring.ways import Question, has_ways, wants_facts
from dqmon.sql.columns import resolve
from dqmon.sql.compile import CompiledScan, compile_scan, fits
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.core.protocols import Session, Warehouse

log = Log(__name__)

K = TypeVar("K")
V = TypeVar("V")

_KINDS: tuple[tuple[type[errors.WarehouseError], FailureKind], ...] = (
    (errors.Unreachable, FailureKind.UNREACHABLE),
    (errors.ConnectFailed, FailureKind.BROKEN),
    (errors.WarehouseBusy, FailureKind.BUSY),
    (errors.QueryTimeout, FailureKind.TIMEOUT),
    (errors.PermissionDenied, FailureKind.PERMISSION),
    (errors.TableMissing, FailureKind.MISSING_TABLE),
    (errors.ColumnMissing, FailureKind.MISSING_COLUMN),
)


Told: TypeAlias = tuple[Value, str]
"""What the catalogue answers by itself, and in words how."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known before any table is read: its columns, why some requests cannot be measured, and what needs no scan.

    `proofs` has what the warehouse says of the tables of each request now; `reused` the values that still stand by it; `told` those
    that the catalogue has; `pieces` has the fragments of tables that are made of several; `questions` the requests that may be
    answered in another way than by their own statement.
    """

    columns: Mapping[TableRef, tuple[Column, ...]]
    failures: Mapping[MetricRequest, Failure]
    proofs: Mapping[MetricRequest, str]
    reused: Mapping[MetricRequest, tuple[Earlier, ...]]
    told: Mapping[MetricRequest, Told]
    pieces: Mapping[TableRef, Pieces]
    questions: Mapping[MetricRequest, Question]

    def of(self, requests: Collection[MetricRequest]) -> Outlook:
        """What is known of these alone."""
        own = dict.fromkeys(request.table for request in requests)
        read = dict.fromkeys(table for request in requests for table, _ in reads(request))
        return Outlook(
            _only(read, self.columns),
            _only(requests, self.failures),
            _only(requests, self.proofs),
            _only(requests, self.reused),
            _only(requests, self.told),
            _only(own, self.pieces),
            _only(requests, self.questions),
        )


def look_up(warehouse: Warehouse, session: Session, requests: Collection[MetricRequest], means: Means) -> Outlook:
    """What the catalogue and the store say of `requests`, asked once for all tables of a schema; reads no table.

    A table that the catalogue cannot be asked about spoils no other one. Raises ConnectFailed, and StoreError from the memory.
    """
    memory, at, caps = means.memory, means.clock(), warehouse.capabilities
    session.announce(dict.fromkeys(table for request in requests for table, _ in reads(request)))
    columns, failures = _look_up(session, requests)
    possible = [request for request in requests if request not in failures]
    proofs = _proofs(session, possible) if memory is not None else {}
    reused = memory.recall(proofs) if memory is not None else {}
    rest = [request for request in possible if request not in reused]
    merging = Merging(_pieces(session, rest, columns, memory) if memory is not None else {})
    asked = [r for r in rest if r.metric.kind is MetricKind.METADATA or (has_ways(r, means.ways) and not merging.takes(r))]
    worth = dict.fromkeys(r.table for r in asked if wants_facts(r, caps))
    facts = {table: facts_of(session, table) for table in worth}
    questions = {r: Question(r, facts.get(r.table, NOTHING_KNOWN), columns[r.table], caps, at) for r in asked}
    told: dict[MetricRequest, Told] = {}
    for request in [r for r in asked if r.metric.kind is MetricKind.METADATA]:
        try:
            told[request] = _told(questions.pop(request))
        except errors.WarehouseError as e:
            failures[request] = failure_of(e)
    return Outlook(columns, failures, proofs, reused, told, merging.tables, questions)


def plan_scans(
    warehouse: Warehouse, columns: Mapping[TableRef, tuple[Column, ...]], requests: Iterable[MetricRequest], at: datetime
) -> tuple[tuple[Scan, CompiledScan | None], ...]:
    """The scans for `requests` with their statements; None for one that does not compile as a whole."""
    found: list[tuple[Scan, CompiledScan | None]] = []
    for scan in scans(warehouse, requests):
        try:
            found.append((scan, compile_with(scan, columns, warehouse, at)))
        except errors.WarehouseError as e:
            found.append((scan, None))
            log.debug("scan does not compile as a whole", table=str(scan.table), error=str(e))
    return tuple(found)


def scans(warehouse: Warehouse, requests: Iterable[MetricRequest]) -> tuple[Scan, ...]:
    """The scans for `requests`, each as large as the engine takes it."""
    return plan(requests, partial(fits, caps=warehouse.capabilities))


def _look_up(
    session: Session, requests: Iterable[MetricRequest]
) -> tuple[dict[TableRef, tuple[Column, ...]], dict[MetricRequest, Failure]]:
    """The columns of all tables that the requests read, and the requests whose table or column is not there."""
    columns: dict[TableRef, tuple[Column, ...]] = {}
    unreadable: dict[TableRef, Failure] = {}
    failures: dict[MetricRequest, Failure] = {}
    for request in requests:
        for table, names in reads(request):
            if table not in columns and table not in unreadable:
                try:
                    columns[table] = session.columns(table)
                except errors.ConnectFailed:
                    raise
                except errors.WarehouseError as e:
                    unreadable[table] = failure_of(e)
            found = unreadable.get(table) or _missing(table, names, columns[table])
            if found:
                failures.setdefault(request, found)
    return columns, failures


def _proofs(session: Session, requests: Iterable[MetricRequest]) -> dict[MetricRequest, str]:
    """What the warehouse says of the tables of each reusable request; requests of tables that it says nothing of are left out."""
    said: dict[TableRef, str | None] = {}
    found: dict[MetricRequest, str] = {}
    for request in filter(is_reusable, requests):
        tables = [table for table, _ in reads(request)]
        for table in tables:
            if table not in said:
                try:
                    said[table] = session.unchanged_proof(table)
                except errors.WarehouseError as e:
                    said[table] = None
                    log.debug("no proof", table=str(table), error=str(e))
        proofs = [said[table] for table in tables]
        if None not in proofs:
            # Another version of dqmon may measure another value of the same rows.
            found[request] = f"{' and '.join(str(proof) for proof in dict.fromkeys(proofs))}, by dqmon {version()}"
    return found


def _pieces(
    session: Session, requests: Iterable[MetricRequest], columns: Mapping[TableRef, tuple[Column, ...]], memory: Memory
) -> dict[TableRef, Pieces]:
    """The pieces of each table of a mergeable request; tables that are not made of several are left out."""
    found: dict[TableRef, Pieces] = {}
    for table in dict.fromkeys(r.table for r in requests if r.metric.is_mergeable and r.slice is None):
        try:
            fragments = session.fragments(table)
        except errors.ConnectFailed:
            raise
        except errors.WarehouseError as e:
            log.debug("no fragments", table=str(table), error=str(e))
            continue
        if len(fragments) > 1:
            found[table] = pieces(fragments, columns[table], memory.fragments(table))
    return found


def _told(question: Question) -> Told:
    metric = question.request.metric
    assert isinstance(metric, MetadataMetric)  # noqa: S101 - for the type checker
    return metric.told(question.columns, question.facts, question.caps)


def facts_of(session: Session, table: TableRef) -> TableFacts:
    """What is certain of the table; nothing when the catalogue cannot be asked. Raises ConnectFailed."""
    try:
        return session.facts(table)
    except errors.ConnectFailed:
        raise
    except errors.WarehouseError as e:
        log.debug("no facts", table=str(table), error=str(e))
        return NOTHING_KNOWN


def failure_of(error: errors.WarehouseError) -> Failure:
    """The failure that stands for an exception; what is not known better is the statement's own fault."""
    kind = next((kind for type_, kind in _KINDS if isinstance(error, type_)), FailureKind.QUERY)
    return Failure(kind, str(error))


def _only(keys: Iterable[K], known: Mapping[K, V]) -> dict[K, V]:
    return {key: known[key] for key in keys if key in known}


def reads(request: MetricRequest) -> list[tuple[TableRef, tuple[str, ...]]]:
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


def compile_with(scan: Scan, columns: Mapping[TableRef, tuple[Column, ...]], warehouse: Warehouse, at: datetime) -> CompiledScan:
    """The statement of a scan, of any kind but METADATA, which the look-up answers. Raises a WarehouseError."""
    metric = scan.metrics[0]
    others = columns[metric.other.table] if isinstance(metric, StatementMetric) else ()
    return compile_scan(scan, columns[scan.table], others, warehouse.capabilities, at)
