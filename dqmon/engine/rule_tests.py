"""`dqmon test`: the project's rules on a virtual clock, with values or rows from a file, and what should have come of it."""

from __future__ import annotations

import itertools
import pkgutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import dqmon.store
from dqmon.core.delivery import DeliveryState, Receipt
from dqmon.core.rule_test import Expectation, RuleTest
from dqmon.engine.asked import Run, Task
from dqmon.engine.environment import Environment
from dqmon.engine.notify import notify_once
from dqmon.engine.rule_found import Found, State, mismatches, worst_of
from dqmon.engine.rule_rows import Tables
from dqmon.engine.rule_values import Values
from dqmon.engine.run import RunOutcome, commit, evaluate
from dqmon.store import deliveries
from dqmon.store.database import Database
from dqmon.store.schema import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.lineage import Lineage
    from dqmon.core.message import Message
    from dqmon.core.protocols import Warehouse
    from dqmon.core.result import CheckResult
    from dqmon.core.route import Route
    from dqmon.core.silence import Quiet


@dataclass(frozen=True, slots=True)
class Rules:
    """The project around the checks. pages: of each channel, whether it wakes people. warehouses: the type of each. quiet: what the
    configuration silences.
    """

    instance: str
    routes: tuple[Route, ...]
    lineage: Lineage
    correlate_within_s: float
    pages: Mapping[str, bool]
    warehouses: Mapping[str, str]
    quiet: tuple[Quiet, ...] = ()


@dataclass(frozen=True, slots=True)
class Tested:
    """What came of a test: how often its checks ran, and a line for each expectation that does not hold."""

    test: RuleTest
    runs: int
    failures: tuple[str, ...]


def run_tests(tests: Iterable[RuleTest], rules: Rules) -> Iterator[Tested]:
    """Each test on an empty store of its own; nothing of the project's store, warehouses and channels is touched.

    Raises ConfigError for rows that their table cannot hold.
    """
    with TemporaryDirectory(prefix="dqmon-test-") as folder:
        database = Database(f"sqlite:///{folder}/store.db")
        with database.write() as connection:
            _make_tables(connection)
        try:
            for number, test in enumerate(tests):
                yield _tested(test, rules, database, Path(folder) / str(number))
                with database.write() as connection:
                    for table in reversed(metadata.sorted_tables):
                        connection.execute(table.delete())
        finally:
            database.close()


def _make_tables(connection: Connection) -> None:
    """All tables of a store, without what its migrations do besides: they take half a second."""
    for module in pkgutil.iter_modules(dqmon.store.__path__):
        if not module.ispkg:
            import_module(f"dqmon.store.{module.name}")
    metadata.create_all(connection)


def _tested(test: RuleTest, rules: Rules, database: Database, folder: Path) -> Tested:
    if test.series:
        return _Rehearsal(test, rules, database, Values(test.series), {}).run()
    tables = Tables(folder, test, rules.warehouses)
    try:
        return _Rehearsal(test, rules, database, tables, tables.warehouses).run()
    finally:
        tables.close()


@dataclass(frozen=True, slots=True)
class _StandIn:
    """Stands in the place of a channel: each message is one request, which is never rendered and never sent."""

    pages: bool

    def parts(self, message: Message) -> tuple[str, ...]:
        """One part, whatever the message."""
        del message
        return ("event",)


class _Rehearsal:
    """One test as it goes on. `self.now` is what its clock says."""

    def __init__(
        self, test: RuleTest, rules: Rules, database: Database, source: Values | Tables, warehouses: Mapping[str, Warehouse]
    ) -> None:
        self.test = test
        self.source = source
        self.database = database
        self.now = test.start
        self.runs = 0
        self.due: datetime | None = None
        self.told: list[tuple[str, str]] = []
        self.last_told = 0
        self.newest: dict[str, Found] = {}
        numbers = itertools.count(1)
        self.environment = Environment(
            instance=rules.instance,
            database=database,
            warehouses=warehouses,
            sources={},
            channels={name: _StandIn(pages) for name, pages in rules.pages.items()},  # type: ignore[misc]  # all that step 2 asks of one
            checks={check.id: check for check in test.checks},
            routes=rules.routes,
            lineage=rules.lineage,
            correlate_within_s=rules.correlate_within_s,
            clock=lambda: self.now,
            new_id=lambda: f"{next(numbers):08}",
            reuses=False,
            quiet=rules.quiet,
        )

    def run(self) -> Tested:
        """Everything up to the last expectation."""
        failures: list[str] = []
        slots = self.test.slots()
        slot = next(slots, None)
        for at, expected in itertools.groupby(self.test.expect, key=lambda one: one.at):
            while slot is not None and slot <= at:
                self._wait(slot)
                self._run(slot)
                slot = next(slots, None)
            self._wait(at)
            failures += self._compare(tuple(expected))
            self.told.clear()
        return Tested(self.test, self.runs, tuple(failures))

    def _run(self, slot: datetime) -> None:
        """Measures and judges the checks that have something to find at a slot; transaction 1 of ARCHITECTURE.md."""
        outcomes = self._outcomes(slot)
        if not outcomes:
            return
        self.runs += 1
        by_check: dict[str, list[CheckResult]] = {}
        for result in (result for outcome in outcomes for result in outcome.results):
            by_check.setdefault(result.check.id, []).append(result)
        self.newest |= {check_id: worst_of(results) for check_id, results in by_check.items()}
        with self.database.write() as connection:
            commit(connection, outcomes, slot)
        self._settle()

    def _outcomes(self, slot: datetime) -> Sequence[RunOutcome]:
        if isinstance(self.source, Values):
            return self.source.outcomes(self.environment, slot)
        self.source.fill(slot)
        tasks = [Task(check, slot) for check in self.test.checks]
        return (evaluate(self.environment, Run(self.environment.new_id()), tasks),)

    def _wait(self, until: datetime) -> None:
        """Step 2 at each time that it asks for."""
        while self.due is not None and self.due <= until:
            self.now = max(self.now, self.due)
            self._settle()
        self.now = max(self.now, until)

    def _settle(self) -> None:
        """All that is to be told now is told, as far as channels that always take everything are concerned."""
        while (due := notify_once(self.environment, self.now)) is not None and due <= self.now:
            continue
        self.due = due
        with self.database.write() as connection:
            for one in deliveries.after(connection, self.last_told):
                self.last_told = one.sequence
                if one.state is DeliveryState.QUEUED:
                    deliveries.mark_sent(connection, one, Receipt(), self.now)
                    self.told.append((one.channel, one.kind.value))

    def _compare(self, expected: Sequence[Expectation]) -> Iterator[str]:
        with self.database.read() as connection:
            state = State(connection, self.newest, tuple(self.told))
            for one in expected:
                yield from mismatches(self.test, one, state)
