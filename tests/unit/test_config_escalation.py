"""`escalation:`: what is read and what is refused, with file and line; what `dqmon route` and rule tests make of it."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from dqmon.app.rule_tests import run_rule_tests
from dqmon.cli.program import run
from dqmon.config.json_schema import schemas
from dqmon.config.project import load_project
from dqmon.core.route import Route
from dqmon.core.selector import parse_selector
from dqmon.errors import ConfigError

CHECKS = """\
version: 1
defaults: {owner: "@data", runbook: "https://wiki.example.com/rb", schedule: "0 * * * *"}
datasets:
  - dataset: orders
    checks: [{row_count: {min: 1, severity: critical}}]
"""
CONFIG = """\
version: 1
warehouses: {main: {type: sqlite, path: shop.db}}
channels:
  oncall: {type: pagerduty, dry_run: true}
  team: {type: slack, channel: "#data", dry_run: true}
  boss: {type: pagerduty, dry_run: true}
"""
ROUTES = "routes: [{name: rest, default: true, to: [team]}]\n"
NIGHTS = (
    'escalation:\n  - {name: nights, match: "severity:critical", steps: [{after: 15m, to: [oncall]}, {after: 1h, to: [boss, oncall]}]}\n'
)


def project(root: Path, text: str) -> Path:
    for name, content in (("config/dqmon.yaml", CONFIG + text), ("checks/orders.yaml", CHECKS)):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return root / "config/dqmon.yaml"


def test_steps_are_routes_that_wait_for_an_acknowledgement(tmp_path: Path) -> None:
    found = load_project(project(tmp_path, ROUTES + NIGHTS), {})
    match = parse_selector(["severity:critical"])
    assert found.escalation == (
        Route("nights after 15m", match, ("oncall",), True, group_wait_s=900, unless_acknowledged=True),
        Route("nights after 1h", match, ("boss", "oncall"), True, group_wait_s=3_600, unless_acknowledged=True),
    )
    assert {"oncall", "boss", "team"} <= found.settings.channels.keys(), "channels of steps are in use"


def step(text: str, name: str = "nights", match: str = "severity:critical") -> str:
    return f'{ROUTES}escalation:\n  - name: {name}\n    match: "{match}"\n    steps:\n{text}'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (step("      - {after: 15m, to: [bos]}\n"), "config/dqmon.yaml:12: escalation 'nights': unknown channel 'bos'; did you mean 'boss'?"),
        (step("      - {after: 1h, to: [boss]}\n      - {after: 15m, to: [oncall]}\n"), "config/dqmon.yaml:13: escalation 'nights': 15m comes after 1h"),
        (step("      - {after: 1h, to: [boss]}\n      - {after: 60m, to: [oncall]}\n"), "config/dqmon.yaml:13: escalation 'nights': 1h comes after 1h"),
        (step("      - {after: 0s, to: [boss]}\n"), "config/dqmon.yaml:12: "),
        (step("      - {after: soon, to: [boss]}\n"), "config/dqmon.yaml:12: after: 'soon' is not a duration"),
        (step("      - {after: 5m, to: []}\n"), "config/dqmon.yaml:12: to is []"),
        (step("      - {to: [boss]}\n"), "config/dqmon.yaml:12: 'after' is missing"),
        (step("      - {after: 5m, to: [boss]}\n", match="severity:critcal"), "config/dqmon.yaml:10: escalation 'nights': unknown severity 'critcal'"),
        (step("      - {after: 5m, to: [boss]}\n", match="state:passing"), "config/dqmon.yaml:10: escalation 'nights': no open alert can match"),
        (step("      - {after: 5m, to: [boss]}\n", match="severity:info severity:error"), "no open alert can match 'severity:info severity:error'"),
        (step("      - {after: 5m, to: [boss]}\n", match="kind:error state:failing"), "no open alert can match"),
        (f"{ROUTES}escalation:\n  - {{name: a, match: '*', steps: []}}\n", "config/dqmon.yaml:9: steps is []"),
        (NIGHTS.replace("escalation", "escalation"), "config/dqmon.yaml:8: escalation 'nights' begins with a message, and there are no routes"),
        (ROUTES + NIGHTS + NIGHTS.partition("\n")[2], "config/dqmon.yaml:10: there is a step or route 'nights after 15m' already"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_project(project(tmp_path, text), {})
    assert any(said in str(problem) for problem in refused.value.problems), [str(problem) for problem in refused.value.problems]


def test_the_schema_for_editors_knows_it() -> None:
    schema = next(schema for name, schema in schemas().items() if "dqmon" in name)
    value = {"version": 1, "escalation": [{"name": "a", "match": "*", "steps": [{"after": "15m", "to": ["boss"]}]}]}
    jsonschema.validate(value, schema)
    value["escalation"][0]["steps"] = [{"after": 15}]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, schema)


def test_route_names_the_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    project(tmp_path, ROUTES + NIGHTS)
    monkeypatch.chdir(tmp_path)

    def said(*words: str) -> str:
        assert run(["route", *words]) == 0
        return capsys.readouterr().out

    steps = "unless acknowledged: oncall (nights after 15m), boss (nights after 1h), oncall (nights after 1h)"
    assert said("test", "severity:critical", "--expect", "team") == f"team (route rest), {steps}\n"
    assert said("test", "severity:error") == "team (route rest)\n"
    assert said("explain", "main.orders.row_count").splitlines() == [
        f"failing, critical: team (route rest), {steps}",
        "warning, warning: team (route rest)",
        "error, warning: team (route rest)",
    ]
    shown = [line.split() for line in said("show").splitlines()]
    assert ["nights", "after", "1h", "severity:critical", "1h", "boss,", "oncall"] in shown


def test_a_rule_test_sees_the_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(tmp_path, ROUTES + NIGHTS)
    (tmp_path / "checks/tests").mkdir()
    (tmp_path / "checks/tests/a.yaml").write_text(
        "version: 1\ntests:\n  - name: nights\n    check: main.orders.row_count\n    interval: 1h\n    values: 0 0 0\n    expect:\n"
        "      - {at: 10m, verdict: fail, state: firing, deliver: [team]}\n      - {at: 15m 30s, deliver: [oncall]}\n      - {at: 2h, deliver: [boss, oncall]}\n"
    )
    monkeypatch.chdir(tmp_path)
    (found,) = run_rule_tests()
    assert found.failures == ()
