"""dq_pipelines, dq_sources: what ingestion tools say of their pipelines, and how far they have been read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.core.check import PipelineRef, Schedule
from dqmon.core.load_record import PipelineInfo
from dqmon.store import writes
from dqmon.store.schema import Instant, SafeText, metadata, safe_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from sqlalchemy.engine import Connection

pipelines = sa.Table(
    "dq_pipelines",
    metadata,
    sa.Column("source", SafeText, primary_key=True),
    sa.Column("pipeline", SafeText, primary_key=True),
    sa.Column("first_seen_at", Instant, nullable=False, comment="when dqmon first knew of it"),
    sa.Column("cron", SafeText, comment="when the tool starts it, as far as it says"),
    sa.Column("every_s", sa.BigInteger, comment="the same, as an interval"),
    sa.Column("timezone", SafeText, comment="of cron"),
    sa.Column("is_paused", sa.Boolean, comment="NULL: the tool cannot say"),
)

sources = sa.Table(
    "dq_sources",
    metadata,
    sa.Column("source", SafeText, primary_key=True),
    sa.Column("polled_at", Instant, comment="up to when its records have been read"),
    sa.Column("failed_at", Instant, comment="when it could not be read last"),
    sa.Column("failure", SafeText, comment="why it could not be read last"),
)


@dataclass(frozen=True, slots=True)
class Contact:
    """How far a source has been read, and when and why it could not be read last; None for what never happened."""

    polled_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str | None = None

    @property
    def is_lost(self) -> bool:
        """True when the last try to read it failed."""
        return self.failed_at is not None and (self.polled_at is None or self.failed_at > self.polled_at)


def first_seen(connection: Connection, source: str, pipeline: str, at: datetime) -> datetime:
    """When the pipeline was first seen: `at` when that is now, kept for ever; only then is anything written."""
    mine = (pipelines.c.source == source) & (pipelines.c.pipeline == pipeline)
    query = sa.select(pipelines.c.first_seen_at).where(mine)
    kept: datetime | None = connection.scalar(query)
    if kept is None:
        writes.insert_new(connection, pipelines, [{"source": source, "pipeline": pipeline, "first_seen_at": at}])
        kept = connection.execute(query).scalar_one()
    return kept


def note(connection: Connection, source: str, infos: Iterable[PipelineInfo], at: datetime) -> None:
    """Keeps what the source says of its pipelines, and `at` for those that were never seen; only what changed is written."""
    query = sa.select(pipelines).where(pipelines.c.source == source)
    known = {row["pipeline"]: dict(row) for row in connection.execute(query).mappings()}
    said = []
    for info in infos:
        name = safe_text(info.pipeline)
        first_seen_at = known[name]["first_seen_at"] if name in known else at
        said.append({"source": source, "pipeline": name, "first_seen_at": first_seen_at, **_said(info)})
    writes.upsert(connection, pipelines, [row for row in said if row != known.get(row["pipeline"])])


def infos_of(connection: Connection, wanted: Collection[PipelineRef]) -> dict[PipelineRef, PipelineInfo]:
    """What was last said of those pipelines; one that was never seen is not in the answer."""
    keys = sa.tuple_(pipelines.c.source, pipelines.c.pipeline)
    found = {}
    for part in writes.chunks(sorted((ref.source, ref.pipeline) for ref in wanted)):
        for row in connection.execute(sa.select(pipelines).where(keys.in_(part))).mappings():
            ref = PipelineRef(row["source"], row["pipeline"])
            is_told = row["cron"] is not None or row["every_s"] is not None
            schedule = Schedule(row["cron"], row["every_s"], row["timezone"]) if is_told else None
            found[ref] = PipelineInfo(ref.source, ref.pipeline, is_paused=row["is_paused"], schedule=schedule)
    return found


def last_poll(connection: Connection, source: str) -> datetime | None:
    """Up to when the source's records have been read; None before the first time."""
    return connection.scalar(sa.select(sources.c.polled_at).where(sources.c.source == source))


def contacts(connection: Connection) -> dict[str, Contact]:
    """How it went with each source, by name; one that was never tried is not in the answer."""
    s = sources.c
    return {name: Contact(*rest) for name, *rest in connection.execute(sa.select(s.source, s.polled_at, s.failed_at, s.failure))}


def unread(connection: Connection, failures: Mapping[str, str], at: datetime) -> None:
    """The sources could not be read at `at`, and why."""
    writes.upsert(connection, sources, [{"source": name, "failed_at": at, "failure": failure} for name, failure in failures.items()])


def polled(connection: Connection, source: str, at: datetime) -> None:
    """The source's records have been read up to `at`; an earlier time than the kept one changes nothing."""
    writes.upsert(connection, sources, [{"source": source, "polled_at": at}], newest="polled_at")


def _said(info: PipelineInfo) -> dict[str, object]:
    schedule = info.schedule or Schedule(None, None, "")
    timezone = schedule.timezone if info.schedule else None
    return {"cron": schedule.cron, "every_s": schedule.every_s, "timezone": timezone, "is_paused": info.is_paused}
