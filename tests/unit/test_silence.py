"""What mutes an alert, until when, and what is left to say of a group."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_cron import TRANSITIONS, oracle, random_expression

from dqmon.alerts.group import GroupView, decide
from dqmon.alerts.silence import Hush, Mute, decide_quietly, hush, mute_of, never_told
from dqmon.core.alert import AlertKey, AlertKind
from dqmon.core.check import Schedule
from dqmon.core.incident import Group
from dqmon.core.message import DeliveryKind
from dqmon.core.route import Route
from dqmon.core.selector import parse_selector
from dqmon.core.silence import Maintenance, Quiet, Silence
from dqmon.core.verdict import Severity

T = datetime(2026, 3, 1, 8, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
EVERYTHING = parse_selector(("*",))
ORDERS = {"": ("orders", "orders.row_count"), "severity": ("error",), "tag": ("core",)}


def silence(match: str = "*", start: datetime = T, end: datetime = T + HOUR, **more: str | None) -> Silence:
    return Silence("S-14", parse_selector((match,)), start, end, "backfill", "@oncall", **more)


def nightly(cron: str = "0 2 * * *", lasts: timedelta = 2 * HOUR, zone: str = "UTC", match: str = "*") -> Maintenance:
    return Maintenance("nightly load", parse_selector((match,)), Schedule(cron, None, zone), int(lasts.total_seconds()))


@pytest.mark.parametrize(
    ("quiet", "at", "reason"),
    [
        (silence(), T - SECOND, None),
        (silence(), T, 'silenced S-14 until 09:00 UTC "backfill" @oncall'),
        (silence(), T + HOUR - SECOND, 'silenced S-14 until 09:00 UTC "backfill" @oncall'),
        (silence(), T + HOUR, None),
        (silence(end=T + 25 * HOUR), T, 'silenced S-14 until 2026-03-02 09:00 UTC "backfill" @oncall'),
        (silence("orders"), T, 'silenced S-14 until 09:00 UTC "backfill" @oncall'),
        (silence("tag:core severity:error"), T, 'silenced S-14 until 09:00 UTC "backfill" @oncall'),
        (silence("tag:core severity:warning"), T, None),
        (silence("payments"), T, None),
        (silence(incident_id="i1"), T, 'snoozed S-14 until 09:00 UTC "backfill" @oncall'),
        (silence(incident_id="i2"), T, None),
        (silence(incident_id="i1", match="severity:warning"), T, None),
        (nightly(), T, None),
        (nightly("0 7 * * *"), T, 'maintenance "nightly load" until 09:00 UTC'),
        (nightly("0 7 * * *", match="payments"), T, None),
        (nightly("0 6 * * *"), T, None),
        (nightly("1 6 * * *"), T, 'maintenance "nightly load" until 08:01 UTC'),
        (nightly("0 8 * * *"), T, 'maintenance "nightly load" until 10:00 UTC'),
        (nightly("0 8 * * *", zone="Asia/Tokyo"), T, None),
        (nightly("0 17 * * *", zone="Asia/Tokyo"), T, 'maintenance "nightly load" until 10:00 UTC'),
    ],
)
def test_what_mutes_an_alert(quiet: Quiet, at: datetime, reason: str | None) -> None:
    found = mute_of((quiet,), ORDERS, "i1", at)
    assert (found and found.reason) == reason


def test_of_several_the_one_that_lasts_longest_counts() -> None:
    every = (silence(), nightly("0 7 * * *", 3 * HOUR), silence("payments", end=T + 20 * HOUR))
    assert mute_of(every, ORDERS, None, T) == Mute('maintenance "nightly load" until 10:00 UTC', T + 2 * HOUR)


def test_1000_random_windows_equal_the_oracle_across_clock_changes(capsys: pytest.CaptureFixture[str]) -> None:
    """R10: each window at its edges and at random instants; the oracle looks at every minute of the local clock."""
    chance, wrong, looked, muted = random.Random(10), [], 0, 0
    for _ in range(1_000):
        zone, day = chance.choice(TRANSITIONS)
        change = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        cron, lasts = random_expression(chance), chance.choice((1, 15, 60, 90, 120, 300, 1_439)) * MINUTE
        window = nightly(cron, lasts, zone)
        fires = oracle(cron, ZoneInfo(zone), change - 40 * HOUR, change + 40 * HOUR)
        instants = [change + timedelta(seconds=chance.randrange(-14 * 3600, 38 * 3600)) for _ in range(3)]
        near = [fire for fire in fires if abs(fire - change) < 14 * HOUR]
        for fire in [chance.choice(near)] if near else []:
            instants += [fire - SECOND, fire, fire + lasts - SECOND, fire + lasts]
        for at in instants:
            expected = max((fire + lasts for fire in fires if fire <= at < fire + lasts), default=None)
            looked, muted = looked + 1, muted + (expected is not None)
            if window.until(at) != expected:
                wrong.append((cron, zone, str(lasts), at.isoformat(), window.until(at), expected))
    with capsys.disabled():
        print(f"\nmaintenance windows x clock changes: 1,000 windows, {looked:,} instants, {muted:,} muted, {len(wrong)} errors")
    assert not wrong, f"found other windows than the local clock shows: {wrong[:3]}"
    assert looked / 4 < muted < looked * 3 / 4, "nearly all instants are of one kind, so that little is tested"


A, B = AlertKey("a", AlertKind.DATA), AlertKey("b", AlertKind.DATA)
ROUTE = Route("rest", None, ("team",))
GROUP = Group("g", "k", "rest", "team", "d", T, ("i1",), ("a", "b"), T + 30 * SECOND)
TOLD = replace(GROUP, due_at=T + 4 * HOUR, last_told_at=T, told_severity=Severity.ERROR, told_members=("a",))
NOBODY = GroupView((), Severity.INFO, is_acknowledged=False, pages=False, instance="test")


def view(*members: str, severity: Severity = Severity.ERROR, is_acknowledged: bool = False) -> GroupView:
    return replace(NOBODY, members=members, severity=severity, is_acknowledged=is_acknowledged)


def muted(group: Group, *keys: AlertKey, until: datetime = T + HOUR) -> Hush:
    return hush(group, {key: Mute("silenced", until) for key in keys})


def kinds(group: Group, shown: GroupView, quiet: Hush, now: datetime) -> tuple[list[DeliveryKind], datetime | None]:
    decision = decide_quietly(group, shown, quiet, ROUTE, now)
    assert not decision.withheld
    return [saying.kind for saying in decision.says], decision.group.due_at


def test_nothing_is_said_of_a_muted_alert_before_the_end_and_group_wait() -> None:
    assert kinds(GROUP, NOBODY, muted(GROUP, A), T + MINUTE) == ([], T + HOUR)
    assert kinds(GROUP, NOBODY, muted(GROUP, A, until=T + 10 * SECOND), T) == ([], T + 30 * SECOND)
    assert kinds(replace(GROUP, due_at=T + HOUR, muted={"a": "silenced"}), view("a"), Hush({}), T + HOUR) == (
        [DeliveryKind.TRIGGER],
        T + 5 * HOUR,
    )


def test_the_others_of_the_group_are_told_and_the_muted_one_at_its_end() -> None:
    at = T + 30 * SECOND
    assert kinds(GROUP, view("b"), muted(GROUP, A), at) == ([DeliveryKind.TRIGGER], T + HOUR)
    assert kinds(TOLD, view("a"), muted(TOLD, B), T + MINUTE) == ([], T + HOUR)
    due = replace(TOLD, due_at=T + HOUR, muted={"b": "silenced"})
    assert kinds(due, view("a", "b"), Hush({}), T + HOUR)[0] == [DeliveryKind.UPDATE]


@pytest.mark.parametrize("now", [T + MINUTE, T + 10 * MINUTE, T + 50 * MINUTE])
def test_of_a_told_alert_nothing_is_said_while_it_is_muted(now: datetime) -> None:
    """Whatever it does meanwhile: it is left out of the view, so that the view is the same for more partitions or a rise."""
    assert kinds(TOLD, NOBODY, muted(TOLD, A), now) == ([], T + HOUR)


def test_the_resolve_of_a_told_alert_passes() -> None:
    both = replace(TOLD, told_members=("a", "b [2026-03-01]"), due_at=T + 5 * MINUTE)
    assert kinds(both, NOBODY, muted(both, A), T + 5 * MINUTE)[0] == [DeliveryKind.UPDATE]
    assert kinds(replace(both, muted={"a": "x", "b": "x"}), NOBODY, Hush({}), T + 5 * MINUTE) == ([DeliveryKind.RESOLVE], None)
    assert kinds(replace(TOLD, due_at=T), NOBODY, muted(TOLD, B), T + 5 * MINUTE) == ([DeliveryKind.RESOLVE], None)


def test_a_repeat_waits_for_the_end() -> None:
    due, now = replace(TOLD, due_at=T + 4 * HOUR), T + 4 * HOUR
    decision = decide_quietly(due, NOBODY, muted(due, A, until=now + HOUR), ROUTE, now)
    assert [saying.kind for saying in decision.says] == [DeliveryKind.REPEAT]
    assert (decision.withheld, decision.group.due_at, decision.group.last_told_at) == ("silenced", now + HOUR, T)
    assert kinds(decision.group, view("a"), Hush({}), now + HOUR)[0] == [DeliveryKind.REPEAT]
    assert kinds(due, view("b"), muted(due, A, until=now + HOUR), now)[0] == [DeliveryKind.UPDATE]


def test_an_acknowledgement_is_said() -> None:
    shown = replace(NOBODY, is_acknowledged=True)
    assert kinds(TOLD, shown, muted(TOLD, A), T + MINUTE)[0] == [DeliveryKind.ACKNOWLEDGE]


def test_what_resolves_before_it_was_told_has_a_reason() -> None:
    before = replace(GROUP, due_at=T + HOUR, muted={"a": 'silenced S-1 until 09:00 UTC "x" ann'})
    decision = decide_quietly(before, NOBODY, Hush({}), ROUTE, T + 30 * MINUTE)
    assert decision.says == ()
    assert decision.reason == 'resolved meanwhile; silenced S-1 until 09:00 UTC "x" ann'
    assert never_told(before, ()) == {"a"}
    assert never_told(before, ("a",)) == frozenset()
    assert never_told(replace(before, told_members=("a [x]",)), ()) == frozenset()


@given(
    st.builds(
        view,
        st.just("a"),
        severity=st.sampled_from(Severity),
        is_acknowledged=st.booleans(),
    ),
    st.sampled_from([GROUP, TOLD, replace(TOLD, told_severity=Severity.INFO), replace(TOLD, told_members=("a [x]",))]),
    st.integers(0, 6 * 3600),
)
def test_while_nothing_is_muted_a_group_says_what_it_would_say(shown: GroupView, group: Group, seconds: int) -> None:
    now = T + timedelta(seconds=seconds)
    assert decide_quietly(group, shown, Hush({}), ROUTE, now) == decide(group, shown, ROUTE, now)


@given(st.sampled_from([GROUP, TOLD]), st.integers(0, 6 * 3600), st.integers(1, 86_400), st.sets(st.sampled_from([A, B]), min_size=1))
def test_a_muted_group_looks_again_at_the_end_of_the_mute_at_the_latest(group: Group, seconds: int, left: int, keys: set[AlertKey]) -> None:
    now = T + timedelta(seconds=seconds)
    until = now + timedelta(seconds=left)
    decision = decide_quietly(group, NOBODY, muted(group, *keys, until=until), ROUTE, now)
    after = decision.group
    is_time = group.due_at <= now or (seconds > 0 and seconds % ROUTE.group_interval_s == 0)
    assert after.resolved_at == (now if group is TOLD and A not in keys and is_time else None)
    if after.resolved_at is None:
        assert after.due_at is not None
        assert now < after.due_at <= max(until, T + 30 * SECOND)
        assert after.muted.keys() == {str(key) for key in keys}
