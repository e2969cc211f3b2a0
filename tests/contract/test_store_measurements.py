"""Measurements on both engines: versions, current rows, history."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import store_rows
from store_rows import DAY, HOUR, ORDERS, Rows, T, measurement

from dqmon.core.alert import AlertEvent, AlertKey, AlertKind, EventKind
from dqmon.core.history import Point
from dqmon.core.measurement import Failure, FailureKind, Measurement, MetricRequest, Partition
from dqmon.core.table import Column, TypeGroup
from dqmon.core.verdict import Severity
from dqmon.store import alerts, measurements
from dqmon.store.database import Database
from dqmon.store.feedback import Alerted
from dqmon.store.series import history_key, series

database, postgres_store = store_rows.database, store_rows.postgres_store


def points(database: Database, request: MetricRequest, before: datetime, **options: Any) -> tuple[Point, ...]:
    key = history_key(request, (), "check")
    with database.read() as connection:
        return measurements.history(connection, [key], before, **options)[key]


def add(database: Database, run: str, slot: datetime, *measured: Measurement, is_ad_hoc: bool = False) -> None:
    with database.write() as connection:
        measurements.add(connection, run, measured, scheduled_at=slot, is_ad_hoc=is_ad_hoc)


def versions(database: Database) -> list[tuple[Any, ...]]:
    m = measurements.measurements.c
    with database.read() as connection:
        rows = connection.execute(measurements.measurements.select().with_only_columns(m.value, m.version, m.is_current).order_by(m.id))
        return [tuple(row) for row in rows]


def test_a_partition_measured_again_is_one_point_of_history(database: Database) -> None:
    request = MetricRequest(ORDERS, Rows(), partition=Partition("day", T, T + DAY))
    add(database, "r1", T + DAY, measurement(10, request))
    add(database, "r2", T + 2 * DAY, measurement(12, request))
    assert versions(database) == [(10, 1, False), (12, 2, True)]
    assert points(database, request, T + DAY) == (Point(T, 12.0),)


def test_a_failed_repeat_does_not_take_the_value_away(database: Database) -> None:
    request = MetricRequest(ORDERS, Rows(), partition=Partition("day", T, T + DAY))
    failure = Failure(FailureKind.TIMEOUT, "after 60 s")
    add(database, "r1", T + DAY, measurement(10, request))
    add(database, "r2", T + 2 * DAY, measurement(None, request, failure=failure))
    add(database, "r3", T + 3 * DAY, measurement(11, request))
    assert versions(database) == [(10, 1, False), (None, 2, False), (11, 3, True)]
    assert points(database, request, T + DAY) == (Point(T, 11.0),)


def test_without_partition_only_the_same_slot_is_a_repeat(database: Database) -> None:
    request = MetricRequest(ORDERS, Rows())
    for value, slot in ((1, T), (2, T + HOUR), (3, T + HOUR)):
        add(database, "r", slot, measurement(value, request))
    assert versions(database) == [(1, 1, True), (2, 1, False), (3, 2, True)]
    assert points(database, request, T + DAY) == (Point(T, 1.0), Point(T + HOUR, 3.0))
    assert points(database, request, T + HOUR) == (Point(T, 1.0),), "strictly before"
    assert points(database, request, T + DAY, since=T + HOUR) == (Point(T + HOUR, 3.0),)


def test_the_same_thing_twice_in_one_batch_leaves_one_current_row(database: Database) -> None:
    add(database, "r", T, measurement(1), measurement(2))
    assert versions(database) == [(1, 1, False), (2, 2, True)]


def test_ad_hoc_measurements_are_kept_and_ignored(database: Database) -> None:
    add(database, "r1", T, measurement(1))
    add(database, "r2", T, measurement(99), is_ad_hoc=True)
    assert versions(database) == [(1, 1, True), (99, 1, False)]
    assert points(database, MetricRequest(ORDERS, Rows()), T + DAY) == (Point(T, 1.0),)


@pytest.mark.parametrize(
    "other",
    [
        MetricRequest(ORDERS, Rows("x")),
        MetricRequest(ORDERS, Rows(), where="a > 1"),
        MetricRequest(ORDERS, Rows(), segment_by=("country",)),
        MetricRequest(replace(ORDERS, name="Orders"), Rows()),
        MetricRequest(replace(ORDERS, warehouse="lake"), Rows()),
        MetricRequest(ORDERS, Rows(), partition=Partition("day", T, T + DAY)),
        MetricRequest(ORDERS, Rows(), partition=Partition("day", T, T + HOUR)),
        MetricRequest(ORDERS, Rows(), partition=Partition("loaded_at", T, T + DAY)),
    ],
)
def test_another_metric_filter_table_segmentation_column_or_grain_is_another_series(database: Database, other: MetricRequest) -> None:
    mine = MetricRequest(ORDERS, Rows(), partition=Partition("day", T, T + timedelta(days=7)))
    add(database, "r", T, measurement(5, other))
    assert points(database, mine, T + DAY) == ()
    assert len(points(database, other, T + DAY)) == 1


@pytest.mark.parametrize("hours", [23, 24, 25], ids=lambda hours: f"a day of {hours} h")
def test_days_of_a_clock_change_are_days_of_the_same_series(hours: int) -> None:
    day = MetricRequest(ORDERS, Rows(), partition=Partition("day", T, T + DAY))
    assert series(replace(day, partition=Partition("day", T, T + hours * HOUR))) == series(day)


def test_months_of_any_length_are_one_series() -> None:
    months = {series(MetricRequest(ORDERS, Rows(), partition=Partition("d", T, T + DAY * n))) for n in (28, 29, 30, 31)}
    assert len(months) == 1


def test_history_of_many_series_and_segments_comes_in_one_statement(database: Database) -> None:
    requests = [MetricRequest(ORDERS, Rows(str(n)), segment_by=("country",)) for n in range(3)]
    segments = [(("country", "PL"),), (("country", None),)]
    for hour in range(4):
        found = [measurement(hour * 10 + n, r, segment=s) for n, r in enumerate(requests) for s in segments]
        add(database, f"r{hour}", T + hour * HOUR, *found)
    keys = [history_key(r, s, "c") for r in requests for s in segments]
    with database.read() as connection:
        history = measurements.history(connection, keys, T + 3 * HOUR)
    assert history == {
        history_key(r, s, "c"): tuple(Point(T + hour * HOUR, float(hour * 10 + n)) for hour in range(3))
        for n, r in enumerate(requests)
        for s in segments
    }


def test_history_is_the_newest_points_of_each_series(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurements, "POINTS", 3)
    short, long = MetricRequest(ORDERS, Rows("short")), MetricRequest(ORDERS, Rows("long"), segment_by=("country",))
    segments = [(("country", "PL"),), (("country", "DE"),)]
    for hour in range(6):
        more = [measurement(hour, short)] if hour < 2 else []
        add(database, f"r{hour}", T + hour * HOUR, *(measurement(hour, long, segment=s) for s in segments), *more)
    keys = [history_key(long, s, "c") for s in segments]
    with database.read() as connection:
        history = measurements.history(connection, keys, T + 5 * HOUR)
        later = measurements.history(connection, keys, T + 5 * HOUR, T + 4 * HOUR)
    assert [[point.value for point in history[key]] for key in keys] == [[2, 3, 4]] * 2, "segments do not count twice"
    assert [[point.value for point in later[key]] for key in keys] == [[4]] * 2
    assert [point.value for point in points(database, short, T + DAY)] == [0, 1]


def test_points_of_slots_in_which_the_check_fired_are_excluded(database: Database) -> None:
    key = AlertKey("check", AlertKind.DATA)
    said = [(EventKind.FIRED, 1), (EventKind.CHANGED, 2), (EventKind.RESOLVED, 3), (EventKind.FIRED, 4)]
    for hour in range(6):
        add(database, f"r{hour}", T + hour * HOUR, measurement(hour))
    with database.write() as connection:
        alerts.add_events(connection, [AlertEvent(key, kind, Severity.ERROR, T, T + hour * HOUR) for kind, hour in said])
        alerts.add_events(connection, [AlertEvent(replace(key, kind=AlertKind.ERROR), EventKind.FIRED, Severity.ERROR, T, T)])
    with database.read() as connection:
        spans = alerts.firing_spans(connection, ["check", "another"])
    assert spans == {"check": ((T + HOUR, T + 3 * HOUR), (T + 4 * HOUR, None))}
    found = points(database, MetricRequest(ORDERS, Rows()), T + DAY, alerted=Alerted(spans))
    assert [point.value for point in found if point.is_excluded] == [1, 2, 4, 5]


@pytest.mark.parametrize(
    ("value", "number", "text"),
    [
        (3, 3.0, None),
        (2.5, 2.5, None),
        (2**60 + 1, float(2**60), str(2**60 + 1)),
        (10**400, None, str(10**400)),
        (Decimal("0.10"), 0.1, "0.10"),
        (float("nan"), None, "nan"),
        (float("-inf"), None, "-inf"),
        (T, None, "2026-03-02T06:00:00Z"),
        ("text\0", None, "text␀"),
        ((Column("a", "int", TypeGroup.INTEGER, nullable=True, position=1),), None, '[["a", "int", true]]'),
        (None, None, None),
    ],
)
def test_values_are_numbers_for_bi_and_exact_texts(database: Database, value: Any, number: float | None, text: str | None) -> None:
    add(database, "r", T, measurement(value))
    m = measurements.measurements.c
    with database.read() as connection:
        row = connection.execute(measurements.measurements.select().with_only_columns(m.value, m.value_text)).one()
    assert tuple(row) == (number, text)
    assert len(points(database, MetricRequest(ORDERS, Rows()), T + DAY)) == (number is not None)
