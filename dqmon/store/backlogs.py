"""dq_backlogs, dq_backlog_samples: how much waits to be loaded, and how much did at the polls before."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.core.load_record import Backlog, total
from dqmon.store import writes
from dqmon.store.schema import Instant, SafeText, metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection

backlogs = sa.Table(
    "dq_backlogs",
    metadata,
    sa.Column("source", SafeText, primary_key=True),
    sa.Column("pipeline", SafeText, primary_key=True),
    sa.Column("partition", SafeText, primary_key=True, comment="empty: the pipeline as a whole"),
    sa.Column("unit", SafeText, primary_key=True, comment="messages, files, bytes or seconds"),
    sa.Column("pending", sa.BigInteger, nullable=False),
    sa.Column("observed_at", Instant, nullable=False),
    sa.Column("oldest_pending_at", Instant),
)

samples = sa.Table(
    "dq_backlog_samples",
    metadata,
    sa.Column("source", SafeText, primary_key=True),
    sa.Column("pipeline", SafeText, primary_key=True),
    sa.Column("unit", SafeText, primary_key=True, comment="messages, files, bytes or seconds"),
    sa.Column("minute", Instant, primary_key=True, comment="in which it was polled; the last poll of a minute counts"),
    sa.Column("pending", sa.BigInteger, nullable=False, comment="of all partitions; of seconds, in the one that is farthest behind"),
    sa.Index(None, "minute"),
)

KEPT = timedelta(days=2)
"""How far back samples are of use: longer than any growth that `growing_for` waits for."""


def keep(connection: Connection, found: Iterable[Backlog]) -> None:
    """Keeps the newest backlog of each (source, pipeline, partition, unit), and of each pipeline and unit a sample a minute."""
    found = tuple(found)
    rows = [{c.name: getattr(backlog, c.name) for c in backlogs.c} | {"partition": backlog.partition or ""} for backlog in found]
    writes.upsert(connection, backlogs, rows, newest="observed_at")
    amounts: dict[tuple[str, str, str, datetime], list[int]] = {}
    for one in found:
        minute = one.observed_at.replace(second=0, microsecond=0)
        amounts.setdefault((one.source, one.pipeline, one.unit, minute), []).append(one.pending)
    names = ("source", "pipeline", "unit", "minute")
    sampled = [dict(zip(names, key, strict=True)) | {"pending": total(key[2], pending)} for key, pending in amounts.items()]
    writes.upsert(connection, samples, sampled)


def samples_of(connection: Connection, source: str, pipeline: str, since: datetime) -> tuple[Backlog, ...]:
    """What waited altogether in each minute from `since` on that was polled, oldest first; `observed_at` is the minute."""
    s = samples.c
    mine = (s.source == source) & (s.pipeline == pipeline) & (s.minute >= since)
    rows = connection.execute(sa.select(s.minute, s.unit, s.pending).where(mine).order_by(s.minute, s.unit))
    return tuple(Backlog(source, pipeline, pending, unit, minute) for minute, unit, pending in rows)


def of_pipeline(connection: Connection, source: str, pipeline: str) -> tuple[Backlog, ...]:
    """The newest backlogs of the pipeline, by partition and unit."""
    mine = (backlogs.c.source == source) & (backlogs.c.pipeline == pipeline)
    rows = connection.execute(sa.select(backlogs).where(mine).order_by(backlogs.c.partition, backlogs.c.unit)).mappings()
    return tuple(Backlog(**dict(row) | {"partition": row["partition"] or None}) for row in rows)
