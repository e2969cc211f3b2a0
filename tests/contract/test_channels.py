"""Every channel, with the vendors' real clients, against a real server: each HTTP status, each fault, one request each."""

import json
import logging
from dataclasses import replace
from http import HTTPStatus

import pytest
from fake_vendors import Fault, Vendors
from sample_messages import delivery, facts, message

from dqmon.core.message import DeliveryKind
from dqmon.core.registry import Registry
from dqmon.errors import NotifyError, OutcomeUnknown, Permanent, Transient
from dqmon.notify.alertmanager import Alertmanager, AlertmanagerOptions
from dqmon.notify.base.slack_answers import TRANSIENT_WORDS
from dqmon.notify.datadog import Datadog, DatadogOptions
from dqmon.notify.opsgenie import Opsgenie, OpsgenieOptions
from dqmon.notify.pagerduty import PagerDuty, PagerDutyOptions
from dqmon.notify.slack import Slack, SlackOptions
from dqmon.notify.sns import Sns, SnsOptions
from dqmon.notify.teams import Teams, TeamsOptions
from dqmon.notify.webhook import Webhook, WebhookOptions

TOKEN, HOOK, KEY = "xoxb-fake", "/services/T0/B0/secret", "0123456789abcdef0123456789abcdef"
EVENTS, SIGNING = "https://ops.example.com/hook/token-1", "a-secret-to-sign-with"
FLOW, GENIE, BEARER = "https://flow.example.com/teams/flow?sig=sig-secret", "genie-secret-key", "bearer-secret"
TOPIC, AWS_KEY = "arn:aws:sns:eu-west-1:123456789012:data-quality", "aws-secret-key"
# The channels that only post: class, options, what they accept. `webhook` is Slack's, `events` the generic one.
POSTING = {
    "events": (Webhook, WebhookOptions, {"url": EVENTS, "secret": SIGNING}, ""),
    "teams": (Teams, TeamsOptions, {"webhook_url": FLOW}, "1"),
    "opsgenie": (Opsgenie, OpsgenieOptions, {"api_key": GENIE}, '{"result": "Request will be processed"}'),
    "alertmanager": (Alertmanager, AlertmanagerOptions, {"url": "https://am.example.com/am/", "token": BEARER}, ""),
    "datadog": (Datadog, DatadogOptions, {"api_key": KEY}, '{"status": "ok"}'),
    "sns": (Sns, SnsOptions, {"topic_arn": TOPIC, "access_key_id": "AKIA", "secret_access_key": AWS_KEY}, "not XML"),
}
CHANNELS = ("slack", "webhook", "pagerduty", *POSTING)


@pytest.fixture(scope="module")
def server():
    with Vendors(routing_keys=[KEY]) as running:
        yield running


@pytest.fixture
def vendors(server):
    server.reset()
    return server


def options(vendors, **changes):
    return {"allow_private_addresses": True, "verify": str(vendors.ca_file), "timeout": "2s"} | changes


def make(vendors, name, **changes):
    """A channel that talks to the fake."""
    if name in POSTING:
        kind, model, mine, _ = POSTING[name]
        base_url = vendors.slack_url + ("/sns" if name == "sns" else "")
        return kind(name, model.model_validate(options(vendors, base_url=base_url) | mine | changes))
    if name == "pagerduty":
        mine = options(vendors, base_url=vendors.pagerduty_url, routing_key=KEY)
        return PagerDuty(name, PagerDutyOptions.model_validate(mine | changes))
    mine = {"token": TOKEN, "channel": "C0DATA"} if name == "slack" else {"webhook_url": "https://hooks.slack.com" + HOOK}
    return Slack(name, SlackOptions.model_validate(options(vendors, base_url=vendors.slack_url) | mine | changes))


def send(channel, kind=DeliveryKind.TRIGGER, part=None, parent=None, **changes):
    told = message(kind)
    part = part or channel.parts(told)[0]
    return channel.send(channel.render(told, part), replace(delivery(told=told, part=part, channel=channel.name), parent=parent, **changes))


def vendor_of(name):
    return "hooks" if name in POSTING else "pagerduty" if name == "pagerduty" else "slack"


# The one table: 2xx taken, 3xx and most of 4xx never, these again, gateways unknown.
EXPECTED = {
    status: OutcomeUnknown
    if status in (502, 504)
    else Transient
    if status in (408, 425, 429) or status >= 500
    else Permanent
    if status >= 300
    else None
    for status in map(int, HTTPStatus)
    if status >= 200
}


WORDS = {None: "taken", Permanent: "never", Transient: "again", OutcomeUnknown: "unknown"}


def table_row(found):
    """`taken 200-203 206-208, never 300-308 ...`: what became of which statuses."""
    said = []
    for kind, word in WORDS.items():
        runs = []
        for status in (status for status, outcome in found.items() if outcome is kind):
            if runs and runs[-1][1] == status - 1:
                runs[-1][1] = status
            else:
                runs.append([status, status])
        said.append(f"{word} {' '.join(str(low) if low == high else f'{low}-{high}' for low, high in runs) or 'none'}")
    return "; ".join(said)


def test_every_channel_that_speaks_http_is_driven_through_the_table():
    """email speaks SMTP, and apprise tells no status: both have tests of their own."""
    driven = {kind.type for kind, *_ in POSTING.values()} | {"slack", "pagerduty"}
    assert set(Registry("channels").all()) == driven | {"email", "apprise"}


@pytest.mark.parametrize("name", CHANNELS)
def test_every_status_is_classified_with_exactly_one_request(vendors, name, capsys):
    channel = make(vendors, name)
    bodies = {"slack": '{"ok": true, "channel": "C0DATA", "ts": "1.0"}', "webhook": "ok", "pagerduty": '{"dedup_key": "d"}'}
    body = bodies.get(name) or POSTING[name][3]
    wrong, outcomes = [], {}
    for status, expected in EXPECTED.items():
        if status in (204, 205, 304):
            continue  # these have no body, by HTTP itself
        vendors.requests.clear()
        vendors.script(vendor_of(name), Fault(status=status, body=body, retry_after="7"))
        found = None
        try:
            send(channel)
        except NotifyError as e:
            found = e
        outcomes[status] = type(found) if found else None
        if (type(found) if found else None) is not expected or len(vendors.requests) != 1:
            wrong.append((status, expected, found, len(vendors.requests)))
        if isinstance(found, Transient) and found.retry_after_s != 7:
            wrong.append((status, "Retry-After was not read", found.retry_after_s))
    with capsys.disabled():
        print(f"\n{name:>12}: {table_row(outcomes)}", end="")
    assert not wrong


NO_WORDS_NEEDED = ("pagerduty", "events", "teams", "opsgenie", "alertmanager", "datadog", "sns")
"""Channels whose vendors say all by 2xx; Slack refuses within answers of 200, and says `ok` where it does not."""


@pytest.mark.parametrize("name", CHANNELS)
def test_a_202_with_a_page_in_place_of_an_answer(vendors, name):
    vendors.script(vendor_of(name), Fault(status=202, body="<html>sign in</html>"), Fault(status=204))
    for _ in range(2):
        if name in NO_WORDS_NEEDED:
            send(make(vendors, name))
        else:
            with pytest.raises(OutcomeUnknown):
                send(make(vendors, name))
    assert len(vendors.requests) == 2


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize(
    "fault",
    [Fault(unread=True), Fault(drop=True), Fault(drop=True, taken=True), Fault(delay_s=4)],
    ids=["dropped before the body", "dropped", "taken and dropped", "silent"],
)
def test_a_broken_connection_is_an_unknown_outcome_and_is_not_repeated(vendors, name, fault):
    vendors.script(vendor_of(name), fault)
    with pytest.raises(OutcomeUnknown):
        send(make(vendors, name, timeout="1s"))
    assert len(vendors.requests) == 1


@pytest.mark.parametrize("name", CHANNELS)
def test_nobody_listening_is_transient(vendors, name):
    with pytest.raises(Transient, match="cannot be reached"):
        send(make(vendors, name, base_url="https://127.0.0.1:9"))


@pytest.mark.parametrize("name", CHANNELS)
def test_a_private_address_is_refused_unless_allowed(vendors, name):
    with pytest.raises(Permanent, match="private address"):
        send(make(vendors, name, base_url="https://127.0.0.1:9", allow_private_addresses=False))
    assert not vendors.requests


@pytest.mark.parametrize("name", CHANNELS)
def test_proxies_of_the_environment_are_ignored(vendors, name, monkeypatch):
    for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    send(make(vendors, name))


@pytest.mark.parametrize("name", CHANNELS)
def test_a_redirect_is_not_followed(vendors, name):
    vendors.script(vendor_of(name), Fault(status=307, location="https://127.0.0.1:9/"))
    with pytest.raises(Permanent, match="HTTP 307"):
        send(make(vendors, name))
    assert len(vendors.requests) == 1


@pytest.mark.parametrize("name", CHANNELS)
def test_no_secret_in_errors_or_logs_even_when_the_vendor_echoes_it(vendors, name, caplog):
    caplog.set_level(logging.DEBUG)
    secrets = (TOKEN, HOOK, KEY, EVENTS, SIGNING, FLOW, "/teams/flow?sig=sig-secret", GENIE, BEARER, AWS_KEY)
    echo = {"ok": False, "error": f"bad {TOKEN} {HOOK}", "message": " ".join(["bad", *secrets]), "errors": [KEY]}
    url = "https://hooks.slack.com" + HOOK
    for fault in (
        Fault(status=400, body=json.dumps(echo)),
        Fault(status=400, body=" ".join(["bad", url, *secrets])),
        Fault(drop=True),
        Fault(status=401),
    ):
        vendors.script(vendor_of(name), fault)
        with pytest.raises(NotifyError) as raised:
            send(make(vendors, name))
        more = {"events": ["token-1", SIGNING], "teams": ["sig-secret"], "opsgenie": [GENIE], "alertmanager": [BEARER], "sns": [AWS_KEY]}
        own = {"slack": [TOKEN], "webhook": [url], "pagerduty": [KEY], "datadog": [KEY]} | more
        assert not [secret for secret in own[name] if secret in str(raised.value)]
        assert raised.value.__cause__ is None, "the vendor's exception holds the request, and that the secret"
    send(make(vendors, name))
    assert not [record.getMessage() for record in caplog.records for secret in secrets if secret in record.getMessage()]
    assert all(secret not in repr(make(vendors, name).options) for secret in secrets)


# --- Slack


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        *(
            (word, Permanent)
            for word in ("channel_not_found", "invalid_auth", "not_in_channel", "msg_too_long", "invalid_blocks", "new_word")
        ),
        *((word, Transient) for word in sorted(TRANSIENT_WORDS)),
        ("fatal_error", OutcomeUnknown),
        ("", OutcomeUnknown),
    ],
)
def test_slack_words(vendors, word, expected):
    vendors.script("slack", Fault(status=200, body=json.dumps({"ok": False, "error": word}), retry_after="9"))
    with pytest.raises(expected) as raised:
        send(make(vendors, "slack"))
    assert word in str(raised.value)
    assert expected is not Transient or raised.value.retry_after_s == 9


@pytest.mark.parametrize("body", ["", "<html>sign in</html>", "[]", "3", '{"ok": 1}'])
def test_an_answer_that_is_not_slacks_own_is_an_unknown_outcome(vendors, body):
    for name in ("slack", "webhook"):
        vendors.script("slack", Fault(status=200, body=body))
        with pytest.raises(OutcomeUnknown):
            send(make(vendors, name))


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"channel": "#nowhere"}, "channel_not_found"), ({"channel": "C0OPS"}, "not_in_channel"), ({"token": "xoxb-old"}, "invalid_auth")],
)
def test_a_slack_set_up_that_cannot_work_is_permanent(vendors, changes, words):
    with pytest.raises(Permanent, match=words):
        send(make(vendors, "slack", **changes))


def test_slack_tells_a_group_in_one_message_and_its_thread(vendors):
    channel = make(vendors, "slack", channel="#data-quality")
    parent = send(channel)
    for kind in (DeliveryKind.UPDATE, DeliveryKind.REPEAT, DeliveryKind.ACKNOWLEDGE, DeliveryKind.RESOLVE):
        for part in channel.parts(message(kind)):
            send(channel, kind, part, parent)
    top, *replies = vendors.slack.messages
    assert top["edits"] == 3
    assert top["blocks"][0]["text"]["text"].startswith("[RESOLVED after 2h 11m]")
    assert [reply["thread_ts"] for reply in replies] == [top["ts"]] * 4
    assert [bool(reply.get("reply_broadcast")) for reply in replies] == [False, False, False, True]
    assert not any(m["unfurl_links"] for m in vendors.slack.messages)


def test_an_edit_whose_parent_was_never_posted_is_posted_itself(vendors):
    channel = make(vendors, "slack")
    for part in ("edit", "reply"):
        send(channel, DeliveryKind.RESOLVE, part)
    assert len(vendors.slack.messages) == 2


@pytest.mark.parametrize("part", ["post", "reply"])
def test_an_uncertain_slack_post_is_found_and_not_repeated(vendors, part):
    channel = make(vendors, "slack")
    parent = send(channel) if part == "reply" else None
    kind = DeliveryKind.REPEAT if part == "reply" else DeliveryKind.TRIGGER
    vendors.script("slack", Fault(drop=True, taken=True))
    with pytest.raises(OutcomeUnknown):
        send(channel, kind, part, parent, id="lost")
    before = len(vendors.slack.messages)
    receipt = send(channel, kind, part, parent, id="lost", is_uncertain=True)
    assert receipt.reference == {"channel": "C0DATA", "ts": vendors.slack.messages[-1]["ts"]}
    assert len(vendors.slack.messages) == before


def test_an_uncertain_slack_post_that_never_arrived_is_sent_unmarked(vendors):
    send(make(vendors, "slack"), is_uncertain=True)
    assert "(may repeat)" not in json.dumps(vendors.slack.messages)
    assert len(vendors.slack.messages) == 1


@pytest.mark.parametrize("why", ["no scope", "channel by name", "webhook"])
def test_an_uncertain_post_that_cannot_be_looked_up_is_marked(vendors, why):
    if why == "no scope":
        vendors.slack.scopes.discard("channels:history")
    channel = (
        make(vendors, "webhook") if why == "webhook" else make(vendors, "slack", channel="C0DATA" if why == "no scope" else "#data-quality")
    )
    send(channel, is_uncertain=True)
    assert "(may repeat)" in json.dumps(vendors.slack.messages)


def test_a_look_up_in_transient_trouble_waits(vendors):
    vendors.script("slack", Fault(status=429, retry_after="30"))
    with pytest.raises(Transient) as raised:
        send(make(vendors, "slack"), is_uncertain=True)
    assert raised.value.retry_after_s == 30
    assert not vendors.slack.messages


# --- PagerDuty


def test_pagerduty_incident_from_trigger_to_resolve(vendors):
    channel = make(vendors, "pagerduty")
    states = []
    for kind in (DeliveryKind.TRIGGER, DeliveryKind.UPDATE, DeliveryKind.REPEAT, DeliveryKind.ACKNOWLEDGE, DeliveryKind.RESOLVE):
        send(channel, kind)
        states.append([incident.state for incident in vendors.pagerduty.incidents])
    assert states == [["triggered"]] * 3 + [["acknowledged"], ["resolved"]]


def test_a_repeated_trigger_joins_its_incident(vendors):
    channel = make(vendors, "pagerduty")
    vendors.script("pagerduty", Fault(drop=True, taken=True), Fault(status=202, body="not JSON", taken=True))
    with pytest.raises(OutcomeUnknown):
        send(channel)
    assert send(channel, is_uncertain=True).detail == "accepted, with an unreadable answer"
    assert [incident.events for incident in vendors.pagerduty.incidents] == [["trigger", "trigger"]]


def test_a_wrong_routing_key_is_permanent_and_says_so(vendors):
    with pytest.raises(Permanent, match="'routing_key' is invalid"):
        send(make(vendors, "pagerduty", routing_key="f" * 32))


def test_pagerduty_by_http_is_refused(vendors):
    with pytest.raises(Permanent, match="https"):
        send(make(vendors, "pagerduty", base_url=vendors.slack_url))


# --- all


def test_each_channel_is_found_by_its_file():
    found = Registry("channels").all()
    assert all(kind.type == name for name, kind in found.items())
    assert {name for name, kind in found.items() if kind.pages} == {"opsgenie", "pagerduty"}


def test_rendering_needs_no_connection_and_keeps_its_input(vendors):
    told = message(root=facts(reason="x" * 10_000))
    for name in CHANNELS:
        channel = make(vendors, name)
        for part in channel.parts(told):
            assert channel.render(told, part) == channel.render(told, part)
    assert not vendors.requests
