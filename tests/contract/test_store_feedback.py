"""What people say of incidents, and which points it takes out of baselines, on both engines."""

from __future__ import annotations

from datetime import timedelta

import pytest
import store_rows
from store_rows import DAY, HOUR, ORDERS, Rows, T, measurement

from dqmon.core.alert import AlertEvent, AlertKey, AlertKind, EventKind
from dqmon.core.feedback import Feedback, Said
from dqmon.core.incident import Incident, IncidentMember, IncidentState
from dqmon.core.measurement import Failure, FailureKind, MetricRequest
from dqmon.core.verdict import Severity
from dqmon.store import alerts, feedback, incidents, measurements, remembered, results
from dqmon.store.database import Database
from dqmon.store.series import history_key, series

database, postgres_store = store_rows.database, store_rows.postgres_store

MINUTE = timedelta(minutes=1)
DATA = AlertKey("check", AlertKind.DATA)
ERROR = AlertKey("check", AlertKind.ERROR)


def incident(name: str, *keys: AlertKey, slot: timedelta, state: IncidentState = IncidentState.RESOLVED) -> Incident:
    members = {key: IncidentMember(key, "main:shop.orders", Severity.ERROR, T + slot, T + slot) for key in keys}
    return Incident(name, state, keys[0], Severity.ERROR, T + slot, members)


def fill(database: Database) -> None:
    """Values 0 to 7 of an hour each; the alert fired at 1 to 3 (incident a) and at 5 to 7 (incident b)."""
    with database.write() as connection:
        for hour in range(8):
            measurements.add(connection, f"r{hour}", [measurement(hour)], scheduled_at=T + hour * HOUR)
        said = [(EventKind.FIRED, 1), (EventKind.RESOLVED, 3), (EventKind.FIRED, 5), (EventKind.RESOLVED, 7)]
        alerts.add_events(connection, [AlertEvent(DATA, kind, Severity.ERROR, T, T + hour * HOUR) for kind, hour in said])
        incidents.save(connection, [incident("a", DATA, slot=HOUR), incident("b", DATA, slot=5 * HOUR), incident("c", ERROR, slot=HOUR)])


def say(database: Database, name: str, word: Feedback, at: timedelta = timedelta()) -> None:
    with database.write() as connection:
        feedback.save(connection, Said(name, word, "ann", T + DAY + at))


def excluded_and_real(database: Database) -> tuple[list[float], list[float]]:
    key = history_key(MetricRequest(ORDERS, Rows()), (), "check")
    with database.read() as connection:
        points = measurements.history(connection, [key], T + DAY, alerted=feedback.alerted(connection, ["check", "another"]))[key]
    return [p.value for p in points if p.is_excluded], [p.value for p in points if p.is_real]


@pytest.mark.parametrize(
    ("word", "excluded", "real"),
    [
        (None, [1, 2, 5, 6], []),
        (Feedback.REAL, [1, 2, 5, 6], [1, 2]),
        (Feedback.EXPECTED, [5, 6], []),
        (Feedback.BAD_THRESHOLD, [5, 6], []),
    ],
)
def test_feedback_says_what_a_baseline_learns(database: Database, word: Feedback | None, excluded: list[float], real: list[float]) -> None:
    fill(database)
    if word is not None:
        say(database, "a", word)
    assert excluded_and_real(database) == (excluded, real)


def test_the_newest_word_counts_and_errors_have_none(database: Database) -> None:
    fill(database)
    say(database, "a", Feedback.EXPECTED)
    say(database, "c", Feedback.REAL, HOUR)
    assert excluded_and_real(database) == ([5, 6], []), "what is said of an incident without the data alert says nothing of the data"
    say(database, "a", Feedback.REAL, HOUR)
    assert excluded_and_real(database) == ([1, 2, 5, 6], [1, 2])
    with database.read() as connection:
        assert feedback.of_incident(connection, "a") == Said("a", Feedback.REAL, "ann", T + DAY + HOUR)
        assert feedback.of_incident(connection, "b") is None


def test_feedback_outlives_the_second_step_and_goes_with_its_incident(database: Database) -> None:
    fill(database)
    say(database, "a", Feedback.EXPECTED)
    with database.write() as connection:
        incidents.save(connection, [incident("a", DATA, slot=HOUR)])
    assert excluded_and_real(database) == ([5, 6], [])
    with database.write() as connection:
        connection.execute(incidents.incidents.delete().where(incidents.incidents.c.id == "a"))
        assert feedback.of_incident(connection, "a") is None


def test_a_replay_reads_each_run_with_its_values_and_what_was_said_of_it(database: Database) -> None:
    fill(database)
    say(database, "a", Feedback.REAL)
    say(database, "b", Feedback.EXPECTED, HOUR)
    lost = Failure(FailureKind.TIMEOUT, "too slow")
    with database.write() as connection:
        measurements.add(connection, "r8", [measurement(None, failure=lost)], scheduled_at=T + 8 * HOUR)
        measurements.add(connection, "odd", [measurement(99)], scheduled_at=T + 9 * HOUR, is_ad_hoc=True)
        for hour in (8, 4, 0):
            results.add(connection, [store_rows.result(T + hour * HOUR, check_id="check", run_id=f"r{hour}")], T + hour * HOUR + MINUTE)
        results.add(connection, [store_rows.result(T + 9 * HOUR, check_id="check", run_id="odd", is_ad_hoc=True)], T + DAY)
    name = series(MetricRequest(ORDERS, Rows()))
    since = T + 4 * HOUR
    with database.read() as connection:
        kept = remembered.values(connection, [name, "another"], since)
        runs = remembered.runs(connection, ["check", "another"], since)
        first = remembered.first_slots(connection, ["check", "another"])
        records = remembered.records(connection, "check", since)
        words = feedback.words(connection, ["check"])
    assert [(one.run_id, one.number, one.failure) for one in kept.pop(name)] == [
        *((f"r{n}", n, None) for n in range(4, 8)),
        ("r8", None, lost),
    ]
    assert kept == {}
    assert {check: [(run.run_id, run.slot, run.at) for run in found] for check, found in runs.items()} == {
        "check": [(f"r{hour}", T + hour * HOUR, T + hour * HOUR + MINUTE) for hour in (4, 8)]
    }
    assert first == {"check": T}
    assert {run: [record.scheduled_at for record in found] for run, found in records.items()} == {"r4": [since], "r8": [T + 8 * HOUR]}
    assert words == (
        ("check", T + HOUR, Feedback.REAL, T + DAY),
        ("check", T + 5 * HOUR, Feedback.EXPECTED, T + DAY + HOUR),
    )
    with database.read() as connection:
        assert [one.id for one in incidents.opened_since(connection, T + 2 * HOUR)] == ["b"]
        assert [one.id for one in incidents.opened_since(connection, T)] == ["a", "c", "b"]
