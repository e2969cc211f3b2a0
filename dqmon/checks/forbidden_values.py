"""Check type forbidden_values: how many values are one of a list."""

from __future__ import annotations

from typing import ClassVar

from dqmon.checks.base.invalid import ListedRule, any_of
from dqmon.sql.metrics import ColumnCount, ListedCount


class ForbiddenValues(ListedRule):
    """No value is one of a list.

    What it measures:
        Rows whose value is one of `values`, and their share of the rows that have a value.

    Why it matters:
        Test accounts, placeholders such as 1900-01-01 or 999, and retired codes look like data and are counted as such.

    Parameters:
        column: the column to look at.
        values: the forbidden values, at least one; read and compared as for accepted_values.
        ignore_case: texts that differ in upper and lower case alone are equal, as for accepted_values; default false.
        missing_values, missing_pattern: what is missing, as for completeness; missing values are not tested.
        nan: `missing` (default: not tested) or `value` (NaN is tested and never forbidden).
        warn_if, fail_if: number of forbidden rows, or with % their share of the rows with a value; default `fail_if: "> 0"`.

    NULLs and empty tables:
        NULL is missing and not tested; to forbid it write a completeness check. The empty text may be forbidden: `values: [""]`.
        When no row has a value the result is SKIPPED.

    SQL it runs:
        Two conditional counts, part of the table's fused statement.

    Example:
        ```yaml
        - forbidden_values: {column: status, values: [test, unknown], ignore_case: true}
        - forbidden_values: {column: born_on, values: ["1900-01-01"], warn_if: "> 0.1%"}
        ```

    Known limits:
        Those of accepted_values. A value that the column's type cannot hold, such as a word in a column of numbers, is never
        found.

    References:
        - Schelter et al., Automating Large-Scale Data Quality Verification, VLDB 2018, table 1 (isContainedIn):
          https://www.vldb.org/pvldb/vol11/p1781-schelter.pdf
    """

    type: ClassVar[str] = "forbidden_values"
    adjective: ClassVar[str] = "forbidden"

    @property
    def invalid(self) -> ColumnCount:
        """Values in the list."""
        return ListedCount(*self.missing, values=self.values, ignore_case=self.ignore_case)

    @property
    def broken(self) -> str:
        """The list."""
        return any_of(self.values)
