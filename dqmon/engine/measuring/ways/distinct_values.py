"""Rules that cost much for each row are judged on the column's different values, where these are few.

The same condition runs over `select column, count(*) … group by column`; all rules of a column, its uniqueness and its number of
values have one such statement. How many values there are is only for choosing: with many, the answer is as right, and slower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.core.table import TypeGroup
from dqmon.engine.measuring.ways.way import Answer
from dqmon.sql.metrics import CountByValue, InvalidFormatCount, InvalidPatternCount, SampledValues
from dqmon.sql.metrics.counts import ColumnCount
from dqmon.sql.metrics.values import ValueCount

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from dqmon.core.metric import Metric, Value
    from dqmon.engine.measuring.ways.way import Question, Steps

FEW = 4_000
"""Values up to which grouping beats judging rows: in DuckDB a regular expression takes 10 times as long and more, a list of
six texts mostly 2 to 7 times, in files of DuckDB and Parquet; at 16,000 values 6 and 1.5 times, at 64,000 no more (3 M rows, two shared
cores, November 2026).
In a sample of 10,000 rows about 3,670 of 4,000 equally frequent values are seen, and 9,500 of 100,000."""

_TEXTS, _OTHERS = 3, 16
"""Values of a list, texts or not, from which on a columnar engine takes less time to group the column than to compare each row:
six texts 100 ms and 20 ms, four integers 5 and 9, eleven decimals 12 and 9, a hundred integers 41 and 10 (as FEW)."""


def steps(question: Question) -> Steps:
    """The sum of the rows of the values that count."""
    metric = question.request.metric
    if not isinstance(metric, ColumnCount) or not _is_dear(metric, question) or not (yield from _has_few(metric.column, question)):
        return None
    count = CountByValue(metric)
    values = yield (count,)
    return Answer(values[count], "each different value was judged once")


def _is_dear(metric: ColumnCount, question: Question) -> bool:
    """True when judging each row costs more than grouping the column does, and equal values are judged alike.

    In PostgreSQL 15 the grouping of 1 M rows takes 210 ms; each row's regular expression 270 ms, a format 220 to 590 ms, a list
    without case 900 ms, but a list of 60 texts 120 ms and a length 70 ms.
    """
    group, caps = question.column(metric.column).group, question.caps
    if not (question.is_large and caps.has_typed_columns) or not (caps.is_columnar or question.is_of_all_rows):
        return False
    if group is TypeGroup.OTHER or (metric.missing_pattern is not None and group in (TypeGroup.DECIMAL, TypeGroup.FLOAT)):
        return False  # 1.0 and 1.00, 0 and -0, or two JSON documents, may be equal and have different texts.
    match metric:
        case InvalidFormatCount() | InvalidPatternCount(rule="regex" | "not_regex") | ValueCount(ignore_case=True):
            return True
    compared = len(metric.missing_values) + (len(metric.values) if isinstance(metric, ValueCount) else 0)
    return metric.missing_pattern is not None or (caps.is_columnar and compared >= (_TEXTS if group is TypeGroup.TEXT else _OTHERS))


def _has_few(column: str, question: Question) -> Generator[tuple[Metric, ...], Mapping[Metric, Value], bool]:
    """By what is known of the table, else by a sample, in engines that read the column alone for it."""
    known = question.facts.about_distinct.get(question.column(column).name)
    if known is None and question.caps.is_columnar:
        sample = SampledValues(column)
        found = (yield (sample,))[sample]
        known = found if isinstance(found, int) else None
    return known is not None and known <= FEW
