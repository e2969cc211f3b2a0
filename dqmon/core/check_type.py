"""What a check type must offer: its options, what it measures, and how it judges."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from dqmon.core.measurement import MetricRequest, Partition
from dqmon.core.metric import Metric, Value
from dqmon.core.row_rule import RowRule
from dqmon.core.verdict import Dimension, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dqmon.core.check import Check
    from dqmon.core.judgement import Evidence, Judgement, LoadEvidence


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
