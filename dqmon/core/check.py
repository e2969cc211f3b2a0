"""A declared check, what its type must offer, and what judging yields."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from dqmon.core.measurement import MetricRequest, Partition
from dqmon.core.metric import Metric, Value
from dqmon.core.row_rule import RowRule
from dqmon.core.runbook import Runbook, is_path
from dqmon.core.table import TableRef
from dqmon.core.threshold import Threshold
from dqmon.core.verdict import Dimension, Severity, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dqmon.core.judgement import Evidence, Judgement, LoadEvidence


@dataclass(frozen=True, slots=True)
class PipelineRef:
    """A pipeline of an ingestion source, written `source/pipeline`."""

    source: str
    pipeline: str

    def __str__(self) -> str:
        return f"{self.source}/{self.pipeline}"


@dataclass(frozen=True, slots=True)
class SourceLine:
    """Where something is declared; `path` is relative to the project folder, `line` 1-based."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a check is due: a cron expression in a time zone, or every so many seconds. Exactly one is set."""

    cron: str | None
    every_s: int | None
    timezone: str


@dataclass(frozen=True, slots=True)
class PartitionBy:
    """The last `lookback` partitions of `grain` in `timezone` that ended at least `lag_s` ago."""

    column: str
    grain: Literal["hour", "day", "week", "month"]
    lookback: int = 1
    lag_s: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """How long an outcome must stay: a number of outcomes in a row, or seconds since the first. One is set."""

    count: int | None = 1
    duration_s: int | None = None


class CheckType(BaseModel, ABC):
    """Base of every check type: a pydantic model whose fields are the options that YAML may give.

    A subclass sets the class variables, has a docstring with the documented sections, and lives in one
    file of `dqmon/checks/` (or an entry point of the group `dqmon.checks`) named as its `type`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    type: ClassVar[str]
    dimension: ClassVar[Dimension]
    unit: ClassVar[Unit]
    subject: ClassVar[Literal["dataset", "pipeline"]] = "dataset"
    allows_percent: ClassVar[bool] = False
    allows_threshold: ClassVar[bool] = True
    default_fail_if: ClassVar[str | None] = None
    ignores_partition: ClassVar[bool] = False
    on_no_data: ClassVar[Literal["skip", "fail"]] = "skip"

    @property
    def id_columns(self) -> tuple[str, ...]:
        """The columns that stand in the check's id, in declared order."""
        column = getattr(self, "column", None)
        return (column,) if isinstance(column, str) else tuple(getattr(self, "columns", None) or ())

    @property
    def id_suffix(self) -> tuple[str, ...]:
        """Further id parts that tell two checks of a type apart; none unless the type says so."""
        return ()

    def problems(self, check: Check) -> tuple[str, ...]:
        """What is wrong with this check as a whole (options against thresholds), each one sentence."""
        del check
        return ()


class DatasetCheck(CheckType):
    """A check type that measures a table.

    judges_null_keys: rows without a partition key get a result of their own.
    can_be_sampled: each row is bad or good by itself, so that the share of bad ones in a sample is about that in the table.
    """

    judges_null_keys: ClassVar[bool] = False
    can_be_sampled: ClassVar[bool] = False

    @abstractmethod
    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """The metrics that `judge` needs, measured for every partition and segment."""

    @property
    def other_warehouses(self) -> tuple[str, ...]:
        """The warehouses that the options name, for tables besides the check's own."""
        return ()

    def other_requests(self, check: Check, partition: Partition | None) -> tuple[MetricRequest, ...]:
        """What must be measured of other tables, of any warehouse, to judge one partition: `Evidence.others`.

        Requests have no segments: each segment is judged with the same values. Called only when there are no `problems`.
        """
        del check, partition
        return ()

    def further_requests(
        self, check: Check, partition: Partition | None, known: Mapping[MetricRequest, Value]
    ) -> tuple[MetricRequest, ...]:
        """What must be measured besides, of any table, where that follows from what is `known`: asked again until all of it is.

        In the order of asking, what is known already too. All of it is in `Evidence.others`; requests have no segments.
        """
        del check, partition, known
        return ()

    def history_metric(self, check: Check) -> Metric | None:
        """The metric whose past values `judge` needs as `Evidence.history`; None without a baseline."""
        del check
        return None

    @property
    def history_span(self) -> timedelta | None:
        """How far back `Evidence.history` has to reach; None for as far as the store keeps it for baselines."""
        return None

    def changes_metric(self, check: Check) -> Metric | None:
        """The metric of which `judge` needs to know when its value changed, as `Evidence.changes`; None for none."""
        del check
        return None

    @property
    def observes_age(self) -> bool:
        """True when the observed value is how many seconds old the newest row is."""
        return False

    @property
    def needs_loads(self) -> bool:
        """True when `judge` wants the kept records of the pipelines that load the table: `Evidence.loads`."""
        return False

    @abstractmethod
    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The verdict of one partition and segment; all metrics of `metrics` have values. Total and pure."""

    @property
    def row_rule(self) -> RowRule | None:
        """Which rows are bad, where it can be said of each alone or among the others; None for what only the whole table shows."""
        return None

    @property
    def across_table(self) -> bool:
        """True when `partition` is ignored and the whole table is measured."""
        return self.ignores_partition


class PipelineCheck(CheckType):
    """A check type that judges what an ingestion source has recorded."""

    subject: ClassVar[Literal["dataset", "pipeline"]] = "pipeline"
    ignores_partition: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset()

    @property
    def needed(self) -> frozenset[str]:
        """What the source must be able to say (`Source.provides`): `needs`, and what the options ask for besides."""
        return self.needs

    @abstractmethod
    def judge(self, check: Check, evidence: LoadEvidence) -> Judgement:
        """The verdict on the pipeline from its kept records. Total and pure."""


@dataclass(frozen=True, slots=True)
class Check:
    """A declared check with everything that the file, its defaults and its patterns say of it.

    `python_path` is the folder of Python code that the project may run; None when it may run none. `guide` is what the runbook
    says, where it is a Markdown file of the project.
    """

    id: str
    rule: CheckType
    table: TableRef | None
    pipeline: PipelineRef | None
    source: SourceLine
    name: str | None = None
    was: str | None = None
    severity: Severity = Severity.WARNING
    warn_severity: Severity = Severity.WARNING
    error_severity: Severity = Severity.WARNING
    owner: str | None = None
    runbook: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    schedule: Schedule | None = None
    timezone: str = "UTC"
    naive_timezone: str = "UTC"
    where: str | None = None
    partition: PartitionBy | None = None
    segment_by: tuple[str, ...] = ()
    max_segments: int = 50
    warn_if: Threshold | None = None
    fail_if: Threshold | None = None
    hold_for: Hold = field(default_factory=Hold)
    recover_after: Hold = field(default_factory=Hold)
    on_error: Literal["alert", "record"] = "alert"
    on_no_data: Literal["skip", "pass", "warn", "fail"] = "skip"
    upstream: tuple[str, ...] = ()
    python_path: str | None = None
    guide: Runbook | None = field(default=None, repr=False)

    @property
    def type(self) -> str:
        """The check type's name."""
        return self.rule.type

    @property
    def warehouse(self) -> str | None:
        """The warehouse's name; None for a check of a pipeline."""
        return self.table.warehouse if self.table else None

    @property
    def dataset(self) -> str | None:
        """The dotted table name; None for a check of a pipeline."""
        return self.table.dataset if self.table else None

    @property
    def subject(self) -> str:
        """What the check is about, for people: the dataset or `source/pipeline`."""
        return self.table.dataset if self.table else str(self.pipeline)

    @property
    def node(self) -> str:
        """Its place in the lineage: `warehouse:dataset` or `source/pipeline`."""
        return str(self.table or self.pipeline)

    @property
    def runbook_url(self) -> str | None:
        """The runbook with `{check}` and `{dataset}` filled in; percent-encoded in a link, and as they are in a path of the project."""
        filled = {"{check}": self.id, "{dataset}": self.subject}
        found = self.runbook
        is_file = found is not None and is_path(found)
        for key, value in filled.items():
            found = found and found.replace(key, value if is_file else quote(value, safe="/:"))
        return found

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the check names."""
        return self.rule.id_columns
