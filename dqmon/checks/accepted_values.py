"""Check type accepted_values: how many values are none of a list."""

from __future__ import annotations

from typing import ClassVar

from dqmon.checks.base.invalid import ListedRule, any_of
from dqmon.sql.metrics import ColumnCount, UnlistedCount


class AcceptedValues(ListedRule):
    """Every value is one of a list.

    What it measures:
        Rows whose value is none of `values`, and their share of the rows that have a value.

    Why it matters:
        A new status, a typing error or a changed code falls through every CASE and join that knows the old values, and rows
        vanish from reports without an error.

    Parameters:
        column: the column to look at.
        values: the accepted values, at least one. The column's type says how they are read: numbers compare exactly (1 is 1.0;
          floats also with "Infinity" and "-Infinity"), dates and timestamps as instants (ISO text; without zone in
          `naive_timezone`), true and false also equal 1 and 0 and the other way round, everything else as text. A value that the
          type cannot hold is never equal.
        ignore_case: texts that differ in upper and lower case alone are equal (Unicode's case folding of single letters);
          default false.
        missing_values, missing_pattern: what is missing, as for completeness; missing values are not tested.
        nan: `missing` (default: not tested) or `value` (NaN is never accepted).
        warn_if, fail_if: number of rows that are not accepted, or with % their share of the rows with a value;
          default `fail_if: "> 0"`.

    NULLs and empty tables:
        NULL is missing and not tested. The empty text is a value like any other. When no row has a value the result is SKIPPED.

    SQL it runs:
        Two conditional counts, part of the table's fused statement.

    Example:
        ```yaml
        - accepted_values: {column: status, values: [new, paid, shipped, cancelled]}
        - accepted_values: {column: country, values: [DE, FR], ignore_case: true, missing_values: [""], fail_if: "> 1%"}
        ```

    Known limits:
        Texts are compared code point by code point, also where the column's collation would not: blanks at the end and Unicode's
        composed and decomposed letters differ (blanks that pad PostgreSQL's `char(n)` do not count). YAML reads `007` as the
        number 7; quote codes that have zeros in front. Floats are compared with the nearest float of the column's size; SQLite
        keeps decimals as such floats, too.

    References:
        - Schelter et al., Automating Large-Scale Data Quality Verification, VLDB 2018, table 1 (isContainedIn):
          https://www.vldb.org/pvldb/vol11/p1781-schelter.pdf
        - Unicode, case folding: https://www.unicode.org/reports/tr44/#CaseFolding.txt
    """

    type: ClassVar[str] = "accepted_values"
    adjective: ClassVar[str] = "unaccepted"

    @property
    def invalid(self) -> ColumnCount:
        """Values outside of the list."""
        return UnlistedCount(*self.missing, values=self.values, ignore_case=self.ignore_case)

    @property
    def broken(self) -> str:
        """The list."""
        return f"other than {any_of(self.values)}"
