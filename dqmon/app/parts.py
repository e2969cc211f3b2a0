"""What a project is made of, as concrete objects: the store, warehouses, sources, channels, checks."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from dqmon.config.project import Project
from dqmon.config.registries import Registries
from dqmon.core.check import Check, PipelineRef
from dqmon.core.lineage import Lineage
from dqmon.core.pages import Pages
from dqmon.core.table import TableRef
from dqmon.engine.environment import Environment
from dqmon.engine.listing import Listing, list_targets
from dqmon.engine.measuring.breaker import Breakers, Gate
from dqmon.engine.measuring.gated import gated
from dqmon.engine.measuring.outage import Platform
from dqmon.engine.polling.lineage import whole
from dqmon.errors import ConfigError
from dqmon.store import lineage, meta
from dqmon.store.database import Database
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.core.protocols import Channel, Source, Warehouse

log = Log(__name__)

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)


def new_id() -> str:
    """A random id of 26 characters whose order is that of its making (milliseconds, then chance)."""
    number = (int(utc_now().timestamp() * 1000) << 80) | secrets.randbits(80)
    return "".join("0123456789abcdefghjkmnpqrstvwxyz"[number >> shift & 31] for shift in range(125, -1, -5))


class Parts(AbstractContextManager["Parts"]):
    """A loaded project with its store, warehouses, sources and channels; each is made when it is first needed."""

    def __init__(self, project: Project, clock: Clock) -> None:
        self.project = project
        self.now = clock
        self._registries = Registries()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for warehouse in self.__dict__.get("warehouses", {}).values():
            warehouse.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    @cached_property
    def database(self) -> Database:
        """The store, ready for use: an empty one is migrated. StoreError also when its default warehouse is another one."""
        self.store.prepare()
        first = next(iter(self.project.settings.warehouses), None)
        with self.store.read() as connection:
            is_kept = first in (None, meta.default_warehouse(connection))
        if first is not None and not is_kept:
            with self.store.write() as connection:
                meta.keep_default_warehouse(connection, first)
        return self.store

    @cached_property
    def store(self) -> Database:
        """The store as it is; nothing is asked yet."""
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
    def source_gate(self) -> Gate:
        """What sources go through to the warehouses that they read."""
        return Gate(self.breakers)

    @cached_property
    def sources(self) -> Mapping[str, Source]:
        """Every ingestion source that the configuration names."""
        known = self._registries.ingestion
        gates = {name: gated(warehouse, self.source_gate, self.now) for name, warehouse in self.warehouses.items()}
        return {
            name: known.get(found.type)(name, found.options, gates.get(found.options.warehouse or ""))
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
        checks, declared = self.resolved()
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
            whole(declared, (check.node for check in checks), self.told),
            self.project.settings.correlate_within_s,
            self.now,
            new_id,
            self.listing.unreachable,
            self.project.settings.reuse,
            budgets=settings.budgets,
            breakers=self.breakers,
            source_gate=self.source_gate,
            platform=Platform(settings.platform_owner, {name: found.source for name, found in settings.warehouses.items()}),
            quiet=self.project.quiet,
            escalation=self.project.escalation,
            storm_above=settings.storm_above,
            digest=settings.digest,
            pages=self.pages,
        )

    @cached_property
    def pages(self) -> Pages | None:
        """Where incidents have pages; None where nobody may read them. Makes the key of their links at first use. Raises StoreError."""
        web = self.project.settings.web
        if web is None or not web.has_pages:
            return None
        if web.link_secret is not None:
            return Pages(web.url, web.link_secret.get_secret_value().encode(), web.incident_links)
        with self.database.read() as connection:
            key = meta.page_key(connection)
        if key is None:
            with self.database.write() as connection:
                key = meta.make_page_key(connection)
        return Pages(web.url, key.encode(), web.incident_links)

    @cached_property
    def listing(self) -> Listing:
        """What the patterns are applied to; nothing is asked when there are none."""
        targets = [item.target for item in self.project.patterns]
        warehouses = sorted({target.warehouse for target in targets if isinstance(target, TableRef)})
        sources = sorted({target.source for target in targets if isinstance(target, PipelineRef)})
        return list_targets((self.warehouses[name] for name in warehouses), (self.sources[name] for name in sources))

    @cached_property
    def told(self) -> Mapping[str, Lineage]:
        """What the sources said last of the lineage, by name; what sources said that the configuration no longer names is left out."""
        sources = self.project.settings.ingestion
        if not sources:
            return {}
        with self.database.read() as connection:
            return lineage.of_sources(connection, sources)

    def resolved(self) -> tuple[tuple[Check, ...], Lineage]:
        """All checks and the graph of the check files, patterns applied.

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
