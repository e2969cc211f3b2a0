"""The past values of an alert, as a line of text and as words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.alerts.wording import number, percent
from dqmon.core.duration import format_duration
from dqmon.core.verdict import Unit

if TYPE_CHECKING:
    from collections.abc import Callable

    from dqmon.core.message import AlertFacts, Reading

SPARKS = 14
"""Values of a line of text."""
_BARS = "▁▂▃▄▅▆▇█"


def sparkline(alert: AlertFacts) -> str:
    """`▇▇▆▇▁`, the last values between their least and greatest one, the newest last; empty with fewer than two."""
    values = [point.value for point in alert.series[-SPARKS:]]
    if len(values) < 2:  # noqa: PLR2004 - one value has no course
        return ""
    low, high = min(values), max(values)
    return "".join(_BARS[round(share(value, low, high) * (len(_BARS) - 1))] for value in values)


def course(alert: AlertFacts) -> str:
    """`10,911, 10,950, 1,204; 9,800 to 12,400 expected`: the numbers that a chart shows."""
    amount = amounts(alert)
    shown = ", ".join(amount(point.value) for point in alert.series[-SPARKS:])
    bounds = _bounds(alert.series[-1], amount) if alert.series else ""
    return f"{shown}; {bounds} expected" if bounds else shown


def amounts(alert: AlertFacts) -> Callable[[float], str]:
    """How a value of the alert's series is written: a share in percent, seconds as a duration."""
    observed = (alert.result or {}).get("observed") or {}
    if observed.get("ratio") is not None:
        return percent
    return format_duration if observed.get("unit") == Unit.SECONDS.value else _short_number


def share(value: float, low: float, high: float) -> float:
    """Where the value lies between both: 0 to 1; 0.5 when they are the same. Both halves first, so that no double overflows."""
    span = high / 2 - low / 2
    return min(1.0, max(0.0, (value / 2 - low / 2) / span)) if span > 0 else 0.5


def _short_number(value: float) -> str:
    return number(int(value)) if float(value).is_integer() and abs(value) < 1e15 else number(value)  # noqa: PLR2004 - exact in a double


def _bounds(point: Reading, amount: Callable[[float], str]) -> str:
    if point.low is not None and point.high is not None:
        return f"{amount(point.low)} to {amount(point.high)}"
    if point.low is not None:
        return f"at least {amount(point.low)}"
    return f"at most {amount(point.high)}" if point.high is not None else ""
