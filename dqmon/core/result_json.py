"""The only serializer of `results[]`, of schema_version 1."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dqmon.core.plain import plain

if TYPE_CHECKING:
    from dqmon.core.plain import Json
    from dqmon.core.result import ResultRecord


def result_json(result: ResultRecord) -> Json:
    """One item of `results[]`: JSON types only, instants in ISO with Z."""
    partition = result.partition and {
        "column": result.partition_column,
        "start": plain(result.partition_start),
        "end": plain(result.partition_end),
    }
    return {
        "check_id": result.check_id,
        "name": result.name,
        "type": result.type,
        "dimension": result.dimension,
        "warehouse": result.warehouse,
        "dataset": result.dataset,
        "pipeline": result.pipeline,
        "columns": list(result.columns),
        "tags": list(result.tags),
        "partition": partition or None,
        "segment": json.loads(result.segment) or None,
        "verdict": result.verdict.value,
        "severity": result.severity.value,
        "observed": {
            "value": result.observed_value,
            "unit": result.unit,
            "ratio": result.ratio,
            "rows_tested": result.rows_tested,
        },
        "expected": {
            "low": plain(result.expected_low),
            "high": plain(result.expected_high),
            "text": result.expected_text,
        },
        "reason": result.reason,
        "owner": result.owner,
        "runbook": result.runbook,
        "caused_by": result.caused_by,
        "reused": result.reused,
        "as_of": result.as_of,
        "source": {"path": result.source_path, "line": result.source_line},
        "sql": list(result.sql),
        "scheduled_at": plain(result.scheduled_at),
        "measured_at": plain(result.measured_at),
        "duration_s": result.duration_s,
    }
