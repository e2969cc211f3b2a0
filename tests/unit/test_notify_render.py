"""Rendered messages: goldens, limits on random messages, no active mention or link in any value (R19, R37)."""

import json
import os
import re
import unicodedata
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fake_hooks import alertmanager_problem, datadog_problem, opsgenie_problem, size, sns_problem, teams_problem
from fake_pagerduty import FakePagerDuty
from fake_slack import FakeSlack
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live_texts import live_in
from sample_messages import AT, KINDS, RESULT, delivery, facts, message

from dqmon.core.message import Affected, DeliveryKind, Reading
from dqmon.core.verdict import Severity
from dqmon.notify.alertmanager import Alertmanager, AlertmanagerOptions
from dqmon.notify.apprise import Apprise, AppriseOptions
from dqmon.notify.base.slack_card import with_chart
from dqmon.notify.base.text import link, units
from dqmon.notify.datadog import Datadog, DatadogOptions
from dqmon.notify.email import Email, EmailOptions
from dqmon.notify.opsgenie import Opsgenie, OpsgenieOptions
from dqmon.notify.pagerduty import PagerDuty, PagerDutyOptions
from dqmon.notify.slack import Slack, SlackOptions
from dqmon.notify.sns import Sns, SnsOptions
from dqmon.notify.teams import Teams, TeamsOptions
from dqmon.notify.webhook import Webhook, WebhookOptions

GOLDEN = Path(__file__).parent.parent / "golden"
BOT = Slack("team", SlackOptions.model_validate({"token": "xoxb-fake", "channel": "C0DATA"}))
BUTTONS = Slack(
    "pressed", SlackOptions.model_validate({"token": "xoxb-fake", "channel": "C0DATA", "app_token": "xapp-fake", "chart": True})
)
WEBHOOK = Slack("hook", SlackOptions.model_validate({"webhook_url": "https://hooks.example.com/services/x"}))
PAGER = PagerDuty("oncall", PagerDutyOptions.model_validate({"routing_key": "k" * 32}))
# The channels that only post: what limits them, and what would be live in them, stands in fake_hooks.py and live_texts.py.
POSTING = (
    Webhook("events", WebhookOptions.model_validate({"url": "https://ops.example.com/hook", "secret": "a-secret-to-sign-with"})),
    Email("mail", EmailOptions.model_validate({"host": "mail.example.com", "sender": "dqmon@example.com", "to": ["team@example.com"]})),
    Teams("teams", TeamsOptions.model_validate({"webhook_url": "https://flow.example.com/x"})),
    Opsgenie("genie", OpsgenieOptions.model_validate({"api_key": "k", "team": "data"})),
    Alertmanager("am", AlertmanagerOptions.model_validate({"url": "https://am.example.com"})),
    Datadog("dd", DatadogOptions.model_validate({"api_key": "k"})),
    Apprise("tail", AppriseOptions.model_validate({"url": "ntfys://ntfy.example.com/data"})),
    Sns("sns", SnsOptions.model_validate({"topic_arn": "arn:aws:sns:eu-west-1:123456789012:data-quality"})),
)


def rendered(told, posting=POSTING):
    """Every request that tells the message: (channel, part, payload)."""
    return [
        (channel, part, channel.render(told, part)) for channel in (BOT, BUTTONS, WEBHOOK, PAGER, *posting) for part in channel.parts(told)
    ]


def compare(name, content):
    path = GOLDEN / name
    if os.environ.get("DQMON_WRITE_GOLDEN"):
        path.write_text(content, encoding="utf-8")
    assert content == path.read_text(encoding="utf-8"), (
        f"{path.name} differs; if meant so, run again with DQMON_WRITE_GOLDEN=1 and read the diff"
    )


AFFECTED = (
    Affected("marts.revenue", "table", is_failing=True, last_good_at=AT - timedelta(hours=5)),
    Affected("marts.late", "table", is_failing=True),
    Affected("Revenue", "dashboard", owner="@bi", url="https://bi.example.com/7?a=1&b=2"),
    Affected("marts.orders", "table", last_good_at=AT),
    Affected("airbyte/back", "pipeline"),
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channel", [BOT, PAGER, *POSTING], ids=lambda channel: channel.type)
def test_golden(channel, kind):
    others = (facts(check_id="analytics.orders.freshness", headline="3h late", severity=Severity.WARNING), facts(check_id="b.c"))
    told = message(kind, changes=("analytics.orders.freshness fired",) if kind is DeliveryKind.UPDATE else (), more=4)
    told = replace(told, alerts=(*told.alerts, *others), affected=AFFECTED, affected_more=30)
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


def test_what_is_affected_is_there_with_who_reads_it_and_no_link_that_is_not_configured():
    told = replace(message(root=facts(caused_by="airbyte/orders.last_success")), affected=AFFECTED, affected_more=30)
    for channel, _, payload in rendered(told):
        text = channel.text(payload)
        for words in (
            "fails: marts.revenue, last good 2026-11-20 01:14 UTC",
            "fails: marts.late, never seen good",
            "dashboard Revenue, @bi, https://bi.example.com/7?a=1&b=2",
            "pipeline airbyte/back",
            "and 30 more",
            "airbyte/orders.last_success",
        ):
            assert words in text.replace("\u200b", ""), f"{channel.type}: {words!r} is missing in\n{text}"
        assert "<https://bi.example.com" not in json.dumps(payload), "a manifest's URL is shown, and linked by nobody"


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
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
RATIO = st.none() | st.floats(0, 1)
SERIES = st.lists(st.builds(Reading, st.just(AT), FLOATS, st.none() | FLOATS, st.none() | FLOATS, st.booleans()), max_size=30).map(tuple)
TEXTS = st.lists(ODD, max_size=25).map(tuple)
FILLERS = ["<!channel> ", "`", "&", "😀", "\0", "א", "x", "http://evil.example.com ", "\u202e"]
NAMES = ("check_id", "subject", "type", "headline", "observed", "expected", "reason", "declared_at", "run_id", "first_step")
OPTIONAL = ("owner", "description", "sql", "last_good", "runbook")


@st.composite
def affected(draw):
    return Affected(draw(ODD), draw(st.sampled_from(["table", "dashboard"]) | ODD), draw(st.booleans()), owner=draw(ODD), url=draw(ODD))


@st.composite
def messages(draw):
    odd = {name: draw(ODD) for name in NAMES} | {name: draw(st.none() | ODD) for name in OPTIONAL}
    if draw(st.booleans()):  # one value of a megabyte
        filler = draw(st.sampled_from(FILLERS))
        odd[draw(st.sampled_from(NAMES + OPTIONAL))] = filler * (1_000_000 // len(filler))
    odd["caused_by"] = draw(st.none() | ODD)
    odd["series"] = draw(SERIES)
    root = facts(**odd, severity=draw(st.sampled_from(Severity)), members=draw(TEXTS), members_left=draw(TEXTS))
    unit, segment = draw(st.sampled_from(["rows", "seconds", "ratio"])), {draw(ODD): draw(ODD)}
    root = replace(root, result=root.result | {"segment": segment, "observed": {"value": draw(ODD), "unit": unit, "ratio": draw(RATIO)}})
    return message(
        draw(st.sampled_from(KINDS)),
        root=root,
        alerts=(root, *[root] * draw(st.integers(0, 30))),
        left=(root,) * draw(st.integers(0, 10)),
        acknowledged_by=draw(st.none() | ODD),
        links={name: draw(ODD) for name in ("incident", "Silence 2h", "runbook") if draw(st.booleans())},
        title=draw(ODD),
        instance=draw(ODD),
        incident_id=draw(ODD),
        changes=draw(TEXTS),
        more=draw(st.integers(0, 10**6)),
        affected=tuple(draw(st.lists(affected(), max_size=12))),
        affected_more=draw(st.integers(0, 10**6)),
    )


def texts_in(node):
    if isinstance(node, dict):
        for key, value in node.items():
            yield from ([value] if key in ("text", "fallback") and isinstance(value, str) else texts_in(value))
    elif isinstance(node, list):
        for value in node:
            yield from texts_in(value)


def refused(channel, payload):
    """Why the vendor would not take it, or it has no runbook; None when all is well."""
    if "unbook" not in channel.text(payload):
        return "no runbook"
    raw = json.dumps(payload, ensure_ascii=False, allow_nan=False).encode()
    match channel.type:
        case "email":
            mail = channel._mail(payload, delivery())
            is_whole = mail["Subject"] == payload["subject"] and not mail.defects and len(mail.keys()) == 8
            return None if is_whole and size(payload["subject"]) <= 180 and len(payload["html"].encode()) <= 100_000 else "mail"
        case "teams":
            return teams_problem(raw, payload)
        case "opsgenie":
            return opsgenie_problem("/v2/alerts" + payload["path"], payload["body"])
        case "alertmanager":
            return alertmanager_problem(payload) or (None if payload[0]["annotations"]["runbook_url"] else "no runbook")
        case "datadog":
            return datadog_problem(payload)
        case "apprise":
            is_first = payload["body"].startswith("Runbook: ")
            return None if is_first and size(payload["title"]) <= 100 and size(payload["body"]) <= 1_987 else "size or runbook"
        case "sns":
            return sns_problem({"Action": "Publish", **payload})
        case _:
            is_whole = "runbook" in payload["incident"] and all(alert["result"].keys() == RESULT.keys() for alert in payload["alerts"])
            return None if len(raw) <= 512_000 and is_whole else "size, runbook or result"


def fits(told, posting=POSTING):
    slack, pager = FakeSlack(), FakePagerDuty()
    slack.picture = "F000000000"
    slack.files[slack.picture] = {"is_complete": True}
    parent = slack.call("chat.postMessage", "Bearer xoxb-fake", "application/json", b'{"channel": "C0DATA", "text": "x"}')[1]["ts"]
    for channel, part, payload in rendered(told, posting):
        assert channel.text(payload), "people must be able to read it"
        if channel in POSTING:
            assert refused(channel, payload) is None, channel.type
            continue
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
        shown = with_chart(payload, slack.picture) if part == "chart" else payload
        body = shown | {"channel": "C0DATA"} | ({"thread_ts": parent} if part == "reply" else {})
        method = "chat.update" if part in ("edit", "chart") else "chat.postMessage"
        answer = slack.call(method, "Bearer xoxb-fake", "application/json", json.dumps(body | {"ts": parent}).encode())[1]
        assert answer["ok"], answer


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(messages(), st.sampled_from(POSTING))
def test_random_messages_fit(told, posting):
    """Slack and PagerDuty tell each, one of the others too; the long version has all of them tell each."""
    fits(told, (posting,))


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
        odd = facts(**dict.fromkeys(FIELDS, value), members=(value,), members_left=(value,), caused_by=value)
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
                left=(odd,),
                affected=(Affected(value, value, owner=value, url=value),),
                links={value: value},
            )
            for channel, part, payload in rendered(told, posting=()):  # below: the others' links are looked at apart from the values
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


def test_no_value_is_live_in_a_channel_that_only_posts():
    """The configuration's URLs are the only live ones; a runbook that is no URL is shown, and nothing else."""
    runbook = facts().runbook
    values = dict.fromkeys([name for name in FIELDS if name != "runbook"])
    for value in VALUES:
        odd = facts(**dict.fromkeys(values, value), caused_by=value, members=(value,), members_left=(value,))
        item = Affected(value, value, owner=value, url=value)
        changes = dict.fromkeys(("title", "instance", "incident_id", "acknowledged_by"), value) | {
            "changes": (value,),
            "affected": (item,),
        }
        told = message(DeliveryKind.ACKNOWLEDGE, root=odd, alerts=(odd, odd), left=(odd,), links={value: value}, **changes)
        for kind in (DeliveryKind.TRIGGER, DeliveryKind.ACKNOWLEDGE):
            for channel in POSTING:
                payload = channel.render(replace(told, kind=kind), channel.parts(told)[0])
                # A link of the configuration goes where it says, under a label that is no longer than that.
                hits = live_in(channel.type, payload, [url for url in (runbook, link(value)) if url])
                assert not hits, (channel.type, kind, value, hits)


@pytest.mark.parametrize("channel", POSTING, ids=lambda channel: channel.type)
def test_a_url_in_a_value_is_shown_and_no_link(channel):
    evil = "https://evil.example.com/x"
    told = message(root=facts(reason=evil, owner=evil, headline=evil, observed=evil), title=evil, changes=(evil,))
    assert not live_in(channel.type, channel.render(told, channel.parts(told)[0]), [facts().runbook])


def _own_link(hit, value):
    """A runbook or link of the configuration may be any URL: then the link goes there, blanks percent-encoded."""
    return value.startswith("http") and hit.split("|")[0] == re.sub(r"\s", "%20", value)


def test_how_an_alert_ended_is_said_as_that():
    told = message(DeliveryKind.RESOLVE, root=facts(members=(), members_left=("removed: no such check any more",)))
    for channel in (BOT, POSTING[1]):
        text = channel.text(channel.render(told, channel.parts(told)[0]))
        assert re.search(r"Ended:?\s+(• )?removed: no such check any more", text), text
        assert "Where" not in text


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
    assert all(type(channel).Options.model_validate({"dry_run": True}).dry_run for channel in POSTING)
    with pytest.raises(ValueError, match="routing_key is not set"):
        PagerDutyOptions.model_validate({})


def test_an_alert_that_left_is_named_and_ended():
    left = facts(check_id="analytics.orders.freshness", state="resolved", resolved_at=AT, observed="5m old", kind="data")
    told = message(DeliveryKind.UPDATE, left=(left,))
    for channel, part, payload in rendered(told, [one for one in POSTING if one.type not in ("alertmanager", "opsgenie")]):
        assert channel is PAGER or "analytics.orders.freshness" in channel.text(payload), (channel.type, part)
    by_name = {channel.type: channel.render(told, channel.parts(told)[0]) for channel in POSTING}
    pushed = [item for item in by_name["alertmanager"] if item["labels"]["check_id"] == left.check_id and item["annotations"]]
    assert [item["endsAt"] for item in pushed] == ["2026-11-20T06:14:00Z"]
    assert {item["labels"]["warehouse"] for item in by_name["alertmanager"]} == {"shop"}
    assert [(alert["check_id"], alert["state"]) for alert in by_name["webhook"]["alerts"]][1:] == [(left.check_id, "resolved")]


def test_an_event_stays_within_its_limit_whatever_the_values():
    """Texts of three bytes a character, in every place that there is."""
    long = "好" * 5_000
    odd = facts(**dict.fromkeys((*NAMES, *OPTIONAL), long), members=(long,) * 30, members_left=(long,) * 30)
    result = {name: {long + str(n): [long] * 50 for n in range(60)} if name == "segment" else long for name in RESULT} | {"sql": [long] * 9}
    odd = replace(odd, result=result)
    item = Affected(long, long, owner=long, url=long)
    told = message(root=odd, alerts=(odd,) * 20, left=(odd,) * 10, affected=(item,) * 20, changes=(long,) * 20, links={long: long})
    payload = POSTING[0].render(replace(told, title=long, instance=long, acknowledged_by=long), "event")
    assert len(json.dumps(payload, ensure_ascii=False).encode()) <= 500_000
    assert payload["incident"]["runbook"].startswith("好")
    assert payload["incident"]["more_alerts"] >= 10
