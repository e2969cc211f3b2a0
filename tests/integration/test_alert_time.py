"""What time does to alerts, through both transactions on a store and a virtual clock: flapping, repeats, removal, escalation (R2, R3, R8, R9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from alert_world import MINUTE, SECOND, T0, Loud, World, check

from dqmon.alerts.correlate import acknowledge, close_by_hand
from dqmon.core.alert import AlertKey, AlertKind
from dqmon.core.delivery import DeliveryState
from dqmon.core.route import Route
from dqmon.core.selector import parse_selector
from dqmon.core.verdict import Severity, Verdict
from dqmon.engine.incidents.by_hand import acknowledge_incident
from dqmon.engine.incidents.explain import story
from dqmon.engine.incidents.settle import settle, unmute
from dqmon.engine.incidents.silences import Span, silence
from dqmon.engine.incidents.why_not import why_not
from dqmon.engine.measuring.asked import Run, Task
from dqmon.engine.run import RunOutcome, commit
from dqmon.engine.telling.notify import notify_once
from dqmon.engine.telling.removed import REASON, end_removed
from dqmon.store import alerts, leases

PASS, FAIL, WARN, ERROR = Verdict.PASS, Verdict.FAIL, Verdict.WARN, Verdict.ERROR
HOUR = timedelta(hours=1)
A, B = "orders.completeness", "payments.row_count"
ROUTE = Route("rest", None, ("loud",))
CHECKS = (check("main:orders", "completeness"), check("main:payments", "row_count"))


class Quiet(Loud):
    pages = False


class Timed(World):
    """The world with the default waits of routes; `lead`, `boss` and `owner` are for escalations."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, CHECKS, {})
        self.first = self.environment
        self.reset()

    def reset(self) -> None:
        super().reset()
        self.now = T0
        self.checks.clear()
        self.checks.update({item.id: item for item in CHECKS})
        channels = {"loud": Loud(), "lead": Loud(), "boss": Quiet(), "owner": Quiet()}
        self.environment = replace(getattr(self, "first", self.environment), routes=(ROUTE,), channels=channels)

    def told(self, channel: str | None = None) -> list[tuple[str, float]]:
        """Each message that was sent, with its minute."""
        sent = [d for d in self.deliveries() if d.state is DeliveryState.SENT and channel in (None, d.channel)]
        return [(d.kind.value, (d.created_at - T0) / MINUTE) for d in sent]

    def kept_back(self, channel: str | None = None) -> list[tuple[str, str]]:
        """Each message that was not sent, with the reason."""
        found = [d for d in self.deliveries() if d.state is DeliveryState.NOT_SENT and channel in (None, d.channel)]
        return [(d.kind.value, d.reason) for d in found]

    def state(self, check_id: str = A) -> str:
        with self.database.read() as connection:
            alert = alerts.get(connection, (AlertKey(check_id, AlertKind.DATA),))[AlertKey(check_id, AlertKind.DATA)]
        return "flapping" if alert.is_flapping else alert.state.value

    def why(self, channel: str) -> str:
        every = tuple(self.environment.channels)
        routes = (*self.environment.routes, *self.environment.escalation)
        with self.database.read() as connection:
            newest = next(iter(self.incidents(is_open=False).values())).id
            _, answers = why_not(connection, newest, every, routes, self.now)
        return next(answer.text for answer in answers if answer.channel == channel)

    def acknowledge(self, at: datetime) -> None:
        """As `dqmon incidents ack`, which leaves the telling to whoever holds the lease."""
        self.until(at)
        (incident,) = self.incidents().values()
        settle(self.environment, incident.id, partial(acknowledge, who="ann", now=at), at)
        self.notify(at)


@pytest.fixture(scope="module")
def one_store(tmp_path_factory: pytest.TempPathFactory) -> Timed:
    return Timed(tmp_path_factory.mktemp("store"))


@pytest.fixture
def world(one_store: Timed) -> Timed:
    one_store.reset()
    return one_store


def alternate(world: Timed, count: int, start: datetime = T0) -> datetime:
    """So many results, a minute apart, bad first; the time after the last."""
    for number in range(count):
        world.run({A: PASS if number % 2 else FAIL}, start + number * MINUTE)
    return start + count * MINUTE


@pytest.mark.parametrize("count", [12, pytest.param(1_440, marks=pytest.mark.long)])
def test_24_hours_of_results_that_alternate_are_one_incident_and_few_messages(world: Timed, count: int) -> None:
    alternate(world, count)
    world.until(T0 + 24 * HOUR)
    told, incidents = world.told(), world.incidents(is_open=False)
    print(f"flapping: {count:,} alternating results of a minute, in 24 h: {len(told)} messages, {len(incidents)} incident; {told}")
    assert len(told) <= 3
    assert len(incidents) == 1
    assert told == [("trigger", 10 / 60), ("update", 10 / 60 + 5)], "a page, then that it flaps with the next step of group_interval"
    assert world.state() == "flapping"
    held = [reason for kind, reason in world.kept_back() if kind == "repeat"]
    assert held == ["flapping, held until 10 equal outcomes in a row: orders.completeness"] * 5
    assert "held until 10 equal outcomes" in world.why("loud")
    with world.database.read() as connection:
        assert [alert.key.check_id for alert in story(connection, next(iter(incidents.values())).id).flapping] == [A]


@pytest.mark.parametrize(("verdict", "kind", "state"), [(PASS, "resolve", "resolved"), (FAIL, "update", "firing")])
def test_flapping_ends_with_ten_equal_outcomes_and_one_message(world: Timed, verdict: Verdict, kind: str, state: str) -> None:
    at = alternate(world, 8)
    world.until(at)
    before = world.told()
    for number in range(9 if verdict is FAIL else 8):
        world.run({A: verdict}, at + number * MINUTE)
    world.until(at := at + 9 * MINUTE)
    assert (world.told(), world.state()) == (before, "flapping"), "nine equal outcomes are not ten"
    world.run({A: verdict}, at)
    world.until(at + HOUR)
    assert [told for told, _ in world.told()[len(before) :]] == [kind]
    assert world.state() == state
    newest = world.deliveries()[-1].message
    assert f"steady again: {A}" in newest.changes or any("steady again" in text for text in newest.alerts[0].members_left)


def test_a_flapping_alert_that_gets_worse_pages(world: Timed) -> None:
    world.checks[A] = replace(world.checks[A], severity=Severity.CRITICAL)
    for number in range(6):
        world.run({A: PASS if number % 2 else WARN}, T0 + number * MINUTE)
    assert world.state() == "flapping"
    world.until(T0 + 6 * MINUTE)
    before = len(world.told())
    world.run({A: FAIL}, T0 + 6 * MINUTE)
    world.run({A: PASS}, T0 + 7 * MINUTE)
    world.run({A: WARN}, T0 + 8 * MINUTE)
    assert world.told()[before:] == [("trigger", 6), ("resolve", 6)], "a new key pages, the old one ends; the fall is held"


def test_one_alert_for_24_hours_is_one_parent_and_six_repeats(world: Timed) -> None:
    for hour in range(0, 25, 3):
        world.run({A: FAIL}, T0 + hour * HOUR)
    first = 10 * SECOND
    world.until(T0 + first + 24 * HOUR)
    told = world.told()
    print(f"one alert for 24 h: {told}")
    assert told == [("trigger", first / MINUTE)] + [("repeat", (first + n * 4 * HOUR) / MINUTE) for n in range(1, 7)]


def test_what_fires_again_before_its_end_was_told_goes_on_without_a_word(world: Timed) -> None:
    world.run({A: FAIL}, T0)
    world.run({A: PASS}, T0 + MINUTE)
    assert world.incidents() == {}
    world.run({A: FAIL}, T0 + 2 * MINUTE)
    world.until(T0 + HOUR)
    assert [kind for kind, _ in world.told()] == ["trigger"], "PagerDuty opens a new incident on a trigger after a resolve"
    assert len(world.incidents()) == len(world.incidents(is_open=False)) == 1


def test_what_fires_again_within_an_hour_is_the_same_incident_and_a_new_page(world: Timed) -> None:
    world.run({A: FAIL}, T0)
    world.acknowledge(T0 + MINUTE)
    world.run({A: PASS}, T0 + 10 * MINUTE)
    world.run({A: FAIL}, T0 + 70 * MINUTE)
    world.until(T0 + 2 * HOUR)
    assert [kind for kind, _ in world.told()] == ["trigger", "acknowledge", "resolve", "trigger"]
    (incident,) = world.incidents().values()
    assert (incident.state.value, incident.acknowledged_by) == ("open", None), "its end was told, so that nobody is at it any more"
    keys = [d.dedup_key for d in world.deliveries() if d.kind.value == "trigger"]
    assert len(set(keys)) == 2
    world.run({A: PASS}, T0 + 2 * HOUR)
    world.run({A: FAIL}, T0 + 3 * HOUR + 6 * MINUTE)
    assert len(world.incidents(is_open=False)) == 1
    assert [i.id for i in world.incidents().values()] != [incident.id], "after more than correlate_within it is a new one"


@pytest.mark.parametrize("ends_alerts", [False, True], ids=["resolve", "resolve --still-failing"])
def test_what_somebody_has_closed_stays_closed_unless_the_next_failure_counts(world: Timed, ends_alerts: bool) -> None:
    at = T0 + MINUTE
    world.run({A: FAIL}, T0)
    world.until(at)
    (closed,) = world.incidents()
    settle(world.environment, world.incidents()[closed].id, partial(close_by_hand, who="ann", now=at), at, ends_alerts=ends_alerts)
    world.notify(at)
    world.run({A: FAIL}, T0 + 10 * MINUTE)
    world.until(T0 + HOUR)
    assert [kind for kind, _ in world.told()] == ["trigger", "resolve"] + ["trigger"] * ends_alerts
    assert len(world.incidents()) == ends_alerts


def segments(world: Timed, verdicts: Mapping[str, Verdict], at: datetime) -> None:
    """A run of the check that has found these shops."""
    world.until(at)
    item, run = replace(CHECKS[0], segment_by=("shop",)), Run(world.new_id())
    plain = [(name, world._result(item, verdict, at, at, run)) for name, verdict in verdicts.items()]
    found = tuple(replace(result, segment=(("shop", name),)) for name, result in plain)
    with world.database.write() as connection:
        commit(connection, (RunOutcome(run, (Task(item, at),), found, (), (), at, at),), at)
    world.notify(at)


def test_failing_segments_of_a_check_are_one_alert_with_a_list_that_is_kept_up_to_date(world: Timed) -> None:
    segments(world, {"a": FAIL, "b": FAIL, "c": PASS}, T0)
    segments(world, {"a": FAIL, "b": FAIL, "c": FAIL}, T0 + MINUTE)
    segments(world, {"a": PASS, "b": FAIL, "c": FAIL}, T0 + 10 * MINUTE)
    segments(world, {"a": PASS, "b": PASS}, T0 + 20 * MINUTE)
    world.until(T0 + HOUR)
    sent = [d for d in world.deliveries() if d.state is DeliveryState.SENT]
    assert [(d.kind.value, (d.created_at - T0 - 10 * SECOND) / MINUTE) for d in sent] == [
        ("trigger", 0),
        ("update", 5),
        ("update", 10),
        ("resolve", 20),
    ]
    assert [d.message.changes for d in sent[:3]] == [
        (),
        (f"1 more segment fails: {A} [shop=c]",),
        (f"recovered: {A} [shop=a]",),
    ]
    assert [[text.partition(":")[0] for text in d.message.alerts[0].members] for d in sent[:3]] == [
        ["shop=a", "shop=b"],
        ["shop=a", "shop=b", "shop=c"],
        ["shop=b", "shop=c"],
    ]
    assert sent[3].message.alerts[0].members_left == ("recovered: shop=b; no rows of it any more: shop=c",)


def remove(world: Timed, *check_ids: str) -> None:
    """A reload of a configuration without the checks."""
    kept = {name: item for name, item in world.environment.checks.items() if name not in check_ids}
    world.environment = replace(world.environment, checks=kept)


def look(world: Timed, at: datetime) -> None:
    world.until(at)
    end_removed(world.environment, at)
    world.notify(at)


def test_100_firing_checks_that_a_reload_deletes_close_without_a_page(world: Timed) -> None:
    gone = [check(f"main:t{number}", "row_count") for number in range(100)]
    world.checks.update({item.id: item for item in gone})
    ids = [item.id for item in gone]
    world.environment = replace(world.environment, checks=dict(world.checks), storm_above=1_000)
    for slot in (T0 - 5 * MINUTE, T0):
        world.run(dict.fromkeys(ids, FAIL), slot)
    world.until(T0 + MINUTE)
    pages = len(world.told())
    remove(world, *ids)
    look(world, T0 + 2 * MINUTE)
    world.environment = replace(world.environment)  # killed and started again: only the store is left
    look(world, T0 + 12 * MINUTE - SECOND)
    assert len(world.incidents()) == 100, "two cycles of five minutes are not over"
    look(world, T0 + 12 * MINUTE)
    world.until(T0 + HOUR)
    assert world.incidents() == {}
    with world.database.read() as connection:
        assert not alerts.standing(connection)
    ends = [d for d in world.deliveries() if d.kind.value == "resolve"]
    after = world.told()[pages:]
    assert {kind for kind, _ in after} == {"resolve"}, "something was paged"
    assert len(after) == 100
    assert {d.message.alerts[0].members_left for d in ends} == {(REASON,)}
    print(f"removed: {len(ends)} of 100 firing checks closed, 0 pages, each with {REASON!r}")


def test_a_check_that_is_back_in_time_keeps_its_alert(world: Timed) -> None:
    world.run({A: FAIL}, T0)
    everything = world.environment
    remove(world, A)
    look(world, T0 + MINUTE)
    world.environment = everything
    look(world, T0 + 2 * MINUTE)
    remove(world, A)
    look(world, T0 + HOUR)
    look(world, T0 + 3 * HOUR - SECOND)
    assert world.state() == "firing", "it is missing for the second time, since an hour ago"
    look(world, T0 + 3 * HOUR)
    assert world.state() == "resolved", "of a check that ran once a cycle is an hour"


def test_nothing_is_removed_while_nobody_knows_what_is_there(world: Timed) -> None:
    world.run({A: FAIL}, T0)
    remove(world, A)
    world.environment = replace(world.environment, unresolved=("main: cannot be reached",))
    for hours in range(1, 9):
        look(world, T0 + hours * HOUR)
    assert world.state() == "firing"


STEPS = tuple(
    Route(f"nights after {after}", parse_selector(["severity:error"]), to, True, group_wait_s=wait_s, unless_acknowledged=True)
    for after, wait_s, to in (("15m", 900, ("lead",)), ("1h", 3_600, ("boss", "owner")), ("6h", 21_600, ("boss",)))
)
FIRST = 10 / 60
"""The minute of the first message, on a channel that pages."""


def escalating(world: Timed) -> Timed:
    world.environment = replace(world.environment, escalation=STEPS)
    return world


def test_an_escalation_goes_up_three_levels_at_exact_times(world: Timed) -> None:
    escalating(world).run({A: FAIL}, T0)
    assert world.why("lead") == "the escalation nights after 15m begins with the first message, unless somebody acknowledges"
    world.until(T0 + MINUTE)
    assert world.why("lead") == "the escalation nights after 15m comes at 2026-03-01 08:15:10 UTC, unless somebody acknowledges"
    assert world.why("boss").startswith("the escalation nights after 1h comes at 2026-03-01 09:00:10 UTC"), "the next of its two steps"
    world.until(T0 + 7 * HOUR)
    assert world.told("loud") == [("trigger", FIRST), ("repeat", FIRST + 240)]
    assert world.told("lead") == [("trigger", FIRST + 15), ("repeat", FIRST + 15 + 240)]
    assert world.told("owner") == [("trigger", FIRST + 60), ("repeat", FIRST + 60 + 240)]
    assert world.told("boss") == [("trigger", FIRST + 60), ("repeat", FIRST + 60 + 240), ("trigger", FIRST + 360)]
    world.run({A: PASS}, T0 + 7 * HOUR)
    world.until(T0 + 8 * HOUR)
    assert [kind for kind, _ in world.told()].count("resolve") == 5
    keys = {d.dedup_key for d in world.deliveries()}
    assert len(keys) == 5, "each step has keys of its own"
    assert next(d.message.changes for d in world.deliveries() if d.channel == "lead") == (
        "escalated (nights after 15m): nobody has acknowledged it for 15m",
    )


@pytest.mark.parametrize("instants", [(0, 3, 10), pytest.param(range(50), marks=pytest.mark.long)])
def test_an_acknowledgement_at_any_of_50_instants_stops_all_later_steps(world: Timed, instants: Sequence[int]) -> None:
    for instant in instants:
        escalating(world).run({A: FAIL}, T0)
        at = T0 + instant * 450 * SECOND
        world.acknowledge(at)
        world.until(T0 + 8 * HOUR)
        minute = (at - T0) / MINUTE
        told = [name for name, after in (("lead", 15), ("boss", 60), ("owner", 60), ("boss", 360)) if FIRST + after <= minute]
        first = [d.channel for d in world.deliveries() if d.kind.value == "trigger" and d.state is DeliveryState.SENT]
        assert first == ["loud", *told], f"acknowledged in minute {minute}"
        assert not [d for d in world.deliveries() if d.state is DeliveryState.SENT and d.created_at > at and d.kind.value != "trigger"]
        reasons = [reason for kind, reason in world.kept_back() if kind == "trigger"]
        assert reasons == ["acknowledged before it was escalated"] * (4 - len(told))
        world.reset()
    print(f"escalation: acknowledged at {len(instants)} instants, 0 later steps")


def test_while_a_daemon_holds_the_lease_a_command_leaves_the_telling_to_it(world: Timed) -> None:
    world.run({A: FAIL}, T0)
    world.until(T0 + MINUTE)
    with world.database.write() as connection:
        epoch = leases.acquire(connection, leases.NOTIFY, "daemon", world.now)
    assert epoch is not None
    before = world.deliveries()
    acknowledge_incident(world.environment, next(iter(world.incidents().values())).id, "ann")
    assert world.deliveries() == before, "a command spoke without the lease"
    assert world.notify(world.now + SECOND) is None, "there is still something to repeat"
    assert world.deliveries()[-1].kind.value == "acknowledge"


def test_who_was_not_escalated_to_can_ask_why(world: Timed) -> None:
    escalating(world).run({A: FAIL}, T0)
    world.acknowledge(T0 + 5 * MINUTE)
    assert world.why("lead") == "trigger not sent: acknowledged before it was escalated"
    world.reset()
    escalating(world).run({A: FAIL}, T0)
    world.run({A: PASS}, T0 + 8 * MINUTE)
    world.until(T0 + HOUR)
    assert world.why("owner") == "trigger not sent: resolved before it was escalated"
    world.reset()
    escalating(world).checks[A] = replace(CHECKS[0], severity=Severity.WARNING)
    world.run({A: FAIL}, T0)
    assert world.why("lead") == "no route chose it: nights after 15m (severity:error) does not match"


def test_a_silence_holds_the_steps_back_and_its_early_end_does_not_hurry_them(world: Timed) -> None:
    escalating(world).run({A: FAIL}, T0)
    world.until(T0 + MINUTE)
    made = silence(world.environment, parse_selector([A]), Span(T0, T0 + 5 * HOUR), "backfill", "ann")
    world.now = T0 + 2 * MINUTE
    world.until(T0 + 30 * MINUTE)
    assert world.told("lead") == [], "it is muted"
    world.until(T0 + 40 * MINUTE)
    unmute(world.environment, made.id, "ann", world.now)
    world.until(T0 + 2 * HOUR)
    assert world.told("lead") == [("trigger", 40)], "its time was over"
    assert world.told("owner") == [("trigger", FIRST + 60)], "its time was not"


def test_a_run_by_hand_tells_at_once_and_does_not_hurry_the_steps(world: Timed) -> None:
    escalating(world).commit({A: FAIL}, T0)
    while (due := notify_once(world.environment, T0, is_at_once=True)) is not None and due <= T0:
        continue
    assert [(d.channel, d.kind.value) for d in world.deliveries()] == [("loud", "trigger")]
    world.until(T0 + 20 * MINUTE)
    assert world.told("lead") == [("trigger", 15)]


def test_a_reload_without_the_escalation_moves_no_open_step(world: Timed) -> None:
    escalating(world).run({A: FAIL}, T0)
    world.until(T0 + MINUTE)
    world.environment = replace(world.environment, escalation=())
    world.until(T0 + 20 * MINUTE)
    assert world.told("lead") == [("trigger", FIRST + 15)]
    world.acknowledge(T0 + 20 * MINUTE)
    world.until(T0 + 8 * HOUR)
    assert [kind for kind, _ in world.told("owner")] == []
