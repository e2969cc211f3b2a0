"""dq_schemas: the columns that tables had, and which of them were accepted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.store.schema import Instant, JsonText, SafeText, big_id, metadata, safe_text
from dqmon.store.writes import chunks, one_writer

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy.engine import Connection

    from dqmon.core.plain import Json

schemas = sa.Table(
    "dq_schemas",
    metadata,
    big_id(),
    sa.Column("warehouse", SafeText, nullable=False),
    sa.Column("dataset", SafeText, nullable=False),
    sa.Column("columns", JsonText, nullable=False, comment="[{name, type, group, nullable, position}, ...]"),
    sa.Column("recorded_at", Instant, nullable=False, comment="when the table was first seen so"),
    sa.Column("accepted_at", Instant, comment="NULL: seen, not accepted"),
    sa.Column("accepted_by", SafeText),
    sa.Index(None, "warehouse", "dataset"),
)

FIRST_RUN = "first run"
"""Who accepted the first snapshot of a table."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A table's columns as seen at `recorded_at`, and whether they are what is expected."""

    columns: tuple[Column, ...]
    recorded_at: datetime
    accepted_at: datetime | None
    accepted_by: str | None


def accepted(connection: Connection, tables: Collection[TableRef]) -> dict[TableRef, tuple[Column, ...]]:
    """The columns accepted last of each table; a table of which none were accepted is left out."""
    return _last(connection, tables, schemas.c.accepted_at.is_not(None), schemas.c.accepted_at)


def record(connection: Connection, found: Mapping[TableRef, tuple[Column, ...]], at: datetime) -> frozenset[TableRef]:
    """Keeps the columns of each table where they differ from its newest snapshot; returns the tables whose were kept.

    The first snapshot of a table is accepted at once (by FIRST_RUN): it is the baseline.
    """
    one_writer(connection)
    known = _last(connection, found)
    rows = [
        {
            "warehouse": table.warehouse,
            "dataset": table.dataset,
            "columns": [asdict(column) for column in columns],
            "recorded_at": at,
            "accepted_at": None if table in known else at,
            "accepted_by": None if table in known else FIRST_RUN,
        }
        for table, columns in found.items()
        if known.get(table) != columns
    ]
    if rows:
        connection.execute(sa.insert(schemas), rows)
    return frozenset(table for table, columns in found.items() if known.get(table) != columns)


def accept(connection: Connection, table: TableRef, at: datetime, by: str) -> Snapshot | None:
    """Makes the newest snapshot the accepted one and returns it; None when the table was never seen."""
    if newest(connection, table) is None:
        return None
    last = sa.select(sa.func.max(schemas.c.id)).where(_is(table)).scalar_subquery()
    connection.execute(sa.update(schemas).where(schemas.c.id == last).values(accepted_at=at, accepted_by=by))
    return newest(connection, table)


def accepted_snapshot(connection: Connection, table: TableRef) -> Snapshot | None:
    """The snapshot accepted last, with when and by whom; None when there is none."""
    s = schemas.c
    wanted = sa.select(s.columns, s.recorded_at, s.accepted_at, s.accepted_by).where(_is(table), s.accepted_at.is_not(None))
    row = connection.execute(wanted.order_by(s.accepted_at.desc(), s.id.desc()).limit(1)).first()
    return None if row is None else Snapshot(_columns(row.columns), row.recorded_at, row.accepted_at, row.accepted_by)


def newest(connection: Connection, table: TableRef) -> Snapshot | None:
    """The newest snapshot, accepted or not; None when the table was never seen."""
    s = schemas.c
    row = connection.execute(
        sa.select(s.columns, s.recorded_at, s.accepted_at, s.accepted_by).where(_is(table)).order_by(s.id.desc()).limit(1)
    ).first()
    return None if row is None else Snapshot(_columns(row.columns), row.recorded_at, row.accepted_at, row.accepted_by)


def changed_since(
    connection: Connection, places: Collection[tuple[str, str]], since: datetime
) -> tuple[tuple[str, tuple[Column, ...], Snapshot], ...]:
    """What the tables (warehouse and dataset) became from `since` on: dataset, columns before, snapshot after; oldest first."""
    s = schemas.c
    before: dict[tuple[str, str], tuple[Column, ...]] = {}
    found = []
    for part in chunks(sorted({dataset for _, dataset in places})):
        for row in connection.execute(sa.select(schemas).where(s.dataset.in_(part)).order_by(s.id)):
            place = (row.warehouse, row.dataset)
            after = Snapshot(_columns(row.columns), row.recorded_at, row.accepted_at, row.accepted_by)
            if place in places and place in before and row.recorded_at >= since:
                found.append((row.dataset, before[place], after))
            before[place] = after.columns
    return tuple(sorted(found, key=lambda change: change[2].recorded_at))


def _last(
    connection: Connection, tables: Collection[TableRef], which: sa.ColumnElement[bool] | None = None, *order: sa.ColumnElement[Any]
) -> dict[TableRef, tuple[Column, ...]]:
    """The columns of the last snapshot of each table, of those that `which` means, by `order` and then by when they were kept."""
    s = schemas.c
    named = {(safe_text(table.warehouse), safe_text(table.dataset)): table for table in tables}
    found: dict[tuple[str, str], Json] = {}
    for part in chunks(sorted({dataset for _, dataset in named})):
        statement = sa.select(s.warehouse, s.dataset, s.columns).where(s.dataset.in_(part), sa.true() if which is None else which)
        for warehouse, dataset, columns in connection.execute(statement.order_by(*order, s.id)):
            found[warehouse, dataset] = columns
    return {table: _columns(found[place]) for place, table in named.items() if place in found}


def _is(table: TableRef) -> sa.ColumnElement[bool]:
    return (schemas.c.warehouse == table.warehouse) & (schemas.c.dataset == table.dataset)


def _columns(data: Json) -> tuple[Column, ...]:
    return tuple(Column(**column | {"group": TypeGroup(column["group"])}) for column in data)
