"""dq_loads: what loading tools have left behind of each load."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import sqlalchemy as sa

from dqmon.core.check import PipelineRef
from dqmon.core.load_record import LoadRecord, LoadStatus
from dqmon.store import writes
from dqmon.store.schema import Choice, Instant, JsonText, SafeText, metadata

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
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
    sa.Column("scheduled_for", Instant, comment="the fire of the schedule that the run is of"),
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
_IS_HALF_DONE = loads.c.status == sa.text(f"'{LoadStatus.PARTIAL}'")
sa.Index("ix_dq_loads_half_done", loads.c.source, sqlite_where=_IS_HALF_DONE, postgresql_where=_IS_HALF_DONE)

_MOST_PARTS = 200
"""Pipelines of one compound statement; SQLite takes 500 parts."""


Key: TypeAlias = tuple[str, str, int, str | None]
"""Of a record among those of its source: pipeline, load_id, attempt, table."""


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


def kept(connection: Connection, records: Collection[LoadRecord]) -> dict[Key, LoadRecord]:
    """What is kept of those records, by key; of one source."""
    wanted = sorted({_id(record) for record in records})
    keys = sa.tuple_(loads.c.source, loads.c.pipeline, loads.c.load_id, loads.c.attempt, loads.c.table)
    found: dict[Key, LoadRecord] = {}
    for part in writes.chunks(wanted):
        for row in connection.execute(sa.select(loads).where(keys.in_(part))).mappings():
            record = _load(row)
            found[key_of(record)] = record
    return found


def of_load(connection: Connection, source: str, pipeline: str, load_id: str) -> tuple[LoadRecord, ...]:
    """The records of one load, of all its attempts and tables, by attempt and table."""
    x = loads.c
    mine = (x.source == source) & (x.pipeline == pipeline) & (x.load_id == load_id)
    return tuple(_load(row) for row in connection.execute(sa.select(loads).where(mine).order_by(x.attempt, x.table)).mappings())


def running(connection: Connection, source: str, pipeline: str, since: datetime) -> tuple[LoadRecord, ...]:
    """The pipeline's loads as a whole that have run from `since` or later until now, the newest last."""
    x = loads.c
    mine = (x.source == source) & (x.pipeline == pipeline) & (x.happened_at >= since)
    open_ones = sa.select(loads).where(mine, x.status == LoadStatus.RUNNING, x.table == "").order_by(x.happened_at, x.load_id)
    return tuple(_load(row) for row in connection.execute(open_ones).mappings())


def half_done(connection: Connection, source: str) -> tuple[LoadRecord, ...]:
    """The source's loads that are PARTIAL, by pipeline and load."""
    x = loads.c
    mine = sa.select(loads).where(x.source == source, _IS_HALF_DONE).order_by(x.pipeline, x.load_id, x.attempt, x.table)
    return tuple(_load(row) for row in connection.execute(mine).mappings())


def newest(
    connection: Connection, wanted: Collection[PipelineRef], limit: int, since: datetime, *, whole: bool
) -> dict[PipelineRef, tuple[LoadRecord, ...]]:
    """The newest `limit` records of each pipeline, the newest last, that happened at or after `since`; every pipeline is in the answer.

    whole: of loads as a whole; else successful ones alone, with what they did to each table.
    """
    found: dict[PipelineRef, list[LoadRecord]] = {ref: [] for ref in sorted(wanted, key=str)}
    x, listed = loads.c, list(found)
    for start in range(0, len(listed), _MOST_PARTS):
        parts = [
            sa.select(loads)
            .where(x.source == ref.source, x.pipeline == ref.pipeline, x.happened_at >= since)
            .where(x.table == "" if whole else (x.status == LoadStatus.SUCCEEDED))
            .order_by(x.happened_at.desc())
            .limit(limit)
            .subquery()
            for ref in listed[start : start + _MOST_PARTS]
        ]
        for row in connection.execute(sa.union_all(*(sa.select(part) for part in parts))).mappings():
            found[PipelineRef(row["source"], row["pipeline"])].append(_load(row))
    return {ref: tuple(sorted(records, key=_happened)) for ref, records in found.items()}


def key_of(record: LoadRecord) -> Key:
    """What tells the records of a source apart."""
    return (record.pipeline, record.load_id, record.attempt, record.table)


def _id(record: LoadRecord) -> tuple[str, str, str, int, str]:
    return (record.source, record.pipeline, record.load_id, record.attempt, record.table or "")


def _happened(record: LoadRecord) -> datetime:
    return record.finished_at or record.started_at or record.observed_at


def _row(record: LoadRecord) -> dict[str, object]:
    row = {column.name: getattr(record, column.name) for column in loads.c if column.name != "happened_at"}
    return row | {"table": record.table or "", "happened_at": _happened(record)}


def _load(row: sa.RowMapping) -> LoadRecord:
    fields = {name: value for name, value in row.items() if name != "happened_at"}
    return LoadRecord(**fields | {"table": row["table"] or None})
