"""Checks and evidence made by hand, for tests of judging."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dqmon.core.check import Check, PartitionBy, SourceLine
from dqmon.core.judgement import Evidence, Judgement
from dqmon.core.metric import Metric, Value
from dqmon.core.registry import Registry
from dqmon.core.table import TableRef
from dqmon.core.threshold import parse_threshold

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
TYPES = Registry("checks")


def check(kind: str, warn_if: str | None = None, fail_if: str | None = None, partition: PartitionBy | None = None, **options: Any) -> Check:
    """A check of table main:s.t with the options of its type and thresholds as written."""
    limits = {key: parse_threshold(text) for key, text in (("warn_if", warn_if), ("fail_if", fail_if)) if text}
    table = TableRef("main", None, "s", "t")
    return Check("id", TYPES.get(kind)(**options), table, None, SourceLine("checks/a.yaml", 1), partition=partition, **limits)


def judge(declared: Check, values: dict[Metric, Value], **evidence: Any) -> Judgement:
    """What the type says of the values, measured at NOW."""
    return declared.rule.judge(declared, Evidence(values, evidence.pop("scheduled_at", NOW), NOW, **evidence))
