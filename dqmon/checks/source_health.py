"""Check type source_health: whether what the source says of a pipeline can be relied on."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from dqmon.core.check import Check
from dqmon.core.check_type import PipelineCheck
from dqmon.core.duration import Duration, format_duration
from dqmon.core.judgement import Expected, Judgement, LoadEvidence, Observed
from dqmon.core.verdict import Dimension, Unit, Verdict


class SourceHealth(PipelineCheck):
    """The source can be read, still lists the pipeline, and its scheduler lives.

    What it measures:
        Whether the source answered, and lists the pipeline; with `heartbeat_after` also how long ago the part of the tool that
        starts loads gave its last sign of life, in seconds.

    Why it matters:
        While a tool cannot be asked, nothing is known of its loads: that is neither "loaded" nor "late". A pipeline that
        the tool lists no more (a DAG with an import error, a deleted connector) fails nothing and loads nothing.

    Parameters:
        heartbeat_after: how long the tool's scheduler may be silent, such as 5m.

    NULLs and empty tables:
        A source that cannot be read is an ERROR, of this check as of all checks of its pipelines. A scheduler that is silent
        is an ERROR too: what the tool says is running or next is then not to be relied on. A pipeline that is not listed is a FAIL.
        With heartbeat_after and a tool that never said: SKIPPED (`on_no_data` changes that).

    SQL it runs:
        None on your data; the source is polled.

    Example:
        ```yaml
        - source_health: {heartbeat_after: 5m}
        ```

    Known limits:
        One check for each source is enough to be told that it is down; write it for the pipeline that matters most.

    References:
        - Airflow, `/api/v2/monitor/health`: https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/check-health.html
    """

    type: ClassVar[str] = "source_health"
    dimension: ClassVar[Dimension] = Dimension.TIMELINESS
    unit: ClassVar[Unit] = Unit.SECONDS
    allows_threshold: ClassVar[bool] = False

    heartbeat_after: Duration | None = None

    @property
    def needed(self) -> frozenset[str]:
        """With heartbeat_after, heartbeats."""
        return frozenset() if self.heartbeat_after is None else frozenset({"heartbeat"})

    def judge(self, check: Check, evidence: LoadEvidence) -> Judgement:
        """FAIL for an unlisted pipeline, ERROR for a silent scheduler; an unreachable source never comes here."""
        expected = Expected(text="a source that answers and lists the pipeline")
        if evidence.info is None:
            reason = f"the source answers, but does not list the pipeline {check.pipeline.pipeline if check.pipeline else ''}".rstrip()
            return Judgement(Verdict.FAIL, Observed(None, Unit.SECONDS), expected, reason)
        if self.heartbeat_after is None:
            return Judgement(Verdict.PASS, Observed(None, Unit.SECONDS), expected, "the source answers and lists the pipeline")
        limit = format_duration(self.heartbeat_after)
        expected = Expected(high=float(self.heartbeat_after), text=f"a sign of life of the scheduler every {limit}")
        if evidence.info.heartbeat_at is None:
            reason = "the source answers, but does not say when its scheduler last gave a sign of life"
            return Judgement(Verdict.SKIPPED, Observed(None, Unit.SECONDS), expected, reason, is_no_data=True)
        silent_s = max(timedelta(), evidence.measured_at - evidence.info.heartbeat_at).total_seconds()
        observed = Observed(silent_s, Unit.SECONDS)
        seen = f"the scheduler gave its last sign of life {format_duration(silent_s)} ago"
        if silent_s > self.heartbeat_after:
            reason = f"{seen}, more than {limit}: what the tool says of its loads is not to be relied on"
            return Judgement(Verdict.ERROR, observed, expected, reason)
        return Judgement(Verdict.PASS, observed, expected, f"{seen}; {limit} are fine")
