"""Judging what a search for differing rows found. Counts and names of columns only: no value of a row."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from dqmon.checks.base.counted import Limits, because, limits
from dqmon.checks.base.tolerance import expectation, finite, verdict_of
from dqmon.checks.base.words import count, number, percent
from dqmon.core.judgement import Judgement, Observed
from dqmon.core.verdict import Unit, Verdict

if TYPE_CHECKING:
    from dqmon.checks.base.row_search import Found, Rows
    from dqmon.core.check import Check
    from dqmon.core.threshold import Threshold

LISTED = 5
"""Columns that the reason names."""


def judge_rows(check: Check, rows: Rows, other: str, found: Found | str) -> Judgement:
    """The number of differing rows, or its share of the rows here, against the thresholds; `other` is the other table for people.

    ERROR when the tables cannot be compared, and when the search was given up before a threshold was surely met or not.
    """
    bounds = limits(check)
    if isinstance(found, str):
        return Judgement(Verdict.ERROR, Observed(None, Unit.ROWS), expectation(bounds.tightest, None), found)
    amount = Decimal(found.differing)
    share = amount * 100 / found.here if found.here else Decimal("Infinity") if amount else Decimal(0)
    verdict = verdict_of(bounds, amount, share) if found.at_least is None else _surely(bounds, amount, share)
    applied = bounds.applied(verdict)
    observed = Observed(found.differing, Unit.ROWS, finite(share / 100), found.here)
    reason = f"{_words(rows, other, found, share, applied)}{because(bounds, verdict)}"
    if verdict is Verdict.ERROR:
        reason += "; more rows would have to be known to judge it: raise max_differences"
    return Judgement(verdict, observed, expectation(applied, Decimal(found.here)), reason)


def _surely(bounds: Limits, amount: Decimal, share: Decimal) -> Verdict:
    """The verdict that holds of any larger number, too; else ERROR. With a limit to fail by, a warning is none of these."""
    wanted = (bounds.fail, Verdict.FAIL) if bounds.fail is not None else (bounds.warn, Verdict.WARN)
    threshold, verdict = wanted
    is_sure = threshold is not None and threshold.operator in (">", ">=") and threshold.is_met(share if threshold.is_percent else amount)
    return verdict if is_sure else Verdict.ERROR


def _words(rows: Rows, other: str, found: Found, share: Decimal, applied: Threshold | None) -> str:
    if not found.differing:
        if not found.here:
            return f"neither this dataset nor {other} has a row"
        return (
            f"all {count(found.here, 'rows')} agree with {other} in {count(len(found.compared) + len(rows.key), 'columns')}{_alone(found)}"
        )
    verb = "differs" if found.differing == 1 else "differ"
    of = f" ({percent(share, applied)})" if share.is_finite() else ""
    said = f"{number(found.differing)} of {count(found.here, 'rows')}{of} {verb} from {other}"
    if found.at_least is not None:
        return f"at least {said}: the search was given up there, since max_differences is {number(rows.max_differences)}{_alone(found)}"
    kinds = ((found.changed, "changed"), (found.only_here, "only here"), (found.only_there, "only there"))
    listed = ", ".join(f"{number(amount)} {what}" for amount, what in kinds if amount)
    return f"{said}: {listed}{_keys(rows, found)}{_alone(found)}"


def _keys(rows: Rows, found: Found) -> str:
    """What is wrong with the keys of the differing rows."""
    key = ", ".join(rows.key)
    keyless = f"; {count(found.keyless, 'rows')} of these without a full key of {key}" if found.keyless else ""
    return f"{keyless}; {count(found.repeated, 'keys')} of these on several rows of one side" if found.repeated else keyless


def _alone(found: Found) -> str:
    """The columns that only one side has."""
    if not found.alone:
        return ""
    more = f" and {number(len(found.alone) - LISTED)} more" if len(found.alone) > LISTED else ""
    return f"; not compared, since one side lacks it: {', '.join(found.alone[:LISTED])}{more}"
