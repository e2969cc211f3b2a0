"""A failure that a check could have, made from its declaration: what its messages look like before it ever fails."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from math import ceil, floor
from typing import TYPE_CHECKING

from dqmon.checks.base.counted import Limits
from dqmon.checks.base.row_bounds import RowBounds
from dqmon.checks.base.words import holds
from dqmon.core.duration import format_duration
from dqmon.core.judgement import Expected, Observed
from dqmon.core.result import CheckResult, record
from dqmon.core.threshold import Threshold
from dqmon.core.verdict import Unit, Verdict, least

if TYPE_CHECKING:
    from datetime import datetime

    from dqmon.core.check import Check
    from dqmon.core.result import ResultRecord

ROWS = 1_000
"""Of so many rows some are bad, unless the threshold needs more."""
_ADJECTIVES = {"completeness": "missing", "uniqueness": "duplicate", "accuracy": "different"}


def example_failure(check: Check, last_good: ResultRecord | None, reason: str, at: datetime) -> ResultRecord:
    """A bad result of the whole table at `at`, with that `reason`; measured by nobody and in no store.

    The value breaks the check's threshold, or the limits that `last_good` kept. Where neither says what is expected (the first
    run of a learning check), nothing is observed and the reason speaks alone.
    """
    bounds = _limits(check)
    threshold = bounds.fail or bounds.warn
    verdict = Verdict.WARN if bounds.warn and not bounds.fail else Verdict.FAIL
    severity = check.severity if verdict is Verdict.FAIL else least(check.severity, check.warn_severity)
    observed, expected = (_broken(check, threshold), _expected(check, threshold)) if threshold else (None, Expected())
    made = record(_result(check, observed, expected, reason, at))
    made = replace(made, verdict=verdict, severity=severity)
    if threshold is None and last_good is not None:
        made = replace(made, expected_text=last_good.expected_text, observed_value=_outside(last_good), unit=last_good.unit)
    return made


def _limits(check: Check) -> Limits:
    """The thresholds, in seconds where a type has `warn_after` and `fail_after`."""
    if isinstance(check.rule, RowBounds):
        return check.rule.row_limits(check)
    if check.rule.unit is not Unit.SECONDS:
        return Limits(check.warn_if, check.fail_if)
    after = (getattr(check.rule, name, None) for name in ("warn_after", "fail_after"))
    return Limits(*(None if seconds is None else Threshold(">", Decimal(seconds)) for seconds in after))


def _result(check: Check, observed: Observed | None, expected: Expected, reason: str, at: datetime) -> CheckResult:
    return CheckResult(
        id="",
        check=check,
        partition=None,
        segment=(),
        verdict=Verdict.FAIL,
        severity=check.severity,
        observed=observed,
        expected=expected,
        reason=reason,
        measurements=(),
        run_id="example",
        scheduled_at=at,
        measured_at=at,
        duration_s=0,
    )


def _is_share(check: Check) -> bool:
    """True for the types that judge which share of the rows, or of a total, is bad."""
    return check.rule.allows_percent


def _broken(check: Check, threshold: Threshold) -> Observed:
    """A value in the bad range."""
    value = bad_value(threshold)
    if not _is_share(check):
        is_count = check.rule.unit in (Unit.ROWS, Unit.CHANGES)
        return Observed(int(value.to_integral_value()) if is_count else float(value), check.rule.unit)
    if threshold.is_percent:
        whole = floor if threshold.operator in ("<", "<=") else ceil
        bad, tested = min(ROWS, whole(value * ROWS / 100)), ROWS
    else:
        bad = int(value)
        tested = max(ROWS, 4 * bad)
    return Observed(bad, Unit.ROWS, bad / tested, tested)


def bad_value(threshold: Threshold) -> Decimal:
    """A value that meets the threshold, of a percentage one of 0 to 100 where any of these does."""
    low, high = threshold.low, threshold.high if threshold.high is not None else threshold.low
    match threshold.operator:
        case ">" | ">=":
            room = (100 - low) / 2 if threshold.is_percent and low < 100 else max(Decimal(10), abs(low) / 2)  # noqa: PLR2004 - percent
            return low + room
        case "<" | "<=":
            return low / 2 if low > 0 else low - 1
        case "=" | "between":
            return low
        case "!=" | "not between":
            return high + (max(Decimal(1), abs(high) / 2) if not threshold.is_percent or high >= 100 else (100 - high) / 2)  # noqa: PLR2004 - percent


def _expected(check: Check, threshold: Threshold) -> Expected:
    if check.rule.unit is Unit.SECONDS:
        return Expected(text=f"at most {format_duration(float(threshold.low))}")
    adjective = _ADJECTIVES.get(check.rule.dimension.value, "invalid")
    if not _is_share(check):
        return Expected(text=holds(threshold, "rows" if check.rule.unit is Unit.ROWS else ""))
    return Expected(
        text=f"{holds(threshold, '')} {adjective}" if threshold.is_percent and threshold.low else holds(threshold, f"{adjective} rows")
    )


def _outside(good: ResultRecord) -> float | int | None:
    """A value beyond the limits that a result kept; None where it had none."""
    if good.expected_low is not None and good.expected_low > 0:
        value = good.expected_low / 2
    elif good.expected_high is not None:
        value = good.expected_high + max(10.0, abs(good.expected_high) / 2)
    else:
        return None
    return int(value) if good.unit in (Unit.ROWS, Unit.CHANGES) else value
