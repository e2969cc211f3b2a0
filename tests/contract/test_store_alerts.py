"""Alerts, incidents, groups and schemas on both engines."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

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
        assert schemas.record(connection, {ORDERS: one}, T) == {ORDERS}
        assert not schemas.record(connection, {ORDERS: one}, T + HOUR)
        assert schemas.accepted(connection, [ORDERS, other]) == {ORDERS: one}, "the first one is the baseline"
        assert schemas.record(connection, {ORDERS: two}, T + DAY) == {ORDERS}
        assert schemas.accepted(connection, [ORDERS]) == {ORDERS: one}
        assert schemas.newest(connection, ORDERS) == schemas.Snapshot(two, T + DAY, None, None)
        assert schemas.accept(connection, ORDERS, T + DAY, "anna") == schemas.Snapshot(two, T + DAY, T + DAY, "anna")
        assert schemas.accepted(connection, [ORDERS]) == {ORDERS: two}
