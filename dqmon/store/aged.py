"""Deleting what is old: the statements behind `engine.retention`. Each call deletes a bounded number of rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.core.alert import AlertState
from dqmon.core.delivery import DeliveryState
from dqmon.core.incident import IncidentState
from dqmon.store import backlogs, lineage
from dqmon.store.alerts import alerts, events
from dqmon.store.deliveries import deliveries
from dqmon.store.groups import groups
from dqmon.store.incidents import incidents, members
from dqmon.store.loads import loads
from dqmon.store.measurements import measurements
from dqmon.store.outages import stand_ins
from dqmon.store.results import results
from dqmon.store.runs import runs
from dqmon.store.schema import Instant
from dqmon.store.silences import silences
from dqmon.store.statements import statements

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


@dataclass(frozen=True, slots=True)
class Aging:
    """How rows of a table age: in series of equal `keys`, by the time `at`.

    Only `current` rows are points of a baseline and say how new a series is; `held` rows are never deleted.
    """

    table: sa.Table
    keys: tuple[sa.Column[str], ...]
    at: sa.Column[datetime]
    current: sa.ColumnElement[bool]
    held: sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Series:
    """A series with rows that are too old: its keys, and the time of its newest point."""

    keys: tuple[str, ...]
    newest_at: datetime


_OPEN_INCIDENTS = sa.select(incidents.c.id).where(incidents.c.state != IncidentState.RESOLVED)
_OPEN_CHECKS = sa.union(
    sa.select(members.c.check_id).where(members.c.incident_id.in_(_OPEN_INCIDENTS)),
    sa.select(alerts.c.check_id).where(alerts.c.state.in_((AlertState.FIRING, AlertState.RECOVERING))),
)

MEASUREMENTS = Aging(
    measurements,
    (measurements.c.series,),
    measurements.c.described_at,
    measurements.c.is_current,
    measurements.c.run_id.in_(sa.select(results.c.run_id).where(results.c.check_id.in_(_OPEN_CHECKS))),
)
RESULTS = Aging(results, (results.c.check_id,), results.c.scheduled_at, results.c.is_current, results.c.check_id.in_(_OPEN_CHECKS))
LOADS = Aging(loads, (loads.c.source, loads.c.pipeline), loads.c.happened_at, sa.true(), sa.false())


def old_series(connection: Connection, aging: Aging, keep: timedelta, now: datetime) -> tuple[Series, ...]:
    """The series that have rows older than `keep` before their newest point.

    A newest point after `now` (a clock was wrong) counts as `now`, so that it cannot delete what is young.
    """
    newest = sa.func.max(sa.case((aging.current, aging.at)), type_=Instant)
    oldest = sa.func.min(aging.at, type_=Instant)
    statement = sa.select(*aging.keys, newest, oldest).group_by(*aging.keys).having(newest.is_not(None))
    found: list[Series] = []
    for *keys, newest_at, oldest_at in connection.execute(statement):
        if oldest_at < min(newest_at, now) - keep:
            found.append(Series(tuple(keys), min(newest_at, now)))
    return tuple(found)


def baseline_start(connection: Connection, aging: Aging, series: Series, points: int) -> datetime | None:
    """The time of the series' `points`-th newest point up to its newest; None when it has fewer."""
    statement = (
        sa.select(aging.at)
        .where(_of(aging, series), aging.current, aging.at <= series.newest_at)
        .distinct()
        .order_by(aging.at.desc())
        .offset(points - 1)
        .limit(1)
    )
    return connection.scalar(statement)


def delete_old(connection: Connection, aging: Aging, series: Series, before: tuple[datetime, datetime], limit: int) -> int:
    """Deletes at most `limit` rows of the series older than `before[0]`, current ones only when older than `before[1]`, too."""
    too_old, baseline = before
    old = (aging.at < too_old) & ((aging.at < baseline) | ~aging.current)
    return _delete(connection, aging.table, _of(aging, series) & old & ~aging.held, limit)


def delete_events(connection: Connection, keep: timedelta, now: datetime, limit: int) -> int:
    """Deletes used events older than `keep` before the newest one, if older than all results that are left of their check.

    Never those of checks in trouble. What is left tells which points of a baseline lay in incidents.
    """
    oldest = sa.select(sa.func.min(results.c.scheduled_at)).where(results.c.check_id == events.c.check_id, ~results.c.is_ad_hoc)
    is_spent = (events.c.slot < oldest.scalar_subquery()) & events.c.used_at.is_not(None) & events.c.check_id.not_in(_OPEN_CHECKS)
    is_old = events.c.at < _cut(connection, events.c.at, keep, now)
    return _delete(connection, events, is_old & is_spent, limit)


def delete_runs(connection: Connection, keep: timedelta, now: datetime, limit: int) -> int:
    """Deletes runs older than `keep` before the newest one, of which no result is left."""
    is_empty = ~sa.exists().where(results.c.run_id == runs.c.run_id)
    is_old = runs.c.started_at < _cut(connection, runs.c.started_at, keep, now)
    return _delete(connection, runs, is_old & is_empty, limit)


def delete_deliveries(connection: Connection, keep: timedelta, now: datetime, limit: int) -> int:
    """Deletes done deliveries older than `keep` before the newest one, of groups and incidents that are resolved."""
    d = deliveries.c
    is_closed = d.group_id.not_in(sa.select(groups.c.id).where(groups.c.resolved_at.is_(None))) & d.incident_id.not_in(_OPEN_INCIDENTS)
    is_old = d.created_at < _cut(connection, d.created_at, keep, now)
    return _delete(connection, deliveries, is_old & is_closed & (d.state != DeliveryState.QUEUED), limit)


def delete_statements(connection: Connection, keep: timedelta, now: datetime, limit: int) -> int:
    """Deletes statements older than `keep` before the newest one."""
    return _delete(connection, statements, statements.c.started_at < _cut(connection, statements.c.started_at, keep, now), limit)


def delete_samples(connection: Connection, keep: timedelta, now: datetime, limit: int) -> int:
    """Deletes what waited at polls older than `keep` before the newest one."""
    minute = backlogs.samples.c.minute
    return _delete(connection, backlogs.samples, minute < _cut(connection, minute, keep, now), limit)


def delete_groups(connection: Connection, keep: timedelta, now: datetime, limit: int) -> int:
    """Deletes groups resolved longer than `keep` before the newest incident opened, of which no delivery is left."""
    is_empty = ~sa.exists().where(deliveries.c.group_id == groups.c.id)
    is_old = groups.c.resolved_at < _cut(connection, incidents.c.opened_at, keep, now)
    return _delete(connection, groups, is_old & is_empty, limit)


def delete_stand_ins(connection: Connection, keep: timedelta, now: datetime, limit: int) -> int:
    """Deletes what says who was told in a channel's place, once the group that did has been deleted, or was never needed for so long."""
    del keep, now
    told, of = stand_ins.c.group_id, stand_ins.c.stands_for
    kept = sa.select(groups.c.id)
    return _delete(connection, stand_ins, told.not_in(kept) & of.not_in(kept), limit)


def delete_incidents(connection: Connection, keep: timedelta, now: datetime, limit: int) -> int:
    """Deletes incidents, with their members, resolved longer than `keep` before the newest one opened."""
    is_resolved = incidents.c.state == IncidentState.RESOLVED
    is_old = incidents.c.resolved_at < _cut(connection, incidents.c.opened_at, keep, now)
    return _delete(connection, incidents, is_old & is_resolved, limit)


def delete_edges(connection: Connection, keep: timedelta, now: datetime, limit: int) -> int:
    """Deletes what no source has said of the lineage for longer than `keep`: of removed sources, and of jobs that read otherwise."""
    return _delete(connection, lineage.edges, lineage.edges.c.seen_at < now - keep, limit)


def delete_exposures(connection: Connection, keep: timedelta, now: datetime, limit: int) -> int:
    """Deletes exposures that no source has named for longer than `keep`."""
    return _delete(connection, lineage.exposures, lineage.exposures.c.seen_at < now - keep, limit)


def delete_silences(connection: Connection, keep: timedelta, now: datetime, limit: int) -> int:
    """Deletes silences that were over longer than `keep` before now."""
    return _delete(connection, silences, silences.c.end_at < now - keep, limit)


def _cut(connection: Connection, at: sa.Column[datetime], keep: timedelta, now: datetime) -> datetime:
    """The time before which rows are old: `keep` before the newest, or before `now` where that is a wrong clock's."""
    newest_at: datetime | None = connection.scalar(sa.select(sa.func.max(at)))
    return min(newest_at or now, now) - keep


def _of(aging: Aging, series: Series) -> sa.ColumnElement[bool]:
    return sa.and_(*(column == value for column, value in zip(aging.keys, series.keys, strict=True)))


def _delete(connection: Connection, table: sa.Table, condition: sa.ColumnElement[bool], limit: int) -> int:
    keys = tuple(table.primary_key)
    chosen = sa.select(*keys).where(condition).limit(limit)
    return connection.execute(sa.delete(table).where(sa.tuple_(*keys).in_(chosen))).rowcount
