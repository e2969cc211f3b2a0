"""Other configurations tried on a month of real runs: `backtest --set`, `plan --changed-since`, `incidents precision --tuning`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from dqmon.app.commands import App
from dqmon.cli.program import run
from dqmon.config.project import load_project
from dqmon.core.feedback import Feedback
from dqmon.core.selector import parse_selector
from dqmon.engine.incidents.by_hand import give_feedback
from dqmon.store import incidents

CONFIG = """\
version: 1
store: {url: "sqlite:///store.db"}
warehouses: {main: {type: duckdb, path: shop.duckdb}}
channels:
  oncall: {type: pagerduty, dry_run: true}
  team: {type: slack, channel: "#data", dry_run: true}
routes:
  - {name: pages, match: "severity:critical", to: [oncall, team], group_wait: 10s}
  - {name: rest, default: true, to: [team]}
"""
CHECKS = """\
version: 1
defaults: {owner: "@shop", runbook: "https://wiki.example.com/{check}", severity: critical}
datasets:
  - dataset: orders
    checks:
      - completeness: {column: id}
      - freshness: {column: sold_at, fail_after: 36h, severity: warning}
      - schema_drift
"""
THEN = (
    CHECKS.replace("{column: id}", '{column: id, fail_if: "> 10"}')
    .replace("      - schema_drift\n", "")
    .replace("      - freshness", "      - row_count: {min: 1}\n      - freshness")
)
MISSING = {2: 1, 9: 60, 21: 2}
"""Orders without an id, by day; those of which many are missing were real. Far enough apart that no alert flaps."""
DAYS = 24
COMPLETENESS = "main.orders.completeness.id"


def git(folder: Path, *words: str) -> None:
    names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com"}
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, env={**os.environ, **names})


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a month of daily runs, an incident on each bad day, and what somebody said of them."""
    folder = tmp_path_factory.mktemp("tried")
    for name, text in (("config/dqmon.yaml", CONFIG), ("checks/all.yaml", THEN), ("checks/tests/none.yaml", "not: read")):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    odd = folder / "checks" / "--output=x; rm -rf $HOME\n\t.yaml"
    odd.write_text("version: 1\ndatasets: [{dataset: orders, checks: [length: {column: id, max: 9}]}]\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "then")
    odd.unlink()
    (folder / "checks" / "all.yaml").write_text(CHECKS)
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=DAYS, hours=1)
    with App(load_project(folder / "config" / "dqmon.yaml", {}), lambda: now) as app:
        for day in range(DAYS):
            fill(folder, MISSING.get(day, 0), now)
            app.check(parse_selector([]), None, alerts=True)
            with app.database.read() as connection:
                opened = incidents.open_incidents(connection)
            for incident in opened:
                give_feedback(app.environment, incident.id, Feedback("real" if MISSING[day] > 10 else "bad_threshold"), "ann")
            now += timedelta(days=1)
    return folder


def fill(folder: Path, missing: int, now: datetime) -> None:
    with duckdb.connect(str(folder / "shop.duckdb")) as connection:
        values = f"select case when i >= {missing} then i::varchar end as id, timestamp '{now:%Y-%m-%d %H:%M:%S}' as sold_at"
        connection.execute(f"create or replace table orders as {values} from range(1000) t(i)")


@pytest.fixture(autouse=True)
def here(month: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In the project; nothing that is asked here changes its store."""
    monkeypatch.chdir(month)
    before = month.joinpath("store.db").read_bytes()
    yield
    assert month.joinpath("store.db").read_bytes() == before, "the store was written to"


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    found = run(list(words))
    out = capsys.readouterr()
    assert found == code, out.out + out.err
    return out.out + out.err


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    return json.loads(said(capsys, *words, "--format", "json"))


@pytest.mark.parametrize(("value", "alerts", "pages", "missed"), [("fail_if=> 10", 1, 1, 0), ("for=2", 0, 0, 1)])
def test_a_value_beside_todays(capsys: pytest.CaptureFixture[str], value: str, alerts: int, pages: int, missed: int) -> None:
    found = asked(capsys, "backtest", COMPLETENESS, "--days", "60", "--set", value)
    assert (found["today"]["alerts"], found["today"]["pages"]) == (3, {"oncall": 3})
    assert (found["changed"]["alerts"], found["changed"]["pages"].get("oncall", 0)) == (alerts, pages)
    assert len(found["known_incidents"]) == 1, "what was called a bad threshold need not be found"
    assert [one["today"]["is_missed"] for one in found["known_incidents"]] == [False]
    assert sum(one["changed"]["is_missed"] for one in found["known_incidents"]) == missed
    assert found["new_alerts"] == []
    (check,) = found["checks"]
    assert (check["runs"], check["as_recorded"], check["days"]) == (DAYS, 0, DAYS)


def test_a_backtest_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "backtest", "--days", "60", "--set", "for=2", "--set", "fail_after=40d")
    assert "Known incidents: 1; missed: 0 -> 1" in text
    assert "Fewer than 60 days are kept of (days): main.orders.completeness.id (24)" in text
    assert "As they were recorded, not judged anew: runs of 1 check, since it compares with what was accepted" in text
    assert f"{COMPLETENESS} 3 -> 0" in " ".join(text.split())
    text = said(capsys, "backtest", "--days", "60", "--set", "fail_if=> 1%")
    assert "Without any of these keys, so as they are: main.orders.freshness.sold_at, main.orders.schema_drift" in text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("fail_if=many", "--set: fail_if: 'many' is not a threshold; write OP NUMBER[%]"),
        ("fail_iff=> 3", "--set: unknown key 'fail_iff': none of the selected checks takes it; did you mean 'fail_if'?"),
        ("for", "--set: 'for' is no key=value"),
        ("schedule=0 * * * *", "--set: 'schedule' says what is measured or when"),
        ("column=sold_at", "--set: column changes what main.orders.completeness.id measures"),
        ("for=0", "--set: for: 0 is neither a number of outcomes (1 or more) nor a duration"),
    ],
)
def test_values_that_cannot_be_tried(capsys: pytest.CaptureFixture[str], value: str, message: str) -> None:
    text = said(capsys, "backtest", COMPLETENESS, "--set", value, code=2)
    assert message in text
    assert len(text.splitlines()) == 1, text


def test_a_key_that_other_types_take(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "backtest", "type:freshness", "--set", "fail_if=> 1", code=2)
    assert text == "dqmon: --set: none of the selected checks takes 'fail_if'; select others, or leave it out\n"


def test_what_has_changed_since_a_commit(capsys: pytest.CaptureFixture[str]) -> None:
    first, *rest = said(capsys, "plan", "--changed-since", "HEAD", "--days", "60").splitlines()
    assert first.startswith("Plan: 1 add, 1 change, 2 remove (1 statement a run, ")
    assert first.endswith("+0.23 pages a week expected, back-test 60d)")
    assert rest == [
        "+ main.orders.schema_drift  back-test alerts 0, pages 0",
        f"~ {COMPLETENESS}  fail_if > 10 -> > 0  back-test alerts 1 -> 3, pages 1 -> 3  REVIEW",
        "- main.orders.length.id  history kept",
        "- main.orders.row_count  history kept",
    ]


def test_a_new_check_that_cannot_be_measured(capsys: pytest.CaptureFixture[str], month: Path) -> None:
    new = month / "checks" / "new.yaml"
    new.write_text("version: 1\ndatasets: [{dataset: nowhere, checks: [row_count: {min: 1}]}]\n")
    try:
        found = said(capsys, "plan", "main.nowhere", "--changed-since", "HEAD", code=3)
    finally:
        new.unlink()
    assert found.splitlines()[0].startswith("Plan: 1 add, 0 change, 0 remove (0 statements a run, ")
    assert "+ main.nowhere.row_count  nothing that it judges is kept, so no back-test  cannot be measured: " in found


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("nothing", "git knows no commit 'nothing'; write a branch, a tag or a commit"),
        ("--help", "git knows no commit '--help'"),
        ("HEAD:checks", "git knows no commit 'HEAD:checks'"),
        ("", "git knows no commit ''"),
    ],
)
def test_what_is_no_commit(capsys: pytest.CaptureFixture[str], ref: str, message: str) -> None:
    assert message in said(capsys, "plan", f"--changed-since={ref}", code=2)


def test_a_project_without_git(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, month: Path) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(month.parent))
    monkeypatch.setenv("GIT_DIR", str(month / "none"))
    assert "so the project must be in git" in said(capsys, "plan", "--changed-since", "HEAD", code=2)
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.setenv("PATH", "/nowhere")
    assert "there is no git on the PATH" in said(capsys, "plan", "--changed-since", "HEAD", code=2)


def test_precision_by_check_and_owner(capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, "incidents", "precision", "--days", "60")
    expected = {"incidents": 3, "real": 1, "expected": 0, "bad_threshold": 2, "unlabelled": 0, "precision": 1 / 3}
    assert found["checks"] == [{"check_id": COMPLETENESS} | expected]
    assert found["owners"] == [{"owner": "@shop"} | expected]
    assert "no check has a precision below 0.3" in said(capsys, "incidents", "precision", "--days", "60", "--tuning", "--below", "0.3")


def test_a_proposal_is_a_diff_of_the_check_file(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "incidents", "precision", "--days", "60", "--tuning")
    assert '  --- checks/all.yaml:6\n  + fail_if: "> 59"\n' in text, "for: 2 would miss it"
    assert "replayed: 3 alerts, 2 not real, 0 real incidents missed -> 1 alert, 0 not real, 0 real incidents missed" in text
