"""What a schema of the user's own says of some rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.core.metric import Totals, Value
from dqmon.core.metric_kinds import RowsMetric
from dqmon.core.table import Column
from dqmon.sql.sample_frame import as_read, frame
from dqmon.sql.user_schema import broken, load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.sql import ColumnElement, Select

    from dqmon.core.capabilities import Capabilities


@dataclass(frozen=True, slots=True)
class BrokenRules(RowsMetric):
    """The rules of a pandera schema that `limit` rows break, as `user_schema.broken` counts them.

    schema: `module:name`, in Python code below `folder`. Of no rows the schema is not asked. Rows are in no order, so that which
    of them are the sample is the engine's choice.
    """

    name: ClassVar[str] = "broken_rules"

    schema: str
    folder: str

    @property
    def columns(self) -> tuple[str, ...]:
        """None by name: the schema may look at any."""
        return ()

    def select(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> Select[Any]:
        """All columns."""
        del at
        return sa.select(*(as_read(column, caps).label(f"dq_{place}") for place, column in enumerate(columns.values())))

    def answer(self, rows: Sequence[tuple[object, ...]], columns: Sequence[Column]) -> Value:
        """The rules that are broken."""
        found = load(self.folder, self.schema)
        sample = rows[: self.limit]
        return broken(found, frame(sample, columns, found.library)) if sample else Totals({(): (0, 0)})
