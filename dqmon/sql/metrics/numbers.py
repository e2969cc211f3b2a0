"""What drivers give for numbers, as the values of metrics."""

from __future__ import annotations

import math
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from dqmon.errors import QueryFailed
from dqmon.sql.metrics.merging import rounded

if TYPE_CHECKING:
    from dqmon.core.metric import Value


def as_number(raw: object) -> int | float | Decimal | None:
    """A driver's number: whole ones as int, exact ones (also from text) as Decimal, others as float.

    Raises QueryFailed for anything else, NaN too.
    """
    if isinstance(raw, str):
        with suppress(InvalidOperation):
            raw = Decimal(raw)
    match raw:
        case int():
            return int(raw)
        case None:
            return None
        case float() if not math.isnan(raw):
            return raw
        case Decimal() if not raw.is_nan():
            return int(raw) if raw.is_finite() and raw.as_tuple().exponent == 0 else raw
    if isinstance(raw, float | Decimal):
        raise QueryFailed("a number is needed, the answer is NaN, which infinities of both signs make")
    raise QueryFailed(f"a number is needed, the answer is {str(raw)[:60]!r}")


def as_rounded(raw: object) -> Value:
    """As `as_number`, a float with the 15 significant digits that every double keeps (IEEE 754)."""
    number = as_number(raw)
    return rounded(number) if isinstance(number, float) else number
