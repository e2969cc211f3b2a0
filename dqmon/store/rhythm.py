"""How far apart the last two slots of checks were, as dq_results has them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.store.results import results
from dqmon.store.schema import Instant
from dqmon.store.writes import chunks

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def last_gaps(connection: Connection, check_ids: Collection[str]) -> dict[str, timedelta]:
    """The time between the last two slots of each check, ad-hoc runs left out; checks that ran in less than two have none."""
    r = results.c
    found: dict[str, timedelta] = {}
    for part in chunks(sorted(check_ids)):
        counts = r.check_id.in_(part) & ~r.is_ad_hoc
        last = sa.select(r.check_id, sa.func.max(r.scheduled_at, type_=Instant).label("at")).where(counts).group_by(r.check_id).subquery()
        before = (
            sa.select(r.check_id, last.c.at, sa.func.max(r.scheduled_at, type_=Instant).label("before"))
            .join(last, (last.c.check_id == r.check_id) & (r.scheduled_at < last.c.at))
            .where(counts)
            .group_by(r.check_id, last.c.at)
        )
        found |= {row.check_id: row.at - row.before for row in connection.execute(before)}
    return found
