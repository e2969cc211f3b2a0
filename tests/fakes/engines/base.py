"""A real engine as the contract suites need it: started, emptied, written to as the owner, and read by dqmon's warehouse."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa

from dqmon.core.registry import Registry

KINDS: dict[str, Any] = {
    "int": sa.BigInteger(),
    "float": sa.Double(),
    "decimal": sa.Numeric(18, 4),
    "text": sa.Text(),
    "bool": sa.Boolean(),
    "date": sa.Date(),
    "timestamp": sa.DateTime(),
    "timestamptz": sa.DateTime(timezone=True),
}
"""What the case files call the types of columns; an engine replaces those that SQLAlchemy makes something else of."""


class Engine(ABC):
    """`kind` is the warehouse type, `schema` where its tables stand. A location is what `options` makes a warehouse of.

    is_plain: it takes the DDL and the literals of the suites that write their tables in SQL (PostgreSQL's, in the main).
    """

    kind: ClassVar[str]
    schema: ClassVar[str]
    is_plain: ClassVar[bool] = False
    kinds: ClassVar[Mapping[str, Any]] = KINDS

    def why_not(self) -> str | None:
        """Why this machine cannot run it, and what to do; None when it can."""
        return None

    @contextmanager
    def server(self) -> Iterator[str]:
        """What `place` makes its locations of, running inside `with`; started once in a test process. Nothing for files."""
        yield ""

    @abstractmethod
    def place(self, server: str, folder: Path) -> str:
        """An empty location, in `folder` or on `server`, by the folder's name: the same one is emptied when it is asked for again."""

    @abstractmethod
    def options(self, location: str) -> dict[str, Any]:
        """The warehouse's options that read `location`."""

    @abstractmethod
    def writer(self, location: str) -> AbstractContextManager[Callable[[str], object]]:
        """Runs statements as the owner, each committed."""

    @abstractmethod
    def owner(self, location: str) -> sa.Engine:
        """An SQLAlchemy engine that may write, for DDL of `kinds` and bound rows; without a pool."""

    def warehouse(self, name: str, location: str, **options: Any) -> Any:
        """dqmon's warehouse on `location`."""
        kind = Registry("warehouses").get(self.kind)
        return kind(name, kind.Options.model_validate(self.options(location) | options))

    def make(self, location: str, tables: Iterable[tuple[str, Mapping[str, str], Sequence[Sequence[Any]]]]) -> None:
        """Tables with their rows: name, columns (name: kind), rows as the case files write them."""
        engine = self.owner(location)
        with engine.begin() as connection:
            for name, columns, rows in tables:
                self.fill(connection, name, columns, rows)
        engine.dispose()

    def make_each(self, location: str, tables: Iterable[tuple[str, Mapping[str, str], Sequence[Sequence[Any]]]]) -> list[str]:
        """The names of those that can be made: what one is refused for keeps out none of the others."""
        made, engine = [], self.owner(location)
        with engine.connect() as connection:
            for name, columns, rows in tables:
                with suppress(Exception):
                    with connection.begin():
                        self.fill(connection, name, columns, rows)
                    made.append(name)
        engine.dispose()
        return made

    def fill(self, connection: sa.Connection, name: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
        """One table, row by row, so that each value goes the way that the driver has for it."""
        table = sa.Table(name, sa.MetaData(), *(sa.Column(column, self.kinds[kind]) for column, kind in columns.items()))
        table.create(connection)
        for row in rows:
            values = [self.value(value, kind) for value, kind in zip(row, columns.values(), strict=True)]
            connection.execute(table.insert().values(values))

    def value(self, value: Any, kind: str) -> Any:
        """What a case file writes, as it is bound into a column of that kind."""
        match value, kind:
            case str(), "decimal":
                # As text, since a driver may make a float of a Decimal.
                return sa.cast(sa.literal(value, sa.String()), self.kinds["decimal"])
            case str(), "timestamp" | "timestamptz":
                return datetime.fromisoformat(value)
            case str(), "date":
                return date.fromisoformat(value)
        return value
