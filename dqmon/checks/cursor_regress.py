"""Check type cursor_regress: a cursor that went backwards."""

from __future__ import annotations

from typing import ClassVar

from dqmon.checks.base.cursors import Place, Reached, place, reached
from dqmon.core.check import Check
from dqmon.core.check_type import PipelineCheck
from dqmon.core.judgement import Expected, Judgement, LoadEvidence, Observed
from dqmon.core.verdict import Dimension, Unit, Verdict


class CursorRegress(PipelineCheck):
    """The cursor of an incremental load never goes backwards.

    What it measures:
        The cursor of the newest successful load, against the farthest one of the earlier loads since the last reset.

    Why it matters:
        A state that was restored from a backup, or lost, loads rows again that are there already: sums double where the
        destination does not merge.

    Parameters:
        table: look at the cursor of this table, by the name that the tool gives it.

    NULLs and empty tables:
        A load without a cursor is left out. With less than two cursors, or where the newest is neither a number nor a time, there
        is nothing to judge: SKIPPED (`on_no_data` changes that). Times without a zone are UTC.

    SQL it runs:
        None on your data; it reads what the source's last poll kept.

    Example:
        ```yaml
        - cursor_regress: {severity: error}
        ```

    Known limits:
        It fails until the cursor has caught up, or the tool reports a reset or refresh; loads of 90 days are known.

    References:
        - Singer, bookmarks: https://github.com/singer-io/getting-started/blob/master/docs/CONFIG_AND_STATE.md
    """

    type: ClassVar[str] = "cursor_regress"
    dimension: ClassVar[Dimension] = Dimension.CONSISTENCY
    unit: ClassVar[Unit] = Unit.VALUE
    allows_threshold: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"success", "cursor"})

    table: str | None = None

    def judge(self, check: Check, evidence: LoadEvidence) -> Judgement:
        """FAIL when the newest cursor is behind an earlier one."""
        del check
        loads = reached(evidence, self.table)
        of = f" of {self.table}" if self.table else ""
        if not loads:
            return _nothing(None, f"there is no successful load with a cursor{of}")
        newest = loads[-1]
        now = place(newest.cursor)
        if now is None:
            return _nothing(newest, f"the cursor{of} {newest.cursor} is neither a number nor a time, so that it cannot be compared")
        earlier = [(at, one) for one in loads[:-1] if type(at := place(one.cursor)) is type(now)]
        if not earlier:
            return _nothing(newest, f"the cursor{of} is at {newest.cursor}, with none before to compare it with")
        farthest, before = max(earlier, key=_farther)
        expected = Expected(text=f"at least {before.cursor}")
        observed = Observed(newest.cursor, Unit.VALUE)
        if now < farthest:  # type: ignore[operator]  # both are of one type
            reason = f"load {newest.load.load_id} set the cursor{of} back to {newest.cursor}; load {before.load.load_id} had reached"
            return Judgement(Verdict.FAIL, observed, expected, f"{reason} {before.cursor}")
        return Judgement(Verdict.PASS, observed, expected, f"the cursor{of} is at {newest.cursor}, no earlier one was farther")


def _farther(one: tuple[Place, Reached]) -> Place:
    return one[0]


def _nothing(newest: Reached | None, reason: str) -> Judgement:
    observed = Observed(newest.cursor if newest else None, Unit.VALUE)
    return Judgement(Verdict.SKIPPED, observed, Expected(text="a cursor that never goes backwards"), reason, is_no_data=True)
