"""Check type rejected_rows: rows that a load refused."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from dqmon.checks.base.counted import Count, because, judge_count, limits
from dqmon.checks.base.load_runs import ended, ended_at, of_table
from dqmon.checks.base.words import count, holds
from dqmon.core.check import Check
from dqmon.core.check_type import PipelineCheck
from dqmon.core.duration import Duration, format_duration
from dqmon.core.judgement import Expected, Judgement, LoadEvidence, Observed
from dqmon.core.load_record import LoadStatus
from dqmon.core.verdict import Dimension, Unit, Verdict

if TYPE_CHECKING:
    from dqmon.core.load_record import LoadRecord

_NOUN = "rejected rows"


class RejectedRows(PipelineCheck):
    """Loads reject no rows.

    What it measures:
        How many rows the newest load rejected, or with `window` all loads that ended within it. The ratio is of the rows that
        it was offered: loaded and rejected.

    Why it matters:
        A load that skips what it cannot read is reported as a success, or as a partial one; the rows are missing for ever.

    Parameters:
        warn_if, fail_if: conditions on the number of rejected rows, or with % on their share; default `fail_if: "> 0"`.
        window: add up the loads that ended this long ago or less, such as 1h, for tools that load file by file.
        table: count this table only, by the name that the tool gives it.

    NULLs and empty tables:
        A load whose rejected rows the tool cannot say is left out. Without any other load that ended (in the window), or when
        none was offered a row, there is nothing to judge: SKIPPED (`on_no_data` changes that). So it is with a % condition
        when the tool does not say how many rows were loaded.

    SQL it runs:
        None on your data; it reads what the source's last poll kept.

    Example:
        ```yaml
        - rejected_rows: {window: 1h, warn_if: "> 0", fail_if: "> 0.5%"}
        ```

    Known limits:
        Successful and partial loads count; one that failed is judged by failed_runs. A queue of dead letters is a backlog.

    References:
        - Snowflake, COPY_HISTORY: https://docs.snowflake.com/en/sql-reference/functions/copy_history
    """

    type: ClassVar[str] = "rejected_rows"
    dimension: ClassVar[Dimension] = Dimension.VALIDITY
    unit: ClassVar[Unit] = Unit.ROWS
    allows_percent: ClassVar[bool] = True
    default_fail_if: ClassVar[str | None] = "> 0"
    needs: ClassVar[frozenset[str]] = frozenset({"rejects"})

    window: Duration | None = None
    table: str | None = None

    def judge(self, check: Check, evidence: LoadEvidence) -> Judgement:
        """The rejected rows against the conditions."""
        loads = self._judged(evidence)
        if not loads:
            when = f" in the last {format_duration(self.window)}" if self.window is not None else ""
            return _nothing(check, None, f"no load ended{when} of which the tool says how many rows it rejected")
        rejected = sum(record.rows_rejected or 0 for record in loads)
        where = f" by {count(len(loads), 'loads')}" if self.window is not None else f" by load {loads[-1].load_id}"
        if all(record.rows is not None for record in loads):
            offered = rejected + sum(record.rows or 0 for record in loads)
            nothing = f"no rows were offered{where.replace(' by', ' to', 1)}"
            return judge_count(check, Count(rejected, offered, f"are rejected{where}", "rejected", nothing))
        return self._without_share(check, rejected, where)

    def _without_share(self, check: Check, rejected: int, where: str) -> Judgement:
        """The verdict by numbers alone, where the rows that were loaded are not known."""
        bounds = limits(check)
        if any(one is not None and one.is_percent for one in (bounds.warn, bounds.fail)):
            reason = f"{count(rejected, _NOUN)}{where}, but the tool does not say how many were loaded, so that there is no share"
            return _nothing(check, rejected, reason)
        verdict = bounds.verdict(rejected)
        applied = bounds.applied(verdict)
        text = holds(applied, _NOUN) if applied else ""
        reason = f"{count(rejected, _NOUN)}{where}{because(bounds, verdict)}"
        return Judgement(verdict, Observed(rejected, Unit.ROWS), Expected(text=text), reason)

    def _judged(self, evidence: LoadEvidence) -> tuple[LoadRecord, ...]:
        """What the loads did (to the table), as far as the tool says what was rejected; without a window, the newest alone."""
        loads = ended(evidence, (LoadStatus.SUCCEEDED, LoadStatus.PARTIAL))
        if self.window is not None:
            since = evidence.measured_at - timedelta(seconds=self.window)
            loads = tuple(record for record in loads if ended_at(record) >= since)
        parts = of_table(evidence, loads, self.table)
        told = tuple(part for part in parts if part is not None and part.rows_rejected is not None)
        return told if self.window is not None else told[-1:]


def _nothing(check: Check, rejected: int | None, reason: str) -> Judgement:
    tightest = limits(check).tightest
    text = holds(tightest, "" if tightest.is_percent else _NOUN) if tightest else ""
    return Judgement(Verdict.SKIPPED, Observed(rejected, Unit.ROWS), Expected(text=text), reason, is_no_data=True)
