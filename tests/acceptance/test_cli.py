"""The commands as a user runs them: a process, a project on disk, a real warehouse and a real store."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import warm_program

ROOT = Path(__file__).parents[2]
CONFIG = """\
version: 1
instance: test
store: {url: "sqlite:///.dqmon/store.db"}
warehouses:
  main: {type: sqlite, path: data/shop.db}
channels:
  oncall: {type: pagerduty, routing_key: "${env:NO_SUCH_KEY}", dry_run: true}
  team: {type: slack, token: "${env:NO_SUCH_TOKEN}", channel: "#data", dry_run: true}
routes:
  - {name: pages, match: "severity:critical", to: [oncall, team], group_wait: 0s}
  - {name: rest, default: true, to: [team], group_wait: 0s}
"""
CHECKS = """\
version: 1
defaults: {owner: "@orders", runbook: "https://wiki.example.com/rb#{check}"}
datasets:
  - dataset: orders
    checks:
      - completeness: {column: customer, fail_if: "> 20%", severity: critical}
      - uniqueness: {columns: [id]}
      - range: {column: amount, min: 0, warn_if: "> 0", fail_if: "> 50%"}
      - row_count: {min: 1}
      - schema_drift
  - dataset: empties
    checks:
      - completeness: {column: x}
"""
BAD = "main.orders.completeness.customer"
Dqmon = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("config", "checks", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "config" / "dqmon.yaml").write_text(CONFIG)
    (tmp_path / "checks" / "orders.yaml").write_text(CHECKS)
    with sqlite3.connect(tmp_path / "data" / "shop.db") as connection:
        connection.execute("create table orders (id integer, customer text, amount real)")
        connection.executemany("insert into orders values (?, ?, ?)", [(1, "a", 5.0), (2, None, -1.0), (3, None, 7.0), (4, "b", 2.0)])
        connection.execute("create table empties (x integer)")
    connection.close()
    return tmp_path


@pytest.fixture
def dqmon(project: Path) -> Dqmon:
    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        done = warm_program.run(words, project, {**os.environ, "USER": "tester", "LOGNAME": "tester", **variables})
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


def _expect(done: subprocess.CompletedProcess[str], code: int) -> subprocess.CompletedProcess[str]:
    assert done.returncode == code, f"found exit code {done.returncode}, expected {code}:\n{done.stdout}{done.stderr}"
    return done


def test_a_first_check_shows_what_is_wrong_where_and_what_to_type(dqmon: Dqmon) -> None:
    done = _expect(dqmon("check"), 1)
    lines = done.stdout.splitlines()
    assert re.match(rf"  FAIL +{re.escape(BAD)} +2 of 4 rows \(50 %\) have no customer.* critical$", lines[0]), lines[0]
    assert re.match(r"  WARN +main\.orders\.range\.amount ", lines[1])
    assert re.match(r"  SKIPPED +main\.empties\.completeness\.x ", lines[2])
    assert re.match(r"  PASS +main\.orders +3 results$", lines[3])
    assert f"FAIL {BAD}  checks/orders.yaml:6" in lines
    assert f"  next      dqmon explain {BAD}" in lines
    assert re.fullmatch(r"3 pass, 1 warn, 1 fail, 1 skipped in \d+\.\d s, \d statements  exit 1", lines[-1])
    assert "\x1b" not in done.stdout


def test_json_is_the_whole_of_stdout_and_the_output_file_takes_it(dqmon: Dqmon, project: Path) -> None:
    found = json.loads(_expect(dqmon("check", "--format", "json", "--no-reuse"), 1).stdout)
    assert (found["schema_version"], found["exit_code"]) == (1, 1)
    assert found["summary"] | {"statements": 0} == {
        "checks": 6, "results": 6, "pass": 3, "warn": 1, "fail": 1, "error": 0, "skipped": 1, "datasets": 2, "statements": 0, "reused": 0,
        "credits": {},
    }  # fmt: skip
    bad = next(item for item in found["results"] if item["check_id"] == BAD)
    assert bad["observed"] == {"value": 2, "unit": "rows", "ratio": 0.5, "rows_tested": 4}
    assert bad["source"] == {"path": "checks/orders.yaml", "line": 6}
    assert bad["runbook"] == f"https://wiki.example.com/rb#{BAD}"
    to_file = _expect(dqmon("check", "--format", "json", "--output", "result.json", "--no-alerts"), 1)
    assert to_file.stdout == ""
    assert json.loads((project / "result.json").read_text())["summary"] == found["summary"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["type:row_count,uniqueness"], 0),
        (["--fail-on", "never"], 0),
        (["type:range"], 0),
        (["type:range", "--fail-on", "warn"], 1),
        (["--min-severity", "critical"], 1),
        (["type:range", "--fail-on", "warn", "--min-severity", "error"], 0),
        (["--exclude", "type:completeness"], 0),
        (["main.empties"], 0),
        (["no.such.table"], 2),
        (["type:range", "--exclude", "main.orders"], 2),
    ],
)
def test_exit_codes_of_selections(dqmon: Dqmon, words: list[str], code: int) -> None:
    done = _expect(dqmon("check", "--no-alerts", *words), code)
    if code == 2:
        assert "nothing is selected" in done.stderr
        assert done.stdout == ""


def test_all_skipped_is_said_on_stderr(dqmon: Dqmon) -> None:
    assert "every check was skipped: nothing was judged" in _expect(dqmon("check", "main.empties"), 0).stderr


def test_what_cannot_be_evaluated_is_exit_code_3_and_the_rest_is_judged(dqmon: Dqmon, project: Path) -> None:
    with sqlite3.connect(project / "data" / "shop.db") as connection:
        connection.execute("alter table orders drop column amount")
    connection.close()
    found = json.loads(_expect(dqmon("check", "--format", "json"), 3).stdout)
    verdicts = {item["check_id"]: item["verdict"] for item in found["results"]}
    assert verdicts["main.orders.range.amount"] == "error"
    assert verdicts[BAD] == "fail"


def test_a_store_that_cannot_be_written_is_exit_code_4(dqmon: Dqmon, project: Path) -> None:
    _expect(dqmon("check", "--no-alerts"), 1)
    blocker = sqlite3.connect(project / ".dqmon" / "store.db", isolation_level=None)
    blocker.execute("begin immediate")
    try:
        done = _expect(dqmon("check", "--no-alerts", DQMON_STORE__URL="sqlite:///.dqmon/store.db?timeout=0.1"), 4)
    finally:
        blocker.close()
    assert "FAIL" in done.stdout, "the verdicts must be shown although they could not be recorded"
    assert "the store did not take the results" in done.stderr


def test_mistakes_are_all_said_at_once_with_file_and_line(dqmon: Dqmon, project: Path) -> None:
    path = project / "checks" / "orders.yaml"
    path.write_text(CHECKS.replace("completeness: {column: customer,", "completness: {column: customer,").replace("min: 1}", "mim: 1}"))
    done = _expect(dqmon("validate"), 2)
    assert "checks/orders.yaml:6" in done.stderr
    assert "completeness" in done.stderr
    assert "checks/orders.yaml:9" in done.stderr
    assert "did you mean" in done.stderr


def test_validate_asks_no_warehouse(dqmon: Dqmon, project: Path) -> None:
    (project / "data" / "shop.db").unlink()
    assert "6 checks" in _expect(dqmon("validate"), 0).stdout
    assert not (project / ".dqmon").exists(), "validate must not make a store"


def test_plan_shows_the_statements_that_check_runs(dqmon: Dqmon) -> None:
    planned = json.loads(_expect(dqmon("plan", "--format", "json"), 0).stdout)
    ran = json.loads(_expect(dqmon("check", "--format", "json", "--no-alerts"), 1).stdout)
    assert planned["data_statements"] == ran["summary"]["statements"]
    assert {sql for item in ran["results"] for sql in item["sql"]} == {s["sql"] for s in planned["statements"] if s["sql"]}
    text = _expect(dqmon("plan", "main.orders"), 0).stdout
    assert f"     {BAD}" in text.splitlines()
    assert "nothing was run" in text
    _expect(dqmon("plan", "no.such"), 2)


def test_explain_tells_the_verdict_the_alert_the_incident_and_who_was_told(dqmon: Dqmon) -> None:
    _expect(dqmon("check"), 1)
    text = _expect(dqmon("explain", BAD), 0).stdout
    for words in (
        "checks/orders.yaml:6", "@orders", "FAIL  critical", "2 of 4 (50 %) rows", "firing, 1 outcome in a row",
        "oncall", "team", "dry_run", "count(*)",
    ):  # fmt: skip
        assert words in text, f"explain lacks {words!r}:\n{text}"
    quiet = _expect(dqmon("explain", "main.orders.row_count"), 0).stdout
    assert "none: the check never fired, so nobody was told" in quiet


def test_explain_of_what_is_not_there_says_what_to_type(dqmon: Dqmon) -> None:
    assert f"dqmon check {BAD}" in _expect(dqmon("explain", BAD), 2).stderr
    assert f"did you mean '{BAD}'?" in _expect(dqmon("explain", BAD.replace("ness", "nes")), 2).stderr
    _expect(dqmon("check"), 1)
    assert "has no result up to 2001-01-01T00:00Z" in _expect(dqmon("explain", BAD, "--at", "2001-01-01T00:00Z"), 2).stderr


def test_an_incident_is_listed_shown_acknowledged_and_resolved(dqmon: Dqmon) -> None:
    assert "no open incidents" in _expect(dqmon("incidents", "list"), 0).stderr
    _expect(dqmon("check"), 1)
    lines = _expect(dqmon("incidents", "list"), 0).stdout.splitlines()
    row = next(line for line in lines if BAD in line)
    incident = row.split()[0]
    shown = _expect(dqmon("incidents", "show", incident), 0).stdout
    assert "oncall" in shown
    assert "dry_run" in shown
    assert "oncall, trigger:" in shown
    assert "  | " not in _expect(dqmon("incidents", "show", incident, "--no-messages"), 0).stdout
    _expect(dqmon("incidents", "ack", incident, "--by", "ada"), 0)
    assert "by ada" in _expect(dqmon("incidents", "show", incident), 0).stdout
    _expect(dqmon("incidents", "resolve", incident), 0)
    assert incident not in _expect(dqmon("incidents", "list"), 0).stdout
    assert incident in _expect(dqmon("incidents", "list", "--state", "resolved"), 0).stdout
    assert "no incident 'nope'" in _expect(dqmon("incidents", "show", "nope"), 2).stderr


def test_schema_is_shown_and_accepted(dqmon: Dqmon, project: Path) -> None:
    assert "are kept yet" in _expect(dqmon("schema", "show", "main.orders"), 2).stderr
    _expect(dqmon("check"), 1)
    assert "first run" in _expect(dqmon("schema", "show", "orders"), 0).stdout
    with sqlite3.connect(project / "data" / "shop.db") as connection:
        connection.execute("alter table orders add column note text")
    connection.close()
    _expect(dqmon("check", "main.orders"), 1)
    assert "not accepted" in _expect(dqmon("schema", "show", "orders"), 0).stdout
    _expect(dqmon("schema", "accept", "main.orders", "--by", "ada"), 0)
    assert "by ada" in _expect(dqmon("schema", "show", "main.orders"), 0).stdout
    assert "did you mean 'main.orders'?" in _expect(dqmon("schema", "show", "main.order"), 2).stderr


def test_config_is_shown_without_secrets_and_its_schemas_are_json(dqmon: Dqmon, project: Path) -> None:
    text = _expect(dqmon("config", "show", NO_SUCH_KEY="s3cret-value"), 0).stdout
    assert "instance" in text
    assert "s3cret-value" not in text
    schemas = json.loads(_expect(dqmon("config", "json-schema"), 0).stdout)
    assert set(schemas) == {"dqmon.schema.json", "checks.schema.json", "tests.schema.json"}
    _expect(dqmon("config", "json-schema", "--write", "config"), 0)
    assert json.loads((project / "config" / "checks.schema.json").read_text()) == schemas["checks.schema.json"]
    _expect(dqmon("config", "json-schema", "--write", "no/such"), 2)


def test_migrate_says_the_version_and_may_be_repeated(dqmon: Dqmon) -> None:
    assert "it was empty" in _expect(dqmon("migrate"), 0).stdout
    assert "it was" not in _expect(dqmon("migrate"), 0).stdout


def test_no_project_is_a_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dqmon", "check"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("dqmon: config/dqmon.yaml")
    assert "--config" in done.stderr


def test_a_pipe_that_closes_is_no_error(project: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        f"{sys.executable} -m dqmon plan | true", shell=True, cwd=project, env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""


def test_an_interrupt_is_130(project: Path) -> None:
    code = """
import os, signal
import dqmon.app
from dqmon.cli.program import run
dqmon.app.open_app = lambda *_: os.kill(os.getpid(), signal.SIGINT)
raise SystemExit(run(["check"]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
