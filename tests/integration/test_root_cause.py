"""One incident per cause (R11): what is late or thin behind a failed load is listed in the load's message, and pages nobody."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from alert_world import MINUTE, SECOND, T0, Loud, World, check

from dqmon.cli.incidents import lines
from dqmon.core.check import Hold
from dqmon.core.incident import IncidentState
from dqmon.core.lineage import Exposure
from dqmon.core.message import Affected, DeliveryKind, from_json, to_json
from dqmon.core.route import Route
from dqmon.core.selector import parse_selector
from dqmon.core.verdict import Severity, Verdict
from dqmon.engine.incidents.explain import story
from dqmon.engine.telling import inhibited
from dqmon.engine.telling.notify import notify_once
from dqmon.store import slots

ROOT = "airbyte/orders.last_success"
FAIL, PASS = Verdict.FAIL, Verdict.PASS


def tree(tables: int) -> dict[str, set[str]]:
    """Each table is made from another one, the first three from the pipeline."""
    return {f"main:t{n:03}": {f"main:t{n // 3:03}" if n > 2 else "airbyte/orders"} for n in range(tables)}


class Order:
    """One source and its descendants evaluated in a random order, then repaired but for three of them."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.chance = world, random.Random(seed)
        self.tables = [check_id for check_id in world.checks if check_id != ROOT]
        self.left = self.chance.sample([f"t{n:03}.freshness" for n in range(100, 200)], 3)

    def evaluate(self) -> None:
        """All fail in one slot; their results come within 100 s, in batches of up to 40."""
        world, waiting = self.world, [ROOT, *self.tables]
        world.commit(dict.fromkeys(waiting, PASS), T0 - 5 * MINUTE)
        self.chance.shuffle(waiting)
        while waiting:
            taken = [waiting.pop() for _ in range(min(len(waiting), self.chance.randint(1, 40)))]
            world.run(dict.fromkeys(taken, FAIL), T0 + (201 - len(waiting)) / 2.01 * SECOND, T0)
        world.until(T0 + 20 * MINUTE)

    def repair(self) -> None:
        """The load works again; all but three tables follow within ten minutes."""
        world, tables = self.world, [check_id for check_id in self.tables if check_id not in self.left]
        world.run({ROOT: PASS}, T0 + 20 * MINUTE)
        self.chance.shuffle(tables)
        half = self.chance.randrange(len(tables))
        for number in range(1, 7):
            passing = {1: tables[:half], 2: tables[half:]}.get(number, [])
            world.run(dict.fromkeys(passing, PASS) | dict.fromkeys(self.left, FAIL), T0 + (20 + 5 * number) * MINUTE)
        world.until(T0 + 60 * MINUTE)


@pytest.mark.parametrize("orders", [5, pytest.param(50, marks=pytest.mark.long)])
def test_a_source_and_200_descendants_are_one_incident_in_any_order(tmp_path, orders):
    """R11's figure: one incident, no message for descendants; with the root repaired exactly the three true failures fire."""
    chance = random.Random(0)
    checks = [
        check("airbyte/orders", "last_success"),
        *(check(node, "freshness", chance.choice([Severity.ERROR, Severity.WARNING])) for node in tree(200)),
    ]
    world = World(tmp_path, checks, tree(200))
    began, incidents, told, fired = time.process_time(), 0, 0, 0
    for seed in range(orders):
        world.reset()
        world.now = T0 - 10 * MINUTE
        order = Order(world, seed)
        order.evaluate()
        assert list(world.incidents()) == [ROOT], f"order {seed}: {list(world.incidents())}"
        assert world.said() == [ROOT], f"order {seed} told of {world.said()[:5]}"
        assert world.unsaid().keys() == set(order.tables), f"order {seed}: a message that was not sent has no reason"
        incidents, told = incidents + len(world.incidents()), told + len(world.said()) - 1
        order.repair()
        assert sorted(world.said()[1:]) == sorted(order.left), f"order {seed}: {world.said()[1:]} fired, {order.left} are broken"
        assert world.said(DeliveryKind.RESOLVE) == [ROOT]
        assert sorted(world.incidents()) == sorted(order.left)
        fired += len(world.said()) - 1
    cpu = time.process_time() - began
    print(
        f"\n1 source + 200 descendants, {orders} orders: {incidents / orders:g} incident and {told / orders:g} messages of descendants"
        f" each; root repaired with 3 true failures left: {fired / orders:g} fire each; {cpu:.1f} s CPU"
    )


CHAIN = {"main:mart": ["main:clean"], "main:clean": ["main:raw"], "main:raw": ["airbyte/orders"]}
RAW, CLEAN, MART = "raw.freshness", "clean.freshness", "mart.freshness"


def chain(path, *more, parents=CHAIN, exposures=(), **severities: Severity) -> World:
    """A pipeline and three tables, one made from the other, each with a check; all were good five minutes ago."""
    checks = [check("airbyte/orders", "last_success", severities.get("root", Severity.ERROR))]
    checks += [check(f"main:{name}", "freshness", severities.get(name, Severity.ERROR)) for name in ("raw", "clean", "mart")]
    world = World(path, [*checks, *more], parents, exposures)
    world.commit(dict.fromkeys(world.checks, PASS), T0 - 5 * MINUTE)
    world.now = T0
    return world


def test_a_symptom_waits_and_step_2_is_asked_every_five_seconds(tmp_path):
    world = chain(tmp_path)
    world.commit({MART: FAIL}, T0)
    assert world.notify(T0) == T0 + 5 * SECOND
    assert not world.deliveries()
    assert world.until(T0 + 119 * SECOND) == 24, "it must look every 5 s, and not busily"
    assert not world.incidents()
    world.until(T0 + 2 * MINUTE)
    assert (world.said(), list(world.incidents())) == ([MART], [MART])


def test_a_clock_that_is_set_back_does_not_prolong_the_waiting(tmp_path):
    world = chain(tmp_path)
    world.run({MART: FAIL}, T0)
    world.now = T0 - 60 * MINUTE
    world.notify(world.now)
    assert world.said() == [MART]


def test_descendants_first_are_told_by_their_root(tmp_path):
    world = chain(tmp_path)
    world.run({MART: FAIL}, T0)
    world.run({CLEAN: FAIL}, T0 + 20 * SECOND, T0)
    world.run({ROOT: FAIL, RAW: FAIL}, T0 + 60 * SECOND, T0)
    world.until(T0 + 20 * MINUTE)
    assert world.said() == [ROOT]
    assert world.members() == {ROOT: None, RAW: ROOT, CLEAN: ROOT, MART: ROOT}
    incident = world.incidents()[ROOT]
    assert set(world.unsaid().values()) == {f"inhibited: caused by {ROOT}, incident {incident.id}"}
    assert world.unsaid().keys() == {RAW, CLEAN, MART}


def test_a_run_by_hand_tells_at_once(tmp_path):
    world = chain(tmp_path)
    world.commit({MART: FAIL}, T0)
    world.notify(T0)
    assert notify_once(world.environment, T0, is_at_once=True) is not None
    assert list(world.incidents()) == [MART]
    assert notify_once(world.environment, T0, is_at_once=True) != T0, "nothing is left to do at once"


def test_what_a_symptom_waits_for_is_run_now(tmp_path):
    value, by_hand = check("main:raw", "completeness"), check("main:raw", "row_count", schedule=None)
    light = check("main:clean", "row_count", Severity.WARNING)
    world = chain(tmp_path, value, by_hand, light)
    planned = {c.id: slots.Planned(c.warehouse or "", "every 300s") for c in world.checks.values() if c.schedule}
    with world.database.write() as connection:
        slots.sync(connection, planned, lambda *_: T0 + 4 * MINUTE, T0)
        connection.execute(slots.slots.update().where(slots.slots.c.check_id == RAW).values(slot_at=T0, attempt_token="x"))
    world.run({MART: FAIL}, T0 + SECOND)
    with world.database.read() as connection:
        due = {row.check_id: row.next_due_at for row in connection.execute(slots.slots.select())}
    drawn = {check_id for check_id, at in due.items() if at == T0 + SECOND}
    assert drawn == {ROOT, CLEAN}, "those in progress, of values, too light, and the symptom's own stay as they are"
    assert due.keys() - drawn == {RAW, MART, value.id, light.id}


def test_checks_that_run_on_demand_only_are_not_waited_for(tmp_path):
    checks = [check("airbyte/orders", "last_success", schedule=None), check("main:mart", "freshness")]
    world = World(tmp_path, checks, CHAIN)
    world.run({MART: FAIL}, T0)
    assert world.said() == [MART]


def test_a_cause_beyond_the_limit_of_a_batch_is_worked_in_first(tmp_path, monkeypatch):
    monkeypatch.setattr(inhibited, "EVENTS_AT_ONCE", 2)
    world = chain(tmp_path)
    for check_id in (MART, CLEAN, RAW, ROOT):
        world.commit({check_id: FAIL}, T0)
    world.notify(T0)
    assert (world.said(), world.members()) == ([ROOT], {ROOT: None, RAW: ROOT, CLEAN: ROOT, MART: ROOT})


def test_one_that_fires_and_resolves_while_it_waits_is_told_to_nobody(tmp_path):
    world = chain(tmp_path)
    world.run({MART: FAIL}, T0)
    world.run({MART: PASS}, T0 + 30 * SECOND)
    world.until(T0 + 10 * MINUTE)
    assert (world.deliveries(), world.incidents()) == ((), {})
    assert [i.state for i in world.incidents(is_open=False).values()] == [IncidentState.RESOLVED]


def test_what_changes_while_it_waits_does_not_end_the_waiting(tmp_path):
    world = chain(tmp_path)
    world.commit({MART: Verdict.WARN}, T0)
    world.notify(T0)
    world.run({MART: FAIL}, T0 + 2 * SECOND)
    assert not world.incidents(), "the change came between two looks, and took the alert along"
    world.run({MART: PASS}, T0 + 3 * SECOND)
    world.run({MART: FAIL}, T0 + 4 * SECOND)
    world.until(T0 + 123 * SECOND)
    assert not world.incidents(), "it fired anew: the two minutes begin anew"
    world.until(T0 + 124 * SECOND)
    assert world.said() == [MART]


def test_a_warning_at_the_root_does_not_swallow_a_page(tmp_path):
    world = chain(tmp_path, root=Severity.WARNING, raw=Severity.WARNING, mart=Severity.CRITICAL)
    world.run({ROOT: FAIL, RAW: FAIL, MART: FAIL}, T0)
    assert world.members() == {ROOT: None, RAW: ROOT, MART: None}
    (sent,) = [d.message for d in world.deliveries() if d.kind is DeliveryKind.TRIGGER and not d.reason]
    assert (sent.severity, [alert.check_id for alert in sent.alerts]) == (Severity.CRITICAL, [ROOT, MART])


def test_a_group_of_several_incidents_does_not_tell_what_is_inhibited_in_one_of_them(tmp_path):
    value = check("lake:other", "completeness")
    world = chain(tmp_path, value)
    by_severity = replace(world.route, group_by=("severity",), group_interval_s=60)
    world.environment = replace(world.environment, routes=(by_severity,))
    world.run({value.id: FAIL, MART: FAIL, ROOT: PASS, RAW: PASS, CLEAN: PASS}, T0)
    world.run({MART: PASS}, T0 + 10 * MINUTE)
    world.run({ROOT: FAIL}, T0 + 20 * MINUTE)
    world.run({MART: FAIL}, T0 + 30 * MINUTE)
    world.until(T0 + 40 * MINUTE)
    (sent,) = world.groups()
    assert sent.told_members == (ROOT, value.id)
    assert world.members() == {value.id: None, ROOT: None, MART: ROOT}


def test_a_value_check_under_a_failing_root_is_told(tmp_path):
    value = check("main:mart", "completeness")
    world = chain(tmp_path, value)
    world.run({ROOT: FAIL, MART: FAIL, value.id: FAIL}, T0)
    (sent,) = [d.message for d in world.deliveries() if not d.reason]
    assert [alert.check_id for alert in sent.alerts] == [ROOT, value.id]
    assert world.members()[value.id] is None


def test_a_root_that_comes_after_the_hold_becomes_the_root(tmp_path):
    world = chain(tmp_path)
    world.run({MART: FAIL}, T0)
    world.until(T0 + 2 * MINUTE)
    world.run({ROOT: FAIL, CLEAN: FAIL}, T0 + 10 * MINUTE)
    world.until(T0 + 20 * MINUTE)
    assert list(world.incidents()) == [ROOT]
    assert world.members() == {ROOT: None, CLEAN: ROOT, MART: None}
    assert world.said() == [MART]
    assert world.said(DeliveryKind.UPDATE) == [ROOT], "the group that told of the symptom tells of its cause"


def test_two_warehouses_with_tables_of_one_name(tmp_path):
    other = check("lake:raw", "freshness")
    world = chain(tmp_path, other)
    world.run({ROOT: FAIL, RAW: FAIL, other.id: FAIL}, T0)
    assert world.members() == {ROOT: None, RAW: ROOT, other.id: None}
    assert len(world.incidents()) == 2
    nodes = {str(m.key): m.node for i in world.incidents().values() for m in i.open_members}
    assert nodes == {ROOT: "airbyte/orders", RAW: "main:raw", other.id: "lake:raw"}


def test_a_check_that_is_gone_keeps_its_place_in_the_graph(tmp_path):
    world = chain(tmp_path)
    world.commit({ROOT: FAIL, RAW: FAIL, MART: FAIL}, T0)
    for check_id in (ROOT, RAW):
        del world.checks[check_id]
    world.notify(T0)
    assert {str(m.key): m.node for i in world.incidents().values() for m in i.members.values()} == {
        ROOT: "airbyte/orders",
        RAW: "main:raw",
        MART: "main:mart",
    }
    assert world.members() == {ROOT: None, RAW: ROOT, MART: ROOT}


def test_past_the_grace_what_still_fails_fires_and_what_recovered_just_leaves(tmp_path):
    world = chain(tmp_path)
    world.run({ROOT: FAIL, RAW: FAIL, CLEAN: FAIL, MART: FAIL}, T0)
    world.run({ROOT: PASS}, T0 + 10 * MINUTE)
    world.run({RAW: PASS, CLEAN: FAIL, MART: FAIL}, T0 + 15 * MINUTE)
    assert world.notify(T0 + 16 * MINUTE) == T0 + 25 * MINUTE, "step 2 wants to be called when the grace is over"
    world.run({CLEAN: FAIL, MART: FAIL}, T0 + 25 * MINUTE)
    assert world.said() == [ROOT, CLEAN]
    assert world.said(DeliveryKind.RESOLVE) == [ROOT]
    assert world.members() == {CLEAN: None, MART: CLEAN}
    assert list(world.incidents()) == [CLEAN]


def test_past_the_grace_one_that_is_recovering_is_told_to_nobody(tmp_path):
    world = chain(tmp_path)
    world.checks[MART] = replace(world.checks[MART], recover_after=Hold(2))
    world.run({ROOT: FAIL, MART: FAIL}, T0)
    world.run({ROOT: PASS}, T0 + MINUTE)
    world.run({MART: PASS}, T0 + 20 * MINUTE)
    world.until(T0 + 25 * MINUTE)
    assert (world.said(), world.members()) == ([ROOT], {MART: ROOT})
    world.run({MART: PASS}, T0 + 25 * MINUTE)
    assert (world.said(), world.incidents()) == ([ROOT], {})


def test_past_the_grace_checks_that_are_due_later_are_run_now_and_nothing_loops(tmp_path):
    world = chain(tmp_path)
    world.run({ROOT: FAIL, MART: FAIL}, T0)
    world.run({ROOT: PASS}, T0 + MINUTE)
    with world.database.write() as connection:
        slots.sync(connection, {MART: slots.Planned("main", "daily")}, lambda *_: T0 + 1_000 * MINUTE, T0)
    assert world.until(T0 + 100 * MINUTE) < 10
    with world.database.read() as connection:
        assert slots.next_due_at(connection) == T0 + 16 * MINUTE
        assert not inhibited.has_news(connection, T0 + 100 * MINUTE)
    world.run({MART: FAIL}, T0 + 101 * MINUTE)
    assert world.said() == [ROOT, MART]


@pytest.mark.parametrize("calls", range(1, 40, 3))
def test_a_crash_at_any_point_of_step_2_loses_nothing_and_says_nothing_twice(tmp_path, calls):
    world, left = chain(tmp_path), [calls]

    def dying() -> str:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return world.new_id()

    dead = replace(world.environment, new_id=dying)
    for verdicts, at in (
        ({MART: FAIL}, T0),
        ({ROOT: FAIL, RAW: FAIL, CLEAN: FAIL}, T0 + 30 * SECOND),
        ({ROOT: PASS, RAW: PASS}, T0 + 10 * MINUTE),
        ({CLEAN: PASS, MART: FAIL}, T0 + 26 * MINUTE),
    ):
        world.commit(verdicts, at)
        for now in (at, at + 5 * SECOND):
            with suppress(KeyboardInterrupt):
                notify_once(dead, now)
            world.notify(now)
            before = world.deliveries()
            world.notify(now)
            assert world.deliveries() == before, "a second call at the same time says nothing"
    world.until(T0 + 40 * MINUTE)
    assert (world.said(), world.said(DeliveryKind.RESOLVE), world.members()) == ([ROOT, MART], [ROOT], {MART: None})
    assert sorted(world.unsaid()) == [CLEAN, MART, RAW]


EXPOSURES = [Exposure("Revenue", "dashboard", "@bi", "https://bi.example.com/7")]


def test_the_message_of_the_root_lists_what_it_takes_along(tmp_path):
    parents = CHAIN | {"exposure:/Revenue": ["main:mart"], "lake:copy": ["main:mart"], "airbyte/back": ["lake:copy"]}
    world = chain(tmp_path, parents=parents, exposures=EXPOSURES)
    world.run({ROOT: FAIL, CLEAN: FAIL}, T0)
    (sent,) = [d.message for d in world.deliveries() if not d.reason]
    good = T0 - 5 * MINUTE
    assert sent.affected == (
        Affected("main:clean", "table", is_failing=True, last_good_at=good),
        Affected("Revenue", "dashboard", owner="@bi", url="https://bi.example.com/7"),
        Affected("airbyte/back", "pipeline"),
        Affected("lake:copy", "table"),
        Affected("main:mart", "table", last_good_at=good),
        Affected("main:raw", "table", last_good_at=good),
    )
    assert from_json(to_json(sent)) == sent
    world.run({MART: FAIL}, T0 + MINUTE)
    world.until(T0 + 60 * MINUTE)
    assert len([d for d in world.deliveries() if not d.reason]) == 1, "a growing blast radius alone says nothing"
    world.until(T0 + 300 * MINUTE)
    (again,) = [d.message for d in world.deliveries() if d.kind is DeliveryKind.REPEAT]
    assert [item.name for item in again.affected if item.is_failing] == ["main:clean", "main:mart"]


def test_last_good_is_until_when_all_that_fails_was_good(tmp_path):
    more = [check(f"main:{table}", kind) for table in ("clean", "mart") for kind in ("row_count", "completeness")]
    world = chain(tmp_path, *more)
    world.commit({"clean.row_count": PASS, "mart.row_count": PASS}, T0 - 3 * MINUTE)
    world.commit({"clean.completeness": PASS}, T0 - MINUTE)
    world.run({ROOT: FAIL, CLEAN: FAIL, "clean.row_count": FAIL}, T0)
    (sent,) = [d.message for d in world.deliveries() if not d.reason]
    good = {item.name: (item.is_failing, item.last_good_at) for item in sent.affected}
    assert good["clean"] == (True, T0 - 5 * MINUTE), "of what fails, the one that was good the longest ago"
    assert good["mart"] == (False, T0 - 3 * MINUTE), "nothing fails: the newest that was good"


def test_those_who_are_not_told_of_the_root_get_no_list(tmp_path):
    value = check("main:mart", "completeness")
    world = chain(tmp_path, value)
    routes = (Route("values", parse_selector(["dimension:completeness"]), ("loud",), group_wait_s=0), replace(world.route, to=("ops",)))
    world.environment = replace(world.environment, routes=routes, channels={"loud": Loud(), "ops": Loud()})
    world.run({ROOT: FAIL, value.id: FAIL}, T0)
    sent = {d.channel: [item.name for item in d.message.affected] for d in world.deliveries() if not d.reason}
    assert sent == {"ops": ["mart", "clean", "raw"], "loud": []}


def test_ten_are_listed_and_the_rest_is_counted(tmp_path):
    tables = {f"main:t{n:02}": ["main:mart"] for n in range(30)}
    world = chain(tmp_path, parents=CHAIN | tables | {"exposure:/Revenue": ["main:t00"]}, exposures=EXPOSURES)
    world.run({ROOT: FAIL, RAW: FAIL}, T0)
    (sent,) = [d.message for d in world.deliveries() if not d.reason]
    assert [item.name for item in sent.affected] == ["raw", "Revenue", "clean", "mart", *(f"t{n:02}" for n in range(6))]
    assert sent.affected_more == 24


def test_incidents_show_says_what_is_affected_and_why_nobody_was_told(tmp_path):
    world = chain(tmp_path, parents=CHAIN | {"exposure:/Revenue": ["main:mart"]}, exposures=EXPOSURES)
    world.run({ROOT: FAIL, RAW: FAIL, CLEAN: FAIL}, T0)
    (incident,) = world.incidents().values()
    with world.database.read() as connection:
        shown = "\n".join(lines(story(connection, incident.id), with_text=True))
    for words in (
        "CAUSED BY",
        "fails: clean, last good 2026-03-01 07:55 UTC",
        "dashboard Revenue, @bi, https://bi.example.com/7",
        f"trigger (post) not sent: inhibited: caused by {ROOT}, incident {incident.id} (2 times)",
    ):
        assert words in shown, f"{words!r} is missing in\n{shown}"
