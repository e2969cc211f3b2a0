"""A check's result as it is kept: flat, self-contained, readable after the check itself has changed or gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dqmon.core.check import Check
from dqmon.core.judgement import Expected, Observed
from dqmon.core.measurement import FailureKind, Measurement, Partition, Segment, segment_key
from dqmon.core.plain import Json, plain
from dqmon.core.verdict import Severity, Verdict

OUTAGE = "warehouse"
"""The type of results that say whether a warehouse can be reached; their check id is `warehouse:<name>`."""


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """A row of `dq_results`; `observed_value` is what JSON shows (numbers, ISO timestamps, decimals as text, lists)."""

    id: str
    run_id: str
    check_id: str
    name: str | None
    type: str
    dimension: str
    warehouse: str | None
    dataset: str | None
    pipeline: str | None
    columns: tuple[str, ...]
    tags: tuple[str, ...]
    partition_column: str | None
    partition_start: datetime | None
    partition_end: datetime | None
    partition: str
    segment: str
    verdict: Verdict
    severity: Severity
    observed_value: Json
    unit: str | None
    ratio: float | None
    rows_tested: int | None
    expected_low: float | None
    expected_high: float | None
    expected_text: str
    reason: str
    owner: str | None
    runbook: str | None
    description: str | None
    source_path: str
    source_line: int
    sql: tuple[str, ...]
    scheduled_at: datetime
    measured_at: datetime
    duration_s: float
    is_learning: bool
    is_ad_hoc: bool
    as_of: Literal["current_contents"] | None
    baseline: tuple[str, ...]
    caused_by: str | None = None
    reused: str | None = None
    reproduce: str | None = None
    ways: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The dataset or pipeline that the check is about."""
        return self.dataset or self.pipeline or self.check_id

    @property
    def node(self) -> str:
        """Its place in the lineage, as `Check.node`."""
        return f"{self.warehouse}:{self.dataset}" if self.dataset else self.subject


def record(result: CheckResult) -> ResultRecord:
    """The row that keeps `result`, with the filled-in runbook."""
    check, partition, observed = result.check, result.partition, result.observed
    return ResultRecord(
        id=result.id,
        run_id=result.run_id,
        check_id=check.id,
        name=check.name,
        type=check.type,
        dimension=check.rule.dimension,
        warehouse=check.warehouse,
        dataset=check.dataset,
        pipeline=str(check.pipeline) if check.pipeline else None,
        columns=check.columns,
        tags=check.tags,
        partition_column=partition.column if partition else None,
        partition_start=partition.start if partition else None,
        partition_end=partition.end if partition else None,
        partition=partition.key if partition else "",
        segment=segment_key(result.segment),
        verdict=result.verdict,
        severity=result.severity,
        observed_value=plain(observed.value) if observed else None,
        unit=observed.unit if observed else None,
        ratio=observed.ratio if observed else None,
        rows_tested=observed.rows_tested if observed else None,
        expected_low=result.expected.low,
        expected_high=result.expected.high,
        expected_text=result.expected.text,
        reason=result.reason,
        owner=check.owner,
        runbook=check.runbook_url,
        description=check.description,
        source_path=check.source.path,
        source_line=check.source.line,
        sql=result.sql,
        scheduled_at=result.scheduled_at,
        measured_at=result.measured_at,
        duration_s=result.duration_s,
        is_learning=result.is_learning,
        is_ad_hoc=result.is_ad_hoc,
        as_of=result.as_of,
        baseline=result.baseline,
        reused=result.reused,
        reproduce=result.reproduce,
        ways=result.ways,
        caused_by=result.caused_by,
    )


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One judged check, for one partition and segment. `reproduce` is the statement that shows a bad one, of this check alone.

    caused_by: the node of the lineage whose trouble a bad one is. is_cut_off: a pipeline's source reads a warehouse that is down.
    """

    id: str
    check: Check
    partition: Partition | None
    segment: Segment
    verdict: Verdict
    severity: Severity
    observed: Observed | None
    expected: Expected
    reason: str
    measurements: tuple[Measurement, ...]
    run_id: str
    scheduled_at: datetime
    measured_at: datetime
    duration_s: float
    is_learning: bool = False
    is_ad_hoc: bool = False
    as_of: Literal["current_contents"] | None = None
    baseline: tuple[str, ...] = ()
    reproduce: str | None = None
    caused_by: str | None = None
    is_cut_off: bool = False

    @property
    def sql(self) -> tuple[str, ...]:
        """The distinct statements behind the result, values inlined, in the order they ran."""
        return tuple(dict.fromkeys(sql for m in self.measurements for sql in m.sql))

    @property
    def is_blind(self) -> bool:
        """True when a warehouse could not be reached, or its budget not be passed: that says nothing of the check either."""
        unseen = (FailureKind.UNREACHABLE, FailureKind.BUDGET)
        return self.is_cut_off or any(m.failure is not None and m.failure.kind in unseen for m in self.measurements)

    @property
    def ways(self) -> tuple[str, ...]:
        """In words, how values were had without counting the rows; none for plain statements."""
        return tuple(dict.fromkeys(m.way for m in self.measurements if m.way))

    @property
    def reused(self) -> str | None:
        """The proof by which nothing was scanned for this result; None when something was."""
        since = [m.reused_from for m in self.measurements if m.reused_from is not None]
        if not since or len(since) < len(self.measurements):
            return None
        proofs = dict.fromkeys(m.proof for m in self.measurements if m.proof)
        return f"unchanged since it was measured at {min(since):%Y-%m-%dT%H:%M:%SZ}: {' and '.join(proofs)}"
