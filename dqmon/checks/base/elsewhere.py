"""A second table that a check reads: in this dataset's warehouse or in another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from dqmon.core.metric import Key, Totals, Value
from dqmon.core.table import TableRef, split_dataset, table_ref
from dqmon.sql import raw

if TYPE_CHECKING:
    from dqmon.core.check import Check

MAX_KEYS = 10_000
"""Different keys that are fetched from each of two tables, unless the check says otherwise: some megabytes."""

MOST_KEYS = 1_000_000
"""What `max_keys` may be at most: about 400 MB for each of the tables, as measured with short texts."""


class OtherDataset(BaseModel):
    """The other table, and which of its rows count."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    dataset: str
    warehouse: str | None = None
    filter: str | None = None

    def is_elsewhere(self, check: Check) -> bool:
        """True when the table is in another warehouse than the check's dataset."""
        return self.warehouse not in (None, check.warehouse)

    def table(self, check: Check) -> TableRef:
        """The table; without a schema in `dataset` it has the check's."""
        assert check.table is not None  # noqa: S101 - a dataset check has a table
        return table_ref(self.warehouse or check.table.warehouse, self.dataset, check.table.schema)

    def shown(self, check: Check) -> str:
        """The table for people: with its warehouse when that is another one."""
        return f"{self.warehouse}:{self.dataset}" if self.is_elsewhere(check) else self.dataset

    def problems(self, check: Check) -> tuple[str, ...]:
        """A name that is none, one that leaves open which schema is meant, a filter that is no condition."""
        found = []
        try:
            if len(split_dataset(self.dataset)) == 1 and self.is_elsewhere(check):
                found.append(f"to: {self.dataset} is in another warehouse; write its schema, too: schema.{self.dataset}")
        except ValueError as e:
            found.append(f"to: {e}")
        problem = raw.refused_by_all(raw.condition, self.filter) if self.filter is not None else None
        return (*found, f"to: filter: {problem}") if problem else tuple(found)


def measured_totals(value: Value) -> Mapping[Key, tuple[Value, ...]]:
    """The values by key of a measured TotalsByKey."""
    assert isinstance(value, Totals)  # noqa: S101 - for the type checker
    return value.by_key
