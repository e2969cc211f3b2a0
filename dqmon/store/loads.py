"""dq_loads, dq_backlogs, dq_pipelines, dq_sources: what loading tools have left behind (INGESTION.md section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus
from dqmon.store import writes
from dqmon.store.schema import Choice, Instant, JsonText, SafeText, metadata

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.engine import Connection

loads = sa.Table(
    "dq_loads",
    metadata,
    sa.Column("source", SafeText, primary_key=True, comment="as under ingestion: in the configuration"),
    sa.Column("pipeline", SafeText, primary_key=True),
    sa.Column("load_id", SafeText, primary_key=True, comment="the tool's own id"),
    sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("table", SafeText, primary_key=True, comment="empty: the load as a whole"),
    sa.Column("status", Choice(LoadStatus), nullable=False),
    sa.Column("observed_at", Instant, nullable=False, comment="when the source was read"),
    sa.Column("kind", SafeText, nullable=False),
    sa.Column("raw_status", SafeText, comment="in the tool's own words"),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Column("heartbeat_at", Instant),
    sa.Column("rows", sa.BigInteger, comment="NULL: the tool cannot say"),
    sa.Column("rows_rejected", sa.BigInteger),
    sa.Column("schema_version", SafeText),
    sa.Column("cursor", SafeText),
    sa.Column("data_through", Instant),
    sa.Column("error", SafeText),
    sa.Column("extra", JsonText, nullable=False),
    sa.Column("happened_at", Instant, nullable=False, comment="finished_at, else started_at, else when it was first observed"),
    sa.Index(None, "source", "pipeline", "happened_at"),
)

backlogs = sa.Table(
    "dq_backlogs",
    metadata,
    sa.Column("source", SafeText, primary_key=True),
    sa.Column("pipeline", SafeText, primary_key=True),
    sa.Column("partition", SafeText, primary_key=True, comment="empty: the pipeline as a whole"),
    sa.Column("pending", sa.BigInteger, nullable=False),
    sa.Column("unit", SafeText, nullable=False, comment="messages, files or seconds"),
    sa.Column("observed_at", Instant, nullable=False),
    sa.Column("oldest_pending_at", Instant),
)

pipelines = sa.Table(
    "dq_pipelines",
    metadata,
    sa.Column("source", SafeText, primary_key=True),
    sa.Column("pipeline", SafeText, primary_key=True),
    sa.Column("first_seen_at", Instant, nullable=False, comment="when dqmon first knew of it"),
)

sources = sa.Table(
    "dq_sources",
    metadata,
    sa.Column("source", SafeText, primary_key=True),
    sa.Column("polled_at", Instant, nullable=False, comment="up to when its records have been read"),
)


def upsert(connection: Connection, records: Iterable[LoadRecord]) -> None:
    """Inserts the records, or replaces those of the same (source, pipeline, load_id, attempt, table).

    A record observed earlier than the kept one changes nothing.
    """
    writes.upsert(connection, loads, [_row(record) for record in records], newest="observed_at")


def of_pipeline(connection: Connection, source: str, pipeline: str, since: datetime) -> tuple[LoadRecord, ...]:
    """The pipeline's records that finished (else started, else were first observed) at or after `since`, newest last."""
    x = loads.c
    mine = (x.source == source) & (x.pipeline == pipeline) & (x.happened_at >= since)
    rows = connection.execute(sa.select(loads).where(mine).order_by(x.happened_at, x.load_id, x.attempt, x.table))
    return tuple(_load(row) for row in rows.mappings())


def first_seen(connection: Connection, source: str, pipeline: str, at: datetime) -> datetime:
    """When the pipeline was first seen: `at` when that is now, kept for ever; only then is anything written."""
    mine = (pipelines.c.source == source) & (pipelines.c.pipeline == pipeline)
    query = sa.select(pipelines.c.first_seen_at).where(mine)
    kept: datetime | None = connection.scalar(query)
    if kept is None:
        writes.insert_new(connection, pipelines, [{"source": source, "pipeline": pipeline, "first_seen_at": at}])
        kept = connection.execute(query).scalar_one()
    return kept


def upsert_backlogs(connection: Connection, found: Iterable[Backlog]) -> None:
    """Keeps the newest backlog of each (source, pipeline, partition)."""
    rows = [{c.name: getattr(backlog, c.name) for c in backlogs.c} | {"partition": backlog.partition or ""} for backlog in found]
    writes.upsert(connection, backlogs, rows, newest="observed_at")


def backlogs_of(connection: Connection, source: str, pipeline: str) -> tuple[Backlog, ...]:
    """The newest backlogs of the pipeline, by partition."""
    mine = (backlogs.c.source == source) & (backlogs.c.pipeline == pipeline)
    rows = connection.execute(sa.select(backlogs).where(mine).order_by(backlogs.c.partition)).mappings()
    return tuple(Backlog(**dict(row) | {"partition": row["partition"] or None}) for row in rows)


def last_poll(connection: Connection, source: str) -> datetime | None:
    """Up to when the source's records have been read; None before the first time."""
    return connection.scalar(sa.select(sources.c.polled_at).where(sources.c.source == source))


def polled(connection: Connection, source: str, at: datetime) -> None:
    """The source's records have been read up to `at`; an earlier time than the kept one changes nothing."""
    writes.upsert(connection, sources, [{"source": source, "polled_at": at}], newest="polled_at")


def _row(record: LoadRecord) -> dict[str, object]:
    happened_at = record.finished_at or record.started_at or record.observed_at
    row = {column.name: getattr(record, column.name) for column in loads.c if column.name != "happened_at"}
    return row | {"table": record.table or "", "happened_at": happened_at}


def _load(row: sa.RowMapping) -> LoadRecord:
    fields = {name: value for name, value in row.items() if name != "happened_at"}
    return LoadRecord(**fields | {"table": row["table"] or None})
