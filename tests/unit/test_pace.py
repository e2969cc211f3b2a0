"""Token buckets of channels (R16)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_tables import tried

from dqmon.core.delivery import Rate
from dqmon.engine.telling.pace import Pace
from dqmon.notify.pagerduty import PagerDuty
from dqmon.notify.slack import Slack

T0 = datetime(2026, 3, 4, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@dataclass
class Slow:
    rate: Rate = field(default_factory=lambda: Rate(1))


class Free:
    """Its vendor says nothing of how fast it may be."""


def sent(pace: Pace, channel: Slow, count: int, since: datetime = T0) -> list[float]:
    """The seconds at which a sender that comes when it may sends so many."""
    now, found = since, []
    for _ in range(count):
        now = max(now, pace.free_at("c", channel, now))
        assert pace.ready({"c": channel}, now) == {"c": channel}, "it was told to come now"
        pace.spend("c", channel, now)
        found.append(round((now - since).total_seconds(), 3))
    return found


@pytest.mark.parametrize(
    ("rate", "seconds"),
    [(Rate(1), [0, 1, 2, 3]), (Rate(2), [0, 0.5, 1, 1.5]), (Rate(2, 3), [0, 0, 0, 0.5, 1]), (Rate(1 / 3), [0, 3, 6])],
)
def test_a_burst_and_then_steadily(rate: Rate, seconds: list[float]) -> None:
    assert sent(Pace(), Slow(rate), len(seconds)) == seconds


def test_a_token_more_for_each_second_but_no_more_than_the_bucket_holds() -> None:
    pace, channel = Pace(), Slow(Rate(1, 2))
    assert sent(pace, channel, 2) == [0, 0]
    assert sent(pace, channel, 3, T0 + timedelta(hours=1)) == [0, 0, 1]


def test_a_channel_that_must_wait_stops_no_other() -> None:
    pace, slow, other, free = Pace(), Slow(), Slow(), Free()
    pace.spend("slow", slow, T0)
    pace.spend("free", free, T0)
    every = {"slow": slow, "other": other, "free": free}
    assert list(pace.ready(every, T0)) == ["other", "free"]
    assert list(pace.ready(every, T0 + SECOND)) == ["slow", "other", "free"]


def test_a_clock_that_is_set_back_keeps_nobody_waiting() -> None:
    pace, channel = Pace(), Slow()
    pace.spend("c", channel, T0)
    assert pace.free_at("c", channel, T0 - timedelta(hours=1)) == T0 - timedelta(hours=1)


@tried(60)
@given(
    channel=st.sampled_from([Slack, PagerDuty]),
    steps=st.lists(st.floats(0, 30).map(lambda s: timedelta(seconds=s)), min_size=1, max_size=300),
)
def test_never_more_in_a_minute_than_the_vendor_takes(channel: type[Slack | PagerDuty], steps: list[timedelta]) -> None:
    limit = {"slack": 61, "pagerduty": 120}[channel.type]
    pace, taker, now, times = Pace(), Slow(channel.rate), T0, []
    for step in steps:
        now = max(now + step / 30, pace.free_at("c", taker, now + step / 30))
        pace.spend("c", taker, now)
        times.append(now)
    most = max(sum(at <= other < at + timedelta(minutes=1) for other in times) for at in times)
    assert most <= limit, f"{most} in a minute"
