"""Judging by thresholds: one arithmetic and one wording for every type that counts rows."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from dqmon.checks.base.words import breaks, count, holds, number, percent
from dqmon.core.judgement import Expected, Judgement, Observed
from dqmon.core.threshold import Threshold, parse_threshold, percentage
from dqmon.core.verdict import Unit, Verdict

if TYPE_CHECKING:
    from dqmon.core.check import Check
    from dqmon.core.judgement import Evidence
    from dqmon.core.metric import Metric

_SINGULAR = {"have": "has", "are": "is", "break": "breaks"}


@dataclass(frozen=True, slots=True)
class Limits:
    """The bad conditions of a check. With only `warn` it never fails; when both are met it fails."""

    warn: Threshold | None
    fail: Threshold | None

    @property
    def tightest(self) -> Threshold | None:
        """The condition that a passing value keeps."""
        return self.warn or self.fail

    def verdict(self, value: int | Decimal, tested: int | None = None) -> Verdict:
        """FAIL before WARN before PASS; a % condition is compared with value / tested x 100, exactly."""
        for threshold, verdict in ((self.fail, Verdict.FAIL), (self.warn, Verdict.WARN)):
            if threshold is None:
                continue
            if threshold.is_met(percentage(value, tested) if threshold.is_percent and tested else Decimal(value)):
                return verdict
        return Verdict.PASS

    def applied(self, verdict: Verdict) -> Threshold | None:
        """The condition that `verdict` rests on."""
        return self.fail if verdict is Verdict.FAIL else self.tightest


@dataclass(frozen=True, slots=True)
class Count:
    """How many of the tested rows are bad, and the words for it.

    verb: completes "3 of 10 rows …", starts with `have`, `are` or `break`. adjective: of the bad rows. nothing: why no row was tested.
    more: a further remark for the reason.
    """

    bad: int
    tested: int
    verb: str
    adjective: str
    nothing: str
    more: str = ""


def limits(check: Check) -> Limits:
    """The check's thresholds, or its type's default when it has none."""
    if check.warn_if is None and check.fail_if is None and check.rule.default_fail_if is not None:
        return Limits(None, parse_threshold(check.rule.default_fail_if))
    return Limits(check.warn_if, check.fail_if)


def measured_count(evidence: Evidence, metric: Metric) -> int:
    """The measured number of rows; SQL's NULL, the sum over no rows, is 0."""
    value = evidence.values[metric]
    return int(value) if isinstance(value, int | float | Decimal) else 0


def judge_count(check: Check, found: Count) -> Judgement:
    """The verdict on a count of bad rows. No tested row: SKIPPED, with either form of threshold."""
    bounds = limits(check)
    if found.tested == 0:
        text = _expected(bounds.tightest, found.adjective) if bounds.tightest else ""
        return Judgement(Verdict.SKIPPED, Observed(found.bad, Unit.ROWS, None, 0), Expected(text=text), found.nothing, is_no_data=True)
    verdict = bounds.verdict(found.bad, found.tested)
    applied = bounds.applied(verdict)
    share = percentage(found.bad, found.tested)
    first, _, rest = found.verb.partition(" ")
    verb = f"{_SINGULAR[first]} {rest}" if found.bad == 1 else found.verb
    reason = (
        f"{number(found.bad)} of {count(found.tested, 'rows')} ({percent(share, applied)}) {verb}{found.more}{because(bounds, verdict)}"
    )
    observed = Observed(found.bad, Unit.ROWS, float(share / 100), found.tested)
    return Judgement(verdict, observed, _expectation(applied, found), reason)


def because(bounds: Limits, verdict: Verdict, noun: str = "rows") -> str:
    """The end of a reason: `; fails above 20 %`, and for a warning `; warns above 1 %`."""
    if verdict is Verdict.WARN and bounds.warn:
        return f"; warns {breaks(bounds.warn, noun)}"
    if bounds.fail:
        return f"; fails {breaks(bounds.fail, noun)}"
    return f"; warns {breaks(bounds.warn, noun)}" if bounds.warn else ""


def _expectation(applied: Threshold | None, found: Count) -> Expected:
    if applied is None:
        return Expected()
    scale = Decimal(found.tested) / 100 if applied.is_percent else Decimal(1)
    low, high = interval(applied)
    text = _expected(applied, found.adjective)
    return Expected(None if low is None else float(low * scale), None if high is None else float(high * scale), text)


def _expected(applied: Threshold, adjective: str) -> str:
    return f"{holds(applied, '')} {adjective}" if applied.is_percent and applied.low else holds(applied, f"{adjective} rows")


def interval(bad: Threshold) -> tuple[Decimal | None, Decimal | None]:
    """The good range (low, high) outside of which `bad` is met; None where there is no such bound."""
    match bad.operator:
        case ">" | ">=":
            return None, bad.low
        case "<" | "<=":
            return bad.low, None
        case "not between":
            return bad.low, bad.high
        case "!=":
            return bad.low, bad.low
        case "=" | "between":
            return None, None
