"""Types that count values which break a rule: invalid is not missing and breaking it."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal, TypeAlias

from dqmon.checks.base.counted import Count, judge_count, measured_count
from dqmon.checks.base.fields import Scalars, Values, pattern_problems
from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.judgement import Evidence, Judgement
from dqmon.core.metric import Metric
from dqmon.core.row_rule import RowRule
from dqmon.core.verdict import Dimension, Unit
from dqmon.sql.conditions import MissingValue
from dqmon.sql.metrics import ColumnCount, NonMissingCount

Missing: TypeAlias = tuple[str, tuple[MissingValue, ...], str | None, Literal["missing", "value"]]
_SHOWN = 5
_LONGEST = 40


class ValueRule(DatasetCheck):
    """A rule on the values of one column; a subclass says which metric counts those that break it, and how to say it."""

    dimension: ClassVar[Dimension] = Dimension.VALIDITY
    unit: ClassVar[Unit] = Unit.ROWS
    allows_percent: ClassVar[bool] = True
    can_be_sampled: ClassVar[bool] = True
    default_fail_if: ClassVar[str | None] = "> 0"
    adjective: ClassVar[str] = "invalid"

    column: str
    missing_values: Scalars = ()
    missing_pattern: str | None = None
    nan: Literal["missing", "value"] = "missing"

    @property
    @abstractmethod
    def invalid(self) -> ColumnCount:
        """The count of the values that are not missing and break the rule."""

    @property
    @abstractmethod
    def broken(self) -> str:
        """What a bad value is, after the column's name: `other than new or paid`."""

    @property
    def missing(self) -> Missing:
        """The column and what is missing there, as metrics of a column begin."""
        return self.column, self.missing_values, self.missing_pattern, self.nan

    def problems(self, check: Check) -> tuple[str, ...]:
        """A `missing_pattern` that is no regular expression."""
        del check
        return pattern_problems(self.missing_pattern)

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """Rows with a value and the invalid ones."""
        del check
        return NonMissingCount(*self.missing), self.invalid

    @property
    def row_rule(self) -> RowRule:
        """The invalid rows."""
        return RowRule(f"has {self.column} {self.broken}", lambda row: self.invalid.counted(row.columns, row.caps))

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The share of invalid values against the thresholds."""
        bad, tested = measured_count(evidence, self.invalid), measured_count(evidence, NonMissingCount(*self.missing))
        verb, nothing = f"have {self.column} {self.broken}", f"no row has a value of {self.column}"
        return judge_count(check, Count(bad, tested, verb, self.adjective, nothing))


class ListedRule(ValueRule):
    """A rule that compares with a list of values, which the column's type says how to read."""

    values: Values
    ignore_case: bool = False

    def problems(self, check: Check) -> tuple[str, ...]:
        """A value that is missing too, so that it is never tested; a `missing_pattern` that is no regular expression."""
        missing = {str(value).lower() if isinstance(value, bool) else str(value) for value in self.missing_values}
        both = (f"{shown(value)} stands in missing_values too, so that it is never tested" for value in self.values if value in missing)
        return (*super().problems(check), *both)


def any_of(values: tuple[str, ...]) -> str:
    """Declared values in words, the first few of many: `new, paid or shipped`, `1, 2, 3, 4, 5 or 12 more`."""
    few = [shown(value) for value in values[:_SHOWN]]
    few += [f"{len(values) - _SHOWN} more"] if len(values) > _SHOWN else []
    return f"{', '.join(few[:-1])} or {few[-1]}" if len(few) > 1 else few[0]


def shown(text: str) -> str:
    """A declared text on one line; in quotes when it is not just one plain word."""
    short = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    return short if short.replace("-", "").replace(".", "").isalnum() else repr(short)
