"""What judging looks at, and what it yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dqmon.core.history import Change, History
from dqmon.core.load_record import Backlog, LoadRecord, PipelineInfo
from dqmon.core.measurement import MetricRequest, Partition, Segment
from dqmon.core.metric import Metric, Value
from dqmon.core.table import Column
from dqmon.core.verdict import Unit, Verdict


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen. `ratio` is 0..1 of `rows_tested`; None where the type has no ratio."""

    value: Value | tuple[str, ...]
    unit: Unit
    ratio: float | None = None
    rows_tested: int | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What was expected; `text` is for people and always set once something was judged."""

    low: float | None = None
    high: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a check type says of one partition and segment.

    SKIPPED means there was nothing to judge; `is_no_data` marks the cases that `on_no_data` rules,
    `is_learning` the ones that wait for more history.
    """

    verdict: Verdict
    observed: Observed
    expected: Expected
    reason: str
    is_no_data: bool = False
    is_learning: bool = False
    baseline: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a dataset check may look at when it judges one partition and segment.

    `values` has each metric of `metrics`, `others` what `other_requests` asked for. `scheduled_at` is the slot, `measured_at`
    when the scan ran.
    `accepted_schema` is the last accepted column list, None when there is none yet. `loads` are the kept records of the pipelines
    that load the table, the newest last: only for a type with `needs_loads`. `changes` are those of `changes_metric`, oldest first,
    and `incidents` when the check's alert fired, as of a pipeline: both only for a type that has such a metric or needs loads.
    """

    values: Mapping[Metric, Value]
    scheduled_at: datetime
    measured_at: datetime
    partition: Partition | None = None
    segment: Segment = ()
    history: History = field(default_factory=History)
    accepted_schema: tuple[Column, ...] | None = None
    others: Mapping[MetricRequest, Value] = field(default_factory=dict)
    loads: tuple[LoadRecord, ...] = ()
    changes: tuple[Change, ...] = ()
    incidents: tuple[tuple[datetime, datetime | None], ...] = ()


@dataclass(frozen=True, slots=True)
class LoadEvidence:
    """All that a pipeline check may look at: kept records (newest last) and when the pipeline was first seen.

    info: what the source says of the pipeline; None when it does not list it. backlogs: the newest of each partition.
    samples: what waited altogether at earlier polls, one a minute and unit at most, oldest first.
    incidents: when the check's alert fired, in slots, half-open; None as its end while it fires. real: those of them of which
    somebody said that they were real.
    """

    records: tuple[LoadRecord, ...]
    first_seen_at: datetime
    scheduled_at: datetime
    measured_at: datetime
    info: PipelineInfo | None = None
    backlogs: tuple[Backlog, ...] = ()
    samples: tuple[Backlog, ...] = ()
    incidents: tuple[tuple[datetime, datetime | None], ...] = ()
    real: tuple[tuple[datetime, datetime | None], ...] = ()
