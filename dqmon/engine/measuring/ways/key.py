"""What the ways to a key's copies have in common: which keys they are for, and what follows for each metric of the key.

All metrics of one key ask for the same in the same rounds, so that nothing is measured twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.core.metric import Totals
from dqmon.core.metric_kinds import GroupedMetric
from dqmon.core.table import TypeGroup
from dqmon.engine.measuring.ways.proof import nans_of
from dqmon.engine.measuring.ways.way import Answer
from dqmon.sql.metrics import CompleteKeyCount, NonMissingCount
from dqmon.sql.metrics.keys import KeyMetric

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dqmon.core.metric import Metric, Value
    from dqmon.engine.measuring.ways.way import Question

MOST_COPIES = 1_000
"""Keys with copies, or hashes of keys, that are listed at most: a unique key has none, a mistake a few, and a column of few values many."""


def key_of(question: Question, way: str) -> tuple[str, ...] | None:
    """The key that the request is of; None where the way is not for it.

    It is for large tables of engines where it pays, for rows without NULL in the key, and for types that have one equality and
    one order throughout an engine: lists, documents and intervals are left out.
    """
    metric = question.request.metric
    if not isinstance(metric, GroupedMetric) or not question.is_large or way not in question.caps.key_ways:
        return None
    if isinstance(metric, KeyMetric) and metric.nulls == "equal":
        return None
    return metric.keys if all(question.column(name).group is not TypeGroup.OTHER for name in metric.keys) else None


def counts(question: Question) -> tuple[Metric, ...]:
    """The rows that the answer is counted from; the table's fused statement has them for next to nothing."""
    match question.request.metric:
        case GroupedMetric(name="keyed_rows" | "distinct_keys") as metric:
            return (CompleteKeyCount(metric.keys),)
        case GroupedMetric(name="distinct_count" | "distinct_ratio") as metric:
            return (NonMissingCount(metric.keys[0]),)
    return ()


def answer(question: Question, values: Mapping[Metric, Value], found: tuple[int, int | None], way: str) -> Answer | None:
    """What follows from (surplus rows, keys with copies) and the `counts`; None where it does not follow."""
    surplus, copied = found
    metric = question.request.metric
    match metric.name:
        case "surplus_rows":
            return Answer(surplus, way)
        case "duplicated_keys":
            return None if copied is None else Answer(copied, way)
    (counted,) = counts(question)
    rows = values[counted]
    assert isinstance(rows, int)  # noqa: S101 - for the type checker: counts are
    match metric.name:
        case "keyed_rows":
            return Answer(rows, way)
        case "distinct_keys":
            return Answer(rows - surplus, way)
    if surplus and nans_of(question, *counted.columns) != 0:
        return None  # Among the surplus rows are those of NaN, which is no value here.
    distinct = rows - surplus
    return Answer((distinct if metric.name == "distinct_count" else metric.decode(distinct / rows)) if rows else None, way)


def pair(copies: Value) -> tuple[int, int] | None:
    """(surplus rows, keys with copies) of a measured `Copies`."""
    if not isinstance(copies, Totals):
        return None
    surplus, copied = copies.by_key[()]
    assert isinstance(surplus, int) and isinstance(copied, int)  # noqa: S101, PT018 - for the type checker: they are
    return surplus, copied
