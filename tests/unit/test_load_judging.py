"""Growth of backlogs, the fires of a schedule that loads are of, and what a source that is mapped by hand can say."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from load_records import NOW, ago, check_of, judge, load
from pydantic import ValidationError

from dqmon.checks.backlog import Backlog
from dqmon.checks.missed_schedule import MissedSchedule
from dqmon.config.build import build
from dqmon.config.check_file import declared
from dqmon.config.registries import Registries
from dqmon.config.report import Report
from dqmon.config.targets import Facts, place
from dqmon.config.yaml_lines import parse_yaml
from dqmon.core.load_record import Backlog as Waiting
from dqmon.ingestion.http import Http, HttpFields, HttpOptions
from dqmon.ingestion.sql import Sql, SqlColumns, SqlOptions


def growth(*amounts, growing_for=3, unit="messages", **limits):
    """The judgement when these amounts waited, a minute apart, the last one now; its minute was sampled already."""
    times = [NOW - timedelta(minutes=n) for n in range(len(amounts))][::-1]
    samples = tuple(Waiting("s", "p", n, unit, at) for n, at in zip(amounts, times, strict=True))
    evidence = {"backlogs": (Waiting("s", "p", amounts[-1], unit, NOW),), "samples": samples}
    return judge(Backlog(growing_for=growing_for), evidence=evidence, **limits)


@pytest.mark.parametrize(
    ("amounts", "verdict"),
    [
        ((1, 2, 3, 4), "fail"),
        ((9, 1, 2, 3, 4), "fail"),
        ((1, 2, 3, 3), "pass"),
        ((4, 3, 4, 5), "pass"),
        ((1, 2, 1, 2, 3), "pass"),
        ((5, 5, 5, 5), "pass"),
        ((1, 2, 3), "skipped"),
        ((7,), "skipped"),
    ],
)
def test_a_backlog_grows_when_more_waits_at_each_of_the_last_polls(amounts, verdict):
    found = growth(*amounts)
    assert (found.verdict.value, found.is_learning) == (verdict, verdict == "skipped"), found.reason


def test_growth_is_worded_and_the_worst_of_several_limits_counts():
    assert growth(1, 2, 3, 4).reason == "4 messages wait; more than at the poll before, 3 times in a row; fails after 3"
    assert growth(1, 2).reason == "2 messages wait; more than at the poll before, 1 time in a row; learning, 2 more polls needed"
    assert growth(1, 2, 3, 9, fail_if="> 100").verdict.value == "fail"
    assert growth(9, 8, fail_if="> 5").verdict.value == "fail", "the growth is not known yet, the amount is"
    assert growth(1, 2, 3, 4, unit="bytes").reason.startswith("4 bytes wait")


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.integers(2, 5))
def test_growth_is_what_it_says(amounts, growing_for):
    last = amounts[-growing_for - 1 :]
    grows = len(last) > growing_for and all(before < after for before, after in pairwise(last))
    assert (growth(*amounts, growing_for=growing_for).verdict.value == "fail") is grows


@pytest.mark.parametrize("growing_for", [1, 1001, 2.5])
def test_a_growth_of_one_poll_or_of_too_many_is_refused(growing_for):
    with pytest.raises(ValidationError, match="growing_for"):
        Backlog(growing_for=growing_for)
    assert Backlog(growing_for=2).problems(check_of(Backlog(growing_for=2))) == ()


def test_a_load_stands_for_the_fire_that_it_is_of_and_not_for_the_time_at_which_it_started():
    late = load(0.5, took_h=0.1, scheduled_for=ago(4))
    found = judge(MissedSchedule(cron="0 * * * *"), load(5), late)
    assert (found.verdict.value, found.observed.value) == ("fail", 3), found.reason
    assert found.reason.startswith("the last load started 36m ago; 3 should have started since, the first at 2026-11-20 09:00 UTC")
    assert judge(MissedSchedule(cron="0 * * * *"), load(0.5, took_h=0.5, scheduled_for=ago(1))).verdict.value == "pass"


BASE = {"pipeline": "p", "load_id": "id", "status": "state"}


def sql(**columns):
    options = SqlOptions(warehouse="main", query="select 1", columns=SqlColumns(**BASE, **columns))
    return options.narrowed(frozenset(Sql.provides))


def http(**fields):
    given = {"load_id": "/id", "status": "/s", "finished_at": "/end", **fields}
    return HttpOptions(base_url="http://x", fields=HttpFields(**given), pipelines=["p"]).narrowed(frozenset(Http.provides))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (sql(), {"failures", "running"}),
        (sql(finished_at="e"), {"failures", "running", "success"}),
        (sql(data_through="e"), {"failures", "running", "success"}),
        (sql(started_at="s", finished_at="e"), {"failures", "running", "success", "duration"}),
        (sql(rows="r", cursor="c"), {"failures", "running", "rows", "cursor"}),
        (sql(rows_rejected="r", schema_version="v", heartbeat_at="h"), {"failures", "running", "rejects", "schema", "heartbeat"}),
        (http(), {"failures", "running", "success"}),
        (http(started_at="/b", rows="/n"), {"failures", "running", "success", "duration", "rows"}),
    ],
)
def test_a_source_that_is_mapped_says_what_is_mapped(said, expected):
    assert said == expected


def test_a_check_on_an_unmapped_column_is_refused_where_it_stands():
    report, facts = Report("checks/p.yaml"), Facts({}, {"tool": sql(finished_at="e")})
    text = "version: 1\ningestion:\n  - pipeline: tool/orders\n    checks:\n      - failed_runs\n      - zero_rows\n"
    build([found for one in declared(parse_yaml(text, report), report, Registries().checks) if (found := place(one, facts))], facts)
    (problem,) = report.errors
    assert (problem.line, "needs rows, which the source 'tool' cannot tell" in problem.message) == (6, True), str(problem)
