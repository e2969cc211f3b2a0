"""A DB-API cursor over rows that are there already, for vendors whose client is better than its DB-API."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


class FetchedRows:
    """What SQLAlchemy needs of a cursor; a subclass runs statements and hands their rows to `take`."""

    arraysize = 1
    rowcount = -1

    def __init__(self) -> None:
        self._rows: list[Sequence[Any]] = []
        self.description: list[tuple[Any, ...]] | None = None

    def take(self, rows: Iterable[Sequence[Any]], names: Iterable[str]) -> None:
        """The rows of an answer and the names of its columns."""
        self._rows = list(rows)
        self.description = [(name, *(None,) * 6) for name in names]

    def fetchall(self) -> list[Sequence[Any]]:
        """All rows that are left."""
        return self.fetchmany(len(self._rows))

    def fetchone(self) -> Sequence[Any] | None:
        """The next row."""
        return next(iter(self.fetchmany(1)), None)

    def fetchmany(self, size: int = 1) -> list[Sequence[Any]]:
        """The next rows."""
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    def close(self) -> None:
        """Lets go of the rows."""
        self._rows = []
