"""Values that follow from what is certain of a table (`TableFacts`): `catalogue` and `footers` say who may say it.

What holds of all rows (nothing is NULL, no key repeats, no value is outside of the bounds) holds of those under a filter or in
a partition; a number other than 0 is that of the whole table only. Where a number of rows is needed that is not known, `count(*)`
is asked for, which the table's one statement answers with next to nothing; so the filter is run, and fails if it is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

from dqmon.core.metric import Metric, Value
from dqmon.core.table import TypeGroup
from dqmon.engine.measuring.ways.way import Answer, Question, Steps
from dqmon.sql.metrics import CompleteKeyCount, NonMissingCount, RowCount

if TYPE_CHECKING:
    from dqmon.core.facts import UniqueKey
    from dqmon.sql.metrics.counts import ColumnCount
    from dqmon.sql.metrics.distinct import DistinctCount
    from dqmon.sql.metrics.keys import KeyedRows
    from dqmon.sql.metrics.statistics import NullRatio

_Count = Generator[tuple[Metric, ...], Mapping[Metric, Value], int]


def proof(question: Question) -> Steps:
    """The answer that follows from the table's facts, asking for counts of rows at most; None where it does not follow."""
    metric = question.request.metric
    found = yield from _BY_NAME[metric.name](question, metric)
    return found


def nans_of(question: Question, name: str) -> int | None:
    """How many values of the whole column the engine tells from others as NaN."""
    if not question.caps.has_nan or question.column(name).group not in (TypeGroup.FLOAT, TypeGroup.DECIMAL):
        return 0
    facts = question.facts_of(name)
    return facts.nans if facts else None


def _nulls_of(question: Question, name: str) -> int | None:
    facts = question.facts_of(name)
    return facts.nulls if facts else None


def _because(question: Question, *names: str) -> str:
    found = (question.facts_of(name) for name in names)
    return " and ".join(dict.fromkeys(facts.because for facts in found if facts))


def _rows(question: Question) -> _Count:
    """How many rows the request is of."""
    if question.is_of_all_rows and question.facts.rows is not None:
        return question.facts.rows
    return (yield from _measured(RowCount()))


def _measured(metric: Metric) -> _Count:
    values = yield (metric,)
    count = values[metric]
    assert isinstance(count, int)  # noqa: S101 - for the type checker: counts are
    return count


def _row_count(question: Question, metric: RowCount) -> Steps:
    del metric
    if not question.is_of_all_rows or question.facts.rows is None:
        return None
    yield from ()
    return Answer(question.facts.rows, question.facts.rows_because)


def _missing(question: Question, metric: ColumnCount) -> Steps:
    """Missing or not missing rows, where NULL and NaN are all that is missing."""
    nulls, nans = _nulls_of(question, metric.column), nans_of(question, metric.column) if metric.nan == "missing" else 0
    if metric.missing_values or metric.missing_pattern is not None or nulls is None or nans is None:
        return None
    missing = nulls + nans
    if missing and not question.is_of_all_rows:
        return None
    is_wanted = metric.name == "missing_count"
    return Answer(missing if is_wanted else (yield from _rows(question)) - missing, _because(question, metric.column))


def _null_ratio(question: Question, metric: NullRatio) -> Steps:
    nulls = _nulls_of(question, metric.column)
    if nulls is None or (nulls and not question.is_of_all_rows):
        return None
    rows = yield from _rows(question)
    return Answer(metric.decode(nulls / rows) if rows else None, _because(question, metric.column))


def _complete(question: Question, metric: CompleteKeyCount) -> Steps:
    """Rows without NULL in the columns, of which at most one has any."""
    nulls = [_nulls_of(question, name) for name in metric.columns]
    known = [count for count in nulls if count is not None]
    if len(known) < len(nulls) or sum(map(bool, known)) > 1 or (any(known) and not question.is_of_all_rows):
        return None
    rows = yield from _rows(question)
    return Answer(rows - sum(known), _because(question, *metric.columns))


def _of_key(question: Question, metric: KeyedRows) -> Steps:
    """No key repeats: there are as many keys as rows that have one."""
    key = _unique(question, metric.columns)
    is_complete = all(_nulls_of(question, name) == 0 for name in (key.columns if key else ()))
    if key is None or (metric.nulls == "equal" and not is_complete):
        return None
    if metric.name in ("surplus_rows", "duplicated_keys"):
        return Answer(0, key.because)
    is_full = metric.nulls == "equal" or all(_nulls_of(question, name) == 0 for name in metric.columns)
    return Answer((yield from _rows(question) if is_full else _measured(CompleteKeyCount(metric.columns))), key.because)


def _distinct(question: Question, metric: DistinctCount) -> Steps:
    """Each value is there once."""
    key = _unique(question, (metric.column,))
    if key is None:
        return None
    is_full = _nulls_of(question, metric.column) == 0 and nans_of(question, metric.column) == 0
    values = yield from _rows(question) if is_full else _measured(NonMissingCount(metric.column))
    return Answer((values if metric.name == "distinct_count" else 1.0) if values else None, key.because)


def _unique(question: Question, names: tuple[str, ...]) -> UniqueKey | None:
    """A key among the columns: what no two rows share in some columns, they do not share in more."""
    columns = {question.column(name).name for name in names}
    return next((key for key in question.facts.keys if key.columns <= columns), None)


def _elsewhere(question: Question, metric: Metric) -> Steps:
    """What follows from the least and the greatest value; imported when it is asked for."""
    from dqmon.engine.measuring.ways import extremes

    yield from ()
    return extremes.answer(question, metric)


_BY_NAME: dict[str, Callable[[Question, Any], Steps]] = {
    "row_count": _row_count,
    "missing_count": _missing,
    "non_missing_count": _missing,
    "null_ratio": _null_ratio,
    "complete_key_count": _complete,
    **dict.fromkeys(("keyed_rows", "distinct_keys", "surplus_rows", "duplicated_keys"), _of_key),
    **dict.fromkeys(("distinct_count", "distinct_ratio"), _distinct),
    **dict.fromkeys(("invalid_range_count", "unlisted_count", "min", "max", "latest_instant", "future_count"), _elsewhere),
}
