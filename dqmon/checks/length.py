"""Check type length: how many texts are too short or too long."""

from __future__ import annotations

from typing import ClassVar

from pydantic import NonNegativeInt

from dqmon.checks.base.invalid import ValueRule
from dqmon.checks.base.words import count
from dqmon.core.check import Check
from dqmon.sql.metrics import ColumnCount, InvalidLengthCount


class Length(ValueRule):
    """Texts have the right number of characters.

    What it measures:
        Rows whose text has fewer characters than `min` or more than `max`, and their share of the rows that have a value.

    Why it matters:
        Codes that were cut, padded or joined with others no longer match their partners in other tables.

    Parameters:
        column: the column to look at: texts, integers (their digits and sign), or types such as UUID and JSON as the engine
          writes them.
        min, max: characters, inclusive; one of them at least, or `equals`.
        equals: the only right number of characters.
        missing_values, missing_pattern: what is missing, as for completeness; missing values are not tested.
        nan: as for completeness; texts and integers have no NaN.
        warn_if, fail_if: number of invalid rows, or with % their share of the rows with a value; default `fail_if: "> 0"`.

    NULLs and empty tables:
        NULL is missing and not tested. The empty text has 0 characters and is tested, unless `missing_values: [""]` says that it
        is missing. When no row has a value the result is SKIPPED.

    SQL it runs:
        Two conditional counts, part of the table's fused statement.

    Example:
        ```yaml
        - length: {column: country, equals: 2}
        - length: {column: title, min: 1, max: 200, fail_if: "> 0.1%"}
        ```

    Known limits:
        A character is a Unicode code point: letters with a combining accent and many emoji are several. Numbers with a fraction,
        dates and booleans are an ERROR, since each engine writes them in its own way. Blanks that pad PostgreSQL's `char(n)` do
        not count; SQLite stops at a NUL character.

    References:
        - PostgreSQL, char_length: https://www.postgresql.org/docs/current/functions-string.html
        - SQLite, length: https://sqlite.org/lang_corefunc.html#length
        - DuckDB, length: https://duckdb.org/docs/stable/sql/functions/text
    """

    type: ClassVar[str] = "length"

    min: NonNegativeInt | None = None
    max: NonNegativeInt | None = None
    equals: NonNegativeInt | None = None

    def problems(self, check: Check) -> tuple[str, ...]:
        """No bound, `equals` beside another bound, bounds the wrong way round, a bad `missing_pattern`."""
        found = list(super().problems(check))
        if self.equals is None and self.min is None and self.max is None:
            found.append("length has no bound; write equals:, min:, max: or both of these")
        elif self.equals is not None and (self.min is not None or self.max is not None):
            found.append("equals stands beside min or max; write one or the other")
        elif self.min is not None and self.max is not None and self.min > self.max:
            found.append(f"min {self.min} is above max {self.max}; no text can have that length")
        return tuple(found)

    @property
    def invalid(self) -> ColumnCount:
        """Texts of another length."""
        if self.equals is not None:
            return InvalidLengthCount(*self.missing, min=self.equals, max=self.equals)
        return InvalidLengthCount(*self.missing, min=self.min, max=self.max)

    @property
    def broken(self) -> str:
        """The bounds."""
        if self.equals is not None:
            return f"not of {count(self.equals, 'characters')}"
        limits = (("shorter", self.min), ("longer", self.max))
        return " or ".join(f"{word} than {count(limit, 'characters')}" for word, limit in limits if limit is not None)
