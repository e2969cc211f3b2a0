"""dq_edges, dq_exposures: what each loading tool said last of what is made from what."""

from __future__ import annotations

from dataclasses import astuple
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dqmon.core.lineage import Edge, Exposure, Lineage, of_edges
from dqmon.store.schema import Instant, SafeText, metadata, safe_text
from dqmon.store.writes import insert_new

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy.engine import Connection

RESAID = timedelta(days=1)
"""How exact `seen_at` is: what is said again is written at most so often."""

edges = sa.Table(
    "dq_edges",
    metadata,
    sa.Column("source", SafeText, primary_key=True, comment="as under ingestion: in the configuration"),
    sa.Column("child", SafeText, primary_key=True, comment="warehouse:dataset, source/pipeline, or exposure:/name"),
    sa.Column("parent", SafeText, primary_key=True, comment="what the child is made from"),
    sa.Column("seen_at", Instant, nullable=False, comment="when the source said so last, to within a day"),
)

exposures = sa.Table(
    "dq_exposures",
    metadata,
    sa.Column("source", SafeText, primary_key=True),
    sa.Column("name", SafeText, primary_key=True),
    sa.Column("type", SafeText, nullable=False, comment="dashboard, notebook, analysis, ml, application"),
    sa.Column("owner", SafeText),
    sa.Column("url", SafeText),
    sa.Column("description", SafeText),
    sa.Column("seen_at", Instant, nullable=False, comment="when the source said so last, to within a day"),
)


def keep(connection: Connection, source: str, found: Lineage, at: datetime) -> None:
    """Replaces all that is kept of the source by `found`.

    Call it in one transaction: whoever reads sees the set before or the set after. An edge or exposure that is there twice is kept once.
    """
    _replace(connection, edges, source, {_row(source, edge) for edge in found.edges}, at)
    _replace(connection, exposures, source, {_row(source, exposure) for exposure in found.exposures.values()}, at)
    for table in (edges, exposures):
        is_old = sa.and_(table.c.source == source, table.c.seen_at < at - RESAID)
        connection.execute(sa.update(table).where(is_old).values(seen_at=at))


def is_kept(connection: Connection, source: str, found: Lineage, at: datetime) -> bool:
    """True when `found` is what is kept of the source, and was said so lately that `keep` would write nothing."""
    said = (sa.select(sa.func.min(table.c.seen_at)).where(table.c.source == source) for table in (edges, exposures))
    is_late = any(oldest is not None and oldest < at - RESAID for oldest in map(connection.scalar, said))
    return not is_late and of_sources(connection, [source]).get(source, Lineage()) == found


def add(connection: Connection, source: str, found: Iterable[Edge], at: datetime) -> None:
    """Keeps these edges beside what is kept of the source: for one that never says all at once."""
    said = sorted(set(found))
    insert_new(connection, edges, [{"source": source, "child": edge.child, "parent": edge.parent, "seen_at": at} for edge in said])
    if said:
        is_said = sa.tuple_(edges.c.child, edges.c.parent).in_([(safe_text(edge.child), safe_text(edge.parent)) for edge in said])
        is_old = sa.and_(edges.c.source == source, edges.c.seen_at < at - RESAID)
        connection.execute(sa.update(edges).where(is_old, is_said).values(seen_at=at))


def of_sources(connection: Connection, sources: Collection[str]) -> dict[str, Lineage]:
    """What each source said last, by name; a source that never said anything, or last that there is nothing, is not in the answer."""
    told: dict[str, list[Edge]] = {}
    for source, child, parent in connection.execute(_of(edges, sources)):
        told.setdefault(source, []).append(Edge(child, parent))
    ends: dict[str, list[Exposure]] = {}
    for source, *fields in connection.execute(_of(exposures, sources)):
        ends.setdefault(source, []).append(Exposure(*fields))
    return {source: of_edges(told.get(source, ()), ends.get(source, ())) for source in sorted(sources) if source in told or source in ends}


def _of(table: sa.Table, sources: Collection[str]) -> sa.Select[Any]:
    """The rows of the sources, without `seen_at`."""
    columns = (column for column in table.c if column.name != "seen_at")
    return sa.select(*columns).where(table.c.source.in_(sources))


def _row(source: str, said: Edge | Exposure) -> tuple[str | None, ...]:
    """The values of a row, as they are read back."""
    return source, *(value and safe_text(value) for value in astuple(said))


def _replace(connection: Connection, table: sa.Table, source: str, said: set[tuple[str | None, ...]], at: datetime) -> None:
    """Makes the rows of the source those of `said`, which have all columns but `seen_at`; rows that stay are not touched."""
    answer = connection.execute(_of(table, [source]))
    names, kept = list(answer.keys()), {tuple(row) for row in answer}
    if gone := kept - said:
        keys = [column.name for column in table.primary_key]
        this = sa.and_(*(table.c[key] == sa.bindparam(f"old_{key}") for key in keys))
        rows = [dict(zip(names, row, strict=True)) for row in gone]
        connection.execute(sa.delete(table).where(this), [{f"old_{key}": row[key] for key in keys} for row in rows])
    insert_new(connection, table, [{**dict(zip(names, row, strict=True)), "seen_at": at} for row in said - kept])
