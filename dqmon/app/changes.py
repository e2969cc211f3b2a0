"""What the check files' changes since a commit add, cost and would have told: `dqmon plan --changed-since`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dqmon.app.backtests import all_of, try_out
from dqmon.config.committed import at_commit
from dqmon.config.registries import Registries
from dqmon.core.changes import Change, changes
from dqmon.core.cost import Cost, together
from dqmon.daemon.cron import runs_per_day
from dqmon.engine.measuring.asked import Task
from dqmon.engine.planned import by_check as planned_checks
from dqmon.engine.preview import preview
from dqmon.engine.rehearsal.compare import OfCheck, by_check, totals
from dqmon.store import incidents

if TYPE_CHECKING:
    from dqmon.app.commands import App
    from dqmon.core.check import Check
    from dqmon.core.selector import Selector
    from dqmon.engine.planned import PlannedStatement
    from dqmon.engine.run import Progress


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """The changes; `before` and `after` have what the replay says of each changed check, as it was and as it is.

    statements: what one run of the new and changed checks sends. per_day: what they cost a day by their schedules, and what the
    changed and removed ones did. pages: in the replayed days, of all of them. open_incidents: of removed checks, by check.
    unmeasured: why new or changed checks cannot be measured now, by check.
    """

    changes: tuple[Change, ...]
    days: int
    before: Mapping[str, OfCheck]
    after: Mapping[str, OfCheck]
    statements: int
    per_day: tuple[Cost, Cost]
    pages: tuple[int, int]
    open_incidents: Mapping[str, str]
    unmeasured: Mapping[str, str]

    def pages_of(self, change: Change) -> tuple[int, int]:
        """The pages that told of the check, before and after."""
        before, after = self._both(change)
        return before.pages if before else 0, after.pages if after else 0

    def alerts_of(self, change: Change) -> tuple[int, int]:
        """Its alerts, before and after."""
        before, after = self._both(change)
        return before.alerts if before else 0, after.alerts if after else 0

    def is_replayed(self, change: Change) -> bool:
        """True when the store had something to replay of the check as it is."""
        _, after = self._both(change)
        return after is not None and any(after.verdicts.values())

    def _both(self, change: Change) -> tuple[OfCheck | None, OfCheck | None]:
        before, after = change.before, change.after
        return self.before.get(before.id) if before else None, self.after.get(after.id) if after else None

    def needs_review(self, change: Change) -> bool:
        """True where people would be paged more often."""
        before, after = self.pages_of(change)
        return after > before


def changed_since(app: App, ref: str, selector: Selector, days: int, progress: Progress | None = None) -> ChangePlan:
    """The selected checks of the check files as they are against those of a commit; only what has changed is replayed.

    Sends catalogue look-ups only. Raises UsageError and ConfigError.
    """
    former = at_commit(app.project, ref, Registries().checks)
    old, new = all_of(app, former, selector), {check.id: check for check in app.select(selector)}
    found = changes(old, new)
    sides = [[c.before for c in found if c.before is not None], [c.after for c in found if c.after is not None]]
    tried = try_out(app, sides, days, progress)
    before, after = tried.sides
    (_, former_cost), (planned, cost) = (_planned(app, side) for side in sides)
    statements = sum(1 for one in planned if one.sql and one.kind != "if needed")
    unmeasured = {check_id: one.remark or "" for one in planned if one.kind == "none" for check_id in one.checks}
    pages = [sum(totals(side).pages.values()) for side in tried.sides]
    removed = {c.check.id for c in found if c.sign == "-"}
    with app.database.read() as connection:
        opened = incidents.open_incidents(connection)
    ends = {m.key.check_id: incident.id for incident in opened for m in incident.open_members if m.key.check_id in removed}
    per_day = former_cost, cost
    return ChangePlan(found, days, by_check(before), by_check(after), statements, per_day, (pages[0], pages[1]), ends, unmeasured)


def _planned(app: App, checks: list[Check]) -> tuple[tuple[PlannedStatement, ...], Cost]:
    """The statements of one run, and what the checks cost in a day as far as that is known."""
    now = app.now()
    planned = preview(app.environment, tuple(Task(check, now) for check in checks))
    runs = {check.id: runs_per_day(check.schedule, now.date()) for check in checks if check.schedule is not None}
    return planned, together(one.per_day for one in planned_checks(planned, runs))
