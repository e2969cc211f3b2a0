"""What is asked of a warehouse and what comes back: requests, the scans that answer them, measurements."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from dqmon.core.fragment import Fragment
from dqmon.core.metric import Metric, MetricKind, Value
from dqmon.core.table import TableRef


@dataclass(frozen=True, slots=True)
class Partition:
    """Rows with start <= column < end (aware UTC, or None both: the rows whose key is NULL)."""

    column: str
    start: datetime | None
    end: datetime | None

    @property
    def key(self) -> str:
        """The stored text: `2013-02-08T05:00:00Z/2013-02-09T05:00:00Z`, or `null`."""
        if self.start is None or self.end is None:
            return "null"
        return "/".join(f"{t:%Y-%m-%dT%H:%M:%SZ}" for t in (self.start, self.end))


Slice: TypeAlias = Partition | Fragment | None
"""Which of a table's rows: those of a partition, those of a fragment, or all."""


Segment: TypeAlias = tuple[tuple[str, str | None], ...]
"""One combination of the values of `segment_by`, as text; the empty tuple when there is no `segment_by`."""


def segment_key(segment: Segment) -> str:
    """The stored text of a segment: canonical JSON, `{}` without `segment_by`."""
    return json.dumps(dict(segment), sort_keys=True, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class MetricRequest:
    """A metric of a table under a condition. Equal requests are measured once.

    `where` is the canonical text of the filter; `naive_timezone` is how timestamps without zone are read. A request has a
    partition or a fragment, or neither. `sample`: of about so many percent of the table's rows, by chance; None: of all.
    """

    table: TableRef
    metric: Metric
    where: str | None = None
    partition: Partition | None = None
    segment_by: tuple[str, ...] = ()
    max_segments: int = 50
    naive_timezone: str = "UTC"
    fragment: Fragment | None = None
    sample: float | None = None

    @property
    def exact(self) -> MetricRequest:
        """The same of all rows."""
        return self if self.sample is None else replace(self, sample=None)

    @property
    def slice(self) -> Slice:
        """Which rows, before the filter."""
        return self.fragment or self.partition


@dataclass(frozen=True, slots=True)
class Scan:
    """One statement (or catalogue look-up) that answers all its requests.

    The requests have one table, where, partition column, segment_by, sample and, for GROUPED, one key; STATEMENT, QUERY and
    BINNED have one metric, ROWS one request.
    """

    kind: MetricKind
    table: TableRef
    where: str | None
    segment_by: tuple[str, ...]
    max_segments: int
    naive_timezone: str
    partitions: tuple[Partition, ...]
    requests: tuple[MetricRequest, ...]
    fragments: tuple[Fragment, ...] = ()
    sample: float | None = None

    @property
    def slices(self) -> tuple[Slice, ...]:
        """The partitions or fragments asked for; None alone for the whole table."""
        return self.fragments or self.partitions or (None,)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The distinct metrics, in the order of the requests."""
        return tuple(dict.fromkeys(request.metric for request in self.requests))


class FailureKind(StrEnum):
    """Why something could not be measured. UNREACHABLE is the whole warehouse, BROKEN one connection to it.

    BUDGET: it was left out, since the warehouse's budget does not allow it.
    """

    UNREACHABLE = "unreachable"
    BROKEN = "broken"
    BUSY = "busy"
    TIMEOUT = "timeout"
    PERMISSION = "permission"
    MISSING_TABLE = "missing_table"
    MISSING_COLUMN = "missing_column"
    QUERY = "query"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request has no value; `message` is one line for people."""

    kind: FailureKind
    message: str


ESTIMATED = "estimated from "
"""Begins the `way` of a value that was not measured, but had from what else is known of the table (`dqmon backfill`)."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A value at a time, or why there is none. `sql` are the statements behind it, values inlined.

    `proof` is what the warehouse said of the table before the scan: while it says the same, the rows are the same.
    `reused_from` is when the value was really measured, None when it was measured now. `way` is in words how the value was had
    without counting the rows (a constraint, the least and greatest value, …); None for the plain statement.
    """

    request: MetricRequest
    segment: Segment
    value: Value
    failure: Failure | None
    measured_at: datetime
    duration_s: float
    scan_id: str
    sql: tuple[str, ...] = ()
    proof: str | None = None
    reused_from: datetime | None = None
    way: str | None = None
