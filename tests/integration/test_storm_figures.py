"""Storms through step 2, the store and the sender, on a virtual clock (R16): few messages, nothing lost, pages in time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from alert_world import MINUTE, SECOND, T0, World, check

from dqmon.core.check import Check
from dqmon.core.delivery import Delivery, DeliveryState, Receipt
from dqmon.core.message import DeliveryKind
from dqmon.core.route import Route
from dqmon.core.selector import parse_selector
from dqmon.core.verdict import Severity, Verdict
from dqmon.engine.incidents.why_not import why_not
from dqmon.engine.telling.deliver import deliver_once
from dqmon.engine.telling.notify import notify_once
from dqmon.engine.telling.pace import Pace
from dqmon.notify.pagerduty import PagerDuty
from dqmon.notify.slack import Slack
from dqmon.store import groups, sending

FAIL, PASS = Verdict.FAIL, Verdict.PASS
MANY = 500
PAGES = Route("pages", parse_selector(("severity:critical",)), ("oncall", "team"), group_wait_s=10)
REST = Route("rest", None, ("team",))


class Taker:
    """A channel that takes each message as one request, as fast as the real one may be sent to."""

    def __init__(self, like: type[Slack | PagerDuty], clock) -> None:
        self.pages, self.rate, self._clock = like.pages, like.rate, clock
        self.options = SimpleNamespace(dry_run=False, timeout=10, fallback=None)
        self.taken: list[tuple[datetime, Delivery]] = []

    def parts(self, message):
        return ("post",)

    def render(self, message, part):
        return message.title

    def text(self, payload):
        return payload

    def send(self, payload, delivery):
        self.taken.append((self._clock(), delivery))
        return Receipt({"ts": delivery.id})


class Storm(World):
    """Pages go to `oncall`, all to `team`; what is due is notified and delivered at the time at which it is."""

    def __init__(self, path: Path, checks: Iterable[Check], parents: Mapping[str, Collection[str]] | None = None) -> None:
        super().__init__(path, checks, parents or {})
        self.pager, self.chat = (Taker(like, lambda: self.now) for like in (PagerDuty, Slack))
        channels = {"oncall": self.pager, "team": self.chat}
        self.environment = replace(self.environment, channels=channels, routes=(PAGES, REST))
        self.pace = Pace()
        self.step_s = 0.0

    def live(self, until: datetime) -> None:
        """The daemon, up to that time."""
        while True:
            began = time.process_time()
            due = [notify_once(self.environment, self.now)]
            self.step_s += time.process_time() - began
            deliver_once(self.database, self.environment.channels, lambda: self.now, "me", limit=1_000, pace=self.pace)
            with self.database.read() as connection:
                for name, channel in self.environment.channels.items():
                    free_at = self.pace.free_at(name, channel, self.now)
                    waits = free_at > self.now and sending.is_due(connection, self.now, {name})
                    due.append(free_at if waits else sending.next_at(connection, name))
            following = min((at for at in due if at is not None), default=None)
            if following is None or following > until:
                self.now = until
                return
            self.now = max(self.now, following)

    def fail(self, verdict: Verdict = FAIL, batch: int = 250, apart: timedelta = SECOND) -> None:
        """All checks, in several commits."""
        names = list(self.checks)
        for start in range(0, len(names), batch):
            self.commit(dict.fromkeys(names[start : start + batch], verdict), self.now, slot=self.now)
            self.live(self.now + apart)


def tables(owners: int, severity: Severity = Severity.CRITICAL) -> list[Check]:
    return [replace(check(f"main:t{n:03}", "row_count", severity), owner=f"@team{n % owners:02}") for n in range(MANY)]


def kinds(taker: Taker) -> Counter[str]:
    return Counter(delivery.kind.value for _, delivery in taker.taken)


def told(taker: Taker, kind: DeliveryKind) -> int:
    """How many alerts these messages name or count."""
    return sum(len(d.message.alerts) + d.message.more for _, d in taker.taken if d.kind is kind)


def test_500_tables_of_one_cause_are_one_incident_three_messages_and_one_page(tmp_path: Path) -> None:
    source = check("airbyte/shop", "last_success", Severity.CRITICAL)
    below = [check(f"main:t{n:03}", "freshness", Severity.CRITICAL) for n in range(MANY)]
    world = Storm(tmp_path, [source, *below], {f"main:t{n:03}": ["airbyte/shop"] for n in range(MANY)})
    world.fail()
    world.live(T0 + 30 * MINUTE)
    found = world.incidents()
    assert list(found) == [source.id]
    assert len(found[source.id].open_members) == MANY + 1
    assert (kinds(world.chat), kinds(world.pager)) == ({"trigger": 1}, {"trigger": 1})
    assert "(and 0 more)" not in world.pager.taken[0][1].message.title
    world.fail(PASS, batch=MANY)
    world.live(T0 + 90 * MINUTE)
    assert (world.incidents(), world.groups()) == ({}, ())
    print(
        f"\n{MANY} tables of one cause: 1 incident, {len(world.chat.taken)} Slack messages to its end, 1 page; step 2 {world.step_s:.2f} s of CPU"
    )
    assert (len(world.chat.taken), kinds(world.pager)["trigger"]) == (2, 1), "more than a message and its end"
    world.database.close()


def test_500_failures_of_20_owners_are_20_messages_in_time_and_nothing_is_lost(tmp_path: Path) -> None:
    world = Storm(tmp_path, tables(20))
    world.fail()
    world.live(T0 + 4 * MINUTE)
    committed = {check_id: T0 + SECOND * (place // 250) for place, check_id in enumerate(world.checks)}
    waits = []
    for at, delivery in world.pager.taken:
        with world.database.read() as connection:
            (group,) = [g for g in groups.of_incident(connection, delivery.message.incident_id) if g.id == delivery.group_id]
        waits += [(at - committed[key]).total_seconds() for key in group.alert_keys]
    assert len(waits) == MANY, "an alert that pages is in no page, or in two"
    p99 = sorted(waits)[MANY * 99 // 100]
    last = max(at for at, _ in world.chat.taken) - T0
    print(
        f"\n{MANY} failures of 20 owners: {len(world.chat.taken)} Slack messages (the last after {last.total_seconds():.0f} s), "
        f"{len(world.pager.taken)} pages, p99 after {p99:.1f} s; step 2 {world.step_s:.2f} s of CPU"
    )
    assert (kinds(world.chat), kinds(world.pager)) == ({"trigger": 20}, {"trigger": 20})
    assert p99 < 15
    assert told(world.chat, DeliveryKind.TRIGGER) == told(world.pager, DeliveryKind.TRIGGER) == MANY
    assert all(len(d.message.alerts) == 10 and d.message.more == 15 for _, d in world.chat.taken), "ten are listed, the others counted"
    notices = [text for _, d in world.chat.taken for text in d.message.changes]
    assert len(notices) == 20
    assert all(text.startswith("a storm: 25 failures of 25 incidents of @team") for text in notices)
    merged = [d for d in world.deliveries() if d.state is DeliveryState.NOT_SENT]
    assert len(merged) == 2 * MANY, "a message that was not sent has no reason"
    assert all(d.reason.startswith("merged into group ") and d.reason.endswith(" (storm)") for d in merged)

    world.fail(PASS, batch=MANY)
    world.live(T0 + 20 * MINUTE)
    assert kinds(world.chat) == {"trigger": 20, "resolve": 20}
    assert told(world.chat, DeliveryKind.RESOLVE) == told(world.pager, DeliveryKind.RESOLVE) == MANY
    assert (world.incidents(), world.groups()) == ({}, ()), "an alert is left open"
    world.database.close()


def test_what_comes_later_joins_the_storm_of_its_owner_and_what_recovers_is_said(tmp_path: Path) -> None:
    every = tables(2, Severity.ERROR)[:61]
    same_table = replace(check("main:t001", "freshness", Severity.ERROR), owner="@team01")
    world = Storm(tmp_path, [*every, same_table])
    first, late = [item.id for item in every[:50]], [item.id for item in every[50:60]]
    world.commit(dict.fromkeys(first, FAIL), T0)
    world.live(T0 + MINUTE)
    assert [len(group.alert_keys) for group in world.groups()] == [25, 25]
    world.commit(dict.fromkeys(late, FAIL), T0 + 2 * MINUTE)
    world.commit({first[0]: PASS}, T0 + 2 * MINUTE + SECOND)
    world.live(T0 + 6 * MINUTE)
    assert [len(group.alert_keys) for group in world.groups()] == [30, 30]
    updates = [d.message for _, d in world.chat.taken if d.kind is DeliveryKind.UPDATE]
    assert [message.changes for message in updates] == [
        ("5 more checks fail: t050.row_count, t052.row_count, t054.row_count and 2 more", "recovered: t000.row_count"),
        ("5 more checks fail: t051.row_count, t053.row_count, t055.row_count and 2 more",),
    ]
    world.live(T0 + 30 * MINUTE)
    world.commit({every[60].id: FAIL}, world.now)
    world.live(world.now + MINUTE)
    assert len(world.groups()) == 3, "the storm is over: what fails now is told by itself"
    world.commit({same_table.id: FAIL}, world.now)
    world.live(world.now + 6 * MINUTE)
    assert [len(group.alert_keys) for group in world.groups()] == [30, 31, 1], "what joins an incident of the storm is told with it"
    with world.database.read() as connection:
        incident = next(i for i in world.incidents().values() if i.root.check_id == first[1])
        _, answers = why_not(connection, incident.id, ["team"], (PAGES, REST), world.now)
    assert answers[0].is_told
    assert answers[0].text.startswith("trigger sent 2026-03-01 08:00 UTC, last update 2026-03-01 08:35 UTC (route rest)")
    world.database.close()


def test_more_owners_than_that_are_one_message_and_the_worst_comes_first(tmp_path: Path) -> None:
    every = [replace(one, severity=Severity.ERROR if n != 77 else Severity.CRITICAL) for n, one in enumerate(tables(100)[:120])]
    world = Storm(tmp_path, every)
    world.fail(batch=MANY)
    world.live(T0 + 4 * MINUTE)
    (_, delivery), *others = world.chat.taken
    assert others == []
    assert delivery.message.alerts[0].check_id == "t077.row_count"
    assert delivery.message.title == f"[CRITICAL] {delivery.message.alerts[0].headline} (and 119 more)"
    assert delivery.message.changes[0].startswith("a storm: 120 failures of 120 incidents of all owners at once")
    assert kinds(world.pager) == {"trigger": 1}
    world.database.close()


@pytest.mark.long
def test_without_a_limit_the_step_takes_many_groups(tmp_path: Path) -> None:
    world = Storm(tmp_path, tables(20, Severity.ERROR))
    world.environment = replace(world.environment, storm_above=MANY)
    world.commit(dict.fromkeys(world.checks, FAIL), T0)
    world.now = T0
    began = time.process_time()
    assert notify_once(world.environment, T0) == T0 + 30 * SECOND
    opened = time.process_time() - began
    world.now = T0 + 30 * SECOND
    began = time.process_time()
    notify_once(world.environment, world.now)
    spoken = time.process_time() - began
    print(f"\nstep 2 with {MANY} groups of their own: {opened:.2f} s of CPU to open them, {spoken:.2f} s to speak")
    assert sum(d.kind is DeliveryKind.TRIGGER for d in world.deliveries()) == MANY
    world.database.close()


def test_what_pages_overtakes_what_waits_for_its_turn(tmp_path: Path) -> None:
    every = [replace(one, severity=Severity.ERROR if n else Severity.CRITICAL) for n, one in enumerate(tables(20)[:11])]
    world = Storm(tmp_path, every)
    page, *others = world.checks
    world.commit(dict.fromkeys(others, FAIL), T0)
    world.live(T0 + 23 * SECOND)
    world.commit({page: FAIL}, world.now)
    world.live(T0 + 2 * MINUTE)
    seconds = [round((at - T0).total_seconds()) for at, _ in world.chat.taken]
    assert seconds == list(range(30, 41)), "one a second"
    assert [delivery.message.alerts[0].check_id for _, delivery in world.chat.taken].index(page) == 3, (
        "it came after 33 s and was sent then"
    )
    assert [(at - T0).total_seconds() for at, _ in world.pager.taken] == [33]
    world.database.close()
