"""A warehouse that cannot be reached: one alert for the platform's owner, in place of one for each of its checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.alerts.transition import close, transition
from dqmon.core.alert import Alert, AlertKey, AlertKind, AlertPolicy, AlertState, Member, MemberKey, Outcome
from dqmon.core.breaker import OPEN_AFTER
from dqmon.core.check import Hold, SourceLine
from dqmon.core.result import OUTAGE, ResultRecord
from dqmon.core.verdict import Severity, Verdict
from dqmon.engine.measuring.breaker import Contact, Gate
from dqmon.errors import WarehouseError
from dqmon.store import alerts, results

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.engine.environment import Environment

POLICY = AlertPolicy(Hold(OPEN_AFTER), Hold(1))
"""The alert fires with the failure that opens the circuit, counted in the store, over all processes; one answer resolves it."""

_PREFIX = f"{OUTAGE}:"


@dataclass(frozen=True, slots=True)
class Platform:
    """Who looks after the warehouses, and where each is declared."""

    owner: str | None = None
    places: Mapping[str, SourceLine] = field(default_factory=dict)


def outage_key(warehouse: str) -> AlertKey:
    """The alert that says that a warehouse cannot be reached."""
    return AlertKey(f"{_PREFIX}{warehouse}", AlertKind.ERROR)


def outages(connection: Connection) -> dict[str, Alert]:
    """The open ones, by the warehouse's name."""
    found = (alert for alert in alerts.open_alerts(connection) if alert.key.check_id.startswith(_PREFIX))
    return {alert.key.check_id.removeprefix(_PREFIX): alert for alert in found}


def records(environment: Environment, contacts: Iterable[Contact], run_id: str) -> tuple[ResultRecord, ...]:
    """What tries to reach warehouses are recorded as: results whose check is the warehouse itself."""
    return tuple(_record(environment, contact, run_id) for contact in contacts)


def advance(connection: Connection, found: Sequence[ResultRecord], now: datetime) -> None:
    """Folds tries, in their order, into the alerts of their warehouses. An answer is recorded only when it ends something."""
    failing = {record.check_id for record in found if record.verdict is Verdict.ERROR}
    known = alerts.get(connection, {_key(record) for record in found})
    failing |= {key.check_id for key, alert in known.items() if alert.state is not AlertState.RESOLVED}
    told = [record for record in found if record.check_id in failing]
    if not told:
        return
    results.add(connection, told, now)
    current = alerts.lock(connection, {_key(record) for record in told})
    for record in told:
        key = _key(record)
        current[key], events = transition(current[key], _outcome(current[key], record), POLICY, now, record.scheduled_at)
        alerts.add_events(connection, [replace(event, reason=record.reason) for event in events])
    alerts.save(connection, tuple(current.values()))


def probe(environment: Environment) -> None:
    """Tries each warehouse whose alert is open, if its time has come, and commits what it says. Raises StoreError.

    What is open is read from the store: it may be of an earlier process, or its end may not have been recorded.
    """
    with environment.database.read() as connection:
        down = outages(connection)
    gate, answered = Gate(environment.breakers), set[str]()
    for name in down.keys() & environment.warehouses.keys():
        warehouse = environment.warehouses[name]
        with suppress(WarehouseError), gate.open(warehouse, environment.clock) as session:
            session.fetch(sa.select(sa.literal(1)), warehouse.timeout_s)
            answered.add(name)
    now = environment.clock()
    contacts = [contact for contact in gate.contacts if contact.warehouse not in answered] + [Contact(name, now) for name in answered]
    gone = down.keys() - environment.warehouses.keys()
    if contacts or gone:
        with environment.database.write() as connection:
            advance(connection, records(environment, contacts, environment.new_id()), now)
            forget(connection, gone, now)


def forget(connection: Connection, warehouses: Iterable[str], now: datetime) -> None:
    """Ends the alerts of warehouses that are not configured any more."""
    for alert in alerts.lock(connection, {outage_key(name) for name in warehouses}).values():
        ended, events = close(alert, "the warehouse is not configured any more", now)
        alerts.save(connection, (ended,))
        alerts.add_events(connection, events)


def _key(record: ResultRecord) -> AlertKey:
    return AlertKey(record.check_id, AlertKind.ERROR)


def _outcome(alert: Alert, record: ResultRecord) -> Outcome:
    if record.verdict is Verdict.PASS:
        return Outcome(Verdict.PASS, record.severity)
    before = alert.members.get(MemberKey())
    since = before.since if before else record.scheduled_at
    return Outcome(Verdict.FAIL, record.severity, {MemberKey(): Member(record.verdict, since, record.reason, record.id)})


def _record(environment: Environment, contact: Contact, run_id: str) -> ResultRecord:
    name, platform = contact.warehouse, environment.platform
    checks = sum(check.warehouse == name for check in environment.checks.values())
    what = f"none of its {checks:,} checks can be measured" if checks else "no ingestion source can read it"
    blind = f"{contact.failure}; until it answers, {what}, which says nothing of the data"
    place = platform.places.get(name)
    return ResultRecord(
        id=environment.new_id(),
        run_id=run_id,
        check_id=outage_key(name).check_id,
        name=None,
        type=OUTAGE,
        dimension="availability",
        warehouse=name,
        dataset=None,
        pipeline=None,
        columns=(),
        tags=(),
        partition_column=None,
        partition_start=None,
        partition_end=None,
        partition="",
        segment="{}",
        verdict=Verdict.PASS if contact.failure is None else Verdict.ERROR,
        severity=Severity.ERROR,
        observed_value=None,
        unit=None,
        ratio=None,
        rows_tested=None,
        expected_low=None,
        expected_high=None,
        expected_text="",
        reason="it answers again" if contact.failure is None else blind,
        owner=platform.owner,
        runbook=None,
        description=None,
        source_path=place.path if place else "",
        source_line=place.line if place else 0,
        sql=(),
        scheduled_at=contact.at,
        measured_at=contact.at,
        duration_s=0.0,
        is_learning=False,
        is_ad_hoc=False,
        as_of=None,
        baseline=(),
    )
