"""Metrics of SQL that users write: conditions on a row, and whole queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import sqlalchemy as sa

from dqmon.core.metric import Value
from dqmon.core.metric_kinds import AggregateMetric, QueryMetric
from dqmon.errors import QueryFailed
from dqmon.sql.conditions import count_where
from dqmon.sql.metrics.merging import Adds
from dqmon.sql.metrics.numbers import as_number
from dqmon.sql.raw import condition, quoted_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.sql import ColumnElement, FromClause, Select

    from dqmon.core.capabilities import Capabilities


@dataclass(frozen=True, slots=True)
class BrokenConditionCount(Adds, AggregateMetric):
    """Rows for which the condition is false; with `nulls` "fail" also those for which it is NULL."""

    name: ClassVar[str] = "broken_condition_count"
    empty: ClassVar[Value] = 0

    condition: str
    nulls: Literal["valid", "fail"] = "valid"

    @property
    def columns(self) -> tuple[str, ...]:
        """Those in quotes; the engine itself finds a name without quotes that is no column."""
        return quoted_names(self.condition)

    @property
    def written_sql(self) -> tuple[str, ...]:
        """The condition."""
        return (self.condition,)

    @property
    def _row_value(self) -> str:
        # No column is named so: names with line breaks are not made by engines, not even of expressions.
        return f"condition\n{self.condition}"

    def row_values(self, caps: Capabilities) -> Mapping[str, ColumnElement[Any]]:
        """The condition of a row."""
        return {self._row_value: condition(self.condition, caps.grammar)}

    def counted(self, columns: Mapping[str, ColumnElement[Any]]) -> ColumnElement[bool]:
        """True for a row that breaks it."""
        holds = columns[self._row_value]
        return sa.case((holds, sa.false()), else_=sa.true()) if self.nulls == "fail" else sa.not_(holds)

    def expression(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities, at: datetime) -> ColumnElement[Any]:
        """Count of the rows that break it."""
        del caps, at
        return count_where(self.counted(columns))


@dataclass(frozen=True, slots=True)
class ReturnedRows(QueryMetric):
    """How many rows the query returns."""

    name: ClassVar[str] = "returned_rows"
    empty: ClassVar[Value] = 0

    def select(self, returned: FromClause) -> Select[Any]:
        """`count(*)`."""
        return sa.select(sa.func.count()).select_from(returned)

    def answer(self, rows: Sequence[tuple[object, ...]]) -> Value:
        """The one number."""
        return as_number(rows[0][0])


@dataclass(frozen=True, slots=True)
class ReturnedValue(QueryMetric):
    """The one number that the query returns; None for NULL."""

    name: ClassVar[str] = "returned_value"

    def select(self, returned: FromClause) -> Select[Any]:
        """Everything, up to the second row, which is one too many."""
        return sa.select(sa.literal_column("*")).select_from(returned).limit(2)

    def answer(self, rows: Sequence[tuple[object, ...]]) -> Value:
        """The one value; QueryFailed when there are more, or none, or it is no number."""
        if len(rows) != 1 or len(rows[0]) != 1:
            found = "no row" if not rows else f"{len(rows[0])} columns" if len(rows[0]) != 1 else "more than one row"
            raise QueryFailed(f"expect: value needs a query of one row with one column, this one returned {found}")
        return as_number(rows[0][0])
