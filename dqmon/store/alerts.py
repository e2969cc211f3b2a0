"""dq_alerts and dq_alert_events: the state machines, and what they have said to the second step."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.core.alert import HOLD, Alert, AlertEvent, AlertKey, AlertKind, AlertState, EventKind, Member, MemberKey
from dqmon.core.verdict import Severity, Verdict
from dqmon.store.schema import Choice, Instant, JsonText, SafeText, big_id, metadata, safe_text
from dqmon.store.writes import Row, chunks, insert_new, upsert

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy.engine import Connection

    from dqmon.core.plain import Json

alerts = sa.Table(
    "dq_alerts",
    metadata,
    sa.Column("check_id", SafeText, primary_key=True),
    sa.Column("kind", Choice(AlertKind), primary_key=True),
    sa.Column("state", Choice(AlertState), nullable=False),
    sa.Column("severity", Choice(Severity), nullable=False),
    sa.Column("members", JsonText, nullable=False, comment="bad partitions and segments: [[partition, segment, verdict, since, ...], ...]"),
    sa.Column("streak", sa.Integer, nullable=False),
    sa.Column("since", Instant),
    sa.Column("fired_at", Instant),
    sa.Column("recovering_since", Instant),
    sa.Column("resolved_at", Instant),
    sa.Column("last_good_at", Instant),
    sa.Column("recent", sa.Text, nullable=False, comment="the last outcomes, the newest last: x fail, w warn, . good; before them: good"),
    sa.Column("flapping_since", Instant, comment="its outcomes change too often for each change to be told"),
    sa.Column("missing_since", Instant, comment="the configuration has no such check since then"),
    sa.Index(None, "state"),
)

events = sa.Table(
    "dq_alert_events",
    metadata,
    big_id(),
    sa.Column("check_id", SafeText, nullable=False),
    sa.Column("alert_kind", Choice(AlertKind), nullable=False),
    sa.Column("kind", Choice(EventKind), nullable=False),
    sa.Column("severity", Choice(Severity), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("slot", Instant, nullable=False),
    sa.Column("reason", SafeText, nullable=False),
    sa.Column("used_at", Instant, comment="when the second step took it; NULL: not yet"),
    sa.Column("held_until", Instant, comment="the second step looks at it again then, to know first what its ancestors say"),
    sa.Index(None, "check_id", "id"),
)
sa.Index("ix_dq_alert_events_unused", events.c.id, sqlite_where=events.c.used_at.is_(None), postgresql_where=events.c.used_at.is_(None))

_EVER = datetime.min.replace(tzinfo=UTC)

Span = tuple[datetime, datetime | None]
"""From the slot that fired to the slot that resolved; None while it fires."""


def lock(connection: Connection, keys: Collection[AlertKey]) -> dict[AlertKey, Alert]:
    """The alerts of all keys, locked until the transaction ends: call it in `Database.write()`.

    A key without a row gets one (as `Alert(key)`) first, so that two writers cannot both be the first. Rows are
    locked in the order of their keys, so that two writers cannot block each other.
    """
    found = _by_key(connection, keys, is_locked=True)
    missing = sorted(set(keys) - found.keys())
    if missing:
        insert_new(connection, alerts, [_row(Alert(key)) for key in missing])
        found |= _by_key(connection, missing, is_locked=True)
    return found


def get(connection: Connection, keys: Collection[AlertKey]) -> dict[AlertKey, Alert]:
    """The alerts of the keys that have one."""
    return _by_key(connection, keys, is_locked=False)


def open_alerts(connection: Connection) -> tuple[Alert, ...]:
    """All alerts that are firing or recovering, by key."""
    condition = alerts.c.state.in_((AlertState.FIRING, AlertState.RECOVERING))
    rows = connection.execute(sa.select(alerts).where(condition).order_by(alerts.c.check_id, alerts.c.kind))
    return tuple(_alert(row) for row in rows.mappings())


def open_checks(connection: Connection) -> frozenset[str]:
    """The checks with an alert that is firing or recovering."""
    condition = alerts.c.state.in_((AlertState.FIRING, AlertState.RECOVERING))
    return frozenset(connection.scalars(sa.select(alerts.c.check_id).where(condition)))


def standing(connection: Connection) -> dict[AlertKey, datetime | None]:
    """The alerts that are not resolved, each with since when its check is missing from the configuration."""
    columns = (alerts.c.check_id, alerts.c.kind, alerts.c.missing_since)
    rows = connection.execute(sa.select(*columns).where(alerts.c.state != AlertState.RESOLVED))
    return {AlertKey(row.check_id, row.kind): row.missing_since for row in rows}


def save(connection: Connection, changed: Iterable[Alert]) -> None:
    """Inserts or replaces the alerts by key."""
    upsert(connection, alerts, [_row(alert) for alert in changed])


def add_events(connection: Connection, said: Sequence[AlertEvent]) -> tuple[int, ...]:
    """Adds the events as unused and returns their ids, in order."""
    if not said:
        return ()
    rows = [
        {
            "check_id": event.key.check_id,
            "alert_kind": event.key.kind,
            "kind": event.kind,
            "severity": event.severity,
            "at": event.at,
            "slot": event.slot,
            "reason": event.reason,
        }
        for event in said
    ]
    return tuple(connection.scalars(sa.insert(events).returning(events.c.id, sort_by_parameter_order=True), rows))


def unused_events(connection: Connection, limit: int, now: datetime | None = None) -> tuple[tuple[int, AlertEvent], ...]:
    """The oldest events that the second step has not taken, with their ids, oldest first.

    With `now`, those that are held beyond it are left out, and those that never were come first. What is held beyond the longest
    time was held by a clock that has been set back.
    """
    e = events.c
    oldest = sa.select(events).where(e.used_at.is_(None)).order_by(e.id)
    if now is not None:
        is_ready = e.held_until.is_(None) | (e.held_until <= now) | (e.held_until > now + HOLD)
        oldest = oldest.where(is_ready).order_by(None).order_by(e.held_until.is_not(None), e.id)
    rows = connection.execute(oldest.limit(limit))
    return tuple(sorted(((row.id, _event(row)) for row in rows), key=itemgetter(0)))


def unused_of(connection: Connection, keys: Collection[AlertKey]) -> tuple[tuple[int, AlertEvent], ...]:
    """All events of those alerts that the second step has not taken, held or not, with their ids, oldest first."""
    found = []
    for part in chunks(sorted({key.check_id for key in keys})):
        rows = connection.execute(sa.select(events).where(events.c.used_at.is_(None), events.c.check_id.in_(part)))
        found += [(row.id, event) for row in rows if (event := _event(row)).key in keys]
    return tuple(sorted(found, key=itemgetter(0)))


def hold(connection: Connection, ids: Sequence[int], until: datetime) -> None:
    """The second step does not look at the events before that time."""
    for part in chunks(ids):
        connection.execute(sa.update(events).where(events.c.id.in_(part)).values(held_until=until))


def held_until(connection: Connection) -> datetime | None:
    """When the first of the held events is to be looked at again; None when none is held."""
    found: datetime | None = connection.scalar(sa.select(sa.func.min(events.c.held_until, type_=Instant)).where(events.c.used_at.is_(None)))
    return found


def events_of(connection: Connection, check_id: str, limit: int) -> tuple[AlertEvent, ...]:
    """The newest events of the check's alerts of either kind, newest first."""
    rows = connection.execute(sa.select(events).where(events.c.check_id == check_id).order_by(events.c.id.desc()).limit(limit))
    return tuple(_event(row) for row in rows)


def mark_used(connection: Connection, ids: Sequence[int], at: datetime) -> None:
    """The events are taken: they never come out of `unused_events` again."""
    for part in chunks(ids):
        connection.execute(sa.update(events).where(events.c.id.in_(part)).values(used_at=at))


def firing_spans(connection: Connection, check_ids: Collection[str]) -> dict[str, tuple[Span, ...]]:
    """When each check's data alert fired, in slots, half-open, oldest first; checks that never fired are left out."""
    e = events.c
    statement = sa.select(e.check_id, e.kind, e.slot).where(e.alert_kind == AlertKind.DATA, e.kind != EventKind.CHANGED).order_by(e.id)
    found: dict[str, list[Span]] = {}
    for part in chunks(sorted(set(check_ids))):
        for check_id, kind, slot in connection.execute(statement.where(e.check_id.in_(part))):
            spans = found.setdefault(check_id, [])
            if kind is EventKind.FIRED:
                spans.append((slot, None))
            else:
                # An old FIRED may have been deleted before its RESOLVED: then it fired all the time before.
                start = spans.pop()[0] if spans else _EVER
                spans.append((start, slot))
    return {check_id: tuple(spans) for check_id, spans in found.items()}


def _by_key(connection: Connection, keys: Collection[AlertKey], *, is_locked: bool) -> dict[AlertKey, Alert]:
    named = {AlertKey(safe_text(key.check_id), key.kind): key for key in keys}
    statement = sa.select(alerts).order_by(alerts.c.check_id, alerts.c.kind)
    found: dict[AlertKey, Alert] = {}
    for part in chunks(sorted({key.check_id for key in named})):
        query = statement.where(alerts.c.check_id.in_(part))
        for row in connection.execute(query.with_for_update() if is_locked else query).mappings():
            alert = _alert(row)
            if alert.key in named:
                found[named[alert.key]] = alert
    return found


def _row(alert: Alert) -> Row:
    members = [
        [key.partition, key.segment, m.verdict.value, m.since.isoformat(), m.reason, m.result_id, m.observed, m.expected]
        for key, m in sorted(alert.members.items())
    ]
    return {
        "check_id": alert.key.check_id,
        "kind": alert.key.kind,
        "state": alert.state,
        "severity": alert.severity,
        "members": members,
        "streak": alert.streak,
        "since": alert.since,
        "fired_at": alert.fired_at,
        "recovering_since": alert.recovering_since,
        "resolved_at": alert.resolved_at,
        "last_good_at": alert.last_good_at,
        "recent": alert.recent,
        "flapping_since": alert.flapping_since,
        "missing_since": alert.missing_since,
    }


def _alert(row: sa.RowMapping) -> Alert:
    fields = dict(row)
    key = AlertKey(fields.pop("check_id"), fields.pop("kind"))
    return Alert(key, **fields | {"members": dict(_member(facts) for facts in fields["members"])})


def _member(facts: list[Json]) -> tuple[MemberKey, Member]:
    partition, segment, verdict, since, *texts = facts
    return MemberKey(partition, segment), Member(Verdict(verdict), datetime.fromisoformat(since), *texts)


def _event(row: sa.Row[Json]) -> AlertEvent:
    return AlertEvent(AlertKey(row.check_id, row.alert_kind), row.kind, row.severity, row.at, row.slot, row.reason)
