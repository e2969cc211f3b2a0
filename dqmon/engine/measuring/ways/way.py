"""A way: how a value may be had more cheaply than by its own statement, and be exactly the same."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from dqmon.core.measurement import MetricRequest
from dqmon.core.metric import Metric, Value
from dqmon.sql.columns import resolve

if TYPE_CHECKING:
    from datetime import datetime

    from dqmon.core.capabilities import Capabilities
    from dqmon.core.facts import ColumnFacts, TableFacts
    from dqmon.core.table import Column


LARGE = 500_000
"""Rows from which on a way that may need a second statement is worth it: below, a statement's own cost is the most of it.

44 aggregates of the benchmark's suite in DuckDB, all of bounds, intervals and distinct_values against the plain statement, in time of
the processors: x 1.25 of 100,000 rows, x 1.13 of 300,000, x 0.77 of 1 M, x 0.65 of 3 M (November 2026).
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """The value that the plain statement would give, and in words how it was had."""

    value: Value
    way: str


Steps: TypeAlias = Generator[tuple[Metric, ...], Mapping[Metric, Value], Answer | None]
"""Yields what must be measured next, of the same rows as its request; is sent the values; returns the answer.

None for "by this way it cannot be told": then the next way is tried, and the plain statement last.
"""


@dataclass(frozen=True, slots=True)
class Question:
    """A request without segments, with what is known before its table is read."""

    request: MetricRequest
    facts: TableFacts
    columns: tuple[Column, ...]
    caps: Capabilities
    at: datetime
    """When it is asked (aware UTC)."""

    def column(self, name: str) -> Column:
        """The table's column of that declared name."""
        return resolve((name,), self.columns)[name]

    def facts_of(self, name: str) -> ColumnFacts | None:
        """What is certain of the column's values in the whole table, hence in every part of it."""
        return self.facts.columns.get(self.column(name).name)

    @property
    def is_large(self) -> bool:
        """True when the table surely has so many rows that reading them costs more than a further statement."""
        return (self.facts.rows or self.facts.about_rows or 0) >= LARGE

    @property
    def is_of_all_rows(self) -> bool:
        """True without filter, partition and fragment."""
        return self.request.where is None and self.request.slice is None


Way: TypeAlias = Callable[[Question], Steps]
"""A generator function of one file of this folder: `steps`."""
