"""`dqmon check`: one run whose slot is its start, told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.core.check import Check
from dqmon.core.result import ResultRecord
from dqmon.core.verdict import Dimension
from dqmon.engine.measuring.asked import Run, Task
from dqmon.engine.roles import look_at_roles
from dqmon.engine.run import Progress, commit, evaluate
from dqmon.engine.telling.tell import tell_now
from dqmon.errors import StoreError

if TYPE_CHECKING:
    from dqmon.engine.environment import Environment
    from dqmon.store.statements import Statement


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `dqmon check` prints. `problem` says what could not be recorded or delivered (exit code 4),
    `unresolved` why patterns could not be applied, so that checks are missing (exit code 3). `credits_by_warehouse`: about what
    the run took, of the warehouses that have a price.
    """

    run_id: str
    started_at: datetime
    finished_at: datetime
    records: tuple[ResultRecord, ...]
    statements: int
    reused: int = 0
    is_recorded: bool = True
    problem: str | None = None
    notes: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()
    credits_by_warehouse: Mapping[str, float] = field(default_factory=dict)


def check(
    environment: Environment,
    checks: Sequence[Check],
    at: datetime | None = None,
    progress: Progress | None = None,
    *,
    is_told: bool = True,
) -> CheckReport:
    """Runs `checks` now (or as of `at`), records, and tells at once what there is to be told.

    With `at`, or without telling, the run is ad hoc: recorded, but ignored by alerts and baselines. A store that cannot be
    written is a problem in the report, not an exception: the verdicts are still shown.
    """
    now = at or environment.clock()
    run = Run(environment.new_id(), is_ad_hoc=at is not None or not is_told, at=at)
    outcome = evaluate(environment, run, tuple(Task(item, now) for item in checks), progress)
    is_recorded, problem = True, None
    try:
        with environment.database.write() as connection:
            commit(connection, (outcome,), environment.clock())
        if not run.is_ad_hoc:
            problem = tell_now(environment)
            look_at_roles(environment)
    except StoreError as e:
        is_recorded, problem = False, f"the store did not take the results: {e}"
    return CheckReport(
        run.id,
        outcome.started_at,
        outcome.finished_at,
        outcome.records,
        outcome.statements,
        sum(record.reused is not None for record in outcome.records),
        is_recorded=is_recorded,
        problem=problem,
        notes=_notes(outcome.records),
        unresolved=environment.unresolved,
        credits_by_warehouse=_credits(outcome.sent),
    )


def _credits(sent: Iterable[Statement]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in sent:
        if one.cost.credits is not None:
            found[one.warehouse] = found.get(one.warehouse, 0.0) + one.cost.credits
    return found


STALE_NOTE_DAYS = 300
"""Newest data older than this gets a line: it is an example or an archive, not a fresh failure."""


def _notes(records: Sequence[ResultRecord]) -> tuple[str, ...]:
    """Lines that put the verdicts in context: of which year the newest data is, when it is very old."""
    seen = [
        record.measured_at - timedelta(seconds=float(record.observed_value))
        for record in records
        if record.dimension == Dimension.TIMELINESS and record.dataset and record.observed_value is not None
    ]
    if not seen or max(record.measured_at for record in records) - max(seen) < timedelta(days=STALE_NOTE_DAYS):
        return ()
    return (f"the newest data is of {max(seen).year}: checks of recent days have no rows to judge",)
