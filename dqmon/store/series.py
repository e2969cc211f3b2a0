"""The stored key of a series: what is measured again and again, so that its values are a history."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from dqmon.core.measurement import segment_key
from dqmon.store.schema import safe_text

if TYPE_CHECKING:
    from dqmon.core.measurement import MetricRequest, Partition, Segment
    from dqmon.core.metric import Metric
    from dqmon.core.table import TableRef
    from dqmon.store.writes import Row

_GRAINS = (timedelta(hours=1), timedelta(days=1), timedelta(days=7))


@dataclass(frozen=True, slots=True)
class HistoryKey:
    """What history is asked for: a series (`series`), one segment's stored text, and the check whose incidents count."""

    series: str
    segment: str
    check_id: str


def series(request: MetricRequest) -> str:
    """The stored key of the request's series: 32 hex digits, equal in every process.

    Partitions of another column or grain are another series, so that hours never mix with days, and so are timestamps that are
    read in another zone, and values of a sample.
    """
    return str(about(request)["series"])


def history_key(request: MetricRequest, segment: Segment, check_id: str) -> HistoryKey:
    """The key of the history that a measurement of `request` and `segment` continues."""
    return HistoryKey(series(request), safe_text(segment_key(segment)), check_id)


def about(request: MetricRequest) -> Row:
    """The columns that say what is measured. Do not change the dict: it is shared."""
    partition = request.partition
    within = None if partition is None else (partition.column, _grain(partition))
    read = (within, request.naive_timezone) if request.sample is None else (within, request.naive_timezone, request.sample)
    return _columns(request.table, request.metric, request.where, request.segment_by, read)


@lru_cache(50_000)  # the same few are measured again and again
def _columns(table: TableRef, metric: Metric, where: str | None, segment_by: tuple[str, ...], read: tuple[object, ...]) -> Row:
    facts = (table.warehouse, table.dataset, metric.key, where, segment_by, read)
    return {
        "warehouse": table.warehouse,
        "dataset": table.dataset,
        "metric": metric.name,
        "metric_key": metric.key,
        "where_text": where or "",
        "segment_by": segment_by,
        "series": hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest(),
    }


def _grain(partition: Partition) -> int | None:
    """Which of hour, day, week, month the partition is: clock changes make days of 23 to 25 hours."""
    if partition.start is None or partition.end is None:
        return None
    length = partition.end - partition.start
    return sum(length > grain * 1.1 for grain in _GRAINS)
