"""Partitions of the past: what of them is not measured yet, and what of a grouped scan over many of them is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.histogram import Histogram
from dqmon.core.measurement import Failure, FailureKind, Measurement, MetricRequest, Partition
from dqmon.core.metric import MetricKind
from dqmon.engine.measuring.asked import Task, requests, windows
from dqmon.sql.metrics import RowCount

if TYPE_CHECKING:
    from dqmon.core.table import TableRef

_MOST_PER_DAY = {"hour": 24.0, "day": 1.0, "week": 1 / 7, "month": 1 / 28}

BEFORE_FIRST_ROW = "before the first row, so that it is part of no baseline"
"""Why an old partition has no value; its request counts as measured."""

Found: TypeAlias = Mapping[MetricRequest, Sequence[Measurement]]


@dataclass(frozen=True, slots=True)
class Past:
    """What the baselines of one table ask for: requests of ended partitions, oldest first, with the checks that want each.

    Those of one time are in the order of the checks.
    """

    table: TableRef
    asked: Mapping[MetricRequest, tuple[str, ...]]

    def without(self, known: frozenset[MetricRequest]) -> Past:
        """The rest."""
        return replace(self, asked={request: checks for request, checks in self.asked.items() if request not in known})

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """The distinct partitions, by their start."""
        found = dict.fromkeys(request.partition for request in self.asked if request.partition is not None)
        return tuple(sorted(found, key=started))


def started(partition: Partition | None) -> datetime:
    """The start of a partition that has one, as all of the past have."""
    assert partition is not None  # noqa: S101 - for the type checker
    assert partition.start is not None  # noqa: S101 - as above
    return partition.start


def has_baseline(check: Check) -> bool:
    """True when the check compares with measured values of the past."""
    return isinstance(check.rule, DatasetCheck) and check.rule.history_metric(check) is not None


def has_past(check: Check) -> bool:
    """True when it does so by partitions, so that those values can be measured later, too."""
    is_parted = check.partition is not None and isinstance(check.rule, DatasetCheck) and not check.rule.across_table
    return is_parted and has_baseline(check)


def pasts(checks: Iterable[Check], since: datetime, now: datetime) -> tuple[Past, ...]:
    """What the baselines of `checks` ask for of the partitions that ended after `since`, by table; only of those with a past."""
    wanted: dict[TableRef, dict[MetricRequest, list[str]]] = {}
    for check in checks:
        if has_past(check) and check.table is not None:
            for request in _wanted(check, since, now):
                wanted.setdefault(check.table, {}).setdefault(request, []).append(check.id)
    return tuple(
        Past(table, {r: tuple(asked[r]) for r in sorted(asked, key=lambda request: started(request.partition))})
        for table, asked in wanted.items()
    )


def _wanted(check: Check, since: datetime, now: datetime) -> Iterable[MetricRequest]:
    assert check.partition is not None  # noqa: S101 - for the type checker: `has_past` says so
    assert isinstance(check.rule, DatasetCheck)  # noqa: S101 - as above
    lookback = int((now - since) / timedelta(days=1) * _MOST_PER_DAY[check.partition.grain]) + 1
    wide = Task(replace(check, partition=replace(check.partition, lookback=lookback)), now)
    metric = check.rule.history_metric(check)
    for window in windows(wide):
        if window is not None and window.end is not None and window.end > since:
            yield from (r for r in requests(wide, window) if r.metric == metric and r.table == check.table)


def scanned(asked: Iterable[MetricRequest]) -> dict[MetricRequest, MetricRequest]:
    """What is measured for which of the requests, so that one statement over all partitions says what one over each would.

    Of all partitions together there are more segments than of one.
    """
    asked = tuple(asked)
    many = len({request.partition for request in asked})
    return {replace(request, max_segments=request.max_segments * many) if request.segment_by else request: request for request in asked}


def counted(scans: Iterable[MetricRequest]) -> dict[MetricRequest, MetricRequest]:
    """By request with segments, the rows that tell which segments each partition has; histograms tell that themselves."""
    return {r: replace(r, metric=RowCount()) for r in scans if r.segment_by and r.metric.kind is not MetricKind.BINNED}


def as_if_alone(measured: Found, scans: Mapping[MetricRequest, MetricRequest]) -> dict[MetricRequest, tuple[Measurement, ...]]:
    """The measurements as statements of one partition each would have made them: segments without rows in it are not in it."""
    counts = counted(scans)
    found: dict[MetricRequest, tuple[Measurement, ...]] = {}
    for scan, request in scans.items():
        own, counting = measured[scan], measured[counts.get(scan, scan)]
        failed = tuple(replace(m, request=request) for m in (*own, *counting) if m.failure)
        own = tuple(replace(m, request=request) for m in own)
        if failed or not request.segment_by:
            found[request] = failed or own
            continue
        rows = {m.segment: m.value for m in counting}
        present = tuple(m for m in own if _has_rows(m, rows.get(m.segment)))
        if len(present) > request.max_segments:
            names = ", ".join(request.segment_by)
            said = f"segment_by [{names}] has {len(present)} value combinations, max_segments is {request.max_segments}"
            present = (replace(own[0], segment=(), value=None, failure=Failure(FailureKind.QUERY, said)),)
        found[request] = present or (replace(own[0], segment=(), value=request.metric.empty),)
    return found


def from_first_row(measured: Found, begun: datetime | None) -> dict[MetricRequest, tuple[Measurement, ...]]:
    """The measurements, without values in the partitions before the first row.

    measured: of one table and condition. begun: since when earlier measurements have values. Zero rows after that are zero rows;
    before it there was no table yet, or what it held is gone.
    """
    filled = [started(r.partition) for r, found in measured.items() if any(m.failure is None and m.value != r.metric.empty for m in found)]
    begun = min([*filled, *((begun,) if begun else ())], default=None)
    kept = {}
    for request, found in measured.items():
        partition = request.partition
        is_before = partition is not None and partition.end is not None and (begun is None or partition.end <= begun)
        none = tuple(replace(m, value=None, way=BEFORE_FIRST_ROW) for m in found if m.failure is None)
        kept[request] = (none or tuple(found)) if is_before else tuple(found)
    return kept


def _has_rows(measurement: Measurement, rows: object) -> bool:
    value = measurement.value
    return value.rows > 0 if isinstance(value, Histogram) else bool(rows)
