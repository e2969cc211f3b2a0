"""Check type last_success: how long ago a pipeline last loaded successfully."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from dqmon.core.check import Check
from dqmon.core.check_type import PipelineCheck
from dqmon.core.duration import Duration, format_duration
from dqmon.core.judgement import Expected, Judgement, LoadEvidence, Observed
from dqmon.core.load_record import LoadStatus
from dqmon.core.verdict import Dimension, Unit, Verdict


class LastSuccess(PipelineCheck):
    """A pipeline has loaded successfully not too long ago.

    What it measures:
        The time since the newest successful load ended, in seconds. A load counts only when the tool says that it was
        completed; neither rows that appeared nor a cursor that moved is taken for success.

    Why it matters:
        When loading stops, tables keep their old rows: every check of their contents stays green while the numbers age.

    Parameters:
        warn_after, fail_after: ages such as 2h; older is bad. At least one of them.
        require_rows: count only loads that brought at least one row (default false).

    NULLs and empty tables:
        A pipeline that never succeeded is measured from when dqmon first saw it: it passes until warn_after or
        fail_after has passed since then. With require_rows, a load whose number of rows the tool cannot say does not count.

    SQL it runs:
        None on your data; it reads what the source's last poll kept.

    Example:
        ```yaml
        - last_success: {warn_after: 2h, fail_after: 4h}
        ```

    Known limits:
        dlt leaves no trace of a run that found no rows, so a quiet source and a dead pipeline look the same: allow for
        the longest quiet time. A load that ended after the slot is seen at the next slot.

    References:
        - dlt, `_dlt_loads`: https://dlthub.com/docs/general-usage/destination-tables#load-packages-and-load-ids
    """

    type: ClassVar[str] = "last_success"
    dimension: ClassVar[Dimension] = Dimension.TIMELINESS
    unit: ClassVar[Unit] = Unit.SECONDS
    allows_threshold: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"success"})

    warn_after: Duration | None = None
    fail_after: Duration | None = None
    require_rows: bool = False

    def problems(self, check: Check) -> tuple[str, ...]:
        """No limit at all, or limits the wrong way round."""
        del check
        if self.warn_after is None and self.fail_after is None:
            return ("no limit is given; write warn_after: or fail_after:, such as 4h",)
        if self.warn_after is not None and self.fail_after is not None and self.warn_after > self.fail_after:
            return ("warn_after is longer than fail_after, so that it would never warn; write the shorter one as warn_after",)
        return ()

    def judge(self, check: Check, evidence: LoadEvidence) -> Judgement:
        """The age of the newest success against the limits."""
        del check
        successes = [
            at
            for record in evidence.records
            if record.table is None
            and record.status is LoadStatus.SUCCEEDED
            and record.kind == "load"
            and (not self.require_rows or (record.rows or 0) > 0)
            and (at := record.finished_at or record.data_through) is not None
            and at <= evidence.measured_at
        ]
        since = max(successes, default=evidence.first_seen_at)
        age = max(timedelta(), evidence.measured_at - since)
        verdict, limit = self._verdict(age.total_seconds())
        what = "load with rows" if self.require_rows else "load"
        ago = format_duration(age.total_seconds())
        seen = f"the last successful {what} ended {ago} ago" if successes else f"no successful {what} since dqmon first saw it {ago} ago"
        reason = f"{seen}; {'fails' if limit == self.fail_after else 'warns'} after {format_duration(limit)}"
        expected = Expected(high=float(limit), text=f"at most {format_duration(limit)} since the last successful {what}")
        return Judgement(verdict, Observed(age.total_seconds(), Unit.SECONDS), expected, reason)

    def _verdict(self, age_s: float) -> tuple[Verdict, int]:
        """The verdict and the limit that it rests on: for PASS the tighter one."""
        if self.fail_after is not None and age_s > self.fail_after:
            return Verdict.FAIL, self.fail_after
        if self.warn_after is not None and age_s > self.warn_after:
            return Verdict.WARN, self.warn_after
        return Verdict.PASS, self.warn_after if self.warn_after is not None else self.fail_after or 0
