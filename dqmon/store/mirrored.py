"""What the mirror reads: rows of the store in the order of their last change, in batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dqmon.core.mirror import START, Position, Target
from dqmon.core.table import TypeGroup
from dqmon.store import meta
from dqmon.store.measurements import measurements
from dqmon.store.results import results
from dqmon.store.schema import Instant
from dqmon.store.views import daily_score
from dqmon.store.writes import Row, chunks

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

INSTANCE = "instance"
"""The column that the mirror adds: which installation's row it is."""

_KINDS: tuple[tuple[type[sa.types.TypeEngine[Any]], TypeGroup], ...] = (
    (sa.Boolean, TypeGroup.BOOLEAN),
    (sa.Integer, TypeGroup.INTEGER),
    (sa.Double, TypeGroup.FLOAT),
    (sa.Date, TypeGroup.DATE),
    (Instant, TypeGroup.TIMESTAMP_ZONED),
)
_SCORE_KEYS = ("warehouse", "dataset", "day")


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows without their instance, where they end, and whether there are more behind them."""

    rows: tuple[Row, ...]
    end: Position
    has_more: bool


def _target(table: sa.Table | sa.TableClause, keys: tuple[str, ...]) -> Target:
    kinds = {column.name: _kind(column) for column in table.columns}
    return Target(table.name, {INSTANCE: TypeGroup.TEXT} | kinds, (INSTANCE, *keys))


def _kind(column: sa.ColumnElement[Any]) -> TypeGroup:
    return next((kind for type_, kind in _KINDS if isinstance(column.type, type_)), TypeGroup.TEXT)


TARGETS: Mapping[str, Target] = {
    target.name: target for target in (_target(results, ("id",)), _target(measurements, ("id",)), _target(daily_score, _SCORE_KEYS))
}
"""The tables that can be mirrored, by name. Words and JSON are texts there, as in the store."""


def start(connection: Connection, position: Position) -> Position:
    """Where to read on: `position`, but the start when this store has not come so far, since it is another one then."""
    return position if position.revision <= meta.revision(connection) else START


def batch(connection: Connection, name: str, after: Position, limit: int) -> Batch:
    """The next rows that were written after a position, at most `limit`; of `dq_daily_score` the days of so many results."""
    table = measurements if name == measurements.name else results
    is_score = name == daily_score.name
    shown = [table.c[key] for key in _SCORE_KEYS] if is_score else [_as_stored(column) for column in table.c]
    found = connection.execute(
        sa.select(table.c.revision, table.c.id, *shown)
        # The first term alone is what the index is searched by.
        .where(table.c.revision >= after.revision, (table.c.revision > after.revision) | (table.c.id > _id(table, after)))
        .order_by(table.c.revision, table.c.id)
        .limit(limit)
    ).all()
    end = Position(found[-1][0], str(found[-1][1])) if found else after
    rows = [tuple(row[2:]) for row in found]
    if is_score:
        return Batch(_scores(connection, {row for row in rows if row[1] is not None}), end, len(found) == limit)
    names = [column.name for column in table.c]
    return Batch(tuple(dict(zip(names, row, strict=True)) for row in rows), end, len(found) == limit)


def _id(table: sa.Table, position: Position) -> int | str:
    return int(position.row_id or 0) if isinstance(table.c.id.type, sa.Integer) else position.row_id


def _as_stored(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """Texts as the store has them, not what is made of them."""
    return column if _kind(column) is not TypeGroup.TEXT else sa.type_coerce(column, sa.Text()).label(column.name)


def _scores(connection: Connection, wanted: set[tuple[Any, ...]]) -> tuple[Row, ...]:
    """The rows of the view for those warehouses, datasets and days. Asked by terms that both engines hand down to the view's index."""
    c, days = daily_score.c, sorted({day for *_, day in wanted})
    statement = sa.select(daily_score).where(c.day.in_(days))
    parts = (connection.execute(statement.where(c.dataset.in_(part))) for part in chunks(sorted({dataset for _, dataset, _ in wanted})))
    return tuple(row._asdict() for rows in parts for row in rows if tuple(row[:3]) in wanted)
