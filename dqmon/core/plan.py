"""Fusing: the fewest statements that answer all metric requests, each by the cheapest exact way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.core.measurement import MetricRequest, Partition, Scan
from dqmon.core.metric import MetricKind
from dqmon.core.metric_kinds import GroupedMetric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

_Key = tuple[object, ...]


def plan(requests: Iterable[MetricRequest], fits: Callable[[Scan], bool]) -> tuple[Scan, ...]:
    """Scans that answer each distinct request exactly once, in order of first need.

    AGGREGATE requests of one table, condition and segmentation are one scan, whatever their partition (partitions
    of one column become buckets of one grouped statement, as far as they do not overlap: a row is in one bucket, and hours lie
    within days); GROUPED ones one scan for each key; STATEMENT, QUERY
    and BINNED ones one for each metric; ROWS ones one each; METADATA ones one for each table. A scan that does not `fits` the
    engine is halved.
    """
    groups: dict[_Key, list[MetricRequest]] = {}
    for request in dict.fromkeys(requests):
        groups.setdefault(_fusion_key(request), []).append(request)
    return tuple(part for group in groups.values() for layer in _layers(group) for part in _fit(_scan(layer), fits))


def split(scan: Scan) -> tuple[Scan, ...]:
    """A scan's two halves by metric, or nothing when it has one metric only: how a failing scan is narrowed down."""
    metrics = scan.metrics
    if len(metrics) < 2:  # noqa: PLR2004 - nothing to halve
        return ()
    first = frozenset(metrics[: len(metrics) // 2])
    halves = ([r for r in scan.requests if r.metric in first], [r for r in scan.requests if r.metric not in first])
    return tuple(_scan(half) for half in halves)


def _fusion_key(request: MetricRequest) -> _Key:
    metric = request.metric
    within: object = None
    match metric.kind:
        case MetricKind.GROUPED:
            within = metric.keys if isinstance(metric, GroupedMetric) else metric
        case MetricKind.STATEMENT | MetricKind.QUERY | MetricKind.BINNED:
            within = metric
        case MetricKind.ROWS:
            within = (metric, request.partition)
        case MetricKind.METADATA:
            return (metric.kind, request.table)
        case MetricKind.AGGREGATE | MetricKind.SAMPLED:
            within = None
    column = request.partition.column if request.partition else None
    shape = (request.segment_by, request.max_segments, request.naive_timezone, request.sample)
    return (metric.kind, request.table, request.where, column, request.fragment is None, *shape, within)


def _layers(requests: list[MetricRequest]) -> list[list[MetricRequest]]:
    """The requests, apart where their partitions overlap: each partition is in the first layer that has ended before it starts."""
    spans = {(p.start, p.end) for r in requests if (p := r.partition) is not None and p.start is not None and p.end is not None}
    ends: list[datetime] = []
    layer_of: dict[tuple[datetime | None, datetime | None], int] = {}
    for start, end in sorted(spans):
        layer = next((number for number, last in enumerate(ends) if last <= start), len(ends))
        ends[layer : layer + 1] = [end]
        layer_of[start, end] = layer
    layers: dict[int, list[MetricRequest]] = {}
    for request in requests:
        partition = request.partition
        layers.setdefault(layer_of.get((partition.start, partition.end), 0) if partition else 0, []).append(request)
    return list(layers.values())


def _scan(requests: list[MetricRequest]) -> Scan:
    first = requests[0]
    partitions: dict[Partition, None] = dict.fromkeys(r.partition for r in requests if r.partition is not None)
    return Scan(
        first.metric.kind,
        first.table,
        first.where,
        first.segment_by,
        first.max_segments,
        first.naive_timezone,
        tuple(partitions),
        tuple(requests),
        tuple(dict.fromkeys(r.fragment for r in requests if r.fragment is not None)),
        first.sample,
    )


def _fit(scan: Scan, fits: Callable[[Scan], bool]) -> Iterable[Scan]:
    if fits(scan):
        return (scan,)
    return tuple(part for half in split(scan) for part in _fit(half, fits)) or (scan,)
