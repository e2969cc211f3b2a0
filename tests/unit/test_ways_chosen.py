"""When the ways by least and greatest value and by distinct values are taken, and what they ask for (each proved equal in contract)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from dqmon.core.capabilities import Capabilities
from dqmon.core.facts import TableFacts
from dqmon.core.measurement import Measurement, MetricRequest, Partition
from dqmon.core.plan import plan
from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.engine.rounds import Rounds
from dqmon.engine.ways import Question, steps
from dqmon.engine.ways.distinct_values import FEW
from dqmon.engine.ways.way import LARGE
from dqmon.sql import metrics as m
from dqmon.sql.compile import compile_scan, fits

AT = datetime(2026, 3, 1, tzinfo=UTC)
TABLE = TableRef("w", None, "main", "t")
COLUMNS = tuple(Column(group.value, group.value, group, True, place) for place, group in enumerate(TypeGroup, 1))
COLUMNAR, ROWWISE = Capabilities(is_columnar=True), Capabilities()
REGEX = m.InvalidPatternCount("text", pattern="^a")
RANGE = m.InvalidRangeCount("integer", min=Decimal(1))
PAST = Partition("date", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
ENDS, COUNTS, SAMPLES = "broken_extremes", "count_by_value", "sampled_values"


def question(metric: Any, caps: Capabilities = COLUMNAR, rows: int = LARGE, distinct: int | None = None, **request: Any) -> Question:
    about = {} if distinct is None else {column.name: distinct for column in COLUMNS}
    return Question(MetricRequest(TABLE, metric, **request), TableFacts(about_rows=rows, about_distinct=about), COLUMNS, caps, AT)


def walked(asked: Question, *found: Any) -> tuple[list[str], Any]:
    """The names of the metrics that the ways ask for one after the other when these are found, and the answer."""
    walk, names = steps(asked, ("bounds", "intervals", "distinct_values")), []
    try:
        wanted = next(walk)
        for value in found:
            names += [metric.name for metric in wanted]
            wanted = walk.send(dict.fromkeys(wanted, value))
    except StopIteration as end:
        return names, end.value
    return [*names, *(metric.name for metric in wanted)], "goes on"


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (question(RANGE), [ENDS]),
        (question(RANGE, rows=LARGE - 1), []),
        (question(RANGE, ROWWISE, distinct=2), []),
        (question(RANGE, where="x > 1"), []),
        (question(RANGE, partition=PAST), []),
        (question(RANGE, Capabilities(is_columnar=True, has_typed_columns=False)), []),
        (question(m.InvalidRangeCount("timestamp", max="2026-01-01")), [ENDS]),
        (question(m.InvalidRangeCount("other", max=Decimal(1))), []),
        (question(m.UnlistedCount("integer", values=("3", "1", "2", "01"))), [ENDS]),
        (question(m.UnlistedCount("integer", values=("1", "3"))), []),
        (question(m.UnlistedCount("integer", values=("1", "2", "200.0"))), []),
        (question(m.UnlistedCount("integer", values=("1", "true"))), []),
        (question(m.UnlistedCount("decimal", values=("1", "2"))), []),
        (question(m.ListedCount("integer", values=("-1", "999"))), ["between_extremes"]),
        (question(m.ListedCount("integer", values=("-1", "x"))), []),
        (question(m.ListedCount("decimal", values=("-1", "999"))), []),
        (question(m.ListedCount("date", values=("1900-01-01",))), ["between_extremes"]),
        (question(m.ListedCount("date", values=("1900-01-01", "never"))), []),
        (question(REGEX), [SAMPLES]),
        (question(REGEX, where="x > 1", partition=PAST), [SAMPLES]),
        (question(REGEX, distinct=FEW), [COUNTS]),
        (question(REGEX, distinct=FEW + 1), []),
        (question(REGEX, ROWWISE), []),
        (question(REGEX, ROWWISE, distinct=FEW), [COUNTS]),
        (question(REGEX, ROWWISE, distinct=FEW, where="x > 1"), []),
        (question(m.InvalidPatternCount("text", rule="like", pattern="a%"), distinct=2), []),
        (question(m.InvalidFormatCount("text", format="email"), ROWWISE, distinct=2), [COUNTS]),
        (question(m.InvalidLengthCount("text", min=1), distinct=2), []),
        (question(m.UnlistedCount("text", values=("a", "b")), distinct=2), []),
        (question(m.UnlistedCount("text", values=("a", "b", "c")), distinct=2), [COUNTS]),
        (question(m.UnlistedCount("text", values=("a", "b", "c")), ROWWISE, distinct=2), []),
        (question(m.UnlistedCount("text", values=("a",), ignore_case=True), ROWWISE, distinct=2), [COUNTS]),
        (question(m.UnlistedCount("decimal", values=tuple(map(str, range(15)))), distinct=2), []),
        (question(m.UnlistedCount("decimal", values=tuple(map(str, range(16)))), distinct=2), [COUNTS]),
        (question(m.MissingCount("text"), distinct=2), []),
        (question(m.MissingCount("text", missing_values=("", "-", "?")), distinct=2), [COUNTS]),
        (question(m.NonMissingCount("integer", missing_pattern="^9"), ROWWISE, distinct=2), [COUNTS]),
        (question(m.MissingCount("float", missing_pattern="^-0$"), distinct=2), []),
        (question(m.MissingCount("decimal", missing_pattern="00$"), distinct=2), []),
        (question(m.MissingCount("other", missing_pattern="^1 day"), distinct=2), []),
    ],
    ids=lambda value: value.request.metric.key[:60] if isinstance(value, Question) else "-".join(value) or "plain",
)
def test_a_way_is_taken_where_it_pays_and_equal_values_are_judged_alike(asked, wanted) -> None:
    assert walked(asked)[0] == wanted


def test_broken_ends_leave_a_list_to_its_values_and_many_values_to_the_rows() -> None:
    listed = question(m.UnlistedCount("integer", values=tuple(map(str, range(20)))))
    assert walked(listed, 0) == ([ENDS], walked(listed, 0)[1])
    assert walked(listed, 0)[1].value == 0
    assert walked(listed, 1, FEW + 1) == ([ENDS, SAMPLES], None)
    names, answer = walked(listed, 1, FEW, 7)
    assert (names, answer.value) == ([ENDS, SAMPLES, COUNTS], 7)


def test_a_sample_is_of_the_table_and_asked_for_once() -> None:
    asked = [question(REGEX, where="x > 1", partition=PAST), question(m.InvalidFormatCount("text", format="url"), where="y")]
    rounds = Rounds([q.request for q in asked], {q.request: q for q in asked}, ("distinct_values",))
    (sample,) = rounds.wanted
    assert sample == MetricRequest(TABLE, m.SampledValues("text"))
    (scan,) = plan([sample], lambda scan: fits(scan, COLUMNAR))
    statement = str(compile_scan(scan, COLUMNS, (), COLUMNAR, AT).statement.compile(compile_kwargs={"literal_binds": True}))
    assert "LIMIT 10000) AS dq_rows" in " ".join(statement.split())
    rounds.take({sample: (Measurement(sample, (), 5, None, AT, 0.0, "1"),)})
    assert {(r.metric.name, r.where, r.partition) for r in rounds.wanted} == {(COUNTS, "x > 1", PAST), (COUNTS, "y", None)}


def test_what_an_engine_has_in_its_statistics_is_asked_for_apart_and_a_column_s_rules_together() -> None:
    by_value = [m.CountByValue(rule) for rule in (REGEX, m.UnlistedCount("text", values=("a",)))]
    asked = [m.RowCount(), m.BrokenExtremes(RANGE), m.statistic("integer", "min"), m.statistic("text", "distinct_count"), *by_value]
    scans = plan([MetricRequest(TABLE, metric) for metric in asked], lambda scan: fits(scan, COLUMNAR))
    assert [(scan.kind.value, len(scan.metrics)) for scan in scans] == [("aggregate", 2), ("extremes", 1), ("grouped", 3)]


def test_the_values_of_a_rule_inside_a_metric_count_as_parameters() -> None:
    long = m.CountByValue(m.UnlistedCount("text", values=tuple(map(str, range(5_001)))))
    (scan,) = plan([MetricRequest(TABLE, long)], lambda scan: True)
    assert not fits(scan, COLUMNAR)
