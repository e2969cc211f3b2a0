"""How unusual a value is, asked of the detector itself: the number of false alerts a year whose band just holds it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dqmon.checks.base.words import number

if TYPE_CHECKING:
    from collections.abc import Callable

RAREST = 1e-3
"""Once in a thousand years: no history tells what is rarer than that."""

_STEPS = 5
"""Tries between RAREST and the budget, each of the cost of a judgement: the rate is then known to a few percent."""
_EDGE = 0.05
"""A try is at least so far inside of what is left, so that both ends come nearer."""
_DAYS = 365.25


def rate(excess: Callable[[float], float], per_year: float, furthest: float) -> float | None:
    """How often a year a value as far off comes: a budget, just below the largest one, whose band holds it.

    excess: how far outside of the band of a budget the value is, below 0 inside; at `per_year` it is `furthest`, outside. RAREST
    when it is outside even at RAREST; None where no tail is known, the band being the same at both. By false position on
    log(budget), on which the ends of bands are nearly straight.
    """
    inside, outside = math.log(RAREST), math.log(per_year)
    nearest = excess(RAREST)
    if nearest == furthest:
        return None
    if nearest > 0 or inside >= outside:
        return RAREST
    for _ in range(_STEPS):
        way = -nearest / (furthest - nearest)
        middle = inside + (outside - inside) * (min(max(way, _EDGE), 1 - _EDGE) if math.isfinite(way) else 0.5)
        found = excess(math.exp(middle))
        if found > 0:
            outside, furthest = middle, found
        else:
            inside, nearest = middle, found
    return math.exp(inside)


def once_in(per_year: float) -> str:
    """`once in 90 days`, `once in 40 years`, to two digits."""
    if per_year <= RAREST:
        return "less than once in 1,000 years"
    days = _DAYS / per_year
    amount, unit = (days, "days") if days < 2 * _DAYS else (days / _DAYS, "years")
    return f"once in {number(float(f'{amount:.2g}'))} {unit}"


def rounded_down(value: float) -> float:
    """A positive number with two digits that is not above `value`."""
    scale: float = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.floor(value / scale) * scale:.2g}")
