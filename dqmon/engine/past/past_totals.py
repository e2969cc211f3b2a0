"""Row counts that checks of whole tables would have measured: from a table's log, its engine's history, or its kept loads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.core.check_type import DatasetCheck
from dqmon.core.cron import next_fire
from dqmon.core.measurement import ESTIMATED, Measurement, MetricRequest
from dqmon.core.past_rows import PastRows
from dqmon.core.protocols import Remembering
from dqmon.engine.judging.upstreams import pipeline_of
from dqmon.engine.measuring.asked import Task, requests
from dqmon.engine.past.backfill import rows_now
from dqmon.engine.past.load_totals import Brought, brought, totals
from dqmon.engine.past.past_partitions import has_baseline, has_past
from dqmon.errors import WarehouseError
from dqmon.sql.metrics import RowCount
from dqmon.store import measurements, runs
from dqmon.store.loads import newest
from dqmon.store.measurements import POINTS, history
from dqmon.store.series import HistoryKey, series

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.check import Check
    from dqmon.engine.environment import Environment

_MOST_LOADS = 5_000
"""As of arrivals: more than half a year of hourly loads."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Regained:
    """What can be had of the past of one check's whole table.

    slots: when the check would have run, before its first known value, oldest first. measured: its values that are no estimates,
    with their times, oldest first. past: what says how many rows there were; None where nothing does, for the reason `problem`.
    """

    check: Check
    request: MetricRequest
    slots: tuple[datetime, ...] = ()
    measured: tuple[tuple[datetime, int], ...] = ()
    past: PastRows | Brought | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many values of a check's past were recorded, of which source; the reason where there were none."""

    check_id: str
    points: int
    past: PastRows


def regain(environment: Environment, checks: Iterable[Check], days: int) -> tuple[Regained, ...]:
    """For each check with a baseline whose partitions cannot be measured, what says how many rows its table had in the last `days`.

    1. The log of a Delta or Iceberg table, or the engine's history of changes; 2. the kept loads of the pipelines that load it.
    Sends catalogue look-ups only. Raises StoreError.
    """
    now = environment.clock()
    wanted = (check for check in checks if has_baseline(check) and not has_past(check))
    return tuple(_regained(environment, check, now - timedelta(days=days), now) for check in wanted)


def record(environment: Environment, found: Iterable[Regained]) -> Iterator[Recorded]:
    """Records the values of the slots, each check's in one transaction; there are no results, so that no alert counts them.

    Loads are counted back from the first measured value, or from the rows that are counted now. Raises StoreError.
    """
    for one in found:
        if one.past is not None:
            past = _totals(environment, one, one.past)
            yield Recorded(one.check.id, _record(environment, one, past), past)


def _totals(environment: Environment, one: Regained, past: PastRows | Brought) -> PastRows:
    if isinstance(past, PastRows):
        return past
    if one.measured:
        return totals(past, one.measured)
    rows = rows_now(environment, one.request, one.check.id)
    return PastRows((), rows) if isinstance(rows, str) else totals(past, ((environment.clock(), rows),))


def _record(environment: Environment, one: Regained, past: PastRows) -> int:
    at, run_id = environment.clock(), environment.new_id()
    way = past.because if past.is_exact else f"{ESTIMATED}{past.because}"
    values = [(slot, rows) for slot in one.slots if (rows := past.at(slot)) is not None]
    with environment.database.write() as connection:
        runs.save(connection, runs.Run(run_id, "backfill", at, environment.clock(), True, 0))
        for slot, rows in values:
            value = Measurement(one.request, (), rows, None, at, 0.0, run_id, way=way)
            measurements.add(connection, run_id, (value,), scheduled_at=slot)
    return len(values)


def _regained(environment: Environment, check: Check, since: datetime, now: datetime) -> Regained:
    assert isinstance(check.rule, DatasetCheck)  # noqa: S101 - for the type checker: `has_baseline` says so
    metric = check.rule.history_metric(check)
    request = next(request for request in requests(Task(check, now), None) if request.metric == metric)
    if why := _not_a_total(request):
        return Regained(check, request, problem=why)
    with environment.database.read() as connection:
        key = HistoryKey(series(request), "{}", check.id)
        points = history(connection, [key], now)[key]
        loads = _brought(environment, connection, request, since)
    slots = _slots(check, since, points[0].at if points else now)
    found = Regained(check, request, slots, tuple((point.at, round(point.value)) for point in points if not point.is_estimate))
    if not slots:
        return found
    past = _told(environment, request, since)
    if past.totals:
        return replace(found, past=past)
    return replace(found, past=loads) if isinstance(loads, Brought) else replace(found, problem=f"{past.because}, and {loads}")


def _not_a_total(request: MetricRequest) -> str | None:
    """Why neither logs nor loads can say what the request asks."""
    if request.metric != RowCount():
        return f"nobody keeps the past of {request.metric.name}"
    if request.where is not None or request.segment_by:
        return "it counts some rows of the table, of which neither logs nor loads tell"
    return None


def _told(environment: Environment, request: MetricRequest, since: datetime) -> PastRows:
    try:
        with environment.warehouses[request.table.warehouse].open() as session:
            if isinstance(session, Remembering):
                return session.past_rows(request.table, since)
    except WarehouseError as e:
        return PastRows((), str(e))
    return PastRows((), "the engine keeps no history of how many rows a table had")


def _brought(environment: Environment, connection: Connection, request: MetricRequest, since: datetime) -> Brought | str:
    """By the pipelines that load the table itself."""
    parents = environment.lineage.parents
    refs = {node: ref for node in parents.get(str(request.table), ()) if (ref := pipeline_of(node, environment.sources)) is not None}
    records = newest(connection, set(refs.values()), _MOST_LOADS, since, whole=False) if refs else {}
    is_only = not any(refs.keys() & made_from for child, made_from in parents.items() if child != str(request.table))
    return brought((one for kept in records.values() for one in kept), request.table, is_only_table=is_only)


def _slots(check: Check, since: datetime, until: datetime) -> tuple[datetime, ...]:
    """When the check was due in [since, until), as many as a baseline rests on; an interval (a day without one) back from `until`."""
    schedule = check.schedule
    if schedule is None or schedule.every_s is not None:
        step = _DAY if schedule is None or schedule.every_s is None else timedelta(seconds=schedule.every_s)
        return tuple(until - n * step for n in range(min(POINTS, int((until - since) / step)), 0, -1))
    found: list[datetime] = []
    at = next_fire(schedule, 0.0, since)
    while at is not None and at < until:
        found.append(at)
        at = next_fire(schedule, 0.0, at)
    return tuple(found[-POINTS:])
