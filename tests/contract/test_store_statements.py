"""What statements cost, on both engines of the store: kept, summed up, attributed later, forgotten."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
import store_rows
from store_rows import DAY, HOUR, T

from dqmon.core.cost import Basis, Cost
from dqmon.core.spending import Spending
from dqmon.engine.retention import Policy, purge
from dqmon.store import statements
from dqmon.store.database import Database
from dqmon.store.statements import Spent, Statement

database, postgres_store = store_rows.database, store_rows.postgres_store

BYTES = 3_000_000_000_000
"""More than an integer of 32 bits."""


def statement(at: datetime = T, statement_id: str | None = None, **shares: float) -> Statement:
    spent = Spending(rows_read=10, bytes_read=BYTES, statement_id=statement_id)
    return Statement("run", "snow", "shop.orders", "aggregate", at, Cost(2.0, spent, 0.5), Basis.ESTIMATE, shares or {"a": 0.25, "b": 0.75})


def add(database: Database, *found: Statement) -> None:
    with database.write() as connection:
        statements.add(connection, found)


def groups(database: Database, since: date) -> tuple[statements.Group, ...]:
    with database.read() as connection:
        return statements.groups(connection, since)


def test_statements_alike_are_one_group_of_a_day(database: Database) -> None:
    add(database, statement(), statement(T + HOUR), statement(T + HOUR, c=1.0), statement(T + DAY))
    add(database)
    found = groups(database, T.date())
    assert [(g.day, dict(g.shares), g.spent.statements) for g in found] == [
        (T.date(), {"a": 0.25, "b": 0.75}, 2),
        (T.date(), {"c": 1.0}, 1),
        ((T + DAY).date(), {"a": 0.25, "b": 0.75}, 1),
    ]
    assert found[0].spent == Spent(2, 4.0, 20, 2 * BYTES, None, 1.0, 0.0), "billed bytes are not known, and not nothing"
    assert len(groups(database, (T + DAY).date())) == 1


def test_a_day_is_one_of_utc(database: Database) -> None:
    zone = datetime.fromisoformat("2026-03-02T23:30:00-05:00")
    add(database, statement(zone))
    with database.read() as connection:
        assert statements.spent_on(connection, "snow", date(2026, 3, 3)).statements == 1
        assert statements.spent_on(connection, "snow", date(2026, 3, 2)) == Spent()
        assert statements.spent_on(connection, "other", date(2026, 3, 3)) == Spent()


def test_only_what_has_an_id_and_is_not_attributed_is_asked_for(database: Database) -> None:
    add(
        database,
        statement(statement_id="q1"),
        statement(),
        statement(T + HOUR, "q2"),
        statement(T + 2 * HOUR, "late"),
        statement(T - DAY, "old"),
    )
    sent = (T, T + 2 * HOUR)

    def waiting(after: int = 0, warehouse: str = "snow") -> list[statements.Unattributed]:
        with database.read() as connection:
            return statements.unattributed(connection, warehouse, sent, after)

    first, second = waiting()
    assert [one.statement_id for one in (first, second)] == ["q1", "q2"]
    assert waiting(first.id) == [second]
    assert waiting(warehouse="other") == []
    with database.write() as connection:
        statements.attribute(connection, {first.id: 0.125})
        statements.attribute(connection, {})
    assert waiting() == [second]
    with database.read() as connection:
        spent = statements.spent_on(connection, "snow", T.date())
    assert (spent.credits, spent.attributed) == (pytest.approx(3 * 0.5 + 0.125), pytest.approx(0.125))


def test_old_statements_are_forgotten(database: Database) -> None:
    add(database, *(statement(T + day * DAY) for day in range(0, 101, 10)))
    policy = Policy(statements=timedelta(days=30))
    assert purge(database, T + 200 * DAY, policy)["dq_statements"] == 7
    with database.read() as connection:
        left = connection.scalars(sa.select(statements.statements.c.started_at).order_by(statements.statements.c.id)).all()
    assert [(at - T.astimezone(UTC)) // DAY for at in left] == [70, 80, 90, 100], "counted from the newest"


@pytest.mark.parametrize("text", ["nul \0 inside", "naïve \ud800", "quote ' \" \\"])
def test_any_text_is_kept(database: Database, text: str) -> None:
    add(database, Statement(text, text, text, text, T, Cost(1.0, Spending(statement_id=text)), Basis.SECONDS, {text: 1.0}))
    (group,) = groups(database, T.date())
    assert dict(group.shares) == {text: 1.0}
    with database.read() as connection:
        assert statements.spent_on(connection, text, T.date()).statements == 1
