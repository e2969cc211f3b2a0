"""Check type reconciliation: two tables hold the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar
from zoneinfo import ZoneInfo

from pydantic import Field

from dqmon.checks.base.compared import aggregate, is_metric, measure
from dqmon.checks.base.counted import Limits, because, limits
from dqmon.checks.base.difference_words import Compared, difference_words
from dqmon.checks.base.differences import Difference, Side, differences
from dqmon.checks.base.elsewhere import MAX_KEYS, MOST_KEYS, OtherDataset, measured_totals
from dqmon.checks.base.fields import Names
from dqmon.checks.base.row_search import Found, Rows, follow, search_rows
from dqmon.checks.base.row_words import judge_rows
from dqmon.checks.base.tolerance import expectation, finite, verdict_of
from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.judgement import Evidence, Judgement, Observed
from dqmon.core.measurement import MetricRequest, Partition
from dqmon.core.metric import Metric, Value
from dqmon.core.verdict import Dimension, Unit, Verdict
from dqmon.sql.metrics import RowCount, TotalsByKey

_WORST_FIRST = (Verdict.FAIL, Verdict.WARN, Verdict.PASS)


class Target(OtherDataset):
    """The other table; `naive_timezone` is how its timestamps without zone are read."""

    naive_timezone: str | None = None

    def problems(self, check: Check) -> tuple[str, ...]:
        """As of every other table; and a time zone that is none."""
        try:
            ZoneInfo(self.naive_timezone or "UTC")
        except (KeyError, ValueError, OSError):
            return (*super().problems(check), f"to: there is no time zone {self.naive_timezone!r}; write a name such as Europe/Oslo")
        return super().problems(check)


class Reconciliation(DatasetCheck):
    """Two tables, in one warehouse or in two, hold the same totals, or the same rows.

    What it measures:
        The difference abs(a − b) of each metric between this dataset (a) and the other one (b), in each group of `compare_by`;
        the largest one is shown (the largest share, where the limit is one), and its share of abs(a). With `rows` the number of
        rows that differ, and its share of the rows here: keys with other values, rows that are only here, rows only there.

    Why it matters:
        Rows get lost, doubled or cut off on the way from one system to the next, and each side looks well by itself.

    Parameters:
        to: the other table: `dataset`, `warehouse` (default: this dataset's), `filter` (only these rows count; `filter` of the
          check itself is about this dataset), `naive_timezone` (how its timestamps without zone are read; default: as this
          dataset's). Without a schema in `dataset` it is this dataset's schema; in another warehouse it has to be written.
        metrics: what is compared: `row_count`, `count(column)` (rows with a value), `sum(column)`, `min(column)`,
          `max(column)`, of columns of numbers; default `[row_count]`. A name with blanks or brackets stands in double quotes.
        compare_by: columns whose values make the groups, such as a date; without it there is one group, all rows.
        max_keys: the most groups that are fetched from each side, default 10,000; above it the result is an ERROR.
        rows: compares row by row, in place of `metrics` and `compare_by`: `key` (the columns that name a row), `columns` (those
          compared; default: all that both sides have), `max_differences` (default 1,000). Once it is clear that more rows
          differ the search is given up: "at least so many"; that fails a limit that it is above, and else is an ERROR.
        warn_if, fail_if: conditions on the difference of every metric of every group, or with % on its share of abs(a); with
          `rows` on the number of rows that differ, or with % on its share of the rows here; default `fail_if: "> 0"`.

    NULLs and empty tables:
        NULL is a group like any other. A group that one side lacks has the counts and sums 0 there. NULL and NaN are no
        values; the sum of no values is 0. When one side alone has a `min` or `max`, or a is 0 and b is not, the difference
        (or its share) is larger than any limit. Two empty tables are the same. With `rows` NULL equals only NULL and NaN only NaN;
        rows that share a key are compared as a bag; a row without a full key is only here or there, never changed.

    SQL it runs:
        Without `compare_by` the aggregates are part of the fused statement of each table. With it there is one statement a
        table, `select columns, aggregates … group by columns`, and one for each partition. With `rows` a search: row count and
        least and greatest key are part of the fused statement; then `select bucket, count(*), sum(hash of the row) … group by
        bucket`, 256 buckets first, then 32 in each that differs, until few rows are left in these; then their keys and hashes. A
        bucket is a range of keys where the key is one integer column, which an index serves, else a part of the key's hash. No
        statement returns more than 32 × max_differences rows (or 256); 17 differing rows of 5 million take 5 statements a table.

    Example:
        ```yaml
        - reconciliation:
            to: {warehouse: shop_db, dataset: public.orders}
            metrics: [row_count, "sum(amount)"]
            compare_by: [created_date]
            fail_if: "> 0.1%"
        - reconciliation:
            to: {warehouse: shop_db, dataset: public.orders}
            rows: {key: [order_id], columns: [status, amount]}
        ```

    Known limits:
        Columns have the same names on both sides (but for case), that of `partition` too; use a view where they differ. The
        columns of `compare_by` have to be of one sort on both sides: numbers (true is 1), texts (character by character), dates or
        timestamps. Equal totals do not prove equal rows: compare by more columns to see more. Sums of floats are rounded to
        15 digits and depend on the order of adding; give them a tolerance. The two tables are read one after the other, so
        that rows which arrive meanwhile are a difference; compare finished partitions. `segment_by` is not taken.
        With `rows`: rows are told apart by 60 bits of an MD5, so that a difference stays unseen once in 10^18. Timestamps are
        compared to the microsecond; a column that is float on one side as doubles on both; arrays, JSON and their like by the text
        that each engine writes. The reason names no keys, since it stands in messages; the statement of a bad result lists them.

    References:
        - DAMA-DMBOK2, chapter 8, data integration: reconciliation of source and target
        - Comparing by checksums of key ranges: https://docs.percona.com/percona-toolkit/pt-table-checksum.html
    """

    type: ClassVar[str] = "reconciliation"
    dimension: ClassVar[Dimension] = Dimension.ACCURACY
    unit: ClassVar[Unit] = Unit.VALUE
    allows_percent: ClassVar[bool] = True
    default_fail_if: ClassVar[str | None] = "> 0"

    to: Target
    compared: Annotated[Names, Field(alias="metrics", min_length=1)] = ("row_count",)
    compare_by: Names = ()
    max_keys: Annotated[int, Field(ge=1, le=MOST_KEYS)] = MAX_KEYS
    rows: Rows | None = None

    @property
    def id_suffix(self) -> tuple[str, ...]:
        """`rows` where rows are compared, so that one dataset may have both checks."""
        return ("rows",) if self.rows is not None else ()

    @property
    def other_warehouses(self) -> tuple[str, ...]:
        """That of `to`, if it is written there."""
        return (self.to.warehouse,) if self.to.warehouse is not None else ()

    def problems(self, check: Check) -> tuple[str, ...]:
        """A metric that is none, anything named twice, a table compared with itself, totals beside rows, segments."""
        found = [*self.to.problems(check)]
        beside = [
            key for key, field in (("metrics", "compared"), ("compare_by", "compare_by")) if self.rows and field in self.model_fields_set
        ]
        found += [f"rows and {' and '.join(beside)} are both given; write two checks"] if beside else []
        unknown = [text for text in self.compared if not is_metric(text)]
        found += [f"metrics: {text!r} is none; write row_count, or count, sum, min or max of a column: sum(amount)" for text in unknown]
        row = (*self.rows.key, *self.rows.columns) if self.rows else ()
        for key, names in (("metrics", self.compared), ("compare_by", self.compare_by), ("rows", row)):
            twice = sorted({name for name in names if names.count(name) > 1})
            found += [f"{key} names {', '.join(twice)} twice; write each once"] if twice else []
        if not found and self.to.table(check) == check.table and self.to.filter == check.where:
            found.append(f"to: {self.to.dataset} is this dataset itself, with the same filter; name another table or filter")
        if check.segment_by:
            found.append("segment_by is not taken; write compare_by, and segment_by: null where the dataset has segments")
        return tuple(found)

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """The aggregates; with `compare_by` by group; with `rows` what the search for rows begins with."""
        del check
        if self.rows is not None:
            return self.rows.bounds
        aggregates = tuple(map(aggregate, self.compared))
        return (TotalsByKey(self.max_keys, self.compare_by, aggregates),) if self.compare_by else aggregates

    def other_requests(self, check: Check, partition: Partition | None) -> tuple[MetricRequest, ...]:
        """The same of the other table."""
        return tuple(self._there(check, metric, partition) for metric in self.metrics(check))

    def further_requests(
        self, check: Check, partition: Partition | None, known: Mapping[MetricRequest, Value]
    ) -> tuple[MetricRequest, ...]:
        """The steps of the search for rows."""
        return self._found(check, partition, known)[0] if self.rows is not None else ()

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The worst difference against the thresholds; the reason names the groups that differ most."""
        if self.rows is not None:
            return self._judge_rows(check, self.rows, evidence)
        here = self._side([evidence.values[metric] for metric in self.metrics(check)])
        there = self._side([evidence.others[request] for request in self.other_requests(check, evidence.partition)])
        bounds = limits(check)
        found = differences(here, there, tuple(map(measure, self.compared)))
        by_share = bounds.tightest is not None and bounds.tightest.is_percent
        ranked = sorted(found, key=lambda one: (_WORST_FIRST.index(_verdict(bounds, one)), -(one.percent if by_share else one.amount)))
        worst, verdict = ranked[0], _verdict(bounds, ranked[0])
        applied = bounds.applied(verdict)
        compared = Compared(self.compared, self.compare_by, self.to.shown(check))
        reason = f"{difference_words(compared, ranked, applied)}{because(bounds, verdict, '')}"
        return Judgement(verdict, _observed(worst), expectation(applied, worst.here), reason)

    def _judge_rows(self, check: Check, rows: Rows, evidence: Evidence) -> Judgement:
        own = {self._here(check, metric, evidence.partition): value for metric, value in evidence.values.items()}
        _, found = self._found(check, evidence.partition, {**own, **evidence.others})
        assert found is not None  # noqa: S101 - judged once all that was asked for is known
        return judge_rows(check, rows, self.to.shown(check), found)

    def _here(self, check: Check, metric: Metric, partition: Partition | None) -> MetricRequest:
        assert check.table is not None  # noqa: S101 - a dataset check has a table
        return MetricRequest(check.table, metric, check.where, partition, (), check.max_segments, check.naive_timezone)

    def _there(self, check: Check, metric: Metric, partition: Partition | None) -> MetricRequest:
        zone = self.to.naive_timezone or check.naive_timezone
        return MetricRequest(self.to.table(check), metric, self.to.filter, partition, naive_timezone=zone)

    def _found(
        self, check: Check, partition: Partition | None, known: Mapping[MetricRequest, Value]
    ) -> tuple[tuple[MetricRequest, ...], Found | str | None]:
        """What the search for rows asks for, and what it found, as far as `known` tells."""
        assert self.rows is not None  # noqa: S101 - for the type checker
        sides = (self._here(check, RowCount(), partition), self._there(check, RowCount(), partition))
        return follow(search_rows(self.rows, sides), known)

    def _side(self, values: Sequence[Value]) -> Side:
        return measured_totals(values[0]) if self.compare_by else {(): tuple(values)}


def _verdict(bounds: Limits, one: Difference) -> Verdict:
    return verdict_of(bounds, one.amount, one.percent)


def _observed(worst: Difference) -> Observed:
    amount: Value = worst.amount if worst.amount.is_finite() else None
    if worst.measure.is_count:
        return Observed(int(worst.amount), Unit.ROWS, finite(worst.percent / 100))
    return Observed(amount, Unit.VALUE, finite(worst.percent / 100))
