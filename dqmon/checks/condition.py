"""Check type condition: how many rows break a condition across columns."""

from __future__ import annotations

from textwrap import shorten
from typing import ClassVar, Literal

from dqmon.checks.base.counted import Count, judge_count, measured_count
from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.judgement import Evidence, Judgement
from dqmon.core.metric import Metric
from dqmon.core.row_rule import RowRule
from dqmon.core.verdict import Dimension, Unit
from dqmon.sql import raw
from dqmon.sql.metrics import BrokenConditionCount, RowCount

_LONGEST = 100
"""Characters of the expression that a sentence shows."""


class Condition(DatasetCheck):
    """Every row meets a condition.

    What it measures:
        Rows for which the condition is false, and their share of all rows.

    Why it matters:
        What must hold between columns no check of one column sees: an order that was shipped before it was placed, a total
        that is not the sum of its parts.

    Parameters:
        expression: what must be true of a row, in the warehouse's SQL: names of columns, functions of one row, sub-queries.
        nulls: `valid` (default: a condition that is NULL is met, as in SQL's CHECK) or `fail` (it is broken).
        warn_if, fail_if: number of rows that break it, or with % their share of all rows; default `fail_if: "> 0"`.

    NULLs and empty tables:
        See `nulls`. Without rows the result is SKIPPED.

    SQL it runs:
        Two counts, part of the table's fused statement. The expression is parsed first: one condition that only reads is
        let through, anything else is an ERROR.

    Example:
        ```yaml
        - condition: {name: shipped_after_ordered, expression: "shipped_at >= created_at"}
        ```

    Known limits:
        No aggregates or window functions: they look at more than one row; write a sql check. Functions that reach out of the
        database, sleep or lock are refused, as are comments and semicolons.

    References:
        - PostgreSQL, check constraints: https://www.postgresql.org/docs/current/ddl-constraints.html
    """

    type: ClassVar[str] = "condition"
    dimension: ClassVar[Dimension] = Dimension.CONSISTENCY
    unit: ClassVar[Unit] = Unit.ROWS
    allows_percent: ClassVar[bool] = True
    can_be_sampled: ClassVar[bool] = True
    default_fail_if: ClassVar[str | None] = "> 0"

    expression: str
    nulls: Literal["valid", "fail"] = "valid"

    def problems(self, check: Check) -> tuple[str, ...]:
        """An expression that is no condition in any engine's SQL."""
        del check
        problem = raw.refused_by_all(raw.condition, self.expression)
        return (f"expression: {problem}",) if problem else ()

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """All rows and those that break the condition."""
        del check
        return (RowCount(), self._broken())

    @property
    def row_rule(self) -> RowRule:
        """The rows that break the condition."""
        return RowRule(f"breaks {self._shown}", lambda row: self._broken().counted(row.columns))

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The share of rows that break the condition against the thresholds."""
        bad, rows = measured_count(evidence, self._broken()), measured_count(evidence, RowCount())
        return judge_count(check, Count(bad, rows, f"break {self._shown}", "bad", "there are no rows to look at"))

    @property
    def _shown(self) -> str:
        return shorten(self.expression, _LONGEST, placeholder=" …")

    def _broken(self) -> BrokenConditionCount:
        return BrokenConditionCount(self.expression, self.nulls)
