"""Transactions on both engines: several writers at once, failures, reading only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
import store_rows
from store_rows import DAY, HOUR, ORDERS, Rows, T, measurement, result

from dqmon.core.alert import AlertEvent, AlertKey, AlertKind, EventKind
from dqmon.core.incident import Incident, IncidentState
from dqmon.core.measurement import Measurement, MetricRequest, Partition
from dqmon.core.result import ResultRecord
from dqmon.core.verdict import Severity
from dqmon.errors import StoreError
from dqmon.store import alerts, incidents, measurements, meta, results
from dqmon.store.database import Database
from dqmon.store.writes import one_teller

database, postgres_store = store_rows.database, store_rows.postgres_store


KEY = AlertKey("shop.orders.row_count", AlertKind.DATA)


def add(database: Database, run: str, slot: datetime, *measured: Measurement, is_ad_hoc: bool = False) -> None:
    with database.write() as connection:
        measurements.add(connection, run, measured, scheduled_at=slot, is_ad_hoc=is_ad_hoc)


def versions(database: Database) -> list[tuple[Any, ...]]:
    m = measurements.measurements.c
    with database.read() as connection:
        rows = connection.execute(measurements.measurements.select().with_only_columns(m.value, m.version, m.is_current).order_by(m.id))
        return [tuple(row) for row in rows]


def add_results(database: Database, *records: ResultRecord) -> tuple[ResultRecord, ...]:
    with database.write() as connection:
        return results.add(connection, records, T)


def in_threads(*bodies: Callable[[], None]) -> None:
    failures: list[BaseException] = []

    def guarded(body: Callable[[], None]) -> None:
        try:
            body()
        except BaseException as e:  # noqa: BLE001 - told to the test's own thread below
            failures.append(e)

    threads = [threading.Thread(target=guarded, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads), "a writer hangs"
    assert not failures, failures


def test_no_update_of_an_alert_is_lost_among_writers(database: Database) -> None:
    keys = [AlertKey(f"c{n}", AlertKind.DATA) for n in range(3)]

    def count(order: list[AlertKey]) -> None:
        for _ in range(10):
            with database.write() as connection:
                found = alerts.lock(connection, order)
                alerts.save(connection, [replace(alert, streak=alert.streak + 1) for alert in found.values()])

    in_threads(*(lambda order=order: count(order) for order in (keys, keys[::-1], keys[1:] + keys[:1], keys)))
    with database.read() as connection:
        assert {alert.streak for alert in alerts.get(connection, keys).values()} == {40}


def test_versions_of_concurrent_repeats_are_all_different_and_one_is_current(database: Database) -> None:
    request = MetricRequest(ORDERS, Rows(), partition=Partition("day", T, T + DAY))

    def repeat(writer: int) -> None:
        for n in range(5):
            add(database, f"w{writer}.{n}", T + DAY, measurement(writer, request))

    in_threads(*(lambda writer=writer: repeat(writer) for writer in range(4)))
    assert sorted(version for _, version, _ in versions(database)) == list(range(1, 21))
    assert sum(is_current for _, _, is_current in versions(database)) == 1


def test_of_two_runs_of_one_slot_one_is_recorded(database: Database) -> None:
    added: list[int] = []
    barrier = threading.Barrier(4)

    def race() -> None:
        barrier.wait()
        added.extend(len(add_results(database, result(T + n * HOUR))) for n in range(5))

    in_threads(*[race] * 4)
    assert sum(added) == 5


def test_of_step_2_and_people_at_one_incident_none_overwrites_the_other(database: Database) -> None:
    with database.write() as connection:
        incidents.save(connection, (Incident("i1", IncidentState.OPEN, KEY, Severity.ERROR, T, acknowledged_by=""),))

    def sign(who: str) -> None:
        for _ in range(5):
            with database.write() as connection:
                one_teller(connection)
                found = incidents.by_ids(connection, ("i1",))["i1"]
                incidents.save(connection, (replace(found, acknowledged_by=f"{found.acknowledged_by}{who}"),))

    in_threads(*(lambda who=who: sign(who) for who in "abcd"))
    with database.read() as connection:
        assert sorted(incidents.by_ids(connection, ("i1",))["i1"].acknowledged_by or "") == sorted("abcd" * 5)


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            alerts.add_events(connection, [AlertEvent(KEY, EventKind.FIRED, Severity.ERROR, T, T)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.read() as connection:
        assert alerts.unused_events(connection, 9) == ()


def test_writing_in_a_read_is_refused(database: Database) -> None:
    with pytest.raises(StoreError, match="read-only"), database.read() as connection:
        meta.put(connection, "a", "b")
    with database.write() as connection:
        meta.put(connection, "a", "b")
