"""R14's scripted faults against the real clients of Slack and PagerDuty: each event once, no worker kept, nobody else delayed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from fake_vendors import Fault, Vendors
from patience import PATIENCE_S, seconds, wait_for
from sample_messages import AT, delivery, facts, group, message

from dqmon.core.delivery import DeliveryState, Receipt
from dqmon.core.verdict import Severity
from dqmon.engine.telling.deliver import deliver_once
from dqmon.notify.pagerduty import PagerDuty, PagerDutyOptions
from dqmon.notify.slack import Slack, SlackOptions
from dqmon.notify.webhook import Webhook, WebhookOptions
from dqmon.store import deliveries, groups, sending
from dqmon.store.database import Database

KEY = "0123456789abcdef0123456789abcdef"
BUSY_S = 15.0
"""R14: so long one attempt may keep a worker, with the channels' usual time-out of 10 s."""
TIMEOUT_S = 10.0
SLOW = Fault(trickle_s=60)
TROUBLE = (
    *[Fault(status=429, retry_after="5")] * 20,
    *[Fault(status=503)] * 50,
    Fault(unread=True),
    Fault(drop=True),
    Fault(drop=True, taken=True),
    Fault(status=429, retry_after="3600"),
    Fault(status=500, taken=True),
)
EVENTS = 3


@pytest.fixture(scope="module")
def server():
    with Vendors(routing_keys=[KEY]) as running:
        yield running


@pytest.fixture
def vendors(server):
    server.reset()
    return server


@pytest.fixture
def database(tmp_path):
    found = Database(f"sqlite:///{tmp_path}/store.db")
    found.prepare()
    yield found
    found.close()


def add(database, channel, key, part="event"):
    told = message(root=facts(severity=Severity.CRITICAL), group_id=key, dedup_key=f"dqmon:{key}", incident_id=key)
    with database.write() as connection:
        groups.save(connection, [group(key, channel)])
        deliveries.add(connection, [delivery(key, told=told, channel=channel, part=part, created_at=AT)])


class Timed:
    """A channel; `busy_s` is the longest that one of its attempts has kept its worker."""

    def __init__(self, channel):
        self.channel, self.name, self.options, self.pages, self.busy_s = channel, channel.name, channel.options, channel.pages, 0.0
        self.parts, self.render, self.text = channel.parts, channel.render, channel.text

    def send(self, payload, told):
        begun = time.monotonic()
        try:
            return self.channel.send(payload, told)
        finally:
            self.busy_s = max(self.busy_s, time.monotonic() - begun)


def real_channels(vendors, timeout_s):
    shared = {"allow_private_addresses": True, "verify": str(vendors.ca_file), "timeout": f"{timeout_s:g}s"}
    slack = shared | {"token": "xoxb-fake", "channel": "C0DATA", "base_url": vendors.slack_url}
    pager = shared | {"routing_key": KEY, "base_url": vendors.pagerduty_url}
    hook = shared | {"url": "https://ops.example.com/hook/1", "secret": "a-secret-to-sign-with", "base_url": vendors.slack_url}
    made = (
        Slack("team", SlackOptions.model_validate(slack)),
        PagerDuty("oncall", PagerDutyOptions.model_validate(pager)),
        Webhook("hook", WebhookOptions.model_validate(hook)),
    )
    return {channel.name: Timed(channel) for channel in made}


def all_of(database, channel):
    with database.read() as connection:
        return [one for one in deliveries.after(connection, 0) if one.channel == channel]


@pytest.mark.parametrize("timeout_s", [1.0, pytest.param(TIMEOUT_S, marks=pytest.mark.long)])
def test_vendors_in_all_kinds_of_trouble(database, vendors, timeout_s, capsys):
    """Time passes by rescheduling alone; only the slow and the silent answers take real time, and that is cut off."""
    channels = {name: one for name, one in real_channels(vendors, timeout_s).items() if name != "hook"}
    vendors.script("pagerduty", *TROUBLE, SLOW, Fault(status=202, body="no JSON", taken=True))
    vendors.script("slack", *TROUBLE, SLOW)
    for number in range(EVENTS):
        add(database, "team", f"team-{number}", part="post")
        add(database, "oncall", f"oncall-{number}")
    now, attempts = AT, Counter()
    while any(one.state is DeliveryState.QUEUED for name in channels for one in all_of(database, name)):
        for name, channel in channels.items():
            attempts[name] += deliver_once(database, {name: channel}, lambda now=now: now, "me", jitter=lambda: 0.9).total()
        with database.read() as connection:
            now = min((at for name in channels if (at := sending.next_at(connection, name))), default=now)
        assert now - AT < timedelta(hours=24)
    busy_s = max(channel.busy_s for channel in channels.values())
    with capsys.disabled():
        print(
            f"\n{EVENTS} events each, {attempts['team']} attempts at Slack, {attempts['oncall']} at PagerDuty in {now - AT}: "
            f"{len(vendors.slack.messages)} posts, {len(vendors.pagerduty.incidents)} incidents; a worker was kept {busy_s:.1f} s "
            f"with a time-out of {timeout_s:g} s",
            end="",
        )
    assert sorted(one["metadata"]["event_payload"]["delivery_id"] for one in vendors.slack.messages) == [f"team-{n}" for n in range(EVENTS)]
    assert sorted(one.dedup_key for one in vendors.pagerduty.incidents) == [f"dqmon:oncall-{n}" for n in range(EVENTS)]
    assert {one.state for name in channels for one in all_of(database, name)} == {DeliveryState.SENT}
    assert attempts["team"] > len(TROUBLE)
    assert busy_s < BUSY_S * timeout_s / TIMEOUT_S


def slowest_of_60(database, channel):
    """How long the slowest of 60 new messages takes, each told by itself."""
    delays = []
    for _ in range(60):
        add(database, "hook", uuid4().hex)
        delays.append(seconds(partial(deliver_once, database, {"hook": channel}, lambda: AT, "me")))
    return max(delays)


def test_workers_that_hang_delay_nobody_else(database, capsys):
    """With threads and a real clock, as in the daemon: Slack trickles and PagerDuty is silent while another channel is told 60 things.

    Both hang until their server is stopped, so that whoever waits for one of them finds it gone.
    """
    with Vendors(routing_keys=[KEY]) as vendors:
        channels = real_channels(vendors, 10 * PATIENCE_S)
        vendors.script("slack", Fault(trickle_s=10 * PATIENCE_S))
        vendors.script("pagerduty", Fault(delay_s=10 * PATIENCE_S, status=503))
        add(database, "team", "team", part="post")
        add(database, "oncall", "oncall")
        workers = [
            threading.Thread(target=deliver_once, args=(database, {name: channels[name]}, lambda: AT, "me")) for name in ("team", "oncall")
        ]
        for worker in workers:
            worker.start()
        wait_for(lambda: len(vendors.requests) == 2, "both to be asked")
        slowest_s = slowest_of_60(database, channels["hook"])
        hanging = [worker.is_alive() for worker in workers]
    for worker in workers:
        worker.join()
    with capsys.disabled():
        print(
            f"\nwhile Slack trickles and PagerDuty is silent: the slowest of 60 messages of another channel took {1000 * slowest_s:.0f} ms",
            end="",
        )
    assert {one.state for one in all_of(database, "hook")} == {DeliveryState.SENT}
    assert hanging == [True, True], "the others hang all the while"
    assert slowest_s < 1
    assert {one.state for name in ("team", "oncall") for one in all_of(database, name)} == {DeliveryState.QUEUED}


def test_a_page_overtakes_a_thousand_infos(database):
    class Recorder:
        name, pages, options, sent = (
            "oncall",
            True,
            PagerDutyOptions.model_validate({"dry_run": True}).model_copy(update={"dry_run": False}),
            [],
        )
        parts, render, text = (lambda *_: ("event",)), (lambda *_: {}), (lambda *_: "")

        def send(self, payload, told):
            self.sent.append(told.id)
            return Receipt()

    told = message(root=facts(severity=Severity.INFO))
    with database.write() as connection:
        infos = (delivery(f"info-{n}", told=replace(told, group_id=f"g{n}"), channel="oncall", part="event") for n in range(1_000))
        deliveries.add(connection, infos)
    channels = {"oncall": Recorder()}
    assert deliver_once(database, channels, lambda: AT, "me", limit=1).total() == 1
    add(database, "oncall", "page")
    assert deliver_once(database, channels, lambda: AT, "me", limit=2).total() == 2
    assert Recorder.sent == ["info-0", "page", "info-1"]
