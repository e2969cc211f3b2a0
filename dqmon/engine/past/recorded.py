"""What of the past cannot be judged anew, and its verdicts as they were recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dqmon.core.check_type import DatasetCheck
from dqmon.core.judgement import Expected, Observed
from dqmon.core.measurement import Partition
from dqmon.core.metric import MetricKind
from dqmon.core.result import CheckResult, ResultRecord
from dqmon.core.verdict import Unit, Verdict
from dqmon.engine.judging.judge import severity_of

if TYPE_CHECKING:
    from dqmon.core.check import Check


class Lacking(Exception):
    """A run cannot be judged anew; the text says why."""


def why_not(check: Check) -> str | None:
    """Why what is measured of a check does not tell its verdicts of the past; None when it does."""
    rule = check.rule
    if not isinstance(rule, DatasetCheck) or rule.needs_loads or rule.changes_metric(check) is not None:
        return "it judges what a source has recorded, and that is kept as it is now, not as it was then"
    if any(metric.kind is MetricKind.METADATA for metric in rule.metrics(check)):
        return "it compares with what was accepted, and that is kept as it is now, not as it was then"
    if any(not metric.is_kept for metric in rule.metrics(check)):
        return "what it measures is not kept"
    return None


def as_recorded(check: Check, record: ResultRecord) -> CheckResult:
    """A result of the check as it was judged then; its severity is that of the check as it is now."""
    partition = None
    if record.partition:
        partition = Partition(record.partition_column or "", record.partition_start, record.partition_end)
    observed = None
    if record.verdict is not Verdict.ERROR and record.unit is not None:
        value = tuple(record.observed_value) if isinstance(record.observed_value, list) else record.observed_value
        observed = Observed(value, Unit(record.unit), record.ratio, record.rows_tested)
    return CheckResult(
        id=record.id,
        check=check,
        partition=partition,
        segment=tuple(json.loads(record.segment).items()),
        verdict=record.verdict,
        severity=severity_of(check, record.verdict),
        observed=observed,
        expected=Expected(record.expected_low, record.expected_high, record.expected_text),
        reason=record.reason,
        measurements=(),
        run_id=record.run_id,
        scheduled_at=record.scheduled_at,
        measured_at=record.measured_at,
        duration_s=record.duration_s,
        is_learning=record.is_learning,
        caused_by=record.caused_by,
    )
