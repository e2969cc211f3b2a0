"""Check type orphan_load: loads that left rows behind but never completed."""

from __future__ import annotations

from typing import ClassVar

from dqmon.core.check import Check
from dqmon.core.check_type import PipelineCheck
from dqmon.core.duration import Duration, format_duration
from dqmon.core.judgement import Expected, Judgement, LoadEvidence, Observed
from dqmon.core.load_record import LoadRecord, LoadStatus
from dqmon.core.verdict import Dimension, Unit, Verdict

_SHOWN = 5


class OrphanLoad(PipelineCheck):
    """No load has left rows behind without ever completing.

    What it measures:
        How many loads have committed rows, or moved their cursor, but have no completion mark.

    Why it matters:
        Half of a load is in the tables: some tables have its rows and others do not, and queries cannot tell. A cursor
        that has moved past rows that never arrived makes the loss permanent.

    Parameters:
        grace: how long a load may be under way before it counts, from when it was made; default 1h.

    NULLs and empty tables:
        A pipeline without any load passes. A load that is completed later, or whose rows are deleted, no longer counts.

    SQL it runs:
        None on your data; the source compares the load ids of rows with the completed loads when it is polled.

    Example:
        ```yaml
        - orphan_load: {grace: 2h, severity: error}
        ```

    Known limits:
        A load that takes longer than `grace` is taken for an orphan while it runs.

    References:
        - dlt, load ids and `_dlt_loads`: https://dlthub.com/docs/general-usage/destination-tables#load-packages-and-load-ids
    """

    type: ClassVar[str] = "orphan_load"
    dimension: ClassVar[Dimension] = Dimension.CONSISTENCY
    unit: ClassVar[Unit] = Unit.VALUE
    allows_threshold: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"orphans"})

    grace: Duration = 3600

    def judge(self, check: Check, evidence: LoadEvidence) -> Judgement:
        """FAIL when a half-done load is older than the grace."""
        del check
        half_done = [record for record in evidence.records if record.status is LoadStatus.PARTIAL]
        orphans = sorted({record.load_id for record in half_done if self._age_s(record, evidence) > self.grace})
        observed, expected = Observed(len(orphans), Unit.VALUE), Expected(high=0.0, text="no orphan load")
        if not orphans:
            young = sorted({record.load_id for record in half_done})
            note = f"; {len(young)} under way for less than {format_duration(self.grace)}" if young else ""
            return Judgement(Verdict.PASS, observed, expected, f"every load that left rows was completed{note}")
        ids = ", ".join(orphans[:_SHOWN]) + (f" and {len(orphans) - _SHOWN:,} more" if len(orphans) > _SHOWN else "")
        rows = sum(record.rows or 0 for record in half_done if record.table is None and record.load_id in orphans)
        left = f"{len(orphans):,} load{' was' if len(orphans) == 1 else 's were'} never completed, with {rows:,} rows in the tables"
        return Judgement(Verdict.FAIL, observed, expected, f"{left}: {ids}; not completed within {format_duration(self.grace)}")

    @staticmethod
    def _age_s(record: LoadRecord, evidence: LoadEvidence) -> float:
        return (evidence.measured_at - (record.started_at or record.observed_at)).total_seconds()
