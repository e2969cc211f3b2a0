"""`was:` in check files: a renamed check keeps its results, alerts and incidents."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dqmon.engine.environment import Environment


def keep_history(environment: Environment) -> None:
    """Moves what is kept of renamed checks to their new ids, once; costs nothing without `was:`. Raises StoreError."""
    former = {check.was: check.id for check in environment.checks.values() if check.was}
    if not former:
        return
    from dqmon.store import renames

    with environment.database.read() as connection:
        is_pending = bool(renames.pending(connection, former))
    if is_pending:
        with environment.database.write() as connection:
            renames.move(connection, former)
