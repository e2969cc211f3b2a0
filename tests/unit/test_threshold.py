"""Thresholds are read as written and compared exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqmon.core.threshold import Threshold, parse_threshold, percentage

COMPARE = {
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    "=": lambda value, bound: value == bound,
    "!=": lambda value, bound: value != bound,
}
numbers = st.decimals(-(10**9), 10**9, places=4)


@pytest.mark.parametrize(
    ("text", "threshold"),
    [
        ("> 0", Threshold(">", Decimal(0))),
        (">0.5%", Threshold(">", Decimal("0.5"), None, True)),
        ("  <=  -3 ", Threshold("<=", Decimal(-3))),
        ("!= +1e3", Threshold("!=", Decimal(1000))),
        ("= .5", Threshold("=", Decimal("0.5"))),
        ("between 1 and 2", Threshold("between", Decimal(1), Decimal(2))),
        ("not  between 1% and 2 %", Threshold("not between", Decimal(1), Decimal(2), True)),
        ("between 2 and 2", Threshold("between", Decimal(2), Decimal(2))),
    ],
)
def test_read(text: str, threshold: Threshold) -> None:
    assert parse_threshold(text) == threshold


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("20", "is not a threshold"),
        ("> ", "is not a threshold"),
        ("> 1h", "is not a threshold"),
        ("> 1 and < 2", "is not a threshold"),
        ("== 1", "is not a threshold"),
        ("> NaN", "is not a threshold"),
        ("=> 1", "is not a threshold"),
        ("", "is not a threshold"),
        (5, "is not a threshold"),
        (None, "is not a threshold"),
        ("between 1 and 2%", "on one bound only"),
        ("between 3 and 2", "wrong way round"),
    ],
)
def test_refused(text: object, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        parse_threshold(text)


@given(operator=st.sampled_from(sorted(COMPARE)), bound=numbers, value=numbers)
def test_comparing(operator: str, bound: Decimal, value: Decimal) -> None:
    assert parse_threshold(f"{operator} {bound}").is_met(value) == COMPARE[operator](value, bound)


@given(low=numbers, high=numbers, value=numbers)
def test_between_is_inclusive_and_not_between_is_its_opposite(low: Decimal, high: Decimal, value: Decimal) -> None:
    low, high = min(low, high), max(low, high)
    is_between = parse_threshold(f"between {low} and {high}").is_met(value)
    assert is_between == (low <= value <= high)
    assert parse_threshold(f"not between {low} and {high}").is_met(value) != is_between


@given(operator=st.sampled_from([*COMPARE, "between", "not between"]), low=numbers, is_percent=st.booleans())
def test_what_is_written_is_read_back(operator: str, low: Decimal, is_percent: bool) -> None:
    high = low + 1 if "between" in operator else None
    threshold = Threshold(operator, low, high, is_percent)
    assert parse_threshold(str(threshold)) == threshold


def test_a_percentage_is_no_float() -> None:
    assert percentage(1, 200) == Decimal("0.5")
    assert not Threshold(">", Decimal("0.5"), None, True).is_met(percentage(1, 200))
    assert percentage(7, 100) == Decimal(7)
