"""Check type run_duration: how long the newest load took."""

from __future__ import annotations

from typing import ClassVar

from dqmon.checks.base.load_runs import successes
from dqmon.checks.base.usual_limits import UsualLimits, durations
from dqmon.core.check import Check
from dqmon.core.duration import format_duration
from dqmon.core.judgement import Expected, Judgement, LoadEvidence, Observed
from dqmon.core.verdict import Dimension, Unit, Verdict


class RunDuration(UsualLimits):
    """The newest load did not take too long.

    What it measures:
        The time from start to end of the newest successful load, in seconds.

    Why it matters:
        A load that grows slower from week to week is late one morning; before that, it costs more every day.

    Parameters:
        warn_after, fail_after: durations such as 45m; longer is bad.
        times_usual: how many times the usual duration is still good, such as 2. Usual is what 95 of 100 of the earlier
          loads (the newest 100 of 90 days) kept. By itself it is the limit of a FAIL; with warn_after or fail_after the
          longer of both counts, so that these say from when on slowness matters at all.
        min_history: how many earlier loads are needed before times_usual is used; default 5.

    NULLs and empty tables:
        Without a successful load that has a start and an end there is nothing to judge: SKIPPED (`on_no_data` changes
        that). With times_usual alone and too few earlier loads: SKIPPED (learning).

    SQL it runs:
        None on your data; it reads what the source's last poll kept.

    Example:
        ```yaml
        - run_duration: {fail_after: 30m, times_usual: 2}
        ```

    Known limits:
        A load that still runs is judged by stuck_run. Failed loads, backfills, resets and refreshes are left out: they end
        early, or are long for a reason. Time in the tool's queue counts only where the tool counts it.

    References:
        - Airflow, duration of a run: https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/dag-run.html
    """

    type: ClassVar[str] = "run_duration"
    dimension: ClassVar[Dimension] = Dimension.TIMELINESS
    needs: ClassVar[frozenset[str]] = frozenset({"success", "duration"})

    def judge(self, check: Check, evidence: LoadEvidence) -> Judgement:
        """The duration of the newest successful load against the limits and the loads before."""
        del check
        timed = [record for record in successes(evidence) if record.started_at and record.finished_at]
        if not timed:
            reason = "there is no successful load with a start and an end yet"
            return Judgement(Verdict.SKIPPED, Observed(None, Unit.SECONDS), Expected(text="a load to time"), reason, is_no_data=True)
        *earlier, seconds = durations(timed)
        seen = f"load {timed[-1].load_id} took {format_duration(seconds)}"
        return self.judge_seconds(seconds, earlier, "a load", seen)
