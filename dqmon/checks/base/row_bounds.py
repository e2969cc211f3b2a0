"""`min` and `max` of a number of rows, the other way to write its thresholds."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from dqmon.checks.base.counted import Limits, interval, limits
from dqmon.checks.base.words import holds
from dqmon.core.check import Check
from dqmon.core.check_type import CheckType
from dqmon.core.judgement import Expected
from dqmon.core.threshold import Threshold
from dqmon.core.verdict import Verdict


class RowBounds(CheckType):
    """What types share that judge a number of rows."""

    min: Annotated[int, Field(ge=0)] | None = None
    max: Annotated[int, Field(ge=0)] | None = None

    def problems(self, check: Check) -> tuple[str, ...]:
        """Two ways of saying the limits at once, none, or bounds the wrong way round."""
        found: list[str] = []
        has_bounds = self.min is not None or self.max is not None
        has_thresholds = check.warn_if is not None or check.fail_if is not None
        if has_bounds and has_thresholds:
            found.append("min/max and warn_if/fail_if are both given; write one of the two")
        if not has_bounds and not has_thresholds:
            found.append(f"{self.type} has no limit; write min: or max:, or warn_if: or fail_if:")
        if self.min is not None and self.max is not None and self.min > self.max:
            found.append(f"min {self.min} is above max {self.max}; no number of rows can be right")
        return tuple(found)

    def row_limits(self, check: Check) -> Limits:
        """The check's thresholds, or those that its bounds mean."""
        match self.min, self.max:
            case None, None:
                return limits(check)
            case int() as low, None:
                return Limits(None, Threshold("<", Decimal(low)))
            case None, int() as high:
                return Limits(None, Threshold(">", Decimal(high)))
            case low, high:
                return Limits(None, Threshold("not between", Decimal(low or 0), Decimal(high or 0)))


def expected_rows(bounds: Limits, verdict: Verdict) -> Expected:
    """What was expected, by the limit that made the verdict."""
    applied = bounds.applied(verdict)
    low, high = interval(applied) if applied else (None, None)
    text = holds(applied, "rows") if applied else ""
    return Expected(None if low is None else float(low), None if high is None else float(high), text)
