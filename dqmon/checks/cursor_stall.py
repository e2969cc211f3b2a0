"""Check type cursor_stall: loads that succeed without getting any farther."""

from __future__ import annotations

from itertools import takewhile
from typing import ClassVar

from dqmon.checks.base.cursors import reached
from dqmon.checks.base.load_counts import judge_loads, no_loads
from dqmon.core.check import Check
from dqmon.core.check_type import PipelineCheck
from dqmon.core.judgement import Judgement, LoadEvidence
from dqmon.core.verdict import Dimension, Unit

_NOUN = "loads without progress"


class CursorStall(PipelineCheck):
    """The cursor of an incremental load goes on.

    What it measures:
        How many of the newest successful loads in a row left the cursor where it was. A load that brought no rows does not
        count: it had nothing to go on to.

    Why it matters:
        A load that brings rows and does not move its cursor brings the same rows every time: a column that is no longer
        written, or a state that is not saved.

    Parameters:
        warn_if, fail_if: conditions on the number of loads, without %; default `fail_if: ">= 3"`.
        count_empty: true: loads without rows count too, for sources that are never quiet (default false).
        table: look at the cursor of this table, by the name that the tool gives it.

    NULLs and empty tables:
        A load without a cursor is left out; one whose rows the tool cannot say counts. Without any load with a cursor there is
        nothing to judge: SKIPPED (`on_no_data` changes that). Two cursors are equal when their texts are.

    SQL it runs:
        None on your data; it reads what the source's last poll kept.

    Example:
        ```yaml
        - cursor_stall: {table: orders, fail_if: ">= 5"}
        ```

    Known limits:
        Loads that fail are judged by failed_runs. A cursor of days stands still for a day.

    References:
        - Singer, bookmarks: https://github.com/singer-io/getting-started/blob/master/docs/CONFIG_AND_STATE.md
    """

    type: ClassVar[str] = "cursor_stall"
    dimension: ClassVar[Dimension] = Dimension.TIMELINESS
    unit: ClassVar[Unit] = Unit.VALUE
    default_fail_if: ClassVar[str | None] = ">= 3"
    needs: ClassVar[frozenset[str]] = frozenset({"success", "cursor"})

    count_empty: bool = False
    table: str | None = None

    def judge(self, check: Check, evidence: LoadEvidence) -> Judgement:
        """How many loads have left the newest cursor where it was."""
        loads = reached(evidence, self.table)
        of = f" of {self.table}" if self.table else ""
        if not loads:
            return no_loads(check, _NOUN, f"there is no successful load with a cursor{of}")
        cursor = loads[-1].cursor
        same = tuple(takewhile(lambda one: one.cursor == cursor, reversed(loads)))
        idle = [one for one in same[:-1] if self.count_empty or one.rows != 0]
        if not idle:
            return judge_loads(check, 0, _NOUN, f"the cursor{of} is at {cursor}")
        what = "loads" if self.count_empty else "loads with rows"
        loads_said = what.replace("loads", "load", 1) if len(idle) == 1 else what
        return judge_loads(check, len(idle), _NOUN, f"the cursor{of} is still at {cursor} after {len(idle):,} more {loads_said}")
