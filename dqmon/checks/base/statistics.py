"""The options of every type that watches a statistic of one column."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from dqmon.checks.base.fields import Number
from dqmon.checks.base.words import number
from dqmon.core.metric import Metric
from dqmon.sql.metrics import statistic


class StatisticOptions(BaseModel):
    """A column and a statistic of it; mixed into check types."""

    column: str
    metric: Literal["min", "max", "sum", "avg", "stddev", "median", "quantile", "distinct_count", "distinct_ratio", "null_ratio"]
    q: Annotated[Number, Field(ge=0, le=1)] | None = None

    @property
    def measured(self) -> Metric:
        """The metric that the options name."""
        return statistic(self.column, self.metric, self.q)

    @property
    def label(self) -> str:
        """The statistic for people: `avg of amount`, `quantile 0.9 of amount`."""
        return f"{self.metric}{'' if self.q is None else f' {number(self.q)}'} of {self.column}"

    @property
    def nothing(self) -> str:
        """Why the statistic is None."""
        match self.metric:
            case "null_ratio":
                return "there are no rows to look at"
            case "stddev":
                return f"fewer than two rows have a value of {self.column}"
            case _:
                return f"no row has a value of {self.column}"

    def statistic_problems(self) -> tuple[str, ...]:
        """A quantile without its `q`, or a `q` without quantile."""
        if self.metric == "quantile" and self.q is None:
            return ("metric: quantile needs q:, a share from 0 to 1, such as q: 0.9",)
        if self.metric != "quantile" and self.q is not None:
            return (f"q: belongs to metric: quantile, not to {self.metric}; remove one of them",)
        return ()
