"""Check type relationship: how many keys have no partner in another table."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from dqmon.checks.base.counted import Count, judge_count, measured_count
from dqmon.checks.base.fields import Names, key_problems
from dqmon.core.check import Check, DatasetCheck, Evidence, Judgement
from dqmon.core.metric import Metric, OtherTable
from dqmon.core.table import split_dataset, table_ref
from dqmon.core.verdict import Dimension, Unit
from dqmon.sql.metrics import CompleteKeyCount, MissingReference


class Target(BaseModel):
    """The table that holds the keys, its key, and which of its rows count."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    dataset: str
    column: str | None = None
    columns: Names = ()
    filter: str | None = None
    warehouse: str | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """The key columns, in declared order."""
        return (self.column,) if self.column is not None else self.columns


class Relationship(DatasetCheck):
    """Every key is there in another table.

    What it measures:
        Rows whose key is not among the keys of the other table, and their share of the rows with a full key.

    Why it matters:
        Rows without a partner drop out of inner joins without a word, and show as "unknown" in reports.

    Parameters:
        column, columns: the key in this table; `columns: [a, b]` for a composite one. One of the two is required.
        to: the other table: `dataset`, `column` or `columns` (as many, in the same order), `filter` (only these rows count),
          `warehouse` (has to be this dataset's own). Without a schema in `dataset` it is this dataset's schema.
        warn_if, fail_if: number of rows without a partner, or with % their share; default `fail_if: "> 0"`.

    NULLs and empty tables:
        A key with a NULL part is not tested. When no row has a full key the result is SKIPPED. When the other table is
        empty, every tested row is without a partner.

    SQL it runs:
        One statement: an outer join with the distinct keys of the other table; and a count of full keys in the table's
        fused statement.

    Example:
        ```yaml
        - relationship: {column: customer_id, to: {dataset: analytics.customers, column: id}}
        ```

    Known limits:
        Both tables have to be in one warehouse.

    References:
        - dbt data tests, relationships: https://docs.getdbt.com/docs/build/data-tests
    """

    type: ClassVar[str] = "relationship"
    dimension: ClassVar[Dimension] = Dimension.CONSISTENCY
    unit: ClassVar[Unit] = Unit.ROWS
    allows_percent: ClassVar[bool] = True
    default_fail_if: ClassVar[str | None] = "> 0"

    column: str | None = None
    columns: Names = ()
    to: Target

    def problems(self, check: Check) -> tuple[str, ...]:
        """Keys that do not match, a table in another warehouse, a name that is none."""
        found = [*key_problems(self.column, self.columns)]
        found += [f"to: {problem}" for problem in key_problems(self.to.column, self.to.columns)]
        if not found and len(self.id_columns) != len(self.to.key):
            found.append(f"the key has {len(self.id_columns)} columns here and {len(self.to.key)} in to:; write as many on both sides")
        if self.to.warehouse not in (None, check.warehouse):
            found.append(
                f"to: {self.to.dataset} is in warehouse {self.to.warehouse}, this dataset in {check.warehouse}; "
                "relationship needs both in one warehouse"
            )
        try:
            split_dataset(self.to.dataset)
        except ValueError as e:
            found.append(f"to: {e}")
        return tuple(found)

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """Rows with a full key and those without a partner."""
        return (CompleteKeyCount(self.id_columns), self._missing(check))

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The share of keys without a partner against the thresholds."""
        key = ", ".join(self.id_columns)
        tested = measured_count(evidence, CompleteKeyCount(self.id_columns))
        bad = measured_count(evidence, self._missing(check))
        verb = f"have a {key} that is not in {self.to.dataset} ({', '.join(self.to.key)})"
        return judge_count(check, Count(bad, tested, verb, "orphaned", f"no row has a full key of {key}"))

    def _missing(self, check: Check) -> MissingReference:
        assert check.table is not None  # noqa: S101 - a dataset check has a table
        other = table_ref(check.table.warehouse, self.to.dataset, check.table.schema)
        return MissingReference(self.id_columns, OtherTable(other, self.to.key, self.to.filter))
