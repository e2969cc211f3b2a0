"""What a group says next, on a virtual clock with tolerance 0 (R6, R7, R9)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqmon.alerts.group import GroupView, changes, decide, dedup_key, first_due, group_key, view_of
from dqmon.core.alert import Alert, AlertKey, AlertKind, AlertState, Member, MemberKey
from dqmon.core.incident import Group
from dqmon.core.route import Route
from dqmon.core.verdict import Severity, Verdict

T0 = datetime(2026, 3, 4, 8, tzinfo=UTC)
ROUTE = Route("rest", None, ("team",))
W, E, C = Severity.WARNING, Severity.ERROR, Severity.CRITICAL
NONE = ()


def at(**passed):
    return T0 + timedelta(**passed)


def group(*, pages=False, route=ROUTE):
    return Group("g1", "k", route.name, "team", dedup_key("prod", "team", "g1", 0), T0, ("i1",), ("a",), first_due(T0, route, pages=pages))


def view(*members, severity=W, acknowledged=False, pages=False):
    return GroupView(tuple(sorted(members)), severity, acknowledged, pages, "prod")


def play(*moments, pages=False, route=ROUTE, until=None, every=None):
    """What is said when, in (seconds, kinds), if the group is asked at each moment (seconds, view) and whenever it is due."""
    found, said, waiting, now, seen = group(pages=pages, route=route), [], list(moments), T0, view()
    while True:
        due = found.due_at
        following = waiting[0][0] if waiting else None
        if following is None and (due is None or (until is not None and due > T0 + until)):
            return said, found
        if following is not None and (due is None or at(seconds=following) <= due):
            seconds, seen = waiting.pop(0)
            now = at(seconds=seconds)
        else:
            now = max(now, due)
        decision = decide(found, seen, route, now)
        found = decision.group
        assert decision.reason, "a decision without a reason"
        if decision.says:
            said.append(((now - T0).total_seconds(), "+".join(s.kind.value for s in decision.says)))


def test_one_alert_for_24_hours_is_one_message_and_six_repeats():
    said, _ = play((0, view("a")), until=timedelta(hours=24, seconds=30))
    assert said == [(30, "trigger")] + [(30 + 14_400 * n, "repeat") for n in range(1, 7)]


def test_what_resolves_inside_group_wait_sends_nothing_and_says_why():
    said, found = play((0, view("a")), (29, view()))
    assert said == []
    assert (found.resolved_at, found.due_at) == (at(seconds=29), None)
    assert decide(group(), view(), ROUTE, at(seconds=29)).reason == "resolved before group_wait was over"


def test_a_resolved_group_never_speaks_again():
    _, found = play((0, view("a")), (29, view()))
    decision = decide(found, view("a", severity=C), ROUTE, at(days=1))
    assert (decision.says, decision.group) == ((), found)


def test_changes_and_the_end_are_said_each_group_interval():
    said, found = play((0, view("a")), (40, view("a", "b")), (100, view("a", "b", "c")), (700, view("b")), (1000, view()))
    assert said == [(30, "trigger"), (330, "update"), (930, "update"), (1230, "resolve")]
    assert found.resolved_at == at(seconds=1230)


def test_what_resolves_and_comes_back_between_two_looks_is_no_change():
    said, _ = play((0, view("a")), (100, view()), (200, view("a")), until=timedelta(minutes=30))
    assert said == [(30, "trigger")]


def test_repeats_count_from_the_last_message():
    said, _ = play((0, view("a")), (7_200, view("a", "b")), until=timedelta(hours=6, minutes=10))
    assert said == [(30, "trigger"), (7_230, "update"), (7_230 + 14_400, "repeat")]


def test_a_repeat_interval_shorter_than_the_group_interval_holds():
    route = Route("r", None, ("team",), group_interval_s=3600, repeat_interval_s=600)
    said, _ = play((0, view("a")), route=route, until=timedelta(seconds=1300))
    assert said == [(30, "trigger"), (630, "repeat"), (1230, "repeat")]


def test_acknowledging_is_said_at_once_and_ends_repeats():
    said, _ = play((0, view("a")), (60, view("a", acknowledged=True)), until=timedelta(days=2))
    assert said == [(30, "trigger"), (60, "acknowledge")]


def test_an_acknowledged_group_still_tells_changes_and_the_end():
    said, _ = play(
        (0, view("a")), (60, view("a", acknowledged=True)), (400, view("a", "b", acknowledged=True)), (700, view(acknowledged=True))
    )
    assert said == [(30, "trigger"), (60, "acknowledge"), (630, "update"), (930, "resolve")]


def test_a_group_that_opens_in_an_acknowledged_incident_inherits_it():
    said, _ = play((0, view("a", acknowledged=True)), until=timedelta(days=1))
    assert said == [(30, "trigger+acknowledge")]


def test_a_rise_is_said_at_once_and_a_fall_with_the_next_look():
    said, _ = play((0, view("a")), (60, view("a", severity=E)), (100, view("a")), until=timedelta(minutes=30))
    assert said == [(30, "trigger"), (60, "update"), (360, "update")]


def test_a_rise_to_paging_triggers_a_new_key_then_resolves_the_old_one():
    told = decide(group(pages=True), view("a", pages=True), ROUTE, at(seconds=30)).group
    told = decide(told, view("a", pages=True, acknowledged=True), ROUTE, at(seconds=40)).group
    decision = decide(told, view("a", severity=C, pages=True, acknowledged=True), ROUTE, at(seconds=60))
    assert [(s.kind.value, s.dedup_key) for s in decision.says] == [
        ("trigger", dedup_key("prod", "team", "g1", 1)),
        ("resolve", dedup_key("prod", "team", "g1", 0)),
    ]
    assert (decision.group.escalation, decision.group.dedup_key) == (1, dedup_key("prod", "team", "g1", 1))
    assert decision.changes == ("worse: warning → critical",)
    over = view(acknowledged=True, pages=True)
    waiting = decide(decision.group, over, ROUTE, at(seconds=100)).group
    ended = decide(waiting, over, ROUTE, waiting.due_at)
    assert [(s.kind.value, s.dedup_key) for s in ended.says] == [("resolve", dedup_key("prod", "team", "g1", 1))]


def test_what_joins_an_acknowledged_page_pages_anew():
    """The second incident of an owner's group: the key that somebody has acknowledged wakes nobody."""
    told = decide(group(pages=True), view("a", severity=C, pages=True), ROUTE, at(seconds=30)).group
    told = decide(told, view("a", severity=C, pages=True, acknowledged=True), ROUTE, at(seconds=40)).group
    assert decide(told, view("a", severity=C, pages=True), ROUTE, at(seconds=50)).says == (), "nothing that was not acknowledged is named"
    decision = decide(told, view("a", "b", severity=C, pages=True), ROUTE, at(seconds=60))
    keys = [dedup_key("prod", "team", "g1", number) for number in (1, 0)]
    assert [(s.kind.value, s.dedup_key) for s in decision.says] == list(zip(("trigger", "resolve"), keys, strict=True))
    again = decide(decision.group, view("a", "b", "c", severity=C, pages=True), ROUTE, at(seconds=360))
    assert [(s.kind.value, s.dedup_key) for s in again.says] == [("update", keys[0])]


def test_a_rise_to_critical_on_a_channel_that_does_not_page_keeps_its_key():
    said, found = play((0, view("a")), (60, view("a", severity=C)), until=timedelta(minutes=6))
    assert said == [(30, "trigger"), (60, "update")]
    assert found.escalation == 0


def test_a_rise_and_an_acknowledgement_at_once_are_both_said():
    said, _ = play((0, view("a")), (60, view("a", severity=E, acknowledged=True)), until=timedelta(minutes=6))
    assert said == [(30, "trigger"), (60, "update+acknowledge")]


@pytest.mark.parametrize(("wait", "pages", "first"), [(30, False, 30), (30, True, 10), (5, True, 5), (0, False, 0)])
def test_a_paging_channel_waits_ten_seconds_at_most(wait, pages, first):
    route = Route("r", None, ("team",), group_wait_s=wait)
    said, _ = play((0, view("a", pages=pages)), pages=pages, route=route, until=timedelta(minutes=1))
    assert said == [(first, "trigger")]


@given(
    st.lists(st.tuples(st.integers(1, 900), st.sets(st.sampled_from("abc")), st.sampled_from(list(Severity)), st.booleans()), max_size=12),
    st.booleans(),
)
def test_any_sequence_triggers_once_a_key_and_ends_each_key_once(moments, pages):
    found, seconds, opened, closed = group(pages=pages), 0, [], []
    for step, members, severity, acknowledged in moments:
        seconds += step
        decision = decide(found, view(*members, severity=severity, acknowledged=acknowledged, pages=pages), ROUTE, at(seconds=seconds))
        found = decision.group
        for saying in decision.says:
            if saying.kind == "trigger":
                opened.append(saying.dedup_key)
            else:
                assert saying.dedup_key in opened, f"{saying.kind} for a key that was never triggered"
                assert saying.dedup_key not in closed, f"{saying.kind} for a key that was resolved"
            if saying.kind == "resolve":
                closed.append(saying.dedup_key)
    assert len(opened) == len(set(opened))
    assert set(opened) - set(closed) <= {found.dedup_key}, "a key that is not the present one was left open"
    if found.resolved_at is not None:
        assert sorted(opened) == sorted(closed)


@pytest.mark.parametrize(
    ("before", "after", "severity", "said"),
    [
        (["a"], ["a"], C, ["worse: warning → critical"]),
        (["a"], ["a"], Severity.INFO, ["better: warning → info"]),
        (["a [d1]"], ["a [d1]", "a [d2]"], W, ["1 more partition fails: a [d2]"]),
        (["a [d1]"], ["a [d1]", "a [d2]", "a [d3]"], W, ["2 more partitions fail: a [d2], a [d3]"]),
        (["a [d1]"], ["a [d1]", "b [d1]", "b [d2]"], W, ["1 more check fails: b"]),
        (["a", "b"], ["a"], W, ["recovered: b"]),
        (["a [d1]", "a [d2]"], ["a [d2]"], W, ["recovered: a [d1]"]),
        (["a", "b [d1]", "b [d2]"], ["a"], W, ["recovered: b"]),
        (["a"], ["a", "b#error"], W, ["1 more check cannot be measured: b#error"]),
        (["a"], ["a", *"bcdef"], W, ["5 more checks fail: b, c, d and 2 more"]),
        (["a"], ["b"], E, ["worse: warning → error", "1 more check fails: b", "recovered: a"]),
        (["a"], ["a"], W, []),
    ],
)
def test_changes_are_sentences(before, after, severity, said):
    told = decide(group(), view(*before), ROUTE, at(seconds=30)).group
    assert list(changes(told, view(*after, severity=severity))) == said


def test_the_view_names_members_and_takes_the_worst_severity():
    day = MemberKey("2026-03-01T00:00:00Z/2026-03-02T00:00:00Z", '{"origin": "EWR"}')
    whole = Member(Verdict.FAIL, T0, "")
    alerts = [
        Alert(AlertKey("m.t.x", AlertKind.DATA), AlertState.FIRING, W, {day: whole}),
        Alert(AlertKey("m.t.y", AlertKind.ERROR), AlertState.RECOVERING, E, {MemberKey(): whole}),
        Alert(AlertKey("m.t.z", AlertKind.DATA), AlertState.RESOLVED, C),
        Alert(AlertKey("m.t.p", AlertKind.DATA), AlertState.PENDING, C, {MemberKey(): whole}),
    ]
    found = view_of(alerts, is_acknowledged=False, pages=True, instance="prod")
    assert found == GroupView(("m.t.x [2026-03-01, origin=EWR]", "m.t.y#error"), E, False, True, "prod")


@pytest.mark.parametrize(
    ("group_by", "key"),
    [
        (("incident",), '[["incident", ["i1"]]]'),
        (("dataset", "owner"), '[["dataset", ["main.t"]], ["owner", []]]'),
        (("tag",), '[["tag", ["a", "b"]]]'),
        ((), "[]"),
    ],
)
def test_group_keys(group_by, key):
    assert group_key(group_by, "i1", {"dataset": ("main.t",), "tag": ("b", "a")}) == key


def test_dedup_keys_differ_in_every_part_and_fit_the_limit():
    keys = {dedup_key(*parts, n) for parts in [("p", "c", "g"), ("pc", "", "g"), ("p", "cg", ""), ("q", "c", "g")] for n in (0, 1)}
    assert len(keys) == 8
    assert max(map(len, keys)) <= 255
