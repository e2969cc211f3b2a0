"""What the catalogue answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from dqmon.core.metric import Value
from dqmon.core.metric_kinds import MetadataMetric
from dqmon.errors import QueryFailed

if TYPE_CHECKING:
    from dqmon.core.capabilities import Capabilities
    from dqmon.core.facts import TableFacts
    from dqmon.core.table import Column


@dataclass(frozen=True, slots=True)
class ColumnList(MetadataMetric):
    """The table's columns in order, as a tuple of `Column`; never empty."""

    name: ClassVar[str] = "columns"


@dataclass(frozen=True, slots=True)
class LastChange(MetadataMetric):
    """When rows of the table were added, changed or deleted last, by the engine's own record of loads and changes; never None."""

    name: ClassVar[str] = "last_change"
    needs_facts: ClassVar[bool] = True

    def told(self, columns: tuple[Column, ...], facts: TableFacts, caps: Capabilities) -> tuple[Value, str]:
        """The instant. QueryFailed from an engine that does not tell it exactly, and of a table that it says nothing of."""
        del columns
        if not caps.last_change.is_exact:
            raise QueryFailed(f"`column: metadata` cannot be answered: {caps.last_change.because}; name a column instead")
        if facts.last_changed is None:
            raise QueryFailed("`column: metadata` cannot be answered: nothing says when this table changed last; name a column instead")
        return facts.last_changed, facts.last_changed_because

    def restore(self, number: float | None, text: str | None) -> Value:
        """The kept instant."""
        del number
        return None if text is None else datetime.fromisoformat(text)
