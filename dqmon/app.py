"""The composition root: the only place that builds concrete objects from a configuration."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from dqmon.config.project import Project, load, load_project
from dqmon.config.registries import Registries
from dqmon.core.check import Check, PipelineRef
from dqmon.core.lineage import Lineage
from dqmon.core.selector import Selector
from dqmon.core.table import Column, TableRef, table_ref
from dqmon.engine.breaker import Breakers
from dqmon.engine.environment import Environment
from dqmon.engine.judge import Task
from dqmon.engine.listing import Listing, list_targets
from dqmon.engine.on_demand import CheckReport
from dqmon.engine.on_demand import check as run_now
from dqmon.engine.outage import Platform
from dqmon.engine.rename import keep_history
from dqmon.engine.run import Progress, RunOutcome
from dqmon.engine.select import select
from dqmon.errors import ConfigError, UsageError
from dqmon.store import meta
from dqmon.store.database import Database
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.core.protocols import Channel, Source, Warehouse
    from dqmon.daemon.scheduler import Scheduler
    from dqmon.daemon.work import Setup
    from dqmon.engine.cost import CostReport, Refreshed
    from dqmon.engine.doctor import Finding
    from dqmon.engine.mirror import Mirror
    from dqmon.engine.planned import PlannedCheck, PlannedStatement
    from dqmon.store.schemas import Snapshot

log = Log(__name__)

Clock = Callable[[], datetime]


def open_app(config: str | None = None, *, clock: Clock | None = None) -> App:
    """The application of the project that `config`, DQMON_CONFIG or the working folder names; connects to nothing yet.

    Raises ConfigError and ExtensionError.
    """
    return App(load(config), clock or _utc_now)


def new_id() -> str:
    """A random id of 26 characters whose order is that of its making (milliseconds, then chance)."""
    number = (int(_utc_now().timestamp() * 1000) << 80) | secrets.randbits(80)
    return "".join("0123456789abcdefghjkmnpqrstvwxyz"[number >> shift & 31] for shift in range(125, -1, -5))


class App(AbstractContextManager["App"]):
    """A loaded project with its store, warehouses, sources and channels; each is made when it is first needed.

    What only some commands need is imported by their methods, so that `dqmon check` does not pay for the daemon.
    """

    def __init__(self, project: Project, clock: Clock) -> None:
        self.project = project
        self.now = clock
        self._registries = Registries()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for warehouse in self.__dict__.get("warehouses", {}).values():
            warehouse.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    @cached_property
    def database(self) -> Database:
        """The store, ready for use: an empty one is migrated. StoreError also when its default warehouse is another one."""
        self._database.prepare()
        first = next(iter(self.project.settings.warehouses), None)
        with self._database.read() as connection:
            is_kept = first in (None, meta.default_warehouse(connection))
        if first is not None and not is_kept:
            with self._database.write() as connection:
                meta.keep_default_warehouse(connection, first)
        return self._database

    @cached_property
    def _database(self) -> Database:
        return Database(self.project.settings.store_url)

    @cached_property
    def warehouses(self) -> Mapping[str, Warehouse]:
        """Every warehouse that the configuration names."""
        known = self._registries.warehouses
        return {name: known.get(found.type)(name, found.options) for name, found in self.project.settings.warehouses.items()}

    @cached_property
    def breakers(self) -> Breakers:
        """What is known of the warehouses' reach; a reload begins anew, since it may have mended a password."""
        return Breakers()

    @cached_property
    def sources(self) -> Mapping[str, Source]:
        """Every ingestion source that the configuration names."""
        known = self._registries.ingestion
        return {
            name: known.get(found.type)(name, found.options, self.warehouses.get(found.options.warehouse or ""))
            for name, found in self.project.settings.ingestion.items()
        }

    @cached_property
    def channels(self) -> Mapping[str, Channel]:
        """Every channel that the configuration names."""
        known = self._registries.channels
        return {name: known.get(found.type)(name, found.options) for name, found in self.project.settings.channels.items()}

    @cached_property
    def environment(self) -> Environment:
        """What the use cases work with. Patterns are resolved here. Raises ConfigError and StoreError."""
        checks, lineage = self._resolved()
        settings = self.project.settings
        mirror = settings.mirror and settings.mirror.warehouse
        return Environment(
            self.project.settings.instance,
            self.database,
            {name: found for name, found in self.warehouses.items() if name != mirror},
            self.sources,
            self.channels,
            {check.id: check for check in checks},
            self.project.routes,
            lineage,
            self.project.settings.correlate_within_s,
            self.now,
            new_id,
            self.listing.unreachable,
            self.project.settings.reuse,
            budgets=settings.budgets,
            breakers=self.breakers,
            platform=Platform(settings.platform_owner, {name: found.source for name, found in settings.warehouses.items()}),
        )

    def select(self, selector: Selector) -> tuple[Check, ...]:
        """The checks that the selector means, in declared order."""
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

    def refresh_cost(self) -> Refreshed:
        """Asks engines what their statements have really cost."""
        from dqmon.engine.cost import refresh

        return refresh(self.environment, self.now())

    def doctor(self) -> tuple[Finding, ...]:
        """What is missing for the configured checks, and what is well; sends catalogue look-ups and statements that read no row."""
        from dqmon.engine import doctor

        mirror = self.project.settings.mirror and self.project.settings.mirror.warehouse
        checks, _ = self._resolved()
        needs = doctor.needs(checks, self.now())
        return (
            doctor.store(lambda: self.database),
            *(
                finding
                for name, found in self.warehouses.items()
                for finding in (doctor.mirror(found) if name == mirror else doctor.warehouse(found, needs.get(name, {}), self.now))
            ),
            *map(doctor.source, self.sources.values()),
            *(doctor.channel(found, self.project.routes) for found in self.channels.values()),
        )

    def acknowledge(self, incident_id: str, by: str) -> None:
        """Says that somebody is at the incident. Raises UsageError and NotifyError."""
        from dqmon.engine.by_hand import acknowledge_incident

        acknowledge_incident(self.environment, incident_id, by)

    def resolve(self, incident_id: str, by: str, still_failing: bool) -> None:
        """Closes the incident by hand. Raises UsageError and NotifyError."""
        from dqmon.engine.by_hand import resolve_incident

        resolve_incident(self.environment, incident_id, by, still_failing=still_failing)

    def accept_schema(self, dataset: str, by: str) -> tuple[Column, ...]:
        """Takes the columns that the table has now for the accepted ones. Raises UsageError and WarehouseError."""
        from dqmon.engine.by_hand import accept_schema

        return accept_schema(self.environment, self._table(dataset), by)

    def accepted_schema(self, dataset: str) -> Snapshot:
        """The accepted columns of a dataset, by whom and when. UsageError when none are."""
        from dqmon.engine.by_hand import accepted_schema

        return accepted_schema(self.environment, self._table(dataset))

    def migrate(self, default_warehouse: str | None = None) -> tuple[str | None, str]:
        """Brings the store to this version, and takes `default_warehouse` for the one that ids leave out; the versions before and after."""
        settings = self.project.settings
        if default_warehouse is not None and default_warehouse != next(iter(settings.warehouses), None):
            raise UsageError(f"{default_warehouse!r} is not the first under warehouses:; put it first, then migrate")
        versions = self._database.migrate()
        if default_warehouse is not None:
            with self._database.write() as connection:
                meta.keep_default_warehouse(connection, default_warehouse, may_change=True)
        return versions

    def run_daemon(self) -> int:
        """Runs until SIGTERM or SIGINT; returns the exit code. UsageError when a daemon has this SQLite store already."""
        from dqmon.daemon.service import Service

        first = [self]

        def load_setup() -> Setup[RunOutcome]:
            app = first.pop() if first else self._again()
            return app.setup()

        return Service(self.database, load_setup).run()

    def scheduler(self) -> Scheduler[RunOutcome]:
        """The daemon's scheduler on this app's clock, everything in the caller's thread: for a virtual clock."""
        from dqmon.daemon.leader import Candidate
        from dqmon.daemon.scheduler import Scheduler
        from dqmon.daemon.workers import Inline

        return Scheduler(self.database, self.setup(), Inline(), self.now, Candidate("virtual", is_alone=True))

    def setup(self) -> Setup[RunOutcome]:
        """What the daemon works with until the next reload."""
        from dqmon.daemon.work import Setup, Work, timed
        from dqmon.engine.retention import Policy
        from dqmon.engine.scheduled import Scheduled

        keep_history(self.environment)
        settings = self.project.settings
        kept = {name: timedelta(seconds=getattr(settings.retention, name)) for name in type(settings.retention).model_fields}
        scheduled = Scheduled(self.environment, Policy(**kept), new_id(), self._mirror())
        work = Work(
            run_batch=scheduled.run_batch,
            commit=scheduled.commit,
            notify=scheduled.notify,
            deliver=scheduled.deliver,
            poll=scheduled.poll,
            purge=scheduled.purge,
            refresh=self._refreshed,
            close=scheduled.close,
            cancel=scheduled.cancel,
            probe=scheduled.probe,
            attribute=scheduled.attribute,
            mirror=scheduled.mirror,
        )
        found = ((check.id, timed(check)) for check in self.environment.checks.values())
        return Setup(
            work,
            {check_id: item for check_id, item in found if item is not None},
            {name: 1 if warehouse.capabilities.is_file else warehouse.max_connections for name, warehouse in self.warehouses.items()},
            tuple(self.channels),
            {name: float(source.options.poll_every) for name, source in settings.ingestion.items()},
            settings.fuse_within_s,
            timedelta(minutes=1) if self.listing.unreachable else timedelta(hours=1),
            timedelta(seconds=settings.mirror.every) if settings.mirror is not None else None,
        )

    def _mirror(self) -> Mirror | None:
        """What copies the metrics tables, where that is wanted, by a connection of its own."""
        from dqmon.core.protocols import Writable
        from dqmon.engine.mirror import Mirror

        wanted, instance = self.project.settings.mirror, self.project.settings.instance
        if wanted is None:
            return None
        warehouse = self.warehouses[wanted.warehouse]
        assert isinstance(warehouse, Writable)  # noqa: S101 - the configuration takes no other
        return Mirror(self.database, warehouse.writer(wanted.into, instance), instance, wanted.tables)

    def _again(self) -> App:
        """The project loaded anew, on the store and clock of this one. Raises ConfigError."""
        return self._with(load_project(self.project.path, os.environ), "_database")

    def _with(self, project: Project, *kept: str) -> App:
        """Another app that keeps those parts of this one."""
        app = App(project, self.now)
        app.__dict__.update({name: getattr(self, name) for name in kept})
        return app

    def _refreshed(self) -> Setup[RunOutcome] | None:
        """The set-up with the patterns applied to what is there now; None when that is what was there before."""
        if not self.project.patterns:
            return None
        other = self._with(self.project, "_database", "warehouses", "sources", "channels", "breakers")
        return None if other.listing == self.listing else other.setup()

    @cached_property
    def listing(self) -> Listing:
        """What the patterns are applied to; nothing is asked when there are none."""
        targets = [item.target for item in self.project.patterns]
        warehouses = sorted({target.warehouse for target in targets if isinstance(target, TableRef)})
        sources = sorted({target.source for target in targets if isinstance(target, PipelineRef)})
        return list_targets((self.warehouses[name] for name in warehouses), (self.sources[name] for name in sources))

    def _resolved(self) -> tuple[tuple[Check, ...], Lineage]:
        """All checks and the graph, patterns applied.

        While a warehouse or source cannot be asked, the checks of named tables alone: no table may look as if it were gone.
        """
        if not self.project.patterns or self.listing.unreachable:
            return self.project.checks, self.project.lineage
        found = self.project.resolve(self.listing.tables, self.listing.pipelines)
        errors = tuple(problem for problem in found.problems if not problem.is_warning)
        if errors:
            raise ConfigError(errors)
        for problem in found.problems:
            log.warning("pattern", problem=str(problem))
        return found.checks, found.lineage

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


def _utc_now() -> datetime:
    return datetime.now(UTC)
