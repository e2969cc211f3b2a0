"""Rendered messages: goldens, limits on random messages, no active mention or link in any value (R19, R37)."""

import json
import os
import re
import unicodedata
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fake_pagerduty import FakePagerDuty
from fake_slack import FakeSlack
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sample_messages import AT, facts, message

from dqmon.core.message import DeliveryKind
from dqmon.core.verdict import Severity
from dqmon.notify.base.text import units
from dqmon.notify.pagerduty import PagerDuty, PagerDutyOptions
from dqmon.notify.slack import Slack, SlackOptions

GOLDEN = Path(__file__).parent.parent / "golden"
BOT = Slack("team", SlackOptions.model_validate({"token": "xoxb-fake", "channel": "C0DATA"}))
WEBHOOK = Slack("hook", SlackOptions.model_validate({"webhook_url": "https://hooks.example.com/services/x"}))
PAGER = PagerDuty("oncall", PagerDutyOptions.model_validate({"routing_key": "k" * 32}))
KINDS = list(DeliveryKind)


def rendered(told):
    """Every request that tells the message: (channel, part, payload)."""
    return [(channel, part, channel.render(told, part)) for channel in (BOT, WEBHOOK, PAGER) for part in channel.parts(told)]


def compare(name, content):
    path = GOLDEN / name
    if os.environ.get("DQMON_WRITE_GOLDEN"):
        path.write_text(content, encoding="utf-8")
    assert content == path.read_text(encoding="utf-8"), (
        f"{path.name} differs; if meant so, run again with DQMON_WRITE_GOLDEN=1 and read the diff"
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channel", [BOT, PAGER], ids=["slack", "pagerduty"])
def test_golden(channel, kind):
    others = (facts(check_id="analytics.orders.freshness", headline="3h late", severity=Severity.WARNING), facts(check_id="b.c"))
    told = message(kind, changes=("analytics.orders.freshness fired",) if kind is DeliveryKind.UPDATE else (), more=4)
    told = replace(told, alerts=(*told.alerts, *others))
    for part in channel.parts(told):
        payload = channel.render(told, part)
        compare(f"{channel.type}_{kind}_{part}.json", json.dumps(payload, indent=1, ensure_ascii=False) + "\n")
        compare(f"{channel.type}_{kind}_{part}.txt", channel.text(payload) + "\n")


@pytest.mark.parametrize(
    ("kind", "bot", "webhook"),
    [
        (DeliveryKind.TRIGGER, ("post",), ("post",)),
        (DeliveryKind.UPDATE, ("edit", "reply"), ("post",)),
        (DeliveryKind.REPEAT, ("reply",), ("post",)),
        (DeliveryKind.ACKNOWLEDGE, ("edit", "reply"), ("post",)),
        (DeliveryKind.RESOLVE, ("edit", "reply"), ("post",)),
    ],
)
def test_parts(kind, bot, webhook):
    told = message(kind)
    assert (BOT.parts(told), WEBHOOK.parts(told), PAGER.parts(told)) == (bot, webhook, ("event",))


def test_what_the_on_call_needs_is_there():
    told = message()
    for channel, _, payload in rendered(told):
        text = channel.text(payload)
        for words in (
            "1,204 rows",
            "9,800 to 12,400",
            "10,911 rows",
            "@orders-team",
            "https://wiki.example.com/rb/orders",
            "checks/orders.yml:12",
            "FROM analytics.orders",
            "2026-11-20",
        ):
            assert words in text, f"{channel.type}: {words!r} is missing in\n{text}"


def test_a_resolve_is_green_says_how_long_and_is_seen_in_the_channel():
    edit, reply = (BOT.render(message(DeliveryKind.RESOLVE), part) for part in ("edit", "reply"))
    assert edit["attachments"][0]["color"] == reply["attachments"][0]["color"] == "#2eb67d"
    assert edit["blocks"][0]["text"]["text"].startswith("[RESOLVED after 2h 11m]")
    assert reply["reply_broadcast"] is True
    assert "reply_broadcast" not in BOT.render(message(DeliveryKind.UPDATE), "reply")


def test_without_owner_and_runbook_the_message_says_so():
    told = message(root=facts(owner=None, runbook=None, last_good=None, sql=None))
    for channel, _, payload in rendered(told):
        text = channel.text(payload).lower()
        assert "runbook: none declared" in text
        assert "nobody" in text
        assert "never seen" in text


ODD = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="<>&`*_~@|\\\"' \n\t\0\u202e\u2066\u200d\ud83d😀👩‍🚀שא", max_size=60),
    st.sampled_from(["", "analytics.orders", "a" * 3_000, "&" * 3_000, "😀" * 3_000]),
)
TEXTS = st.lists(ODD, max_size=25).map(tuple)
FILLERS = ["<!channel> ", "`", "&", "😀", "\0", "א", "x", "http://evil.example.com ", "\u202e"]
NAMES = ("check_id", "subject", "type", "headline", "observed", "expected", "reason", "declared_at", "run_id", "first_step")
OPTIONAL = ("owner", "description", "sql", "last_good", "runbook")


@st.composite
def messages(draw):
    odd = {name: draw(ODD) for name in NAMES} | {name: draw(st.none() | ODD) for name in OPTIONAL}
    if draw(st.booleans()):  # one value of a megabyte
        filler = draw(st.sampled_from(FILLERS))
        odd[draw(st.sampled_from(NAMES + OPTIONAL))] = filler * (1_000_000 // len(filler))
    root = facts(**odd, severity=draw(st.sampled_from(Severity)), members=draw(TEXTS), members_left=draw(TEXTS))
    return message(
        draw(st.sampled_from(KINDS)),
        root=root,
        alerts=(root, *[root] * draw(st.integers(0, 30))),
        acknowledged_by=draw(st.none() | ODD),
        links={name: draw(ODD) for name in ("incident", "Silence 2h", "runbook") if draw(st.booleans())},
        title=draw(ODD),
        instance=draw(ODD),
        incident_id=draw(ODD),
        changes=draw(TEXTS),
        more=draw(st.integers(0, 10**6)),
    )


def texts_in(node):
    if isinstance(node, dict):
        for key, value in node.items():
            yield from ([value] if key in ("text", "fallback") and isinstance(value, str) else texts_in(value))
    elif isinstance(node, list):
        for value in node:
            yield from texts_in(value)


def fits(told):
    slack, pager = FakeSlack(), FakePagerDuty()
    parent = slack.call("chat.postMessage", "Bearer xoxb-fake", "application/json", b'{"channel": "C0DATA", "text": "x"}')[1]["ts"]
    for channel, part, payload in rendered(told):
        assert channel.text(payload), "people must be able to read it"
        if channel is PAGER:
            raw = json.dumps(payload | {"routing_key": "k" * 32}).encode()
            status, answer = pager.enqueue(raw)
            assert status == 202, answer
            assert len(raw) < 512_000
            assert payload["payload"]["custom_details"]["runbook"]
            assert payload["payload"]["summary"]
            continue
        assert sum(map(units, texts_in(payload))) <= 10_000
        assert "unbook" in channel.text(payload)
        body = payload | {"channel": "C0DATA"} | ({"thread_ts": parent} if part == "reply" else {})
        method = "chat.update" if part == "edit" else "chat.postMessage"
        answer = slack.call(method, "Bearer xoxb-fake", "application/json", json.dumps(body | {"ts": parent}).encode())[1]
        assert answer["ok"], answer


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(messages())
def test_random_messages_fit(told):
    fits(told)


@pytest.mark.long
@settings(max_examples=5_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(messages())
def test_many_random_messages_fit(told):
    fits(told)


def test_a_long_message_loses_the_query_first_and_then_the_lists():
    query, long = "s" * 1_400, "&" * 2_000
    names = ("reason", "description", "observed", "expected", "last_good", "owner", "subject", "first_step")
    root = facts(sql=query, members=(long,) * 20, **dict.fromkeys(names, long))
    full = BOT.text(BOT.render(message(root=facts(sql=query)), "post"))
    crowded = BOT.text(BOT.render(message(root=root, alerts=(root, *[facts(headline=long)] * 20)), "post"))
    assert query in full
    assert "s" * 100 not in crowded
    assert "Also" in crowded


ATTACKS = [
    "<!channel>", "<!here>", "<!everyone>", "<!here|here>", "<!subteam^S123>", "<@U1>", "<@U1|boss>", "<#C1>", "<#C1|general>",
    "<http://evil|runbook>", "<https://evil.example.com|https://wiki.example.com>", "<mailto:a@b.c|write>", "<tel:123|call>", "<slack://x|y>",
    "<!date^1^{date}^https://evil|now>", "@here", "@channel", "@everyone", "@HERE", "http://evil.example.com/x", "https://evil.example.com",
    "evil.example.com", "*bold* _it_ ~no~", "`code`", "``` block ```", "```", "`", "> quote", "&lt;!channel&gt;", "&amp;lt;!here&gt;",
    "\u202e<!channel>", "<\u200b!channel>", "\0<!here>", "|>", "<|", "<<!channel>>", ">\n<!channel>", "\\<!channel\\>",
]  # fmt: skip
WRAPPERS = ["{}", "x{}", "{}\n{}", "`{}`", "```{}```", "a & {} < b"]
VALUES = [wrapper.replace("{}", attack) for attack in ATTACKS for wrapper in WRAPPERS]
FIELDS = (
    "check_id",
    "subject",
    "headline",
    "observed",
    "expected",
    "reason",
    "owner",
    "description",
    "declared_at",
    "sql",
    "last_good",
    "run_id",
    "first_step",
    "runbook",
)
ALLOWED = re.compile(r"!date\^\d+\^\{date_short_pretty\} \{time\}\|[-0-9: UTC]+|https://wiki\.example\.com/[^|<>]*\|[^|<>]*")


def mrkdwn_nodes(node):
    if isinstance(node, dict):
        if node.get("type") == "mrkdwn":
            yield node
        for value in node.values():
            yield from mrkdwn_nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from mrkdwn_nodes(value)


def parsed(payload):
    """The texts in which Slack looks for mentions and links; a header is plain_text."""
    return [payload["text"], payload["attachments"][0]["fallback"], *(node["text"] for node in mrkdwn_nodes(payload))]


def active(text):
    """What Slack would act on: angle brackets, mention words; and code blocks that do not close."""
    found = [inner for inner in re.findall(r"<([^<>]*)>?", text) if not ALLOWED.fullmatch(inner)]
    found += re.findall(r"(?i)@(?:here|channel|everyone)\b", text)
    return found + (["open ```"] if text.count("```") % 2 else [])


def test_no_value_becomes_a_mention_or_a_link():
    assert len(VALUES) >= 150
    for value in VALUES:
        odd = facts(**dict.fromkeys(FIELDS, value), members=(value,), members_left=(value,))
        for kind in (DeliveryKind.ACKNOWLEDGE, DeliveryKind.RESOLVE):  # their cards and replies say the most
            told = message(
                kind,
                root=odd,
                title=value,
                instance=value,
                incident_id=value,
                changes=(value,),
                acknowledged_by=value,
                alerts=(odd, odd),
                links={value: value},
            )
            for channel, part, payload in rendered(told):
                strings = list(texts_in(payload)) if channel is not PAGER else [json.dumps(payload, ensure_ascii=False)]
                bad = [
                    c
                    for s in strings
                    for c in s
                    if unicodedata.bidirectional(c) in ("RLO", "LRO", "RLE", "LRE", "RLI", "LRI", "FSI") or c == "\0"
                ]
                assert not bad, (value, kind, part, bad)
                if channel is PAGER:
                    assert all(link["href"].startswith("http") for link in payload["links"])
                    continue
                assert not [
                    hit for text in parsed(payload) for hit in active(text) if ALLOWED.fullmatch(hit) is None and not _own_link(hit, value)
                ], (value, kind, part)
                assert all(node["verbatim"] is True for node in mrkdwn_nodes(payload)), "without it Slack links bare URLs"
                assert payload["unfurl_links"] is False


def _own_link(hit, value):
    """A runbook or link of the configuration may be any URL: then the link goes there, blanks percent-encoded."""
    return value.startswith("http") and hit.split("|")[0] == re.sub(r"\s", "%20", value)


def test_a_repeat_says_how_long():
    told = message(DeliveryKind.REPEAT, at=AT + timedelta(hours=4))
    assert "STILL CRITICAL after 4h" in BOT.text(BOT.render(told, "reply"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "neither token nor webhook_url"),
        ({"token": "t"}, "without channel"),
        ({"token": "t", "channel": "#x", "webhook_url": "https://x"}, "keep one"),
    ],
)
def test_slack_options_that_cannot_work(options, words):
    with pytest.raises(ValueError, match=words):
        SlackOptions.model_validate(options)


def test_a_dry_run_needs_no_secrets():
    assert SlackOptions.model_validate({"dry_run": True}).dry_run
    assert PagerDutyOptions.model_validate({"dry_run": True}).dry_run
    with pytest.raises(ValueError, match="routing_key is not set"):
        PagerDutyOptions.model_validate({})
