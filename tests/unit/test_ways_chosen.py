"""When the way by distinct values is taken, and what it asks for (each proved equal in contract)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dqmon.core.capabilities import Capabilities
from dqmon.core.facts import TableFacts
from dqmon.core.measurement import Measurement, MetricRequest, Partition
from dqmon.core.plan import plan
from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.engine.measuring.rounds import Rounds
from dqmon.engine.measuring.ways import Question, steps
from dqmon.engine.measuring.ways.distinct_values import FEW
from dqmon.engine.measuring.ways.way import LARGE
from dqmon.sql import metrics as m
from dqmon.sql.compile import compile_scan, fits

AT = datetime(2026, 3, 1, tzinfo=UTC)
TABLE = TableRef("w", None, "main", "t")
COLUMNS = tuple(Column(group.value, group.value, group, True, place) for place, group in enumerate(TypeGroup, 1))
COLUMNAR, ROWWISE = Capabilities(is_columnar=True), Capabilities()
REGEX = m.InvalidPatternCount("text", pattern="^a")
PAST = Partition("date", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
COUNTS, SAMPLES = "count_by_value", "sampled_values"


def question(metric: Any, caps: Capabilities = COLUMNAR, rows: int = LARGE, distinct: int | None = None, **request: Any) -> Question:
    about = {} if distinct is None else {column.name: distinct for column in COLUMNS}
    return Question(MetricRequest(TABLE, metric, **request), TableFacts(about_rows=rows, about_distinct=about), COLUMNS, caps, AT)


def walked(asked: Question, *found: Any) -> tuple[list[str], Any]:
    """The names of the metrics that the ways ask for one after the other when these are found, and the answer."""
    walk, names = steps(asked, ("distinct_values",)), []
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


def test_a_list_is_judged_on_its_values_when_the_sample_has_few_of_them() -> None:
    listed = question(m.UnlistedCount("integer", values=tuple(map(str, range(20)))))
    assert walked(listed, FEW + 1) == ([SAMPLES], None)
    names, answer = walked(listed, FEW, 7)
    assert (names, answer.value) == ([SAMPLES, COUNTS], 7)


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


def test_a_column_s_rules_are_asked_for_together() -> None:
    by_value = [m.CountByValue(rule) for rule in (REGEX, m.UnlistedCount("text", values=("a",)))]
    asked = [m.RowCount(), m.statistic("integer", "min"), m.statistic("text", "distinct_count"), *by_value]
    scans = plan([MetricRequest(TABLE, metric) for metric in asked], lambda scan: fits(scan, COLUMNAR))
    assert [(scan.kind.value, len(scan.metrics)) for scan in scans] == [("aggregate", 2), ("grouped", 3)]


def test_the_values_of_a_rule_inside_a_metric_count_as_parameters() -> None:
    long = m.CountByValue(m.UnlistedCount("text", values=tuple(map(str, range(5_001)))))
    (scan,) = plan([MetricRequest(TABLE, long)], lambda scan: True)
    assert not fits(scan, COLUMNAR)
