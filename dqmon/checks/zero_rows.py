"""Check type zero_rows: successful loads that bring nothing."""

from __future__ import annotations

from itertools import takewhile
from typing import ClassVar

from dqmon.checks.base.load_counts import judge_loads, no_loads
from dqmon.checks.base.load_runs import rows_of, successes
from dqmon.core.check import Check
from dqmon.core.check_type import PipelineCheck
from dqmon.core.judgement import Judgement, LoadEvidence
from dqmon.core.verdict import Dimension, Unit

_NOUN = "loads without rows in a row"


class ZeroRows(PipelineCheck):
    """Successful loads do not go on bringing no rows.

    What it measures:
        How many of the newest successful loads in a row brought zero rows, in all tables or in one.

    Why it matters:
        A load that reads an empty folder, or a table that it may no longer see, succeeds every hour. One such load may be
        a quiet hour; several in a row are a source that is gone.

    Parameters:
        warn_if, fail_if: conditions on the number of loads, without %; default `fail_if: ">= 3"`. `"> 0"` is every one.
        table: count this table only, by the name that the tool gives it.

    NULLs and empty tables:
        A load whose number of rows the tool cannot say is left out. Without any other successful load there is nothing to
        judge: SKIPPED (`on_no_data` changes that). A table that a load did not touch got zero rows.

    SQL it runs:
        None on your data; it reads what the source's last poll kept.

    Example:
        ```yaml
        - zero_rows: {table: orders, fail_if: ">= 4"}
        ```

    Known limits:
        dlt leaves no trace of a run that found no rows at all: there, use last_success. Backfills, resets and refreshes are
        left out.

    References:
        - Fivetran, `records_modified`: https://fivetran.com/docs/logs
    """

    type: ClassVar[str] = "zero_rows"
    dimension: ClassVar[Dimension] = Dimension.VOLUME
    unit: ClassVar[Unit] = Unit.VALUE
    default_fail_if: ClassVar[str | None] = ">= 3"
    needs: ClassVar[frozenset[str]] = frozenset({"success", "rows"})

    table: str | None = None

    def judge(self, check: Check, evidence: LoadEvidence) -> Judgement:
        """The length of the newest streak against the conditions."""
        counted = rows_of(evidence, successes(evidence), self.table)
        where = f" into {self.table}" if self.table else ""
        if not counted:
            return no_loads(check, _NOUN, f"there is no successful load whose rows{where} the tool says")
        empty = sum(1 for _ in takewhile(lambda one: one[1] == 0, reversed(counted)))
        newest, rows = counted[-1]
        if not empty:
            return judge_loads(check, 0, _NOUN, f"the newest load {newest.load_id} brought {rows:,} row{'' if rows == 1 else 's'}{where}")
        loads = f"the newest load {newest.load_id}" if empty == 1 else f"each of the newest {empty:,} loads"
        return judge_loads(check, empty, _NOUN, f"{loads} brought 0 rows{where}")
