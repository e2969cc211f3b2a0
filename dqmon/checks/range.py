"""Check type range: how many values lie outside of bounds."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, WithJsonSchema

from dqmon.checks.base.fields import as_decimal
from dqmon.checks.base.invalid import ValueRule
from dqmon.checks.base.words import number
from dqmon.core.calendar import in_zone
from dqmon.core.check import Check
from dqmon.sql.metrics import ColumnCount, InvalidRangeCount


def _as_bound(value: object) -> object:
    """A bound as the metric takes it: a number exactly, a date or timestamp as ISO text, with zone as an instant."""
    if isinstance(value, date):
        return in_zone(value, UTC) if isinstance(value, datetime) and value.tzinfo else value.isoformat()
    if not isinstance(value, str):
        return value if value is None else as_decimal(value)
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return _as_number(value)
    return in_zone(instant, UTC) if instant.tzinfo else value


def _as_number(text: str) -> object:
    try:
        return as_decimal(text)
    except ValueError:
        msg = f"{text!r} is neither a number nor a date; write a number, 2013-01-31 or 2013-01-31T06:00:00Z"
        raise ValueError(msg) from None


Bound = Annotated[
    Decimal | datetime | str | None,
    BeforeValidator(_as_bound),
    WithJsonSchema({"type": ["number", "string", "null"]}),
]
"""A number, a date or a timestamp."""


class Range(ValueRule):
    """Values lie between bounds.

    What it measures:
        Rows whose value is below `min` or above `max`, and their share of the rows that have a value.

    Why it matters:
        A unit that changed, a sign that flipped or a default of 9999 passes every other check and ruins sums and averages.

    Parameters:
        column: the column to look at: numbers, dates or timestamps.
        min, max: the bounds, inclusive; at least one. Numbers (in quotes those of more than 15 digits), or dates and timestamps
          as ISO text, without zone read as the column's own are (see naive_timezone).
        exclusive: `min`, `max` or `both`: bounds that are themselves out of range.
        missing_values, missing_pattern: what is missing, as for completeness; missing values are not tested.
        nan: `missing` (default: not tested) or `value` (NaN breaks every range).
        warn_if, fail_if: number of invalid rows, or with % their share of the rows with a value; default `fail_if: "> 0"`.

    NULLs and empty tables:
        NULL is missing and not tested. When no row has a value the result is SKIPPED. An infinite number or moment breaks the bound
        on its side, a text in a column of numbers (SQLite has them) any bound.

    SQL it runs:
        Two conditional counts, part of the table's fused statement.

    Example:
        ```yaml
        - range: {column: amount, min: 0, max: 100000, fail_if: "> 0.1%"}
        ```

    Known limits:
        Bounds are constants; to compare columns with each other use a condition. Timestamps without zone are compared on the clock,
        which shows the hour twice in which summer time ends. DuckDB's TIMESTAMP_NS reaches from 1677 to 2262, bounds beyond are
        taken as these. SQLite keeps decimals as doubles.

    References:
        - Schelter et al., Automating Large-Scale Data Quality Verification, VLDB 2018, table 1 (isInRange):
          https://www.vldb.org/pvldb/vol11/p1781-schelter.pdf
    """

    type: ClassVar[str] = "range"
    adjective: ClassVar[str] = "out of range"

    min: Bound = None
    max: Bound = None
    exclusive: Literal["min", "max", "both"] | None = None

    def problems(self, check: Check) -> tuple[str, ...]:
        """No bound, bounds of two kinds or the wrong way round, `exclusive` without its bound."""
        found = list(super().problems(check))
        if self.min is None and self.max is None:
            found.append("range has no bound; write min:, max: or both")
        elif self.min is not None and self.max is not None:
            if isinstance(self.min, Decimal) != isinstance(self.max, Decimal):
                found.append(f"min {_shown(self.min)} and max {_shown(self.max)} are of different kinds; write two numbers or two dates")
            elif _as_order(self.min) > _as_order(self.max):
                found.append(f"min {_shown(self.min)} is above max {_shown(self.max)}; no value can be in that range")
        elif self.exclusive not in (None, "min" if self.min is not None else "max"):
            found.append(f"exclusive: {self.exclusive} names a bound that is not given")
        return tuple(found)

    @property
    def invalid(self) -> ColumnCount:
        """Values outside of the bounds."""
        return InvalidRangeCount(*self.missing, min=self.min, max=self.max, exclusive=self.exclusive)

    @property
    def broken(self) -> str:
        """The bounds."""
        below = "at or below" if self.exclusive in ("min", "both") else "below"
        above = "at or above" if self.exclusive in ("max", "both") else "above"
        words = [f"{word} {_shown(bound)}" for word, bound in ((below, self.min), (above, self.max)) if bound is not None]
        return " or ".join(words)


def _shown(bound: Decimal | datetime | str) -> str:
    match bound:
        case Decimal():
            return number(bound)
        case datetime():
            return bound.replace(tzinfo=None).isoformat() + "Z"
        case str():
            return bound


def _as_order(bound: Decimal | datetime | str) -> Decimal:
    """A place on a line; text without zone is read as UTC, which can be off by a day between kinds of bounds only."""
    if isinstance(bound, Decimal):
        return bound
    instant = datetime.fromisoformat(bound) if isinstance(bound, str) else bound
    return Decimal(str((instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()))
