"""Cron as AWS and Quartz write it, against the instants at which they say that it fires."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqmon.core.cron import next_fire
from dqmon.ingestion.base.cron_dialects import aws_schedule, quartz_schedule

AT = datetime(2026, 11, 20, 12, 34, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(15 12 * * ? *)", "15 12 * * *"),
        ("cron(0 18 ? * MON-FRI *)", "0 18 * * MON-FRI"),
        ("cron(0 8 1 * ? *)", "0 8 1 * *"),
        ("cron(0/15 * * * ? *)", "0-59/15 * * * *"),
        ("cron(5 8/4 ? * 2-6 *)", "5 8-23/4 * * 1-5"),
        ("cron(0 6 ? * 1,7 *)", "0 6 * * 0,6"),
        ("cron(0 6 ? JAN 2#1 *)", None),
        ("cron(0 6 L * ? *)", None),
        ("cron(0 6 15W * ? *)", None),
        ("cron(0 6 ? * 6L *)", None),
        ("cron(0 6 ? * WED *)", "0 6 * * WED"),
        ("cron(0 6 ? JUL THU *)", "0 6 * JUL THU"),
        ("cron(0 6 * * ? 2027)", None),
        ("cron(0 6 31 2 ? *)", None),
        ("cron(0 6 * * ?)", None),
        ("cron(61 6 * * ? *)", None),
        ("rate(5 minutes)", None),
        ("0 6 * * ? *", None),
        ("", None),
    ],
)
def test_aws(expression, expected):
    found = aws_schedule(expression)
    assert (found and (found.cron, found.timezone)) == (expected and (expected, "UTC"))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 0 */6 * * ?", "0 */6 * * *"),
        ("0 15 6 ? * MON-FRI", "15 6 * * MON-FRI"),
        ("0 15 6 ? * 2 *", "15 6 * * 1"),
        ("0 15 6 ? * 2 2027", None),
        ("30 15 6 ? * 2", None),
        ("15 6 * * 1", "15 6 * * 1"),
        ("0 0 12 ? * 6#3", None),
        ("x y z", None),
    ],
)
def test_quartz(expression, expected):
    found = quartz_schedule(expression, "Europe/Dublin")
    assert (found and (found.cron, found.timezone)) == (expected and (expected, "Europe/Dublin"))


def test_a_zone_that_is_not_there_is_no_schedule():
    assert quartz_schedule("0 0 6 * * ?", "Europe/Atlantis") is None


@given(st.integers(0, 59), st.integers(0, 23), st.sets(st.integers(1, 7), min_size=1))
def test_days_of_the_week_count_from_sunday(minute, hour, days):
    found = aws_schedule(f"cron({minute} {hour} ? * {','.join(map(str, sorted(days)))} *)")
    fire = next_fire(found, 0, AT)
    assert (fire.minute, fire.hour) == (minute, hour)
    assert fire.isoweekday() % 7 + 1 in days
    assert fire - AT <= timedelta(days=7)


@given(st.text(alphabet="0123456789*/-,?LW# ABC()cron", max_size=40))
def test_any_text_is_a_schedule_that_fires_or_none(text):
    for read in (aws_schedule, quartz_schedule):
        found = read(text)
        assert found is None or (next_fire(found, 0, AT) and not re.search(r"[?LW#]", found.cron))
