"""A declared check: its type with options, its subject, and everything that its file says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from dqmon.core.check_type import CheckType
from dqmon.core.runbook import Runbook, is_path
from dqmon.core.table import TableRef
from dqmon.core.threshold import Threshold
from dqmon.core.verdict import Severity


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
