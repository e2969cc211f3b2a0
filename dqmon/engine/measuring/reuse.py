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
        if not proofs:
            return {}
        with self.database.read() as connection:
            kept = recall(connection, proofs)
        found = {request: tuple(map(_reader(request), rows)) for request, rows in kept.items()}
        beside: dict[tuple[object, ...], dict[Segment, dict[Metric, Value]]] = {}
        for request, earlier in found.items():
            for one in earlier:
                beside.setdefault(_rows(request), {}).setdefault(one.segment, {})[request.metric] = one.value
        return {
            request: earlier
            for request, earlier in found.items()
            if all(request.metric.stands(one.value, beside[_rows(request)][one.segment]) for one in earlier)
        }

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


def _rows(request: MetricRequest) -> tuple[object, ...]:
    """Which rows a request is of, and how their timestamps are read."""
    return request.table, request.where, request.partition, request.segment_by, request.naive_timezone
