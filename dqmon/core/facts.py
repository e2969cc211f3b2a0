"""What is certain of a table without reading its rows: constraints that the engine enforces, footers of its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from dqmon.core.metric import Value


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What is certain of one column's values; None is "not known".

    nulls: how many are NULL in the whole table; nans: how many are NaN, 0 for types without NaN. least, greatest: of the values
    that are neither, exactly; moments as the column has them, without zone (dates at midnight) or aware UTC. `because`: who says it.
    """

    because: str
    nulls: int | None = None
    nans: int | None = None
    least: Value = None
    greatest: Value = None


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """Columns whose values the engine lets no two rows share (rows with a NULL in them may); `because` names the constraint.

    Two values are the same by the equality that GROUP BY of these columns has.
    """

    because: str
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What the catalogue or the files say of a table, columns by their names as in the table.

    source: who says it. rows: exactly how many there are, by what `rows_because` names. last_changed: exactly when rows were added,
    changed or deleted last (aware UTC), by what `last_changed_because` names. about_rows: an estimate, for choosing a way only, as
    are about_distinct, estimated numbers of different values by column.
    """

    source: Literal["catalogue", "footers"] = "catalogue"
    rows: int | None = None
    rows_because: str = ""
    about_rows: int | None = None
    columns: Mapping[str, ColumnFacts] = field(default_factory=lambda: MappingProxyType({}))
    keys: tuple[UniqueKey, ...] = ()
    about_distinct: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    last_changed: datetime | None = None
    last_changed_because: str = ""


NOTHING_KNOWN = TableFacts()
"""Of an engine that says nothing."""
