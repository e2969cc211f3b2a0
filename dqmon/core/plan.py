"""Fusing: the fewest statements that answer all metric requests, each by the cheapest exact way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.core.measurement import MetricRequest, Partition, Scan
from dqmon.core.metric import MetricKind
from dqmon.core.metric_kinds import GroupedMetric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_Key = tuple[object, ...]


def plan(requests: Iterable[MetricRequest], fits: Callable[[Scan], bool]) -> tuple[Scan, ...]:
    """Scans that answer each distinct request exactly once, in order of first need.

    AGGREGATE requests of one table, condition and segmentation are one scan, whatever their partition (partitions
    of one column become buckets of one grouped statement); GROUPED ones one scan for each key; STATEMENT, QUERY
    and BINNED ones one for each metric; ROWS ones one each; METADATA ones one for each table. A scan that does not `fits` the
    engine is halved.
    """
    groups: dict[_Key, list[MetricRequest]] = {}
    for request in dict.fromkeys(requests):
        groups.setdefault(_fusion_key(request), []).append(request)
    return tuple(part for group in groups.values() for part in _fit(_scan(group), fits))


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
