"""dq_results: the verdict of each check in each of its slots, by partition and segment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.core.result import ResultRecord
from dqmon.core.verdict import Severity, Verdict
from dqmon.store import meta
from dqmon.store.schema import Choice, Instant, JsonText, SafeText, TextTuple, metadata, safe_text
from dqmon.store.writes import Row, chunks, one_writer

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.engine import Connection

results = sa.Table(
    "dq_results",
    metadata,
    sa.Column("id", SafeText, primary_key=True),
    sa.Column("run_id", SafeText, nullable=False),
    sa.Column("check_id", SafeText, nullable=False),
    sa.Column("name", SafeText),
    sa.Column("type", SafeText, nullable=False),
    sa.Column("dimension", SafeText, nullable=False),
    sa.Column("warehouse", SafeText),
    sa.Column("dataset", SafeText, comment="NULL for a check of a pipeline"),
    sa.Column("pipeline", SafeText, comment="source/pipeline"),
    sa.Column("columns", TextTuple, nullable=False),
    sa.Column("tags", TextTuple, nullable=False),
    sa.Column("partition_column", SafeText),
    sa.Column("partition_start", Instant),
    sa.Column("partition_end", Instant, comment="exclusive"),
    sa.Column("partition", SafeText, nullable=False, comment="start/end; null: rows with a NULL key; empty: the whole table"),
    sa.Column("segment", SafeText, nullable=False, comment="JSON object of the segment's values; {} without segment_by"),
    sa.Column("verdict", Choice(Verdict), nullable=False),
    sa.Column("severity", Choice(Severity), nullable=False),
    sa.Column("observed_value", JsonText, comment="as in the JSON output"),
    sa.Column("unit", SafeText),
    sa.Column("ratio", sa.Double, comment="0 to 1"),
    sa.Column("rows_tested", sa.BigInteger),
    sa.Column("expected_low", sa.Double),
    sa.Column("expected_high", sa.Double),
    sa.Column("expected_text", SafeText, nullable=False),
    sa.Column("reason", SafeText, nullable=False),
    sa.Column("owner", SafeText),
    sa.Column("runbook", SafeText),
    sa.Column("description", SafeText),
    sa.Column("source_path", SafeText, nullable=False, comment="the check file"),
    sa.Column("source_line", sa.Integer, nullable=False),
    sa.Column("sql", TextTuple, nullable=False, comment="the statements behind the verdict"),
    sa.Column("scheduled_at", Instant, nullable=False),
    sa.Column("measured_at", Instant, nullable=False),
    sa.Column("duration_s", sa.Double, nullable=False),
    sa.Column("is_learning", sa.Boolean, nullable=False, comment="skipped because history is still too short"),
    sa.Column("is_ad_hoc", sa.Boolean, nullable=False, comment="--at or --no-alerts"),
    sa.Column("as_of", SafeText, comment="current_contents: the table's present contents stood in for those of the slot"),
    sa.Column("baseline", TextTuple, nullable=False, comment="the points that an anomaly verdict rests on"),
    sa.Column("caused_by", SafeText),
    sa.Column("reused", SafeText),
    sa.Column("reproduce", SafeText, comment="of a bad result: the statement that shows it"),
    sa.Column("ways", TextTuple, nullable=False, comment="how values were had without counting the rows"),
    sa.Column("day", sa.Date, nullable=False, comment="the day that the result counts for in dq_daily_score"),
    sa.Column("version", sa.Integer, nullable=False, comment="1, and one more for each time that the partition was judged again"),
    sa.Column("is_current", sa.Boolean, nullable=False, comment="the newest version; never of an ad-hoc run"),
    sa.Column("committed_at", Instant, nullable=False),
    sa.Column("lateness_s", sa.Double, nullable=False, comment="from scheduled_at to measured_at; less than 0 when the clock went back"),
    sa.Column("revision", sa.BigInteger, nullable=False, comment="the number of the commit that wrote the row last; it only grows"),
    sa.Index(None, "check_id", "scheduled_at"),
    sa.Index(None, "run_id"),
    sa.Index(None, "revision", "id"),
    sa.Index(None, "dataset", "day"),
)
sa.Index(
    "uq_dq_results_slot",
    *(results.c[name] for name in ("check_id", "partition", "segment", "scheduled_at")),
    unique=True,
    sqlite_where=~results.c.is_ad_hoc,
    postgresql_where=~results.c.is_ad_hoc,
)

_OURS = ("day", "version", "is_current", "committed_at", "lateness_s", "revision")
_FIELDS = [column for column in results.c if column.name not in _OURS]
_NAMES = [column.name for column in _FIELDS]
_VALUES = attrgetter(*_NAMES)
_HALF_DAY = timedelta(hours=12)


def add(connection: Connection, records: Sequence[ResultRecord], committed_at: datetime) -> tuple[ResultRecord, ...]:
    """Adds the records and returns those that are new, in their order.

    One (check, partition, segment, scheduled_at) is recorded once: a second record of it is left out, so that a slot
    that ran twice cannot be recorded, counted or alerted twice; ad-hoc runs are free of that. A partition that is
    judged again in another slot gets version + 1, and only the newest version stays `is_current`.
    """
    one_writer(connection)
    written = {"committed_at": committed_at, "revision": meta.next_revision(connection)} if records else {}
    recorded = _recorded_slots(connection, records)
    known = _versions(connection, records)
    rows: list[Row] = []
    added: list[ResultRecord] = []
    outdated: list[str] = []
    for record in records:
        version, current = 0, list[str]()
        if not record.is_ad_hoc:
            key = _identity(record)
            if (*key, record.scheduled_at) in recorded:
                continue
            recorded.add((*key, record.scheduled_at))
            version, current = known.get(key, (0, []))
            if record.partition_start is not None:
                known[key] = (version + 1, [safe_text(record.id)])
        outdated += current
        rows.append(_row(record) | {"version": version + 1, "is_current": not record.is_ad_hoc} | written)
        added.append(record)
    if rows:
        connection.execute(sa.insert(results), rows)
    for part in chunks(outdated):
        connection.execute(sa.update(results).where(results.c.id.in_(part)).values(is_current=False, revision=written["revision"]))
    return tuple(added)


def latest(connection: Connection, check_ids: Collection[str], *, include_ad_hoc: bool = False) -> dict[str, tuple[ResultRecord, ...]]:
    """The results of each check's newest slot, by partition and segment; a check without results is not in the answer.

    Ad-hoc runs count only with `include_ad_hoc`.
    """
    r, newer = results.c, results.alias("newer")
    found: dict[str, list[ResultRecord]] = {}
    for part in chunks(sorted(set(check_ids))):
        wanted = sa.values(sa.column("check_id", SafeText), name="wanted").data([(check_id,) for check_id in part]).cte()
        newest = sa.select(sa.func.max(newer.c.scheduled_at)).where(newer.c.check_id == wanted.c.check_id)
        if not include_ad_hoc:
            newest = newest.where(~newer.c.is_ad_hoc)
        shown = r.is_current | r.is_ad_hoc if include_ad_hoc else r.is_current.is_(sa.true())
        join = wanted.join(results, (r.check_id == wanted.c.check_id) & (r.scheduled_at == newest.scalar_subquery()))
        statement = sa.select(*_FIELDS).select_from(join).where(shown).order_by(r.check_id, r.partition, r.segment, r.committed_at)
        for row in connection.execute(statement):
            record = ResultRecord(**row._asdict())
            found.setdefault(record.check_id, []).append(record)
    return {check_id: _newest_run(records) for check_id, records in found.items()}


def measured(connection: Connection, check_ids: Collection[str], verdict: Verdict | None = None) -> dict[str, datetime]:
    """When each check was measured for its newest slot (with that `verdict`); checks without one and ad-hoc runs are left out."""
    r = results.c
    found: dict[str, datetime] = {}
    for part in chunks(sorted(set(check_ids))):
        wanted = sa.values(sa.column("check_id", SafeText), name="wanted").data([(check_id,) for check_id in part]).cte()
        of_check = sa.select(r.measured_at).where(r.check_id == wanted.c.check_id, ~r.is_ad_hoc)
        if verdict is not None:
            of_check = of_check.where(r.verdict == verdict)
        newest = of_check.order_by(r.scheduled_at.desc(), r.measured_at.desc()).limit(1).scalar_subquery()
        rows = connection.execute(sa.select(wanted.c.check_id, sa.type_coerce(newest, Instant)))
        found |= {check_id: at for check_id, at in rows if at is not None}
    return found


def recent(connection: Connection, check_id: str, limit: int) -> tuple[ResultRecord, ...]:
    """The newest current results of the check, newest first."""
    r = results.c
    return _select(connection, (r.check_id == check_id) & r.is_current, [r.scheduled_at.desc(), r.partition.desc(), r.segment], limit)


def of_run(connection: Connection, run_id: str) -> tuple[ResultRecord, ...]:
    """All results of the run, by check, partition and segment."""
    r = results.c
    return _select(connection, r.run_id == run_id, [r.check_id, r.partition, r.segment], None)


def by_ids(connection: Connection, ids: Collection[str]) -> dict[str, ResultRecord]:
    """The results of those ids, by id; those that are not there (any more) are left out."""
    found = (_select(connection, results.c.id.in_(part), [results.c.id], None) for part in chunks(sorted(set(ids))))
    return {record.id: record for records in found for record in records}


def since(connection: Connection, slot: datetime) -> tuple[ResultRecord, ...]:
    """The results of all slots after `slot`, by slot, check, partition and segment; ad-hoc runs are left out."""
    r = results.c
    return _select(connection, (r.scheduled_at > slot) & ~r.is_ad_hoc, [r.scheduled_at, r.check_id, r.partition, r.segment], None)


def of_revisions(connection: Connection, after: int, last: int) -> tuple[ResultRecord, ...]:
    """The current results that commits after `after`, up to `last`, wrote last, in their order; ad-hoc runs are left out."""
    r = results.c
    return _select(connection, (r.revision > after) & (r.revision <= last) & r.is_current, [r.revision, r.id], None)


def of_types(connection: Connection, types: Sequence[str], after: int, last: int) -> tuple[ResultRecord, ...]:
    """As `of_revisions`, of checks of those types alone."""
    r = results.c
    found = (r.revision > after) & (r.revision <= last) & r.is_current & r.type.in_(types)
    return _select(connection, found, [r.revision, r.id], None)


def _select(
    connection: Connection, condition: sa.ColumnElement[bool], order: list[sa.ColumnElement[str]], limit: int | None
) -> tuple[ResultRecord, ...]:
    rows = connection.execute(sa.select(*_FIELDS).where(condition).order_by(*order).limit(limit))
    return tuple(ResultRecord(**row._asdict()) for row in rows)


def _newest_run(records: list[ResultRecord]) -> tuple[ResultRecord, ...]:
    """Of several runs of one slot (ad-hoc ones), the one that measured last."""
    run_id = max(records, key=lambda record: record.measured_at).run_id
    return tuple(record for record in records if record.run_id == run_id)


def _identity(record: ResultRecord) -> tuple[str, str, str]:
    return safe_text(record.check_id), safe_text(record.partition), safe_text(record.segment)


def _recorded_slots(connection: Connection, records: Sequence[ResultRecord]) -> set[tuple[object, ...]]:
    r = results.c
    slots = sorted({record.scheduled_at for record in records})
    statement = sa.select(r.check_id, r.partition, r.segment, r.scheduled_at).where(r.scheduled_at.in_(slots), ~r.is_ad_hoc)
    ids = sorted({record.check_id for record in records})
    return {tuple(row) for part in chunks(ids) for row in connection.execute(statement.where(r.check_id.in_(part)))}


def _versions(connection: Connection, records: Sequence[ResultRecord]) -> dict[tuple[str, str, str], tuple[int, list[str]]]:
    """Of each partition to be judged: its newest version, and the ids of its current rows."""
    r = results.c
    parts = [record for record in records if record.partition_start is not None]
    statement = sa.select(r.check_id, r.partition, r.segment, r.version, r.is_current, r.id).where(
        r.partition.in_(sorted({record.partition for record in parts})), ~r.is_ad_hoc
    )
    known: dict[tuple[str, str, str], tuple[int, list[str]]] = {}
    for part in chunks(sorted({record.check_id for record in parts})):
        for check_id, partition, segment, version, is_current, result_id in connection.execute(statement.where(r.check_id.in_(part))):
            newest, current = known.get((check_id, partition, segment), (0, []))
            known[check_id, partition, segment] = (max(newest, version), current + [result_id] * is_current)
    return known


def _row(record: ResultRecord) -> Row:
    start, end = record.partition_start, record.partition_end
    # Twelve hours after its start (or half-way) a local day is the same day in UTC in all zones from -11 to +12.
    described = start + min((end - start) / 2, _HALF_DAY) if start and end else record.scheduled_at
    row = dict(zip(_NAMES, _VALUES(record), strict=True))
    lateness_s = (record.measured_at - record.scheduled_at).total_seconds()
    return row | {"day": described.astimezone(UTC).date(), "lateness_s": lateness_s}
