"""What is told to lineage servers: results in the order of their commits, the numbers that were measured with them, how far it has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.core.result import ResultRecord
from dqmon.store import meta
from dqmon.store.measurements import measurements
from dqmon.store.results import of_revisions, results
from dqmon.store.writes import chunks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection

_POSITION = "openlineage_position"


@dataclass(frozen=True, slots=True)
class Committed:
    """The results of whole commits, the last commit's number, and whether there are more behind it."""

    results: tuple[ResultRecord, ...]
    end: int
    has_more: bool


def position(connection: Connection) -> int | None:
    """The last commit that was told; None before the first time."""
    kept = meta.get(connection, _POSITION)
    return None if kept is None else int(kept)


def told(connection: Connection, revision: int) -> None:
    """All commits up to this one were told."""
    meta.put(connection, _POSITION, str(revision))


def committed(connection: Connection, after: int, limit: int) -> Committed:
    """The results of the next `limit` commits after one, whole commits only, so that no run is told in halves.

    Of a partition that was judged again only the newest version counts. Ad-hoc runs are left out.
    """
    revision = results.c.revision
    statement = sa.select(revision).where(revision > after).distinct().order_by(revision).limit(limit)
    found = list(connection.scalars(statement))
    end = found[-1] if found else after
    return Committed(of_revisions(connection, after, end) if found else (), end, len(found) == limit)


def measured(connection: Connection, run_ids: Iterable[str]) -> tuple[tuple[str, str, str, str, float], ...]:
    """(run id, warehouse, dataset, metric key, value) of what those runs measured of whole tables without filter.

    A run's measurements are written just before its results, in the same transaction: the commits' numbers bound the search.
    """
    m, revision = measurements.c, results.c.revision
    found: list[tuple[str, str, str, str, float]] = []
    for part in chunks(sorted(set(run_ids))):
        bounds = sa.select(sa.func.min(revision), sa.func.max(revision)).where(results.c.run_id.in_(part))
        first, last = connection.execute(bounds).one()
        if first is None:
            continue
        before = connection.scalar(sa.select(sa.func.max(revision)).where(revision < first)) or 0
        whole = (m.where_text == "") & (m.segment == "{}") & (m.partition == "")
        statement = sa.select(m.run_id, m.warehouse, m.dataset, m.metric_key, m.value).where(
            m.revision > before, m.revision <= last, m.run_id.in_(part), whole, m.value.is_not(None)
        )
        found += [tuple(row) for row in connection.execute(statement.order_by(m.id))]
    return tuple(found)
