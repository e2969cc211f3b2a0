"""Lists of values by the least and the greatest value: 1, 2, 3, 4 is a range, and what lies outside of all values is none of them."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from dqmon.core.table import TypeGroup
from dqmon.engine.ways.bounds import has_cheap_ends
from dqmon.engine.ways.way import Answer
from dqmon.sql.columns import MOMENTS
from dqmon.sql.metrics import BetweenExtremes, BrokenExtremes, ListedCount, UnlistedCount

if TYPE_CHECKING:
    from dqmon.core.metric import Metric
    from dqmon.engine.ways.way import Question, Steps

_INTEGER = re.compile(r"-?[0-9]{1,18}")
"""What is certainly read as that number, and fits 64 bits."""


def steps(question: Question) -> Steps:
    """0 when least and greatest value are of an interval of integers, or no forbidden value is between both; else it cannot be told."""
    test = _test(question)
    if test is None:
        return None
    values = yield (test,)
    return Answer(0, "by the least and the greatest value") if values[test] == 0 else None


def _test(question: Question) -> Metric | None:
    """What must be 0 of the least and the greatest value so that no row counts."""
    metric = question.request.metric
    if not isinstance(metric, UnlistedCount | ListedCount) or not has_cheap_ends(question, metric.column):
        return None
    group = question.column(metric.column).group
    if isinstance(metric, UnlistedCount):
        return BrokenExtremes(metric) if group is TypeGroup.INTEGER and _is_interval(metric.values) else None
    limits = _limits(metric.values, group)
    return BetweenExtremes(metric.column, limits) if limits else None


def _is_interval(values: tuple[str, ...]) -> bool:
    """True when the values are integers without a gap."""
    numbers = set(map(int, values)) if _are_integers(values) else set()
    return bool(numbers) and len(numbers) == max(numbers) - min(numbers) + 1


def _limits(values: tuple[str, ...], group: TypeGroup) -> tuple[Decimal | str, ...]:
    """The values as limits of a range; none when one is not written as the column's type is, or engines may round fractions."""
    if group is TypeGroup.INTEGER:
        return tuple(map(Decimal, values)) if _are_integers(values) else ()
    with suppress(ValueError):
        return values if group in MOMENTS and all(map(datetime.fromisoformat, values)) else ()
    return ()


def _are_integers(values: tuple[str, ...]) -> bool:
    return all(_INTEGER.fullmatch(value) for value in values)
