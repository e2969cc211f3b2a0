"""dq_silences: what people made quiet by hand, and until when; what the configuration declares is not here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.core.selector import parse_selector
from dqmon.core.silence import Silence
from dqmon.store.incidents import incidents
from dqmon.store.schema import Instant, SafeText, big_id, metadata

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection, Row

    from dqmon.core.plain import Json

PREFIX = "S-"
"""What stands before the number in a silence's id."""

silences = sa.Table(
    "dq_silences",
    metadata,
    big_id(),
    sa.Column("selector", SafeText, nullable=False, comment="which alerts are not told, as in routes; empty: all"),
    sa.Column(
        "incident_id", SafeText, sa.ForeignKey(incidents.c.id, ondelete="CASCADE"), comment="of a snooze: only alerts of this incident"
    ),
    sa.Column("start_at", Instant, nullable=False),
    sa.Column("end_at", Instant, nullable=False, comment="exclusive; when it was ended by hand, that time"),
    sa.Column("reason", SafeText, nullable=False),
    sa.Column("made_by", SafeText, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("expired_by", SafeText, comment="who ended it before its time"),
    sa.Index(None, "end_at"),
)


def add(connection: Connection, silence: Silence, at: datetime) -> Silence:
    """Keeps a new silence, made at `at`, and returns it with its id."""
    row = {
        "selector": str(silence.match),
        "incident_id": silence.incident_id,
        "start_at": silence.start,
        "end_at": silence.end,
        "reason": silence.reason,
        "made_by": silence.by,
        "made_at": at,
    }
    return _silence(connection.execute(sa.insert(silences).values(row).returning(silences)).one())


def active(connection: Connection, now: datetime) -> tuple[Silence, ...]:
    """Those that mute at `now`, oldest first."""
    return _select(connection, sa.and_(silences.c.start_at <= now, silences.c.end_at > now))


def not_over(connection: Connection, now: datetime) -> tuple[Silence, ...]:
    """Those that mute at `now` or will, oldest first."""
    return _select(connection, silences.c.end_at > now)


def listed(connection: Connection, limit: int) -> tuple[Silence, ...]:
    """The newest `limit`, over or not, oldest first."""
    newest = sa.select(silences.c.id).order_by(silences.c.id.desc()).limit(limit)
    return _select(connection, silences.c.id.in_(newest))


def get(connection: Connection, id_: str) -> Silence | None:
    """The silence of that id, `S-14` or `14`; None when there is none."""
    number = id_.upper().removeprefix(PREFIX)
    found = _select(connection, silences.c.id == int(number)) if number.isascii() and number.isdigit() and len(number) < 19 else ()  # noqa: PLR2004 - a longer number is no BIGINT
    return next(iter(found), None)


def of_incident(connection: Connection, incident_id: str) -> tuple[Silence, ...]:
    """The snoozes of an incident, over or not, oldest first."""
    return _select(connection, silences.c.incident_id == incident_id)


def expire(connection: Connection, id_: str, by: str, at: datetime) -> None:
    """Ends the silence at `at`; one that has not begun then never does."""
    number = int(id_.removeprefix(PREFIX))
    connection.execute(sa.update(silences).where(silences.c.id == number, silences.c.end_at > at).values(end_at=at, expired_by=by))


def _select(connection: Connection, condition: sa.ColumnElement[bool]) -> tuple[Silence, ...]:
    rows = connection.execute(sa.select(silences).where(condition).order_by(silences.c.id))
    return tuple(map(_silence, rows))


def _silence(row: Row[Json]) -> Silence:
    match = parse_selector((row.selector,))
    return Silence(f"{PREFIX}{row.id}", match, row.start_at, row.end_at, row.reason, row.made_by, row.incident_id, row.expired_by)
