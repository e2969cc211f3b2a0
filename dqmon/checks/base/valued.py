"""Judging one number by thresholds: the wording and arithmetic of every type that observes a value."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from dqmon.checks.base.counted import because, interval, limits
from dqmon.checks.base.words import holds, near
from dqmon.core.judgement import Expected, Judgement, Observed
from dqmon.core.verdict import Unit, Verdict

if TYPE_CHECKING:
    from dqmon.core.check import Check
    from dqmon.core.judgement import Evidence
    from dqmon.core.metric import Metric


def measured_number(evidence: Evidence, metric: Metric) -> int | float | Decimal | None:
    """The measured number; None when there was nothing to measure."""
    value = evidence.values[metric]
    return value if isinstance(value, int | float | Decimal) else None


def judge_value(check: Check, value: float | Decimal | None, subject: str, nothing: str, more: str = "") -> Judgement:
    """The verdict on `value`, a float taken as its shortest decimal. None: SKIPPED, with `nothing` as the reason.

    subject: whose value it is, such as `avg of amount`. more: a further remark for the reason.
    """
    bounds = limits(check)
    if value is None:
        text = holds(bounds.tightest, "") if bounds.tightest else ""
        return Judgement(Verdict.SKIPPED, Observed(None, Unit.VALUE), Expected(text=text), nothing, is_no_data=True)
    exact = Decimal(str(value))
    verdict = bounds.verdict(exact)
    applied = bounds.applied(verdict)
    low, high = interval(applied) if applied else (None, None)
    expected = Expected(None if low is None else float(low), None if high is None else float(high), holds(applied, "") if applied else "")
    reason = f"{subject} is {near(exact, applied)}{more}{because(bounds, verdict, '')}"
    return Judgement(verdict, Observed(value, Unit.VALUE), expected, reason)
