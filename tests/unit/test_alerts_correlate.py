"""Which alerts form one incident."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dqmon.alerts.book import Rules, Scene
from dqmon.alerts.correlate import acknowledge, close_by_hand, correlate
from dqmon.alerts.group import dedup_key
from dqmon.alerts.inhibit import Place
from dqmon.core.alert import Alert, AlertEvent, AlertKey, AlertKind, AlertState, EventKind
from dqmon.core.incident import IncidentState
from dqmon.core.lineage import Lineage
from dqmon.core.verdict import Severity

T0 = datetime(2026, 3, 1, 8, tzinfo=UTC)
LINEAGE = Lineage({"clean": frozenset({"raw"}), "mart": frozenset({"clean"}), "raw": frozenset({"dlt/shop"})})


def key(name, kind=AlertKind.DATA):
    return AlertKey(name, kind)


def event(name, kind=EventKind.FIRED, minutes=0, slot=None, severity=Severity.WARNING):
    at = T0 + timedelta(minutes=minutes)
    return AlertEvent(key(name), kind, severity, at, at if slot is None else T0 + timedelta(minutes=slot))


def step(events, before=(), *, lineage=LINEAGE, alerts=None, within_s=3600.0):
    """All incidents after the events; the node of an alert `clean.rows` is `clean`, its dimension validity. Ids are i1, i2, …"""
    numbers = itertools.count(len(before) + 1)
    keys = {e.key for e in events} | {m.key for i in before for m in i.members.values()}
    scene = Scene(alerts or {}, {key: Place(key.check_id.rsplit(".", 1)[0], "validity") for key in keys})
    rules = Rules(lineage, within_s, lambda: f"i{next(numbers)}")
    changed = correlate(events, scene, before, rules, T0 + timedelta(days=1))
    return {i.id: i for i in before} | {i.id: i for i in changed}


def shown(incidents):
    return {i.id: (i.root.check_id, sorted(m.key.check_id for m in i.open_members), i.state.value) for i in incidents.values()}


def test_descendants_join_the_incident_of_their_ancestor():
    after = step([event("mart.rows"), event("clean.rows"), event("raw.rows")])
    assert shown(after) == {"i1": ("raw.rows", ["clean.rows", "mart.rows", "raw.rows"], "open")}


def test_a_descendant_joins_days_later_as_long_as_the_ancestor_fires():
    before = step([event("raw.rows")])
    assert shown(step([event("mart.rows", minutes=5000)], before.values())) == {"i1": ("raw.rows", ["mart.rows", "raw.rows"], "open")}


def test_a_descendant_of_a_resolved_ancestor_opens_its_own():
    before = step([event("raw.rows")])
    before = step([event("raw.rows", EventKind.RESOLVED, 10)], before.values())
    after = step([event("mart.rows", minutes=20)], before.values())
    assert shown(after)["i2"] == ("mart.rows", ["mart.rows"], "open")


def test_siblings_without_common_ancestor_in_trouble_are_apart():
    after = step([event("orders.rows"), event("users.rows")])
    assert sorted(root for root, _, _ in shown(after).values()) == ["orders.rows", "users.rows"]


@pytest.mark.parametrize(
    ("minutes", "slot", "expected"),
    [(0, 0, 1), (60, 60, 1), (60.1, 60, 2), (600, 0, 1), (-30, -30, 1)],
    ids=["same slot", "within the hour", "after the hour", "late result of the same slot", "clock went back"],
)
def test_the_same_dataset_joins_by_slot_or_within_the_hour_of_the_opening(minutes, slot, expected):
    before = step([event("orders.rows")])
    assert len(step([event("orders.nulls", minutes=minutes, slot=slot)], before.values())) == expected


def test_the_hour_counts_from_the_opening_and_not_from_the_last_member():
    incidents = step([event("orders.a")])
    incidents = step([event("orders.b", minutes=50)], incidents.values())
    incidents = step([event("orders.c", minutes=100)], incidents.values())
    assert len(incidents) == 2, "a check that has failed for long must not swallow today's outage"


def test_the_root_is_the_most_upstream_then_the_earliest_then_the_smallest_id():
    incidents = step([event("clean.b"), event("clean.a")])
    assert next(iter(incidents.values())).root.check_id == "clean.a"
    incidents = step([event("clean.0", minutes=30)], incidents.values())
    assert next(iter(incidents.values())).root.check_id == "clean.a"
    assert shown(step([event("clean.a", EventKind.RESOLVED, 40)], incidents.values()))["i1"][0] == "clean.b"


def test_severity_is_the_worst_of_the_open_members_and_follows_changes():
    incidents = step([event("orders.a"), event("orders.b", severity=Severity.ERROR)])
    assert incidents["i1"].severity is Severity.ERROR
    incidents = step([event("orders.a", EventKind.CHANGED, 5, severity=Severity.CRITICAL)], incidents.values())
    assert incidents["i1"].severity is Severity.CRITICAL
    incidents = step([event("orders.a", EventKind.RESOLVED, 6)], incidents.values())
    assert incidents["i1"].severity is Severity.ERROR


def test_an_incident_resolves_with_its_last_member_and_opens_again_when_that_comes_back_soon():
    incidents = step([event("orders.a"), event("orders.b")])
    incidents = step([event("orders.a", EventKind.RESOLVED, 5)], incidents.values())
    assert incidents["i1"].state is IncidentState.OPEN
    incidents = step([event("orders.b", EventKind.RESOLVED, 6), event("orders.b", minutes=7)], incidents.values())
    assert shown(incidents) == {"i1": ("orders.b", ["orders.b"], "open")}
    incidents = step([event("orders.b", EventKind.RESOLVED, 8)], incidents.values())
    assert shown(incidents) == {"i1": ("orders.a", [], "resolved")}
    assert incidents["i1"].resolved_at == T0 + timedelta(minutes=8)


def test_an_alert_that_left_long_ago_opens_an_incident_of_its_own():
    incidents = step([event("orders.a"), event("orders.b")])
    incidents = step([event("orders.a", EventKind.RESOLVED, 5)], incidents.values())
    assert step([event("orders.a", minutes=65)], incidents.values()).keys() == {"i1"}
    assert step([event("orders.a", minutes=66)], incidents.values()).keys() == {"i1", "i2"}


@pytest.mark.parametrize(
    ("is_unheard", "by_hand", "expected"),
    [(True, None, ("i1", "acknowledged")), (False, None, ("i1", "open")), (True, "ann", ("i2", "open"))],
)
def test_who_acknowledged_is_still_at_what_comes_back_unless_its_end_was_told(is_unheard, by_hand, expected):
    incidents = step([event("orders.a")])
    acked = acknowledge(incidents["i1"], "bob", T0)
    over = step([event("orders.a", EventKind.RESOLVED, 5)], [acked])["i1"]
    unheard = frozenset({"i1"} if is_unheard else ())
    place = Place("orders", "validity")
    scene = Scene({}, {key("orders.a"): place}, former=(replace(over, closed_by_hand=by_hand),), unheard=unheard)
    rules = Rules(LINEAGE, 3600, lambda: "i2")
    (found,) = correlate([event("orders.a", minutes=9)], scene, (), rules, T0 + timedelta(minutes=9))
    assert (found.id, found.state.value) == expected
    assert (found.acknowledged_by is None) is (expected[1] == "open")


def test_an_alert_may_leave_and_come_back_while_others_keep_the_incident_open():
    incidents = step([event("orders.a"), event("orders.b")])
    incidents = step([event("orders.a", EventKind.RESOLVED, 5)], incidents.values())
    incidents = step([event("orders.a", minutes=8)], incidents.values())
    assert shown(incidents) == {"i1": ("orders.b", ["orders.a", "orders.b"], "open")}


def test_a_member_whose_alert_is_not_open_any_more_leaves_without_an_event():
    incidents = step([event("orders.a")])
    incidents = step([], incidents.values(), alerts={key("orders.a"): Alert(key("orders.a"), AlertState.RESOLVED)})
    assert incidents["i1"].state is IncidentState.RESOLVED


def test_nothing_to_do_changes_nothing():
    incidents = tuple(step([event("orders.a")]).values())
    rules = Rules(LINEAGE, 3600, str)
    assert correlate((), Scene(), incidents, rules, T0) == ()
    gone = [event("never.seen", EventKind.RESOLVED), event("never.seen", EventKind.CHANGED)]
    assert correlate(gone, Scene(), incidents, rules, T0) == ()


def test_a_second_fired_of_a_member_only_changes_it():
    incidents = step([event("orders.a")])
    incidents = step([event("orders.a", minutes=3, severity=Severity.ERROR)], incidents.values())
    assert (len(incidents), incidents["i1"].severity) == (1, Severity.ERROR)


def test_acknowledging_is_kept_and_inherited():
    (incident,) = step([event("orders.a")]).values()
    taken = acknowledge(incident, "ada", T0)
    assert (taken.state, taken.acknowledged_by) == (IncidentState.ACKNOWLEDGED, "ada")
    assert acknowledge(taken, "bob", T0) == taken
    after = step([event("orders.b", minutes=3)], [taken])["i1"]
    assert (after.state, len(after.open_members)) == (IncidentState.ACKNOWLEDGED, 2)


def test_closing_by_hand_ends_it_and_its_alerts_open_no_new_one_before_they_resolve():
    (incident,) = step([event("orders.a")]).values()
    closed = close_by_hand(incident, "ada", T0)
    assert (closed.state, closed.closed_by_hand, closed.open_members) == (IncidentState.RESOLVED, "ada", ())
    assert close_by_hand(closed, "bob", T0) == closed == acknowledge(closed, "bob", T0)
    worse = event("orders.a", EventKind.CHANGED, 5, severity=Severity.CRITICAL)
    assert shown(step([worse], [closed])) == {"i1": ("orders.a", [], "resolved")}
    again = step([event("orders.a", EventKind.RESOLVED, 6), event("orders.a", minutes=9)], [closed])
    assert shown(again)["i2"] == ("orders.a", ["orders.a"], "open")


def pipeline_events(*names, kind=AlertKind.ERROR, minutes=0):
    return [replace(event(name, minutes=minutes), key=key(name, kind)) for name in names]


def in_pipelines(events, before=(), now=T0):
    numbers = itertools.count(len(before) + 1)
    keys = {e.key for e in events} | {m.key for i in before for m in i.members.values()}
    scene = Scene({}, {key: Place(key.check_id.rsplit(".", 1)[0], "timeliness", is_pipeline=True) for key in keys})
    changed = correlate(events, scene, before, Rules(LINEAGE, 3600.0, lambda: f"i{next(numbers)}"), now)
    return {i.id: i for i in before} | {i.id: i for i in changed}


def test_a_tool_that_cannot_be_read_is_one_incident_whatever_its_pipelines():
    checks = [f"air/dag_{n}.failed_runs" for n in range(40)]
    after = in_pipelines(pipeline_events("byte/sync.failed_runs", *checks))
    assert sorted(len(i.open_members) for i in after.values()) == [1, 40]
    after = in_pipelines(pipeline_events("air/new.failed_runs", minutes=300), after.values())
    assert sorted(len(i.open_members) for i in after.values()) == [1, 41]


def test_a_tool_that_cannot_be_read_has_its_incident_beside_those_of_its_failed_loads():
    before = in_pipelines(pipeline_events("air/a.failed_runs", "air/b.failed_runs", kind=AlertKind.DATA))
    assert len(before) == 2, "two failed loads are two incidents"
    after = in_pipelines(pipeline_events("air/a.failed_runs", "air/b.failed_runs", "air/c.failed_runs", minutes=5), before.values())
    assert sorted(len(i.open_members) for i in after.values()) == [1, 1, 3]


def test_an_error_alert_of_the_same_check_is_a_member_of_its_own():
    error = replace(event("orders.a"), key=key("orders.a", AlertKind.ERROR))
    (incident,) = step([event("orders.a"), error]).values()
    assert [str(m.key) for m in incident.open_members] == ["orders.a", "orders.a#error"]


def test_one_source_and_200_descendants_are_one_incident_in_any_order():
    lineage = Lineage({f"t{n:03}": frozenset({f"t{n // 3:03}" if n > 2 else "dlt/shop"}) for n in range(200)})
    events = [event(f"t{n:03}.rows") for n in range(200)] + [event("dlt/shop.last_success")]
    first = None
    for seed in range(30):
        random.Random(seed).shuffle(events)
        incidents = step(events, lineage=lineage)
        first = first or incidents
        assert incidents == first
    assert [i.root.check_id for i in first.values()] == ["dlt/shop.last_success"]


def test_a_cycle_in_the_lineage_ends():
    lineage = Lineage({"a": frozenset({"b"}), "b": frozenset({"a"})})
    assert len(step([event("a.rows"), event("b.rows")], lineage=lineage)) == 1


_PROGRAM = """
from datetime import UTC, datetime, timedelta
from dqmon.alerts.book import Rules, Scene
from dqmon.alerts.correlate import correlate
from dqmon.alerts.group import dedup_key
from dqmon.alerts.inhibit import Place
from dqmon.core.alert import AlertEvent, AlertKey, AlertKind, EventKind
from dqmon.core.lineage import Lineage
from dqmon.core.verdict import Severity
at = datetime(2026, 3, 1, tzinfo=UTC)
events = [AlertEvent(AlertKey(f"t{n}.rows", AlertKind.DATA), EventKind.FIRED, Severity.ERROR, at, at) for n in range(40)]
lineage = Lineage({f"t{n}": frozenset({f"t{n // 2}", f"t{n // 3}"}) for n in range(1, 40, 3)})
ids = iter(range(100))
scene = Scene({}, {e.key: Place(e.key.check_id[:-5], "volume") for e in events})
found = correlate(events, scene, (), Rules(lineage, 3600, lambda: str(next(ids))), at)
print([(i.id, str(i.root), [str(k) for k in i.members]) for i in found], dedup_key("prod", "oncall", "g1", 0))
"""


def test_incidents_and_keys_do_not_depend_on_the_hash_seed():
    def output(seed):
        env = os.environ | {"PYTHONHASHSEED": str(seed)}
        return subprocess.run([sys.executable, "-c", _PROGRAM], env=env, capture_output=True, text=True, check=True).stdout

    assert len({output(seed) for seed in (1, 2, 3)}) == 1
    assert dedup_key("prod", "oncall", "g1", 0) in output(1)
