"""When checks were in trouble, and what was sent of it: read from incidents and the outbox, for digests."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.core.delivery import DeliveryState
from dqmon.core.message import DeliveryKind
from dqmon.store.deliveries import deliveries
from dqmon.store.groups import groups
from dqmon.store.incidents import incidents, members
from dqmon.store.results import results
from dqmon.store.schema import SafeText
from dqmon.store.writes import chunks

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


@dataclass(frozen=True, slots=True)
class Spell:
    """An alert in an incident, from joining to leaving; `caused_by` as of an incident's member."""

    check_id: str
    joined_at: datetime
    left_at: datetime | None
    caused_by: str | None
    incident_id: str
    opened_at: datetime
    acknowledged_at: datetime | None
    resolved_at: datetime | None

    def covers(self, at: datetime) -> bool:
        """True when the alert was open then."""
        return self.joined_at <= at and (self.left_at is None or self.left_at > at)


@dataclass(frozen=True, slots=True)
class Page:
    """A message that woke somebody: the alerts and incidents of its group, in the order in which they joined it."""

    alert_keys: tuple[str, ...]
    incident_ids: tuple[str, ...]


def spells(connection: Connection, since: datetime, until: datetime) -> tuple[Spell, ...]:
    """Those that had not ended by `since` and had begun by `until`, of all checks, oldest first."""
    m, i = members.c, incidents.c
    columns = (m.check_id, m.joined_at, m.left_at, m.caused_by, m.incident_id, i.opened_at, i.acknowledged_at, i.resolved_at)
    lasted = sa.or_(m.left_at.is_(None), m.left_at >= since) & (m.joined_at <= until)
    rows = connection.execute(sa.select(*columns).join(incidents, i.id == m.incident_id).where(lasted).order_by(m.joined_at, m.check_id))
    return tuple(Spell(*row) for row in rows)


def pages(connection: Connection, channels: Collection[str], since: datetime, until: datetime) -> tuple[Page, ...]:
    """The triggers that those channels took between the two times, each once however often it had to be sent."""
    d = deliveries.c
    sent = (d.kind == DeliveryKind.TRIGGER, d.state == DeliveryState.SENT, d.sent_at > since, d.sent_at <= until)
    statement = sa.select(d.dedup_key, groups.c.alert_keys, groups.c.incident_ids).join(groups, groups.c.id == d.group_id)
    rows = connection.execute(statement.where(d.channel.in_(sorted(channels)), *sent).order_by(d.sequence))
    return tuple({key: Page(tuple(keys), tuple(ids)) for key, keys, ids in rows}.values())


def measured_before(connection: Connection, check_ids: Collection[str], at: datetime) -> frozenset[str]:
    """Those of the checks that have a result of a slot before that time; ad-hoc runs do not count."""
    found: set[str] = set()
    for part in chunks(sorted(set(check_ids))):
        wanted = sa.values(sa.column("check_id", SafeText), name="wanted").data([(check_id,) for check_id in part]).cte()
        before = sa.exists().where(results.c.check_id == wanted.c.check_id, results.c.scheduled_at < at, ~results.c.is_ad_hoc)
        found.update(connection.scalars(sa.select(wanted.c.check_id).where(before)))
    return frozenset(found)
