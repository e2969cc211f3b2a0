"""Checks of pipelines from YAML to the stored verdict, over a day of a scripted source."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dqmon.config.build import build
from dqmon.config.check_file import declared
from dqmon.config.registries import Registries
from dqmon.config.report import Report
from dqmon.config.targets import Facts, place
from dqmon.config.yaml_lines import parse_yaml
from dqmon.core.check import Schedule
from dqmon.core.lineage import Lineage
from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.engine.environment import Environment
from dqmon.engine.measuring.asked import Run, Task
from dqmon.engine.run import commit, evaluate
from dqmon.errors import SourceError
from dqmon.store.database import Database

START = datetime(2026, 11, 20, 6, tzinfo=UTC)
EVERYTHING = frozenset(
    {"success", "failures", "running", "duration", "heartbeat", "rows", "rejects", "schema", "cursor", "schedule", "backlog"}
)
CHECKS = """
version: 1
ingestion:
  - pipeline: tool/orders
    checks:
      - last_success: {fail_after: 4h}
      - failed_runs
      - failed_runs: {name: day, window: 24h, warn_if: ">= 1", fail_if: ">= 3"}
      - stuck_run: {fail_after: 90m}
      - run_duration: {fail_after: 45m}
      - zero_rows: {fail_if: ">= 2"}
      - rejected_rows: {fail_if: "> 1%"}
      - backlog: {fail_if: "> 100", warn_after: 15m}
      - missed_schedule: {grace: 20m}
      - source_health: {heartbeat_after: 5m}
      - rows_loaded_anomaly: {direction: drop}
      - cursor_stall
      - cursor_regress
      - source_schema_change: {window: 90m}
"""


class Scripted:
    """A source that says what `records` are by then; unreachable while `error` is set."""

    name, provides = "tool", EVERYTHING

    def __init__(self):
        self.records, self.pending, self.error, self.at = [], 0, None, START
        self.info = PipelineInfo("tool", "orders", schedule=Schedule("0 * * * *", None, "UTC"))

    def pipelines(self):
        if self.error:
            raise SourceError(self.error)
        return (replace(self.info, heartbeat_at=self.at),) if self.info else ()

    def loads(self, since, until):
        return tuple(replace(r, observed_at=until) for r in self.records if r.finished_at is None or since <= r.finished_at < until)

    def backlog(self, at):
        return (Backlog("tool", "orders", self.pending, "messages", at, "0", at - timedelta(minutes=20) if self.pending else None),)


class Place:
    """The checks above, a store and the source; `verdicts` runs all checks at an hour of the day."""

    def __init__(self, database):
        self.source, self.database = Scripted(), database
        report = Report("checks/p.yaml")
        facts = Facts({}, {"tool": EVERYTHING})
        entries = [
            found
            for one in declared(parse_yaml(textwrap.dedent(CHECKS), report), report, Registries().checks)
            if (found := place(one, facts))
        ]
        self.checks = build(entries, facts).checks
        assert not report.errors, [str(problem) for problem in report.errors]
        self.runs = 0

    def new_id(self):
        self.runs += 1
        return f"{self.runs:08}"

    def verdicts(self, hour):
        at = self.source.at = START + timedelta(hours=hour)
        everything = {check.id: check for check in self.checks}
        known = Environment("t", self.database, {}, {"tool": self.source}, {}, everything, (), Lineage(()), 60.0, lambda: at, self.new_id)
        outcome = evaluate(known, Run(self.new_id()), [Task(check, at) for check in self.checks])
        with self.database.write() as connection:
            commit(connection, [outcome], at)
        self.reasons = {r.check.id.removeprefix("tool/orders."): r.reason for r in outcome.results}
        return {r.check.id.removeprefix("tool/orders."): r.verdict.value for r in outcome.results if r.verdict.value != "pass"}

    def load(self, hour, minutes=10, status=LoadStatus.SUCCEEDED, **fields):
        start = START + timedelta(hours=hour)
        end = None if status is LoadStatus.RUNNING else start + timedelta(minutes=minutes)
        facts = {"rows": 1000, "rows_rejected": 0, "cursor": f"{hour}", "schema_version": "a"} | fields
        facts = facts if status is LoadStatus.SUCCEEDED else {}
        self.source.records.append(LoadRecord("tool", "orders", f"run-{hour}", status, start, started_at=start, finished_at=end, **facts))


@pytest.fixture
def day(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    database.prepare()
    found = Place(database)
    for hour in range(-60, 0):
        found.load(hour)
    return found


def test_a_day_of_a_pipeline(day):
    day.load(0)
    assert day.verdicts(0.5) == {}, day.reasons

    day.load(1, status=LoadStatus.FAILED)
    assert day.verdicts(1.5) == {"failed_runs": "fail", "failed_runs.day": "warn"}

    day.load(2, minutes=50, rows=300, rows_rejected=9, cursor="-70", schema_version="b")
    assert day.verdicts(2.9) == {
        "failed_runs.day": "warn",
        "run_duration": "fail",
        "rejected_rows": "fail",
        "rows_loaded_anomaly": "fail",
        "cursor_regress": "fail",
        "source_schema_change": "warn",
    }
    day.load(3, status=LoadStatus.RUNNING)
    day.source.pending = 101
    found = day.verdicts(5)
    assert {name: found[name] for name in ("stuck_run", "missed_schedule", "backlog")} == {
        "stuck_run": "fail",
        "missed_schedule": "fail",
        "backlog": "fail",
    }
    assert day.reasons["stuck_run"] == "load run-3 has been running for 2h; fails after 1h 30m"
    assert "source_schema_change" not in found, "the change is older than its window"


def test_a_run_that_ends_is_stuck_no_more_and_quiet_ones_are_counted(day):
    day.load(0, status=LoadStatus.RUNNING)
    assert day.verdicts(1.9)["stuck_run"] == "fail"
    del day.source.records[-1]
    day.load(0, minutes=118, rows=0, cursor="0")
    day.load(2, rows=0, cursor="0")
    found = day.verdicts(2.3)
    assert "stuck_run" not in found, day.reasons["stuck_run"]
    assert found["zero_rows"] == "fail"


def test_an_unreachable_source_is_an_error_and_never_fine_nor_late(day):
    day.verdicts(0.1)
    day.source.error = "ingestion tool: nobody listens"
    found = day.verdicts(9)
    assert set(found) == {check.id.removeprefix("tool/orders.") for check in day.checks}
    assert set(found.values()) == {"error"}
    assert set(day.reasons.values()) == {"ingestion tool: nobody listens"}


def test_a_pipeline_that_vanished_and_one_that_is_paused(day):
    day.source.info = None
    found = day.verdicts(0.5)
    assert (found["source_health"], found["missed_schedule"]) == ("fail", "skipped")
    day.source.info = PipelineInfo("tool", "orders", is_paused=True)
    found = day.verdicts(9)
    assert found["missed_schedule"] == "skipped"
    assert "source_health" not in found


@pytest.mark.parametrize(
    ("item", "provided", "missing"),
    [
        ("failed_runs", {"success"}, "failures"),
        ("stuck_run: {fail_after: 1h, times_usual: 2}", {"running"}, "duration"),
        ("stuck_run: {heartbeat_after: 1h}", {"running"}, "heartbeat"),
        ("run_duration: {fail_after: 1h}", {"success"}, "duration"),
        ("zero_rows", {"success"}, "rows"),
        ("rejected_rows", {"success", "rows"}, "rejects"),
        ('backlog: {fail_if: "> 1"}', {"success"}, "backlog"),
        ("missed_schedule", {"success"}, "schedule"),
        ("source_health: {heartbeat_after: 1h}", {"success"}, "heartbeat"),
        ("rows_loaded_anomaly", {"success"}, "rows"),
        ("cursor_stall", {"success"}, "cursor"),
        ("cursor_regress", {"success"}, "cursor"),
        ("source_schema_change", {"success"}, "schema"),
    ],
)
def test_a_source_that_cannot_feed_a_check_is_refused_with_the_reason(item, provided, missing):
    report = Report("checks/p.yaml")
    text = f"version: 1\ningestion:\n  - pipeline: tool/orders\n    checks:\n      - {item}\n"
    for known in (provided, provided | {missing}):
        facts = Facts({}, {"tool": frozenset(known)})
        entries = [found for one in declared(parse_yaml(text, report), report, Registries().checks) if (found := place(one, facts))]
        build(entries, facts)
    (problem,) = report.errors
    assert (problem.line, f"needs {missing}, which the source 'tool' cannot tell" in problem.message) == (5, True), str(problem)
