"""Load records for the tests of pipeline checks: times are hours before NOW."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dqmon.core.check import Check, PipelineRef, SourceLine
from dqmon.core.judgement import LoadEvidence
from dqmon.core.load_record import LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.threshold import parse_threshold

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def ago(hours):
    return NOW - timedelta(hours=hours)


def load(hours_ago, status="succeeded", took_h=0.5, load_id=None, **fields):
    """A load that ended `hours_ago` and took `took_h`; one that runs or waits has no end, and started then."""
    status = LoadStatus(status)
    is_open = status in (LoadStatus.RUNNING, LoadStatus.QUEUED)
    started = None if status is LoadStatus.QUEUED else ago(hours_ago if is_open else hours_ago + took_h)
    times = {"started_at": started, "finished_at": None if is_open else ago(hours_ago)} | fields
    return LoadRecord("s", "p", load_id or f"L{hours_ago:g}", status, NOW, **times)


def check_of(rule, warn_if=None, fail_if=None, **fields):
    limits = {"warn_if": warn_if and parse_threshold(warn_if), "fail_if": fail_if and parse_threshold(fail_if)}
    return Check("s/p.x", rule, None, PipelineRef("s", "p"), SourceLine("checks/p.yaml", 3), **limits, **fields)


def judge(rule, *records, evidence=None, **fields):
    """The judgement at NOW of a check without problems; `evidence` are further fields of LoadEvidence."""
    check = check_of(rule, **fields)
    assert rule.problems(check) == ()
    known = {"first_seen_at": ago(100), "scheduled_at": NOW, "measured_at": NOW, "info": PipelineInfo("s", "p")}
    return rule.judge(check, LoadEvidence(records, **known | (evidence or {})))
