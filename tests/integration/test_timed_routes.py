"""Routes that wait for their time, through step 2 on a store: what is told then, what never is and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from alert_world import MINUTE, Loud, World, check

from dqmon.alerts.correlate import acknowledge
from dqmon.core.check import Schedule
from dqmon.core.delivery import Delivery, DeliveryState
from dqmon.core.route import Route
from dqmon.core.timetable import Digest, Hours
from dqmon.core.verdict import Verdict
from dqmon.engine.incidents.settle import settle
from dqmon.engine.incidents.why_not import why_not
from dqmon.engine.telling.notify import notify_once

FAIL, PASS = Verdict.FAIL, Verdict.PASS
FRIDAY = datetime(2026, 3, 6, 19, tzinfo=UTC)
"""20:00 in Berlin."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
A, B, C = "orders.row_count", "users.row_count", "items.row_count"
OFFICE = Route("team", None, ("loud",), speaks=Hours(("mon", "tue", "wed", "thu", "fri"), time(8), time(18), "Europe/Berlin"))
LOW = Route("low", None, ("loud",), group_by=("owner",), speaks=Digest(Schedule("0 9 * * *", None, "UTC")))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, [replace(check(f"main:{name}", "row_count"), owner="@shop") for name in ("orders", "users", "items")], {})
    made.now = FRIDAY
    yield made
    made.database.close()


def take(world: World, route: Route) -> None:
    world.environment = replace(world.environment, routes=(route,))


def sent(world: World) -> list[tuple[str, str, list[str]]]:
    """When, what, and of which checks."""
    return [(f"{d.sent_at:%a %H:%M}", d.kind.value, _checks(d)) for d in world.deliveries() if d.state is DeliveryState.SENT]


def kept(world: World) -> list[tuple[list[str], str]]:
    """What was not sent, and why."""
    return [(_checks(d), d.reason) for d in world.deliveries() if d.state is DeliveryState.NOT_SENT]


def _checks(delivery: Delivery) -> list[str]:
    return sorted(alert.check_id for alert in delivery.message.alerts)


def answer(world: World, check_id: str) -> str:
    incident = world.incidents(is_open=False)[check_id]
    with world.database.read() as connection:
        return why_not(connection, incident.id, ["loud"], world.environment.routes, world.now)[1][0].text


def test_outside_of_its_hours_a_route_waits_for_the_opening(world: World) -> None:
    take(world, OFFICE)
    world.run({A: FAIL, B: FAIL}, FRIDAY)
    assert answer(world, A) == "waits until Mon 08:00 Europe/Berlin (hours of route team)"
    world.run({B: PASS}, FRIDAY + DAY)
    assert kept(world) == [([B], "resolved before Mon 08:00 Europe/Berlin (hours of route team)")]
    assert answer(world, B) == "trigger not sent: resolved before Mon 08:00 Europe/Berlin (hours of route team)"
    assert notify_once(world.environment, FRIDAY + DAY) == datetime(2026, 3, 9, 7, tzinfo=UTC), (
        "step 2 does not ask to be woken at the opening"
    )
    world.until(FRIDAY + 4 * DAY)
    assert sent(world) == [("Mon 07:00", "trigger", [A])] + [
        (day, "repeat", [A]) for day in ("Mon 11:00", "Mon 15:00", "Tue 07:00", "Tue 11:00", "Tue 15:00")
    ]
    assert len(kept(world)) == 1


def test_the_end_of_what_was_told_passes_at_the_opening(world: World) -> None:
    take(world, OFFICE)
    noon = FRIDAY - 8 * HOUR
    world.now = noon
    world.run({A: FAIL}, noon)
    world.run({A: PASS}, FRIDAY)
    world.until(FRIDAY + 4 * DAY)
    assert sent(world) == [("Fri 11:00", "trigger", [A]), ("Fri 15:00", "repeat", [A]), ("Mon 07:00", "resolve", [A])]
    assert kept(world) == []


def test_inside_of_them_it_speaks_as_any_other(world: World) -> None:
    noon = FRIDAY - 8 * HOUR
    take(world, replace(OFFICE, group_wait_s=30))
    world.now = noon
    world.commit({A: FAIL}, noon)
    world.notify(noon)
    assert answer(world, A) == "waits for group_wait of route team until 2026-03-06 11:00:10 UTC", "a channel that pages waits for 10 s"
    world.until(noon + MINUTE)
    assert sent(world) == [("Fri 11:00", "trigger", [A])]


def test_a_digest_tells_an_owner_once_a_day_what_has_changed(world: World) -> None:
    take(world, LOW)
    world.run({A: FAIL}, FRIDAY)
    assert answer(world, A) == "waits until Sat 09:00 UTC (digest of route low)"
    world.run({B: FAIL}, FRIDAY + HOUR)
    world.run({B: PASS}, FRIDAY + 2 * HOUR)
    world.run({C: FAIL}, FRIDAY + 3 * HOUR)
    world.until(FRIDAY + 15 * HOUR)
    assert sent(world) == [("Sat 09:00", "trigger", [C, A])]
    assert kept(world) == [([B], "resolved before Sat 09:00 UTC (digest of route low)")]
    world.run({B: FAIL}, FRIDAY + 16 * HOUR)
    world.run({A: PASS}, FRIDAY + 17 * HOUR)
    world.until(FRIDAY + 2 * DAY)
    message = world.deliveries()[-1].message
    assert sent(world)[1:] == [("Sun 09:00", "update", [C, B])]
    assert message.changes == (f"1 more check fails: {B}", f"recovered: {A}")
    world.run({B: PASS, C: PASS}, FRIDAY + 2 * DAY)
    world.until(FRIDAY + 4 * DAY)
    assert sent(world)[2:] == [("Mon 09:00", "resolve", [C, A, B])]
    assert (world.groups(), len(kept(world))) == ((), 1), "what was told has been taken for what nobody heard of"


def test_a_digest_that_nobody_was_there_to_send_is_sent_late(world: World) -> None:
    take(world, LOW)
    world.run({A: FAIL}, FRIDAY)
    world.notify(FRIDAY + DAY)
    assert sent(world) == [("Sat 19:00", "trigger", [A])]


def test_a_digest_that_is_late_already_is_not_put_off_by_what_a_run_by_hand_adds(world: World) -> None:
    """Without a daemon, with a new failure in each daily run, it would never come."""
    take(world, LOW)
    world.commit({A: FAIL}, FRIDAY)
    notify_once(world.environment, FRIDAY, is_at_once=True)
    world.commit({B: FAIL}, FRIDAY + DAY)
    notify_once(world.environment, FRIDAY + DAY, is_at_once=True)
    assert [_checks(one) for one in world.deliveries()] == [sorted((A, B))]


def test_a_digest_that_is_late_already_is_not_put_off_by_an_acknowledgement(world: World) -> None:
    take(world, LOW)
    world.run({A: FAIL}, FRIDAY)
    incident, later = world.incidents()[A], FRIDAY + DAY
    settle(world.environment, incident.id, lambda found: acknowledge(found, "ann", later), later)
    world.notify(later)
    assert [(at, what) for at, what, _ in sent(world)] == [("Sat 19:00", "trigger"), ("Sat 19:00", "acknowledge")]


def test_a_run_by_hand_does_not_make_it_speak(world: World) -> None:
    take(world, LOW)
    world.commit({A: FAIL}, FRIDAY)
    assert notify_once(world.environment, FRIDAY, is_at_once=True) == datetime(2026, 3, 7, 9, tzinfo=UTC)
    assert world.deliveries() == ()


def test_what_waits_for_one_opening_can_be_a_storm_then(world: World) -> None:
    take(world, OFFICE)
    world.environment = replace(world.environment, storm_above=2, channels={"loud": Loud()})
    world.run({A: FAIL, B: FAIL, C: FAIL}, FRIDAY)
    assert len(world.groups()) == 3, "nothing is to be told at once"
    world.until(FRIDAY + 3 * DAY)
    assert sent(world)[0] == ("Mon 07:00", "trigger", [C, A, B])
    assert [reason for _, reason in kept(world)] == [f"merged into group {world.groups()[0].id} (storm)"] * 3
