"""dq_measurements: the metrics table. Every value that was measured, with the time that it describes and the time of measuring."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from operator import itemgetter
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.core.histogram import Histogram
from dqmon.core.history import Point, is_inside
from dqmon.core.measurement import ESTIMATED, FailureKind, segment_key
from dqmon.core.plain import plain
from dqmon.store import meta
from dqmon.store.schema import Choice, Instant, SafeText, TextTuple, big_id, metadata, safe_text
from dqmon.store.series import HistoryKey, about
from dqmon.store.writes import Row, chunks, one_writer

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.engine import Connection

    from dqmon.core.measurement import Measurement
    from dqmon.core.metric import Value
    from dqmon.store.feedback import Alerted

measurements = sa.Table(
    "dq_measurements",
    metadata,
    big_id(),
    sa.Column("run_id", SafeText, nullable=False),
    sa.Column("scan_id", SafeText, nullable=False, comment="measurements of one statement share it"),
    sa.Column("warehouse", SafeText, nullable=False),
    sa.Column("dataset", SafeText, nullable=False, comment="[catalog.][schema.]table as in check files"),
    sa.Column("metric", SafeText, nullable=False, comment="the metric's name, such as row_count"),
    sa.Column("metric_key", SafeText, nullable=False, comment="name and options"),
    sa.Column("where_text", SafeText, nullable=False, comment="the filter; empty without one"),
    sa.Column("segment_by", TextTuple, nullable=False),
    sa.Column("series", SafeText, nullable=False, comment="hash of table, metric, filter, segment_by, partition column and grain"),
    sa.Column("segment", SafeText, nullable=False, comment="JSON object of the segment's values; {} without segment_by"),
    sa.Column("partition_column", SafeText),
    sa.Column("partition_start", Instant),
    sa.Column("partition_end", Instant, comment="exclusive"),
    sa.Column("partition", SafeText, nullable=False, comment="start/end; null: rows with a NULL key; empty: the whole table"),
    sa.Column("described_at", Instant, nullable=False, comment="the time that the value describes: partition start, else scheduled_at"),
    sa.Column("value", sa.Double, comment="of a histogram its rows; NULL: nothing to measure, not a number, or failed"),
    sa.Column("value_text", SafeText, comment="the exact value: decimals, timestamps, texts, NaN, histograms"),
    sa.Column("failure", Choice(FailureKind), comment="why there is no value"),
    sa.Column("failure_message", SafeText),
    sa.Column("scheduled_at", Instant, nullable=False),
    sa.Column("measured_at", Instant, nullable=False),
    sa.Column("duration_s", sa.Double, nullable=False, comment="of the whole statement"),
    sa.Column("version", sa.Integer, nullable=False, comment="1, and one more for each time that the same thing was measured again"),
    sa.Column("is_current", sa.Boolean, nullable=False, comment="the newest version that has a value; never of an ad-hoc run"),
    sa.Column("is_ad_hoc", sa.Boolean, nullable=False, comment="--at or --no-alerts: history and baselines ignore it"),
    sa.Column("proof", SafeText, comment="what the warehouse said of the table before the scan; unchanged rows say the same"),
    sa.Column("reused_from", Instant, comment="when the value was really measured; NULL: by this run"),
    sa.Column("way", SafeText, comment="how the value was had without counting the rows; NULL: by the plain statement"),
    sa.Column("revision", sa.BigInteger, nullable=False, comment="the number of the commit that wrote the row last; it only grows"),
    sa.Index(None, "series", "described_at"),
    sa.Index(None, "revision", "id"),
)

POINTS = 1_500
"""Points of a series that a baseline rests on at most, so that a check of every minute does not read a year of minutes:
nine weeks of an hourly check, four years of a daily one. Retention never deletes them (`engine.retention`)."""

_EVER = datetime.min.replace(tzinfo=UTC)


def add(
    connection: Connection, run_id: str, measured: Sequence[Measurement], *, scheduled_at: datetime | None, is_ad_hoc: bool = False
) -> None:
    """Adds the measurements of one run, in few statements.

    `scheduled_at` is its slot; None for partitions of the past, of which each had its slot when it ended.
    Measuring the same thing again (series, segment and partition; without partition the same `scheduled_at`) adds a
    row with version + 1 and takes `is_current` from the older ones. A failure never does that: it says nothing of the
    data, so that the last value stays current. Rows of ad-hoc runs are never current.
    """
    if not measured:
        return
    one_writer(connection)
    revision = meta.next_revision(connection)
    rows = [_row(m, run_id, scheduled_at) | {"is_ad_hoc": is_ad_hoc, "revision": revision} for m in measured]
    versions = _versions(connection, rows, is_ad_hoc=is_ad_hoc)
    outdated: list[int] = []
    for row in rows:
        known = versions[_identity(row)]
        row["version"] = known.newest = known.newest + 1
        row["is_current"] = row["failure"] is None and not is_ad_hoc
        if row["is_current"]:
            outdated += known.current
            known.earlier["is_current"] = False
            known.current, known.earlier = [], row
    for part in chunks(outdated):
        connection.execute(sa.update(measurements).where(measurements.c.id.in_(part)).values(is_current=False, revision=revision))
    connection.execute(sa.insert(measurements), rows)


def history(
    connection: Connection,
    keys: Collection[HistoryKey],
    before: datetime,
    since: datetime | None = None,
    alerted: Alerted | None = None,
) -> dict[HistoryKey, tuple[Point, ...]]:
    """The points of many series in one statement, oldest first; every key is in the answer.

    Points are current values with since <= described_at < before, the newest POINTS of each series. `alerted` has
    the spans in which each check's data alert fired: a point whose slot lay in one is `is_excluded`, and `is_real` in a real one.
    """
    found: dict[tuple[str, str], list[tuple[datetime, float, str | None, datetime, bool]]] = defaultdict(list)
    for part in chunks(sorted({key.series for key in keys})):
        for name, segment, at, value, text, slot, way in connection.execute(_points(part, before, since or _EVER)):
            found[name, segment].append((at, value, text, slot, way is not None and way.startswith(ESTIMATED)))
    spans, real = (alerted.spans, alerted.real) if alerted else ({}, {})
    return {
        key: tuple(
            Point(at, value, is_inside(slot, spans.get(key.check_id, ())), text, is_inside(slot, real.get(key.check_id, ())), is_estimate)
            for at, value, text, slot, is_estimate in sorted(found[key.series, key.segment], key=itemgetter(0))
        )
        for key in keys
    }


def _points(
    names: Sequence[str], before: datetime, since: datetime
) -> sa.Select[str, str, datetime, float, str | None, datetime, str | None]:
    m, older = measurements.c, measurements.alias("older").c
    wanted = sa.values(sa.column("series", SafeText), name="wanted").data([(name,) for name in names]).cte()
    nth = (
        sa.select(older.described_at)
        .where(older.series == wanted.c.series, older.described_at >= since, older.described_at < before, older.is_current)
        .distinct()
        .order_by(older.described_at.desc())
        .limit(1)
        .offset(POINTS - 1)
        .scalar_subquery()
    )
    # The only lower bound of described_at: SQLite looks it up once a series as the index's bound; beside another one it would
    # be computed for each row.
    is_recent = m.described_at >= sa.func.coalesce(nth, sa.literal(since, Instant))
    return (
        sa.select(m.series, m.segment, m.described_at, m.value, m.value_text, m.scheduled_at, m.way)
        .select_from(wanted.join(measurements, (m.series == wanted.c.series) & is_recent))
        .where(m.described_at < before, m.is_current, m.value.is_not(None))
    )


@dataclass(slots=True)
class _Known:
    """What the store has of one identity: its newest version, the ids of its current rows, and the batch's own current row."""

    newest: int = 0
    current: list[int] = field(default_factory=list)
    earlier: Row = field(default_factory=dict)


def _identity(row: Row | sa.RowMapping) -> tuple[str, str, str, datetime]:
    return row["series"], row["segment"], row["partition"], row["described_at"]


def _versions(connection: Connection, rows: Sequence[Row], *, is_ad_hoc: bool) -> dict[tuple[str, str, str, datetime], _Known]:
    m = measurements.c
    described = sorted({row["described_at"] for row in rows})
    known: dict[tuple[str, str, str, datetime], _Known] = defaultdict(_Known)
    for part in chunks(sorted({row["series"] for row in rows})):
        statement = sa.select(m.id, m.series, m.segment, m.partition, m.described_at, m.version, m.is_current).where(
            m.series.in_(part), m.described_at.in_(described), m.is_ad_hoc == is_ad_hoc
        )
        for row in connection.execute(statement).mappings():
            found = known[_identity(row)]
            found.newest = max(found.newest, row["version"])
            if row["is_current"]:
                found.current.append(row["id"])
    return known


def _row(measured: Measurement, run_id: str, scheduled_at: datetime | None) -> Row:
    request, failure = measured.request, measured.failure
    partition = request.partition
    slot = scheduled_at or (partition and partition.end) or measured.measured_at
    value, text = _number_and_text(measured.value)
    return about(request) | {
        "run_id": run_id,
        "scan_id": measured.scan_id,
        "segment": safe_text(segment_key(measured.segment)),
        "partition_column": partition.column if partition else None,
        "partition_start": partition.start if partition else None,
        "partition_end": partition.end if partition else None,
        "partition": partition.key if partition else "",
        "described_at": ((partition and partition.start) or slot).astimezone(UTC),
        "value": value,
        "value_text": text,
        "failure": failure.kind if failure else None,
        "failure_message": failure.message if failure else None,
        "scheduled_at": slot,
        "measured_at": measured.measured_at,
        "duration_s": measured.duration_s,
        "proof": measured.proof,
        "reused_from": measured.reused_from,
        "way": measured.way,
    }


def _number_and_text(value: Value) -> tuple[float | None, str | None]:
    """The double that BI tools read, and the exact text where the double does not say all."""
    match value:
        case None:
            return None, None
        case int() | float() | Decimal():
            try:
                number = float(value)
            except OverflowError:
                return None, str(value)
            is_exact = number == value and not isinstance(value, Decimal)
            return (number if math.isfinite(number) else None), (None if is_exact and math.isfinite(number) else str(value))
        case Histogram():
            return float(value.rows), str(value)
        case tuple():
            return None, json.dumps([[column.name, column.type, column.nullable] for column in value], ensure_ascii=False)
        case _:
            return None, str(plain(value))
