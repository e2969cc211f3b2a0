"""The one place that writes to a warehouse: tables of dqmon's own, for the mirror, by a connection of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from dqmon.core.mirror import START, Position, Target
from dqmon.core.table import TypeGroup
from dqmon.errors import QueryFailed, WarehouseError
from dqmon.warehouses.base.session import refused

_TYPES: Mapping[TypeGroup, Any] = {
    TypeGroup.INTEGER: sa.BigInteger(),
    TypeGroup.FLOAT: sa.Double(),
    TypeGroup.TEXT: sa.Text(),
    TypeGroup.BOOLEAN: sa.Boolean(),
    TypeGroup.DATE: sa.Date(),
    TypeGroup.TIMESTAMP_ZONED: sa.TIMESTAMP(timezone=True),
}

POSITIONS = Target(
    "dq_mirror",
    {"instance": TypeGroup.TEXT, "table_name": TypeGroup.TEXT, "revision": TypeGroup.INTEGER, "row_id": TypeGroup.TEXT},
    ("instance", "table_name"),
)
"""How far each table has been copied by each installation; kept beside the tables, so that it moves with them or not at all."""

_SCHEMAS = sa.text("select schema_name from information_schema.schemata where schema_name = :schema")
_COLUMNS = sa.text("select table_name, column_name from information_schema.columns where table_schema = :schema")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an engine writes. `spelled` makes of a name what the engine's catalogue has for it; `is_keyed`: keys are declared.

    `characters_at_once`: how long the values of one INSERT may be together; None: the driver is given all rows, and does it well itself.
    """

    engine: sa.Engine
    schema: str
    instance: str
    connect_error: Callable[[Exception], WarehouseError]
    spelled: Callable[[str], str] = str
    is_keyed: bool = True
    characters_at_once: int | None = None


class SqlWriter:
    """Rows by DELETE and INSERT in one transaction, which every engine does alike (`core.protocols.Writer`)."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._metadata = sa.MetaData()
        self._positions = self._table(POSITIONS)

    def prepare(self, targets: Iterable[Target]) -> None:
        """The position of a table that has to be made is forgotten, so that it is filled from the start."""
        place = self._place
        schema = place.spelled(place.schema)
        with self._transaction() as connection:
            if connection.execute(_SCHEMAS, {"schema": schema}).first() is None:
                connection.execute(sa.schema.CreateSchema(_quoted(schema)))
            there: dict[str, set[str]] = {}
            for table, column in connection.execute(_COLUMNS, {"schema": schema}):
                there.setdefault(table, set()).add(column)
            for target in (POSITIONS, *targets):
                table = self._table(target)
                if table.name not in there:
                    table.create(connection)
                    if target is not POSITIONS:
                        connection.execute(sa.delete(self._positions).where(self._mine(target)))
                for column in table.columns if table.name in there else ():
                    if column.name not in there[table.name]:
                        connection.execute(_added(table, column, connection.dialect))

    def position(self, target: Target) -> Position:
        """Where the last `write` ended, of whichever process."""
        with self._transaction() as connection:
            return self._found(connection, target) or START

    def write(self, target: Target, rows: Sequence[Mapping[str, object]], before: Position, after: Position) -> None:
        """The position is moved first, which makes a second writer wait, and see that it came too late."""
        table = self._table(target)
        with self._transaction() as connection:
            self._move(connection, target, before, after)
            if rows:
                keys = [tuple(row[key] for key in target.keys) for row in rows]
                connection.execute(sa.delete(table).where(sa.tuple_(*(table.c[key] for key in target.keys)).in_(keys)))
                self._insert(connection, table, rows)

    def close(self) -> None:
        """Drops the connection."""
        self._place.engine.dispose()

    def _move(self, connection: sa.Connection, target: Target, before: Position, after: Position) -> None:
        positions = self._positions
        if before == START and self._found(connection, target) is None:
            name = {"instance": self._place.instance, "table_name": target.name}
            connection.execute(positions.insert(), name | {"revision": before.revision, "row_id": before.row_id})
        at_start = (positions.c.revision == before.revision) & (positions.c.row_id == before.row_id)
        moved = sa.update(positions).where(self._mine(target), at_start).values(revision=after.revision, row_id=after.row_id)
        connection.execute(moved)
        found = self._found(connection, target)
        if found != after:
            raise QueryFailed(f"{target.name} was copied by somebody else meanwhile: it stands at {found}, not at {before}")

    def _insert(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> None:
        most = self._place.characters_at_once
        if most is None:
            connection.execute(table.insert(), rows)
            return
        for part in _parts(rows, most):
            connection.execute(table.insert().values(part))

    def _found(self, connection: sa.Connection, target: Target) -> Position | None:
        columns = self._positions.c
        row = connection.execute(sa.select(columns.revision, columns.row_id).where(self._mine(target))).first()
        return None if row is None else Position(int(row[0]), str(row[1]))

    def _mine(self, target: Target) -> sa.ColumnElement[bool]:
        columns = self._positions.c
        return (columns.instance == self._place.instance) & (columns.table_name == target.name)

    def _table(self, target: Target) -> sa.Table:
        spelled = self._place.spelled
        schema, name = _quoted(spelled(self._place.schema)), _quoted(spelled(target.name))
        known = self._metadata.tables.get(f"{schema}.{name}")
        if known is not None:
            return known
        columns = (
            sa.Column(_quoted(spelled(column)), _TYPES[kind], key=column, primary_key=self._place.is_keyed and column in target.keys)
            for column, kind in target.columns.items()
        )
        return sa.Table(name, self._metadata, *columns, schema=schema)

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            connection = self._place.engine.connect()
        except WarehouseError:
            raise
        except Exception as e:
            raise self._place.connect_error(e) from e
        try:
            with connection, connection.begin():
                yield connection
        except WarehouseError:
            raise
        except Exception as e:
            raise refused(e) from e


def _parts(rows: Sequence[Mapping[str, object]], most: int) -> Iterator[list[Mapping[str, object]]]:
    """The rows in order, in parts that are written with at most so many characters; a longer row is a part by itself."""
    part: list[Mapping[str, object]] = []
    size = 0
    for row in rows:
        own = sum(len(str(value)) for value in row.values())
        if part and size + own > most:
            yield part
            part, size = [], 0
        part.append(row)
        size += own
    if part:
        yield part


def _quoted(name: str) -> sa.sql.quoted_name:
    return sa.sql.quoted_name(name, quote=True)


def _added(table: sa.Table, column: sa.Column[Any], dialect: sa.Dialect) -> sa.DDL:
    """The statement that adds a column, with NULL in all rows that are there."""
    text = f"{sa.schema.CreateColumn(column).compile(dialect=dialect)}".strip()
    named = dialect.identifier_preparer.format_table(table)
    return sa.DDL(f"ALTER TABLE {named} ADD COLUMN {text}".replace("%", "%%"))  # type: ignore[no-untyped-call]  # SQLAlchemy has none
