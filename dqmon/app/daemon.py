"""The daemon of a project: what its scheduler calls, and how a reload makes another one."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from dqmon.app.endpoint import Endpoint, emitter
from dqmon.app.listening import Listeners
from dqmon.app.parts import Parts, new_id
from dqmon.config.project import Project, load_project
from dqmon.core.protocols import Writable
from dqmon.daemon.leader import Candidate
from dqmon.daemon.scheduler import Scheduler
from dqmon.daemon.service import Service
from dqmon.daemon.work import Setup, Work, timed
from dqmon.daemon.workers import Inline
from dqmon.engine.incidents.pressed import pressed
from dqmon.engine.mirror import Mirror
from dqmon.engine.rename import keep_history
from dqmon.engine.retention import Policy
from dqmon.engine.run import RunOutcome
from dqmon.engine.scheduled import Scheduled


def run_daemon(parts: Parts) -> int:
    """Runs until SIGTERM or SIGINT; returns the exit code. UsageError when a daemon has this SQLite store already."""
    first = [parts]

    def load_setup() -> Setup[RunOutcome]:
        loaded = first.pop() if first else _with(parts, load_project(parts.project.path, os.environ), "store")
        made = setup(loaded, endpoint.adopt)
        endpoint.adopt(loaded)
        return made

    service = Service(parts.database, load_setup)
    endpoint = Endpoint(service.idle_s)
    try:
        return service.run()
    finally:
        endpoint.stop()


def scheduler(parts: Parts) -> Scheduler[RunOutcome]:
    """The daemon's scheduler on the parts' clock, everything in the caller's thread: for a virtual clock."""
    return Scheduler(parts.database, setup(parts), Inline(), parts.now, Candidate("virtual", is_alone=True))


def setup(parts: Parts, adopt: Callable[[Parts], None] = lambda _: None) -> Setup[RunOutcome]:
    """What the daemon works with until the next reload; whoever shows it is given each refreshed one. Raises ConfigError and StoreError."""
    keep_history(parts.environment)
    settings = parts.project.settings
    kept = {name: timedelta(seconds=getattr(settings.retention, name)) for name in type(settings.retention).model_fields}
    scheduled = Scheduled(parts.environment, Policy(**kept), new_id(), _mirror(parts), emitter(parts))
    listeners = Listeners(parts.channels.values(), partial(pressed, parts.environment))

    def close() -> None:
        listeners.stop()
        scheduled.close()

    work = Work(
        run_batch=scheduled.run_batch,
        commit=scheduled.commit,
        notify=scheduled.notify,
        deliver=scheduled.deliver,
        poll=scheduled.poll,
        purge=scheduled.purge,
        refresh=lambda: _refreshed(parts, adopt),
        close=close,
        cancel=scheduled.cancel,
        probe=scheduled.probe,
        end_removed=scheduled.end_removed,
        attribute=scheduled.attribute,
        mirror=scheduled.mirror,
        emit=scheduled.emit,
        listen=listeners.tune,
        relearn=lambda: _refreshed(parts, adopt, "listing"),
    )
    found = ((check.id, timed(check)) for check in parts.environment.checks.values())
    return Setup(
        work,
        {check_id: item for check_id, item in found if item is not None},
        {name: 1 if warehouse.capabilities.is_file else warehouse.max_connections for name, warehouse in parts.warehouses.items()},
        tuple(parts.channels),
        {name: float(source.options.poll_every) for name, source in settings.ingestion.items()},
        settings.fuse_within_s,
        timedelta(minutes=1) if parts.listing.unreachable else timedelta(hours=1),
        timedelta(seconds=settings.mirror.every) if settings.mirror is not None else None,
        timedelta(seconds=settings.openlineage.every) if settings.openlineage is not None else None,
    )


def _mirror(parts: Parts) -> Mirror | None:
    """What copies the metrics tables, where that is wanted, by a connection of its own."""
    wanted, instance = parts.project.settings.mirror, parts.project.settings.instance
    if wanted is None:
        return None
    warehouse = parts.warehouses[wanted.warehouse]
    assert isinstance(warehouse, Writable)  # noqa: S101 - the configuration takes no other
    return Mirror(parts.database, warehouse.writer(wanted.into, instance), instance, wanted.tables)


def _with(parts: Parts, project: Project, *kept: str) -> Parts:
    """Those of the project, which are otherwise new, with what is `kept`."""
    other = Parts(project, parts.now)
    other.__dict__.update({name: getattr(parts, name) for name in kept})
    return other


def _refreshed(parts: Parts, adopt: Callable[[Parts], None], *kept: str) -> Setup[RunOutcome] | None:
    """The set-up with the patterns applied to what is there now, and the lineage as the tools say it now; None when both are as before.

    With the `listing` kept no warehouse and no source is asked.
    """
    other = _with(parts, parts.project, "store", "warehouses", "sources", "source_gate", "channels", "breakers", *kept)
    if other.listing == parts.listing and other.told == parts.told:
        return None
    made = setup(other, adopt)
    adopt(other)
    return made
