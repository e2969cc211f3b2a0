"""When groups that wait become one for each owner, or one for all (R16)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from random_tables import tried

from dqmon.alerts.group import GroupView, decide, dedup_key
from dqmon.alerts.storm import LASTS, Merge, Waiting, goes_on, is_storm, merges, notice, took_over, waits_at_once
from dqmon.core.alert import AlertKey, AlertKind
from dqmon.core.check import Schedule
from dqmon.core.incident import Group, Incident, IncidentState
from dqmon.core.route import Route
from dqmon.core.timetable import Digest
from dqmon.core.verdict import Severity

T0 = datetime(2026, 3, 4, 8, tzinfo=UTC)
REST = Route("rest", None, ("team",))
LOW = Route("low", None, ("team",), speaks=Digest(Schedule("0 9 * * *", None, "UTC")))
STEP = Route("step", None, ("team",), group_wait_s=900, unless_acknowledged=True)


def group(name: str, key: str = "", route: Route = REST) -> Group:
    wait = T0 + timedelta(seconds=30)
    return Group(name, key or name, route.name, "team", dedup_key("prod", "team", name, 0), T0, (f"i-{name}",), (f"a-{name}",), wait)


def waiting(count: int, owners: Sequence[str], route: Route = REST) -> list[Waiting]:
    return [Waiting(group(f"{route.name}{n}", route=route), route, owners[n % len(owners)]) for n in range(count)]


def told(found: Sequence[Merge]) -> dict[str, int]:
    return {merge.key: len(merge.groups) for merge in found}


def test_up_to_the_limit_each_speaks_for_itself() -> None:
    assert merges(waiting(20, ["@a", "@b"]), (), 20) == ()


def test_above_it_each_owner_has_one_and_those_without_too() -> None:
    found = merges(waiting(21, ["@a", "@b", ""]), (), 20)
    assert told(found) == {'["storm", "", "@a"]': 7, '["storm", "", "@b"]': 7, '["storm", "", ""]': 7}
    assert {merge.into for merge in found} == {None}


def test_of_more_owners_than_that_all_become_one() -> None:
    assert told(merges(waiting(40, [f"@{n}" for n in range(20)]), (), 20)) == {f'["storm", "", "@{n}"]': 2 for n in range(20)}
    assert told(merges(waiting(42, [f"@{n}" for n in range(21)]), (), 20)) == {'["storm", "", null]': 42}


def test_while_it_goes_on_one_is_enough_to_join_it() -> None:
    of_a, of_all = group("s1", '["storm", "", "@a"]'), group("s2", '["storm", "", null]')
    one, other = waiting(2, ["@a", "@b"])
    assert merges([one, other], [of_a], 20) == (Merge(of_a.key, of_a, (one,)),), "another owner's is no part of it"
    assert merges([one, other], [of_a, of_all], 20) == (Merge(of_a.key, of_a, (one,)), Merge(of_all.key, of_all, (other,)))


def test_what_has_a_timetable_or_escalates_joins_its_own_route_alone() -> None:
    found = merges([*waiting(9, ["@a"]), *waiting(9, ["@a"], LOW), *waiting(9, ["@a"], STEP)], (), 20)
    assert told(found) == {'["storm", "", "@a"]': 9, '["storm", "low", "@a"]': 9, '["storm", "step", "@a"]': 9}


def test_routes_that_differ_in_their_times_alone_become_one() -> None:
    pages = Route("pages", None, ("team",), group_wait_s=10)
    assert told(merges([*waiting(15, ["@a"]), *waiting(15, ["@a"], pages)], (), 20)) == {'["storm", "", "@a"]': 30}


def test_only_what_is_to_speak_at_once_is_counted() -> None:
    first = group("g")
    assert waits_at_once(first, REST, T0)
    assert not waits_at_once(replace(first, last_told_at=T0), REST, T0)
    assert not waits_at_once(replace(first, resolved_at=T0), REST, T0)
    assert not waits_at_once(replace(first, due_at=T0 + timedelta(hours=8)), REST, T0), (
        "it waits for the end of a silence, or for the morning"
    )
    assert not waits_at_once(replace(first, due_at=None), REST, T0)


def test_it_goes_on_for_ten_minutes_after_its_last_incident() -> None:
    storm = group("s", '["storm", "", "@a"]')
    last = Incident("i-s", IncidentState.OPEN, AlertKey("x", AlertKind.DATA), Severity.ERROR, T0 + timedelta(minutes=7))
    assert goes_on(storm, {}, T0 + LASTS - timedelta(seconds=1))
    assert not goes_on(storm, {}, T0 + LASTS)
    assert goes_on(storm, {"i-s": last}, T0 + timedelta(minutes=16))
    assert not goes_on(storm, {"i-s": last}, T0 + timedelta(minutes=17))
    assert not goes_on(replace(storm, resolved_at=T0), {}, T0)
    assert not goes_on(group("g"), {}, T0), "an ordinary group is no storm"


def test_later_alerts_of_an_incident_go_where_the_others_are() -> None:
    storm = group("s", '["storm", "", "@a"]')
    assert took_over(storm, REST, "i-s")
    assert not took_over(storm, REST, "i-other")
    assert not took_over(storm, STEP, "i-s"), "a step of an escalation would be lost in it"
    assert not took_over(group("g"), REST, "i-g")


def test_the_first_message_says_that_it_is_a_storm_and_no_other_does() -> None:
    storm = replace(group("s", '["storm", "", "@a"]'), incident_ids=("i1", "i2"))
    view = GroupView(("a", "b", "c"), Severity.ERROR, is_acknowledged=False, pages=False, instance="prod")
    first = decide(storm, view, REST, T0 + timedelta(seconds=30))
    assert first.changes == (
        "a storm: 3 failures of 2 incidents of @a at once, told in one message; the worst are listed, `dqmon incidents list` names all",
    )
    hour = T0 + timedelta(hours=1)
    later = decide(replace(first.group, due_at=hour), replace(view, members=("a", "b", "c", "d")), REST, hour)
    assert [saying.kind.value for saying in later.says] == ["update"]
    assert not any("storm" in text for text in later.changes)
    assert "of all owners" in notice(replace(storm, key='["storm", "", null]'), ("a",))[0]
    assert "without an owner" in notice(replace(storm, key='["storm", "", ""]'), ("a",))[0]
    assert notice(group("g"), ("a",)) == ()


@tried(60)
@given(owners=st.lists(st.sampled_from([*"abcdefgh", ""]), max_size=60), above=st.integers(1, 25), routes=st.integers(1, 3))
def test_nothing_is_lost_and_few_are_left(owners: list[str], above: int, routes: int) -> None:
    every = [
        Waiting(group(f"g{n}", route=route), route, owner) for n, owner in enumerate(owners) for route in [(REST, LOW, STEP)[n % routes]]
    ]
    found = merges(every, (), above)
    merged = [one for merge in found for one in merge.groups]
    assert sorted(one.group.id for one in merged) == sorted(one.group.id for one in (every if len(every) > above else []))
    assert len(found) <= max(above, routes), "more messages than the limit"
    assert all(is_storm(replace(merge.groups[0].group, key=merge.key)) for merge in found)
