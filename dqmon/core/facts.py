"""What is certain of a table without reading its rows: constraints that the engine enforces, footers of its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from dqmon.core.metric import Value


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What is certain of one column's values; None is "not known".

    nulls: how many are NULL in the whole table. least, greatest: no value is below or above, and at least one of a whole
    table equals it; instants are aware UTC. has_nan: False when no value is NaN. `because`: the constraint or file that says it.
    """

    because: str
    nulls: int | None = None
    least: Value = None
    greatest: Value = None
    has_nan: bool = True


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """Columns whose values the engine lets no two rows share (rows with a NULL in them may); `because` names the constraint."""

    because: str
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What the catalogue or the files say of a table, columns by their names as in the table.

    rows: exactly how many there are. about_rows: an estimate, for choosing a way only. about_distinct: estimated numbers of
    different values by column, for choosing only.
    """

    rows: int | None = None
    rows_because: str = ""
    about_rows: int | None = None
    columns: Mapping[str, ColumnFacts] = field(default_factory=lambda: MappingProxyType({}))
    keys: tuple[UniqueKey, ...] = ()
    about_distinct: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


NOTHING_KNOWN = TableFacts()
"""Of an engine that says nothing."""
