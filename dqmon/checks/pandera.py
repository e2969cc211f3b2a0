"""Check type pandera: a pandera schema of your own on a sample of the rows."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from dqmon.checks.base.counted import Count, judge_count, measured_count
from dqmon.checks.base.elsewhere import measured_totals
from dqmon.checks.base.words import count, number
from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.judgement import Evidence, Judgement
from dqmon.core.metric import Key, Metric, Value
from dqmon.core.verdict import Dimension, Unit
from dqmon.sql.metrics import BrokenRules, RowCount

_LISTED = 5
"""Rules that the reason names; it stands in messages, which hold a few lines."""


class Pandera(DatasetCheck):
    """A sample of the rows fits a pandera schema of your own.

    What it measures:
        How many rows of the sample break a rule of the schema, each counted once, and their share of the sample. A rule that no
        row can be blamed for, such as a wrong type or a check of a mean, makes all rows of the sample bad.

    Why it matters:
        Contracts that programs already validate with stand in Python; here the same ones watch the table that they feed.

    Parameters:
        schema: `module:name` of a `DataFrameSchema` or `DataFrameModel` of pandas or polars, such as
          `contracts.orders:OrdersSchema`. The module is a file below the folder that `python_path:` in dqmon.yaml names.
        sample: how many rows are fetched at most, of those that `filter` and `partition` let through; default 10,000, at most
          100,000. Which ones is the engine's choice.
        warn_if, fail_if: number of bad rows in the sample, or with % their share of it; default `fail_if: "> 0"`.

    NULLs and empty tables:
        The schema says what NULL means. When there are no rows the result is SKIPPED.

    SQL it runs:
        `select all columns … limit sample + 1`, one statement for each partition, and `count(*)` in the table's fused
        statement, so that the reason can say how many rows there are beside the sample.

    Example:
        ```yaml
        - pandera: {schema: "contracts.orders:OrdersSchema"}
        - pandera: {name: sampled, schema: "contracts.orders:OrdersSchema", sample: 50000, fail_if: "> 1%"}
        ```

    Known limits:
        It runs code of yours with the rights of dqmon, so it is off until `python_path:` is set; whoever can write there can
        run anything. The code is imported when the check first runs, never by `dqmon validate`, and once a process: start the
        daemon anew after a change. A module or name that is not there, an exception in it, and columns that the schema needs
        and the table has not are an ERROR. A sample does not prove the rest. Columns have the types that the table says: int64 (Int64
        with NULLs), float64, bool (boolean with NULLs), str, `datetime64[us, UTC]`, and objects for decimals (Decimal), dates
        and all others; write `coerce=True` where the schema wants another. pandas takes NULL in floats for NaN. The whole
        sample is held in memory. `segment_by` is not taken: group in the schema.

    References:
        - pandera, lazy validation: https://pandera.readthedocs.io/en/stable/lazy_validation.html
        - Frames with dqmon's own checks: docs/frames.md
    """

    type: ClassVar[str] = "pandera"
    dimension: ClassVar[Dimension] = Dimension.VALIDITY
    unit: ClassVar[Unit] = Unit.ROWS
    allows_percent: ClassVar[bool] = True
    default_fail_if: ClassVar[str | None] = "> 0"

    written: Annotated[str, Field(alias="schema", pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]
    sample: Annotated[int, Field(ge=1, le=100_000)] = 10_000

    def problems(self, check: Check) -> tuple[str, ...]:
        """No folder to run code from; segments."""
        off = "python_path: is not set in dqmon.yaml, so that no code of yours is run; set it to the folder that has the schema's module"
        found = [off] if check.python_path is None else []
        found += ["segment_by is not taken; write segment_by: null where the dataset has segments"] if check.segment_by else []
        return tuple(found)

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """The broken rules, and how many rows there are."""
        return self._broken(check), RowCount()

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The bad rows of the sample against the thresholds."""
        rules = dict(measured_totals(evidence.values[self._broken(check)]))
        tested, bad = (int(str(value)) for value in rules.pop(()))
        everything = measured_count(evidence, RowCount())
        blamed = [_blamed(rule, rows) for rule, (rows,) in rules.items()]
        more = f": {', '.join(blamed[:_LISTED])}" if blamed else ""
        more += f" and {number(len(blamed) - _LISTED)} more" if len(blamed) > _LISTED else ""
        # Rows that came or went between the two statements.
        beside = f", on a sample of {number(tested)} of {count(everything, 'rows')}" if tested < everything else ""
        return judge_count(check, Count(bad, tested, f"break {self.written}", "bad", "there are no rows to test", f"{more}{beside}"))

    def _broken(self, check: Check) -> BrokenRules:
        return BrokenRules(self.sample, self.written, check.python_path or "")


def _blamed(rule: Key, rows: Value) -> str:
    """A broken rule and how many rows break it: `not_nullable of ref (2 rows)`."""
    column, name = rule
    return f"{name}{'' if column is None else f' of {column}'} ({'no row alone' if rows is None else count(int(str(rows)), 'rows')})"
