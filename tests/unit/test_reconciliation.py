"""Reconciliation without a warehouse: options, arithmetic, wording; differing groups against brute force."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hand_made import NOW, TYPES, check
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dqmon.checks.base.differences import Measure, differences
from dqmon.core.check import Check, SourceLine
from dqmon.core.check_type import DatasetCheck
from dqmon.core.judgement import Evidence, Expected, Judgement, Observed
from dqmon.core.measurement import Failure, FailureKind, Measurement, MetricRequest, Partition
from dqmon.core.metric import Key, Metric, Totals, Value
from dqmon.core.plan import plan
from dqmon.core.table import TableRef
from dqmon.core.verdict import Dimension, Unit, Verdict
from dqmon.engine.judging.judge import Knowledge, judge
from dqmon.engine.measuring.asked import Run, Task, requests
from dqmon.sql.metrics import RowCount, Sum, TotalsByKey
from dqmon.sql.metrics.totals import key_text

TO = {"dataset": "b"}


def judged(declared: Check, here: list[Any], there: list[Any]) -> Judgement:
    """The judgement of the metrics' values, in their order, on both sides."""
    metrics, others = declared.rule.metrics(declared), declared.rule.other_requests(declared, None)
    values = dict(zip(metrics, here, strict=True))
    return declared.rule.judge(declared, Evidence(values, NOW, NOW, others=dict(zip(others, there, strict=True))))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"metrics": ["avg(x)"]}, "metrics: 'avg(x)' is none; write row_count, or count, sum"),
        ({"metrics": ["sum(a + b)"]}, "metrics: 'sum(a + b)' is none"),
        ({"metrics": ["sum()"]}, "metrics: 'sum()' is none"),
        ({"metrics": ["row_count", "row_count"]}, "metrics names row_count twice"),
        ({"compare_by": ["a", "a"]}, "compare_by names a twice"),
        ({"to": {"dataset": "a..b"}}, "to: 'a..b' is not a dataset"),
        ({"to": {"dataset": "b", "warehouse": "shop"}}, "to: b is in another warehouse; write its schema, too: schema.b"),
        ({"to": {"dataset": "b", "filter": "drop table b"}}, "to: filter: the SQL 'drop table b'"),
        ({"to": {"dataset": "b", "naive_timezone": "Narnia"}}, "to: there is no time zone 'Narnia'"),
        ({"to": {"dataset": "b", "naive_timezone": "../UTC"}}, "to: there is no time zone '../UTC'"),
        ({"to": {"dataset": "t"}}, "to: t is this dataset itself, with the same filter"),
    ],
)
def test_what_is_wrong_with_options(options: dict[str, Any], problem: str) -> None:
    declared = check("reconciliation", **{"to": TO, **options})
    found = declared.rule.problems(declared)
    assert any(problem in sentence for sentence in found), f"found {found}, expected a sentence with {problem!r}"


@pytest.mark.parametrize(
    "options",
    [{}, {"to": {}}, {"to": TO, "metrics": []}, {"to": TO, "max_keys": 0}, {"to": TO, "max_keys": 10**7}, {"to": {**TO, "column": "x"}}],
)
def test_options_that_are_refused_as_they_are_read(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TYPES.get("reconciliation")(**options)


def test_a_second_filter_or_schema_makes_another_side_of_the_same_table() -> None:
    for to in ({"dataset": "t", "filter": "a > 0"}, {"dataset": "other.t"}, {"dataset": "s.t", "warehouse": "shop"}):
        declared = check("reconciliation", to=to)
        assert declared.rule.problems(declared) == ()


def test_segments_are_refused_where_two_tables_are_measured_apart() -> None:
    for declared in (
        check("reconciliation", to=TO),
        check("relationship", column="x", to={"dataset": "p.b", "warehouse": "shop", "column": "y"}),
    ):
        assert any("segment_by: null" in sentence for sentence in declared.rule.problems(replace(declared, segment_by=("a",))))


def test_both_sides_are_asked_the_same_of_their_own_table() -> None:
    day = Partition("day", NOW, NOW)
    to = {"dataset": "public.b", "warehouse": "shop", "filter": "ok", "naive_timezone": "Asia/Tokyo"}
    declared = check("reconciliation", to=to, metrics=["row_count", 'sum("a ""b""")', "sum( c )"])
    found = declared.rule.other_requests(declared, day)
    assert [request.metric for request in found] == [RowCount(), Sum('a "b"'), Sum("c")] == list(declared.rule.metrics(declared))
    assert {(r.table, r.where, r.partition, r.naive_timezone) for r in found} == {
        (TableRef("shop", None, "public", "b"), "ok", day, "Asia/Tokyo")
    }
    (grouped,) = (by_day := check("reconciliation", to=TO, compare_by=["day"])).rule.other_requests(by_day, None)
    assert (grouped.metric, grouped.table) == (TotalsByKey(10_000, ("day",), (RowCount(),)), TableRef("main", None, "s", "b"))


def test_totals_are_one_scan_for_each_partition_and_shared_by_checks() -> None:
    table, metric = TableRef("main", None, "s", "t"), TotalsByKey(10, ("a",), (RowCount(),))
    days = [Partition("day", NOW + timedelta(days=i), NOW + timedelta(days=i + 1)) for i in range(2)]
    requests = [MetricRequest(table, metric, None, day) for day in (*days, *days)]
    assert [scan.partitions for scan in plan(requests, lambda _: True)] == [(day,) for day in days]


class _Both(DatasetCheck):
    """Shows what it is given: its own row count and that of another table."""

    type: ClassVar[str] = "both"
    dimension: ClassVar[Dimension] = Dimension.VOLUME
    unit: ClassVar[Unit] = Unit.ROWS

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        return (RowCount(),)

    def other_requests(self, check: Check, partition: Partition | None) -> tuple[MetricRequest, ...]:
        return (MetricRequest(TableRef("shop", None, "public", "t"), RowCount(), None, partition),)

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        (other,) = self.other_requests(check, evidence.partition)
        seen = f"{evidence.segment}: {evidence.values[RowCount()]} and {evidence.others[other]}"
        return Judgement(Verdict.PASS, Observed(0, Unit.ROWS), Expected(), seen)


def test_equal_metrics_of_two_tables_do_not_clash_and_each_segment_has_the_other_tables() -> None:
    declared = Check("id", _Both(), TableRef("main", None, "s", "t"), None, SourceLine("a.yaml", 1), segment_by=("c",))
    task = Task(declared, NOW)
    own, other = requests(task, None)
    assert (own.table.warehouse, own.segment_by, other.table.warehouse, other.segment_by) == ("main", ("c",), "shop", ())
    found = [Measurement(own, (("c", name),), rows, None, NOW, 0, "1") for name, rows in (("x", 1), ("y", 2))]
    measured = {own: tuple(found), other: (Measurement(other, (), 7, None, NOW + timedelta(hours=1), 0, "2"),)}
    results = judge(task, Run("run"), measured, Knowledge(), lambda: "result")
    assert [result.reason for result in results] == ["(('c', 'x'),): 1 and 7", "(('c', 'y'),): 2 and 7"]
    assert {result.measured_at for result in results} == {NOW + timedelta(hours=1)}
    measured[other] = (Measurement(other, (), None, Failure(FailureKind.UNREACHABLE, "shop is away"), NOW, 0, "2"),)
    (result,) = judge(task, Run("run"), measured, Knowledge(), lambda: "result")
    assert (result.verdict, result.reason) == (Verdict.ERROR, "shop is away")


@pytest.mark.parametrize(
    ("fail_if", "here", "there", "expected"),
    [
        ("> 0", 100, 100, ("pass", 0, 0.0)),
        ("> 0", 100, 99, ("fail", 1, 0.01)),
        ("> 1%", 100, 99, ("pass", 1, 0.01)),
        ("> 1%", 100, 101, ("pass", 1, 0.01)),
        ("> 1%", 80, 81, ("fail", 1, 0.0125)),
        ("> 1000%", 0, 1, ("fail", 1, None)),
        ("> 1000%", 0, 0, ("pass", 0, 0.0)),
        ("> 0", Decimal("1" + "0" * 37 + ".1"), Decimal("1" + "0" * 37), ("fail", Decimal("0.1"), 1e-38)),  # more than 28 digits
        ("> 0", 0.1, Decimal("0.1"), ("pass", 0, 0.0)),
        ("> 0", -5, 5, ("fail", 10, 2.0)),
        ("> 0", None, 0, ("pass", 0, 0.0)),
        ("> 0", 1e308, -1e308, ("fail", Decimal("2e308"), 2.0)),
        ("> 0", float("inf"), float("inf"), ("pass", 0, 0.0)),
        ("> 0", float("inf"), 1, ("fail", None, None)),
    ],
)
def test_a_difference_against_a_limit(fail_if: str, here: Value, there: Value, expected: tuple[str, Value, float | None]) -> None:
    judgement = judged(check("reconciliation", to=TO, metrics=["sum(x)"], fail_if=fail_if), [here], [there])
    observed = judgement.observed
    assert (str(judgement.verdict), observed.value, observed.ratio) == expected, judgement.reason
    assert "\n" not in judgement.reason
    assert judgement.expected.text


@pytest.mark.parametrize(("here", "there", "verdict"), [(None, None, Verdict.PASS), (None, 1, Verdict.FAIL), (1, None, Verdict.FAIL)])
def test_a_least_value_on_one_side_alone_is_beyond_any_limit(here: Value, there: Value, verdict: Verdict) -> None:
    judgement = judged(check("reconciliation", to=TO, metrics=["min(x)"], fail_if="> 1000"), [here], [there])
    assert judgement.verdict is verdict
    assert "nothing" in judgement.reason


def test_the_worst_verdict_is_shown_before_the_largest_difference() -> None:
    declared = check("reconciliation", to=TO, metrics=["row_count", "sum(x)"], warn_if="> 0%", fail_if="between 2 and 5")
    judgement = judged(declared, [10, 100], [7, 50])
    assert (judgement.verdict, judgement.observed.value, str(judgement.observed.unit)) == (Verdict.FAIL, 3, "rows")


def test_groups_are_named_shortly_on_one_line() -> None:
    declared = check("reconciliation", to=TO, compare_by=["name"])
    here = Totals({("x" * 400 + "\n",): (1,), (None,): (1,), ("",): (1,)})
    judgement = judged(declared, [here], [Totals({})])
    assert "name NULL: row_count is 1 here and 0 there (100 %)" in judgement.reason
    assert "\n" not in judgement.reason
    assert len(judgement.reason) < 400


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, Decimal("1.00")), (1.5, Decimal("1.50")), (True, 1), (-0.0, 0), (1e22, Decimal(10**22)), (float("nan"), Decimal("NaN"))],
)
def test_equal_values_of_two_engines_are_one_key(one: object, other: object) -> None:
    assert key_text(one) == key_text(other)


@pytest.mark.parametrize(
    ("one", "other"), [(None, "None"), (None, ""), ("a", "A"), ("a", "a "), (Decimal(1) / 3, 1 / 3), (10**37, 10**37 + 1)]
)
def test_different_values_are_different_keys(one: object, other: object) -> None:
    assert key_text(one) != key_text(other)


rows = st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from(["x", None]), st.integers(-3, 3)), max_size=8)


def side(of: list[tuple[str | None, str | None, int]]) -> dict[Key, tuple[Value, ...]]:
    """As a warehouse groups it."""
    by_key: dict[Key, list[int]] = {}
    for first, second, number in of:
        by_key.setdefault((first, second), []).append(number)
    return {key: (len(numbers), sum(numbers), min(numbers)) for key, numbers in by_key.items()}


@given(here=rows, there=rows)
def test_the_differing_groups_are_those_of_brute_force(here: list[Any], there: list[Any]) -> None:
    measures = (Measure("row_count", is_total=True), Measure("sum(n)", is_total=True), Measure("min(n)", is_total=False))
    found = {(one.group, one.measure.label) for one in differences(side(here), side(there), measures) if one.amount}
    expected = set()
    for key in [(a, b) for a in ("a", "b", None) for b in ("x", None)]:
        mine = [n for *group, n in here if tuple(group) == key]
        theirs = [n for *group, n in there if tuple(group) == key]
        compared = [
            ("row_count", len(mine), len(theirs)),
            ("sum(n)", sum(mine), sum(theirs)),
            ("min(n)", sorted(mine)[:1], sorted(theirs)[:1]),
        ]
        expected |= {(key, label) for label, a, b in compared if a != b}
    assert found == expected
    verdict = judged(
        check("reconciliation", to=TO, metrics=["row_count", "sum(n)", "min(n)"], compare_by=["a", "b"]),
        [Totals(side(here))],
        [Totals(side(there))],
    )
    assert (verdict.verdict is Verdict.FAIL) == bool(expected), verdict.reason
    number = len({key for key, _ in expected})
    assert not expected or verdict.reason.startswith(f"{number} of ")
