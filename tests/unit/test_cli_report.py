"""The exit code, the JSON document and the texts of a run's report."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqmon.cli import report
from dqmon.cli.exit_codes import ExitCode
from dqmon.core.result import ResultRecord
from dqmon.core.verdict import Severity, Verdict
from dqmon.engine.on_demand import CheckReport

NOON = datetime(2013, 2, 9, 13, tzinfo=UTC)
PASSING = ResultRecord(
    id="r1", run_id="run", check_id="main.flights.row_count", name=None, type="row_count", dimension="volume", warehouse="main",
    dataset="main.flights", pipeline=None, columns=(), tags=("core",), partition_column=None, partition_start=None, partition_end=None,
    partition="", segment="{}", verdict=Verdict.PASS, severity=Severity.WARNING, observed_value=930, unit="rows", ratio=None,
    rows_tested=None, expected_low=500.0, expected_high=None, expected_text="at least 500 rows", reason="930 rows", owner="@team",
    runbook="https://example.com/rb", description=None, source_path="checks/flights.yaml", source_line=12, sql=("select count(*)",),
    scheduled_at=NOON, measured_at=NOON, duration_s=0.1, is_learning=False, is_ad_hoc=False, as_of=None, baseline=(),
)  # fmt: skip


def _report(*records: ResultRecord, problem: str | None = None) -> CheckReport:
    return CheckReport("run", NOON, NOON + timedelta(seconds=1.25), records, 3, problem=problem)


def _record(verdict: Verdict, severity: Severity = Severity.WARNING) -> ResultRecord:
    return replace(PASSING, verdict=verdict, severity=severity, reason=f"it is {verdict}")


@pytest.mark.parametrize(
    ("verdicts", "fail_on", "min_severity", "problem", "code"),
    [
        ((Verdict.PASS,), "fail", "info", None, ExitCode.OK),
        ((), "fail", "info", None, ExitCode.OK),
        ((Verdict.WARN, Verdict.SKIPPED), "fail", "info", None, ExitCode.OK),
        ((Verdict.WARN,), "warn", "info", None, ExitCode.FAILED),
        ((Verdict.FAIL,), "fail", "info", None, ExitCode.FAILED),
        ((Verdict.FAIL,), "never", "info", None, ExitCode.OK),
        ((Verdict.FAIL,), "fail", "warning", None, ExitCode.FAILED),
        ((Verdict.FAIL,), "fail", "error", None, ExitCode.OK),
        ((Verdict.FAIL, Verdict.ERROR), "fail", "info", None, ExitCode.NOT_EVALUATED),
        ((Verdict.ERROR,), "never", "critical", None, ExitCode.NOT_EVALUATED),
        ((Verdict.FAIL, Verdict.ERROR), "fail", "info", "the store is full", ExitCode.NOT_RECORDED),
        ((Verdict.SKIPPED,), "warn", "info", None, ExitCode.OK),
    ],
)
def test_exit_code(verdicts: tuple[Verdict, ...], fail_on: str, min_severity: str, problem: str | None, code: ExitCode) -> None:
    found = _report(*map(_record, verdicts), problem=problem)
    assert report.exit_code(found, fail_on, Severity(min_severity)) is code


def test_the_document_has_the_contract_s_keys_and_counts() -> None:
    skipped = replace(_record(Verdict.SKIPPED), is_learning=True, observed_value=None, check_id="main.flights.volume_anomaly")
    found = report.document(_report(PASSING, _record(Verdict.FAIL), skipped), ExitCode.FAILED)
    assert list(found) == ["schema_version", "run_id", "started_at", "finished_at", "exit_code", "summary", "results"]
    assert found["summary"] == {
        "checks": 2, "results": 3, "pass": 1, "warn": 0, "fail": 1, "error": 0, "skipped": 1, "datasets": 1, "statements": 3, "reused": 0,
        "credits": {},
    }  # fmt: skip
    assert (found["exit_code"], found["started_at"]) == (1, "2013-02-09T13:00:00Z")
    assert list(found["results"][0]) == [
        "check_id", "name", "type", "dimension", "warehouse", "dataset", "pipeline", "columns", "tags", "partition", "segment", "verdict",
        "severity", "observed", "expected", "reason", "owner", "runbook", "caused_by", "reused", "as_of", "source", "sql", "scheduled_at",
        "measured_at", "duration_s",
    ]  # fmt: skip


@given(low=st.floats(), high=st.floats(), reason=st.text())
def test_the_json_is_strict_whatever_was_measured(low: float, high: float, reason: str) -> None:
    record = replace(PASSING, expected_low=low, expected_high=high, reason=reason)
    text = report.to_json(_report(record), ExitCode.OK)
    found = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert found["results"][0]["reason"] == reason


def test_rows_have_the_worst_first_and_one_line_for_a_table_s_passes() -> None:
    found = report.rows([PASSING, _record(Verdict.SKIPPED), _record(Verdict.WARN), PASSING, _record(Verdict.FAIL, Severity.CRITICAL)])
    assert [row[0] for row in found] == ["FAIL", "WARN", "SKIPPED", "PASS"]
    assert found[0] == ("FAIL", "main.flights.row_count", "it is fail", "critical")
    assert found[-1] == ("PASS", "main.flights", "2 results", "")


def test_tables_of_one_name_in_two_warehouses_keep_a_line_each() -> None:
    found = report.rows([PASSING, replace(PASSING, warehouse="lake"), replace(PASSING, dataset="main.planes")])
    assert [row[1] for row in found] == ["main:main.flights", "lake:main.flights", "main.planes"]


def test_a_label_names_partition_and_segment() -> None:
    day = replace(
        PASSING, partition="x", partition_column="time_hour", partition_start=NOON, partition_end=NOON + timedelta(days=1),
        segment='{"carrier": null, "origin": "JFK"}',
    )  # fmt: skip
    assert report.label(day) == "main.flights.row_count [2013-02-09 13:00Z +1d] carrier=null, origin=JFK"
    assert report.label(replace(PASSING, partition="null", partition_column="day")) == "main.flights.row_count [day is null]"


def test_details_say_where_who_and_what_to_type_once_for_each_check() -> None:
    failed = _record(Verdict.FAIL)
    others = [replace(failed, check_id=f"c{i}") for i in range(7)]
    assert list(report.details([failed, failed, PASSING])) == [
        "FAIL main.flights.row_count  checks/flights.yaml:12",
        "  expected  at least 500 rows",
        "  owner @team  https://example.com/rb",
        "  next      dqmon explain main.flights.row_count",
    ]
    assert list(report.details(others))[-1] == "and 2 more"
    assert list(report.details([failed], NOON))[-1] == "  next      dqmon explain main.flights.row_count --at 2013-02-09T13:00:00Z"
    assert list(report.details([PASSING])) == []


def test_the_summary_counts_learning_apart() -> None:
    learning = replace(_record(Verdict.SKIPPED), is_learning=True)
    found = report.summary(_report(PASSING, PASSING, _record(Verdict.WARN), learning), ExitCode.OK)
    assert found == "2 pass, 1 warn, 1 learning in 1.2 s, 3 statements  exit 0"
