"""Check type completeness: how many values of a column are missing."""

from __future__ import annotations

from typing import ClassVar, Literal

from dqmon.checks.base.counted import Count, judge_count, measured_count
from dqmon.checks.base.fields import Scalars, pattern_problems
from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.judgement import Evidence, Judgement
from dqmon.core.metric import Metric
from dqmon.core.row_rule import RowRule
from dqmon.core.verdict import Dimension, Unit
from dqmon.sql.metrics import MissingCount, RowCount


class Completeness(DatasetCheck):
    """Few enough values of a column are missing.

    What it measures:
        Rows whose value is missing, and their share of all rows. Missing is NULL, one of `missing_values`, a text that
        `missing_pattern` matches, or NaN in a float column.

    Why it matters:
        A column that silently becomes empty makes every average, join and model built on it wrong, while row counts
        still look right.

    Parameters:
        column: the column to look at.
        missing_values: values that mean "nothing was entered", such as "" or "N/A"; none by default.
        missing_pattern: a regular expression; a text that it matches anywhere is missing.
        nan: `missing` (default) or `value`: what NaN is in a float column.
        warn_if, fail_if: number of missing rows, or with % their share of all rows; default `fail_if: "> 0"`.

    NULLs and empty tables:
        NULL is missing. With no rows there is nothing to judge: SKIPPED (`on_no_data` changes that). As soon as there
        is one row the check is judged, also when every value is missing. With `partition`, rows whose partition key
        is NULL have a result of their own.

    SQL it runs:
        `count(*)` and one conditional count, both part of the table's fused statement.

    Example:
        ```yaml
        - completeness: {column: customer_id, missing_values: ["", "N/A"], warn_if: "> 0", fail_if: "> 0.5%"}
        ```

    Known limits:
        Regular expressions are the engine's own, so that rare constructs differ between warehouses.

    References:
        - Schelter et al., Automating Large-Scale Data Quality Verification, VLDB 2018, table 1:
          https://www.vldb.org/pvldb/vol11/p1781-schelter.pdf
    """

    type: ClassVar[str] = "completeness"
    dimension: ClassVar[Dimension] = Dimension.COMPLETENESS
    unit: ClassVar[Unit] = Unit.ROWS
    allows_percent: ClassVar[bool] = True
    can_be_sampled: ClassVar[bool] = True
    default_fail_if: ClassVar[str | None] = "> 0"
    judges_null_keys: ClassVar[bool] = True

    column: str
    missing_values: Scalars = ()
    missing_pattern: str | None = None
    nan: Literal["missing", "value"] = "missing"

    def problems(self, check: Check) -> tuple[str, ...]:
        """A pattern that is no regular expression."""
        del check
        return pattern_problems(self.missing_pattern)

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """All rows and the missing ones."""
        del check
        return (RowCount(), self._missing())

    @property
    def row_rule(self) -> RowRule:
        """The rows without a value."""
        return RowRule(f"has no {self.column}", lambda row: self._missing().counted(row.columns, row.caps))

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The share of missing values against the thresholds."""
        missing, rows = measured_count(evidence, self._missing()), measured_count(evidence, RowCount())
        return judge_count(check, Count(missing, rows, f"have no {self.column}", "missing", "there are no rows to look at"))

    def _missing(self) -> MissingCount:
        return MissingCount(self.column, self.missing_values, self.missing_pattern, self.nan)
