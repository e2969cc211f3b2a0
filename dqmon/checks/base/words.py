"""Numbers and limits as people read them in reasons and expectations."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dqmon.core.threshold import Threshold

_MOST_DIGITS = 12
_LONG = 30
"""Zeros before or after a number from which on nobody counts them."""
_EXACT = Context(prec=100)
"""Room for `_LONG` digits on both sides of the point, and more."""


def number(value: float | Decimal) -> str:
    """A number with thousands separated and no trailing zeros: `12,400`, `0.5`; floats get four significant digits below 1,000."""
    if isinstance(value, float):
        value = Decimal(f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}")  # noqa: PLR2004 - four digits are enough to read
    text = f"{Decimal(value):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(value: Decimal, threshold: Threshold | None = None) -> str:
    """A percentage to one decimal; more where rounding would say 0, 100 or a bound of `threshold` that `value` is not."""
    bounds = {Decimal(0), Decimal(100)}
    if threshold is not None and threshold.is_percent:
        bounds |= {threshold.low, threshold.high if threshold.high is not None else threshold.low}
    rounded = value
    for digits in range(1, _MOST_DIGITS):
        rounded = value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)
        if rounded == value or rounded not in bounds:
            break
    return f"{number(rounded)} %"


def near(value: Decimal, threshold: Threshold | None) -> str:
    """A number to six digits, two of them decimals; more where rounding would say a bound of `threshold` that it is not."""
    if not value.is_finite():
        return "infinite" if value > 0 else "minus infinite"
    if value and abs(value.adjusted()) > _LONG:
        return f"{value:.6g}"
    bounds = {threshold.low, threshold.high} if threshold else set()
    decimals = max(2, 5 - value.adjusted()) if value else 0
    rounded = value
    for digits in range(decimals, decimals + _MOST_DIGITS):
        rounded = _EXACT.quantize(value, Decimal(1).scaleb(-digits))
        if rounded == value or rounded not in bounds:
            break
    return number(rounded)


def count(amount: int, noun: str) -> str:
    """`1 row`, `3 rows`: `noun` is the plural."""
    return f"{number(amount)} {noun.removesuffix('s') if amount == 1 else noun}"


def there_are(rows: int) -> str:
    """`there is 1 row`, `there are 3 rows`."""
    return f"there {'is' if rows == 1 else 'are'} {count(rows, 'rows')}"


def breaks(threshold: Threshold, noun: str) -> str:
    """When `threshold` is met, in words: `above 20 %`, `below 1,000 rows`."""
    low, high = _bounds(threshold, noun)
    match threshold.operator:
        case ">":
            return f"above {low}"
        case ">=":
            return f"from {low}"
        case "<":
            return f"below {low}"
        case "<=":
            return f"at {low} or less"
        case "=":
            return f"at exactly {low}"
        case "!=":
            return f"at anything but {low}"
        case "between":
            return f"from {number(threshold.low)} to {high}"
        case "not between":
            return f"outside {number(threshold.low)} to {high}"


def holds(threshold: Threshold, noun: str) -> str:
    """What is expected, i.e. `threshold` not met: `at most 20 %`, `between 9,800 and 12,400 rows`."""
    low, high = _bounds(threshold, noun)
    match threshold.operator:
        case ">":
            return f"at most {low}" if threshold.low or not noun else f"no {noun}"
        case ">=":
            return f"less than {low}"
        case "<":
            return f"at least {low}"
        case "<=":
            return f"more than {low}"
        case "=":
            return f"anything but {low}"
        case "!=":
            return f"exactly {low}"
        case "between":
            return f"less than {number(threshold.low)} or more than {high}"
        case "not between":
            return f"between {number(threshold.low)} and {high}"


def _bounds(threshold: Threshold, noun: str) -> tuple[str, str]:
    low, high = threshold.low, threshold.high if threshold.high is not None else threshold.low
    if threshold.is_percent:
        return f"{number(low)} %", f"{number(high)} %"
    return _counted(low, noun), _counted(high, noun)


def _counted(value: Decimal, noun: str) -> str:
    return f"{number(value)} {noun.removesuffix('s') if value == 1 else noun}".rstrip()
