"""Statistics, queries and their anomalies: verdicts at the bound, and the sentences."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hand_made import NOW, TYPES, check, judge
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dqmon.checks.base.words import near
from dqmon.core.check import Check
from dqmon.core.history import History, Point
from dqmon.core.plan import plan
from dqmon.core.threshold import parse_threshold
from dqmon.core.verdict import Unit, Verdict
from dqmon.errors import QueryFailed
from dqmon.sql.metrics import BrokenConditionCount, ReturnedRows, ReturnedValue, RowCount, statistic
from dqmon.sql.metrics.numbers import as_number

WORDS = ("min", "max", "sum", "avg", "stddev", "median", "distinct_count", "distinct_ratio", "null_ratio")


def judged(value: Any, metric: str = "avg", **thresholds: str) -> Any:
    declared = check("statistic", column="x", metric=metric, **thresholds)
    return judge(declared, {statistic("x", metric): value})


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        (check("statistic", column="x", metric="avg"), "avg of x has no limit; write warn_if: or fail_if:"),
        (check("statistic", fail_if="> 1", column="x", metric="quantile"), "metric: quantile needs q:"),
        (check("statistic", fail_if="> 1", column="x", metric="median", q=0.5), "q: belongs to metric: quantile, not to median"),
        (check("metric_anomaly", column="x", metric="quantile"), "metric: quantile needs q:"),
        (check("metric_anomaly", column="x", metric="avg", warn_per_year=1), "is not above false_alerts_per_year"),
        (check("metric_anomaly", column="x", metric="avg", method="crystal_ball"), "there is no method 'crystal_ball'"),
        (check("condition", expression=""), "expression: the SQL '' is empty"),
        (check("condition", expression="a = 1; drop table t"), "expression: the SQL 'a = 1; drop table t' has a semicolon"),
        (check("condition", expression="sum(a) > 1"), "looks at more than one row"),
        (check("condition", expression="select 1"), "is no condition"),
        (check("sql", query="delete from {dataset}"), "query: the SQL 'delete from {dataset}' has a delete statement"),
        (check("sql", query="select '{dataset}'"), "{dataset} inside of a text or a name"),
        (check("sql", query="select 1", expect="value"), "expect: value has no limit"),
    ],
)
def test_what_is_wrong_with_options(declared: Check, problem: str) -> None:
    found = declared.rule.problems(declared)
    assert any(problem in sentence for sentence in found), f"found {found}, expected a sentence with {problem!r}"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("statistic", {"column": "x"}),
        ("statistic", {"column": "x", "metric": "mean"}),
        ("statistic", {"column": "x", "metric": "quantile", "q": 1.01}),
        ("statistic", {"column": "x", "metric": "quantile", "q": -0.01}),
        ("statistic", {"column": "x", "metric": "quantile", "q": float("nan")}),
        ("metric_anomaly", {"column": "x", "metric": "avg", "direction": "sideways"}),
        ("metric_anomaly", {"metric": "avg"}),
        ("condition", {}),
        ("condition", {"expression": "a", "nulls": "invalid"}),
        ("condition", {"expression": 1}),
        ("sql", {}),
        ("sql", {"query": "select 1", "expect": "table"}),
    ],
)
def test_options_that_are_refused(kind: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TYPES.get(kind)(**options)


@pytest.mark.parametrize("good", [check("condition", expression="a < b"), check("sql", query="select * from {dataset} where a > b")])
def test_what_is_right_has_no_problem(good: Check) -> None:
    assert good.rule.problems(good) == ()


@pytest.mark.parametrize(
    ("value", "thresholds", "verdict"),
    [
        (0.1, {"fail_if": "> 0.1"}, Verdict.PASS),
        (0.1, {"fail_if": ">= 0.1"}, Verdict.FAIL),
        (0.3, {"fail_if": "= 0.3"}, Verdict.FAIL),
        (Decimal("0.30"), {"fail_if": "!= 0.3"}, Verdict.PASS),
        (Decimal("0.3000000000000000000001"), {"fail_if": "> 0.3"}, Verdict.FAIL),
        (2**70, {"fail_if": "!= 1180591620717411303424"}, Verdict.PASS),
        (5, {"warn_if": "> 4", "fail_if": "> 5"}, Verdict.WARN),
        (6, {"warn_if": "> 4", "fail_if": "> 5"}, Verdict.FAIL),
        (6, {"warn_if": "> 4"}, Verdict.WARN),
        (19.99, {"fail_if": "not between 20 and 60"}, Verdict.FAIL),
        (20, {"fail_if": "not between 20 and 60"}, Verdict.PASS),
        (float("inf"), {"fail_if": "> 5"}, Verdict.FAIL),
        (float("-inf"), {"fail_if": "> 5"}, Verdict.PASS),
        (None, {"fail_if": "= 0"}, Verdict.SKIPPED),
    ],
)
def test_values_are_judged_exactly(value: Any, thresholds: dict[str, str], verdict: Verdict) -> None:
    judgement = judged(value, **thresholds)
    assert (judgement.verdict, judgement.observed.value, judgement.observed.unit) == (verdict, value, Unit.VALUE)
    assert judgement.observed.ratio is None
    assert judgement.is_no_data == (value is None)


def test_reasons_and_expectations_are_sentences() -> None:
    judgement = judged(12.345678901, fail_if="not between 20 and 60")
    assert judgement.reason == "avg of x is 12.3457; fails outside 20 to 60"
    assert (judgement.expected.low, judgement.expected.high, judgement.expected.text) == (20.0, 60.0, "between 20 and 60")
    assert judged(0, metric="sum", fail_if="> 0").expected.text == "at most 0"
    assert judged(1234567.891, warn_if="> 5").reason == "avg of x is 1,234,567.89; warns above 5"
    assert judged(None, metric="stddev", fail_if="> 0").reason == "fewer than two rows have a value of x"


@pytest.mark.parametrize(
    ("value", "bound", "text"),
    [
        ("20.0000001", "> 20", "20.0000001"),
        ("20.00001", "> 30", "20"),
        ("0.00012345678", "> 1", "0.000123457"),
        ("1E-30", "> 1", "0." + "0" * 29 + "1"),
        ("1.5E-31", "> 1", "1.5e-31"),
        ("1E+5000", "> 1", "1e+5000"),
        ("-1234.5", "> 1", "-1,234.5"),
        ("0", "> 1", "0"),
        ("Infinity", "> 1", "infinite"),
        ("-Infinity", "> 1", "minus infinite"),
        ("1E+30", "> 1", f"{10**30:,}"),
    ],
)
def test_numbers_are_short_but_never_say_a_bound_that_they_are_not(value: str, bound: str, text: str) -> None:
    assert near(Decimal(value), parse_threshold(bound)) == text


@given(st.floats(allow_nan=False), st.floats(allow_nan=False, allow_infinity=False))
def test_any_value_is_judged_as_its_shortest_decimal(value: float, bound: float) -> None:
    judgement = judged(value, fail_if=f"> {bound!r}")
    met = value > 0 if abs(value) == float("inf") else Fraction(repr(value)) > Fraction(repr(bound))
    assert judgement.verdict is (Verdict.FAIL if met else Verdict.PASS)
    assert "\n" not in judgement.reason


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (None, None), (3, 3), (True, 1), (0.5, 0.5), (Decimal("3.00"), Decimal("3.00")), (Decimal(300), 300), ("7", 7), ("0.10", Decimal("0.10")),
        ("Infinity", Decimal("Infinity")), (float("inf"), float("inf")),
    ],
)  # fmt: skip
def test_drivers_numbers_become_exact_ones(raw: object, number: object) -> None:
    found = as_number(raw)
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize("raw", ["abc", "1/2", "1/0", "", float("nan"), Decimal("NaN"), "NaN", "sNaN", timedelta(1), b"x", [1]])
def test_what_is_no_number_is_an_error_in_words(raw: object) -> None:
    with pytest.raises(QueryFailed, match="a number is needed, the answer is"):
        as_number(raw)


def test_computed_floats_are_rounded_and_stored_ones_are_not() -> None:
    assert statistic("x", "avg").decode(0.1 + 0.2) == 0.3
    assert statistic("x", "median").decode(0.15000000000000002) == 0.15
    assert statistic("x", "avg").decode("60.30/3") == Decimal("20.1")
    assert statistic("x", "avg").decode("Infinity/2") == Decimal("Infinity")
    assert statistic("x", "max").decode(0.1 + 0.2) == 0.1 + 0.2


@pytest.mark.parametrize("word", WORDS)
def test_each_statistic_has_a_name_and_a_series_of_its_own(word: str) -> None:
    keys = {statistic("x", other).key for other in WORDS if other != word}
    assert statistic("x", word).key not in keys
    assert statistic("x", word) == statistic("x", word)
    assert statistic("x", word).columns == ("x",)


def test_the_median_is_the_quantile_at_a_half() -> None:
    assert statistic("x", "median") == statistic("x", "quantile", Decimal("0.5"))


def test_distinct_values_stay_out_of_the_fused_scan_and_share_the_grouping() -> None:
    from dqmon.core.measurement import MetricRequest
    from dqmon.sql.metrics import SurplusRows

    table = check("row_count", min=1).table
    metrics = [statistic("x", word) for word in WORDS] + [BrokenConditionCount("x > 1"), RowCount(), SurplusRows(("x",))]
    scans = plan([MetricRequest(table, metric) for metric in metrics], lambda _: True)
    assert [(str(scan.kind), len(scan.metrics)) for scan in scans] == [("aggregate", 9), ("grouped", 3)]


def test_each_query_is_a_statement_of_its_own() -> None:
    from dqmon.core.measurement import MetricRequest

    table = check("row_count", min=1).table
    requests = [MetricRequest(table, metric) for metric in (ReturnedRows("select 1"), ReturnedRows("select 2"), ReturnedValue("select 1"))]
    assert [len(scan.requests) for scan in plan(requests, lambda _: True)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "returned no row"),
        ([(1,), (2,)], "returned more than one row"),
        ([(1, 2)], "returned 2 columns"),
        ([("x",)], "a number is needed"),
    ],
)
def test_a_value_is_one_number(rows: list[tuple[object, ...]], words: str) -> None:
    with pytest.raises(QueryFailed, match=words):
        ReturnedValue("select 1").answer(rows)
    assert ReturnedValue("select 1").answer([(Decimal("1.50"),)]) == Decimal("1.50")
    assert ReturnedValue("select 1").answer([(None,)]) is None


def test_a_long_condition_is_shortened_in_the_reason() -> None:
    declared = check("condition", expression="a = 1\n  or " + " or ".join(f"a = {i}" for i in range(100)))
    metric = declared.rule.metrics(declared)[1]
    assert judge(declared, {RowCount(): 2, metric: 1}).reason.startswith("1 of 2 rows (50 %) breaks a = 1 or a = 0 or")
    assert len(judge(declared, {RowCount(): 2, metric: 1}).reason) < 200


def test_rows_of_a_query_are_bad_ones() -> None:
    query = "select * from {dataset}"
    assert judge(check("sql", query=query), {ReturnedRows(query): 1}).verdict is Verdict.FAIL
    assert judge(check("sql", query=query), {ReturnedRows(query): 0}).expected.text == "no rows"
    assert judge(check("sql", warn_if="> 2", query=query), {ReturnedRows(query): 3}).verdict is Verdict.WARN
    assert check("sql", query=query).rule.across_table


def past(*values: float) -> History:
    return History(tuple(Point(NOW - timedelta(days=len(values) - i), value) for i, value in enumerate(values)))


@pytest.mark.parametrize(
    ("direction", "value", "verdict"),
    [
        ("both", 40, Verdict.FAIL),
        ("both", 60, Verdict.FAIL),
        ("rise", 40, Verdict.PASS),
        ("drop", 60, Verdict.PASS),
        ("drop", 40.0, Verdict.FAIL),
    ],
)
def test_a_statistic_is_compared_with_its_own_past(direction: str, value: float, verdict: Verdict) -> None:
    declared = check("metric_anomaly", column="x", metric="avg", direction=direction)
    judgement = judge(declared, {statistic("x", "avg"): value}, history=past(*[50.0, 50.5, 49.5, 50.2] * 6))
    assert judgement.verdict is verdict, judgement.reason
    assert judgement.baseline


def test_an_infinite_statistic_is_an_anomaly_and_none_is_no_data() -> None:
    declared = check("metric_anomaly", column="x", metric="max")
    history = past(*[50.0, 51.0] * 10)
    assert "max of x is infinite" in judge(declared, {statistic("x", "max"): float("inf")}, history=history).reason
    nothing = judge(declared, {statistic("x", "max"): None}, history=history)
    assert (nothing.verdict, nothing.is_no_data) == (Verdict.SKIPPED, True)
    assert declared.rule.history_metric(declared) == statistic("x", "max")
