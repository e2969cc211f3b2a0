"""The source heartbeat: what a ping makes of a run, whatever came before it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ingestion_contract import check_record, check_source
from pydantic import ValidationError

from dqmon.core.check import Schedule
from dqmon.ingestion.heartbeat import Heartbeat, HeartbeatOptions, Ping

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOKEN = "a-token-of-24-characters"


def source(**options):
    given = {"token": TOKEN, "pipelines": {"backup": {"cron": "0 2 * * *", "timezone": "Europe/Berlin"}, "etl/nightly": None}} | options
    return Heartbeat("cron", HeartbeatOptions.model_validate(given), None)


class Kept:
    """What the store would hold of one pipeline."""

    def __init__(self):
        self.source, self.records, self.now = source(), {}, NOW

    def ping(self, status="success", after_s=60, **fields):
        self.now += timedelta(seconds=after_s)
        told = Ping(status, **fields)
        opened = sorted((r for r in self.records.values() if r.status == "running"), key=lambda r: r.started_at)
        found = self.source.records("backup", told, self.records.get(told.run_id), () if told.run_id else tuple(opened), self.now)
        for record in found:
            check_record(self.source, record, record.observed_at)
            self.records[record.load_id] = record
        return found[0]

    @property
    def statuses(self):
        return [record.status.value for record in sorted(self.records.values(), key=lambda r: (r.started_at or r.finished_at, r.load_id))]


@pytest.fixture
def kept():
    return Kept()


def test_it_keeps_the_contract_and_lists_what_is_declared():
    assert check_source(source(), NOW - timedelta(days=1), NOW) == ()
    assert [(info.pipeline, info.schedule) for info in source().pipelines()] == [
        ("backup", Schedule("0 2 * * *", None, "Europe/Berlin")),
        ("etl/nightly", None),
    ]
    assert source().knows("etl/nightly")
    assert not source().knows("../backup")


def test_a_start_opens_a_run_that_the_next_success_ends(kept):
    assert kept.ping("start").status == "running"
    ended = kept.ping(after_s=90, rows=12, rows_rejected=1, cursor="2026-11-20")
    assert (ended.status, ended.rows, ended.rows_rejected, ended.cursor) == ("succeeded", 12, 1, "2026-11-20")
    assert (ended.finished_at - ended.started_at).total_seconds() == 90
    assert kept.statuses == ["succeeded"]


def test_a_success_alone_is_a_run_of_its_own_and_says_its_length_only_when_told(kept):
    assert kept.ping().started_at is None
    told = kept.ping(duration_s=30.5)
    assert (told.finished_at - told.started_at).total_seconds() == 30.5
    assert kept.statuses == ["succeeded", "succeeded"]


def test_a_fail_keeps_its_error(kept):
    kept.ping("start")
    assert (kept.ping("fail", error="disk full").error, kept.statuses) == ("disk full", ["failed"])


def test_a_run_that_never_ended_is_unknown_once_the_next_one_starts(kept):
    kept.ping("start")
    kept.ping("start", after_s=3_600)
    kept.ping()
    assert kept.statuses == ["unknown", "succeeded"]


def test_with_run_ids_runs_may_overlap_and_a_start_without_one_leaves_them_alone(kept):
    kept.ping("start", run_id="a")
    kept.ping("start", run_id="b")
    kept.ping("start")
    kept.ping(run_id="a")
    assert {record.load_id: record.status.value for record in kept.records.values() if record.load_id in "ab"} == {
        "a": "succeeded",
        "b": "running",
    }


@pytest.mark.parametrize("status", ["success", "fail"])
def test_an_end_that_is_sent_again_changes_nothing(kept, status):
    kept.ping("start", run_id="a")
    first = kept.ping(status, run_id="a", rows=3)
    assert kept.ping(status, run_id="a", rows=3) == first
    assert kept.ping("start", run_id="a") == first, "a start that came late opened the run again"


def test_of_two_ends_the_newer_one_counts(kept):
    kept.ping("fail", run_id="a", error="no disk")
    again = kept.ping("success", run_id="a")
    assert (again.status, again.error) == ("succeeded", None)
    assert kept.ping("fail", run_id="a", error="no disk").status == "failed"


def test_a_start_that_is_sent_again_is_a_sign_of_life(kept):
    started = kept.ping("start", run_id="a")
    alive = kept.ping("start", run_id="a", after_s=300)
    assert (alive.started_at, alive.heartbeat_at) == (started.started_at, kept.now)


def test_a_clock_that_was_set_back_hides_no_end(kept):
    started = kept.ping("start", run_id="a")
    ended = kept.ping(run_id="a", after_s=-3_600)
    assert ended.finished_at >= started.started_at
    assert ended.observed_at >= started.observed_at, "the store would hold the start to be newer than the end"


def test_only_the_whole_token_is_admitted():
    assert source().admits(TOKEN)
    for wrong in ("", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), f" {TOKEN}", "é" * 24, "\ud800"):
        assert not source().admits(wrong), wrong


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"token": "short"}, "at least 16 characters"),
        ({"token": "with a blank in its midst"}, "without blanks"),
        ({"token": "späßchen-späßchen-späßchen"}, "ASCII"),
        ({"pipelines": {}}, "at least 1 item"),
        ({"pipelines": {"back*": None}}, "is a pattern"),
        ({"pipelines": {" ": None}}, "a text is expected"),
        ({"pipelines": {"a\nb": None}}, "control characters"),
        ({"pipelines": {"x" * 1_001: None}}, "longer than 1000 bytes"),
        ({"pipelines": {"a": {"cron": "0 2 * * *", "every": 60}}}, "write one of them"),
        ({"pipelines": {"a": {"cron": "0 2 31 2 *"}}}, "fires on no day"),
        ({"pipelines": {"a": {"cron": "nonsense"}}}, "fires on no day"),
        ({"pipelines": {"a": {"every": 60, "timezone": "Mars/Olympus"}}}, "no time zone"),
        ({"pipelines": {"a": {"every": 0}}}, "greater than 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, complaint):
    with pytest.raises(ValidationError, match=complaint):
        source(**options)
