"""Range by the least and the greatest value: bad rows are counted only when there are any."""

from __future__ import annotations

from dqmon.engine.ways.way import Answer, Question, Steps
from dqmon.sql.columns import MOMENTS, NUMBERS
from dqmon.sql.metrics import BrokenExtremes, InvalidRangeCount


def steps(question: Question) -> Steps:
    """0 when neither the least nor the greatest value breaks the bounds; else it cannot be told how many do.

    The engine compares both as it compares each row. Values that stand for a missing one may lie outside: then it cannot be
    told, nor where there is a NaN.
    """
    metric = question.request.metric
    if not isinstance(metric, InvalidRangeCount) or not has_cheap_ends(question, metric.column):
        return None
    broken = BrokenExtremes(metric)
    values = yield (broken,)
    return Answer(0, "least and greatest value are inside the bounds") if values[broken] == 0 else None


def has_cheap_ends(question: Question, column: str) -> bool:
    """True where an engine has the least and the greatest value of a whole column in its statistics, or reads the column alone."""
    is_ordered = question.column(column).group in NUMBERS | MOMENTS
    caps = question.caps
    return is_ordered and caps.is_columnar and caps.has_typed_columns and question.is_large and question.is_of_all_rows
