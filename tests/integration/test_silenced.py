"""Muted alerts are recorded and told to nobody, until the end of the silence (R10): step 2 on a store, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alert_world import MINUTE, SECOND, T0, World, check

from dqmon.alerts.correlate import acknowledge
from dqmon.core.check import Schedule
from dqmon.core.delivery import Delivery, DeliveryState
from dqmon.core.route import Route
from dqmon.core.selector import parse_selector
from dqmon.core.silence import Maintenance, Quiet, Silence
from dqmon.core.verdict import Severity, Verdict
from dqmon.engine.incidents.settle import settle, unmute
from dqmon.engine.incidents.silences import Span, expire, silence, snooze, would_mute
from dqmon.engine.telling.notify import notify_once
from dqmon.errors import UsageError
from dqmon.store import silences
from dqmon.store.database import Database

FAIL, WARN, PASS = Verdict.FAIL, Verdict.WARN, Verdict.PASS
A, B, C = "orders.row_count", "orders.freshness", "payments.row_count"
HOUR = timedelta(hours=1)
Sent = list[tuple[str, list[str]]]


class Quieted(World):
    """Two checks of one table, which are one incident, and one of another table."""

    def __init__(self, path: Path, url: str | None = None) -> None:
        checks = [check("main:orders", "row_count"), check("main:orders", "freshness"), check("main:payments", "row_count")]
        super().__init__(path, checks, {})
        if url is not None:
            self.database.close()
            self.database = Database(url)
            self.environment = replace(self.environment, database=self.database)
            self.database.prepare()
        self.commit(dict.fromkeys(self.checks, PASS), T0 - 5 * MINUTE)
        self.now = T0

    def silence(self, match: str, length: timedelta = HOUR, start: timedelta = timedelta()) -> Silence:
        span = Span(self.now + start, self.now + start + length)
        return silence(self.environment, parse_selector((match,)), span, "backfill", "@oncall")

    def declare(self, *quiet: Quiet) -> None:
        self.environment = replace(self.environment, quiet=quiet)

    def sent(self) -> Sent:
        """Each message that was sent: what it does, and all that it names."""
        return [_what(d) for d in self.deliveries() if d.state is DeliveryState.SENT]

    def withheld(self) -> list[tuple[str, list[str], str]]:
        """Each that was not, with the reason."""
        return [(*_what(d), d.reason) for d in self.deliveries() if d.state is DeliveryState.NOT_SENT]


def _what(delivery: Delivery) -> tuple[str, list[str]]:
    return delivery.kind.value, sorted(alert.check_id for alert in delivery.message.alerts)


@pytest.fixture(params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Quieted]:
    made = Quieted(tmp_path, None if request.param == "sqlite" else request.getfixturevalue("postgres_database"))
    yield made
    made.database.close()


def test_a_silenced_alert_is_recorded_and_what_still_fires_is_told_at_the_end(world: Quieted) -> None:
    world.silence("orders")
    world.run({A: FAIL, C: FAIL}, T0)
    assert world.sent() == [("trigger", [C])]
    assert world.withheld() == [("trigger", [A], 'silenced S-1 until 09:00 UTC "backfill" @oncall')]
    assert world.members() == {A: None, C: None}, "muted alerts are in their incidents"
    world.run({A: FAIL}, T0 + 30 * MINUTE)
    assert notify_once(world.environment, T0 + HOUR - SECOND) == T0 + HOUR, "step 2 does not ask to be woken at the end"
    assert len(world.sent()) == len(world.withheld()) == 1, "a message was made for an alert that is silenced already"
    assert world.until(T0 + HOUR) == 2
    assert world.sent()[1:] == [("trigger", [A])]
    world.run({A: PASS}, T0 + 2 * HOUR)
    assert world.sent()[2:] == [("resolve", [A])]


def test_an_alert_that_fires_and_resolves_inside_is_never_told(world: Quieted) -> None:
    made = world.silence("orders")
    world.run({A: FAIL}, T0)
    world.run({A: PASS}, T0 + 10 * MINUTE)
    world.until(T0 + 2 * HOUR)
    reason = 'silenced S-1 until 09:00 UTC "backfill" @oncall'
    assert world.sent() == []
    assert world.withheld() == [("trigger", [A], reason), ("trigger", [A], f"resolved meanwhile; {reason}")]
    assert (world.groups(), world.incidents(), made.id) == ((), {}, "S-1")


def test_beside_others_of_its_incident_it_is_never_told_either(world: Quieted) -> None:
    world.silence("type:freshness")
    world.run({A: FAIL, B: FAIL}, T0)
    world.run({B: PASS}, T0 + 10 * MINUTE)
    world.until(T0 + 2 * HOUR)
    world.run({A: PASS}, T0 + 2 * HOUR)
    assert world.sent() == [("trigger", [A]), ("resolve", [A])]
    assert world.withheld() == [("trigger", [B], 'silenced S-1 until 09:00 UTC "backfill" @oncall')]


def test_beside_others_it_joins_their_message_at_the_end(world: Quieted) -> None:
    world.silence("type:freshness")
    world.run({A: FAIL, B: FAIL}, T0)
    world.until(T0 + HOUR)
    assert world.sent() == [("trigger", [A]), ("update", [B, A])]
    assert len(world.incidents()) == 1


def test_when_the_others_resolve_their_resolve_passes_and_it_is_told_at_the_end(world: Quieted) -> None:
    world.silence("type:freshness")
    world.run({A: FAIL, B: FAIL}, T0)
    world.run({A: PASS}, T0 + 10 * MINUTE)
    assert world.sent() == [("trigger", [A]), ("resolve", [A])]
    world.until(T0 + HOUR)
    assert world.sent()[2:] == [("trigger", [B])]
    world.run({B: PASS}, T0 + 2 * HOUR)
    assert world.sent()[3:] == [("resolve", [B])]
    assert len({d.dedup_key for d in world.deliveries() if d.state is DeliveryState.SENT}) == 2, "a resolved key was triggered again"


def test_the_resolve_of_an_alert_that_was_told_passes_and_nothing_else(world: Quieted) -> None:
    world.checks[A] = replace(world.checks[A], warn_severity=Severity.WARNING)
    world.run({A: WARN}, T0)
    world.silence("orders", 6 * HOUR)
    for minutes in (5, 20, 40):
        world.run({A: FAIL}, T0 + minutes * MINUTE)
        world.run({A: WARN}, T0 + (minutes + 5) * MINUTE)
    world.run({A: FAIL}, T0 + 45 * MINUTE)
    world.until(T0 + 5 * HOUR)
    assert world.sent() == [("trigger", [A])]
    assert world.withheld() == [("repeat", [A], 'silenced S-1 until 14:00 UTC "backfill" @oncall')], "the repeat after 4 h has no reason"
    world.run({A: PASS}, T0 + 5 * HOUR)
    assert world.sent()[1:] == [("resolve", [A])]


def test_what_got_worse_while_it_was_silenced_is_told_at_the_end(world: Quieted) -> None:
    world.checks[A] = replace(world.checks[A], severity=Severity.CRITICAL, warn_severity=Severity.WARNING)
    world.run({A: WARN}, T0)
    world.silence("orders")
    world.run({A: FAIL}, T0 + MINUTE)
    assert world.sent() == [("trigger", [A])]
    world.until(T0 + 2 * HOUR)
    assert world.sent()[1:] == [("trigger", [A]), ("resolve", [A])], "a rise to a severity that pages is a new key, then the old one ends"


def test_a_silence_that_is_ended_early_lets_the_alerts_speak_at_once(world: Quieted) -> None:
    world.silence("orders")
    world.run({A: FAIL, C: FAIL}, T0)
    unmute(world.environment, "S-1", "ann", T0 + 5 * MINUTE)
    world.notify(T0 + 5 * MINUTE)
    assert world.sent() == [("trigger", [C]), ("trigger", [A])]
    with world.database.read() as connection:
        kept = silences.get(connection, "s-1")
        assert silences.get(connection, "1") == kept
    assert kept is not None
    assert (kept.end, kept.expired_by) == (T0 + 5 * MINUTE, "ann")


def test_another_silence_takes_over_with_its_own_reason(world: Quieted) -> None:
    world.silence("orders")
    world.run({A: FAIL}, T0)
    world.silence("type:row_count", 2 * HOUR, start=30 * MINUTE)
    world.until(T0 + HOUR)
    assert [reason for *_, reason in world.withheld()] == [
        'silenced S-1 until 09:00 UTC "backfill" @oncall',
        'silenced S-2 until 10:30 UTC "backfill" @oncall',
    ]
    world.until(T0 + 3 * HOUR)
    assert world.sent() == [("trigger", [A])]
    assert [d.sent_at for d in world.deliveries() if d.sent_at] == [T0 + 150 * MINUTE]


def test_a_maintenance_window_mutes_and_a_reload_without_it_is_heard_at_its_end(world: Quieted) -> None:
    world.declare(Maintenance("nightly load", parse_selector(("orders",)), Schedule("0 9 * * *", None, "Europe/Berlin"), 3_600))
    world.run({A: FAIL}, T0)
    assert world.withheld() == [("trigger", [A], 'maintenance "nightly load" until 09:00 UTC')]
    world.declare()
    world.until(T0 + HOUR)
    assert world.sent() == [("trigger", [A])]
    world.declare(Silence("config/dqmon.yaml:9", parse_selector(("payments",)), T0, T0 + 3 * HOUR, "migration", "@data"))
    world.run({C: FAIL}, T0 + 2 * HOUR)
    assert world.withheld()[1:] == [("trigger", [C], 'silenced config/dqmon.yaml:9 until 11:00 UTC "migration" @data')]


def test_a_snooze_mutes_its_incident_what_joins_it_and_no_other(world: Quieted) -> None:
    world.run({A: FAIL, C: FAIL}, T0)
    made = snooze(world.environment, world.incidents()[A].id, 4 * HOUR, "", "ann")
    world.run({B: FAIL}, T0 + 30 * MINUTE)
    assert world.sent() == [("trigger", [A]), ("trigger", [C])]
    assert world.withheld() == [("update", [B], 'snoozed S-1 until 12:00 UTC "snoozed" ann')]
    world.run({A: PASS, B: PASS}, T0 + HOUR)
    world.run({A: FAIL}, T0 + 61 * MINUTE)
    world.run({A: PASS}, T0 + 62 * MINUTE)
    assert world.sent()[2:] == [("resolve", [A])], "what comes back within correlate_within is the same incident, and snoozed"
    world.run({A: FAIL}, T0 + 3 * HOUR)
    assert made.incident_id not in {incident.id for incident in world.incidents().values()}
    assert world.sent()[3:] == [("trigger", [A])], "a new incident is not snoozed"


def test_a_snooze_does_not_mute_what_gets_worse(world: Quieted) -> None:
    world.checks[A] = replace(world.checks[A], severity=Severity.CRITICAL, warn_severity=Severity.WARNING)
    world.run({A: WARN}, T0)
    snooze(world.environment, world.incidents()[A].id, 2 * HOUR, "later", "ann")
    world.run({A: FAIL}, T0 + MINUTE)
    assert world.said() == [A, A]


def test_an_acknowledged_group_is_woken_for_what_was_hidden(world: Quieted) -> None:
    world.silence("type:freshness")
    world.run({A: FAIL}, T0)
    settle(world.environment, world.incidents()[A].id, lambda incident: acknowledge(incident, "ann", T0), T0)
    world.notify(T0)
    world.run({B: FAIL}, T0 + MINUTE)
    world.until(T0 + HOUR)
    assert [kind for kind, _ in world.sent()] == ["trigger", "acknowledge", "update"]


def test_a_silenced_incident_does_not_make_an_acknowledged_one_of_its_owner_repeat(world: Quieted) -> None:
    world.environment = replace(world.environment, routes=(Route("owners", None, ("loud",), group_by=("owner",), group_wait_s=0),))
    world.silence("payments", 10 * HOUR)
    world.run({A: FAIL, C: FAIL}, T0)
    settle(world.environment, world.incidents()[A].id, lambda incident: acknowledge(incident, "ann", T0), T0)
    world.until(T0 + 9 * HOUR)
    assert [kind for kind, _ in world.sent()] == ["trigger", "acknowledge"]


@pytest.mark.parametrize("calls", range(1, 24, 2))
def test_a_crash_at_any_point_loses_nothing_and_says_nothing_twice(tmp_path: Path, calls: int) -> None:
    world, left = Quieted(tmp_path), [calls]
    world.silence("type:freshness")

    def dying() -> str:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return world.new_id()

    dead = replace(world.environment, new_id=dying)
    for verdicts, at in (({A: FAIL, B: FAIL}, T0), ({A: PASS}, T0 + 10 * MINUTE), ({C: FAIL}, T0 + HOUR)):
        world.commit(verdicts, at)
        try:
            while (due := notify_once(dead, at)) is not None and due <= at:
                continue
        except KeyboardInterrupt:
            pass
        world.notify(at)
    assert sorted(world.sent()) == [("resolve", [A]), ("trigger", [B]), ("trigger", [A]), ("trigger", [C])]
    assert [what for what, *_ in world.withheld()] == ["trigger"]
    world.database.close()


def test_what_would_be_muted(world: Quieted) -> None:
    world.run({A: FAIL, C: FAIL}, T0)
    assert {key.check_id for key in would_mute(world.environment, parse_selector(("orders",)))} == {A}
    assert would_mute(world.environment, parse_selector(("severity:critical",))) == frozenset()


def test_a_silence_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    world = Quieted(tmp_path)
    for match, length, start, said in (
        ("", HOUR, timedelta(), "a silence needs a selector"),
        ("orders", timedelta(), timedelta(), "the silence would end at 2026-03-01 08:00 UTC"),
        ("orders", HOUR, -2 * HOUR, "the silence would end at 2026-03-01 07:00 UTC"),
        ("orders", timedelta(days=30, seconds=1), timedelta(), "a silence of 30d 1s is too long: 30d at most"),
    ):
        with pytest.raises(UsageError, match=said):
            world.silence(match, length, start)
    with pytest.raises(UsageError, match="a silence needs a reason"):
        silence(world.environment, parse_selector(("orders",)), Span(T0, T0 + HOUR), "  ", "ann")
    with pytest.raises(UsageError, match="there is no incident 'x'"):
        snooze(world.environment, "x", HOUR, "", "ann")
    for id_ in ("S-1", "S-", "1x", "9" * 30, "S-²"):
        with pytest.raises(UsageError, match=f"there is no silence '{id_}'"):
            expire(world.environment, id_, "ann")
    world.silence("orders")
    expire(world.environment, "S-1", "ann")
    with pytest.raises(UsageError, match="the silence S-1 is over already"):
        expire(world.environment, "S-1", "ann")
    world.run({A: FAIL}, T0)
    (incident,) = world.incidents().values()
    world.run({A: PASS}, T0 + MINUTE)
    with pytest.raises(UsageError, match="is resolved already"):
        snooze(world.environment, incident.id, HOUR, "", "ann")
    world.database.close()


def test_a_silence_reads_back_as_it_was_made_and_is_forgotten_long_after(world: Quieted) -> None:
    from dqmon.engine.retention import Policy, purge

    made = [world.silence(match, length) for match, length in (("a.* tag:x,y not:owner:@z", HOUR), ("*", 2 * HOUR))]
    with world.database.read() as connection:
        assert list(silences.active(connection, T0)) == made
        assert list(silences.active(connection, T0 + HOUR)) == made[1:]
        assert list(silences.not_over(connection, T0 - HOUR)) == made
        assert silences.active(connection, T0 - HOUR) == ()
        assert list(silences.listed(connection, 1)) == made[1:]
    assert purge(world.database, T0 + 100 * HOUR, Policy(incidents=98 * HOUR))["dq_silences"] == 1
    with world.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(silences.silences)) == 1
