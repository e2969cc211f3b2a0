"""Check type rows_loaded: how many rows the newest successful load brought."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field

from dqmon.checks.base.counted import Limits, because, interval, limits
from dqmon.checks.base.words import count, holds
from dqmon.core.check import Check, PipelineCheck
from dqmon.core.judgement import Expected, Judgement, LoadEvidence, Observed
from dqmon.core.load_record import LoadRecord, LoadStatus
from dqmon.core.threshold import Threshold
from dqmon.core.verdict import Dimension, Unit, Verdict


class RowsLoaded(PipelineCheck):
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

    min: Annotated[int, Field(ge=0)] | None = None
    max: Annotated[int, Field(ge=0)] | None = None
    table: str | None = None

    def problems(self, check: Check) -> tuple[str, ...]:
        """Two ways of saying the limits at once, none, or bounds the wrong way round."""
        found: list[str] = []
        has_bounds = self.min is not None or self.max is not None
        has_thresholds = check.warn_if is not None or check.fail_if is not None
        if has_bounds and has_thresholds:
            found.append("min/max and warn_if/fail_if are both given; write one of the two")
        if not has_bounds and not has_thresholds:
            found.append("no limit is given; write min: or max:, or warn_if: or fail_if:")
        if self.min is not None and self.max is not None and self.min > self.max:
            found.append(f"min {self.min} is above max {self.max}; no number of rows can be right")
        return tuple(found)

    def judge(self, check: Check, evidence: LoadEvidence) -> Judgement:
        """The rows of the newest successful load against the limits."""
        bounds = self._limits(check)
        newest = self._newest(evidence)
        rows = self._rows(newest, evidence) if newest else None
        if newest is None or rows is None:
            reason = "the tool does not say how many rows it loaded" if newest else "there is no successful load yet"
            text = holds(bounds.tightest, "rows") if bounds.tightest else ""
            return Judgement(Verdict.SKIPPED, Observed(None, Unit.ROWS), Expected(text=text), reason, is_no_data=True)
        verdict = bounds.verdict(rows)
        applied = bounds.applied(verdict)
        low, high = interval(applied) if applied else (None, None)
        text = holds(applied, "rows") if applied else ""
        expected = Expected(None if low is None else float(low), None if high is None else float(high), text)
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

    def _limits(self, check: Check) -> Limits:
        if self.min is None and self.max is None:
            return limits(check)
        if self.max is None:
            return Limits(None, Threshold("<", Decimal(self.min or 0)))
        if self.min is None:
            return Limits(None, Threshold(">", Decimal(self.max)))
        return Limits(None, Threshold("not between", Decimal(self.min), Decimal(self.max)))
