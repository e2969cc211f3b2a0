"""Check type uniqueness: how many rows repeat a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import sqlalchemy as sa

from dqmon.checks.base.counted import Count, judge_count, measured_count
from dqmon.checks.base.fields import Names, key_problems
from dqmon.checks.base.words import count, number
from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.judgement import Evidence, Judgement
from dqmon.core.metric import Metric
from dqmon.core.row_rule import Row, RowRule
from dqmon.core.verdict import Dimension, Unit
from dqmon.sql.metrics import DuplicatedKeys, KeyedRows, RowCount, SurplusRows

if TYPE_CHECKING:
    from sqlalchemy.sql import ColumnElement


class Uniqueness(DatasetCheck):
    """A key of one or more columns is unique.

    What it measures:
        Surplus rows: rows minus distinct keys, over rows whose key is full. It is the number of rows to delete until the
        key is unique, so three equal rows count 2. Beside it, how many key values have a copy.

    Why it matters:
        A load that ran twice doubles every sum, and a join on a key that repeats multiplies rows.

    Parameters:
        column, columns: the key; `columns: [a, b]` for a composite one. One of the two is required.
        nulls: `distinct` (default: a row with a NULL in its key is not tested), `equal` (NULL equals NULL, every row is
          tested) or `forbid` (a row with a NULL in its key is bad, too).
        across: `table` (default: the whole table is tested, `partition` is ignored) or `partition`.
        warn_if, fail_if: number of surplus rows, or with % their share of the tested rows; default `fail_if: "> 0"`.

    NULLs and empty tables:
        See `nulls`. When no row is tested (no rows, or every key has a NULL) the result is SKIPPED; with `forbid` all rows
        are tested.

    SQL it runs:
        One statement for each column set: `select … from (select keys, count(*) … group by keys)`; with `forbid` also
        `count(*)` in the table's fused statement. None where a primary or unique key of the table proves it. Of large tables a
        cheaper one is tried first: the order of the keys, a bitmap of integers, hashes, or a list of copies; `dqmon plan` shows it.

    Example:
        ```yaml
        - uniqueness: {columns: [tenant_id, order_id], severity: critical}
        ```

    Known limits:
        Exact on every engine; where no cheaper way tells, that costs a grouping of the whole table.
        Texts are equal when all their code points are, also where the column's collation ignores case or blanks at the end (blanks
        that pad PostgreSQL's `char(n)` do not count). SQLite compares timestamps as the texts or numbers that they are stored as.

    References:
        - dbt data tests, unique: https://docs.getdbt.com/docs/build/data-tests
        - Schelter et al., Automating Large-Scale Data Quality Verification, VLDB 2018, table 1:
          https://www.vldb.org/pvldb/vol11/p1781-schelter.pdf
    """

    type: ClassVar[str] = "uniqueness"
    dimension: ClassVar[Dimension] = Dimension.UNIQUENESS
    unit: ClassVar[Unit] = Unit.ROWS
    allows_percent: ClassVar[bool] = True
    default_fail_if: ClassVar[str | None] = "> 0"

    column: str | None = None
    columns: Names = ()
    nulls: Literal["distinct", "equal", "forbid"] = "distinct"
    across: Literal["table", "partition"] = "table"

    @property
    def across_table(self) -> bool:
        """True unless `across: partition`."""
        return self.across == "table"

    def problems(self, check: Check) -> tuple[str, ...]:
        """Both or none of column and columns; a partition asked for that the dataset does not have."""
        missing = self.across == "partition" and check.partition is None
        return (
            *key_problems(self.column, self.columns),
            *(("across: partition needs a partition: on the dataset or the check",) if missing else ()),
        )

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """Tested rows, surplus rows and keys with a copy; for `forbid` all rows, too."""
        del check
        counts: tuple[Metric, ...] = (self._tested(), self._surplus(), self._duplicated())
        return (*counts, RowCount()) if self.nulls == "forbid" else counts

    @property
    def row_rule(self) -> RowRule:
        """All copies of a key but the first; with `forbid` also rows with a NULL in it."""
        return RowRule(f"is a surplus copy by {self._name}{' or has a NULL in it' if self.nulls == 'forbid' else ''}", self._is_bad)

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The share of surplus rows against the thresholds."""
        tested, bad = measured_count(evidence, self._tested()), measured_count(evidence, self._surplus())
        copied = measured_count(evidence, self._duplicated())
        more = f" ({count(copied, 'key values')} with copies)" if bad else ""
        verb, nothing = f"are surplus copies by {self._name}", f"no row has a full key of {self._name}"
        if self.nulls == "forbid":
            rows = measured_count(evidence, RowCount())
            if rows > tested:
                verb = f"are surplus copies by {self._name} or have a NULL in it"
                more += f" ({number(rows - tested)} with NULL)"
            bad, tested, nothing = bad + rows - tested, rows, "there are no rows to look at"
        return judge_count(check, Count(bad, tested, verb, "surplus", nothing, more))

    def _is_bad(self, row: Row) -> ColumnElement[bool]:
        is_surplus = self._surplus().counted(row.columns, row.position)
        nulls = [row.columns[name].is_(None) for name in self.id_columns] if self.nulls == "forbid" else []
        return sa.or_(is_surplus, *nulls)

    @property
    def _name(self) -> str:
        return ", ".join(self.id_columns)

    @property
    def _mode(self) -> Literal["distinct", "equal"]:
        return "equal" if self.nulls == "equal" else "distinct"

    def _tested(self) -> KeyedRows:
        return KeyedRows(self.id_columns, self._mode)

    def _surplus(self) -> SurplusRows:
        return SurplusRows(self.id_columns, self._mode)

    def _duplicated(self) -> DuplicatedKeys:
        return DuplicatedKeys(self.id_columns, self._mode)
