"""The digest of each owner: its figures from a store, and that it is sent once whatever happens."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alert_world import MINUTE, Loud, World, check

from dqmon.alerts.correlate import acknowledge
from dqmon.alerts.digest import Figures
from dqmon.cli.program import run
from dqmon.core.check import Schedule
from dqmon.core.cost import Basis, Cost
from dqmon.core.delivery import Delivery, DeliveryState
from dqmon.core.digest import DigestPlan
from dqmon.core.feedback import Feedback, Said
from dqmon.core.message import DeliveryKind
from dqmon.core.selector import parse_selector
from dqmon.core.silence import Silence
from dqmon.core.verdict import Verdict
from dqmon.engine.incidents.settle import settle
from dqmon.engine.telling.digest import digest_once, digests
from dqmon.errors import StoreError
from dqmon.store import feedback, incidents, silences, statements

FAIL, PASS, ERROR = Verdict.FAIL, Verdict.PASS, Verdict.ERROR
MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
PLAN = DigestPlan(Schedule("0 9 * * 1", None, "UTC"), ("chat",), {"@shop": ("chat", "mail"), "@gone": ("chat",), "@silent": ()})
OWNERS = {"orders": "@shop", "users": "@shop", "items": "@shop", "rates": "@money", "quiet": "@silent", "loose": None}


class Chat(Loud):
    pages = False


class Pager(Loud):
    def parts(self, message):
        return () if message.kind is DeliveryKind.DIGEST else ("event",)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, [replace(check(f"main:{name}", "row_count"), owner=owner) for name, owner in OWNERS.items()], {})
    channels = {"loud": Pager(), "chat": Chat(), "mail": Chat()}
    made.environment = replace(made.environment, digest=PLAN, channels=channels)
    made.now = MONDAY - DAY
    yield made
    made.database.close()


def told(world: World) -> list[Delivery]:
    return [delivery for delivery in world.deliveries() if delivery.kind is DeliveryKind.DIGEST]


def of(found: tuple[Figures, ...], owner: str) -> Figures:
    return next(one for one in found if one.owner == owner)


def test_each_owner_is_told_once_a_week(world: World) -> None:
    assert digest_once(world.environment, MONDAY - DAY) == MONDAY, "a new store begins with the next one"
    assert digest_once(world.environment, MONDAY - MINUTE) == MONDAY
    assert told(world) == []
    assert digest_once(world.environment, MONDAY + MINUTE) == MONDAY + WEEK
    sent = [(one.channel, one.message.title, one.state) for one in told(world)]
    queued, text = DeliveryState.QUEUED, "week 9: 100 % of"
    assert sent == [
        ("chat", f"checks without an owner, {text} 1 check healthy", queued),
        ("chat", f"@money, {text} 1 check healthy", queued),
        ("chat", f"@shop, {text} 3 checks healthy", queued),
        ("mail", f"@shop, {text} 3 checks healthy", queued),
    ]
    for minutes in (1, 2, 60 * 24 * 6):
        digest_once(world.environment, MONDAY + minutes * MINUTE)
    assert len(told(world)) == 4, "it is told twice"
    digest_once(world.environment, MONDAY - 3 * DAY)
    digest_once(world.environment, MONDAY + 2 * MINUTE)
    assert len(told(world)) == 4, "a clock that was set back repeats it"
    assert digest_once(world.environment, MONDAY + 3 * WEEK + DAY) == MONDAY + 4 * WEEK
    assert [one.message.at for one in told(world)[4:]] == [MONDAY + 3 * WEEK] * 4, "of what was missed the last one counts"
    assert {one.message.opened_at for one in told(world)[4:]} == {MONDAY + 2 * WEEK}


def test_what_breaks_off_while_they_are_written_neither_loses_nor_doubles_any(world: World) -> None:
    digest_once(world.environment, MONDAY - DAY)
    good = world.environment
    ids = itertools.cycle(["one", "two", "one"])  # the third row cannot be written
    world.environment = replace(good, new_id=lambda: next(ids))
    for _ in range(2):
        with pytest.raises(StoreError):
            digest_once(world.environment, MONDAY)
        assert told(world) == [], "a part of them is in the outbox"
    for hours in (1, 2):
        digest_once(good, MONDAY + hours * HOUR)
    assert len(told(world)) == 4
    assert {one.message.at for one in told(world)} == {MONDAY}, "it is about another time than the one that was due"


def test_whoever_is_overtaken_by_another_daemon_while_writing_them_tells_nobody(world: World) -> None:
    class Overtaken(dict):
        def get(self, name, default=None):
            if not told(world):
                digest_once(world.environment, MONDAY)
            return super().get(name, default)

    digest_once(world.environment, MONDAY - DAY)
    digest_once(replace(world.environment, channels=Overtaken(world.environment.channels)), MONDAY)
    sent = [(one.channel, one.message.title) for one in told(world)]
    assert sent
    assert len(sent) == len(set(sent))


def test_what_takes_no_digests_says_so(world: World) -> None:
    world.environment = replace(world.environment, digest=replace(PLAN, to=("loud",), owners={"@shop": ("nobody",)}))
    digest_once(world.environment, MONDAY - DAY)
    digest_once(world.environment, MONDAY)
    assert {one.reason for one in told(world)} == {"the channel 'loud' takes no digests", "the channel 'nobody' is not configured any more"}
    assert {one.state for one in told(world)} == {DeliveryState.NOT_SENT}


def test_nothing_is_asked_where_none_are_wanted(world: World) -> None:
    world.environment = replace(world.environment, digest=None)
    assert digest_once(world.environment, MONDAY) is None


def test_the_figures_of_a_week(world: World) -> None:
    """Of @shop: orders fails on Tuesday for two hours and is acknowledged after ten minutes, users fails since before the week."""
    since = MONDAY - WEEK
    world.now = since - DAY
    world.run({"users.row_count": FAIL}, since - DAY)
    world.run({"orders.row_count": FAIL}, since + DAY)
    incident = world.incidents()["orders.row_count"]
    acked_at = since + DAY + 10 * MINUTE
    settle(world.environment, incident.id, lambda found: acknowledge(found, "ana", acked_at), acked_at)
    world.run({"orders.row_count": PASS}, since + DAY + 2 * HOUR)
    for minutes in range(3):
        world.run({"rates.row_count": ERROR}, since + 2 * DAY + minutes * MINUTE)
    for day in (3, 4):
        world.run({"items.row_count": FAIL}, since + day * DAY)
        world.run({"items.row_count": PASS}, since + day * DAY + HOUR)
    world.until(MONDAY)
    with world.database.read() as connection:
        first, _ = (one for one in incidents.listed(connection, None, 9) if one.root.check_id == "items.row_count")
    with world.database.write() as connection:
        feedback.save(connection, Said(incident.id, Feedback.REAL, "ana", MONDAY))
        feedback.save(connection, Said(first.id, Feedback.BAD_THRESHOLD, "ana", MONDAY))
        silences.add(connection, Silence("", parse_selector(("orders",)), since, MONDAY + DAY, "", "ana"), since)
        silences.add(connection, Silence("", parse_selector(("orders",)), since, MONDAY + 2 * WEEK, "", "ana"), since)
    found = digests(world.environment, MONDAY)
    shop = of(found, "@shop")
    assert (shop.checks, shop.healthy, shop.healthy_before) == (3, 2, 2)
    assert (shop.mtta_s, shop.ending, shop.errors) == (600, 1, 0)
    assert shop.mttr_s == pytest.approx((2 + 1 + 1) / 3 * 3_600)
    assert (shop.incidents, shop.pages) == (3, 3)
    assert (shop.said, shop.to_tune) == ({Feedback.REAL: 1, Feedback.BAD_THRESHOLD: 1}, ("items.row_count",))
    assert shop.noisiest == (("items.row_count", 2), ("orders.row_count", 1))
    money = of(found, "@money")
    assert (money.healthy, money.errors, money.pages) == (0, 1, 1)
    assert digests(world.environment, MONDAY, "@money") == (money,)
    assert digests(world.environment, MONDAY, "@nobody") == ()


def test_checks_that_have_not_failed_for_half_a_year_and_those_that_are_young(world: World) -> None:
    world.commit({"orders.row_count": PASS, "users.row_count": FAIL, "items.row_count": FAIL}, MONDAY - 200 * DAY)
    world.commit({"users.row_count": PASS}, MONDAY - 199 * DAY)
    world.commit({"items.row_count": PASS}, MONDAY - 100 * DAY)
    world.commit({"rates.row_count": PASS}, MONDAY - 100 * DAY)
    for hour in range(3):
        world.notify(MONDAY - 99 * DAY + hour * HOUR)
    found = digests(world.environment, MONDAY)
    assert of(found, "@shop").never_failed == 2, "orders, and users, whose failure is older; items failed until 100 days ago"
    assert of(found, "@money").never_failed == 0, "it has not been measured for so long"


def test_what_it_cost(world: World) -> None:
    def statement(day: datetime, price: float, shares: dict[str, float]) -> statements.Statement:
        return statements.Statement("r", "snow", "main.t", "aggregate", day, Cost(1.0, credits=price), Basis.ESTIMATE, shares)

    with world.database.write() as connection:
        statements.add(
            connection,
            [
                statement(MONDAY - DAY, 3.0, {"orders.row_count": 0.5, "rates.row_count": 0.5}),
                statement(MONDAY - 2 * DAY, 0.5, {"users.row_count": 1.0}),
                statement(MONDAY - WEEK - DAY, 1.0, {"users.row_count": 1.0}),
            ],
        )
    spent = of(digests(world.environment, MONDAY), "@shop").spent
    assert {name: (one.credits, one.before, one.top) for name, one in spent.items()} == {"snow": (2.0, 1.0, ("orders.row_count", 1.5))}
    assert of(digests(world.environment, MONDAY), "@silent").spent == {}


CONFIG = 'version: 1\nwarehouses: {main: {type: sqlite, path: shop.db}}\nchannels: {t: {type: slack, channel: "#x", dry_run: true}}\nroutes: [{name: r, default: true, to: [t]}]\n'
CHECKS = 'version: 1\ndatasets:\n  - {dataset: orders, owner: "@shop", checks: [{row_count: {min: 1}}]}\n  - {dataset: users, checks: [{row_count: {min: 1}}]}\n'


def test_the_command_prints_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in (("config/dqmon.yaml", CONFIG), ("checks/a.yaml", CHECKS)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    assert run(["report", "--digest", "@shop"]) == 0
    title, *lines = capsys.readouterr().out.splitlines()
    assert title.startswith("@shop, week ")
    assert title.endswith(": 100 % of 1 check healthy")
    assert lines == ["  Incidents: none", "  Pages: none", "  Blind spots: none"]
    assert run(["report", "--digest", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [(one["owner"], one["checks"], one["healthy"]) for one in document["digests"]] == [("", 1, 1), ("@shop", 1, 1)]
    assert run(["report", "--digest", "@shoq"]) == 2
    assert "'@shoq' owns no check; there are @shop" in capsys.readouterr().err
    assert run(["report"]) == 2
    assert "dqmon report --digest" in capsys.readouterr().err
