"""Both stores keep what they are given: every dataclass is read as it was saved, odd texts included."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
import store_rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_rows import COUNTER, DAY, HOUR, T, result

from dqmon.core.alert import Alert, AlertKey, AlertKind, AlertState, Member, MemberKey
from dqmon.core.delivery import Receipt
from dqmon.core.incident import Group, Incident, IncidentMember, IncidentState
from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus
from dqmon.core.result import ResultRecord
from dqmon.core.verdict import Severity, Verdict
from dqmon.errors import StoreError
from dqmon.store import alerts, backlogs, groups, incidents, loads, meta, pipelines, results, runs
from dqmon.store.database import Database

database, postgres_store = store_rows.database, store_rows.postgres_store


ODD = ("", 'it\'s "quoted"; drop table dq_alerts;--', "żółć 🐤 \u202e", "%_\\", "x" * 1_000_000)

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
        assert results.by_ids(connection, [found.id]) == {found.id: found}
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
        (kept,) = results.by_ids(connection, [found.id]).values()
    assert list(locked) == [key]
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
        assert pipelines.first_seen(connection, "raw", "orders", T) == T
        assert pipelines.first_seen(connection, "raw", "orders", T + DAY) == T
        assert pipelines.last_poll(connection, "raw") is None
        pipelines.polled(connection, "raw", T)
        pipelines.polled(connection, "raw", T - DAY)
        backlogs.keep(connection, [waiting, replace(waiting, partition="0")])
        runs.save(connection, run)
        runs.save(connection, replace(run, finished_at=T + HOUR, statements=4))
    with database.read() as connection:
        assert pipelines.first_seen(connection, "raw", "orders", T + DAY) == T, "reading it needs no write"
        assert pipelines.last_poll(connection, "raw") == T
        assert backlogs.of_pipeline(connection, "kafka", "orders") == (waiting, replace(waiting, partition="0"))
        (kept,) = connection.execute(sa.select(runs.runs))
        assert runs.Run(**kept._asdict()) == replace(run, finished_at=T + HOUR, statements=4)


def test_the_default_warehouse_cannot_change_by_accident(database: Database) -> None:
    with database.write() as connection:
        meta.keep_default_warehouse(connection, "main")
        meta.keep_default_warehouse(connection, "main")
    with pytest.raises(StoreError, match=r"'main'.*'lake'.*--default-warehouse lake"), database.write() as connection:
        meta.keep_default_warehouse(connection, "lake")
    with database.write() as connection:
        meta.keep_default_warehouse(connection, "lake", may_change=True)
        meta.keep_default_warehouse(connection, "lake")
