"""What the catalogue says of tables, asked once for all announced tables of a schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from dqmon.core.table import TableRef
from dqmon.errors import ConnectFailed, QueryTimeout, TableMissing, WarehouseError

Place: TypeAlias = tuple[str | None, str]
"""Catalog, if a table is written with one, and schema."""

Ask: TypeAlias = Callable[[str | None, str, Sequence[str]], Iterable[Sequence[Any]]]
"""Asks the catalogue about tables of one schema: catalog, schema and names in, rows out that begin with a table's name."""

PATIENCE = 3
"""Tables of a schema whose look-up may time out; then the catalogue is slow, and the others would wait as long, each by itself."""


class Lookups:
    """The answers that one session has had. `fold` gives the same text for two names that the engine takes for one table."""

    def __init__(self, default_schema: str, fold: Callable[[str], str]) -> None:
        self.announced: dict[Place, dict[str, None]] = {}
        self._default_schema = default_schema
        self._fold = fold
        self._told: dict[tuple[str, Place], dict[str, list[Sequence[Any]] | WarehouseError]] = {}
        self._timeouts: dict[tuple[str, Place], int] = {}

    def announce(self, tables: Iterable[TableRef]) -> None:
        """Says which tables will be asked about; asks nothing itself."""
        for table in tables:
            self.announced.setdefault(self.place(table), {})[table.name] = None

    def place(self, table: TableRef) -> Place:
        """Where the table is looked for."""
        return table.catalog, table.schema or self._default_schema

    def told(self, about: str, table: TableRef, ask: Ask) -> Sequence[Sequence[Any]]:
        """What the catalogue says `about` one table, in one answer of `ask` for all announced tables of its schema.

        When that fails, each table is asked about alone, so that one spoils no other: a view that is broken, a table that somebody
        locks. That there is no connection holds for all of them, and so do `PATIENCE` time-outs of single tables.
        """
        place, name = self.place(table), self._fold(table.name)
        known = self._told.setdefault((about, place), {})
        if name not in known:
            announced = self.announced.get(place, ())
            together = (table.name,) if (about, place) in self._timeouts else (*announced, table.name)
            names = {folded: other for other in together if (folded := self._fold(other)) not in known}
            try:
                known |= self._by_name(ask(*place, tuple(names.values())), names)
            except ConnectFailed as e:
                known |= dict.fromkeys(names, e)
            except WarehouseError as e:
                timeouts = self._timeouts.get((about, place), 0) + (isinstance(e, QueryTimeout) and len(names) == 1)
                self._timeouts[about, place] = timeouts
                if len(names) > 1:
                    return self.told(about, table, ask)
                known[name] = e
                if timeouts >= PATIENCE:
                    known |= {folded: e for other in announced if (folded := self._fold(other)) not in known}
        rows = known[name]
        if isinstance(rows, WarehouseError):
            raise rows
        return rows

    def _by_name(self, rows: Iterable[Sequence[Any]], names: Iterable[str]) -> dict[str, list[Sequence[Any]]]:
        """The rows of each table; none of one that is not there, nor when there is no such schema."""
        found: dict[str, list[Sequence[Any]]] = {name: [] for name in names}
        with suppress(TableMissing):
            for name, *row in rows:
                found.setdefault(self._fold(str(name)), []).append(row)
        return found
