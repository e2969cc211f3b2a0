"""failed_runs, run_duration, stuck_run, missed_schedule and source_health on kept load records."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from load_records import NOW, ago, check_of, judge, load
from pydantic import ValidationError

from dqmon.checks.failed_runs import FailedRuns
from dqmon.checks.missed_schedule import MissedSchedule
from dqmon.checks.run_duration import RunDuration
from dqmon.checks.source_health import SourceHealth
from dqmon.checks.stuck_run import StuckRun
from dqmon.core.check import Schedule
from dqmon.core.load_record import LoadStatus, PipelineInfo
from dqmon.core.verdict import Verdict

H, M = 3600, 60
LETTERS = {"s": "succeeded", "f": "failed", "c": "cancelled", "p": "partial", "r": "running", "q": "queued", "k": "skipped", "u": "unknown"}


def loads(letters):
    """One load an hour, the newest last and an hour ago."""
    return [load(len(letters) - place, LETTERS[letter]) for place, letter in enumerate(letters)]


@pytest.mark.parametrize(
    ("letters", "options", "limits", "verdict", "value"),
    [
        ("s", {}, {}, "pass", 0),
        ("sf", {}, {}, "fail", 1),
        ("fs", {}, {}, "pass", 0),
        ("sfcf", {}, {}, "fail", 3),
        ("sfcf", {"cancelled": "ignore"}, {}, "fail", 2),
        ("sc", {"cancelled": "ignore"}, {}, "pass", 0),
        ("sff", {}, {"fail_if": ">= 3"}, "pass", 2),
        ("sfff", {}, {"fail_if": ">= 3"}, "fail", 3),
        ("sff", {}, {"warn_if": ">= 2"}, "warn", 2),
        ("fp", {}, {}, "warn", 0),
        ("fp", {"partial": "fail"}, {}, "fail", 0),
        ("fp", {"partial": "pass"}, {}, "pass", 0),
        ("fpf", {}, {}, "fail", 1),
        ("sfr", {}, {}, "fail", 1),
        ("sfqku", {}, {}, "fail", 1),
        ("r", {}, {}, "pass", 0),
        ("r", {"window": 24 * H}, {}, "pass", 0),
        ("ffss", {"window": 4 * H}, {}, "fail", 2),
        ("ffss", {"window": 2 * H}, {}, "pass", 0),
        ("fsfs", {"window": 24 * H}, {"warn_if": ">= 1", "fail_if": ">= 3"}, "warn", 2),
        ("fsp", {"window": 24 * H}, {"fail_if": ">= 3"}, "warn", 1),
    ],
)
def test_failed_runs(letters, options, limits, verdict, value):
    found = judge(FailedRuns(**options), *loads(letters), **limits)
    assert (found.verdict, found.observed.value) == (verdict, value), found.reason


@pytest.mark.parametrize(("letters", "options"), [("", {}), ("rqku", {}), ("f", {"window": 30 * M}), ("cc", {"cancelled": "ignore"})])
def test_failed_runs_without_an_ended_load_has_nothing_to_judge(letters, options):
    found = judge(FailedRuns(**options), *loads(letters))
    assert (found.verdict, found.is_no_data) == (Verdict.SKIPPED, True)


def test_a_retry_that_succeeded_is_no_failure_and_tables_are_no_loads_of_their_own():
    first, again = load(2, "failed", load_id="1"), load(1, load_id="1", attempt=2)
    assert judge(FailedRuns(), first, again).verdict is Verdict.PASS
    assert judge(FailedRuns(), replace(again, status=LoadStatus.FAILED), first).observed.value == 1
    assert judge(FailedRuns(), load(2), load(1, "failed", table="orders")).verdict is Verdict.PASS


def test_failed_runs_says_which_load_and_why_on_one_line():
    found = judge(FailedRuns(), load(2), load(1, "failed", error="could not\n  connect " + "x" * 500))
    assert found.reason.startswith("the newest load failed; fails above 0 loads; the newest, L1: could not connect xxx")
    assert found.reason.endswith("…")
    assert len(found.reason) < 300
    assert found.expected.text == "no failed loads"
    many = judge(FailedRuns(window=24 * H), *loads("sfsf"))
    assert many.reason == "2 of 4 loads in the last 1d failed; fails above 0 loads; the newest, L1"
    partial = judge(FailedRuns(), load(1, "partial", error="1 file left out"))
    assert partial.reason == "load L1 was only partly successful: 1 file left out; warns by `partial`"


def test_a_load_that_ends_after_the_time_of_judging_is_not_there_yet():
    assert judge(FailedRuns(), load(1), load(-1, "failed", took_h=3)).verdict is Verdict.PASS


@given(st.text("sfcpk", max_size=12))
def test_the_streak_of_failures_is_what_stands_at_the_end(letters):
    outcomes = letters.replace("k", "")
    found = judge(FailedRuns(), *loads(letters))
    if not outcomes:
        assert found.verdict is Verdict.SKIPPED
    else:
        assert found.observed.value == len(outcomes) - len(outcomes.rstrip("fc"))


@pytest.mark.parametrize(
    ("took", "options", "verdict"),
    [
        ([1, 1], {"fail_after": 2 * H}, "pass"),
        ([1, 2], {"fail_after": 2 * H}, "pass"),
        ([1, 2.01], {"fail_after": 2 * H}, "fail"),
        ([1, 2.01], {"warn_after": 2 * H, "fail_after": 3 * H}, "warn"),
        ([1, 1, 1, 1, 1, 2], {"times_usual": 2}, "pass"),
        ([1, 1, 1, 1, 1, 2.01], {"times_usual": 2}, "fail"),
        ([1, 1, 1, 1, 2.01], {"times_usual": 2}, "skipped"),
        ([1, 2.01], {"times_usual": 2, "min_history": 1}, "fail"),
        ([1, 1, 1, 1, 1, 2.5], {"times_usual": 2, "fail_after": 3 * H}, "pass"),
        ([1, 1, 1, 1, 1, 2.5], {"times_usual": 3, "fail_after": 2 * H}, "pass"),
        ([1, 1, 1, 1, 1, 3.5], {"times_usual": 3, "fail_after": 2 * H}, "fail"),
        ([1, 1, 1, 1, 1, 2.5], {"times_usual": 2, "warn_after": 1 * H}, "warn"),
        ([1, 1, 1, 1, 1, 1.5], {"times_usual": 2, "warn_after": 1 * H}, "pass"),
        ([1, 2.5], {"times_usual": 2, "fail_after": 2 * H}, "fail"),
    ],
)
def test_run_duration(took, options, verdict):
    records = [load(len(took) - place, took_h=hours) for place, hours in enumerate(took)]
    found = judge(RunDuration(**options), *records)
    assert (found.verdict, pytest.approx(found.observed.value)) == (verdict, took[-1] * H), found.reason


def test_run_duration_says_what_is_usual():
    records = [load(10 - n, took_h=1) for n in range(9)]
    found = judge(RunDuration(times_usual="1.5"), *records, load(0.5, took_h=2))
    assert found.reason == "load L0.5 took 2h; fails after 1h 30m, 1.5 times the usual 1h"
    assert found.expected.text == "at most 1h 30m for a load"
    learning = judge(RunDuration(times_usual=2), load(1))
    assert (learning.is_learning, learning.reason) == (
        True,
        "load L1 took 30m; learning what is usual, 5 more loads needed before judging",
    )


def test_run_duration_times_successful_plain_loads_only():
    others = [load(1, "failed", took_h=9), load(1, "running"), load(1, kind="backfill", took_h=9), load(1, started_at=None)]
    assert judge(RunDuration(fail_after=H), load(2), *others).observed.value == 0.5 * H
    assert judge(RunDuration(fail_after=H), *others).is_no_data


@pytest.mark.parametrize("rule", [RunDuration, StuckRun])
@pytest.mark.parametrize(
    ("options", "said"), [({}, "no limit is given"), ({"warn_after": 2, "fail_after": 1}, "never warn"), ({"times_usual": 2}, None)]
)
def test_problems_of_durations(rule, options, said):
    found = rule(**options).problems(check_of(rule(**options)))
    assert found == () if said is None else said in " ".join(found)


@pytest.mark.parametrize("options", [{"times_usual": 0}, {"times_usual": -1}, {"min_history": 0}, {"fail_after": "soon"}])
def test_durations_refuse_what_is_no_limit(options):
    with pytest.raises(ValidationError):
        StuckRun(**options)


@pytest.mark.parametrize(
    ("records", "options", "verdict", "value"),
    [
        ([], {"fail_after": H}, "pass", 0.0),
        ([load(9, "queued")], {"fail_after": H}, "pass", 0.0),
        ([load(1, "running")], {"fail_after": H}, "pass", H),
        ([load(1.01, "running")], {"fail_after": H}, "fail", 1.01 * H),
        ([load(1, "running")], {"warn_after": H, "fail_after": 2 * H}, "pass", H),
        ([load(1.01, "running")], {"warn_after": H, "fail_after": 2 * H}, "warn", 1.01 * H),
        ([load(3, "running"), load(1, "running")], {"fail_after": 2 * H}, "fail", 3 * H),
        ([load(3, "running", load_id="1"), load(1, load_id="1", attempt=2)], {"fail_after": 2 * H}, "pass", 0.0),
        ([*loads("sssss"), load(1.4, "running")], {"times_usual": 3}, "pass", 1.4 * H),
        ([*loads("sssss"), load(1.6, "running")], {"times_usual": 3}, "fail", 1.6 * H),
        ([*loads("sssss"), load(1.6, "running")], {"times_usual": 3, "fail_after": 2 * H}, "pass", 1.6 * H),
        ([load(9, "running")], {"times_usual": 3}, "skipped", 9 * H),
        ([load(9, "running", started_at=None)], {"fail_after": H}, "pass", 0.0),
        ([load(9, "running", heartbeat_at=ago(0.1))], {"heartbeat_after": 10 * M}, "pass", 9 * H),
        ([load(9, "running", heartbeat_at=ago(0.2))], {"heartbeat_after": 10 * M}, "fail", 9 * H),
        ([load(0.2, "running")], {"heartbeat_after": 10 * M}, "fail", 0.2 * H),
        ([load(0.1, "running")], {"heartbeat_after": 10 * M}, "pass", 0.1 * H),
        ([load(9, "running", heartbeat_at=ago(0))], {"heartbeat_after": 10 * M, "fail_after": H}, "fail", 9 * H),
    ],
)
def test_stuck_run(records, options, verdict, value):
    found = judge(StuckRun(**options), *records)
    assert (found.verdict, pytest.approx(found.observed.value)) == (verdict, value), found.reason


def test_stuck_run_says_which_load():
    found = judge(StuckRun(fail_after=2 * H), load(3, "running"), load(1, "running"))
    assert found.reason == "load L3 has been running for 3h, the oldest of 2; fails after 2h"
    silent = judge(StuckRun(heartbeat_after=10 * M), load(3, "running", heartbeat_at=ago(1)))
    assert silent.reason == "load L3 is called running, but gave no sign of life for 1h; fails after 10m"


@pytest.mark.parametrize(
    ("rule", "needed"),
    [
        (StuckRun(fail_after=1), {"running"}),
        (StuckRun(fail_after=1, times_usual=2), {"running", "duration"}),
        (StuckRun(heartbeat_after=1), {"running", "heartbeat"}),
        (RunDuration(fail_after=1), {"success", "duration"}),
        (MissedSchedule(), {"success", "schedule"}),
        (MissedSchedule(cron="0 6 * * *"), {"success"}),
        (MissedSchedule(every=60), {"success"}),
        (SourceHealth(), set()),
        (SourceHealth(heartbeat_after=1), {"heartbeat"}),
    ],
)
def test_options_ask_for_what_the_source_must_say(rule, needed):
    assert rule.needed == needed


HOURLY = Schedule("0 * * * *", None, "UTC")


@pytest.mark.parametrize(
    ("records", "options", "verdict", "value"),
    [
        ([load(0.6, took_h=0.5)], {"cron": "30 11 * * *"}, "fail", 1),
        ([load(0.4, took_h=0.1)], {"cron": "30 11 * * *"}, "pass", 0),
        ([load(0.3, "running")], {"cron": "0 11 * * *"}, "pass", 0),
        ([load(0.3, "failed")], {"cron": "0 11 * * *"}, "pass", 0),
        ([load(0.3, "skipped")], {"cron": "0 11 * * *"}, "pass", 0),
        ([load(0.3, "queued")], {"cron": "0 11 * * *"}, "fail", 5),
        ([load(0.3, kind="backfill")], {"cron": "0 11 * * *"}, "fail", 5),
        ([load(0.3, table="orders")], {"cron": "0 11 * * *"}, "fail", 5),
        ([load(1, took_h=0.008)], {"cron": "0 11 * * *"}, "pass", 0),
        ([load(1, took_h=0.009)], {"cron": "0 11 * * *"}, "fail", 1),
        ([load(3)], {"cron": "0 * * * *"}, "fail", 3),
        ([load(3)], {"cron": "0 * * * *", "grace": 0}, "fail", 4),
        ([load(3)], {"every": H}, "fail", 3),
        ([load(9), load(3)], {"every": H}, "fail", 3),
        ([load(3, took_h=0)], {"every": H, "grace": 0}, "fail", 3),
        ([load(1, took_h=0)], {"every": H}, "pass", 0),
        ([load(9)], {"cron": "0 6 30 11 *"}, "pass", 0),
    ],
)
def test_missed_schedule(records, options, verdict, value):
    found = judge(MissedSchedule(**options), *records)
    assert (found.verdict, found.observed.value) == (verdict, value), found.reason


def test_a_schedule_of_the_tool_is_taken_where_the_check_says_none():
    known = {"info": PipelineInfo("s", "p", schedule=HOURLY)}
    found = judge(MissedSchedule(), load(3), evidence=known)
    assert found.observed.value == 3
    assert found.reason == (
        "the last load started 3h 30m ago; 3 should have started since, the first at 2026-11-20 09:00 UTC (0 * * * * UTC); "
        "fails above 0 loads"
    )
    assert judge(MissedSchedule(), load(3)).is_no_data
    assert judge(MissedSchedule(cron="0 6 1 1 *"), load(3), evidence=known).verdict is Verdict.PASS


def test_local_schedules_follow_their_clock():
    at = {"measured_at": datetime(2026, 3, 29, 5, 30, tzinfo=UTC), "first_seen_at": datetime(2026, 3, 28, 5, 30, tzinfo=UTC)}
    berlin = judge(MissedSchedule(cron="0 7 * * *"), evidence=at, timezone="Europe/Berlin")
    assert "the first at 2026-03-28 06:00 UTC" in berlin.reason
    assert berlin.observed.value == 2, "on the day of the change 07:00 is 05:00 UTC"


def test_a_pipeline_that_never_started_is_measured_from_first_sight():
    new = {"first_seen_at": ago(0.5)}
    assert judge(MissedSchedule(every=H), evidence=new).verdict is Verdict.PASS
    assert "no load started since dqmon first saw the pipeline 4d 4h ago" in judge(MissedSchedule(every=H)).reason


def test_many_missed_loads_are_not_counted_for_ever():
    found = judge(MissedSchedule(every=1), load(90 * 24))
    assert found.observed.value == 1000
    assert "1,000 or more should have started" in found.reason


@pytest.mark.parametrize(("options", "verdict"), [({}, "skipped"), ({"paused_after": 4 * H}, "skipped"), ({"paused_after": 3 * H}, "warn")])
def test_a_paused_pipeline_is_not_late(options, verdict):
    found = judge(MissedSchedule(every=H, **options), load(3), evidence={"info": PipelineInfo("s", "p", is_paused=True)})
    assert (found.verdict, found.is_no_data) == (verdict, False)
    assert found.reason.startswith("the pipeline is paused; the last load started 3h 30m ago")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cron": "0 6 * * *", "every": 60}, "both given"),
        ({"cron": "0 6 * *"}, "not an expression"),
        ({"cron": "0 6 31 2 *"}, "not an expression"),
        ({"cron": "61 * * * *"}, "not an expression"),
        ({"every": 0}, "never cease"),
    ],
)
def test_problems_of_missed_schedule(options, said):
    rule = MissedSchedule(**options)
    assert said in " ".join(rule.problems(check_of(rule)))


@given(st.integers(0, 200), st.integers(1, 50), st.integers(0, 30))
def test_missed_intervals_are_those_that_fit_in_between(minutes_ago, every_min, grace_min):
    rule = MissedSchedule(every=every_min * M, grace=grace_min * M)
    found = judge(rule, load(0, took_h=0, started_at=NOW - timedelta(minutes=minutes_ago)))
    assert found.observed.value == max(0, (minutes_ago - grace_min) // every_min)


@pytest.mark.parametrize(
    ("info", "options", "verdict"),
    [
        (PipelineInfo("s", "p"), {}, "pass"),
        (None, {}, "fail"),
        (None, {"heartbeat_after": 300}, "fail"),
        (PipelineInfo("s", "p"), {"heartbeat_after": 300}, "skipped"),
        (PipelineInfo("s", "p", heartbeat_at=NOW - timedelta(seconds=300)), {"heartbeat_after": 300}, "pass"),
        (PipelineInfo("s", "p", heartbeat_at=NOW - timedelta(seconds=301)), {"heartbeat_after": 300}, "error"),
        (PipelineInfo("s", "p", heartbeat_at=NOW + timedelta(seconds=9)), {"heartbeat_after": 300}, "pass"),
    ],
)
def test_source_health(info, options, verdict):
    assert judge(SourceHealth(**options), evidence={"info": info}).verdict == verdict


@pytest.mark.parametrize(
    ("rule", "letters"),
    list(
        product(
            [
                FailedRuns(),
                FailedRuns(window=H),
                RunDuration(times_usual=2),
                StuckRun(times_usual=2, heartbeat_after=5),
                MissedSchedule(every=5),
            ],
            ["", "s", "fcpsrqku", "uuuu", "rrrr", "ssssssssssr"],
        )
    ),
)
def test_judging_is_total_and_always_says_why(rule, letters):
    bare = [replace(record, started_at=None, finished_at=None) for record in loads(letters)]
    for records in (loads(letters), bare):
        found = judge(rule, *records, evidence={"info": None})
        assert found.reason
        assert found.expected.text
