"""Alerts, incidents, groups and schemas on both engines."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import store_rows
from store_rows import DAY, HOUR, ORDERS, T

from dqmon.core.alert import Alert, AlertEvent, AlertKey, AlertKind, AlertState, EventKind
from dqmon.core.incident import Group, Incident, IncidentMember, IncidentState
from dqmon.core.table import Column, TypeGroup
from dqmon.core.verdict import Severity
from dqmon.errors import UsageError
from dqmon.store import alerts, groups, incidents, schemas
from dqmon.store.database import Database

database, postgres_store = store_rows.database, store_rows.postgres_store


MINUTE = timedelta(minutes=1)
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


def test_held_events_come_out_when_their_time_has_come_after_those_that_never_were(database: Database) -> None:
    other = AlertKey(KEY.check_id, AlertKind.ERROR)
    said = [AlertEvent(key, EventKind.FIRED, Severity.ERROR, T, T, f"reason {n}") for n, key in enumerate((KEY, other, KEY))]
    with database.write() as connection:
        first, second, third = alerts.add_events(connection, said)
        assert alerts.held_until(connection) is None
        alerts.hold(connection, [first], T + HOUR)
        alerts.hold(connection, [second], T + HOUR + MINUTE)
        alerts.hold(connection, [], T)
    with database.read() as connection:

        def ready(at: datetime | None, limit: int = 9) -> list[int]:
            return [id_ for id_, _ in alerts.unused_events(connection, limit, at)]

        assert ready(T + HOUR - MINUTE) == [third]
        assert ready(T + HOUR) == [first, third]
        assert ready(T + HOUR, 1) == [third], "what was held must not keep new events out of a batch"
        assert ready(None) == ready(T + DAY) == [first, second, third]
        assert ready(T) == [first, second, third], "nothing is held for an hour: a clock was set back"
        assert [id_ for id_, _ in alerts.unused_of(connection, {KEY})] == [first, third]
        assert alerts.unused_of(connection, set()) == ()
        assert alerts.held_until(connection) == T + HOUR
    with database.write() as connection:
        alerts.mark_used(connection, [first], T)
    with database.read() as connection:
        assert alerts.held_until(connection) == T + HOUR + MINUTE
        assert [id_ for id_, _ in alerts.unused_of(connection, {KEY})] == [third]


def test_open_alerts_are_those_firing_and_recovering(database: Database) -> None:
    made = [Alert(AlertKey(state, AlertKind.DATA), state=state) for state in AlertState]
    with database.write() as connection:
        alerts.save(connection, made)
    with database.read() as connection:
        assert {alert.state for alert in alerts.open_alerts(connection)} == {AlertState.FIRING, AlertState.RECOVERING}
        assert alerts.open_checks(connection) == {"firing", "recovering"}


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


def test_members_to_release_are_the_open_ones_with_a_time_the_earliest_first(database: Database) -> None:
    keys = [AlertKey(f"c{n}", AlertKind.DATA) for n in range(4)]
    told = IncidentMember(keys[0], "main:shop.orders", Severity.ERROR, T, T)
    late, early, gone = (
        replace(told, key=key, caused_by="c0", release_at=at, left_at=left)
        for key, at, left in ((keys[1], T + DAY, None), (keys[2], T + HOUR, None), (keys[3], T, T + HOUR))
    )
    made = Incident("i1", IncidentState.OPEN, keys[0], Severity.ERROR, T, {m.key: m for m in (told, late, early, gone)})
    with database.write() as connection:
        incidents.save(connection, [made])
    with database.read() as connection:
        assert incidents.get(connection, "i1") == made
        assert incidents.to_release(connection) == (early, late)


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
        assert schemas.record(connection, {ORDERS: one}, T) == {ORDERS}
        assert not schemas.record(connection, {ORDERS: one}, T + HOUR)
        assert schemas.accepted(connection, [ORDERS, other]) == {ORDERS: one}, "the first one is the baseline"
        assert schemas.record(connection, {ORDERS: two}, T + DAY) == {ORDERS}
        assert schemas.accepted(connection, [ORDERS]) == {ORDERS: one}
        assert schemas.newest(connection, ORDERS) == schemas.Snapshot(two, T + DAY, None, None)
        assert schemas.accept(connection, ORDERS, T + DAY, "anna") == schemas.Snapshot(two, T + DAY, T + DAY, "anna")
        assert schemas.accepted(connection, [ORDERS]) == {ORDERS: two}
