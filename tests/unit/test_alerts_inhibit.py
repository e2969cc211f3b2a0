"""Which alerts wait, which are inhibited, by what, and when they are told after all (R11): the functions alone."""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqmon.alerts.book import Rules, Scene
from dqmon.alerts.correlate import correlate
from dqmon.alerts.inhibit import GRACE, LOOK_AGAIN, Ancestry, Place, Watched, waits
from dqmon.core.alert import HOLD, Alert, AlertEvent, AlertKey, AlertKind, AlertState, EventKind
from dqmon.core.incident import IncidentState
from dqmon.core.lineage import Lineage
from dqmon.core.verdict import Severity

T0 = datetime(2026, 3, 1, 8, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
CHAIN = {"main:clean": {"main:raw"}, "main:mart": {"main:clean"}, "main:raw": {"dlt/shop"}}
DIMENSIONS = {"late": "timeliness", "thin": "volume", "shape": "schema", "value": "validity"}


def key(name: str, kind: AlertKind = AlertKind.DATA) -> AlertKey:
    return AlertKey(name, kind)


def place(name: str) -> Place:
    """`main:raw|late` is a check of timeliness on the table raw."""
    node, _, about = name.partition("|")
    return Place(node, DIMENSIONS[about], is_pipeline=":" not in node)


class Step2:
    """The second step in memory: events come in, some wait, the rest is worked into incidents."""

    def __init__(self, parents: dict[str, set[str]], watched: dict[str, Severity]) -> None:
        self.lineage = Lineage({child: frozenset(found) for child, found in parents.items()})
        self.watched, self.measured, self.pending = watched, dict.fromkeys(watched, T0 - 5 * MINUTE), set[str]()
        self.unused: list[AlertEvent] = []
        self.alerts: dict[AlertKey, Alert] = {}
        self.incidents = {}
        self.told: list[str] = []
        self.bad_since: dict[AlertKey, datetime] = {}
        self.put_off: dict[AlertKey, timedelta] = {}
        numbers = itertools.count(1)
        self.rules = Rules(self.lineage, 3600.0, lambda: f"i{next(numbers)}")

    def measure(
        self, name: str, severity: Severity | None, at: datetime, slot: datetime | None = None, kind: AlertKind = AlertKind.DATA
    ) -> None:
        """A result: bad with that severity, or good."""
        self.measured[name] = at
        one, before = key(name, kind), self.alerts.get(key(name, kind), Alert(key(name, kind)))
        if severity is None:
            events = [EventKind.RESOLVED] if before.is_open else []
            self.alerts[one] = replace(before, state=AlertState.RESOLVED)
        else:
            self.bad_since[one] = at
            events = (
                [EventKind.CHANGED if before.is_open else EventKind.FIRED] if severity is not before.severity or not before.is_open else []
            )
            self.alerts[one] = replace(before, state=AlertState.FIRING, severity=severity)
        self.unused += [AlertEvent(one, what, severity or before.severity, at, slot or at) for what in events]

    def step(self, now: datetime) -> None:
        before = self.members()
        places = {one: place(one.check_id) for one in self.alerts}
        ranks = [(one, m.severity.rank) for one, m in before.items() if m.caused_by is None]
        fired = [e for e in self.unused if e.kind is EventKind.FIRED and self.alerts[e.key].is_open]
        ranks += [(e.key, e.severity.rank) for e in fired if not places[e.key].is_symptom(e.key)]
        told: dict[str, int] = {}
        for one, rank in ranks:
            if places[one].can_cause:
                told[places[one].node] = max(rank, told.get(places[one].node, rank))
        watched: dict[str, list[Watched]] = {}
        for name, severity in self.watched.items():
            watched.setdefault(place(name).node, []).append(Watched(name, severity.rank, self.measured[name], name in self.pending))
        symptoms = [(e, places[e.key].node) for e in fired if places[e.key].is_symptom(e.key)]
        waiting = waits(symptoms, told, watched, Ancestry(self.lineage), now)
        self.put_off |= {e.key: now - e.at for e, _ in symptoms if e.key in waiting.until}
        taken = [e for e in self.unused if e.key not in waiting.until]
        self.unused = [e for e in self.unused if e.key in waiting.until]
        due = {one for one, m in before.items() if m.release_at and m.release_at <= self.bad_since[one]}
        scene = Scene({one: self.alerts[one] for one in {*before, *(e.key for e in taken)}}, places, frozenset(due))
        self.incidents |= {i.id: i for i in correlate(taken, scene, self.incidents.values(), self.rules, now)}
        after = self.members()
        fresh = [one for one, m in after.items() if m.caused_by is None and (one not in before or before[one].caused_by is not None)]
        self.told += sorted(str(one) for one in fresh)

    def until(self, now: datetime, end: datetime) -> None:
        """A step each time that one could be due."""
        while now <= end:
            self.step(now)
            now += LOOK_AGAIN

    def members(self):
        return {m.key: m for i in self.incidents.values() if i.state is not IncidentState.RESOLVED for m in i.open_members}

    def shown(self) -> dict[str, tuple[str, str | None]]:
        """Each open member: the root of its incident, and its cause."""
        opened = [i for i in self.incidents.values() if i.state is not IncidentState.RESOLVED]
        return {str(m.key): (str(i.root), m.caused_by) for i in opened for m in i.open_members}


LOAD, RAW, CLEAN, MART = "dlt/shop|late", "main:raw|late", "main:clean|late", "main:mart|late"
EVERY = dict.fromkeys((LOAD, RAW, CLEAN, MART), Severity.ERROR)


def fresh(at: datetime = T0, watched: dict[str, Severity] = EVERY) -> Step2:
    """Step 2 of the chain; everything but what a test measures has just been found good."""
    found = Step2(CHAIN, watched)
    found.measured = dict.fromkeys(watched, at)
    return found


@pytest.mark.parametrize(
    ("cause", "symptom", "is_inhibited"),
    [
        (LOAD, "main:mart|late", True),
        (LOAD, "main:mart|thin", True),
        (LOAD, "main:mart|shape", False),
        (LOAD, "main:mart|value", False),
        ("main:raw|late", "main:mart|late", True),
        ("main:raw|thin", "main:mart|late", True),
        ("main:raw|shape", "main:mart|late", True),
        ("main:raw|value", "main:mart|late", False),
        ("dlt/shop|value", "main:mart|late", True),
        ("main:mart|shape", "main:mart|late", False),
    ],
)
def test_what_explains_what(cause, symptom, is_inhibited):
    world = fresh()
    for name in (cause, symptom):
        world.measure(name, Severity.ERROR, T0)
    world.step(T0)
    assert world.shown()[symptom] == (cause if cause != "main:mart|shape" else "main:mart|late", cause if is_inhibited else None)
    assert (symptom in world.told) is not is_inhibited


def test_an_error_upstream_is_a_cause_and_an_error_is_no_symptom():
    world = fresh()
    world.measure(RAW, Severity.ERROR, T0, kind=AlertKind.ERROR)
    world.measure(MART, Severity.ERROR, T0)
    world.measure(CLEAN, Severity.ERROR, T0, kind=AlertKind.ERROR)
    world.step(T0)
    assert world.shown() == {
        f"{RAW}#error": (f"{RAW}#error", None),
        MART: (f"{RAW}#error", f"{RAW}#error"),
        f"{CLEAN}#error": (f"{RAW}#error", None),
    }


def test_the_most_upstream_cause_is_named_then_the_smallest_id():
    world = fresh()
    for name in (RAW, CLEAN, MART, "main:raw|shape"):
        world.measure(name, Severity.ERROR, T0)
    world.step(T0)
    assert {name: cause for name, (_, cause) in world.shown().items()} == {RAW: None, "main:raw|shape": None, CLEAN: RAW, MART: RAW}
    world = fresh()
    for name in ("main:raw|thin", "main:raw|shape", MART):
        world.measure(name, Severity.ERROR, T0)
    world.step(T0)
    assert world.shown()[MART] == ("main:raw|shape", "main:raw|shape")


@pytest.mark.parametrize("severity", Severity)
def test_a_warning_never_swallows_a_page(severity):
    world = fresh()
    world.measure(LOAD, Severity.WARNING, T0)
    world.measure(MART, severity, T0)
    world.step(T0)
    is_inhibited = severity.rank <= Severity.WARNING.rank
    assert world.shown() == {LOAD: (LOAD, None), MART: (LOAD, LOAD if is_inhibited else None)}, "it is in the incident in any case"
    assert world.told == [LOAD] if is_inhibited else [LOAD, MART]


def test_a_symptom_that_becomes_worse_than_its_cause_is_told_and_stays():
    world = fresh()
    for name in (LOAD, MART):
        world.measure(name, Severity.WARNING, T0)
    world.step(T0)
    world.measure(MART, Severity.CRITICAL, T0 + MINUTE)
    world.step(T0 + MINUTE)
    assert (world.told, world.shown()[MART]) == ([LOAD, MART], (LOAD, None))
    assert next(iter(world.incidents.values())).severity is Severity.CRITICAL


def test_a_cause_that_becomes_lighter_gives_its_symptoms_the_grace():
    world = fresh()
    for name in (LOAD, MART):
        world.measure(name, Severity.ERROR, T0)
    world.step(T0)
    world.measure(LOAD, Severity.WARNING, T0 + MINUTE)
    world.until(T0 + MINUTE, T0 + 10 * MINUTE)
    assert world.told == [LOAD], "200 tables at once are no answer to a load that got better"
    world.measure(MART, Severity.ERROR, T0 + 17 * MINUTE)
    world.step(T0 + 17 * MINUTE)
    assert (world.told, world.shown()[MART]) == ([LOAD, MART], (LOAD, None))


@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_in_one_batch_the_cause_comes_first_whatever_the_order_of_slots(first):
    world = fresh()
    slots = [T0 - n * MINUTE for n in range(4)]
    for name, slot in zip((LOAD, RAW, CLEAN, MART), slots[first:] + slots[:first], strict=True):
        world.measure(name, Severity.ERROR, T0, slot)
    world.step(T0)
    assert {cause for name, (_, cause) in world.shown().items() if name != LOAD} == {LOAD}


def test_descendants_first_wait_for_the_root():
    world = Step2(CHAIN, EVERY)
    world.measure(MART, Severity.ERROR, T0)
    world.until(T0, T0 + 50 * SECOND)
    assert (world.told, world.shown()) == ([], {})
    world.measure(CLEAN, Severity.ERROR, T0 + 50 * SECOND, T0)
    world.measure(RAW, None, T0 + 50 * SECOND, T0)
    world.until(T0 + 50 * SECOND, T0 + 90 * SECOND)
    assert (world.told, world.shown()) == ([], {}), "the load has said nothing yet"
    world.measure(LOAD, Severity.ERROR, T0 + 90 * SECOND, T0)
    world.until(T0 + 90 * SECOND, T0 + 20 * MINUTE)
    assert world.told == [LOAD]
    assert world.shown() == {LOAD: (LOAD, None), CLEAN: (LOAD, LOAD), MART: (LOAD, LOAD)}


def test_the_hold_ends_as_soon_as_all_ancestors_were_measured_as_good():
    world = Step2(CHAIN, EVERY)
    world.measure(MART, Severity.ERROR, T0)
    world.step(T0)
    for name in (LOAD, RAW, CLEAN):
        world.measure(name, None, T0 + SECOND, T0)
    world.step(T0 + 5 * SECOND)
    assert world.told == [MART]


def test_the_hold_expires_after_two_minutes():
    world = Step2(CHAIN, EVERY)
    world.measure(MART, Severity.ERROR, T0)
    world.step(T0)
    world.step(T0 + HOLD - SECOND)
    assert world.told == []
    world.step(T0 + HOLD)
    assert world.told == [MART]


def test_the_last_look_is_not_later_than_two_minutes():
    fired = AlertEvent(key(MART), EventKind.FIRED, Severity.ERROR, T0, T0)
    watched = {"main:raw": [Watched(RAW, 3, None, is_pending=False)]}
    ancestry = Ancestry(Lineage({"main:mart": frozenset({"main:raw"})}))
    for after, until in ((timedelta(0), LOOK_AGAIN), (HOLD - 2 * SECOND, HOLD)):
        found = waits([(fired, "main:mart")], {}, watched, ancestry, T0 + after)
        assert found.until == {fired.key: T0 + until}
        assert found.to_run == {RAW}


def test_a_pending_ancestor_holds_and_is_not_run_out_of_turn():
    world = fresh()
    world.pending = {RAW}
    world.measure(MART, Severity.ERROR, T0)
    world.step(T0)
    assert world.told == []
    watched = {"main:raw": [Watched(RAW, 3, T0, is_pending=True)]}
    found = waits([(world.unused[0], "main:mart")], {}, watched, Ancestry(world.lineage), T0)
    assert (set(found.until), found.to_run) == ({key(MART)}, frozenset())
    world.step(T0 + HOLD)
    assert world.told == [MART]


def test_a_page_does_not_wait_for_ancestors_that_could_not_swallow_it():
    world = Step2(CHAIN, dict.fromkeys(EVERY, Severity.WARNING))
    world.measure(MART, Severity.CRITICAL, T0)
    world.step(T0)
    assert world.told == [MART]


def test_without_scheduled_checks_upstream_nothing_waits():
    world = Step2(CHAIN, {MART: Severity.ERROR})
    world.measure(MART, Severity.ERROR, T0)
    world.step(T0)
    assert world.told == [MART]


def test_a_symptom_whose_time_is_over_takes_the_cause_along_that_still_waits():
    world = Step2(CHAIN, EVERY)
    world.measure(MART, Severity.ERROR, T0)
    world.step(T0)
    world.measure(CLEAN, Severity.ERROR, T0 + MINUTE)
    world.until(T0 + MINUTE, T0 + HOLD)
    assert world.told == [CLEAN]
    assert world.shown() == {CLEAN: (CLEAN, None), MART: (CLEAN, CLEAN)}


def fired(name: str, slot: datetime = T0) -> tuple[AlertEvent, str]:
    return AlertEvent(key(name), EventKind.FIRED, Severity.ERROR, T0, slot), place(name).node


@pytest.mark.parametrize(("clean_slot", "mart_slot", "waiting"), [(2, 0, {CLEAN, MART}), (0, 2, set())])
def test_a_symptom_goes_with_the_one_upstream_that_would_be_its_cause(clean_slot, mart_slot, waiting):
    """The table above them was measured between the two slots, so that alone one would wait for it and the other not."""
    ancestry = Ancestry(Lineage({child: frozenset(found) for child, found in CHAIN.items()}))
    watched = {"main:raw": [Watched(RAW, 3, T0 + MINUTE, is_pending=False)]}
    both = [fired(MART, T0 + mart_slot * MINUTE), fired(CLEAN, T0 + clean_slot * MINUTE)]
    assert waits(both, {}, watched, ancestry, T0).until.keys() == {key(name) for name in waiting}


def test_a_change_in_the_grace_is_told_to_nobody_unless_it_is_for_the_worse():
    world = fresh()
    for name in (LOAD, MART):
        world.measure(name, Severity.ERROR, T0)
    world.step(T0)
    world.measure(LOAD, None, T0 + MINUTE)
    world.step(T0 + MINUTE)
    world.measure(MART, Severity.WARNING, T0 + 2 * MINUTE)
    world.step(T0 + 2 * MINUTE)
    assert world.told == [LOAD]
    world.measure(MART, Severity.CRITICAL, T0 + 3 * MINUTE)
    world.step(T0 + 3 * MINUTE)
    assert world.told == [LOAD, MART]


def test_a_root_after_the_hold_joins_its_symptoms_and_becomes_the_root():
    world = Step2(CHAIN, EVERY)
    world.measure(CLEAN, Severity.ERROR, T0)
    world.until(T0, T0 + HOLD)
    world.measure(LOAD, Severity.ERROR, T0 + 30 * MINUTE)
    world.measure(MART, Severity.ERROR, T0 + 30 * MINUTE)
    world.step(T0 + 30 * MINUTE)
    assert world.told == [CLEAN, LOAD]
    assert world.shown() == {CLEAN: (LOAD, None), LOAD: (LOAD, None), MART: (LOAD, LOAD)}


@pytest.mark.parametrize(("minutes", "other"), [(61, None), (30, "main:mart|value"), (30, "main:elsewhere|late")])
def test_a_late_root_leaves_old_incidents_alone_and_those_of_anything_else(minutes, other):
    world = fresh()
    names = [CLEAN] if other is None else ["main:clean|value", other] if "value" in other else [other]
    for name in names:
        world.measure(name, Severity.ERROR, T0)
    world.step(T0)
    world.measure(LOAD, Severity.ERROR, T0 + minutes * MINUTE)
    world.step(T0 + minutes * MINUTE)
    assert world.shown()[LOAD] == (LOAD, None)
    assert all(root != LOAD for name, (root, _) in world.shown().items() if name != LOAD)


def test_released_after_the_grace_when_measured_as_bad_again():
    world = fresh()
    for name in (LOAD, RAW, CLEAN, "main:mart|value"):
        world.measure(name, Severity.ERROR, T0)
    world.step(T0)
    world.measure(LOAD, None, T0 + MINUTE)
    world.measure(RAW, Severity.ERROR, T0 + 2 * MINUTE)
    world.until(T0 + MINUTE, T0 + MINUTE + GRACE)
    assert world.told == [LOAD, "main:mart|value"], "nobody has measured them since the grace was over"
    world.measure(RAW, Severity.ERROR, T0 + 17 * MINUTE)
    world.measure(CLEAN, Severity.ERROR, T0 + 17 * MINUTE)
    world.step(T0 + 17 * MINUTE)
    assert world.told == [LOAD, "main:mart|value", RAW], "what is upstream of the rest fires, and explains it"
    assert {name: cause for name, (_, cause) in world.shown().items()} == {RAW: None, CLEAN: RAW, "main:mart|value": None}
    assert world.shown()[CLEAN][0] == RAW


def test_one_that_recovers_within_the_grace_just_leaves():
    world = fresh()
    for name in (LOAD, RAW):
        world.measure(name, Severity.ERROR, T0)
    world.step(T0)
    for name, at in ((LOAD, MINUTE), (RAW, 5 * MINUTE)):
        world.measure(name, None, T0 + at)
        world.step(T0 + at)
    assert (world.told, world.shown(), [i.state for i in world.incidents.values()]) == ([LOAD], {}, [IncidentState.RESOLVED])


def test_a_cause_that_comes_back_takes_them_again():
    world = fresh()
    for name in (LOAD, RAW):
        world.measure(name, Severity.ERROR, T0)
    world.step(T0)
    world.measure(LOAD, None, T0 + MINUTE)
    world.step(T0 + MINUTE)
    assert world.members()[key(RAW)].release_at == T0 + MINUTE + GRACE
    world.measure(LOAD, Severity.ERROR, T0 + 10 * MINUTE)
    world.step(T0 + 10 * MINUTE)
    assert world.shown() == {LOAD: (LOAD, None), RAW: (LOAD, LOAD)}
    assert world.members()[key(RAW)].release_at is None
    assert [i.state for i in world.incidents.values()] == [IncidentState.OPEN], "it was the same incident all the time"


def test_two_warehouses_with_tables_of_one_name_are_apart():
    parents = {"main:orders": {"dlt/shop"}, "lake:orders": {"dlt/logs"}}
    world = Step2(parents, {})
    for name in ("dlt/shop|late", "main:orders|late", "lake:orders|late"):
        world.measure(name, Severity.ERROR, T0)
    world.step(T0)
    assert world.shown() == {
        "dlt/shop|late": ("dlt/shop|late", None),
        "main:orders|late": ("dlt/shop|late", "dlt/shop|late"),
        "lake:orders|late": ("lake:orders|late", None),
    }


def test_two_in_a_circle_never_silence_each_other():
    world = Step2({"main:a": {"main:b"}, "main:b": {"main:a"}}, {})
    for name in ("main:a|late", "main:b|late"):
        world.measure(name, Severity.ERROR, T0)
    world.step(T0)
    assert world.told == ["main:a|late"]


NODES = ("dlt/a", "dlt/b", "main:a", "main:b", "main:c", "main:d", "main:e")
GRAPHS = st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)).map(sorted).map(tuple).filter(lambda e: e[0] < e[1]), max_size=14)
NAMES = st.tuples(st.sampled_from(NODES), st.sampled_from(list(DIMENSIONS))).map("|".join)
MOVES = st.lists(st.tuples(NAMES, st.none() | st.sampled_from(Severity), st.integers(0, 400)), max_size=40)


@settings(deadline=None, max_examples=150)
@given(GRAPHS, MOVES, st.sets(NAMES, max_size=10))
def test_whatever_happens_every_open_alert_is_told_or_explained(edges, moves, watched):
    parents: dict[str, set[str]] = {}
    for parent, child in edges:
        parents.setdefault(NODES[child], set()).add(NODES[parent])
    world, now = Step2(parents, dict.fromkeys(watched, Severity.CRITICAL)), T0
    for name, severity, wait in moves:
        now += wait * SECOND
        world.measure(name, severity, now)
        world.step(now)
        _check(world, now)
    world.until(now, now + HOLD)
    assert not world.unused, "nothing waits for longer than two minutes"
    for one, alert in world.alerts.items():
        if alert.is_open:
            world.measure(one.check_id, alert.severity, now + HOLD + GRACE + MINUTE)
    for _ in range(2):  # the first look may find what has ended only now
        now += HOLD + GRACE + MINUTE
        world.step(now)
        world.bad_since |= dict.fromkeys(world.members(), now + HOLD + GRACE + MINUTE)
    assert all(m.release_at is None for m in world.members().values()), "past the grace, what is bad is told or explained"


def _check(world: Step2, now: datetime) -> None:
    members = world.members()
    waiting = {event.key for event in world.unused}
    assert members.keys() | waiting >= {one for one, alert in world.alerts.items() if alert.is_open}
    for one, member in members.items():
        if member.caused_by is None:
            continue
        assert place(one.check_id).is_symptom(one), f"{one} is no symptom and was silenced"
        cause = members.get(next((other for other in members if str(other) == member.caused_by), one))
        if member.release_at is None:
            assert cause is not None, f"{one} is explained by what is not there"
            assert cause.caused_by is None, f"{one} is explained by what nobody is told of"
            assert cause.node in world.lineage.ancestors(member.node)
            assert cause.severity.rank >= member.severity.rank
    assert all(later <= HOLD for later in world.put_off.values())


@pytest.mark.parametrize("orders", [50, pytest.param(500, marks=pytest.mark.long)])
def test_one_source_and_200_descendants_in_random_orders(orders):
    """R11's figure, without a store: one incident, 0 messages of descendants, and with the root repaired exactly the 3 true failures."""
    parents = {f"main:t{n:03}": {f"main:t{n // 3:03}" if n > 2 else "dlt/shop"} for n in range(200)}
    names = [LOAD, *(f"{node}|late" for node in parents)]
    began, incidents, told, fired = time.process_time(), 0, 0, 0
    for seed in range(orders):
        chance = random.Random(seed)
        world = Step2(parents, dict.fromkeys(names, Severity.ERROR))
        left = sorted(chance.sample([f"main:t{n:03}|late" for n in range(100, 200)], 3))
        order = chance.sample(names, len(names))
        for number, name in enumerate(order):
            at = T0 + number * 110 / 201 * SECOND
            world.measure(name, Severity.ERROR, at, T0)
            if chance.random() < 0.1:
                world.step(at)
        world.until(T0 + 110 * SECOND, T0 + 125 * SECOND)
        assert world.told == [LOAD], f"order {seed}: {world.told[:5]}"
        assert len(world.incidents) == 1
        incidents, told = incidents + len(world.incidents), told + len(world.told) - 1
        world.measure(LOAD, None, T0 + 10 * MINUTE)
        world.step(T0 + 10 * MINUTE)
        for name in chance.sample(names, len(names)):
            world.measure(name, Severity.ERROR if name in left else None, T0 + 26 * MINUTE)
            if chance.random() < 0.1:
                world.step(T0 + 26 * MINUTE)
        world.step(T0 + 27 * MINUTE)
        assert sorted(world.told[1:]) == left, f"order {seed}: {world.told[1:]} fired, {left} are broken"
        fired += len(world.told) - 1
    print(
        f"\n1 source + 200 descendants, {orders} orders: {incidents / orders:g} incident, {told / orders:g} messages of descendants,"
        f" then {fired / orders:g} of 3 true failures fire; {time.process_time() - began:.1f} s CPU"
    )
