"""Judging a difference by thresholds on its amount or on its share."""

from __future__ import annotations

import math
from decimal import Decimal

from dqmon.checks.base.counted import Limits, interval
from dqmon.checks.base.words import holds
from dqmon.core.judgement import Expected
from dqmon.core.threshold import Threshold
from dqmon.core.verdict import Verdict


def verdict_of(bounds: Limits, amount: Decimal, percent: Decimal) -> Verdict:
    """FAIL before WARN before PASS; either number may be infinite."""
    for threshold, verdict in ((bounds.fail, Verdict.FAIL), (bounds.warn, Verdict.WARN)):
        if threshold is not None and threshold.is_met(percent if threshold.is_percent else amount):
            return verdict
    return Verdict.PASS


def expectation(applied: Threshold | None, here: Decimal | None) -> Expected:
    """The difference that is allowed, its bounds as amounts: `here` is what shares are of."""
    if applied is None:
        return Expected()
    is_none = applied.operator == ">" and not applied.low
    text = holds(applied, "difference") if is_none else f"a difference of {holds(applied, '')}"
    scale = abs(here or Decimal(0)) / 100 if applied.is_percent else Decimal(1)
    low, high = (None if bound is None else finite(bound * scale) for bound in interval(applied))
    return Expected(low, high, text)


def finite(value: Decimal) -> float | None:
    """The double; None when there is none."""
    found = float(value)
    return found if math.isfinite(found) else None
