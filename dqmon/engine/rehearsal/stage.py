"""Step 2 on a clock set by hand, a store of its own and channels that take every message and send none."""

from __future__ import annotations

import itertools
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import dqmon.store
from dqmon.alerts.storm import STORM_ABOVE
from dqmon.core.delivery import Delivery, DeliveryState, Receipt
from dqmon.engine.environment import Environment
from dqmon.engine.telling.notify import notify_once
from dqmon.store import deliveries, sending
from dqmon.store.database import Database
from dqmon.store.schema import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.check import Check
    from dqmon.core.lineage import Lineage
    from dqmon.core.message import Message
    from dqmon.core.protocols import Warehouse
    from dqmon.core.route import Route
    from dqmon.core.silence import Quiet


@dataclass(frozen=True, slots=True)
class Rules:
    """The project around the checks. pages: of each channel, whether it wakes people. warehouses: the type of each. quiet: what the
    configuration silences. escalation: the steps of all escalations. storm_above: so many groups may wait for one channel at once.
    """

    instance: str
    routes: tuple[Route, ...]
    lineage: Lineage
    correlate_within_s: float
    pages: Mapping[str, bool]
    warehouses: Mapping[str, str]
    quiet: tuple[Quiet, ...] = ()
    escalation: tuple[Route, ...] = ()
    storm_above: int = STORM_ABOVE


@dataclass(frozen=True, slots=True)
class _StandIn:
    """Stands in the place of a channel: each message is one request, which is never rendered and never sent."""

    pages: bool

    def parts(self, message: Message) -> tuple[str, ...]:
        """One part, whatever the message."""
        del message
        return ("event",)


@contextmanager
def empty_store() -> Iterator[tuple[Database, Path]]:
    """A store in a folder that is removed at the end; all its tables, without what migrations do besides: they take half a second."""
    with TemporaryDirectory(prefix="dqmon-stage-") as folder:
        database = Database(f"sqlite:///{folder}/store.db")
        for module in pkgutil.iter_modules(dqmon.store.__path__):
            if not module.ispkg:
                import_module(f"dqmon.store.{module.name}")
        try:
            with database.write() as connection:
                metadata.create_all(connection)
            yield database, Path(folder)
        finally:
            database.close()


def clear(database: Database) -> None:
    """Empties every table."""
    with database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())


class Stage:
    """`now` is what its clock says. `told` are the messages that channels were sent, oldest first; the caller may clear it."""

    def __init__(
        self, rules: Rules, checks: Iterable[Check], database: Database, start: datetime, warehouses: Mapping[str, Warehouse] | None = None
    ) -> None:
        self.now = start
        self.due: datetime | None = None
        self.told: list[Delivery] = []
        self._last_told = 0
        numbers = itertools.count(1)
        self.environment = Environment(
            instance=rules.instance,
            database=database,
            warehouses=warehouses or {},
            sources={},
            channels={name: _StandIn(pages) for name, pages in rules.pages.items()},  # type: ignore[misc]  # all that step 2 asks of one
            checks={check.id: check for check in checks},
            routes=rules.routes,
            lineage=rules.lineage,
            correlate_within_s=rules.correlate_within_s,
            clock=lambda: self.now,
            new_id=lambda: f"{next(numbers):08}",
            reuses=False,
            quiet=rules.quiet,
            storm_above=rules.storm_above,
            escalation=rules.escalation,
        )

    def wait(self, until: datetime) -> None:
        """Step 2 at each time that it asks for."""
        while self.due is not None and self.due <= until:
            self.now = max(self.now, self.due)
            self.settle()
        self.now = max(self.now, until)

    def take(self, write: Callable[[Connection], None]) -> None:
        """The first of the two transactions, as `write` makes it, and what step 2 has to tell of it now."""
        with self.environment.database.write() as connection:
            write(connection)
        self.settle()

    def settle(self) -> None:
        """All that is to be told now is told, as far as channels that always take everything are concerned."""
        while (due := notify_once(self.environment, self.now)) is not None and due <= self.now:
            continue
        self.due = due
        with self.environment.database.write() as connection:
            for one in deliveries.after(connection, self._last_told):
                self._last_told = one.sequence
                if one.state is DeliveryState.QUEUED:
                    sending.mark_sent(connection, one, Receipt(), self.now)
                    self.told.append(one)
