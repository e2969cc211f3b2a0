"""The daemon's web endpoint and its lineage server: which concrete objects they are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dqmon.app.parts import Parts
    from dqmon.engine.emit import Emitter
    from dqmon.exporters.openlineage import Naming
    from dqmon.web.served import Served
    from dqmon.web.server import Server


class Endpoint:
    """The web endpoint, as `web:` wants it at each load. `idle_s` says how long ago the daemon ticked last."""

    def __init__(self, idle_s: Callable[[], float]) -> None:
        self._idle_s = idle_s
        self._server: Server | None = None
        self._bind = ""

    def adopt(self, parts: Parts) -> None:
        """Goes over to another configuration: requests that have begun end with the old one.

        Raises UsageError, with everything as it was, when the address cannot be had. Without `web:` nothing is imported.
        """
        web = parts.project.settings.web
        if web is None:
            self.stop()
            return
        from dqmon.web.server import Server

        served = self._served(parts)
        if self._server is not None and self._bind == web.bind:
            self._server.current.served = served
            return
        server = Server(web.bind, served)
        self.stop()
        self._server, self._bind = server, web.bind
        server.start()

    def stop(self) -> None:
        """Ends it, where it runs; requests that have begun are answered."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def _served(self, parts: Parts) -> Served:
        from dqmon.core.protocols import Pager
        from dqmon.engine.incidents.paged import paged
        from dqmon.ingestion.heartbeat import Heartbeat
        from dqmon.ingestion.openlineage import Openlineage
        from dqmon.web.served import Served
        from dqmon.web.session import digest

        web = parts.project.settings.web
        return Served(
            parts.database,
            {name: source for name, source in parts.sources.items() if isinstance(source, Heartbeat)},
            {name: source for name, source in parts.sources.items() if isinstance(source, Openlineage)},
            frozenset(web.hosts if web else ()),
            parts.project.facts.table,
            parts.now,
            self._idle_s,
            parts.environment if web and web.has_pages else None,
            {name: digest(token.get_secret_value()) for name, token in web.actors.items()} if web else {},
            {name: found for name, found in parts.channels.items() if isinstance(found, Pager)},
            lambda event: paged(parts.environment, event, parts.now()),
        )


def emitter(parts: Parts) -> Emitter | None:
    """What tells results to the lineage server, where one is set."""
    wanted = parts.project.settings.openlineage
    if wanted is None:
        return None
    from dqmon.engine.emit import Emitter, Receiver
    from dqmon.net import Outgoing

    headers = {"Content-Type": "application/json", "User-Agent": "dqmon"}
    if wanted.token is not None:
        headers["Authorization"] = f"Bearer {wanted.token.get_secret_value()}"
    outgoing = Outgoing(wanted.timeout, wanted.verify, wanted.allow_private_addresses)
    url = f"{wanted.url.rstrip('/')}/{wanted.endpoint.lstrip('/')}"
    return Emitter(parts.database, Receiver(url, headers, outgoing), naming(parts))


def naming(parts: Parts) -> Naming:
    """What OpenLineage events call things: `openlineage: namespaces:` first, else what follows from the warehouses' addresses."""
    from dqmon.exporters.openlineage import Naming
    from dqmon.exporters.openlineage_names import data_source

    settings = parts.project.settings
    given = settings.openlineage.namespaces if settings.openlineage else {}
    return Naming(
        settings.instance,
        {
            name: data_source(found.type, found.options, parts.project.facts.warehouses[name].catalog, given.get(name))
            for name, found in settings.warehouses.items()
        },
    )
