"""What the commands call, on the objects of one project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from dqmon.app.parts import Clock, Parts, utc_now
from dqmon.config.project import load
from dqmon.core.check import Check
from dqmon.core.selector import Selector
from dqmon.core.table import Column, TableRef, table_ref
from dqmon.engine.measuring.asked import Task
from dqmon.engine.on_demand import CheckReport
from dqmon.engine.on_demand import check as run_now
from dqmon.engine.rename import keep_history
from dqmon.engine.run import Progress
from dqmon.engine.select import select
from dqmon.errors import UsageError
from dqmon.store import meta

if TYPE_CHECKING:
    from dqmon.alerts.digest import Figures
    from dqmon.app.lineage import Picture
    from dqmon.core.plain import Json
    from dqmon.engine.cost import CostReport, Refreshed
    from dqmon.engine.doctor import Finding
    from dqmon.engine.past.backfill import Backfill, Filled
    from dqmon.engine.past.backtest import Replayed
    from dqmon.engine.past.past_totals import Recorded, Regained
    from dqmon.engine.planned import PlannedCheck, PlannedStatement


def open_app(config: str | None = None, *, clock: Clock | None = None) -> App:
    """The application of the project that `config`, DQMON_CONFIG or the working folder names; connects to nothing yet.

    Raises ConfigError and ExtensionError.
    """
    return App(load(config), clock or utc_now)


class App(Parts):
    """The use cases of a loaded project.

    What only some commands need is imported by their methods, so that `dqmon check` does not pay for the others.
    """

    def select(self, selector: Selector) -> tuple[Check, ...]:
        """The checks that the selector means, in declared order. UsageError for a word that no check can have."""
        if any(term.key for term in selector.terms):
            from dqmon.config.routes import check_words

            try:
                check_words(selector, self._words)
            except ValueError as e:
                raise UsageError(str(e)) from e
        return select(self.environment.checks.values(), selector, self.database, self.now())

    def check(
        self, selector: Selector, at: datetime | None, alerts: bool, progress: Progress | None = None, *, reuses: bool = True
    ) -> CheckReport:
        """Runs the selected checks now; without `reuses` everything is scanned. UsageError when nothing is selected."""
        chosen = self.select(selector)
        if not chosen:
            raise UsageError(f"nothing is selected; `dqmon plan` names the {len(self.environment.checks)} checks")
        keep_history(self.environment)
        environment = self.environment if reuses else replace(self.environment, reuses=False)
        return run_now(environment, chosen, at, progress, is_told=alerts)

    def plan(self, selector: Selector) -> tuple[PlannedStatement, ...]:
        """The statements that `check` would send now; sends catalogue look-ups only."""
        from dqmon.engine.preview import preview

        now = self.now()
        return preview(self.environment, tuple(Task(check, now) for check in self.select(selector)))

    def cost_of(self, planned: Sequence[PlannedStatement]) -> tuple[PlannedCheck, ...]:
        """What each check of a plan will cost, in a run and in a day."""
        from dqmon.daemon.cron import runs_per_day
        from dqmon.engine.planned import by_check

        today = self.now().date()
        schedules = ((check.id, check.schedule) for check in self.environment.checks.values())
        return by_check(planned, {check_id: runs_per_day(schedule, today) for check_id, schedule in schedules if schedule})

    def cost(self, selector: Selector, by: str, days: int) -> CostReport:
        """What the selected checks have cost in the last days; without a selector all, also those that are gone."""
        from dqmon.engine.cost import first_day, spending

        checks = self.environment.checks
        chosen = {check.id for check in self.select(selector)} if selector.terms else None
        return spending(self.database, checks, chosen, by, first_day(self.now(), days))

    def plan_backfill(self, checks: Sequence[Check], days: int, chunk: timedelta | None) -> tuple[Backfill, ...]:
        """What the baselines of checks lack of the last days, by table; sends catalogue look-ups only."""
        from dqmon.engine.past.backfill import plan

        return plan(self.environment, checks, days, chunk)

    def backfill(self, planned: Sequence[Backfill], progress: Progress | None = None) -> Iterator[Filled]:
        """Measures and records what was planned, chunk by chunk."""
        from dqmon.engine.past.backfill import fill

        keep_history(self.environment)
        return fill(self.environment, planned, progress)

    def regain(self, checks: Sequence[Check], days: int) -> tuple[Regained, ...]:
        """What says how many rows the whole tables of checks had in the last days; sends catalogue look-ups only."""
        from dqmon.engine.past.past_totals import regain

        return regain(self.environment, checks, days)

    def record(self, found: Sequence[Regained]) -> Iterator[Recorded]:
        """Records what can be had of it, check by check."""
        from dqmon.engine.past.past_totals import record

        keep_history(self.environment)
        return record(self.environment, found)

    def backtest(self, check_id: str, days: int) -> tuple[Replayed, ...]:
        """What the check's judgement says of its stored history of the last days, by segment. UsageError when it has none."""
        from dqmon.engine.past.backtest import backtest

        return backtest(self.environment, check_id, days, self.now())

    def refresh_cost(self) -> Refreshed:
        """Asks engines what their statements have really cost."""
        from dqmon.engine.cost import refresh

        return refresh(self.environment, self.now())

    def doctor(self) -> tuple[Finding, ...]:
        """What is missing for the configured checks, and what is well; sends catalogue look-ups and statements that read no row."""
        from dqmon.engine import doctor

        mirror = self.project.settings.mirror and self.project.settings.mirror.warehouse
        checks, _ = self.resolved()
        needs = doctor.needs(checks, self.now())
        return (
            doctor.store(lambda: self.database),
            *(
                finding
                for name, found in self.warehouses.items()
                for finding in (doctor.mirror(found) if name == mirror else doctor.warehouse(found, needs.get(name, {}), self.now))
            ),
            *map(doctor.source, self.sources.values()),
            *(doctor.channel(found, (*self.project.routes, *self.project.escalation)) for found in self.channels.values()),
        )

    def lineage(self, text: str, *, up: bool, down: bool) -> Picture:
        """What stands above (`up`) and below (`down`) a table, pipeline or exposure. UsageError when there is no such."""
        from dqmon.app.lineage import picture

        return picture(self, text, with_ancestors=up, with_descendants=down)

    def alert_selector(self, terms: Sequence[str]) -> Selector:
        """The selector of `terms`. UsageError for a word that no alert can have."""
        from dqmon.config.routes import read_selector

        try:
            return read_selector(terms, self._words)
        except ValueError as e:
            raise UsageError(str(e)) from e

    def digests(self, owner: str | None) -> tuple[Figures, ...]:
        """The figures of the last week of each owner, or of one; of checks without an owner with the empty text."""
        from dqmon.engine.telling.digest import digests

        return digests(self.environment, self.now(), owner)

    def openlineage_events(self, selector: Selector, span: timedelta) -> tuple[Json, ...]:
        """The stored results of the selected checks' slots of the last `span` as OpenLineage events; without a selector of all.

        UsageError when nothing is selected.
        """
        from dqmon.app.endpoint import naming
        from dqmon.engine.emit import told
        from dqmon.store import results

        chosen = {check.id for check in self.select(selector)} if selector.terms else None
        if chosen is not None and not chosen:
            raise UsageError(f"nothing is selected; `dqmon plan` names the {len(self.environment.checks)} checks")
        with self.database.read() as connection:
            found = results.since(connection, self.now() - span)
            return tuple(told(connection, (one for one in found if chosen is None or one.check_id in chosen), naming(self)))

    def accept_schema(self, dataset: str, by: str) -> tuple[Column, ...]:
        """Takes the columns that the table has now for the accepted ones. Raises UsageError and WarehouseError."""
        from dqmon.engine.incidents.by_hand import accept_schema

        return accept_schema(self.environment, self._table(dataset), by)

    def migrate(self, default_warehouse: str | None = None) -> tuple[str | None, str]:
        """Brings the store to this version, and takes `default_warehouse` for the one that ids leave out; the versions before and after."""
        settings = self.project.settings
        if default_warehouse is not None and default_warehouse != next(iter(settings.warehouses), None):
            raise UsageError(f"{default_warehouse!r} is not the first under warehouses:; put it first, then migrate")
        versions = self.store.migrate()
        if default_warehouse is not None:
            with self.store.write() as connection:
                meta.keep_default_warehouse(connection, default_warehouse, may_change=True)
        return versions

    @cached_property
    def _words(self) -> Mapping[str, tuple[str, ...]]:
        """The values that keys of selectors may have, where not every value is one."""
        from dqmon.config.routes import vocabulary

        return vocabulary(self._registries.checks.names(), self.project.file.names("warehouses"))

    def _table(self, dataset: str) -> TableRef:
        """`[warehouse:]dataset` as a table of the configuration. UsageError when there is no such warehouse."""
        name, colon, rest = dataset.partition(":")
        settings = self.project.settings
        warehouse = name if colon else next(iter(settings.warehouses), "")
        if warehouse not in settings.warehouses:
            raise UsageError(f"there is no warehouse {warehouse!r}; there are {', '.join(settings.warehouses)}")
        try:
            return table_ref(warehouse, rest if colon else dataset, self.warehouses[warehouse].default_schema)
        except ValueError as e:
            raise UsageError(str(e)) from e
