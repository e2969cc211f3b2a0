"""What SQLAlchemy spells differently for each engine: insert or leave, insert or replace, one writer at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.engine import Connection

_WRITER, _TELLER = 0x64716D6F6F, 0x64716D6F70  # any numbers that nothing else in the database locks
Row = dict[str, Any]
Item = TypeVar("Item")


def _insert(connection: Connection, table: sa.Table) -> Any:
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert(table)
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    return sqlite_insert(table)


def insert_new(connection: Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Inserts the rows that break no unique key; the others are left out."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), rows)


def upsert(connection: Connection, table: sa.Table, rows: Sequence[Row], newest: str | None = None) -> None:
    """Inserts the rows; where the primary key is there, its row gets the given columns (others stay).

    With `newest`, a row is left alone when its value of that column is later than the given one.
    """
    if not rows:
        return
    statement = _insert(connection, table)
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    where = table.c[newest].is_(None) | (table.c[newest] <= statement.excluded[newest]) if newest else None
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed, where=where), rows)


def chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """The items in parts that fit into one IN (): SQLite takes 32,766 bound values, PostgreSQL 65,535."""
    for start in range(0, len(items), 5_000):
        yield items[start : start + 5_000]


def one_writer(connection: Connection) -> None:
    """Until the transaction ends, no other transaction passes this, so that versions can be read, then written.

    PostgreSQL: one advisory lock, which works behind PgBouncer, too. SQLite has one writer anyway. One lock for all,
    since locks for each table would be taken in other orders by other writers and block each other for ever; results
    are committed in groups of hundreds, so that a few commits a second are plenty.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITER)))


def one_teller(connection: Connection) -> None:
    """Until the transaction ends, no other transaction passes this: of step 2, and of what people do to incidents and silences.

    Call it first of all, so that what is read then is still so when it is written. SQLite has one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TELLER)))
