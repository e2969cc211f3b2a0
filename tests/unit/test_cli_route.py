"""`dqmon route`: what it prints and how it ends, over a configuration of three routes."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path

import pytest

from dqmon.alerts.route import routes_for
from dqmon.cli.program import run
from dqmon.config.project import load
from dqmon.core.verdict import Severity

GOLDEN = Path(__file__).parents[1] / "golden" / "routes.txt"
CONFIG = """\
version: 1
warehouses: {main: {type: sqlite, path: shop.db}}
channels:
  oncall: {type: pagerduty, dry_run: true}
  team: {type: slack, channel: "#data", dry_run: true}
  ops: {type: slack, channel: "#ops", dry_run: true}
routes:
  - {name: pages, match: "severity:critical", to: [oncall, team], group_wait: 10s, continue: true}
  - {name: blind, match: "kind:error", to: [ops]}
  - {name: money, match: "tag:finance not:severity:info", to: [team]}
  - {name: rest, default: true, to: [ops]}
"""
CHECKS = """\
version: 1
datasets:
  - dataset: orders
    owner: "@orders"
    checks: [{row_count: {min: 1, severity: critical, runbook: "https://wiki.example.com/rb"}}]
"""


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    for name, text in (("config/dqmon.yaml", CONFIG), ("checks/orders.yaml", CHECKS)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)


def said(capsys, *words):
    code = run(["route", *words])
    found = capsys.readouterr()
    return code, found.out, found.err


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        (["severity:critical"], "oncall (route pages), team (route pages), ops (route rest)"),
        (["severity:critical", "kind:error"], "oncall (route pages), team (route pages), ops (route blind)"),
        (["severity:warning", "tag:pii,finance"], "team (route money)"),
        (["severity:info", "tag:finance"], "ops (route rest)"),
        (["analytics.orders"], "ops (route rest)"),
    ],
)
def test_an_alert_with_these_attributes_tells(capsys, terms, told):
    assert said(capsys, "test", *terms) == (0, f"{told}\n", "")


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["test", "severity:critical", "kind:error", "--expect", "ops, oncall,team"], 0, ""),
        (["test", "severity:warning", "--expect", "oncall"], 1, "expected oncall, but ops would be told"),
        (["test", "severity:warning", "--expect", "on_call"], 2, "did you mean 'oncall'?"),
        (["test", "severity:critical", "--expect", ""], 1, "expected nobody, but oncall, ops, team would be told"),
        (["test", "severity:critcal"], 2, "unknown severity 'critcal'; did you mean 'critical'?"),
        (["test", "warehouse:mian"], 2, "unknown warehouse 'mian'; did you mean 'main'?"),
        (["test", "severity:critical", "severity:warning"], 2, "an alert has one severity, and here are critical, warning"),
        (["test", "severity:*"], 2, "an alert has attributes, not patterns"),
        (["test", "not:tag:pii"], 2, "an alert has attributes, not patterns"),
        (["test", "sverity:critical"], 2, "unknown selector key 'sverity'"),
        (["explain", "main.orders.row_cuont"], 2, "there is no check 'main.orders.row_cuont'"),
    ],
)
def test_what_is_expected_decides_the_exit_code(capsys, words, code, text):
    found, _, err = said(capsys, *words)
    assert (found, text in err) == (code, True), err


def test_show_lists_the_routes_in_their_order(capsys):
    code, out, _ = said(capsys, "show")
    rows = [line.split() for line in out.splitlines()[1:]]
    assert code == 0
    assert [row[0] for row in rows] == ["pages", "blind", "money", "rest"]
    assert "oncall, team, and the next routes" in out
    assert "tag:finance not:severity:info" in out
    assert "everything else" in out


def test_explain_names_the_channels_of_each_alert_that_a_check_can_have(capsys):
    code, out, _ = said(capsys, "explain", "main.orders.row_count")
    assert code == 0
    assert out.splitlines() == [
        "failing, critical: oncall (route pages), team (route pages), ops (route rest)",
        "warning, warning: ops (route rest)",
        "error, warning: ops (route blind)",
    ]


def test_200_alerts_and_whom_they_tell():
    """R4: every severity, kind, tag and table of a list, against the rows of tests/golden/routes.txt."""
    routes, rows = load(None).routes, []
    tags = ((), ("finance",), ("pii",), ("finance", "pii"), ("finance ",))
    tables = ("main.orders", "raw.orders", "airbyte/orders", "main.orders_2", "é")
    for severity, kind, tag, table in product(Severity, ("data", "error"), tags, tables):
        told = routes_for({"": (table,), "tag": tag, "severity": (severity.value,), "kind": (kind,)}, routes)
        rows.append(f"{severity.value} {kind} {','.join(tag) or '-'} {table}: " + ", ".join(f"{channel} ({r.name})" for r, channel in told))
    assert len(rows) == 200
    assert rows == GOLDEN.read_text().splitlines()


def test_each_of_10_000_random_alerts_reaches_a_channel():
    chance, routes = random.Random(7), load(None).routes
    words = ["pii", "finance", "a b", "", "severity:critical", "*", "é"]
    for _ in range(10_000):
        attributes = {
            key: tuple(chance.choices(words, k=chance.randrange(3))) for key in ("", "tag", "owner", "type", "warehouse", "dimension", "id")
        }
        attributes |= {"severity": (chance.choice(list(Severity)).value,), "kind": (chance.choice(["data", "error"]),)}
        assert routes_for(attributes, routes), attributes
