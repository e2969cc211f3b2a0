"""Check type statistic: a statistic of a column within limits."""

from __future__ import annotations

from typing import ClassVar

from dqmon.checks.base.statistics import StatisticOptions
from dqmon.checks.base.valued import judge_value, measured_number
from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.judgement import Evidence, Judgement
from dqmon.core.metric import Metric
from dqmon.core.verdict import Dimension, Unit


class StatisticCheck(StatisticOptions, DatasetCheck):
    """A statistic of a column is within limits.

    What it measures:
        One number about the values of a column: least, greatest, sum, average, standard deviation, median or another
        quantile, how many different values there are, or the share of NULLs.

    Why it matters:
        Every single value can be plausible while their average is not: amounts in cents among amounts in euros, a status that
        suddenly has one value only.

    Parameters:
        column: the column to look at: numbers; any type for distinct_count, distinct_ratio and null_ratio.
        metric: `min`, `max`, `sum`, `avg`, `stddev` (of a sample, divided by n − 1), `median`, `quantile` (interpolated, as
          SQL's percentile_cont), `distinct_count` (different values), `distinct_ratio` (these over the rows with a value, 0 to
          1) or `null_ratio` (rows with NULL over all rows, 0 to 1).
        q: the share below the quantile, from 0 to 1; required for `quantile` and only for it.
        warn_if, fail_if: conditions on the statistic, without %. At least one is required.

    NULLs and empty tables:
        NULL and NaN are no values and are left out; `null_ratio` counts NULL alone. When no row has a value (for `stddev`:
        fewer than two have, for `null_ratio`: there are no rows) the result is SKIPPED.

    SQL it runs:
        One aggregate in the table's fused statement; `distinct_count` and `distinct_ratio` take part in the grouping
        `select … from (select column, count(*) … group by column)` that uniqueness of the column runs, too.

    Example:
        ```yaml
        - statistic: {column: amount, metric: avg, fail_if: "not between 20 and 60"}
        - statistic: {name: slowest, column: seconds, metric: quantile, q: 0.99, fail_if: "> 30"}
        ```

    Known limits:
        Least, greatest, sum and average of whole numbers and decimals are exact (SQLite keeps decimals as doubles; they are
        added by their shortest decimal). Standard deviations, quantiles and everything of floats are good to 15 significant
        digits, of 32-bit floats to 7. Quantiles sort the column.

    References:
        - Hyndman and Fan, Sample Quantiles in Statistical Packages, The American Statistician 50 (1996), type 7:
          https://doi.org/10.2307/2684934
    """

    type: ClassVar[str] = "statistic"
    dimension: ClassVar[Dimension] = Dimension.ACCURACY
    unit: ClassVar[Unit] = Unit.VALUE

    def problems(self, check: Check) -> tuple[str, ...]:
        """No threshold, or a quantile and its `q` apart."""
        missing = check.warn_if is None and check.fail_if is None
        no_limit = (f"{self.label} has no limit; write warn_if: or fail_if:",) if missing else ()
        return (*self.statistic_problems(), *no_limit)

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """The statistic."""
        del check
        return (self.measured,)

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The statistic against the thresholds."""
        return judge_value(check, measured_number(evidence, self.measured), self.label, self.nothing)
