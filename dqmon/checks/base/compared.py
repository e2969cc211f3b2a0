"""What `metrics:` of a reconciliation may say: `row_count`, or count, sum, min or max of a column."""

from __future__ import annotations

import re

from dqmon.checks.base.differences import Measure
from dqmon.core.metric_kinds import AggregateMetric
from dqmon.sql.metrics import Greatest, Least, NonMissingCount, RowCount, Sum

_MEASURE = re.compile(r'(count|sum|min|max)\(\s*(?:"((?:[^"]|"")+)"|([^"()\s]+))\s*\)')


def is_metric(text: str) -> bool:
    """True when it is one of them."""
    return text == "row_count" or _MEASURE.fullmatch(text) is not None


def aggregate(text: str) -> AggregateMetric:
    """What is measured for it."""
    match _parts(text):
        case "count", column:
            return NonMissingCount(column)
        case "sum", column:
            return Sum(column)
        case "min", column:
            return Least(column)
        case "max", column:
            return Greatest(column)
        case _:
            return RowCount()


def measure(text: str) -> Measure:
    """How its values are compared."""
    word, _ = _parts(text)
    return Measure(text, word not in ("min", "max"), word in ("row_count", "count"))


def _parts(text: str) -> tuple[str, str]:
    """The aggregate's word and its column."""
    found = _MEASURE.fullmatch(text)
    return (found[1], found[3] or found[2].replace('""', '"')) if found else (text, "")
