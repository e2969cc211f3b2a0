"""dq_feedback: what people said of incidents, and what baselines make of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.core.alert import AlertKind
from dqmon.core.feedback import Feedback, Said
from dqmon.store.alerts import Span, firing_spans
from dqmon.store.incidents import incidents, members
from dqmon.store.schema import Choice, Instant, SafeText, metadata
from dqmon.store.writes import chunks, upsert

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlalchemy.engine import Connection

feedback = sa.Table(
    "dq_feedback",
    metadata,
    sa.Column("incident_id", SafeText, sa.ForeignKey(incidents.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("feedback", Choice(Feedback), nullable=False, comment="real, expected or bad_threshold; the newest word counts"),
    sa.Column("said_by", SafeText, nullable=False),
    sa.Column("said_at", Instant, nullable=False),
    sa.Column("note", SafeText, nullable=False, comment="why, or how it was repaired; empty when nothing was written"),
)


@dataclass(frozen=True, slots=True)
class Alerted:
    """When checks' data alerts fired, by check id, in slots, half-open: without those that were expected. real: those that were."""

    spans: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    real: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)


def save(connection: Connection, said: Said) -> None:
    """Keeps what was said of an incident, in the place of what was said before."""
    upsert(connection, feedback, [asdict(said)])


def of_incident(connection: Connection, incident_id: str) -> Said | None:
    """What was said of the incident last; None when nothing was."""
    return of_incidents(connection, (incident_id,)).get(incident_id)


def of_incidents(connection: Connection, incident_ids: Collection[str]) -> dict[str, Said]:
    """What was said last of each of the incidents, by id; those of which nothing was are left out."""
    found: dict[str, Said] = {}
    for part in chunks(sorted(incident_ids)):
        rows = connection.execute(sa.select(feedback).where(feedback.c.incident_id.in_(part))).mappings()
        found |= {row["incident_id"]: Said(**row) for row in rows}
    return found


def alerted(connection: Connection, check_ids: Collection[str]) -> Alerted:
    """The spans in which each check fired, as far as feedback leaves them; checks that never fired are left out."""
    spans = firing_spans(connection, check_ids)
    words = _words(connection, spans.keys())
    is_learned = {Feedback.EXPECTED, Feedback.BAD_THRESHOLD}
    kept = {id_: tuple(s for s in found if words.get((id_, s[0])) not in is_learned) for id_, found in spans.items()}
    real = {id_: tuple(s for s in found if words.get((id_, s[0])) is Feedback.REAL) for id_, found in spans.items()}
    return Alerted(kept, real)


def words(connection: Connection, check_ids: Collection[str]) -> tuple[tuple[str, datetime, Feedback, datetime], ...]:
    """What was said of the incidents that checks' data alerts were in: check, slot of firing, word, when it was said; oldest first."""
    said = sa.select(members.c.check_id, members.c.slot, feedback.c.feedback, feedback.c.said_at).join(
        feedback, feedback.c.incident_id == members.c.incident_id
    )
    found: list[tuple[str, datetime, Feedback, datetime]] = []
    for part in chunks(sorted(check_ids)):
        statement = said.where(members.c.kind == AlertKind.DATA, members.c.check_id.in_(part)).order_by(feedback.c.said_at)
        found += [(check_id, slot, word, at) for check_id, slot, word, at in connection.execute(statement)]
    return tuple(found)


def _words(connection: Connection, check_ids: Collection[str]) -> dict[tuple[str, datetime], Feedback]:
    """By check and slot of firing, what was said of the incident that the alert was in; of several the newest word."""
    return {(check_id, slot): word for check_id, slot, word, _ in words(connection, check_ids)}
