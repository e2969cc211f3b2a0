"""Trino's client with read-only transactions, a limit for each statement, and a way to cancel; imported when an engine is made."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from requests import RequestException
from trino import constants
from trino.dbapi import Connection, Cursor
from trino.transaction import NO_TRANSACTION, IsolationLevel, Transaction


class TrinoConnection(Connection):
    """A connection whose transactions are read-only; `last` is the cursor that was made last."""

    def __init__(self, **options: Any) -> None:
        super().__init__(isolation_level=IsolationLevel.READ_COMMITTED, **options)
        self.last: Cursor | None = None

    def limit(self, timeout_s: float) -> None:
        """How long the statements from now on may run, queues included; kept by the server.

        https://trino.io/docs/current/admin/properties-query-management.html
        """
        self._client_session.properties["query_max_run_time"] = f"{max(1, round(timeout_s * 1_000))}ms"

    def start_transaction(self) -> Transaction:
        """One in which the server refuses to write."""
        started = _ReadOnly(self._create_request())  # type: ignore[no-untyped-call]  # the client has no types there
        started.begin()
        self._transaction = started  # type: ignore[assignment]  # as above: it is None in the beginning
        return started

    def cursor(self, *arguments: Any, **options: Any) -> Cursor:
        """As the client's; it is remembered."""
        self.last = super().cursor(*arguments, **options)
        return self.last

    def cancel(self) -> None:
        """Ends the running statement on the server, which then says so to whoever reads its rows.

        Not by the client's own cancel, after which the rows read so far would look like all of them.
        """
        query = None if self.last is None else self.last._query  # noqa: SLF001 - the client has no other way to it
        place = None if query is None else query._next_uri  # noqa: SLF001 - as above
        if place is not None:
            with suppress(RequestException):
                self._create_request().delete(place)


class _ReadOnly(Transaction):
    """As the client's own, but for the two words."""

    def begin(self) -> None:
        """Starts it, by a statement whose answers say its id in a header."""
        response = self._request.post("START TRANSACTION READ ONLY")
        while True:
            started = response.headers.get(constants.HEADER_STARTED_TRANSACTION, NO_TRANSACTION)
            self._id = self._id if started == NO_TRANSACTION else started
            status = self._request.process(response)
            if not status.next_uri:
                break
            response = self._request.get(status.next_uri)
        self._request.transaction_id = self._id
