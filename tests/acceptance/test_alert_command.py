"""`dqmon alert preview` and `dqmon why-not` as a user runs them: a project, real tables, the fake vendors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_vendors import Fault, Vendors
from place import Place

KEY = "k" * 32
CONFIG = """\
version: 1
instance: prod
store: {{url: "sqlite:///.dqmon/store.db"}}
warehouses:
  main: {{type: sqlite, path: data/shop.db}}
channels:
  oncall: {{type: pagerduty, routing_key: {key}, base_url: "{pagerduty}", verify: "{ca}", allow_private_addresses: true}}
  team: {{type: slack, token: xoxb-fake, channel: "#data-quality", base_url: "{slack}", allow_private_addresses: true}}
  log: {{type: webhook, url: "https://log.example.com/hook", dry_run: true}}
  night: {{type: slack, token: xoxb-fake, channel: "#night", base_url: "{slack}", allow_private_addresses: true}}
  spare: {{type: slack, token: "${{env:NO_SUCH_TOKEN}}", channel: "#spare"}}
routes:
  - {{name: pages, match: "severity:critical", to: [oncall, team], group_wait: 0s}}
  - {{name: late, match: "tag:batch", to: [night], group_wait: 0s}}
  - {{name: rest, default: true, to: [log], group_wait: 0s}}
"""
CHECKS = """\
version: 1
defaults: {owner: "@orders", runbook: "https://wiki.example.com/rb#{check}"}
datasets:
  - dataset: orders
    checks:
      - completeness: {column: customer, fail_if: "> 20%", severity: critical}
      - row_count: {min: 1}
      - uniqueness: {columns: [id], fail_if: "> 5"}
      - schema_drift
"""
BAD, GOOD = "main.orders.completeness.customer", "main.orders.row_count"


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with Vendors(routing_keys=[KEY]) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, vendors: Vendors) -> Place:
    made = Place(tmp_path)
    urls = {"pagerduty": vendors.pagerduty_url, "slack": vendors.slack_url, "ca": vendors.ca_file}
    made.write("config/dqmon.yaml", CONFIG.format(key=KEY, **urls))
    made.write("checks/orders.yaml", CHECKS)
    made.sqlite("create table orders (id integer, customer text)", "insert into orders values (1, 'a'), (2, null), (3, null), (4, 'b')")
    return made


def incident(place: Place) -> str:
    return place.dqmon("incidents", "list").expect(0).out.splitlines()[1].split()[0]


def test_before_the_first_run_an_example_is_shown_on_the_channels_that_the_routes_choose(place: Place, vendors: Vendors) -> None:
    shown = place.dqmon("alert", "preview", BAD).expect(0)
    lines = shown.out.splitlines()
    assert lines[0] == f"{BAD}  trigger  an example: the check has not run yet"
    assert [line for line in lines if line and not line.startswith(" ")][1:] == [
        "oncall  pagerduty event, route pages",
        "team  slack post, route pages",
    ]
    assert "  [CRITICAL] [EXAMPLE] main.orders completeness customer: 60 % missing, at most 20 % expected" in lines
    assert "  Why: the check has not run yet; this was not measured" in lines
    assert f"  Runbook: https://wiki.example.com/rb#{BAD}" in lines
    assert vendors.requests == [], "a preview sends nothing"


def test_of_a_failing_check_it_is_what_the_vendors_get_without_a_mark(place: Place, vendors: Vendors) -> None:
    place.dqmon("check").expect(1)
    sent = {one["path"]: json.loads(one["body"]) for one in vendors.requests}
    found = json.loads(place.dqmon("alert", "preview", BAD, "--format", "json").expect(0).out)
    assert (found["schema_version"], found["check_id"], found["kind"], found["is_example"]) == (1, BAD, "trigger", False)
    messages = {one["channel"]: one for one in found["messages"]}
    assert messages.keys() == {"oncall", "team"}
    page, card = messages["oncall"]["payload"], messages["team"]["payload"]
    assert page["payload"]["summary"] == sent["/v2/enqueue"]["payload"]["summary"]
    assert page.keys() == sent["/v2/enqueue"].keys() - {"routing_key"}
    assert (
        card["text"]
        == sent["/api/chat.postMessage"]["text"]
        == f"[CRITICAL] main.orders completeness customer: {card['text'].partition(': ')[2]}"
    )
    assert KEY not in json.dumps(found)
    place.dqmon("alert", "preview", BAD).expect(0, "  trigger  of its newest result, of ", "Observed: 50 % missing (2 of 4 rows)")
    place.dqmon("alert", "preview", GOOD).expect(0, "an example: the check did not fail at ", "last good: 4 rows")


def test_what_the_files_say_by_now_is_shown_without_another_run(place: Place) -> None:
    place.dqmon("check").expect(1)
    place.write(
        "checks/orders.yaml", CHECKS.replace("@orders", "@shop").replace("/rb#", "/new#").replace("severity: critical", "tags: [batch]")
    )
    place.dqmon("alert", "preview", BAD).expect(
        0, "night  slack post, route late", "[WARNING] ", "@shop", f"https://wiki.example.com/new#{BAD}"
    )


def test_a_channel_that_no_route_chooses_can_be_named(place: Place) -> None:
    shown = place.dqmon("alert", "preview", GOOD, "--to", "night").expect(0, "night  slack post, no route leads there with this alert")
    assert "log  " not in shown.out


def test_without_routes_nobody_is_told_unless_a_channel_is_named(place: Place) -> None:
    text = (place.root / "config/dqmon.yaml").read_text().partition("routes:")[0].replace("${env:NO_SUCH_TOKEN}", "xoxb-spare")
    place.write("config/dqmon.yaml", text)
    place.dqmon("alert", "preview", GOOD).expect(
        2, "there are no routes: results are recorded and nobody is told; add routes:, or name a channel"
    )
    place.dqmon("alert", "preview", GOOD, "--to", "team").expect(0, "team  slack post, no route leads there")
    place.write("config/dqmon.yaml", text.partition("channels:")[0])
    place.dqmon("alert", "preview", GOOD, "--to", "team").expect(2, "--to 'team' is unknown: config/dqmon.yaml has no channels:")


def test_a_test_is_marked_and_leaves_no_incident_open(place: Place, vendors: Vendors) -> None:
    place.dqmon("check").expect(1)
    (real,) = vendors.pagerduty.state()["incidents"]
    sent = place.dqmon("alert", "preview", BAD, "--send-test").expect(0)
    assert sent.out.splitlines() == ["oncall  trigger sent: accepted; resolve sent: accepted", "team  trigger sent: ok"]
    first, last = (json.loads(one["body"]) for one in vendors.requests[-3:-1])
    assert [first["event_action"], last["event_action"]] == ["trigger", "resolve"]
    assert first["dedup_key"] == last["dedup_key"] != json.loads(vendors.requests[0]["body"])["dedup_key"]
    assert first["payload"]["summary"].startswith("[TEST] main.orders completeness customer: 50 % missing")
    assert json.loads(vendors.requests[-1]["body"])["text"].startswith("[CRITICAL] [TEST] main.orders")
    left = vendors.pagerduty.state()["incidents"]
    assert left[0] == real, "the real incident stays as it was"
    assert left[1]["state"] == "resolved"
    assert place.dqmon("incidents", "list").out.count("open") == 1, "a test is no incident of dqmon"


def test_a_test_says_what_each_vendor_answered_and_goes_on(place: Place, vendors: Vendors) -> None:
    vendors.script(
        "pagerduty", Fault(status=400, body='{"status": "invalid event", "errors": ["no such key"]}'), Fault(status=202, body="{}")
    )
    sent = place.dqmon("alert", "preview", BAD, "--send-test").expect(4)
    oncall, team = sent.out.splitlines()
    assert re.match(r"oncall  trigger not delivered: HTTP 400.*; resolve sent: ", oncall), oncall
    assert team == "team  trigger sent: ok"
    place.dqmon("alert", "preview", GOOD, "--send-test").expect(0, "log  not sent: dry_run: the channel is set to send nothing")


def test_each_channel_says_why_it_was_told_or_not(place: Place, vendors: Vendors) -> None:
    vendors.script("pagerduty", Fault(status=400, body='{"errors": ["no such key"]}'))
    place.dqmon("check").expect(4)
    found = place.dqmon("why-not", incident(place)).expect(0)
    lines = [re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC", "<when>", line) for line in found.out.splitlines()]
    assert lines[0].endswith(f"  open, critical, opened <when>  {BAD}")
    told = {line.split()[0]: " ".join(line.split()[1:]) for line in lines[1:]}
    assert list(told) == ["CHANNEL", "oncall", "team", "log", "night", "spare"]
    assert told["oncall"].startswith("no trigger given up after 1 try: HTTP 400")
    assert re.fullmatch(r"yes trigger sent <when> \(route pages\); it answered ok \(channel \w+, ts [\d.]+\)", told["team"])
    assert told["log"] == "no no route chose it: rest comes after pages, which matched without continue"
    assert told["night"] == "no no route chose it: late (tag:batch) does not match"
    assert told["spare"] == "no no route names it"
    one = place.dqmon("why-not", incident(place)[:8], "--channel", "night").expect(0).out.splitlines()
    assert [line.split()[0] for line in one[1:]] == ["CHANNEL", "night"]
    place.dqmon("why-not", incident(place), "--channel", "temo").expect(2, "--channel 'temo' is unknown", "did you mean 'team'?")
    place.dqmon("why-not", "nobody").expect(2, "there is no incident 'nobody'; `dqmon incidents list --state all` names them")


def test_a_retry_a_channel_that_has_gone_and_the_end_are_said(place: Place, vendors: Vendors) -> None:
    vendors.script("slack", Fault(status=503))
    place.dqmon("check").expect(4)
    name = incident(place)
    place.dqmon("why-not", name, "--channel", "team").expect(0, "no", "trigger failed 1 try, again ", ": HTTP 503")
    place.dqmon("why-not", name, "--channel", "oncall").expect(0, "yes", "trigger sent ", "(route pages)")
    text = (place.root / "config/dqmon.yaml").read_text().replace("to: [oncall, team]", "to: [night]")
    place.write("config/dqmon.yaml", re.sub(r"\n  oncall:.*", "", text))
    place.dqmon("why-not", name).expect(0, "oncall   yes   not configured any more; trigger sent ")
    place.dqmon("why-not", name, "--channel", "night").expect(0, "route pages would choose it now; when the alert fired no route did")
    place.sqlite("update orders set customer = 'x'")
    place.write("config/dqmon.yaml", text)
    place.dqmon("check")
    place.dqmon("why-not", name, "--channel", "oncall").expect(0, "resolved", "last resolve ")


def test_what_was_refused_is_shown_and_sent_again(place: Place, vendors: Vendors) -> None:
    text = (place.root / "config/dqmon.yaml").read_text()
    hook = f"{{type: webhook, secret: a-secret-of-16-characters, base_url: '{vendors.slack_url}', allow_private_addresses: true, url: 'https://log.example.com/hook/1'}}"
    text = re.sub(r"  log: .*", f"  log: {hook}", text).replace("verify:", "fallback: log, verify:")
    place.write("config/dqmon.yaml", text)
    vendors.script("pagerduty", *[Fault(status=400, body='{"errors": ["no such key"]}')] * 2)
    place.dqmon("check").expect(4)
    (told,) = vendors.hooks.taken
    assert told["body"]["incident"]["changes"][0].startswith("oncall refused it: HTTP 400")
    place.dqmon("why-not", incident(place), "--channel", "oncall").expect(0, "log told in its place")
    shown = (
        place.dqmon("alert", "deliveries")
        .expect(0, "takes nothing since ", "Given up; `dqmon alert retry ID`", "no such key")
        .out.splitlines()
    )
    (dead,) = (line.split()[0] for line in shown if incident(place) in line)
    place.dqmon("alert", "retry", dead).expect(4, "1 given up")
    place.dqmon("alert", "retry", "oncall").expect(0, f"{dead}  oncall  trigger of incident ", ": tried again")
    assert [one["state"] for one in vendors.pagerduty.state()["incidents"]] == ["triggered"]
    place.dqmon("alert", "retry", "oncall").expect(2, "no message that was given up")
    assert "takes nothing" not in place.dqmon("alert", "deliveries").expect(0).out
    place.dqmon("alert", "preview", BAD, "--to", "log", "--send-test").expect(0, "log  trigger sent: ", "; resolve sent: ")
