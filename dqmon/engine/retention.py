"""Forgetting: what is old enough is deleted, so that the store does not grow for ever."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from dqmon.store import aged, backlogs
from dqmon.store.measurements import POINTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from dqmon.store.database import Database

BATCH = 2_000
"""Rows deleted in one transaction, so that committing results never waits long."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How long rows stay, counted back from the newest of their series or table, never from now: a check that stopped
    running keeps its last history. `incidents` counts for resolved incidents, their groups, the alerts' events, and silences
    that are over; `loads` also, from now, for the lineage that no source tells any more.
    """

    measurements: timedelta = timedelta(days=400)
    results: timedelta = timedelta(days=400)
    incidents: timedelta = timedelta(days=400)
    deliveries: timedelta = timedelta(days=90)
    loads: timedelta = timedelta(days=90)
    statements: timedelta = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The newest `points` of a series of measurements, results or load records stay, whatever the policy says, if they
    are at most `max_age` older than the newest: a detector may rest on them.
    """

    points: int = POINTS
    max_age: timedelta = timedelta(days=400)


def purge(database: Database, now: datetime, policy: Policy, baseline: Baseline = Baseline(), max_rows: int = 200_000) -> dict[str, int]:
    """Deletes what is older than the policy keeps, and returns how many rows of each table went.

    At most about `max_rows`, in transactions of BATCH rows; the rest is left for the next call. Never rows of checks
    with an open incident or alert, nor current points of a baseline. Raises StoreError.
    """
    counts: Counter[str] = Counter()

    def batches(table: str, delete: Callable[[Connection], int]) -> None:
        while counts.total() < max_rows:
            with database.write() as connection:
                deleted = delete(connection)
            counts[table] += deleted
            if deleted < BATCH:
                return

    # Measurements before results: the results of checks in trouble say which measurements are held.
    for aging, keep in ((aged.MEASUREMENTS, policy.measurements), (aged.RESULTS, policy.results), (aged.LOADS, policy.loads)):
        for series, before in _series(database, aging, keep, now, baseline):
            batches(aging.table.name, partial(aged.delete_old, aging=aging, series=series, before=before, limit=BATCH))
    for table, delete, keep in (
        ("dq_alert_events", aged.delete_events, policy.incidents),
        ("dq_runs", aged.delete_runs, max(policy.measurements, policy.results)),
        ("dq_deliveries", aged.delete_deliveries, policy.deliveries),
        ("dq_statements", aged.delete_statements, policy.statements),
        ("dq_backlog_samples", aged.delete_samples, backlogs.KEPT),
        ("dq_groups", aged.delete_groups, policy.incidents),
        ("dq_stand_ins", aged.delete_stand_ins, policy.incidents),
        ("dq_incidents", aged.delete_incidents, policy.incidents),
        ("dq_silences", aged.delete_silences, policy.incidents),
        ("dq_edges", aged.delete_edges, policy.loads),
        ("dq_exposures", aged.delete_exposures, policy.loads),
    ):
        batches(table, partial(delete, keep=keep, now=now, limit=BATCH))
    return dict(counts)


def _series(
    database: Database, aging: aged.Aging, keep: timedelta, now: datetime, baseline: Baseline
) -> list[tuple[aged.Series, tuple[datetime, datetime]]]:
    """Each series with old rows, with the time before which rows are old, and the time before which no baseline looks."""
    with database.read() as connection:
        found = []
        for series in aged.old_series(connection, aging, keep, now):
            horizon = series.newest_at - baseline.max_age
            nth = aged.baseline_start(connection, aging, series, baseline.points)
            found.append((series, (series.newest_at - keep, max(nth or horizon, horizon))))
        return found
