"""Check type stuck_run: a load that runs for too long, or gives no sign of life."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from dqmon.checks.base.load_runs import last_attempts, successes
from dqmon.checks.base.usual_limits import UsualLimits, durations
from dqmon.core.check import Check
from dqmon.core.duration import Duration, format_duration
from dqmon.core.judgement import Expected, Judgement, LoadEvidence, Observed
from dqmon.core.load_record import LoadStatus
from dqmon.core.verdict import Dimension, Unit, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from dqmon.core.load_record import LoadRecord


class StuckRun(UsualLimits):
    """No load has been running for too long.

    What it measures:
        How long the oldest load that the tool calls running has been running, in seconds; 0 when none runs.

    Why it matters:
        A load whose process was killed stays "running" in most tools for ever: it is no failure, it blocks the next
        one, and nobody is told.

    Parameters:
        warn_after, fail_after: ages such as 90m; older is bad.
        times_usual: how many times the usual duration is still good, such as 3. Usual is what 95 of 100 of the earlier
          successful loads (the newest 100 of 90 days) kept. By itself it is the limit of a FAIL; with warn_after or
          fail_after the longer of both counts.
        min_history: how many earlier loads are needed before times_usual is used; default 5.
        heartbeat_after: fails when a running load gave no sign of life for so long, such as 10m, however old it is. A load
          without any heartbeat yet is measured from its start.

    NULLs and empty tables:
        Passes when nothing runs. With times_usual alone and too few earlier loads, a running load is SKIPPED (learning).

    SQL it runs:
        None on your data; it reads what the source's last poll kept.

    Example:
        ```yaml
        - stuck_run: {fail_after: 90m, times_usual: 3}
        ```

    Known limits:
        Loads that wait in the tool's queue are no running ones; missed_schedule and last_success see those. A load that
        the tool goes on calling running counts although newer ones succeeded: end it in the tool. One that the tool
        forgot stays as it was last seen, for 90 days. A load whose start the tool does not say has no age.

    References:
        - Prefect, zombie flows: https://docs.prefect.io/v3/advanced/detect-zombie-flows
    """

    type: ClassVar[str] = "stuck_run"
    dimension: ClassVar[Dimension] = Dimension.TIMELINESS
    needs: ClassVar[frozenset[str]] = frozenset({"running"})

    heartbeat_after: Duration | None = None

    @property
    def needed(self) -> frozenset[str]:
        """With heartbeat_after, the heartbeats of loads, too."""
        return super().needed | ({"heartbeat"} if self.heartbeat_after is not None else frozenset())

    def problems(self, check: Check) -> tuple[str, ...]:
        """Limits the wrong way round, or none, which is right with heartbeat_after alone."""
        if self.heartbeat_after is not None and self.warn_after is None and self.fail_after is None:
            return ()
        return super().problems(check)

    def judge(self, check: Check, evidence: LoadEvidence) -> Judgement:
        """Silence before age; of several running loads the oldest."""
        del check
        running = [record for record in last_attempts(evidence) if record.status is LoadStatus.RUNNING]
        if not running:
            limit = self.fail_after or self.warn_after
            text = f"at most {format_duration(limit)} for a running load" if limit else "no stuck load"
            return Judgement(Verdict.PASS, Observed(0.0, Unit.SECONDS), Expected(text=text), "no load is running")
        if self.heartbeat_after is not None and (silent := self._silent(running, evidence.measured_at, self.heartbeat_after)):
            return silent
        oldest = min(running, key=_since)
        seconds = _age_s(_since(oldest), evidence.measured_at)
        others = f", the oldest of {len(running):,}" if len(running) > 1 else ""
        seen = f"load {oldest.load_id} has been running for {format_duration(seconds)}{others}"
        if self.warn_after is None and self.fail_after is None and self.times_usual is None:
            text = f"a heartbeat every {format_duration(self.heartbeat_after or 0)}"
            return Judgement(Verdict.PASS, Observed(seconds, Unit.SECONDS), Expected(text=text), f"{seen} and gives signs of life")
        return self.judge_seconds(seconds, durations(successes(evidence)), "a running load", seen)

    @staticmethod
    def _silent(running: Sequence[LoadRecord], now: datetime, limit: int) -> Judgement | None:
        """FAIL for the load that has been silent for longest, when that is too long."""
        quietest = min(running, key=lambda record: record.heartbeat_at or _since(record))
        silent_s = _age_s(quietest.heartbeat_at or _since(quietest), now)
        if silent_s <= limit:
            return None
        reason = f"load {quietest.load_id} is called running, but gave no sign of life for {format_duration(silent_s)}"
        text = f"a heartbeat every {format_duration(limit)}"
        observed = Observed(_age_s(_since(quietest), now), Unit.SECONDS)
        return Judgement(Verdict.FAIL, observed, Expected(text=text), f"{reason}; fails after {format_duration(limit)}")


def _since(record: LoadRecord) -> datetime:
    """When the load started; when it was last seen where the tool does not say."""
    return record.started_at or record.observed_at


def _age_s(since: datetime, now: datetime) -> float:
    return max(timedelta(), now - since).total_seconds()
