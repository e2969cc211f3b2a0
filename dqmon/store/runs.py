"""dq_runs: one row for each `dqmon check`, and for each batch of scheduled checks of one table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.store.schema import Instant, SafeText, metadata
from dqmon.store.writes import upsert

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

runs = sa.Table(
    "dq_runs",
    metadata,
    sa.Column("run_id", SafeText, primary_key=True),
    sa.Column("kind", SafeText, nullable=False, comment="check: by hand; scheduled: by the daemon; backfill: past partitions, by hand"),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("finished_at", Instant, comment="NULL while running, and for ever when the run was killed"),
    sa.Column("is_ad_hoc", sa.Boolean, nullable=False),
    sa.Column("statements", sa.Integer, comment="data statements sent to warehouses"),
    sa.Column("exit_code", sa.Integer, comment="of a run by hand"),
    sa.Index(None, "started_at"),
)


@dataclass(frozen=True, slots=True)
class Run:
    """A row of `dq_runs`; `kind` is check, scheduled or backfill, `statements` and `exit_code` are None until it finished."""

    run_id: str
    kind: str
    started_at: datetime
    finished_at: datetime | None = None
    is_ad_hoc: bool = False
    statements: int | None = None
    exit_code: int | None = None


def save(connection: Connection, run: Run) -> None:
    """Inserts the run or replaces it by `run_id`: at its start, and again when it finished."""
    upsert(connection, runs, [{column.name: getattr(run, column.name) for column in runs.c}])
