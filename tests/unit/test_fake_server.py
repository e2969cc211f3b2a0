"""The fake Slack and PagerDuty reject what the vendors reject, with the vendor's status and words."""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import fake_vendors
import pytest
from fake_pagerduty import FakePagerDuty
from fake_slack import FakeSlack

KEY = "k" * 32
GOOD_EVENT = {
    "routing_key": KEY,
    "event_action": "trigger",
    "dedup_key": "d",
    "payload": {"summary": "s", "source": "x", "severity": "error"},
}
GOOD_POST = {"channel": "C0DATA", "text": "hello"}


def event(**changes):
    return {key: value for key, value in (GOOD_EVENT | changes).items() if value is not ...}


def payload(**changes):
    return event(payload={key: value for key, value in (GOOD_EVENT["payload"] | changes).items() if value is not ...})


EVENTS = [
    ("routing_key missing", event(routing_key=...), 400, "'routing_key' is missing or blank"),
    ("routing_key short", event(routing_key="short"), 400, "Length of 'routing_key' is incorrect (should be 32 characters)"),
    ("routing_key unknown", event(routing_key="u" * 32), 400, "'routing_key' is invalid"),
    ("action missing", event(event_action=...), 400, "'event_action' is missing or blank"),
    ("action unknown", event(event_action="close"), 400, "'event_action' is invalid"),
    ("payload missing", event(payload=...), 400, "'payload' is missing or blank"),
    ("summary missing", payload(summary=...), 400, "'payload.summary' is missing or blank"),
    ("summary blank", payload(summary=" "), 400, "'payload.summary' is missing or blank"),
    ("summary of 1,025", payload(summary="s" * 1025), 400, "Length of 'payload.summary' is incorrect"),
    ("source missing", payload(source=...), 400, "'payload.source' is missing or blank"),
    ("severity missing", payload(severity=...), 400, "'payload.severity' is missing or blank"),
    ("severity unknown", payload(severity="fatal"), 400, "'payload.severity' is invalid"),
    ("timestamp wrong", payload(timestamp="yesterday"), 400, "'payload.timestamp' is invalid"),
    ("component no text", payload(component=3), 400, "'payload.component' must be a string"),
    ("details no object", payload(custom_details=["a"]), 400, "'payload.custom_details' must be an object"),
    ("dedup_key of 256", event(dedup_key="d" * 256), 400, "Length of 'dedup_key' is incorrect"),
    ("dedup_key a number", event(dedup_key=7), 400, "'dedup_key' must be a string"),
    ("resolve without key", event(event_action="resolve", dedup_key=...), 400, "'dedup_key' is required"),
    ("acknowledge without key", event(event_action="acknowledge", dedup_key=...), 400, "'dedup_key' is required"),
    ("links no list", event(links="https://x"), 400, "'links' must be an array of objects"),
    ("link without href", event(links=[{"text": "x"}]), 400, "'links.href' is missing or blank"),
    ("image by http", event(images=[{"src": "http://x/y.png"}]), 400, "'images.src' must be served via HTTPS"),
    ("an array", [GOOD_EVENT], 400, "Event must be a JSON object"),
    ("over 512 KB", payload(custom_details={"x": "y" * 512 * 1024}), 413, "Request Entity Too Large"),
    ("no JSON", b"{", 400, "JSON is invalid"),
]


@pytest.mark.parametrize(("body", "status", "words"), [pytest.param(*row[1:], id=row[0]) for row in EVENTS])
def test_pagerduty_rejects(body, status, words):
    vendor = FakePagerDuty([KEY])
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    found, answer = vendor.enqueue(raw)
    assert found == status
    assert answer["status"] == "invalid event"
    assert words in json.dumps(answer)
    assert not vendor.incidents


def mrkdwn(text="x"):
    return {"type": "mrkdwn", "text": text}


def section(**changes):
    return {"type": "section", "text": mrkdwn()} | changes


def post(*blocks, **changes):
    return {key: value for key, value in (GOOD_POST | {"blocks": list(blocks)} | changes).items() if value is not ...}


LONG = "invalid_blocks", "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
POSTS = [
    ("no text", {"channel": "C0DATA"}, "no_text", ""),
    ("no channel", {"text": "x"}, "channel_not_found", ""),
    ("unknown channel", GOOD_POST | {"channel": "#nowhere"}, "channel_not_found", ""),
    ("not in channel", GOOD_POST | {"channel": "C0OPS"}, "not_in_channel", ""),
    ("text of 40,001", GOOD_POST | {"text": "x" * 40_001}, "msg_too_long", ""),
    ("51 blocks", post(*[section()] * 51), "invalid_blocks", "no more than 50 items allowed [json-pointer:/blocks]"),
    ("section of 3,001", post(section(text=mrkdwn("x" * 3_001))), *LONG),
    ("section empty", post(section(text=mrkdwn(""))), "invalid_blocks", "must be more than 0 characters"),
    ("section without text", post({"type": "section"}), "invalid_blocks", "must define either `fields` or `text`"),
    ("11 fields", post(section(fields=[mrkdwn()] * 11)), "invalid_blocks", "no more than 10 items allowed [json-pointer:/blocks/0/fields]"),
    ("field of 2,001", post(section(fields=[mrkdwn("x" * 2_001)])), "invalid_blocks", "must be less than 2001 characters"),
    ("no fields", post(section(fields=[])), "invalid_blocks", "no less than 1 items allowed"),
    (
        "header of 151",
        post({"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}),
        "invalid_blocks",
        "must be less than 151",
    ),
    ("header in mrkdwn", post({"type": "header", "text": mrkdwn()}), "invalid_blocks", "must be one of the types plain_text"),
    ("11 context elements", post({"type": "context", "elements": [mrkdwn()] * 11}), "invalid_blocks", "no more than 10 items"),
    ("26 buttons", post({"type": "actions", "elements": [{}] * 26}), "invalid_blocks", "no more than 25 items allowed"),
    ("no buttons", post({"type": "actions", "elements": []}), "invalid_blocks", "missing required field: elements"),
    ("image without alt", post({"type": "image", "image_url": "https://x"}), "invalid_blocks", "missing required field: alt_text"),
    ("unknown block", post({"type": "table"}), "invalid_blocks", "unsupported type: table"),
    ("raw string as text", post(section(text="x")), "invalid_blocks", "must be one of the types plain_text, mrkdwn"),
    ("emoji on mrkdwn", post(section(text=mrkdwn() | {"emoji": True})), "invalid_blocks", "additional property: emoji"),
    ("block_id of 256", post(section(block_id="b" * 256)), "invalid_blocks", "must be less than 256 characters"),
    ("blocks as text", GOOD_POST | {"blocks": "[]"}, "invalid_blocks_format", ""),
    ("13,201 in all", post(*[section(text=mrkdwn("x" * 2_900))] * 5), "msg_blocks_too_long", ""),
    ("attachments no list", GOOD_POST | {"attachments": {}}, "invalid_attachments", ""),
    ("101 attachments", GOOD_POST | {"attachments": [{"text": "x"}] * 101}, "too_many_attachments", ""),
    ("attachment with nothing", GOOD_POST | {"attachments": [{"color": "#fff"}]}, "no_text", ""),
    (
        "attachment's block too long",
        GOOD_POST | {"attachments": [{"blocks": [section(text=mrkdwn("x" * 3_001))]}]},
        "invalid_blocks",
        "/attachments/0/blocks/0",
    ),
    ("metadata without type", GOOD_POST | {"metadata": {"event_payload": {}}}, "invalid_metadata_format", ""),
    ("unknown thread", GOOD_POST | {"thread_ts": "1.0"}, "thread_not_found", ""),
    ("an array", [GOOD_POST], "json_not_object", ""),
    ("no JSON", b"{", "invalid_json", ""),
]


def call(vendor, method, body, token="xoxb-fake"):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return vendor.call(method, f"Bearer {token}" if token else None, "application/json", raw)


@pytest.mark.parametrize(("body", "word", "detail"), [pytest.param(*row[1:], id=row[0]) for row in POSTS])
def test_slack_rejects(body, word, detail):
    vendor = FakeSlack()
    status, answer = call(vendor, "chat.postMessage", body)
    assert status == 200, "Slack says no with status 200 and ok: false"
    assert (answer["ok"], answer["error"]) == (False, word)
    assert detail in json.dumps(answer)
    assert not vendor.messages


@pytest.mark.parametrize(
    ("method", "token", "word"),
    [
        ("chat.postMessage", "", "not_authed"),
        ("chat.postMessage", "xoxb-other", "invalid_auth"),
        ("chat.delete", "xoxb-fake", "unknown_method"),
    ],
)
def test_slack_rejects_callers(method, token, word):
    assert call(FakeSlack(), method, GOOD_POST, token)[1]["error"] == word


def test_slack_rejects_by_state():
    vendor = FakeSlack()
    assert call(vendor, "chat.update", GOOD_POST | {"ts": "1.0"})[1]["error"] == "message_not_found"
    vendor.archived.add("C0DATA")
    assert call(vendor, "chat.postMessage", GOOD_POST)[1]["error"] == "is_archived"
    vendor.scopes.discard("channels:history")
    assert call(vendor, "conversations.history", {"channel": "C0DATA"})[1]["error"] == "missing_scope"
    assert vendor.webhook("/services/other", b"{}") == (404, "no_service")
    assert vendor.webhook(vendor.webhook_path, b"{") == (400, "invalid_payload")
    assert vendor.webhook(vendor.webhook_path, b"{}") == (400, "no_text")


def test_slack_keeps_messages_threads_edits_and_metadata():
    vendor = FakeSlack()
    note = {"event_type": "t", "event_payload": {"delivery_id": "d1"}}
    parent = call(vendor, "chat.postMessage", GOOD_POST | {"channel": "#data-quality", "metadata": note})[1]
    call(vendor, "chat.postMessage", GOOD_POST | {"thread_ts": parent["ts"]})
    call(vendor, "chat.update", {"channel": parent["channel"], "ts": parent["ts"], "text": "new"})
    history = call(vendor, "conversations.history", {"channel": "C0DATA", "include_all_metadata": True})[1]["messages"]
    assert [(m["text"], m["edits"], m["metadata"]) for m in history] == [("new", 1, note)]
    assert "metadata" not in call(vendor, "conversations.history", {"channel": "C0DATA"})[1]["messages"][0]
    assert len(call(vendor, "conversations.replies", {"channel": "C0DATA", "ts": parent["ts"]})[1]["messages"]) == 2


def test_pagerduty_models_incidents():
    vendor = FakePagerDuty()

    def send(action, key="d", routing_key=KEY):
        return vendor.enqueue(json.dumps(event(event_action=action, dedup_key=key, routing_key=routing_key)).encode())[0]

    assert send("resolve") == 202
    assert vendor.dropped, "a resolve of nothing is accepted and dropped"
    for action in ("trigger", "trigger", "acknowledge"):
        send(action)
    assert [i.state for i in vendor.incidents] == ["acknowledged"]
    send("resolve", routing_key="o" * 32)
    assert [i.state for i in vendor.incidents] == ["acknowledged"], "another routing key must not resolve it"
    send("resolve")
    send("trigger")
    assert [i.state for i in vendor.incidents] == ["resolved", "triggered"], "a trigger after the resolve opens a new incident"
    assert vendor.enqueue(json.dumps(event(dedup_key=...)).encode())[1]["dedup_key"]


def test_the_program_serves_and_tells_its_state(tmp_path):
    program = subprocess.Popen(
        [sys.executable, str(Path(fake_vendors.__file__)), "--ca-file", str(tmp_path / "ca.pem")], stdout=subprocess.PIPE, text=True
    )
    try:
        urls = json.loads(program.stdout.readline())
        script = {"vendor": "slack", "faults": [{"status": 503}]}
        for path, body in (("/_faults", script), ("/_reset", {}), ("/_faults", script)):
            request = urllib.request.Request(urls["slack_url"] + path, json.dumps(body).encode(), method="POST")
            assert urllib.request.urlopen(request).status == 200
        with pytest.raises(urllib.error.HTTPError, match="503") as raised:
            urllib.request.urlopen(urls["slack_url"] + "/api/auth.test", b"{}")
        raised.value.close()
        assert json.load(urllib.request.urlopen(urls["slack_url"] + "/_state"))["pagerduty"]["incidents"] == []
        assert Path(urls["ca_file"]).read_text().startswith("-----BEGIN")
    finally:
        program.kill()
        program.wait()
        program.stdout.close()


def test_idle_waits_for_the_requests_of_clients_that_are_gone():
    with fake_vendors.Vendors() as vendors:
        vendors.script("slack", fake_vendors.Fault(delay_s=0.1))
        body = b'{"text": "left behind"}'
        with socket.create_connection(("127.0.0.1", int(vendors.slack_url.rsplit(":", 1)[1]))) as client:
            client.sendall(b"POST %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" % (vendors.slack.webhook_path.encode(), len(body), body))
        urllib.request.urlopen(vendors.slack_url + "/_idle").close()
        assert [message["text"] for message in vendors.slack.messages] == ["left behind"]


def test_enough_bodies_are_tried():
    assert len(EVENTS) + len(POSTS) >= 40
