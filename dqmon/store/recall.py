"""Values of dq_measurements that may stand in for a scan, because they were measured under the same proof."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.store.measurements import measurements
from dqmon.store.schema import Instant
from dqmon.store.series import series
from dqmon.store.writes import chunks

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy.engine import Connection

    from dqmon.core.measurement import MetricRequest


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept measurement: its segment's stored text, its value as `Metric.restore` reads it, and when it was really measured."""

    segment: str
    number: float | None
    text: str | None
    measured_at: datetime


def recall(connection: Connection, proofs: Mapping[MetricRequest, str]) -> dict[MetricRequest, tuple[Kept, ...]]:
    """The newest values of each request, one for each segment, if they were measured under its very proof.

    Requests whose newest measurement has another proof, none, or a failure are left out; ad-hoc runs do not count.
    """
    m = measurements.c
    by_key = {(series(request), request.partition.key if request.partition else ""): request for request in proofs}
    newest = sa.select(m.series, m.partition, sa.func.max(m.id).label("id")).where(~m.is_ad_hoc).group_by(m.series, m.partition)
    found: dict[MetricRequest, list[Kept]] = {}
    for part in chunks(sorted({key for key, _ in by_key})):
        last = newest.where(m.series.in_(part)).subquery()
        mark = measurements.alias("mark")
        scan = sa.select(last.c.series, last.c.partition, mark.c.scan_id, mark.c.run_id).join(mark, mark.c.id == last.c.id).subquery()
        same = (m.series == scan.c.series) & (m.partition == scan.c.partition) & (m.scan_id == scan.c.scan_id) & (m.run_id == scan.c.run_id)
        rows = sa.select(m.series, m.partition, m.segment, m.value, m.value_text, m.failure, m.proof, m.measured_at, m.reused_from)
        for row in connection.execute(rows.join(scan, same)):
            request = by_key.get((row.series, row.partition))
            if request is not None:
                kept = Kept(row.segment, row.value, row.value_text, row.reused_from or row.measured_at)
                found.setdefault(request, [])
                if row.failure is None and row.proof == proofs[request]:
                    found[request].append(kept)
    return {request: tuple(kept) for request, kept in found.items() if kept}


def segments(connection: Connection, name: str) -> tuple[str, ...]:
    """The stored texts of the segments of which the series has current values, sorted."""
    m = measurements.c
    found = sa.select(m.segment).where(m.series == name, m.is_current, m.value.is_not(None)).distinct().order_by(m.segment)
    return tuple(connection.scalars(found))


def measured(connection: Connection, requests: Collection[MetricRequest]) -> frozenset[MetricRequest]:
    """Those of the requests that have a current measurement, of whatever segment; also one that found nothing to measure."""
    m = measurements.c
    by_key = {(series(request), request.partition.key if request.partition else ""): request for request in requests}
    found: set[MetricRequest] = set()
    for part in chunks(sorted({key for key, _ in by_key})):
        rows = connection.execute(sa.select(m.series, m.partition).where(m.series.in_(part), m.is_current).distinct())
        found.update(by_key[row.series, row.partition] for row in rows if (row.series, row.partition) in by_key)
    return frozenset(found)


def first_values(connection: Connection, names: Collection[str]) -> dict[str, datetime]:
    """The earliest time of which each series has a current value; series without one are left out."""
    m = measurements.c
    found: dict[str, datetime] = {}
    for part in chunks(sorted(set(names))):
        first = sa.select(m.series, sa.func.min(m.described_at, type_=Instant)).where(
            m.series.in_(part), m.is_current, m.value.is_not(None)
        )
        found.update((name, at) for name, at in connection.execute(first.group_by(m.series)))
    return found


def durations(connection: Connection, requests: Collection[MetricRequest]) -> dict[MetricRequest, float]:
    """Seconds that the statement behind each request took when its table was last read; without one that never was."""
    m = measurements.c
    by_series: dict[str, list[MetricRequest]] = {}
    for request in requests:
        by_series.setdefault(series(request), []).append(request)
    found: dict[MetricRequest, float] = {}
    for part in chunks(sorted(by_series)):
        read = m.series.in_(part) & m.reused_from.is_(None) & m.failure.is_(None) & (m.duration_s > 0)
        last = sa.select(sa.func.max(m.id)).where(read).group_by(m.series)
        for row in connection.execute(sa.select(m.series, m.duration_s).where(m.id.in_(last))):
            found |= dict.fromkeys(by_series[row.series], row.duration_s)
    return found
