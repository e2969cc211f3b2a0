"""When an alert's outcomes change between good and bad too often for each change to be told. Pure.

The last outcomes of an alert are a text, the newest last: `x` fail, `w` warn, `.` good. It begins with a bad one: all outcomes before it
count as good, as of a check that has never failed. So the text of a check that only passes is empty and never changes.

A failure is not held back for the warnings that came and went before it: while the newest trouble is a failure, trouble that was only a
warning counts as good.
"""

from __future__ import annotations

import re
from itertools import pairwise

from dqmon.core.verdict import Verdict

REMEMBERED = 20
"""Outcomes among which changes are counted."""
CHANGES = 5
"""With more changes than this an alert flaps."""
STEADY = 10
"""Equal outcomes in a row that end it."""
HELD = f"held until {STEADY} equal outcomes in a row"
"""What becomes of messages until then."""

_FAIL, _WARN, _GOOD = "x", "w", "."
_LETTERS = {Verdict.FAIL: _FAIL, Verdict.WARN: _WARN}


def remember(recent: str, verdict: Verdict) -> str:
    """The last outcomes with one more."""
    return (recent + _LETTERS.get(verdict, _GOOD))[-REMEMBERED:].lstrip(_GOOD)


def changes(recent: str) -> int:
    """How often the last outcomes change between good and bad."""
    troubles = re.findall(f"[^{_GOOD}]+", recent)
    is_failure = bool(troubles) and _FAIL in troubles[-1]
    counted = re.sub(f"[^{_GOOD}]+", lambda trouble: (_GOOD if is_failure and _FAIL not in trouble[0] else _FAIL) * len(trouble[0]), recent)
    return sum(before != after for before, after in pairwise(counted.rjust(REMEMBERED, _GOOD)))


def is_unsteady(recent: str) -> bool:
    """True when an alert with these last outcomes begins to flap."""
    return changes(recent) > CHANGES


def is_steady(recent: str) -> bool:
    """True when one that flaps has come to rest, good or bad."""
    return len({letter == _GOOD for letter in recent.rjust(REMEMBERED, _GOOD)[-STEADY:]}) == 1


def at_rest(recent: str) -> str:
    """The outcomes that count after that: the equal ones alone, so that what was before it does not make the alert flap again."""
    return recent[-STEADY:].lstrip(_GOOD)


def began_text(recent: str) -> str:
    """`flapping: 6 changes between good and bad in its last 20 outcomes; held until 10 equal ones in a row`."""
    return f"flapping: {changes(recent)} changes between good and bad in its last {REMEMBERED} outcomes; {HELD}"


def ended_text(*, is_bad: bool) -> str:
    """`steady again: 10 good outcomes in a row`."""
    return f"steady again: {STEADY} {'bad' if is_bad else 'good'} outcomes in a row"
