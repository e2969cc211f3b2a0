"""last_success, rows_loaded and orphan_load on kept load records."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from dqmon.checks.last_success import LastSuccess
from dqmon.checks.orphan_load import OrphanLoad
from dqmon.checks.rows_loaded import RowsLoaded
from dqmon.core.check import Check, PipelineRef, SourceLine
from dqmon.core.judgement import LoadEvidence
from dqmon.core.load_record import LoadRecord, LoadStatus
from dqmon.core.threshold import parse_threshold
from dqmon.core.verdict import Verdict
from dqmon.ingestion.dlt import Dlt

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECTIONS = [
    "What it measures:",
    "Why it matters:",
    "Parameters:",
    "NULLs and empty tables:",
    "SQL it runs:",
    "Example:",
    "Known limits:",
    "References:",
]


def check(rule, **fields):
    return Check("dlt/p.x", rule, None, PipelineRef("dlt", "p"), SourceLine("checks/p.yaml", 3), **fields)


def load(hours_ago, rows=10, status=LoadStatus.SUCCEEDED, **fields):
    at = NOW - timedelta(hours=hours_ago)
    finished = at if status is LoadStatus.SUCCEEDED else None
    return LoadRecord("dlt", "p", f"{at.timestamp():.0f}", status, NOW, started_at=at, finished_at=finished, rows=rows, **fields)


def judge(rule, *records, first_seen_h=100.0, **fields):
    first = NOW - timedelta(hours=first_seen_h)
    return rule.judge(check(rule, **fields), LoadEvidence(records, first, NOW, NOW))


@pytest.mark.parametrize(
    ("hours_ago", "verdict"),
    [(1, "pass"), (2, "pass"), (2.001, "warn"), (4, "warn"), (4.001, "fail"), (-1, "fail")],
)
def test_last_success_is_bad_past_a_limit_and_not_at_it(hours_ago, verdict):
    """A load that ends after the time of judging is not there yet."""
    found = judge(LastSuccess(warn_after=7200, fail_after=14400), load(hours_ago))
    assert found.verdict == verdict, found.reason


def test_last_success_takes_the_newest_of_completed_plain_loads():
    rule = LastSuccess(fail_after=14400)
    others = [
        load(1, status=LoadStatus.PARTIAL),
        load(1, status=LoadStatus.FAILED),
        load(1, kind="backfill"),
        load(1, table="orders"),
    ]
    found = judge(rule, load(9), load(5), *others)
    assert (found.verdict, found.observed.value) == (Verdict.FAIL, 5 * 3600.0)
    assert found.reason == "the last successful load ended 5h ago; fails after 4h"
    assert found.expected.text == "at most 4h since the last successful load"


@pytest.mark.parametrize(("first_seen_h", "verdict"), [(1, "pass"), (5, "fail")])
def test_a_pipeline_that_never_succeeded_fails_after_the_grace_from_first_sight(first_seen_h, verdict):
    found = judge(LastSuccess(fail_after=14400), load(1, status=LoadStatus.PARTIAL), first_seen_h=first_seen_h)
    assert found.verdict == verdict
    assert "no successful load since dqmon first saw it" in found.reason


def test_require_rows_counts_only_loads_with_rows():
    rule = LastSuccess(fail_after=14400, require_rows=True)
    found = judge(rule, load(5, rows=1), load(2, rows=0), load(1, rows=None))
    assert found.observed.value == 5 * 3600.0
    assert "load with rows" in found.reason


@pytest.mark.parametrize(
    ("options", "said"),
    [({}, "no limit is given"), ({"warn_after": 2, "fail_after": 1}, "never warn"), ({"fail_after": 1}, None), ({"warn_after": 1}, None)],
)
def test_problems_of_last_success(options, said):
    rule = LastSuccess(**options)
    found = rule.problems(check(rule))
    assert found == () if said is None else said in " ".join(found)


@pytest.mark.parametrize(
    ("options", "rows", "verdict"),
    [
        ({"min": 500}, 500, "pass"),
        ({"min": 500}, 499, "fail"),
        ({"min": 1}, 0, "fail"),
        ({"max": 500}, 500, "pass"),
        ({"max": 500}, 501, "fail"),
        ({"min": 10, "max": 20}, 20, "pass"),
        ({"min": 10, "max": 20}, 21, "fail"),
        ({"min": 10, "max": 20}, 9, "fail"),
    ],
)
def test_rows_loaded_bounds_are_inclusive(options, rows, verdict):
    assert judge(RowsLoaded(**options), load(1, rows=rows)).verdict == verdict


def test_rows_loaded_judges_the_newest_success_by_thresholds():
    found = judge(
        RowsLoaded(), load(9, rows=900), load(1, rows=3), load(0, rows=1, status=LoadStatus.PARTIAL), warn_if=parse_threshold("< 5")
    )
    assert found.verdict is Verdict.WARN
    assert found.reason == f"load {load(1).load_id} brought 3 rows; warns below 5 rows"


@pytest.mark.parametrize(("table_rows", "verdict"), [(600, "pass"), (5, "fail"), (None, "fail")])
def test_rows_loaded_of_one_table_where_untouched_is_zero(table_rows, verdict):
    records = [load(1, rows=9000)] + ([load(1, rows=table_rows, table="flights")] if table_rows is not None else [])
    found = judge(RowsLoaded(table="flights", min=500), *records)
    assert (found.verdict, found.observed.value) == (verdict, table_rows or 0)
    assert "into flights" in found.reason


@pytest.mark.parametrize("records", [[], [load(1, status=LoadStatus.PARTIAL)], [load(1, rows=None)], [load(1, kind="reset")]])
def test_rows_loaded_without_a_number_has_nothing_to_judge(records):
    found = judge(RowsLoaded(min=1), *records)
    assert (found.verdict, found.is_no_data) == (Verdict.SKIPPED, True)


@pytest.mark.parametrize(
    ("options", "fields", "said"),
    [
        ({}, {}, "rows_loaded has no limit"),
        ({"min": 1}, {"fail_if": parse_threshold("< 3")}, "both given"),
        ({"min": 2, "max": 1}, {}, "above max"),
        ({"min": 1}, {}, None),
    ],
)
def test_problems_of_rows_loaded(options, fields, said):
    rule = RowsLoaded(**options)
    found = rule.problems(check(rule, **fields))
    assert found == () if said is None else said in " ".join(found)


def test_rows_loaded_refuses_negative_bounds():
    with pytest.raises(ValidationError):
        RowsLoaded(min=-1)


@pytest.mark.parametrize(("hours_ago", "verdict"), [(0.5, "pass"), (1, "pass"), (1.001, "fail")])
def test_a_half_done_load_is_an_orphan_after_the_grace(hours_ago, verdict):
    found = judge(OrphanLoad(), load(hours_ago, rows=1, status=LoadStatus.PARTIAL))
    assert found.verdict == verdict, found.reason


def test_orphans_are_counted_once_and_named():
    whole = load(5, rows=1_200, status=LoadStatus.PARTIAL)
    records = [load(9), whole, replace(whole, table="orders"), load(0.1, status=LoadStatus.PARTIAL)]
    found = judge(OrphanLoad(), *records)
    assert found.observed.value == 1
    assert found.reason == f"1 load was never completed, with 1,200 rows in the tables: {whole.load_id}; not completed within 1h"
    many = judge(OrphanLoad(), *(load(n, status=LoadStatus.PARTIAL) for n in range(2, 10)))
    assert many.reason.count(",") == 5
    assert "and 3 more" in many.reason


def test_no_orphans_without_loads_and_after_completion():
    assert judge(OrphanLoad()).verdict is Verdict.PASS
    assert judge(OrphanLoad(), load(5), load(4, status=LoadStatus.CANCELLED)).verdict is Verdict.PASS


@pytest.mark.parametrize("rule", [LastSuccess, RowsLoaded, OrphanLoad])
def test_every_pipeline_check_documents_itself(rule):
    lines = [line.strip() for line in rule.__doc__.splitlines()]
    assert [line for line in lines if line in SECTIONS] == SECTIONS
    assert rule.needs <= Dlt.provides, "the one source that there is cannot say what the check needs"
