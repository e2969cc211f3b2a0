"""What the daemon's tick calls: the use cases bound to one environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.engine.cost import refresh
from dqmon.engine.measuring import outage
from dqmon.engine.measuring.asked import Run, Task
from dqmon.engine.polling.poll import poll
from dqmon.engine.retention import Policy, purge
from dqmon.engine.roles import look_at_roles
from dqmon.engine.run import RunOutcome, commit, evaluate
from dqmon.engine.telling.deliver import deliver_once
from dqmon.engine.telling.digest import digest_once
from dqmon.engine.telling.notify import notify_once
from dqmon.engine.telling.pace import Pace
from dqmon.engine.telling.removed import end_removed
from dqmon.engine.telling.schema_changes import queue_changes
from dqmon.store import sending

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.engine.emit import Emitter
    from dqmon.engine.environment import Environment
    from dqmon.engine.mirror import Mirror
    from dqmon.store.slots import Slot

JUST = timedelta(seconds=10)
"""A source that was read so lately is not read again beside its checks."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The use cases of one loaded configuration; `holder` names this process in the outbox."""

    environment: Environment
    retention: Policy
    holder: str
    mirror_to: Mirror | None = None
    emit_to: Emitter | None = None
    pace: Pace = field(default_factory=Pace)

    def run_batch(self, claimed: Sequence[Slot], now: datetime) -> RunOutcome:
        """Measures and judges the claimed slots of one table. Raises StoreError only."""
        del now
        checks = self.environment.checks
        tasks = tuple(Task(checks[slot.check_id], slot.slot_at, slot.attempt_token) for slot in claimed)
        return evaluate(self.environment, Run(self.environment.new_id()), tasks)

    def commit(self, connection: Connection, outcomes: Sequence[RunOutcome], now: datetime) -> None:
        """Transaction 1 of several batches."""
        commit(connection, outcomes, now)

    def notify(self, now: datetime) -> datetime | None:
        """Step 2, digests and changes of schemas; when there is something to do next."""
        queue_changes(self.environment, now)
        times = (notify_once(self.environment, now), digest_once(self.environment, now))
        return min((at for at in times if at is not None), default=None)

    def deliver(self, channel: str, now: datetime) -> datetime | None:
        """Sends what is due on a channel; when it has something to send next."""
        del now
        found = {channel: self.environment.channels[channel]}
        deliver_once(self.environment.database, found, self.environment.clock, self.holder, pace=self.pace)
        now = self.environment.clock()
        free_at = self.pace.free_at(channel, found[channel], now)
        with self.environment.database.read() as connection:
            if free_at > now and sending.is_due(connection, now, found):
                return free_at
            return sending.next_at(connection, channel)

    def poll(self, source: str, now: datetime) -> None:
        """Reads one ingestion source, unless its checks have just done so; that it cannot be read is judged by these."""
        environment = self.environment
        if environment.polls.is_known(source, now - JUST, now):
            return
        poll({source: environment.sources[source]}, environment.database, now, environment.polls)
        if contacts := environment.source_gate.taken():
            with environment.database.write() as connection:
                outage.advance(connection, outage.records(environment, contacts, environment.new_id()), now)

    def purge(self, now: datetime) -> None:
        """Retention."""
        purge(self.environment.database, now, self.retention)

    def probe(self, now: datetime) -> None:
        """Tries the warehouses again that could not be reached; looks once a day at what their roles may do."""
        del now
        outage.probe(self.environment)
        look_at_roles(self.environment)

    def end_removed(self, now: datetime) -> None:
        """Ends the alerts of checks that the configuration does not have any more."""
        end_removed(self.environment, now)

    def attribute(self, now: datetime) -> None:
        """Asks engines what earlier statements have really cost."""
        refresh(self.environment, now)

    def mirror(self, now: datetime) -> datetime | None:
        """Copies the next rows of the metrics tables, where that is wanted; when to be called again."""
        return self.mirror_to.copy(now) if self.mirror_to is not None else None

    def emit(self, now: datetime) -> datetime | None:
        """Tells the next results to the lineage server, where one is set; when to be called again."""
        return self.emit_to.emit(now) if self.emit_to is not None else None

    def cancel(self) -> None:
        """Ends what runs in all warehouses."""
        for warehouse in self.environment.warehouses.values():
            warehouse.cancel()

    def close(self) -> None:
        """Gives back all connections to warehouses."""
        for warehouse in self.environment.warehouses.values():
            warehouse.close()
        if self.mirror_to is not None:
            self.mirror_to.close()
