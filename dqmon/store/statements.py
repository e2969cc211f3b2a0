"""dq_statements: what each data statement that a run sent to a warehouse took, and which checks bear it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dqmon.core.cost import Basis, Cost
from dqmon.store.schema import Choice, Instant, JsonText, SafeText, big_id, metadata, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.engine import Connection

statements = sa.Table(
    "dq_statements",
    metadata,
    big_id(),
    sa.Column("run_id", SafeText, nullable=False),
    sa.Column("warehouse", SafeText, nullable=False),
    sa.Column("dataset", SafeText, nullable=False, comment="the table that is checked; a join reads another one, too"),
    sa.Column("kind", SafeText, nullable=False, comment="of the scan: aggregate, grouped, statement, query, rows, ..."),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("day", sa.Date, nullable=False, comment="of started_at, UTC: the day whose budget it counts for"),
    sa.Column("seconds", sa.Double, nullable=False, comment="as dqmon saw it, also of a statement that failed"),
    sa.Column("rows_read", sa.BigInteger, comment="NULL: the engine does not tell"),
    sa.Column("bytes_read", sa.BigInteger, comment="NULL: the engine does not tell"),
    sa.Column("bytes_billed", sa.BigInteger, comment="NULL: bytes are not paid for, or the engine does not tell"),
    sa.Column("statement_id", SafeText, comment="the engine's own id, under which its history tells more"),
    sa.Column("credits", sa.Double, comment="in the warehouse's unit of payment; NULL: it has no price"),
    sa.Column("basis", Choice(Basis), nullable=False, comment="what credits rest on"),
    sa.Column("shares", JsonText, nullable=False, comment="{check id: its part}, together 1"),
    sa.Index(None, "warehouse", "day"),
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A row of `dq_statements`; `shares` are the parts of its checks by id, together 1."""

    run_id: str
    warehouse: str
    dataset: str
    kind: str
    started_at: datetime
    cost: Cost
    basis: Basis
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Spent:
    """What statements took together; None where none of them says. `attributed`: the credits that the engine itself has told."""

    statements: int = 0
    seconds: float = 0.0
    rows_read: float | None = None
    bytes_read: float | None = None
    bytes_billed: float | None = None
    credits: float | None = None
    attributed: float = 0.0

    def plus(self, other: Spent, part: float = 1.0) -> Spent:
        """This and a part of `other`, of whose statements all count: each of them served whoever bears the part."""
        told = {
            name: _sum(getattr(self, name), getattr(other, name), part) for name in ("rows_read", "bytes_read", "bytes_billed", "credits")
        }
        seconds, attributed = self.seconds + part * other.seconds, self.attributed + part * other.attributed
        return Spent(self.statements + other.statements, seconds, attributed=attributed, **told)


def _sum(one: float | None, other: float | None, part: float) -> float | None:
    return one if other is None else (one or 0.0) + part * other


@dataclass(frozen=True, slots=True)
class Group:
    """The statements of one table and day that the same checks bear in the same parts."""

    warehouse: str
    dataset: str
    day: date
    shares: Mapping[str, float]
    spent: Spent


@dataclass(frozen=True, slots=True)
class Unattributed:
    """A statement whose cost the engine's history has not told: its row, the engine's id, and when it was sent."""

    id: int
    statement_id: str
    started_at: datetime


def add(connection: Connection, found: Iterable[Statement]) -> None:
    """Adds the statements of runs, in one INSERT."""
    rows = [
        {
            "run_id": one.run_id,
            "warehouse": one.warehouse,
            "dataset": one.dataset,
            "kind": one.kind,
            "started_at": one.started_at,
            "day": one.started_at.astimezone(UTC).date(),
            "seconds": one.cost.seconds or 0.0,
            "rows_read": one.cost.spent.rows_read,
            "bytes_read": one.cost.spent.bytes_read,
            "bytes_billed": one.cost.spent.bytes_billed,
            "statement_id": one.cost.spent.statement_id,
            "credits": one.cost.credits,
            "basis": one.basis,
            "shares": dict(one.shares),
        }
        for one in found
    ]
    if rows:
        connection.execute(sa.insert(statements), rows)


def groups(connection: Connection, since: date) -> tuple[Group, ...]:
    """All statements from the day `since` on, those alike together, by day, warehouse and table.

    Checks of a table run together day after day, so that there are about as many groups as tables and days.
    """
    s = statements.c
    alike = (s.day, s.warehouse, s.dataset, s.shares)
    found = connection.execute(sa.select(*alike, *_SUMS).where(s.day >= since).group_by(*alike).order_by(*alike))
    return tuple(Group(warehouse, dataset, day, shares, Spent(*sums)) for day, warehouse, dataset, shares, *sums in found)


def spent_on(connection: Connection, warehouse: str, day: date) -> Spent:
    """What all statements of a warehouse took on a day."""
    s = statements.c
    row = connection.execute(sa.select(*_SUMS).where(s.warehouse == safe_text(warehouse), s.day == day)).one()
    return Spent(*row)


def unattributed(connection: Connection, warehouse: str, sent: tuple[datetime, datetime], after: int) -> list[Unattributed]:
    """Up to 5,000 statements with an id of the engine's, not attributed yet, sent in `sent` (half open), after that row."""
    s = statements.c
    of = (s.warehouse == safe_text(warehouse)) & (s.day >= sent[0].astimezone(UTC).date()) & (s.started_at >= sent[0])
    asked = of & (s.started_at < sent[1]) & s.statement_id.is_not(None) & (s.basis != Basis.ATTRIBUTED) & (s.id > after)
    rows = connection.execute(sa.select(s.id, s.statement_id, s.started_at).where(asked).order_by(s.id).limit(5_000))
    return [Unattributed(row.id, row.statement_id or "", row.started_at) for row in rows]


def attribute(connection: Connection, credits_by_row: Mapping[int, float]) -> None:
    """Puts what the engine's history tells in place of the estimates, by row."""
    if credits_by_row:
        told = {"credits": sa.bindparam("told"), "basis": Basis.ATTRIBUTED}
        changed = sa.update(statements).where(statements.c.id == sa.bindparam("row")).values(told)
        connection.execute(changed, [{"row": row, "told": cost} for row, cost in credits_by_row.items()])


_S = statements.c
_SUMS: tuple[sa.ColumnElement[Any], ...] = (
    sa.func.count(),
    sa.func.coalesce(sa.func.sum(_S.seconds), 0.0),
    # Doubles: a sum of big integers is a decimal on PostgreSQL, and no sum of so many bytes needs more than 53 bits.
    *(sa.func.sum(sa.cast(column, sa.Double)) for column in (_S.rows_read, _S.bytes_read, _S.bytes_billed)),
    sa.func.sum(_S.credits),
    sa.func.coalesce(sa.func.sum(sa.case((_S.basis == Basis.ATTRIBUTED, _S.credits))), 0.0),
)
