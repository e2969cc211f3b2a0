"""Check type trimmed: texts without blanks around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from dqmon.core.capabilities import Capabilities
from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.judgement import Evidence, Expected, Judgement, Observed
from dqmon.core.metric import Metric, Value
from dqmon.core.metric_kinds import AggregateMetric
from dqmon.core.verdict import Dimension, Unit, Verdict


@dataclass(frozen=True, slots=True)
class UntrimmedCount(AggregateMetric):
    """Rows whose text has blanks at its start or end; NULL is none of them."""

    name: ClassVar[str] = "untrimmed_count"
    empty: ClassVar[Value] = 0

    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    def expression(self, columns: Mapping[str, ColumnElement[object]], caps: Capabilities, at: datetime) -> ColumnElement[object]:
        """A conditional count, so that it fuses with those of other checks."""
        text = columns[self.column]
        return sa.func.count(sa.case((text != sa.func.trim(text), 1)))


class Trimmed(DatasetCheck):
    """No text has blanks around it."""

    type: ClassVar[str] = "trimmed"
    dimension: ClassVar[Dimension] = Dimension.VALIDITY
    unit: ClassVar[Unit] = Unit.ROWS
    allows_threshold: ClassVar[bool] = False

    column: str

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """The one count."""
        return (UntrimmedCount(self.column),)

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """FAIL when there is one such row."""
        count = int(evidence.values[UntrimmedCount(self.column)] or 0)
        verdict = Verdict.FAIL if count else Verdict.PASS
        return Judgement(
            verdict, Observed(count, Unit.ROWS), Expected(0, 0, "no such rows"), f"{count} rows have blanks around {self.column}"
        )
