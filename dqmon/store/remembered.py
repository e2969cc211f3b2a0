"""What each run of the past measured and said, for a replay."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from dqmon.core.measurement import ESTIMATED, Failure
from dqmon.core.result import ResultRecord
from dqmon.store.measurements import measurements
from dqmon.store.results import results
from dqmon.store.schema import Instant
from dqmon.store.writes import chunks

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.engine import Connection


class KeptValue(NamedTuple):
    """A row of dq_measurements. `number` and `text` are as `Metric.restore` reads them; `partition` and `segment` are stored texts.

    `id` grows in the order of committing. `is_estimate`: it was not measured (`core.measurement.ESTIMATED`).
    """

    id: int
    run_id: str
    segment: str
    partition: str
    described_at: datetime
    number: float | None
    text: str | None
    failure: Failure | None
    slot: datetime
    measured_at: datetime
    is_current: bool
    is_estimate: bool


class KeptRun(NamedTuple):
    """A run of one check that was recorded: its slot, and when its results were committed. `first` orders runs of one commit."""

    run_id: str
    slot: datetime
    at: datetime
    first: str


def values(connection: Connection, names: Collection[str], since: datetime) -> dict[str, tuple[KeptValue, ...]]:
    """By series, all that was measured of times from `since` on, in the order of committing; ad-hoc runs are left out."""
    m = measurements.c
    wanted = sa.select(
        *(m.id, m.run_id, m.segment, m.partition, m.described_at, m.value, m.value_text, m.failure, m.failure_message),
        *(m.scheduled_at, m.measured_at, m.is_current, m.way, m.series),
    )
    found: dict[str, list[KeptValue]] = defaultdict(list)
    for part in chunks(sorted(set(names))):
        statement = wanted.where(m.series.in_(part), m.described_at >= since, ~m.is_ad_hoc).order_by(m.id)
        for row in connection.execute(statement):
            id_, run, segment, partition, at, number, text, kind, message, slot, measured, current, way, name = row
            failure = None if kind is None else Failure(kind, message or "")
            is_estimate = (way or "").startswith(ESTIMATED)
            found[name].append(KeptValue(id_, run, segment, partition, at, number, text, failure, slot, measured, current, is_estimate))
    return {name: tuple(kept) for name, kept in found.items()}


def runs(connection: Connection, check_ids: Collection[str], since: datetime) -> dict[str, tuple[KeptRun, ...]]:
    """By check, its recorded runs of slots from `since` on, in the order of committing; ad-hoc runs are left out."""
    r = results.c
    at, first = sa.func.min(r.committed_at, type_=Instant), sa.func.min(r.id)
    wanted = sa.select(r.check_id, r.run_id, r.scheduled_at, at, first).group_by(r.check_id, r.run_id, r.scheduled_at)
    found: dict[str, list[KeptRun]] = defaultdict(list)
    for part in chunks(sorted(set(check_ids))):
        statement = wanted.where(r.check_id.in_(part), r.scheduled_at >= since, ~r.is_ad_hoc).order_by(at, first)
        for check_id, *fields in connection.execute(statement):
            found[check_id].append(KeptRun(*fields))
    return {check_id: tuple(kept) for check_id, kept in found.items()}


def first_slots(connection: Connection, check_ids: Collection[str]) -> dict[str, datetime]:
    """The earliest recorded slot of each check; checks without one and ad-hoc runs are left out."""
    r = results.c
    first = sa.select(r.check_id, sa.func.min(r.scheduled_at, type_=Instant)).group_by(r.check_id)
    found: dict[str, datetime] = {}
    for part in chunks(sorted(set(check_ids))):
        rows = connection.execute(first.where(r.check_id.in_(part), ~r.is_ad_hoc))
        found.update((check_id, slot) for check_id, slot in rows)
    return found


def records(connection: Connection, check_id: str, since: datetime) -> dict[str, tuple[ResultRecord, ...]]:
    """By run, what was recorded of the check in slots from `since` on; ad-hoc runs are left out."""
    r = results.c
    wanted = sa.select(*(r[name] for name in ResultRecord.__slots__))
    statement = wanted.where(r.check_id == check_id, r.scheduled_at >= since, ~r.is_ad_hoc).order_by(r.committed_at, r.id)
    found: dict[str, list[ResultRecord]] = defaultdict(list)
    for row in connection.execute(statement):
        found[row.run_id].append(ResultRecord(**row._asdict()))
    return {run_id: tuple(kept) for run_id, kept in found.items()}
