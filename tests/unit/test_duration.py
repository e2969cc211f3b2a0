"""Durations are read as written, and told to people in two units at most."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from dqmon.core.duration import LONGEST_S, Duration, format_duration, parse_duration, write_duration


@pytest.mark.parametrize(("text", "seconds"), [("0s", 0), ("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86400), ("4w", 2419200)])
def test_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "1.5h", "-1h", "1 h", "1h30m", "2 hours", "1H", 5, None, True, "1h\n"])
def test_refused(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration; write a number and s, m, h, d or w"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["36526d", "3155760001s", "9" * 5_000 + "s"])
def test_more_than_100_years_is_refused_before_it_overflows_a_date(text: str) -> None:
    with pytest.raises(ValueError, match="is longer than 100 years"):
        parse_duration(text)


@given(st.integers(0, LONGEST_S))
def test_what_is_written_is_read_back(seconds: int) -> None:
    assert parse_duration(write_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.4, "0s"),
        (45, "45s"),
        (7860, "2h 11m"),
        (3600, "1h"),
        (3601, "1h 1s"),
        (273600, "3d 4h"),
        (90061, "1d 1h"),
        (-60, "-1m"),
    ],
)
def test_told(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_as_an_option() -> None:
    field = TypeAdapter(Duration)
    assert field.validate_python("90m") == 5400
    assert field.dump_python(5400) == "90m"
    with pytest.raises(ValidationError):
        field.validate_python("soon")
