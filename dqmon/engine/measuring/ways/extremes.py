"""What follows from the least and the greatest value of a whole column, as footers of files have them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine.default import DefaultDialect

from dqmon.core.table import TypeGroup
from dqmon.engine.measuring.ways.proof import nans_of
from dqmon.engine.measuring.ways.way import Answer
from dqmon.errors import QueryFailed
from dqmon.sql.columns import MOMENTS, NUMBERS, stored
from dqmon.sql.conditions import moment
from dqmon.sql.metrics import FutureCount, Greatest, InvalidRangeCount, LatestInstant, Least, UnlistedCount
from dqmon.sql.metrics.instants import FUTURE_TOLERANCE
from dqmon.sql.tables import typed

if TYPE_CHECKING:
    from datetime import datetime

    from dqmon.core.facts import ColumnFacts
    from dqmon.core.metric import Metric
    from dqmon.engine.measuring.ways.way import Question
    from dqmon.sql.columns import Stored

_TYPED = DefaultDialect()
"""Of an engine whose timestamps are timestamps; no other one has facts of moments."""


def answer(question: Question, metric: Metric) -> Answer | None:
    """The value if it is certain: no value outside of a range or list, the least, the greatest, the newest, none in the future."""
    match metric:
        case InvalidRangeCount() if (facts := _known(question, metric.column)) and _is_inside(question, metric, facts):
            return Answer(0, facts.because)
        case UnlistedCount() if (facts := _known(question, metric.column)) and _are_listed(question, metric, facts):
            return Answer(0, facts.because)
        case Least() | Greatest() if (facts := _known(question, metric.column)) and question.is_of_all_rows:
            is_number = question.column(metric.column).group in NUMBERS
            return Answer(metric.decode(facts.least if isinstance(metric, Least) else facts.greatest), facts.because) if is_number else None
        case LatestInstant() | FutureCount() if facts := _known(question, metric.column):
            return _newest(question, metric, facts)
    return None


def _known(question: Question, name: str) -> ColumnFacts | None:
    """The column's facts if they tell the least and the greatest value, or that there is none."""
    facts = question.facts_of(name)
    if facts is None or ((facts.least is None or facts.greatest is None) and (facts.nulls is None or facts.nulls != question.facts.rows)):
        return None
    return facts


def _newest(question: Question, metric: LatestInstant | FutureCount, facts: ColumnFacts) -> Answer | None:
    """Known while nothing is in the future, which is compared as the statement compares it."""
    kind, newest = _kind(question, metric.column), facts.greatest
    if kind.group not in MOMENTS or (newest is not None and newest > kind.process_bind_param(question.at + FUTURE_TOLERANCE, _TYPED)):
        return None
    if isinstance(metric, FutureCount):
        return Answer(0, facts.because)
    return Answer(kind.process_result_value(newest, _TYPED), facts.because) if question.is_of_all_rows else None


def _is_inside(question: Question, metric: InvalidRangeCount, facts: ColumnFacts) -> bool:
    """True when no value breaks the bounds, compared as the statement compares them, and these are of the column's kind."""
    kind, limits = _kind(question, metric.column), [limit for limit in (metric.min, metric.max) if limit is not None]
    are_numbers = kind.group in NUMBERS
    if not (are_numbers or kind.group in MOMENTS) or any(isinstance(limit, Decimal) is not are_numbers for limit in limits):
        return False
    if metric.nan == "value" and nans_of(question, metric.column) != 0:
        return False
    try:
        low, high = (_bound(kind, limit) for limit in (metric.min, metric.max))
    except QueryFailed:
        return False
    least: Any = facts.least
    greatest: Any = facts.greatest
    if least is None:
        return True
    is_below = low is not None and (least <= low if metric.exclusive in ("min", "both") else least < low)
    is_above = high is not None and (greatest >= high if metric.exclusive in ("max", "both") else greatest > high)
    return not is_below and not is_above


def _are_listed(question: Question, metric: UnlistedCount, facts: ColumnFacts) -> bool:
    """True when the list has every whole number from the least to the greatest."""
    least, greatest = facts.least, facts.greatest
    if question.column(metric.column).group is not TypeGroup.INTEGER or not isinstance(least, int) or not isinstance(greatest, int):
        return False
    return greatest - least < len(metric.values) and {str(number) for number in range(least, greatest + 1)} <= set(metric.values)


def _bound(kind: Stored, limit: Decimal | str | datetime | None) -> Any:
    """A limit in the column's own representation. Raises QueryFailed for no ISO text."""
    if limit is None:
        return None
    return kind.process_bind_param(limit if isinstance(limit, Decimal) else moment(limit, kind.zone), _TYPED)


def _kind(question: Question, name: str) -> Stored:
    """The column's type as a statement has it."""
    return stored(typed({name: question.column(name)}, question.request.naive_timezone)[name])
