"""The notation of `values:` in rule tests, and what a check would have measured to find such a value."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqmon.checks.base.as_measured import as_measured, problem_of
from dqmon.config.rule_rows import columns_of
from dqmon.config.value_series import MAX_VALUES, read_series
from dqmon.core.check import Check, SourceLine
from dqmon.core.judgement import Evidence
from dqmon.core.registry import Registry
from dqmon.core.rule_test import Given
from dqmon.core.table import TableRef
from dqmon.core.threshold import parse_threshold

AT = datetime(2026, 3, 1, tzinfo=UTC)


def check(kind: str, fail_if: str | None = None, **options: object) -> Check:
    rule = Registry("checks").get(kind).model_validate_json(json.dumps(options))
    bad = parse_threshold(fail_if) if fail_if else None
    return Check(f"t.{kind}", rule, TableRef("main", None, "main", "t"), None, SourceLine("checks/a.yaml", 1), fail_if=bad)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("7", "7"),
        ("-1.5", "-1.5"),
        ("1e3", "1000"),
        ("0.5% 7%", "0.5% 7%"),
        ("1x3", "1 1 1 1"),
        ("10+5x3", "10 15 20 25"),
        ("10-5x3", "10 5 0 -5"),
        ("1%+0.5%x2", "1% 1.5% 2%"),
        ("1h+1hx2 90m", "1h 2h 3h 90m"),
        ("_ _x3 error errorx2", "_ _ _ _ error error error"),
        ("530/926 1/2x1", "530/926 1/2 1/2"),
        ("5x0", "5"),
    ],
)
def test_the_notation_is_promtools(text: str, shown: str) -> None:
    found = " ".join(one.text for one in read_series(text))
    assert found == shown, f"{text!r} was read as {found}"


@given(st.integers(-1000, 1000), st.integers(0, 1000), st.integers(0, 50))
def test_a_plus_b_times_n_is_n_and_one_more_values(first: int, step: int, times: int) -> None:
    found = [one.value for one in read_series(f"{first}+{step}x{times}")]
    assert found == [Decimal(first + step * number) for number in range(times + 1)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no values"),
        ("3x", "'3x' is no value"),
        ("1+2", None),
        ("x3", "'x3' is no value"),
        ("1%+1x3", "adds another unit"),
        ("7/3", "is no share"),
        ("0/0", "is no share"),
        ("stale", "'stale' is no value"),
        ("1x999999999999999999", f"more than {MAX_VALUES:,}"),
        ("nan", "'nan' is no value"),
        ("1e999", "'1e999' is no value"),
    ],
)
def test_what_is_no_series_is_refused_with_the_forms_there_are(text: str, said: str | None) -> None:
    if said is None:
        assert len(read_series(text)) == 1
        return
    with pytest.raises(ValueError, match="write ") as caught:
        read_series(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("one", "text", "value", "ratio"),
    [
        (check("completeness", "> 20%", column="a"), "57%", 570, 0.57),
        (check("completeness", "> 20%", column="a"), "0.05%", 5, 0.0005),
        (check("completeness", "> 20%", column="a"), "530/926", 530, 530 / 926),
        (check("completeness", column="a"), "3", 3, 0.003),
        (check("uniqueness", columns=["a", "b"]), "2/10", 2, 0.2),
        (check("uniqueness", column="a", nulls="forbid"), "2/10", 2, 0.2),
        (check("range", column="a", min=0), "1%", 10, 0.01),
        (check("condition", expression="a > b"), "100%", 1000, 1.0),
        (check("relationship", column="a", to={"dataset": "u", "column": "id"}), "1/4", 1, 0.25),
        (check("row_count", min=5), "7", 7, None),
        (check("statistic", "> 5", column="a", metric="avg"), "2.5", Decimal("2.5"), None),
        (check("freshness", column="a", fail_after="1h"), "90m", 5400.0, None),
        (check("freshness", column="a", event_column="b", fail_after="1h"), "90m", 5400.0, None),
        (check("sql", query="select 1 from {dataset}"), "4", 4, None),
    ],
    ids=lambda one: one.id if isinstance(one, Check) else None,
)
def test_a_check_observes_exactly_the_given_value(one: Check, text: str, value: object, ratio: float | None) -> None:
    (wanted,) = read_series(text)
    judgement = one.rule.judge(one, Evidence(as_measured(one, wanted, AT), AT, AT))
    assert (judgement.observed.value, judgement.observed.ratio) == (value, ratio), judgement.reason


def test_an_age_is_that_of_the_newest_row() -> None:
    fresh = check("freshness", column="a", fail_after="1h")
    (wanted,) = read_series("2h")
    assert AT - timedelta(hours=2) in as_measured(fresh, wanted, AT).values()


@pytest.mark.parametrize("one", [check("completeness", column="a"), check("freshness", column="a", fail_after="1h")], ids=lambda c: c.id)
def test_no_data_is_what_no_rows_give(one: Check) -> None:
    judgement = one.rule.judge(one, Evidence(as_measured(one, Given("_"), AT), AT, AT))
    assert judgement.is_no_data, judgement.reason


@pytest.mark.parametrize(
    ("one", "text", "said"),
    [
        (check("completeness", "> 20%", column="a"), "7", "7 rows of how many?"),
        (check("completeness", column="a"), "101%", "more than all rows"),
        (check("completeness", column="a"), "0.5", "no whole number"),
        (check("completeness", column="a"), "-1", "below 0"),
        (check("completeness", column="a"), "2h", "is a duration"),
        (check("completeness", column="a"), "0.00000000000001%", "too many decimals"),
        (check("row_count", min=5), "_", "write 0 instead of _"),
        (check("row_count", min=5), "7%", "no plain number"),
        (check("row_count", min=5), "-1", "no number of rows"),
        (check("freshness", column="a", fail_after="1h"), "5", "no duration"),
        (check("schema_drift"), "5", "write rows: instead"),
        (check("distribution_drift", column="a", method="psi"), "5", "write rows: instead"),
        (check("reconciliation", to={"dataset": "u"}, metrics=["row_count"]), "5", "write rows: instead"),
    ],
    ids=lambda one: one.id if isinstance(one, Check) else None,
)
def test_what_a_check_can_never_find_is_refused(one: Check, text: str, said: str) -> None:
    (wanted,) = read_series(text)
    problem = problem_of(one, wanted)
    assert problem is not None, f"{one.id} took {text}"
    assert said in problem


def test_error_is_possible_for_every_number() -> None:
    assert problem_of(check("row_count", min=5), Given("error", is_error=True)) is None


def test_columns_have_the_types_of_their_values() -> None:
    rows = [
        {"n": 1, "x": 1, "b": None, "day": "2013-02-07", "at": "2013-02-07 05:00", "zoned": "2013-02-07T05:00-05:00", "t": "a"},
        {"n": 2, "x": 1.5, "b": True, "day": "2013-02-08", "at": "2013-02-07T05:00:01.5", "zoned": "2013-02-07 05:00Z", "t": "2013-02-07"},
    ]
    found = dict(columns_of(rows, {"amount": "decimal(10, 2)"}))
    kinds = ("decimal(10, 2)", "bigint", "double precision", "boolean", "date", "timestamp", "timestamp with time zone", "varchar")
    assert found == dict(zip(("amount", "n", "x", "b", "day", "at", "zoned", "t"), kinds, strict=True))


@pytest.mark.parametrize(
    ("rows", "declared", "said"),
    [([], {}, "no columns"), ([{"a": None}], {}, "no row has a value of a"), ([{"a": 1}], {"a": "int); drop table x"}, "no SQL type")],
)
def test_columns_without_a_type_are_refused(rows: list[dict[str, object]], declared: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        columns_of(rows, declared)
