"""`dqmon alert preview` in words: examples of every kind of check and message, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqmon.cli.program import run
from dqmon.core.threshold import Threshold
from dqmon.engine.telling.example_failure import bad_value

CONFIG = """\
version: 1
warehouses: {main: {type: sqlite, path: shop.db}}
ingestion: {jobs: {type: dlt, warehouse: main, dataset: raw}}
channels:
  oncall: {type: pagerduty, dry_run: true}
  team: {type: slack, channel: "#data", dry_run: true}
  genie: {type: opsgenie, dry_run: true}
  hook: {type: webhook, dry_run: true}
  am: {type: alertmanager, dry_run: true}
  chat: {type: teams, dry_run: true}
  spare: {type: slack, token: "${env:NO_SUCH_TOKEN}", channel: "#spare"}
routes:
  - {name: pages, match: "severity:critical", to: [oncall, team]}
  - {name: rest, default: true, to: [oncall, team, genie, hook, am, chat]}
"""
CHECKS = """\
version: 1
defaults: {owner: "@orders", runbook: "https://wiki.example.com/rb"}
ingestion:
  - {pipeline: jobs/load, checks: [rows_loaded: {min: 5}, last_success: {fail_after: 2h}]}
datasets:
  - dataset: orders
    checks:
      - completeness: {column: customer, fail_if: "> 20%", severity: critical}
      - completeness: {column: city, warn_if: "> 5%"}
      - completeness: {column: zip, fail_if: ">= 100%"}
      - row_count: {min: 1}
      - row_count: {name: band, max: 20, min: 10}
      - uniqueness: {columns: [id], fail_if: "> 5"}
      - range: {column: amount, min: 0}
      - statistic: {column: amount, metric: median, fail_if: "not between 1 and 10"}
      - freshness: {column: loaded_at, fail_after: 2h}
      - volume_anomaly
      - schema_drift
      - reconciliation: {to: {dataset: clients}, metrics: [row_count], fail_if: "> 0.1%"}
"""
GOOD = "main.orders.row_count"
EXAMPLES = {
    "main.orders.completeness.customer": "main.orders completeness customer: 60 % missing, at most 20 % expected",
    "main.orders.completeness.city": "main.orders completeness city: 52.5 % missing, at most 5 % expected",
    "main.orders.completeness.zip": "main.orders completeness zip: 100 % missing, less than 100 % expected",
    GOOD: "main.orders row_count: 0 rows, at least 1 expected",
    "main.orders.row_count.band": "main.orders row_count band: 30 rows, between 10 and 20 expected",
    "main.orders.uniqueness.id": "main.orders uniqueness id: 15 rows duplicate, at most 5 duplicate rows expected",
    "main.orders.range.amount": "main.orders range amount: 10 rows invalid, no invalid rows expected",
    "main.orders.statistic.amount": "main.orders statistic amount: 15, between 1 and 10 expected",
    "main.orders.freshness.loaded_at": "main.orders freshness loaded_at: 3h, at most 2h expected",
    "main.orders.volume_anomaly": "main.orders volume_anomaly: the check has not run yet; this was not measured",
    "main.orders.schema_drift": "main.orders schema_drift: the check has not run yet; this was not measured",
    "main.orders.reconciliation": "main.orders reconciliation: 50.1 % different, at most 0.1 % expected",
    "jobs/load.rows_loaded": "jobs/load rows_loaded: 2 rows, at least 5 expected",
    "jobs/load.last_success": "jobs/load last_success: 3h, at most 2h expected",
}


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    for name, text in (("config/dqmon.yaml", CONFIG), ("checks/orders.yaml", CHECKS)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)


def said(capsys, *words):
    code = run(["alert", "preview", *words])
    found = capsys.readouterr()
    return code, found.out, found.err


@pytest.mark.parametrize(("check", "expected"), EXAMPLES.items())
def test_an_example_breaks_what_the_check_declares_on_every_channel(capsys, check, expected):
    code, out, err = said(capsys, check)
    assert (code, err) == (0, "")
    blocks = out.split("\n\n")
    assert blocks[0] == f"{check}  trigger  an example: the check has not run yet"
    assert len(blocks) == (3 if check.endswith("customer") else 7)
    for block in blocks[1:]:
        assert "[EXAMPLE]" in block, f"nothing marks it as an example:\n{block}"
    assert f"[EXAMPLE] {expected}" in out, out


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("update", "  • an example of a change: 1 more partition fails"),
        ("repeat", "STILL CRITICAL"),
        ("acknowledge", "ACKNOWLEDGED by somebody"),
        ("resolve", "RESOLVED after 0s"),
    ],
)
def test_every_kind_of_message_can_be_seen(capsys, kind, text):
    code, out, err = said(capsys, "main.orders.completeness.customer", "--kind", kind, "--to", "team")
    assert (code, err) == (0, "")
    assert out.startswith(f"main.orders.completeness.customer  {kind}  an example")
    assert text in out
    assert "[EXAMPLE]" in out


def test_a_type_stands_for_its_channels(capsys):
    code, out, err = said(capsys, GOOD, "--to", "slack")
    assert (code, err) == (0, "")
    assert [block.split("  ")[0] for block in out.split("\n\n")] == [GOOD, "team"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["main.orders.row_cuont"], "there is no check 'main.orders.row_cuont'; did you mean 'main.orders.row_count'?"),
        (["x"], "there is no check 'x'; `dqmon plan` names them"),
        ([GOOD, "--to", "taem"], "--to 'taem' is unknown: write oncall, team, genie, hook, am, chat, spare; did you mean 'team'?"),
        (
            [GOOD, "--to", "spare"],
            "channels.spare lacks what its ${env:} names, and no route leads to it; set the variable, or dry_run: true",
        ),
        ([GOOD, "--kind", "fire"], "--kind 'fire' is unknown: write trigger, update, repeat, acknowledge, resolve"),
        ([GOOD, "--format", "jsn"], "did you mean 'json'?"),
        ([GOOD, "--send-test", "--format", "json"], "--send-test sends a trigger and prints the answers; leave --kind and --format out"),
        ([GOOD, "--send-test", "--kind", "resolve"], "--send-test sends a trigger and prints the answers; leave --kind and --format out"),
    ],
)
def test_wrong_words_say_what_is_right(capsys, words, text):
    code, out, err = said(capsys, *words)
    assert (code, out) == (2, "")
    assert text in err


NUMBERS = st.decimals(-1000, 1000, places=2, allow_nan=False)


@given(st.sampled_from([">", ">=", "<", "<=", "=", "!="]), NUMBERS, st.booleans())
def test_a_bad_value_meets_its_threshold(operator, low, is_percent):
    threshold = Threshold(operator, low, None, is_percent)
    assert threshold.is_met(bad_value(threshold))


@given(st.sampled_from(["between", "not between"]), NUMBERS, st.decimals(0, 100, places=2), st.booleans())
def test_a_bad_value_of_a_range_meets_it(operator, low, width, is_percent):
    threshold = Threshold(operator, low, Decimal(low + width), is_percent)
    assert threshold.is_met(bad_value(threshold))
