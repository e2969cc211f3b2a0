"""Check type rows_loaded: how many rows the newest successful load brought."""

from __future__ import annotations

from typing import ClassVar

from dqmon.checks.base.counted import because
from dqmon.checks.base.row_bounds import RowBounds, expected_rows
from dqmon.checks.base.words import count, holds
from dqmon.core.check import Check
from dqmon.core.check_type import PipelineCheck
from dqmon.core.judgement import Expected, Judgement, LoadEvidence, Observed
from dqmon.core.load_record import LoadRecord, LoadStatus
from dqmon.core.verdict import Dimension, Unit, Verdict


class RowsLoaded(RowBounds, PipelineCheck):
    """The newest successful load brought as many rows as it should.

    What it measures:
        The rows of the newest successful load, in all its tables or in one.

    Why it matters:
        A load that succeeds with ten rows instead of ten thousand is reported as a success by every tool.

    Parameters:
        min, max: the fewest and the most rows that are right, inclusive. Either these, or warn_if and fail_if.
        warn_if, fail_if: conditions on the number of rows, without %.
        table: count this table only, by the name that the tool gives it.

    NULLs and empty tables:
        Zero rows is a value and is judged; a table that the load did not touch has zero. Without any successful load,
        or when the tool cannot say the number, there is nothing to judge: SKIPPED (`on_no_data` changes that).

    SQL it runs:
        None on your data; the source counts the rows of new loads when it is polled.

    Example:
        ```yaml
        - rows_loaded: {table: orders, min: 500}
        ```

    Known limits:
        Rows are counted when the load is first seen. A merge that happened before then has already taken rows out of it.

    References:
        - dlt, `_dlt_load_id`: https://dlthub.com/docs/general-usage/destination-tables#load-packages-and-load-ids
    """

    type: ClassVar[str] = "rows_loaded"
    dimension: ClassVar[Dimension] = Dimension.VOLUME
    unit: ClassVar[Unit] = Unit.ROWS
    needs: ClassVar[frozenset[str]] = frozenset({"success", "rows"})

    table: str | None = None

    def judge(self, check: Check, evidence: LoadEvidence) -> Judgement:
        """The rows of the newest successful load against the limits."""
        bounds = self.row_limits(check)
        newest = self._newest(evidence)
        rows = self._rows(newest, evidence) if newest else None
        if newest is None or rows is None:
            reason = "the tool does not say how many rows it loaded" if newest else "there is no successful load yet"
            text = holds(bounds.tightest, "rows") if bounds.tightest else ""
            return Judgement(Verdict.SKIPPED, Observed(None, Unit.ROWS), Expected(text=text), reason, is_no_data=True)
        verdict = bounds.verdict(rows)
        expected = expected_rows(bounds, verdict)
        where = f" into {self.table}" if self.table else ""
        reason = f"load {newest.load_id} brought {count(rows, 'rows')}{where}{because(bounds, verdict)}"
        return Judgement(verdict, Observed(rows, Unit.ROWS), expected, reason)

    def _newest(self, evidence: LoadEvidence) -> LoadRecord | None:
        """The successful load that ended last; the record of the load as a whole."""
        found = [
            record
            for record in evidence.records
            if record.table is None
            and record.status is LoadStatus.SUCCEEDED
            and record.kind == "load"
            and record.finished_at is not None
            and record.finished_at <= evidence.measured_at
        ]
        return max(found, key=lambda record: (record.finished_at, record.load_id, record.attempt), default=None)

    def _rows(self, load: LoadRecord, evidence: LoadEvidence) -> int | None:
        if self.table is None or load.rows is None:
            return load.rows
        same = (r for r in evidence.records if (r.load_id, r.attempt, r.table) == (load.load_id, load.attempt, self.table))
        return next((record.rows for record in same), 0)
