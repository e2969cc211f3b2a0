"""Check type failed_runs: loads that failed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, ClassVar, Literal

from dqmon.checks.base.load_counts import judge_loads, no_loads
from dqmon.checks.base.load_runs import ENDED, ended, ended_at, error_text
from dqmon.checks.base.words import count
from dqmon.core.check import Check
from dqmon.core.check_type import PipelineCheck
from dqmon.core.duration import Duration, format_duration
from dqmon.core.judgement import Judgement, LoadEvidence
from dqmon.core.load_record import LoadStatus
from dqmon.core.verdict import Dimension, Unit, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dqmon.core.load_record import LoadRecord

_NOUN = "failed loads"


class FailedRuns(PipelineCheck):
    """The loads of a pipeline do not fail.

    What it measures:
        How many of the newest loads failed in a row; with `window`, how many of those that ended within it failed. A load
        counts by its last attempt: one that succeeded when it was retried did not fail.

    Why it matters:
        The tool's own message names the cause hours before a table is stale, and a load that fails every second time never
        makes a table stale at all.

    Parameters:
        warn_if, fail_if: conditions on the number of failed loads, without %; default `fail_if: "> 0"`.
        window: count the loads that ended this long ago or less, such as 24h; without it, the newest ones in a row.
        cancelled: `fail` (default) counts a cancelled load as a failed one, `ignore` leaves it out.
        partial: what a newest load means that the tool calls partly successful and no condition makes bad: `warn` (default),
          `fail` or `pass`.

    NULLs and empty tables:
        Without any load that ended (in the window) there is nothing to judge: SKIPPED (`on_no_data` changes that), so that
        an alert stays open until a load succeeds. A stream (a connector, a replication slot) that runs and never ended passes.
        Loads that run, wait or were skipped by the tool are not counted.

    SQL it runs:
        None on your data; it reads what the source's last poll kept.

    Example:
        ```yaml
        - failed_runs: {window: 24h, warn_if: ">= 1", fail_if: ">= 3"}
        ```

    Known limits:
        Loads of all kinds count, backfills and resets too. What the tool reports as a success although rows were lost is
        seen by rows_loaded, rejected_rows or orphan_load.

    References:
        - Airflow, states of a run: https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/dag-run.html
    """

    type: ClassVar[str] = "failed_runs"
    dimension: ClassVar[Dimension] = Dimension.TIMELINESS
    unit: ClassVar[Unit] = Unit.VALUE
    default_fail_if: ClassVar[str | None] = "> 0"
    needs: ClassVar[frozenset[str]] = frozenset({"failures"})

    window: Duration | None = None
    cancelled: Literal["fail", "ignore"] = "fail"
    partial: Literal["warn", "fail", "pass"] = "warn"

    def judge(self, check: Check, evidence: LoadEvidence) -> Judgement:
        """The number of failed loads against the conditions; then what a newest partial load means."""
        loads = self._judged(evidence)
        if not loads and self._never_ends(evidence):
            return judge_loads(check, 0, _NOUN, "it runs, and no load of it ever ended", "")
        if not loads:
            return no_loads(check, _NOUN, f"no load ended{self._when}")
        bad = (LoadStatus.FAILED, LoadStatus.CANCELLED)
        if self.window is None:
            failed: Sequence[LoadRecord] = list(takewhile(lambda record: record.status in bad, reversed(loads)))
            seen = self._streak(loads[-1], len(failed))
        else:
            failed = [record for record in reversed(loads) if record.status in bad]
            seen = f"{len(failed):,} of {count(len(loads), 'loads')}{self._when} failed"
        more = f"; the newest, {failed[0].load_id}{error_text(failed[0])}" if failed else ""
        judgement = judge_loads(check, len(failed), _NOUN, seen, more)
        newest = loads[-1]
        if newest.status is not LoadStatus.PARTIAL or self.partial == "pass" or judgement.verdict is not Verdict.PASS:
            return judgement
        said = f"load {newest.load_id} was only partly successful{error_text(newest)}"
        return replace(judgement, verdict=Verdict(self.partial), reason=f"{said}; {self.partial}s by `partial`")

    @property
    def _when(self) -> str:
        return f" in the last {format_duration(self.window)}" if self.window is not None else ""

    @staticmethod
    def _never_ends(evidence: LoadEvidence) -> bool:
        """True of what only ever ran: a stream, whose one record is its state."""
        return not ended(evidence, ENDED) and evidence.records[-1:] != () and evidence.records[-1].status is LoadStatus.RUNNING

    def _judged(self, evidence: LoadEvidence) -> tuple[LoadRecord, ...]:
        statuses = ENDED - {LoadStatus.CANCELLED} if self.cancelled == "ignore" else ENDED
        loads = ended(evidence, statuses)
        if self.window is None:
            return loads
        since = evidence.measured_at - timedelta(seconds=self.window)
        return tuple(record for record in loads if ended_at(record) >= since)

    @staticmethod
    def _streak(newest: LoadRecord, failed: int) -> str:
        if not failed:
            return f"the newest load {newest.load_id} {newest.status}"
        return f"the newest load {newest.status}" if failed == 1 else f"the newest {failed:,} loads failed"
