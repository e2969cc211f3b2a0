"""dq_daily_score: how good each dataset was on each day (CHECKS.md). A view, made by the migrations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

daily_score = sa.table(
    "dq_daily_score",
    sa.column("warehouse", sa.Text),
    sa.column("dataset", sa.Text),
    sa.column("day", sa.Date),
    sa.column("passed", sa.Integer),
    sa.column("judged", sa.Integer),
    sa.column("score", sa.Double),
    sa.column("coverage", sa.Double),
)


@dataclass(frozen=True, slots=True)
class DailyScore:
    """A row of the view, over the current results of scheduled and `check` runs; ad-hoc runs are not in it.

    `judged` counts pass, warn and fail, `passed` only pass. `score` is 0..1, results weighted by severity 1, 2, 4, 8;
    None when nothing was judged. `coverage` is judged ÷ all results: SKIPPED and ERROR lower it, not the score.
    """

    warehouse: str
    dataset: str
    day: date
    passed: int
    judged: int
    score: float | None
    coverage: float


def scores(connection: Connection, dataset: str, since: date) -> tuple[DailyScore, ...]:
    """The dataset's days from `since` on, oldest first."""
    mine = (daily_score.c.dataset == dataset) & (daily_score.c.day >= since)
    rows = connection.execute(sa.select(daily_score).where(mine).order_by(daily_score.c.day, daily_score.c.warehouse))
    return tuple(DailyScore(**row._asdict()) for row in rows)
