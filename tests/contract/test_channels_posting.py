"""What each channel that only posts promises beyond the common table: signatures, aliases, ends, statuses inside answers."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fake_vendors import Fault
from sample_messages import AT, KINDS, delivery, facts, message

from dqmon.core.message import DeliveryKind
from dqmon.core.verdict import Severity
from dqmon.errors import OutcomeUnknown, Permanent, Transient
from dqmon.notify.alertmanager import Alertmanager, AlertmanagerOptions
from dqmon.notify.datadog import DatadogOptions
from dqmon.notify.opsgenie import Opsgenie, OpsgenieOptions
from dqmon.notify.pagerduty import PagerDutyOptions
from dqmon.notify.sns import Sns, SnsOptions
from dqmon.notify.teams import Teams, TeamsOptions
from dqmon.notify.webhook import Webhook, WebhookOptions, signature_headers

SECRET = "a-secret-to-sign-with"


def make(kind, model, vendors, **mine):
    return kind("channel", model.model_validate({"base_url": vendors.slack_url, "allow_private_addresses": True, "timeout": "2s"} | mine))


def send(channel, kind=DeliveryKind.TRIGGER, told=None, **changes):
    told = told or message(kind)
    part = channel.parts(told)[0]
    return channel.send(channel.render(told, part), replace(delivery(told=told, part=part), **changes))


# --- webhook


def verified(request, secret, at, tolerance_s=300):
    """As the specification tells a receiver to check; written from its text."""
    headers = {name.lower(): value for name, value in request["headers"].items()}
    stamp = int(headers["webhook-timestamp"])
    signed = b".".join([headers["webhook-id"].encode(), str(stamp).encode(), request["body"]])
    key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    is_signed = any(hmac.compare_digest(expected, entry.partition(",")[2]) for entry in headers["webhook-signature"].split())
    return is_signed and abs(at.timestamp() - stamp) <= tolerance_s


@pytest.mark.parametrize("secret", [SECRET, "whsec_" + base64.b64encode(b"24 random bytes, or more").decode()])
def test_a_webhook_is_signed_over_its_id_its_time_and_its_body(vendors, secret):
    send(make(Webhook, WebhookOptions, vendors, url="https://ops.example.com/hook", secret=secret), id="d1")
    request = vendors.requests[0]
    now = datetime.now(UTC)
    assert verified(request, secret, now)
    assert not verified(request, "another-secret-of-16", now)
    assert not verified(request | {"body": request["body"].replace(b"critical", b"info")}, secret, now), "a changed body passed"
    assert not verified(request, secret, now + timedelta(hours=1)), "a replay passed"
    assert json.loads(request["body"])["event_id"] == request["headers"]["webhook-id"] == "d1"


def test_the_signature_of_the_specifications_example():
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/python/tests: its vector."""
    at = datetime.fromtimestamp(1614265330, UTC)
    found = signature_headers("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}')
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("kind", KINDS)
def test_the_event_of_each_kind(vendors, kind):
    send(make(Webhook, WebhookOptions, vendors, url="https://ops.example.com/hook", secret=SECRET), kind)
    body = vendors.hooks.taken[0]["body"]
    words = {"trigger": "firing", "repeat": "firing", "update": "changed", "acknowledge": "acknowledged", "resolve": "resolved"}
    assert (body["schema_version"], body["event"]) == (1, words[kind])
    assert body["alerts"][0]["result"]["source"] == {"path": "checks/orders.yml", "line": 12}
    assert body["incident"]["opened_at"] == "2026-11-20T06:14:00Z"


@pytest.mark.parametrize(("secret", "words"), [(None, "16"), ("short", "16"), ("whsec_" + "?" * 20, "base64")])
def test_a_secret_that_signs_nothing_is_refused(secret, words):
    with pytest.raises(ValueError, match=words):
        WebhookOptions.model_validate({"url": "https://ops.example.com/hook", "secret": secret})


# --- Teams


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, "1", None),
        (202, "", None),
        (200, "", None),
        (200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x", Transient),
        (200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413 with ContextId x", Permanent),
        (200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 503 with ContextId x", Transient),
        (200, "<html>sign in</html>", OutcomeUnknown),
        (400, "Bad payload received by generic incoming webhook.", Permanent),
    ],
)
def test_what_teams_says_inside_its_answer_counts(vendors, status, body, expected):
    channel = make(Teams, TeamsOptions, vendors, webhook_url="https://flow.example.com/teams/flow")
    vendors.script("hooks", Fault(status=status, body=body, retry_after="9"))
    if expected is None:
        assert send(channel).detail == "accepted"
        return
    with pytest.raises(expected) as raised:
        send(channel)
    assert expected is not Transient or raised.value.retry_after_s == 9


def test_a_card_that_may_be_there_already_says_so(vendors):
    channel = make(Teams, TeamsOptions, vendors, webhook_url="https://flow.example.com/teams/flow")
    send(channel)
    send(channel, is_uncertain=True)
    assert ["(may repeat)" in json.dumps(taken["body"]) for taken in vendors.hooks.taken] == [False, True]


# --- Opsgenie


def test_an_opsgenie_alert_from_its_trigger_to_its_end(vendors):
    channel = make(Opsgenie, OpsgenieOptions, vendors, api_key="genie-secret-key", team="data")
    for kind in (DeliveryKind.TRIGGER, DeliveryKind.UPDATE, DeliveryKind.REPEAT, DeliveryKind.ACKNOWLEDGE, DeliveryKind.RESOLVE):
        send(channel, kind)
    alias = message().dedup_key
    paths = [taken["path"].removeprefix("/v2/alerts") for taken in vendors.hooks.taken]
    ends = ["notes", "acknowledge", "close"]
    note, acknowledge, close = (f"/{alias}/{end}?identifierType=alias" for end in ends)
    assert paths == ["", note, "", acknowledge, close]
    first = vendors.hooks.taken[0]["body"]
    assert (first["alias"], first["priority"], first["responders"]) == (alias, "P1", [{"name": "data", "type": "team"}])
    assert "[RESOLVED after 2h 11m]" in vendors.hooks.taken[-1]["body"]["note"]


def test_a_wrong_opsgenie_key_is_permanent_and_says_so(vendors):
    with pytest.raises(Permanent, match="Key format is not valid"):
        send(make(Opsgenie, OpsgenieOptions, vendors, api_key="another-key"))


@pytest.mark.parametrize(("service", "host"), [("us", "api.opsgenie.com"), ("eu", "api.eu.opsgenie.com"), ("jsm", "api.atlassian.com")])
def test_opsgenies_servers(service, host):
    channel = Opsgenie("genie", OpsgenieOptions.model_validate({"api_key": "k", "service": service}))
    assert channel.base_url.startswith(f"https://{host}")


# --- Alertmanager


class FakeState:
    """What Alertmanager holds: by labels, until when; as its API documents it."""

    def __init__(self):
        self.until = {}

    def take(self, body):
        for alert in body:
            self.until[json.dumps(alert["labels"], sort_keys=True)] = datetime.fromisoformat(alert["endsAt"])

    def firing(self, at):
        return sorted(json.loads(labels)["severity"] for labels, end in self.until.items() if end > at)


def alertmanager(**options):
    return Alertmanager("am", AlertmanagerOptions.model_validate({"url": "https://am.example.com"} | options))


def push(state, kind, root, at):
    state.take(alertmanager().render(message(kind, root=root, at=at), "alerts"))


def test_alertmanager_has_an_alert_from_its_trigger_to_its_resolve_at_one_severity():
    state = FakeState()
    push(state, DeliveryKind.TRIGGER, facts(severity=Severity.WARNING), AT)
    assert state.firing(AT + timedelta(hours=1)) == ["warning"]
    push(state, DeliveryKind.UPDATE, facts(), AT + timedelta(hours=1))
    assert state.firing(AT + timedelta(hours=2)) == ["critical"], "the alert at its old severity still fires"
    push(state, DeliveryKind.REPEAT, facts(), AT + timedelta(hours=5))
    assert state.firing(AT + timedelta(hours=16)) == ["critical"], "a repeat did not prolong it"
    push(state, DeliveryKind.RESOLVE, facts(resolved_at=AT + timedelta(hours=16)), AT + timedelta(hours=16))
    assert state.firing(AT + timedelta(hours=16)) == []


def test_alertmanager_ends_an_alert_of_a_daemon_that_is_silent():
    state = FakeState()
    state.take(alertmanager(expires_after="6h").render(message(), "alerts"))
    assert (state.firing(AT + timedelta(hours=5)), state.firing(AT + timedelta(hours=6))) == (["critical"], [])


@pytest.mark.parametrize(
    ("options", "expected"), [({}, None), ({"token": "t1"}, "Bearer t1"), ({"username": "u", "password": "p"}, "Basic dTpw")]
)
def test_alertmanagers_logins(vendors, options, expected):
    send(make(Alertmanager, AlertmanagerOptions, vendors, url="https://am.example.com/am", **options))
    assert vendors.hooks.taken[0]["headers"].get("Authorization") == expected
    assert vendors.hooks.taken[0]["path"] == "/am/api/v2/alerts"


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        (AlertmanagerOptions, {}, "url is not set"),
        (AlertmanagerOptions, {"url": "https://x", "username": "u"}, "both username and password"),
        (AlertmanagerOptions, {"url": "https://x", "username": "u", "password": "p", "token": "t"}, "set token, or"),
        (TeamsOptions, {}, "webhook_url is not set"),
        (PagerDutyOptions, {"routing_key": "k" * 33}, "routing_key does not have 32 characters"),
        (OpsgenieOptions, {}, "api_key is not set"),
        (DatadogOptions, {}, "api_key is not set"),
        (WebhookOptions, {}, "url is not set"),
        (SnsOptions, {}, "topic_arn is not set"),
        (SnsOptions, {"topic_arn": "https://sns"}, "pattern"),
        (SnsOptions, {"topic_arn": "arn:aws:sns:eu-west-1:123456789012:t", "access_key_id": "A"}, "both access_key_id"),
    ],
)
def test_options_that_cannot_work(model, options, words):
    with pytest.raises(ValueError, match=words):
        model.model_validate(options)


# --- SNS


def sns(vendors, topic):
    keys = {"access_key_id": "AKIA", "secret_access_key": "aws-secret-key"}
    return make(
        Sns, SnsOptions, vendors, base_url=vendors.slack_url + "/sns", topic_arn=f"arn:aws:sns:eu-west-1:123456789012:{topic}", **keys
    )


def test_sns_publishes_with_attributes_to_filter_by_and_a_fifo_topic_keeps_the_order(vendors):
    for topic in ("alerts", "alerts.fifo"):
        send(sns(vendors, topic), id="d1")
    plain, fifo = (taken["body"] for taken in vendors.hooks.taken)
    assert plain["TopicArn"].endswith(":alerts")
    assert "MessageGroupId" not in plain
    assert (fifo["MessageGroupId"], fifo["MessageDeduplicationId"]) == ("g1", "d1")
    assert plain["MessageAttributes.entry.2.Value.StringValue"] == "critical"


@pytest.mark.parametrize(("code", "expected"), [("Throttling", Transient), ("AuthorizationError", Permanent), ("NotFound", Permanent)])
def test_what_aws_says_with_status_400(vendors, code, expected):
    vendors.script(
        "hooks", Fault(status=400, body=f"<ErrorResponse><Error><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>")
    )
    with pytest.raises(expected, match=code):
        send(sns(vendors, "alerts"))
    assert len(vendors.requests) == 1
