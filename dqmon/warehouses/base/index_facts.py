"""What unique indexes and NOT NULL columns make certain of a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dqmon.core.facts import ColumnFacts, TableFacts, UniqueKey


def index_facts(rows: Iterable[Sequence[Any]]) -> TableFacts:
    """The facts that a catalogue's rows of one table tell; nothing when there are none.

    Each row has the estimated number of rows (or None), then the name of a unique index and a column of it, or None and a column that
    is NOT NULL, then whether it is the latter. An index with a column without a name is left out: a part of it is an expression.
    """
    about: int | None = None
    indexes: dict[str, list[str | None]] = {}
    columns: dict[str, ColumnFacts] = {}
    for count, index, name, is_not_null in rows:
        about = count if count is not None else about
        if is_not_null:
            columns[str(name)] = ColumnFacts(f"{name} is NOT NULL", nulls=0)
        elif index is not None:
            indexes.setdefault(str(index), []).append(name)
    whole = {index: [name for name in names if name is not None] for index, names in indexes.items() if None not in names}
    keys = tuple(UniqueKey(f"unique index {index} ({', '.join(names)})", frozenset(names)) for index, names in whole.items())
    return TableFacts(about_rows=about, columns=columns, keys=keys)


def not_null(columns: Iterable[str]) -> dict[str, ColumnFacts]:
    """That these columns have no NULL, by their names."""
    return {name: ColumnFacts(f"{name} is NOT NULL", nulls=0) for name in columns}
