"""Retention on both engines: what goes, and what must never go."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
import store_rows
from store_rows import DAY, HOUR, ORDERS, Rows, T, in_day, measurement, result

from dqmon.core.alert import Alert, AlertEvent, AlertKey, AlertKind, AlertState, EventKind
from dqmon.core.delivery import Delivery, DeliveryState
from dqmon.core.incident import Group, Incident, IncidentMember, IncidentState
from dqmon.core.load_record import LoadRecord, LoadStatus
from dqmon.core.measurement import MetricRequest, Partition
from dqmon.core.message import DeliveryKind, Message
from dqmon.core.verdict import Severity
from dqmon.engine import retention
from dqmon.engine.retention import Baseline, Policy, purge
from dqmon.store import alerts, deliveries, groups, incidents, loads, measurements, results, runs
from dqmon.store.database import Database

database, postgres_store = store_rows.database, store_rows.postgres_store

MONTH = timedelta(days=30)
NOW = T + timedelta(days=4_000)
POLICY = Policy(MONTH, MONTH, MONTH, MONTH, MONTH)
BASELINE = Baseline(points=3, max_age=60 * DAY)
CHECK = "shop.orders.row_count"
KEY = AlertKey(CHECK, AlertKind.DATA)


def fill(database: Database, days: range, check_id: str = CHECK, **fields: object) -> None:
    """A measurement, a result and a run on each of the days after T."""
    for day in days:
        slot, run_id = T + day * DAY, f"{check_id} {day}"
        with database.write() as connection:
            runs.save(connection, runs.Run(run_id, "scheduled", slot))
            measurements.add(connection, run_id, [measurement(day, MetricRequest(ORDERS, Rows(check_id)))], scheduled_at=slot)
            results.add(connection, [replace(result(slot, check_id=check_id, run_id=run_id), **fields)], slot)


def left(database: Database, column: sa.Column[datetime], table: sa.Table) -> list[int]:
    """On which days after T rows are left."""
    with database.read() as connection:
        return sorted((at - T) // DAY for at in connection.scalars(sa.select(column).select_from(table)))


def days_left(database: Database) -> tuple[list[int], list[int], list[int]]:
    return (
        left(database, measurements.measurements.c.scheduled_at, measurements.measurements),
        left(database, results.results.c.scheduled_at, results.results),
        left(database, runs.runs.c.started_at, runs.runs),
    )


def test_age_is_counted_from_the_newest_of_the_series_not_from_now(database: Database) -> None:
    fill(database, range(0, 101, 5))
    counts = purge(database, NOW, POLICY, BASELINE)
    kept = list(range(70, 101, 5))
    assert days_left(database) == (kept, kept, kept)
    assert counts == {"dq_measurements": 14, "dq_results": 14, "dq_runs": 14} | dict.fromkeys(
        (
            "dq_alert_events",
            "dq_deliveries",
            "dq_groups",
            "dq_incidents",
            "dq_silences",
            "dq_statements",
            "dq_backlog_samples",
            "dq_stand_ins",
            "dq_edges",
            "dq_exposures",
        ),
        0,
    )
    assert sum(purge(database, NOW, POLICY, BASELINE).values()) == 0, "once more finds nothing"


def test_each_series_has_its_own_newest(database: Database) -> None:
    fill(database, range(0, 11, 5), "stopped")
    fill(database, range(0, 101, 20), "running")
    purge(database, NOW, POLICY, BASELINE)
    with database.read() as connection:
        assert len(results.recent(connection, "stopped", 99)) == 3
        assert len(results.recent(connection, "running", 99)) == 3


def test_the_newest_points_stay_for_the_baseline_within_their_age(database: Database) -> None:
    fill(database, range(0, 201, 25))
    purge(database, NOW, POLICY, BASELINE)
    assert days_left(database)[0] == [150, 175, 200], "three points, though only two are younger than 30 days"
    purge(database, NOW, POLICY, replace(BASELINE, points=9))
    assert days_left(database)[0] == [150, 175, 200], "a baseline looks 60 days back at most"


def test_old_versions_and_ad_hoc_rows_are_no_baseline(database: Database) -> None:
    request = MetricRequest(ORDERS, Rows(), partition=Partition("day", T, T + DAY))
    for n, day in enumerate((0, 0, 40)):
        start = T + day * DAY
        asked = replace(request, partition=Partition("day", start, start + DAY))
        with database.write() as connection:
            measurements.add(connection, f"r{n}", [measurement(n, asked)], scheduled_at=start + n * HOUR)
            measurements.add(connection, f"a{n}", [measurement(n, asked)], scheduled_at=start + n * HOUR, is_ad_hoc=True)
            results.add(connection, [result(start + n * HOUR, **in_day(start))], T)
    purge(database, NOW, POLICY, BASELINE)
    m = measurements.measurements.c
    with database.read() as connection:
        kept = connection.execute(sa.select(m.value, m.is_ad_hoc).order_by(m.id)).all()
        assert [tuple(row) for row in kept] == [(1, False), (2, False), (2, True)]
        assert connection.scalar(sa.select(sa.func.count()).select_from(results.results)) == 2


def test_a_clock_that_was_wrong_once_deletes_nothing_young(database: Database) -> None:
    fill(database, range(0, 41, 10))
    fill(database, range(9_000, 9_001))
    purge(database, T + 40 * DAY, POLICY, BASELINE)
    assert days_left(database)[0] == [10, 20, 30, 40, 9_000]


@pytest.mark.parametrize("trouble", ["incident", "alert", "none"])
def test_rows_of_a_check_in_trouble_stay(database: Database, trouble: str) -> None:
    fill(database, range(0, 201, 50))
    fill(database, range(0, 201, 50), "another")
    member = IncidentMember(KEY, "shop.orders", Severity.ERROR, T, T)
    state = IncidentState.ACKNOWLEDGED if trouble == "incident" else IncidentState.RESOLVED
    with database.write() as connection:
        alerts.add_events(connection, [AlertEvent(KEY, EventKind.FIRED, Severity.ERROR, T - DAY, T - DAY)])
        alerts.add_events(connection, [AlertEvent(KEY, EventKind.RESOLVED, Severity.ERROR, T + 99 * DAY, T + 99 * DAY)])
        alerts.mark_used(connection, [1, 2], T)
        alerts.save(connection, [Alert(KEY, AlertState.FIRING if trouble == "alert" else AlertState.RESOLVED)])
        incidents.save(connection, [Incident("i", state, KEY, Severity.ERROR, T, {KEY: member}, resolved_at=T + 300 * DAY)])
    purge(database, NOW, POLICY, BASELINE)
    with database.read() as connection:
        assert len(results.recent(connection, CHECK, 99)) == (2 if trouble == "none" else 5)
        assert len(results.recent(connection, "another", 99)) == 2
        assert len(alerts.events_of(connection, CHECK, 99)) == (1 if trouble == "none" else 2)
    series = measurements.measurements.c.metric_key
    with database.read() as connection:
        kept = connection.scalars(sa.select(series)).all()
    assert sum(CHECK in key for key in kept) == (2 if trouble == "none" else 5)


def test_a_span_whose_start_was_deleted_reaches_back_for_ever(database: Database) -> None:
    with database.write() as connection:
        alerts.add_events(connection, [AlertEvent(KEY, EventKind.RESOLVED, Severity.ERROR, T, T)])
    with database.read() as connection:
        ((start, end),) = alerts.firing_spans(connection, [CHECK])[CHECK]
    assert start < T - 10_000 * DAY
    assert end == T


def test_events_that_were_not_used_stay(database: Database) -> None:
    fill(database, range(100, 201, 50))
    with database.write() as connection:
        alerts.add_events(connection, [AlertEvent(KEY, EventKind.FIRED, Severity.ERROR, T, T)] * 2)
        alerts.add_events(connection, [AlertEvent(KEY, EventKind.RESOLVED, Severity.ERROR, T + 200 * DAY, T + 200 * DAY)])
        alerts.mark_used(connection, [1], T)
    purge(database, NOW, POLICY, BASELINE)
    with database.read() as connection:
        assert [number for number, _ in alerts.unused_events(connection, 9)] == [2, 3]


def delivery(name: str, day: int, group: str) -> Delivery:
    at = T + day * DAY
    message = Message(DeliveryKind.TRIGGER, "test", f"i-{group}", group, "d", Severity.ERROR, "title", at, at, ())
    return Delivery(name, 0, group, "team", "d", DeliveryKind.TRIGGER, "post", message, at)


def test_deliveries_groups_and_incidents_go_when_they_are_closed_and_old(database: Database) -> None:
    made = {"old": 0, "open": 1, "new": 100}
    with database.write() as connection:
        for name, day in made.items():
            at = T + day * DAY
            closed = None if name == "open" else at + HOUR
            state = IncidentState.OPEN if name == "open" else IncidentState.RESOLVED
            incidents.save(
                connection, [Incident(f"i-{name}", state, AlertKey(name, AlertKind.DATA), Severity.ERROR, at, resolved_at=closed)]
            )
            groups.save(connection, [Group(name, "k", "r", "team", "d", at, (f"i-{name}",), (), None, resolved_at=closed)])
            deliveries.add(connection, [delivery(f"d-{name}", day, name), delivery(f"q-{name}", day, name)])
        c = deliveries.deliveries.c
        connection.execute(sa.update(deliveries.deliveries).where(c.id.like("d-%")).values(state=DeliveryState.SENT))
    assert purge(database, NOW, POLICY, BASELINE)["dq_deliveries"] == 1
    with database.read() as connection:
        assert {d.id for name in made for d in deliveries.of_group(connection, name)} == {"q-old", "d-open", "q-open", "d-new", "q-new"}
        assert {i.id for i in incidents.listed(connection, None, 9)} == {"i-open", "i-new"}
        assert [g.id for name in made for g in groups.of_incident(connection, f"i-{name}")] == ["old", "open", "new"], (
            "a queued message needs its group"
        )


def test_load_records_age_by_pipeline(database: Database) -> None:
    with database.write() as connection:
        for pipeline, days in (("stopped", (0, 1)), ("running", (0, 1, 30, 60, 100))):
            loads.upsert(connection, [LoadRecord("raw", pipeline, str(day), LoadStatus.SUCCEEDED, T + day * DAY) for day in days])
    assert purge(database, NOW, POLICY, BASELINE)["dq_loads"] == 3
    with database.read() as connection:
        assert [r.load_id for r in loads.of_pipeline(connection, "raw", "running", T)] == ["60", "100"]
        assert [r.load_id for r in loads.of_pipeline(connection, "raw", "stopped", T)] == ["0", "1"]


def test_one_call_deletes_a_bounded_number_and_the_next_goes_on(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 4)
    fill(database, range(0, 101, 5))
    sizes = []
    while deleted := sum(purge(database, NOW, POLICY, BASELINE, max_rows=10).values()):
        sizes.append(deleted)
    assert max(sizes) <= 10 + 4
    assert sum(sizes) == 3 * 14
    kept = list(range(70, 101, 5))
    assert days_left(database) == (kept, kept, kept)


def test_an_empty_store_has_nothing_to_forget(database: Database) -> None:
    assert sum(purge(database, NOW, Policy()).values()) == 0
