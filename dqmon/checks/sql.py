"""Check type sql: a query that returns bad rows, or one value."""

from __future__ import annotations

from typing import ClassVar, Literal

from dqmon.checks.base.counted import Limits, because, interval, limits, measured_count
from dqmon.checks.base.valued import judge_value, measured_number
from dqmon.checks.base.words import count, holds
from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.judgement import Evidence, Expected, Judgement, Observed
from dqmon.core.metric import Metric
from dqmon.core.threshold import parse_threshold
from dqmon.core.verdict import Dimension, Unit
from dqmon.sql import raw
from dqmon.sql.metrics import ReturnedRows, ReturnedValue
from dqmon.sql.tables import NamedTable


class Sql(DatasetCheck):
    """A query of your own returns no bad rows, or one value within limits.

    What it measures:
        How many rows the query returns; or with `expect: value` the one number that it returns.

    Why it matters:
        Some rules fit no other check: joins over several tables, sums that have to agree, gaps in a series.

    Parameters:
        query: one SELECT (WITH and UNION too) in the warehouse's SQL. Each `{dataset}` in it becomes the quoted table.
        expect: `rows` (default: the rows returned are the bad ones) or `value` (one row with one column, a number).
        warn_if, fail_if: conditions on the number of rows, default `fail_if: "> 0"`; or on the value, then one is required.
          Without %.

    NULLs and empty tables:
        No rows returned is zero and is judged. With `expect: value` NULL is SKIPPED; no row, a second row or a second column
        is an ERROR.

    SQL it runs:
        One statement: `select count(*) from (query)`, or `select * from (query) limit 2`. It runs read-only, alone, with the
        warehouse's time-out, and is rolled back. It is parsed first: what is no single SELECT, writes, locks, sleeps or reads
        files is an ERROR.

    Example:
        ```yaml
        - sql: {name: paid_without_payment, query: "select * from {dataset} where status = 'paid' and payment_id is null"}
        - sql: {name: open_orders, query: "select count(*) from {dataset} where is_open", expect: value, fail_if: "> 20"}
        ```

    Known limits:
        The query says itself which rows it means: `filter`, `partition` and `segment_by` do not reach into it. Functions in
        place of tables are refused but for generate_series and unnest, as are comments and semicolons. SQLite takes a
        misspelt name in double quotes for a text: write names there without quotes, or as `table.name`.

    References:
        - dbt singular data tests: https://docs.getdbt.com/docs/build/data-tests
    """

    type: ClassVar[str] = "sql"
    dimension: ClassVar[Dimension] = Dimension.CONSISTENCY
    unit: ClassVar[Unit] = Unit.ROWS
    ignores_partition: ClassVar[bool] = True

    query: str
    expect: Literal["rows", "value"] = "rows"

    def problems(self, check: Check) -> tuple[str, ...]:
        """A value without limit, a query that is no single SELECT in any engine's SQL."""
        found = []
        if self.expect == "value" and check.warn_if is None and check.fail_if is None:
            found.append("expect: value has no limit; write warn_if: or fail_if:")
        if check.table is not None:
            table = NamedTable(check.table)
            problem = raw.refused_by_all(lambda text, grammar: raw.query(text, table, grammar), self.query)
            found += [f"query: {problem}"] if problem else []
        return tuple(found)

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """The rows that the query returns, or the value."""
        del check
        return (self._rows(),) if self.expect == "rows" else (self._value(),)

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The number of rows, or the value, against the thresholds."""
        if self.expect == "value":
            return judge_value(check, measured_number(evidence, self._value()), "the value of the query", "the query returned NULL")
        rows = measured_count(evidence, self._rows())
        bounds = limits(check)
        if bounds.tightest is None:
            bounds = Limits(None, parse_threshold("> 0"))
        verdict = bounds.verdict(rows)
        applied = bounds.applied(verdict) or parse_threshold("> 0")
        low, high = (None if bound is None else float(bound) for bound in interval(applied))
        reason = f"the query returned {count(rows, 'rows')}{because(bounds, verdict)}"
        return Judgement(verdict, Observed(rows, Unit.ROWS), Expected(low, high, holds(applied, "rows")), reason)

    def _rows(self) -> ReturnedRows:
        return ReturnedRows(self.query)

    def _value(self) -> ReturnedValue:
        return ReturnedValue(self.query)
