"""Range by the least and the greatest value: bad rows are counted only when there are any."""

from __future__ import annotations

import math
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from dqmon.engine.ways.way import Answer, Question, Steps
from dqmon.sql.columns import NUMBERS
from dqmon.sql.metrics import Greatest, InvalidRangeCount, Least

if TYPE_CHECKING:
    from dqmon.core.metric import Value

_DOUBT = 1e-6
"""Doubles and limits nearer than this are left to the engine, which rounds one of both (single precision has 7 digits)."""


def steps(question: Question) -> Steps:
    """0 when neither the least nor the greatest value breaks the bounds; else it cannot be told how many do.

    Only of numbers in large tables of engines that read single columns, where both come for next to nothing.
    """
    metric = question.request.metric
    if not isinstance(metric, InvalidRangeCount) or not (question.caps.is_columnar and question.is_large):
        return None
    if question.column(metric.column).group not in NUMBERS or metric.nan == "value":
        return None
    least, greatest = Least(metric.column), Greatest(metric.column)
    values = yield (least, greatest)
    if is_inside(metric, values[least], values[greatest]):
        return Answer(0, "least and greatest value are inside the bounds")
    return None


def is_inside(metric: InvalidRangeCount, least: Value, greatest: Value) -> bool:
    """True when certainly no value from `least` to `greatest` (None: there are no values) breaks the bounds, which are numbers."""
    if least is None or greatest is None:
        return True
    return not _breaks(least, metric.min, is_below=True, is_exclusive=metric.exclusive in ("min", "both")) and not _breaks(
        greatest, metric.max, is_below=False, is_exclusive=metric.exclusive in ("max", "both")
    )


def _breaks(value: Value, limit: Decimal | str | datetime | None, *, is_below: bool, is_exclusive: bool) -> bool:
    """True unless the value certainly keeps the limit."""
    if limit is None:
        return False
    if isinstance(limit, str | datetime) or not isinstance(value, int | float | Decimal):
        return True
    if isinstance(value, float) and math.isclose(value, limit, rel_tol=_DOUBT, abs_tol=_DOUBT):
        return True
    over = limit - Decimal(value) if is_below else Decimal(value) - limit
    return over >= 0 if is_exclusive else over > 0
