"""The metrics tables where the data is: what is new in the store is copied into a warehouse, in batches, and in nobody's way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.core.mirror import Position, Target
from dqmon.errors import DqmonError
from dqmon.store import mirrored
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.core.protocols import Writer
    from dqmon.store.database import Database

log = Log(__name__)

BATCH = 1_000
"""Rows that are copied in one transaction."""

FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
"""After a failure, doubled by each further one."""


class Mirror:
    """Copies one store's tables by one writer; called by one thread at a time.

    A row is copied again whenever it changes, and takes the place of what was there. How far each table has been copied stands
    beside the copy, so that a copy that is killed is gone on with. The warehouse is asked for it once; after that it is left
    alone as long as there is nothing new, since waking it up may cost money. `failures`: those in a row.
    """

    def __init__(self, database: Database, writer: Writer, instance: str, tables: Sequence[str]) -> None:
        self._database = database
        self._writer = writer
        self._instance = instance
        self._targets = tuple(mirrored.TARGETS[name] for name in tables)
        self._positions: dict[str, Position] = {}
        self._not_before: datetime | None = None
        self.failures = 0

    def copy(self, now: datetime) -> datetime | None:
        """Copies the next batch of each table. When to come again: at once when there is more, later after a failure, which is
        logged; None: when there may be something new.
        """
        if self._not_before is not None and now < self._not_before:
            return self._not_before
        try:
            if not self._positions:
                self._writer.prepare(self._targets)
            has_more = [self._copy(target) for target in self._targets]
        except DqmonError as e:
            wait = min(FIRST_WAIT * 2**self.failures, LONGEST_WAIT)
            self.failures += 1
            self._not_before = now + wait
            # The tables may have been dropped, or somebody else copies.
            self._positions.clear()
            log.warning("mirror failed, it is tried again", error=str(e), failures=self.failures, not_before=self._not_before.isoformat())
            return self._not_before
        if self.failures:
            log.info("mirror goes on", after_failures=self.failures)
        self.failures, self._not_before = 0, None
        return now if any(has_more) else None

    def close(self) -> None:
        """Gives the connection back."""
        self._writer.close()

    def _copy(self, target: Target) -> bool:
        if target.name not in self._positions:
            self._positions[target.name] = self._writer.position(target)
        before = self._positions[target.name]
        with self._database.read() as connection:
            start = mirrored.start(connection, before)
            found = mirrored.batch(connection, target.name, start, BATCH)
        if found.end != start:
            rows = [{mirrored.INSTANCE: self._instance, **row} for row in found.rows]
            self._writer.write(target, rows, before, found.end)
            self._positions[target.name] = found.end
        return found.has_more
