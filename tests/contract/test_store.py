"""One suite for both stores: SQLite and PostgreSQL keep and find the same."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import store_rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_rows import COUNTER, DAY, HOUR, ORDERS, Rows, T, in_day, measurement, result

from dqmon.core.alert import Alert, AlertEvent, AlertKey, AlertKind, AlertState, EventKind, Member, MemberKey
from dqmon.core.delivery import Receipt
from dqmon.core.history import Point
from dqmon.core.incident import Group, Incident, IncidentMember, IncidentState
from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus
from dqmon.core.metric import Failure, FailureKind, Measurement, MetricRequest, Partition
from dqmon.core.result import ResultRecord
from dqmon.core.table import Column, TypeGroup
from dqmon.core.verdict import Severity, Verdict
from dqmon.errors import StoreError, UsageError
from dqmon.store import alerts, groups, incidents, loads, measurements, meta, results, runs, schemas, views
from dqmon.store.database import Database

database, postgres_store = store_rows.database, store_rows.postgres_store
ODD = ("", 'it\'s "quoted"; drop table dq_alerts;--', "żółć 🐤 \u202e", "%_\\", "x" * 1_000_000)

# --- round trips ---------------------------------------------------------------------------------------------------

instants = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30)
any_text = st.text(max_size=10)
alert_keys = st.builds(AlertKey, texts, st.sampled_from(AlertKind))
members_of = st.dictionaries(
    st.builds(MemberKey, any_text, any_text),
    st.builds(Member, st.sampled_from(Verdict), instants, any_text, any_text, any_text, any_text),
    max_size=3,
)
some_alerts = st.builds(
    Alert,
    key=alert_keys,
    state=st.sampled_from(AlertState),
    severity=st.sampled_from(Severity),
    members=members_of,
    streak=st.integers(0, 10**6),
    **{name: st.none() | instants for name in ("since", "fired_at", "recovering_since", "resolved_at", "last_good_at")},
)
incident_members = st.builds(IncidentMember, alert_keys, texts, st.sampled_from(Severity), instants, instants, st.none() | instants)
some_incidents = st.builds(
    Incident,
    id=texts,
    state=st.sampled_from(IncidentState),
    root=alert_keys,
    severity=st.sampled_from(Severity),
    opened_at=instants,
    members=st.lists(incident_members, max_size=3).map(lambda found: {member.key: member for member in found}),
    resolved_at=st.none() | instants,
    acknowledged_at=st.none() | instants,
    acknowledged_by=st.none() | texts,
    closed_by_hand=st.none() | texts,
)
some_groups = st.builds(
    Group,
    id=texts,
    key=texts,
    route=texts,
    channel=texts,
    dedup_key=texts,
    opened_at=instants,
    incident_ids=st.lists(any_text, max_size=3).map(tuple),
    alert_keys=st.lists(any_text, max_size=3).map(tuple),
    due_at=st.none() | instants,
    last_told_at=st.none() | instants,
    told_severity=st.none() | st.sampled_from(Severity),
    told_members=st.lists(any_text, max_size=3).map(tuple),
    told_acknowledged=st.booleans(),
    escalation=st.integers(0, 99),
    resolved_at=st.just(None),
)
finite = st.floats(allow_nan=False)
some_results = st.builds(
    replace,
    st.just(result()),
    observed_value=st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | any_text | st.lists(any_text, max_size=3),
    check_id=texts,
    segment=texts,
    reason=texts,
    ratio=st.none() | finite,
    rows_tested=st.none() | st.integers(0, 2**63 - 1),
    expected_low=st.none() | finite,
    expected_high=st.none() | finite,
    columns=st.lists(any_text, max_size=3).map(tuple),
    tags=st.lists(any_text, max_size=3).map(tuple),
    sql=st.lists(any_text, max_size=3).map(tuple),
    baseline=st.lists(any_text, max_size=3).map(tuple),
    scheduled_at=instants,
    measured_at=instants,
    verdict=st.sampled_from(Verdict),
    severity=st.sampled_from(Severity),
    as_of=st.sampled_from([None, "current_contents"]),
    is_learning=st.booleans(),
    is_ad_hoc=st.booleans(),
    owner=st.none() | texts,
    name=st.none() | texts,
)
thorough = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@given(some_alerts)
@thorough
def test_an_alert_is_read_as_it_was_saved(database: Database, alert: Alert) -> None:
    with database.write() as connection:
        alerts.save(connection, [Alert(alert.key)])
        alerts.save(connection, [alert])
    with database.read() as connection:
        assert alerts.get(connection, [alert.key]) == {alert.key: alert}


@given(some_incidents)
@thorough
def test_an_incident_is_read_as_it_was_saved_with_exactly_its_members(database: Database, incident: Incident) -> None:
    more = IncidentMember(AlertKey("another", AlertKind.DATA), "t", Severity.INFO, T, T)
    with database.write() as connection:
        incidents.save(connection, [replace(incident, members=incident.members | {more.key: more})])
        incidents.save(connection, [incident])
    with database.read() as connection:
        assert incidents.listed(connection, None, 10**6).count(incident) == 1


@given(some_groups)
@thorough
def test_a_group_is_read_as_it_was_saved_and_keeps_its_receipt(database: Database, group: Group) -> None:
    receipt = Receipt({"ts": "1.2"}, "ok")
    with database.write() as connection:
        groups.save(connection, [replace(group, escalation=3)])
        groups.set_receipt(connection, group.id, receipt)
        groups.save(connection, [group])
    with database.read() as connection:
        assert group in groups.open_groups(connection)
        assert groups.receipt(connection, group.id) == receipt


@given(some_results)
@thorough
def test_a_result_is_read_as_it_was_added(database: Database, found: ResultRecord) -> None:
    found = replace(found, id=f"id{next(COUNTER)}", run_id=f"run{next(COUNTER)}", partition=f"p{next(COUNTER)}")
    with database.write() as connection:
        assert results.add(connection, [found], T) == (found,)
    with database.read() as connection:
        assert results.by_id(connection, found.id) == found
        assert results.of_run(connection, found.run_id) == (found,)


@pytest.mark.parametrize("text", ODD, ids=("empty", "quotes", "unicode", "wildcards", "1 MB"))
def test_odd_texts_come_back_and_are_found(database: Database, text: str) -> None:
    found = result(reason=text, check_id=f"c{text[:500]}", sql=(text,), observed_value=[text])
    with database.write() as connection:
        results.add(connection, [found], T)
        meta.put(connection, "k" + text[:500], text)
    with database.read() as connection:
        assert results.latest(connection, [found.check_id]) == {found.check_id: (found,)}
        assert meta.get(connection, "k" + text[:500]) == text


def test_nul_and_lone_surrogates_are_shown_and_stop_nothing(database: Database) -> None:
    key = AlertKey("a\0b\ud800", AlertKind.DATA)
    found = result(reason="nul \0 lone \udfff.", sql=("x\0\ud800",))
    with database.write() as connection:
        results.add(connection, [found], T)
        locked = alerts.lock(connection, [key])
    with database.read() as connection:
        kept = results.by_id(connection, found.id)
    assert list(locked) == [key]
    assert kept is not None
    assert kept.reason == "nul ␀ lone ?."
    assert kept.sql == found.sql, "JSON columns keep NUL and surrogates exactly"


def test_a_naive_datetime_is_refused(database: Database) -> None:
    with pytest.raises(StoreError, match="no time zone"), database.write() as connection:
        runs.save(connection, runs.Run("r", "check", T.replace(tzinfo=None)))


def test_a_load_is_replaced_by_a_newer_observation_only(database: Database) -> None:
    first = LoadRecord("raw", "orders", "1", LoadStatus.RUNNING, T, table=None, started_at=T, extra={"a": "b"})
    done = replace(first, status=LoadStatus.SUCCEEDED, observed_at=T + HOUR, finished_at=T + HOUR, rows=10**12)
    of_table = replace(done, table="orders", rows=7, load_id="0")
    with database.write() as connection:
        loads.upsert(connection, [first])
        loads.upsert(connection, [done, of_table])
        loads.upsert(connection, [first])
    with database.read() as connection:
        assert loads.of_pipeline(connection, "raw", "orders", T) == (of_table, done)
        assert loads.of_pipeline(connection, "raw", "orders", T + 2 * HOUR) == ()
        assert loads.of_pipeline(connection, "raw", "other", T) == ()


def test_pipelines_polls_backlogs_and_runs_are_kept(database: Database) -> None:
    waiting = Backlog("kafka", "orders", 5, "messages", T, partition=None, oldest_pending_at=T - HOUR)
    run = runs.Run("r1", "scheduled", T)
    with database.write() as connection:
        assert loads.first_seen(connection, "raw", "orders", T) == T
        assert loads.first_seen(connection, "raw", "orders", T + DAY) == T
        assert loads.last_poll(connection, "raw") is None
        loads.polled(connection, "raw", T)
        loads.polled(connection, "raw", T - DAY)
        loads.upsert_backlogs(connection, [waiting, replace(waiting, partition="0")])
        runs.save(connection, run)
        runs.save(connection, replace(run, finished_at=T + HOUR, statements=4))
    with database.read() as connection:
        assert loads.first_seen(connection, "raw", "orders", T + DAY) == T, "reading it needs no write"
        assert loads.last_poll(connection, "raw") == T
        assert loads.backlogs_of(connection, "kafka", "orders") == (waiting, replace(waiting, partition="0"))
        assert runs.get(connection, "r1") == replace(run, finished_at=T + HOUR, statements=4)
        assert runs.get(connection, "r2") is None


def test_the_default_warehouse_cannot_change_by_accident(database: Database) -> None:
    with database.write() as connection:
        meta.keep_default_warehouse(connection, "main")
        meta.keep_default_warehouse(connection, "main")
    with pytest.raises(StoreError, match=r"'main'.*'lake'.*--default-warehouse lake"), database.write() as connection:
        meta.keep_default_warehouse(connection, "lake")
    with database.write() as connection:
        meta.keep_default_warehouse(connection, "lake", may_change=True)
        meta.keep_default_warehouse(connection, "lake")


# --- measurements ----------------------------------------------------------------------------------------------------


def points(database: Database, request: MetricRequest, before: datetime, **options: Any) -> tuple[Point, ...]:
    key = measurements.history_key(request, (), "check")
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
    assert measurements.series(replace(day, partition=Partition("day", T, T + hours * HOUR))) == measurements.series(day)


def test_months_of_any_length_are_one_series() -> None:
    months = {measurements.series(MetricRequest(ORDERS, Rows(), partition=Partition("d", T, T + DAY * n))) for n in (28, 29, 30, 31)}
    assert len(months) == 1


def test_history_of_many_series_and_segments_comes_in_one_statement(database: Database) -> None:
    requests = [MetricRequest(ORDERS, Rows(str(n)), segment_by=("country",)) for n in range(3)]
    segments = [(("country", "PL"),), (("country", None),)]
    for hour in range(4):
        found = [measurement(hour * 10 + n, r, segment=s) for n, r in enumerate(requests) for s in segments]
        add(database, f"r{hour}", T + hour * HOUR, *found)
    keys = [measurements.history_key(r, s, "c") for r in requests for s in segments]
    with database.read() as connection:
        history = measurements.history(connection, keys, T + 3 * HOUR)
    assert history == {
        measurements.history_key(r, s, "c"): tuple(Point(T + hour * HOUR, float(hour * 10 + n)) for hour in range(3))
        for n, r in enumerate(requests)
        for s in segments
    }


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
    found = points(database, MetricRequest(ORDERS, Rows()), T + DAY, incidents=spans)
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


# --- results ---------------------------------------------------------------------------------------------------------


def add_results(database: Database, *records: ResultRecord) -> tuple[ResultRecord, ...]:
    with database.write() as connection:
        return results.add(connection, records, T)


def test_a_slot_that_ran_twice_is_recorded_once(database: Database) -> None:
    first, again = result(reason="first"), result(reason="again", run_id="run2")
    other = result(segment='{"a": "b"}', run_id="run2")
    assert add_results(database, first, first) == (first,), "twice in one batch"
    assert add_results(database, again, other) == (other,)
    with database.read() as connection:
        assert results.recent(connection, first.check_id, 10) == (other, first) or results.recent(connection, first.check_id, 10) == (
            first,
            other,
        )


def test_ad_hoc_results_may_repeat_a_slot_and_are_shown_on_request_only(database: Database) -> None:
    scheduled, earlier = result(), result(T - DAY)
    ad_hoc = result(is_ad_hoc=True, run_id="adhoc", measured_at=T + DAY)
    assert add_results(database, scheduled, earlier, ad_hoc) == (scheduled, earlier, ad_hoc)
    with database.read() as connection:
        assert results.latest(connection, [scheduled.check_id]) == {scheduled.check_id: (scheduled,)}
        assert results.latest(connection, [scheduled.check_id], include_ad_hoc=True) == {scheduled.check_id: (ad_hoc,)}
        assert results.recent(connection, scheduled.check_id, 10) == (scheduled, earlier)


def test_a_partition_judged_again_is_current_once(database: Database) -> None:
    old = result(T + DAY, **in_day(T), verdict=Verdict.FAIL, run_id="r1")
    new = [result(T + 2 * DAY, **in_day(day), run_id="r2") for day in (T, T + DAY)]
    add_results(database, old)
    add_results(database, *new)
    with database.read() as connection:
        assert results.latest(connection, [old.check_id]) == {old.check_id: tuple(new)}
        assert set(results.recent(connection, old.check_id, 10)) == set(new)
        assert results.by_id(connection, old.id) == old, "older versions are kept"
        assert results.of_run(connection, "r1") == (old,)


def test_latest_of_many_checks(database: Database) -> None:
    made = [result(T + hour * HOUR, check_id=f"c{n}", run_id=f"r{hour}") for n in range(5) for hour in range(n + 1)]
    add_results(database, *made)
    with database.read() as connection:
        found = results.latest(connection, [f"c{n}" for n in range(7)])
        assert results.latest(connection, []) == {}
    assert {check_id: [r.scheduled_at for r in rows] for check_id, rows in found.items()} == {f"c{n}": [T + n * HOUR] for n in range(5)}


def test_the_daily_score_equals_a_reference(database: Database) -> None:
    made = []
    for n, verdict in enumerate([*Verdict] * 8):
        severity = [*Severity][n // 5 % 4]
        fields: dict[str, Any] = {"verdict": verdict, "severity": severity, "check_id": f"c{n}", "is_ad_hoc": n % 7 == 0}
        fields |= {"dataset": ("shop.orders", "shop.customers", None)[n % 3]}
        made.append(result(T + (n % 2) * DAY, **fields))
    # Local days of Tokyo, New York and Warsaw that are all 3 March; and an older version that must not count.
    for n, start in enumerate(
        (datetime(2026, 3, 2, 15, tzinfo=UTC), datetime(2026, 3, 3, 5, tzinfo=UTC), datetime(2026, 3, 2, 23, tzinfo=UTC))
    ):
        made.append(result(T + 5 * DAY, check_id=f"zone{n}", verdict=Verdict.FAIL, **in_day(start)))
        made.append(result(T + 6 * DAY, check_id=f"zone{n}", **in_day(start)))
    add_results(database, *made)
    expected = {}
    for day in (date(2026, 3, 2), date(2026, 3, 3)):
        zones = [r for r in made if r.check_id.startswith("zone") and r.verdict is Verdict.PASS] if day == date(2026, 3, 3) else []
        plain = [r for r in made if not r.check_id.startswith("zone") and r.scheduled_at.date() == day]
        counted = [r for r in plain + zones if r.dataset == "shop.orders" and not r.is_ad_hoc]
        judged = [r for r in counted if r.verdict in (Verdict.PASS, Verdict.WARN, Verdict.FAIL)]
        passed = [r for r in judged if r.verdict is Verdict.PASS]
        score = sum(r.severity.weight for r in passed) / sum(r.severity.weight for r in judged)
        expected[day] = (len(passed), len(judged), pytest.approx(score), pytest.approx(len(judged) / len(counted)))
    with database.read() as connection:
        found = views.scores(connection, "shop.orders", date(2026, 1, 1))
    assert {row.day: (row.passed, row.judged, row.score, row.coverage) for row in found} == expected


def test_a_day_on_which_nothing_was_judged_has_no_score(database: Database) -> None:
    add_results(database, result(verdict=Verdict.ERROR))
    with database.read() as connection:
        (row,) = views.scores(connection, "shop.orders", T.date())
    assert (row.judged, row.score, row.coverage) == (0, None, 0)


# --- alerts, incidents, groups, schemas --------------------------------------------------------------------------------

KEY = AlertKey("shop.orders.row_count", AlertKind.DATA)


def test_events_are_taken_once_oldest_first(database: Database) -> None:
    said = [AlertEvent(KEY, EventKind.FIRED, Severity.ERROR, T + n * HOUR, T, f"reason {n}") for n in range(5)]
    with database.write() as connection:
        ids = alerts.add_events(connection, said[:3]) + alerts.add_events(connection, said[3:]) + alerts.add_events(connection, [])
    with database.write() as connection:
        assert alerts.unused_events(connection, 2) == tuple(zip(ids, said, strict=True))[:2]
        alerts.mark_used(connection, ids[:2], T)
    with database.read() as connection:
        assert alerts.unused_events(connection, 9) == tuple(zip(ids, said, strict=True))[2:]
        assert alerts.events_of(connection, KEY.check_id, 2) == (said[4], said[3])


def test_open_alerts_are_those_firing_and_recovering(database: Database) -> None:
    made = [Alert(AlertKey(state, AlertKind.DATA), state=state) for state in AlertState]
    with database.write() as connection:
        alerts.save(connection, made)
    with database.read() as connection:
        assert {alert.state for alert in alerts.open_alerts(connection)} == {AlertState.FIRING, AlertState.RECOVERING}


def test_incidents_are_found_by_prefix_state_and_check(database: Database) -> None:
    member = IncidentMember(KEY, "shop.orders", Severity.ERROR, T, T)
    made = [
        Incident("ab1", IncidentState.OPEN, KEY, Severity.ERROR, T, {KEY: member}),
        Incident("ab2", IncidentState.RESOLVED, KEY, Severity.ERROR, T + HOUR),
        Incident("a_", IncidentState.ACKNOWLEDGED, KEY, Severity.ERROR, T + DAY),
        Incident("ab1-longer", IncidentState.RESOLVED, KEY, Severity.ERROR, T - DAY),
    ]
    with database.write() as connection:
        incidents.save(connection, made)
    with database.read() as connection:
        assert incidents.open_incidents(connection) == (made[0], made[2])
        assert incidents.listed(connection, None, 2) == (made[2], made[1])
        assert incidents.listed(connection, IncidentState.RESOLVED, 9) == (made[1], made[3])
        assert incidents.of_check(connection, KEY.check_id) == (made[0],)
        assert incidents.get(connection, "ab1") == made[0], "an exact id wins over those that begin so"
        assert incidents.get(connection, "ab1-") == made[3]
        assert incidents.get(connection, "zz") is None
        with pytest.raises(UsageError, match=r"'ab'.*ab2"):
            incidents.get(connection, "ab")


def test_groups_are_found_by_due_time_and_incident(database: Database) -> None:
    group = Group("g1", "k", "r", "team", "d", T, ("inc1", "inc2"), (str(KEY),), T + HOUR)
    resolved = replace(group, id="g2", resolved_at=T + HOUR, due_at=None, incident_ids=("inc2",))
    later = replace(group, id="g3", due_at=T + DAY, incident_ids=("inc22",))
    with database.write() as connection:
        groups.save(connection, [group, resolved, later])
    with database.read() as connection:
        assert groups.due(connection, T + HOUR - timedelta(microseconds=1)) == ()
        assert groups.due(connection, T + HOUR) == (group,)
        assert groups.open_groups(connection) == (group, later)
        assert groups.of_incident(connection, "inc2") == (group, resolved)
        assert groups.receipt(connection, "g1") is None


def test_schemas_are_kept_when_they_change_and_compared_when_accepted(database: Database) -> None:
    one = (Column("id", "INTEGER", TypeGroup.INTEGER, nullable=False, position=1),)
    two = (*one, Column('odd "name"', "TEXT", TypeGroup.TEXT, nullable=True, position=2))
    other = replace(ORDERS, schema="Shop")
    with database.write() as connection:
        assert schemas.accept(connection, ORDERS, T, "anna") is None
        assert schemas.record(connection, ORDERS, one, T)
        assert not schemas.record(connection, ORDERS, one, T + HOUR)
        assert schemas.accepted(connection, [ORDERS, other]) == {ORDERS: one}, "the first one is the baseline"
        assert schemas.record(connection, ORDERS, two, T + DAY)
        assert schemas.accepted(connection, [ORDERS]) == {ORDERS: one}
        assert schemas.newest(connection, ORDERS) == schemas.Snapshot(two, T + DAY, None, None)
        assert schemas.accept(connection, ORDERS, T + DAY, "anna") == schemas.Snapshot(two, T + DAY, T + DAY, "anna")
        assert schemas.accepted(connection, [ORDERS]) == {ORDERS: two}


# --- transactions ------------------------------------------------------------------------------------------------------


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
        for n in range(5):
            added.append(len(add_results(database, result(T + n * HOUR))))

    in_threads(*[race] * 4)
    assert sum(added) == 5


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as connection:
        add_all = [AlertEvent(KEY, EventKind.FIRED, Severity.ERROR, T, T)]
        alerts.add_events(connection, add_all)
        raise RuntimeError
    with database.read() as connection:
        assert alerts.unused_events(connection, 9) == ()


def test_writing_in_a_read_is_refused(database: Database) -> None:
    with pytest.raises(StoreError, match="read-only"), database.read() as connection:
        meta.put(connection, "a", "b")
    with database.write() as connection:
        meta.put(connection, "a", "b")
