"""Check type relationship: how many keys have no partner in another table."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from dqmon.checks.base.counted import Count, judge_count, measured_count
from dqmon.checks.base.elsewhere import MAX_KEYS, MOST_KEYS, OtherDataset, measured_totals
from dqmon.checks.base.fields import Names, key_problems
from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.judgement import Evidence, Judgement
from dqmon.core.measurement import MetricRequest, Partition
from dqmon.core.metric import Metric
from dqmon.core.metric_kinds import OtherTable
from dqmon.core.verdict import Dimension, Unit
from dqmon.sql.metrics import CompleteKeyCount, MissingReference, RowCount, TotalsByKey


class Target(OtherDataset):
    """The table that holds the keys, its key, and which of its rows count."""

    column: str | None = None
    columns: Names = ()

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
          `warehouse` (default: this dataset's). Without a schema in `dataset` it is this dataset's schema; in another warehouse
          it has to be written.
        max_keys: when `to` is in another warehouse, the most different keys that are fetched from each side, default 10,000;
          above it the result is an ERROR.
        warn_if, fail_if: number of rows without a partner, or with % their share; default `fail_if: "> 0"`.

    NULLs and empty tables:
        A key with a NULL part is not tested. When no row has a full key the result is SKIPPED. When the other table is
        empty, every tested row is without a partner.

    SQL it runs:
        In one warehouse one statement: an outer join with the distinct keys of the other table; and a count of full keys in the
        table's fused statement. In two warehouses a statement each, `select key, count(*) … group by key` here and
        `select key … group by key` there; dqmon compares the keys.

    Example:
        ```yaml
        - relationship: {column: customer_id, to: {dataset: analytics.customers, column: id}}
        - relationship: {column: country, to: {warehouse: shop_db, dataset: public.countries, column: code}}
        ```

    Known limits:
        Texts match when all their code points do, also where the column's collation ignores case. Between two warehouses keys
        have to be of one sort on both sides: numbers, texts, dates or timestamps; and `segment_by` is not taken.

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
    max_keys: Annotated[int, Field(ge=1, le=MOST_KEYS)] = MAX_KEYS

    @property
    def other_warehouses(self) -> tuple[str, ...]:
        """That of `to`, if it is written there."""
        return (self.to.warehouse,) if self.to.warehouse is not None else ()

    def problems(self, check: Check) -> tuple[str, ...]:
        """Keys that do not match, a table's name or filter that is none, segments of two warehouses."""
        found = [*key_problems(self.column, self.columns)]
        found += [f"to: {problem}" for problem in key_problems(self.to.column, self.to.columns)]
        if not found and len(self.id_columns) != len(self.to.key):
            found.append(f"the key has {len(self.id_columns)} columns here and {len(self.to.key)} in to:; write as many on both sides")
        if check.segment_by and self.to.is_elsewhere(check):
            found.append("segment_by is not taken when to: is in another warehouse; write segment_by: null")
        return (*found, *self.to.problems(check))

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """Rows with a full key and those without a partner; for another warehouse the rows of each key."""
        if self.to.is_elsewhere(check):
            return (TotalsByKey(self.max_keys, self.id_columns, (RowCount(),)),)
        return (CompleteKeyCount(self.id_columns), self._missing(check))

    def other_requests(self, check: Check, partition: Partition | None) -> tuple[MetricRequest, ...]:
        """The keys in another warehouse, of the whole table."""
        del partition
        if not self.to.is_elsewhere(check):
            return ()
        known = TotalsByKey(self.max_keys, self.to.key)
        return (MetricRequest(self.to.table(check), known, self.to.filter, naive_timezone=check.naive_timezone),)

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The share of keys without a partner against the thresholds."""
        key = ", ".join(self.id_columns)
        bad, tested = self._compared(check, evidence) if self.to.is_elsewhere(check) else self._joined(check, evidence)
        verb = f"have a {key} that is not in {self.to.shown(check)} ({', '.join(self.to.key)})"
        return judge_count(check, Count(bad, tested, verb, "orphaned", f"no row has a full key of {key}"))

    def _joined(self, check: Check, evidence: Evidence) -> tuple[int, int]:
        """Rows without a partner and rows tested, as the warehouse counted them."""
        tested = measured_count(evidence, CompleteKeyCount(self.id_columns))
        return measured_count(evidence, self._missing(check)), tested

    def _compared(self, check: Check, evidence: Evidence) -> tuple[int, int]:
        """Rows without a partner and rows tested, from the keys of both sides."""
        (here,), (there,) = self.metrics(check), self.other_requests(check, evidence.partition)
        known = measured_totals(evidence.others[there])
        rows = {key: int(str(n)) for key, (n,) in measured_totals(evidence.values[here]).items() if None not in key}
        return sum(n for key, n in rows.items() if key not in known), sum(rows.values())

    def _missing(self, check: Check) -> MissingReference:
        return MissingReference(self.id_columns, OtherTable(self.to.table(check), self.to.key, self.to.filter))
