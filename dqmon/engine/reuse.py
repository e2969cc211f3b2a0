"""Never the same data twice: values measured earlier stand in for a scan while the warehouse proves that the rows are the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.core.measurement import MetricRequest, Segment
from dqmon.core.metric import Metric, MetricKind, Value
from dqmon.store import fragments
from dqmon.store.recall import Kept, recall

if TYPE_CHECKING:
    from dqmon.core.table import TableRef
    from dqmon.store.database import Database
    from dqmon.store.fragments import FragmentState


@dataclass(frozen=True, slots=True)
class Earlier:
    """A value of one segment, and when it was really measured."""

    segment: Segment
    value: Value
    measured_at: datetime


_UNSTEADY = re.compile(r"\(|\b(current|local|now|today|sysdate|random)", re.IGNORECASE)
"""Written SQL with a function or the time in it may say something else tomorrow about the same rows: in doubt, scan."""


def is_reusable(request: MetricRequest) -> bool:
    """True when equal rows give an equal answer, as far as can be told: no free query, no function in written SQL."""
    if request.metric.kind in (MetricKind.QUERY, MetricKind.ROWS, MetricKind.METADATA):
        return False
    written = (request.where or "", *request.metric.written_sql)
    return not any(_UNSTEADY.search(text) for text in written)


class Memory:
    """What the store keeps of earlier runs. Its methods raise StoreError."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def recall(self, proofs: Mapping[MetricRequest, str]) -> Mapping[MetricRequest, tuple[Earlier, ...]]:
        """Given each request's proof, the values of those whose newest measurement was made under that very proof."""
        by_proof: dict[str, list[MetricRequest]] = {}
        for request, proof in proofs.items():
            by_proof.setdefault(proof, []).append(request)
        found: dict[MetricRequest, tuple[Earlier, ...]] = {}
        if by_proof:
            with self.database.read() as connection:
                for proof, requests in by_proof.items():
                    kept = recall(connection, requests, proof)
                    found |= {request: tuple(map(_reader(request), rows)) for request, rows in kept.items()}
        return {request: earlier for request, earlier in found.items() if _stands(request, earlier, found)}

    def fragments(self, table: TableRef) -> Mapping[str, FragmentState]:
        """What was measured of each fragment of the table, by its name."""
        with self.database.read() as connection:
            return fragments.states(connection, table)


def _reader(request: MetricRequest) -> Callable[[Kept], Earlier]:
    def read(kept: Kept) -> Earlier:
        values = json.loads(kept.segment)
        segment = tuple((name, values.get(name)) for name in request.segment_by)
        return Earlier(segment, request.metric.restore(kept.number, kept.text), kept.measured_at)

    return read


def _stands(request: MetricRequest, earlier: tuple[Earlier, ...], found: Mapping[MetricRequest, tuple[Earlier, ...]]) -> bool:
    """True when every segment's value is still the value now."""
    beside = [(other, rows) for other, rows in found.items() if _shape(other) == _shape(request)]
    for one in earlier:
        others: dict[Metric, Value] = {o.metric: row.value for o, rows in beside for row in rows if row.segment == one.segment}
        if not request.metric.stands(one.value, others):
            return False
    return True


def _shape(request: MetricRequest) -> tuple[object, ...]:
    return request.table, request.where, request.partition, request.segment_by
