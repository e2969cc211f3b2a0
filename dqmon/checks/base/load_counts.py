"""Judging how many loads did something: the wording of the types that count loads."""

from __future__ import annotations

from decimal import Decimal

from dqmon.checks.base.counted import because, interval, limits
from dqmon.checks.base.words import holds
from dqmon.core.check import Check
from dqmon.core.judgement import Expected, Judgement, Observed
from dqmon.core.verdict import Unit, Verdict


def judge_loads(check: Check, amount: int, noun: str, seen: str, more: str = "") -> Judgement:
    """The verdict on a number of loads. noun: plural, such as `failed loads`. seen, more: the reason before and after the limit."""
    bounds = limits(check)
    verdict = bounds.verdict(Decimal(amount))
    applied = bounds.applied(verdict)
    low, high = interval(applied) if applied else (None, None)
    text = holds(applied, noun) if applied else ""
    expected = Expected(None if low is None else float(low), None if high is None else float(high), text)
    reason = f"{seen}{because(bounds, verdict, 'loads')}{more}"
    return Judgement(verdict, Observed(amount, Unit.VALUE), expected, reason)


def no_loads(check: Check, noun: str, reason: str) -> Judgement:
    """SKIPPED: there is no load to judge."""
    tightest = limits(check).tightest
    return Judgement(
        Verdict.SKIPPED, Observed(None, Unit.VALUE), Expected(text=holds(tightest, noun) if tightest else ""), reason, is_no_data=True
    )
