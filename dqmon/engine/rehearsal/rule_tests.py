"""`dqmon test`: the project's rules on a virtual clock, with values or rows from a file, and what should have come of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dqmon.core.rule_test import Expectation, RuleTest
from dqmon.engine.measuring.asked import Run, Task
from dqmon.engine.rehearsal.rule_found import Found, State, mismatches, worst_of
from dqmon.engine.rehearsal.rule_rows import Tables
from dqmon.engine.rehearsal.rule_values import Values
from dqmon.engine.rehearsal.stage import Rules, Stage, clear, empty_store
from dqmon.engine.run import RunOutcome, commit, evaluate

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from dqmon.core.protocols import Warehouse
    from dqmon.core.result import CheckResult
    from dqmon.store.database import Database


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
    with empty_store() as (database, folder):
        for number, test in enumerate(tests):
            yield _tested(test, rules, database, folder / str(number))
            clear(database)


def _tested(test: RuleTest, rules: Rules, database: Database, folder: Path) -> Tested:
    if test.series:
        return _Rehearsal(test, rules, database, Values(test.series), {}).run()
    tables = Tables(folder, test, rules.warehouses)
    try:
        return _Rehearsal(test, rules, database, tables, tables.warehouses).run()
    finally:
        tables.close()


class _Rehearsal:
    """One test as it goes on."""

    def __init__(
        self, test: RuleTest, rules: Rules, database: Database, source: Values | Tables, warehouses: Mapping[str, Warehouse]
    ) -> None:
        self.test = test
        self.source = source
        self.stage = Stage(rules, test.checks, database, test.start, warehouses)
        self.runs = 0
        self.newest: dict[str, Found] = {}

    def run(self) -> Tested:
        """Everything up to the last expectation."""
        failures: list[str] = []
        slots = self.test.slots()
        slot = next(slots, None)
        for at, expected in itertools.groupby(self.test.expect, key=lambda one: one.at):
            while slot is not None and slot <= at:
                self.stage.wait(slot)
                self._run(slot)
                slot = next(slots, None)
            self.stage.wait(at)
            failures += self._compare(tuple(expected))
            self.stage.told.clear()
        return Tested(self.test, self.runs, tuple(failures))

    def _run(self, slot: datetime) -> None:
        """Measures and judges the checks that have something to find at a slot; the first of the two transactions."""
        outcomes = self._outcomes(slot)
        if not outcomes:
            return
        self.runs += 1
        by_check: dict[str, list[CheckResult]] = {}
        for result in (result for outcome in outcomes for result in outcome.results):
            by_check.setdefault(result.check.id, []).append(result)
        self.newest |= {check_id: worst_of(results) for check_id, results in by_check.items()}
        self.stage.take(lambda connection: commit(connection, outcomes, slot))

    def _outcomes(self, slot: datetime) -> Sequence[RunOutcome]:
        environment = self.stage.environment
        if isinstance(self.source, Values):
            return self.source.outcomes(environment, slot)
        self.source.fill(slot)
        tasks = [Task(check, slot) for check in self.test.checks]
        return (evaluate(environment, Run(environment.new_id()), tasks),)

    def _compare(self, expected: Sequence[Expectation]) -> Iterator[str]:
        told = tuple((one.channel, one.kind.value) for one in self.stage.told)
        with self.stage.environment.database.read() as connection:
            state = State(connection, self.newest, told)
            for one in expected:
                yield from mismatches(self.test, one, state)
