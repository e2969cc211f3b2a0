"""Series that were always the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.detectors.base.forecast import Forecast

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

_SHARE = 0.1
"""After a constant history a change of up to 10 % is a reference table being edited, more is a wrong load. Our choice, without a source."""


def is_constant(values: NDArray[float64]) -> bool:
    """True when all values are the same."""
    return bool((values == values[0]).all())


def constant(value: float, points: int, smallest_change: float) -> Forecast:
    """Room for a tenth, and for `smallest_change` at least; none after zeros. points: how many had that value."""
    room = max(smallest_change, abs(value) * _SHARE) if value else 0.0
    explanation = f"it was {value:g} at all of {points} points; a change of more than {room:g} is unusual"
    return Forecast(value - room, value + room, value, (explanation,))
