"""What people see and press in Slack: charts of the last values, and buttons heard through Socket Mode, against a real server."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from alert_world import T0, World, check
from fake_vendors import Fault
from patience import wait_for
from sample_messages import AT, delivery, facts, group, message

from dqmon.app import open_app
from dqmon.app.daemon import setup
from dqmon.core.incident import IncidentState
from dqmon.core.message import DeliveryKind
from dqmon.core.route import Route
from dqmon.core.verdict import Verdict
from dqmon.engine.incidents.by_hand import resolve_incident
from dqmon.engine.incidents.pressed import pressed
from dqmon.engine.telling.deliver import Ending, deliver_once
from dqmon.engine.telling.notify import notify_once
from dqmon.errors import Transient
from dqmon.net import Blocked, Outgoing
from dqmon.notify.base.slack_socket import Presses
from dqmon.notify.slack import CHART_TRIES, Slack, SlackOptions
from dqmon.store import deliveries, feedback, groups, silences


@pytest.fixture
def vendors(vendor_server):
    vendor_server.reset()
    yield vendor_server
    vendor_server.slack.sockets.drop()


def slack(vendors, **changes):
    options = {"token": "xoxb-fake", "channel": "#data-quality", "base_url": vendors.slack_url, "allow_private_addresses": True}
    return Slack("team", SlackOptions.model_validate(options | {"timeout": "3s"} | changes))


# --- Charts


def told_of(channel, kind, part, parent=None, **changes):
    told = message(kind)
    return channel.send(channel.render(told, part), replace(delivery(told=told, part=part, channel="team"), parent=parent, **changes))


def pictures(vendors):
    shown = vendors.slack.messages[0]["attachments"][0]["blocks"]
    return [block for block in shown if block["type"] == "image"]


def test_a_chart_is_uploaded_once_and_stays_through_edits(vendors):
    channel = slack(vendors, chart=True)
    assert channel.parts(message()) == ("post", "chart")
    parent = told_of(channel, DeliveryKind.TRIGGER, "post")
    assert "Last 6 values" in str(vendors.slack.messages[0]["attachments"]), "there are numbers before there is a picture"
    parent = told_of(channel, DeliveryKind.TRIGGER, "chart", parent)
    told_of(channel, DeliveryKind.UPDATE, "edit", parent)
    told_of(channel, DeliveryKind.RESOLVE, "edit", parent)
    assert len(vendors.slack.files) == 1
    (picture,) = pictures(vendors)
    assert picture["slack_file"]["id"] == parent.reference["file"]
    assert "10,400, 1,204; 9,800 to 12,400 expected" in picture["alt_text"]


def test_a_chart_that_slack_has_not_looked_at_yet_is_tried_again_without_another_upload(vendors):
    vendors.slack.looks_before_ready = 2
    channel = slack(vendors, chart=True)
    parent = told_of(channel, DeliveryKind.TRIGGER, "post")
    for attempt in (1, 2):
        with pytest.raises(Transient, match="no chart yet: Slack: invalid_blocks") as raised:
            told_of(channel, DeliveryKind.TRIGGER, "chart", parent, attempt=attempt)
        assert raised.value.retry_after_s == 2
    assert "file" in told_of(channel, DeliveryKind.TRIGGER, "chart", parent, attempt=3).reference
    assert (len(vendors.slack.files), len(vendors.slack.messages), len(pictures(vendors))) == (1, 1, 1)


@pytest.mark.parametrize("why", ["no scope", "never ready", "down", "busy"])
def test_without_a_chart_the_numbers_stay_and_the_receipt_says_why(vendors, why):
    channel = slack(vendors, chart=True)
    parent = told_of(channel, DeliveryKind.TRIGGER, "post")
    if why == "no scope":
        vendors.slack.scopes.discard("files:write")
    vendors.slack.looks_before_ready = 9
    if why == "down":
        vendors.script("slack", Fault(status=500))
    if why == "busy":
        vendors.script("slack", Fault(status=429, retry_after="600"))
    receipt = told_of(channel, DeliveryKind.TRIGGER, "chart", parent, attempt=1 if why == "busy" else CHART_TRIES)
    assert receipt.reference == {}
    assert receipt.detail.startswith("no chart: ")
    assert {"no scope": "missing_scope", "never ready": "invalid_blocks", "down": "HTTP 500", "busy": "HTTP 429"}[why] in receipt.detail
    assert pictures(vendors) == []
    assert len(vendors.slack.messages) == 1


def test_a_lost_picture_leaves_the_line_of_numbers(vendors):
    channel = slack(vendors, chart=True)
    parent = told_of(channel, DeliveryKind.TRIGGER, "post")
    parent = told_of(channel, DeliveryKind.TRIGGER, "chart", parent)
    vendors.slack.files.clear()
    assert told_of(channel, DeliveryKind.RESOLVE, "edit", parent).detail == "ok"
    assert pictures(vendors) == []
    assert vendors.slack.messages[0]["blocks"][0]["text"]["text"].startswith("[RESOLVED")


def test_without_pillow_the_numbers_stay(vendors, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    channel = slack(vendors, chart=True)
    parent = told_of(channel, DeliveryKind.TRIGGER, "post")
    receipt = told_of(channel, DeliveryKind.TRIGGER, "chart", parent)
    assert receipt.detail == "no chart: it needs the extra `images`: pip install 'dqmon[images]'"
    assert not vendors.slack.files


def test_the_picture_is_kept_with_the_group_and_shown_by_every_edit(tmp_path, vendors):
    """Through the outbox: the receipt of the post comes to hold the file, which the edits then show."""
    channel = slack(vendors, chart=True)
    world = World(tmp_path, [check("main:orders", "row_count")], {})
    told = message(group_id="g1")
    with world.database.write() as connection:
        groups.save(connection, (group("g1", "team"),))
        deliveries.add(connection, [delivery(part, told=told, part=part) for part in ("post", "chart")])
    send = partial(deliver_once, world.database, {"team": channel}, lambda: AT, "test")
    assert send()[Ending.SENT] == 2
    with world.database.write() as connection:
        kept = groups.receipt(connection, "g1").reference
        deliveries.add(connection, [delivery("later", told=message(DeliveryKind.ACKNOWLEDGE, group_id="g1"), part="edit")])
    assert send()[Ending.SENT] == 1
    assert kept.keys() == {"channel", "ts", "file"}
    assert [picture["slack_file"]["id"] for picture in pictures(vendors)] == [kept["file"]]


def test_nothing_is_drawn_of_a_single_value():
    channel = Slack("team", SlackOptions.model_validate({"token": "x", "channel": "C0DATA", "chart": True}))
    assert channel.parts(message(root=facts(series=facts().series[:1]))) == ("post",)


# --- Buttons


class Hearing:
    """A store with one incident, told of in the fake Slack, and a listener."""

    def __init__(self, path, vendors, **options):
        self.vendors = vendors
        self.channel = slack(vendors, app_token="xapp-fake", **options)
        self.world = World(path, [check("main:orders", "row_count")], {})
        self.environment = replace(
            self.world.environment, channels={"team": self.channel}, routes=(Route("rest", None, ("team",), group_wait_s=0),)
        )
        self.world.commit({"main:orders.row_count".removeprefix("main:"): Verdict.FAIL}, T0)
        while notify_once(self.environment, T0, is_at_once=True) == T0:
            continue
        self.deliver()
        (self.incident,) = self.world.incidents().values()
        self.stop = self.channel.listen(lambda press: pressed(self.environment, press))

    def deliver(self):
        deliver_once(self.environment.database, self.environment.channels, lambda: self.world.now, "test")

    def payload(self, action, chosen=None, stamp="1.1", **changes):
        top = self.vendors.slack.messages[0]
        block = {"block_id": f"dqmon:{self.incident.id}", "action_id": action, "action_ts": stamp}
        more = {"selected_option": {"value": chosen}} if chosen else {}
        return {
            "type": "block_actions",
            "user": {"id": "U1", "username": "ana"},
            "container": {"type": "message", "message_ts": top["ts"], "channel_id": top["channel"]},
            "actions": [block | more | changes.pop("block", {})],
        } | changes

    def press(self, *arguments, **changes):
        """What the one who pressed is told."""
        before = len(self.vendors.slack.whispers)
        self.vendors.slack.sockets.press(self.payload(*arguments, **changes), envelope=f"e{before}")
        wait_for(lambda: len(self.vendors.slack.whispers) > before, "an answer to the press")
        return self.vendors.slack.whispers[-1]["text"]

    @property
    def now(self):
        return next(iter(self.world.incidents(is_open=False).values()))


@pytest.fixture
def hearing(tmp_path, vendors):
    made = Hearing(tmp_path, vendors)
    try:
        assert vendors.slack.sockets.wait(lambda: vendors.slack.sockets.open), "the listener did not connect"
        yield made
    finally:
        made.stop()


def test_a_press_acknowledges_once_and_edits_the_message(hearing, vendors):
    buttons = vendors.slack.messages[0]["attachments"][0]["blocks"][-2]
    assert [item["action_id"] for item in buttons["elements"]] == ["acknowledge", "snooze", "expected", "resolve"]
    assert hearing.press("acknowledge") == "Acknowledged by ana (Slack): nothing is repeated, changes and the end are still told."
    assert (hearing.now.state, hearing.now.acknowledged_by) == (IncidentState.ACKNOWLEDGED, "ana (Slack)")
    assert vendors.slack.sockets.wait(lambda: vendors.slack.sockets.confirmed == ["e0"])
    top, reply = vendors.slack.messages
    assert top["blocks"][0]["text"]["text"].startswith("[ACKNOWLEDGED by ana (Slack)]")
    assert [item["action_id"] for item in top["attachments"][0]["blocks"][-2]["elements"]] == ["snooze", "expected", "resolve"]
    assert reply["thread_ts"] == top["ts"]
    vendors.slack.sockets.press(hearing.payload("acknowledge"), envelope="e1", retry_attempt=1)
    assert vendors.slack.sockets.wait(lambda: "e1" in vendors.slack.sockets.confirmed), "a press that comes again is confirmed again"
    assert hearing.press("acknowledge", stamp="2.2") == "Already acknowledged by ana (Slack)."
    assert len(vendors.slack.whispers) == 2, "the press that came twice was answered once"


def test_snooze_expected_and_resolve_do_what_the_commands_do(hearing):
    assert hearing.press("snooze").startswith("Snoozed until 10:00 UTC (S-")
    assert hearing.press("expected", stamp="2").startswith("Kept: it was expected")
    assert hearing.press("resolve", "bad_threshold", stamp="3") == "Resolved by ana (Slack): it was bad threshold."
    assert hearing.press("resolve", "real", stamp="4") == "It is resolved already; kept: it was real."
    assert hearing.press("acknowledge", stamp="5") == f"Not done: the incident {hearing.incident.id} is resolved already."
    with hearing.world.database.read() as connection:
        (snoozed,) = silences.listed(connection, 10)
        said = feedback.of_incident(connection, hearing.incident.id)
    assert (snoozed.incident_id, snoozed.by, snoozed.end - snoozed.start) == (hearing.incident.id, "ana (Slack)", timedelta(hours=2))
    assert (said.feedback, said.said_by) == ("real", "ana (Slack)")
    assert hearing.now.closed_by_hand == "ana (Slack)"


@pytest.mark.parametrize(
    "changes",
    [
        {"container": {"type": "message", "message_ts": "9.9", "channel_id": "C0DATA"}},
        {"container": {"type": "message", "message_ts": "1700000000.000000", "channel_id": "C0OTHER"}},
        {"block": {"block_id": "dqmon:another"}},
        {"block": {"block_id": "dqmon:"}},
        {"block": {"block_id": "dqmon:00000"}},
    ],
    ids=["another message", "another channel", "another incident", "no incident", "the beginning of an id"],
)
def test_a_press_under_what_is_no_message_of_the_incident_does_nothing(hearing, vendors, changes):
    vendors.slack.channels["C0OTHER"] = "#other"
    assert hearing.press("acknowledge", **changes).startswith("Not done: this message is of no incident that dqmon knows here")
    assert hearing.now.state is IncidentState.OPEN


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "view_submission"},
        {"actions": []},
        {"user": {}},
        {"container": {}},
        {"block": {"block_id": "other:1"}},
        {"block": {"action_id": "rm"}},
    ],
    ids=["another kind", "no action", "nobody", "nowhere", "another app's block", "another button"],
)
def test_what_is_no_press_is_confirmed_and_left(hearing, vendors, changes):
    vendors.slack.sockets.press(hearing.payload("acknowledge", **changes), envelope="odd")
    assert vendors.slack.sockets.wait(lambda: "odd" in vendors.slack.sockets.confirmed)
    assert hearing.press("acknowledge", stamp="7").startswith("Acknowledged"), "the listener goes on"
    assert len(vendors.slack.whispers) == 1


def test_a_lost_connection_is_made_again_and_ends_when_told(hearing, vendors):
    sockets = vendors.slack.sockets
    first = sockets.open[0]
    sockets.send({"type": "disconnect", "reason": "refresh_requested"})
    assert sockets.wait(lambda: sockets.open and first not in sockets.open)
    assert hearing.press("acknowledge").startswith("Acknowledged")
    hearing.stop()
    assert sockets.wait(lambda: not sockets.open)


@pytest.mark.parametrize(
    "url",
    [
        "wss://example.com:8443/link",
        "ws://example.com/link",
        "https://example.com/",
        "wss://127.0.0.1/link",
        "wss://10.0.0.1:443/",
        "",
        "wss:///",
    ],
)
def test_an_address_that_is_not_public_and_encrypted_is_refused(url):
    web = SimpleNamespace(apps_connections_open=lambda app_token: SimpleNamespace(data={"ok": True, "url": url}))
    with pytest.raises(Blocked):
        Presses("team", "xapp-1", lambda: web, Outgoing(), str)._connected()


def test_a_listener_that_cannot_connect_says_so_without_its_token_and_goes_on(vendors, caplog):
    vendors.slack.app_token = "xapp-another"
    vendors.script("slack", Fault(status=200, body='{"ok": false, "error": "bad xapp-fake"}'))
    stop = slack(vendors, app_token="xapp-fake").listen(str)
    try:
        wait_for(lambda: len(vendors.requests) > 1, "it to be tried again")
    finally:
        stop()
    said = [record for record in caplog.records if record.getMessage() == "buttons are not heard"]
    assert said
    assert "xapp-fake" not in str([vars(record) for record in said])


def test_without_an_app_token_there_are_no_buttons_and_nothing_listens(vendors):
    plain = slack(vendors)
    assert plain.listen(str) is None
    assert '"actions"' not in str(plain.render(message(), "post")).replace("'", '"')
    assert slack(vendors, app_token="xapp-fake", dry_run=True).listen(str) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"webhook_url": "https://hooks.slack.com/x", "app_token": "xapp-1"}, "need a token"),
        ({"webhook_url": "https://hooks.slack.com/x", "chart": True}, "need a token"),
        ({"token": "x", "channel": "C", "app_token": "xoxb-1"}, "does not begin with xapp-"),
    ],
)
def test_options_that_cannot_work(options, words):
    with pytest.raises(ValueError, match=words):
        SlackOptions.model_validate(options)


def test_an_incident_of_a_resolved_group_is_still_asked_what_it_was(hearing, vendors):
    resolve_incident(hearing.environment, hearing.incident.id, "bo", still_failing=False)
    buttons = vendors.slack.messages[0]["attachments"][0]["blocks"][-2]
    assert [item["action_id"] for item in buttons["elements"]] == ["real", "expected", "bad_threshold"]
    with hearing.world.database.read() as connection:
        assert not groups.open_groups(connection)
    assert hearing.press("bad_threshold") == "Kept: it was bad threshold."


def test_the_daemon_listens_while_it_leads(tmp_path, vendors):
    (tmp_path / "config").mkdir()
    (tmp_path / "checks").mkdir()
    (tmp_path / "config" / "dqmon.yaml").write_text(
        f"""
version: 1
warehouses: {{main: {{type: sqlite, path: w.db}}}}
channels:
  team: {{type: slack, token: xoxb-fake, app_token: xapp-fake, channel: C0DATA, base_url: "{vendors.slack_url}", allow_private_addresses: true}}
routes: [{{name: rest, default: true, to: [team]}}]
"""
    )
    (tmp_path / "checks" / "a.yaml").write_text("version: 1\ndatasets:\n  - dataset: t\n    checks:\n      - row_count: {min: 1}\n")
    with open_app(str(tmp_path / "config" / "dqmon.yaml")) as app:
        work = setup(app).work
        work.listen(False)
        work.listen(True)
        assert vendors.slack.sockets.wait(lambda: vendors.slack.sockets.open), "the leader listens"
        work.close()
        assert vendors.slack.sockets.wait(lambda: not vendors.slack.sockets.open), "and stops at its end"
