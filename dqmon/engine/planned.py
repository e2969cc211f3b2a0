"""What `dqmon plan` shows: statements that a run would send, and what each check would cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dqmon.core.cost import Cost, together


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a statement will cost, as far as is known: rows that it reads, columns of each, and the cost of sending it once.

    `shares`: the part that each check bears (`core.cost.shares`).
    """

    warehouse: str
    rows: int | None
    columns: int
    cost: Cost
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """One statement, values inlined, or why none is needed or possible (`remark`).

    `kind`: the scan's; `if needed` for one that is sent when a cheaper way does not tell; `known` and `reused` for values that
    need no statement, with the reason; `skipped` for what the budget leaves out; `none` for what cannot be measured.
    """

    table: str
    kind: str
    sql: str
    checks: tuple[str, ...]
    remark: str | None = None
    estimate: Estimate | None = None


@dataclass(frozen=True, slots=True)
class PlannedCheck:
    """What a check will cost in one warehouse, its part of each statement: once, and by its schedule in a day.

    `statements`: how many it has a part of. `runs_per_day` is None for a check that runs on demand only.
    """

    check: str
    warehouse: str
    statements: int
    cost: Cost
    runs_per_day: float | None

    @property
    def per_day(self) -> Cost:
        """The cost of a day; nothing is known of a check without a schedule."""
        return Cost() if self.runs_per_day is None else self.cost.part(self.runs_per_day)


def by_check(found: Iterable[PlannedStatement], runs_per_day: Mapping[str, float]) -> tuple[PlannedCheck, ...]:
    """What each check will cost, in the order of the statements; what may be needed besides is not counted.

    `runs_per_day` has the checks with a schedule.
    """
    costs: dict[tuple[str, str], list[Cost]] = {}
    for statement in found:
        if statement.estimate is not None and statement.kind != "if needed":
            for check, share in statement.estimate.shares.items():
                costs.setdefault((statement.estimate.warehouse, check), []).append(statement.estimate.cost.part(share))
    return tuple(
        PlannedCheck(check, warehouse, len(listed), together(listed), runs_per_day.get(check))
        for (warehouse, check), listed in costs.items()
    )
