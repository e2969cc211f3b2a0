"""dq_incidents, dq_incident_members: what is wrong, and the alerts that are part of it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.core.alert import AlertKey, AlertKind
from dqmon.core.incident import Incident, IncidentMember, IncidentState
from dqmon.core.verdict import Severity
from dqmon.errors import UsageError
from dqmon.store.schema import Choice, Instant, SafeText, metadata
from dqmon.store.writes import Row, chunks, upsert

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from sqlalchemy.engine import Connection

incidents = sa.Table(
    "dq_incidents",
    metadata,
    sa.Column("id", SafeText, primary_key=True),
    sa.Column("state", Choice(IncidentState), nullable=False),
    sa.Column("root_check_id", SafeText, nullable=False, comment="the alert that explains the others"),
    sa.Column("root_kind", Choice(AlertKind), nullable=False),
    sa.Column("severity", Choice(Severity), nullable=False),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("resolved_at", Instant),
    sa.Column("acknowledged_at", Instant),
    sa.Column("acknowledged_by", SafeText),
    sa.Column("closed_by_hand", SafeText, comment="who closed it, where a person did"),
    sa.Index(None, "state"),
    sa.Index(None, "opened_at"),
)

members = sa.Table(
    "dq_incident_members",
    metadata,
    sa.Column("incident_id", SafeText, sa.ForeignKey(incidents.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("check_id", SafeText, primary_key=True),
    sa.Column("kind", Choice(AlertKind), primary_key=True),
    sa.Column("node", SafeText, nullable=False, comment="warehouse:dataset or source/pipeline"),
    sa.Column("severity", Choice(Severity), nullable=False),
    sa.Column("joined_at", Instant, nullable=False),
    sa.Column("slot", Instant, nullable=False, comment="the slot that fired"),
    sa.Column("left_at", Instant, comment="when its alert resolved"),
    sa.Column("caused_by", SafeText, comment="the alert upstream that explains it: it is told to nobody by itself"),
    sa.Column("release_at", Instant, comment="of one with caused_by: from then on it is told if it is measured as bad again"),
    sa.Index(None, "check_id"),
)
sa.Index(
    "ix_dq_incident_members_release",
    members.c.release_at,
    sqlite_where=members.c.release_at.is_not(None),
    postgresql_where=members.c.release_at.is_not(None),
)


def save(connection: Connection, changed: Iterable[Incident]) -> None:
    """Inserts or replaces the incidents by id, with exactly their members."""
    kept = {incident.id: incident for incident in changed}
    upsert(connection, incidents, [_row(incident) for incident in kept.values()])
    for part in chunks(list(kept)):
        connection.execute(sa.delete(members).where(members.c.incident_id.in_(part)))
    rows = [_member_row(incident.id, member) for incident in kept.values() for member in incident.members.values()]
    if rows:
        connection.execute(sa.insert(members), rows)


def open_incidents(connection: Connection) -> tuple[Incident, ...]:
    """The incidents that are not resolved, oldest first."""
    return tuple(reversed(_select(connection, incidents.c.state != IncidentState.RESOLVED)))


def get(connection: Connection, id_or_prefix: str) -> Incident | None:
    """The incident of that id, or the only one whose id begins so; None when there is none.

    UsageError when several ids begin so.
    """
    is_prefix = sa.func.substr(incidents.c.id, 1, len(id_or_prefix)) == id_or_prefix
    found = _select(connection, is_prefix, limit=4)
    exact = [incident for incident in found if incident.id == id_or_prefix] or _select(connection, incidents.c.id == id_or_prefix)
    if exact or len(found) < 2:  # noqa: PLR2004 - one or none is no ambiguity
        return next(iter((*exact, *found)), None)
    msg = f"several incidents begin with {id_or_prefix!r} ({', '.join(incident.id for incident in found)}, ...); write more of the id"
    raise UsageError(msg)


def by_ids(connection: Connection, ids: Iterable[str]) -> dict[str, Incident]:
    """The incidents of those ids, by id; those that are not there (any more) are left out."""
    parts = chunks(sorted(set(ids)))
    return {incident.id: incident for part in parts for incident in _select(connection, incidents.c.id.in_(part))}


def is_there(connection: Connection, incident_id: str) -> bool:
    """True when there is an incident of exactly that id."""
    return connection.scalar(sa.select(incidents.c.id).where(incidents.c.id == incident_id)) is not None


def listed(connection: Connection, state: IncidentState | None, limit: int) -> tuple[Incident, ...]:
    """The newest incidents in that state (None: any), newest first."""
    return _select(connection, sa.true() if state is None else incidents.c.state == state, limit)


def opened_since(connection: Connection, at: datetime) -> tuple[Incident, ...]:
    """The incidents that were opened at that time or later, oldest first."""
    return _select(connection, incidents.c.opened_at >= at)[::-1]


def of_check(connection: Connection, check_id: str, limit: int = 20) -> tuple[Incident, ...]:
    """The newest incidents that an alert of the check is or was in, newest first."""
    return _select(connection, incidents.c.id.in_(sa.select(members.c.incident_id).where(members.c.check_id == check_id)), limit)


def opened_between(connection: Connection, since: datetime, until: datetime, limit: int) -> tuple[Incident, ...]:
    """The newest incidents that opened in that time, both ends included, newest first."""
    return _select(connection, incidents.c.opened_at.between(since, until), limit)


def ended_with(connection: Connection, check_ids: Collection[str], since: datetime, ids: Collection[str]) -> tuple[Incident, ...]:
    """The incidents that an alert of the checks was in and that resolved by themselves, after `since` or being one of `ids`."""
    i = incidents.c
    is_over = (i.state == IncidentState.RESOLVED) & i.closed_by_hand.is_(None)
    found: dict[str, Incident] = {}
    for part in chunks(sorted(check_ids)):
        theirs = i.id.in_(sa.select(members.c.incident_id).where(members.c.check_id.in_(part)))
        is_near = (i.resolved_at >= since) | i.id.in_(sorted(ids))
        found |= {incident.id: incident for incident in _select(connection, is_over & theirs & is_near)}
    return tuple(found.values())


def to_release(connection: Connection) -> tuple[IncidentMember, ...]:
    """The open members with a `release_at`, those of the earliest first."""
    waiting = sa.select(members).where(members.c.release_at.is_not(None), members.c.left_at.is_(None))
    in_order = waiting.order_by(members.c.release_at, members.c.check_id, members.c.kind)
    return tuple(_member(row) for row in connection.execute(in_order).mappings())


def _select(connection: Connection, condition: sa.ColumnElement[bool], limit: int | None = None) -> tuple[Incident, ...]:
    order = (incidents.c.opened_at.desc(), incidents.c.id.desc())
    rows = connection.execute(sa.select(incidents).where(condition).order_by(*order).limit(limit)).mappings().all()
    found: dict[str, dict[AlertKey, IncidentMember]] = defaultdict(dict)
    in_order = sa.select(members).order_by(members.c.joined_at, members.c.check_id, members.c.kind)
    for part in chunks([row["id"] for row in rows]):
        for row in connection.execute(in_order.where(members.c.incident_id.in_(part))).mappings():
            member = _member(row)
            found[row["incident_id"]][member.key] = member
    return tuple(_incident(row, found[row["id"]]) for row in rows)


def _row(incident: Incident) -> Row:
    root = {"root_check_id": incident.root.check_id, "root_kind": incident.root.kind}
    return root | {c.name: getattr(incident, c.name) for c in incidents.c if c.name not in root}


def _member_row(incident_id: str, member: IncidentMember) -> Row:
    key = {"incident_id": incident_id, "check_id": member.key.check_id, "kind": member.key.kind}
    return key | {c.name: getattr(member, c.name) for c in members.c if c.name not in key}


def _incident(row: sa.RowMapping, found: dict[AlertKey, IncidentMember]) -> Incident:
    fields = dict(row)
    root = AlertKey(fields.pop("root_check_id"), fields.pop("root_kind"))
    return Incident(root=root, members=found, **fields)


def _member(row: sa.RowMapping) -> IncidentMember:
    fields = {name: value for name, value in row.items() if name not in ("incident_id", "check_id", "kind")}
    return IncidentMember(AlertKey(row["check_id"], row["kind"]), **fields)
