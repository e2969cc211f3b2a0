"""Results told to a lineage server as they come: OpenLineage events, each at least once, in nobody's way."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from dqmon.errors import DqmonError
from dqmon.exporters.openlineage import MeasuredValue, Naming, run_events
from dqmon.net import NetError, Outgoing
from dqmon.store import emitted, meta
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection

    from dqmon.core.plain import Json
    from dqmon.core.result import ResultRecord
    from dqmon.store.database import Database

log = Log(__name__)

COMMITS = 20
"""Commits that are told before the position is written."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
"""After a failure, doubled by each further one."""
_NEVER_TAKEN = (400, 413, 422)
"""The event itself is refused: it is logged and passed over, or it would stand in the way of all others for ever."""


class Receiver(NamedTuple):
    """Where events are posted: the whole URL, headers with the credentials, the policy for outgoing requests."""

    url: str
    headers: dict[str, str]
    outgoing: Outgoing


class NotTaken(DqmonError):
    """The server did not take an event; worth another try."""


class Emitter:
    """Tells one store's results to one server; called by one thread at a time.

    The first call ever begins with what comes from then on. How far it has come stands in the store: after a kill, commits whose
    position was not written are told again, under the same run ids. `failures`: those in a row.
    """

    def __init__(self, database: Database, receiver: Receiver, naming: Naming) -> None:
        self._database = database
        self._receiver = receiver
        self._naming = naming
        self._not_before: datetime | None = None
        self.failures = 0

    def emit(self, now: datetime) -> datetime | None:
        """Tells the next commits. When to come again: at once when there are more, later after a failure, which is logged; None:
        when there may be something new. Raises StoreError.
        """
        if self._not_before is not None and now < self._not_before:
            return self._not_before
        try:
            has_more = self._tell()
        except (NetError, NotTaken) as e:
            self._not_before = now + min(FIRST_WAIT * 2 ** min(self.failures, 10), LONGEST_WAIT)
            self.failures += 1
            log.warning("OpenLineage events are not taken, they are sent again", error=str(e), failures=self.failures)
            return self._not_before
        if self.failures:
            log.info("OpenLineage events are taken again", after_failures=self.failures)
        self.failures, self._not_before = 0, None
        return now if has_more else None

    def _tell(self) -> bool:
        with self._database.read() as connection:
            after = emitted.position(connection)
            start = meta.revision(connection) if after is None else after
            found = emitted.committed(connection, start, COMMITS)
            events = tuple(told(connection, found.results, self._naming))
        for event in events:
            self._post(event)
        if found.end != after:
            with self._database.write() as connection:
                emitted.told(connection, found.end)
        return found.has_more

    def _post(self, event: Json) -> None:
        body = json.dumps(event).encode()
        answer = self._receiver.outgoing.post(self._receiver.url, body, self._receiver.headers)
        if answer.status in _NEVER_TAKEN:
            log.error("an OpenLineage event is refused and passed over", status=answer.status, job=event["job"]["name"], bytes=len(body))
        elif not 200 <= answer.status < 300:  # noqa: PLR2004 - the class of success
            raise NotTaken(f"the server answers HTTP {answer.status}")


def told(connection: Connection, results: Iterable[ResultRecord], naming: Naming) -> Iterator[Json]:
    """The events of those results, with what is known of their tables' numbers. Raises StoreError."""
    listed = tuple(results)
    measured = emitted.measured(connection, {result.run_id for result in listed})
    return run_events(listed, (MeasuredValue(*row) for row in measured), naming)
