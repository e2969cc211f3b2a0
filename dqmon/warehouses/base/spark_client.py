"""pyhive's client with typed literals, limits that the server keeps, and errors with their SQLSTATE; imported when an engine is made."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

from pyhive import hive  # type: ignore[import-untyped]  # it ships no types
from TCLIService import ttypes  # type: ignore[import-untyped]  # as above
from thrift.Thrift import TException  # type: ignore[import-untyped]  # as above

from dqmon.warehouses.base.deadline import DROP_AFTER_S
from dqmon.warehouses.base.spark_literals import literal

GONE = "08S01"
"""The SQLSTATE of a connection that is gone."""

TIMED_OUT = "HYT00"
"""ODBC's state of a statement that was cancelled at its limit; Spark gives none."""

CANCEL_AFTER_S = 1.0
"""Seconds past the server's own limit, which is in whole seconds, after which the client asks for a cancel."""

_LEAST_S = 0.5
"""Seconds that an answer is given in any case: the one to a cancel comes after the limit."""

SETTINGS = {
    # The server holds the answer to "is it done?" back while a statement runs, 5 s by default: too long to cancel in time.
    "hive.server2.long.polling.timeout": "500ms",
    # Errors in place of NULL for what overflows or cannot be cast: https://spark.apache.org/docs/latest/sql-ref-ansi-compliance.html
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "false",
    "spark.sql.parser.escapedStringLiterals": "false",
    "spark.sql.session.timeZone": "UTC",
    # `${env:…}` in a statement would show the server's environment.
    "spark.sql.variable.substitute": "false",
}
"""What holds for every session, whatever the server's defaults are."""

_IS_RUNNING = frozenset((
    ttypes.TOperationState.INITIALIZED_STATE,
    ttypes.TOperationState.PENDING_STATE,
    ttypes.TOperationState.RUNNING_STATE,
))  # fmt: skip


class SparkError(hive.OperationalError):  # type: ignore[misc]  # its base has no types
    """What the server refused, with its SQLSTATE (https://spark.apache.org/docs/latest/sql-error-conditions.html), or GONE, TIMED_OUT.

    is_gone: the connection is of no use any more.
    """

    def __init__(self, state: str | None, message: str, *, is_gone: bool = False) -> None:
        super().__init__(message)
        self.state = state or ""
        self.is_gone = is_gone


class SparkConnection(hive.Connection):  # type: ignore[misc]  # as above
    """A session over a Thrift transport, whose `wire` gives up after `answer_s` without an answer, or when a statement's time is over.

    statement_id: the server's id of the last statement.
    """

    def __init__(self, transport: Any, wire: Any, user: str, answer_s: float) -> None:
        self.statement_id: str | None = None
        self.until: float | None = None
        self._limit_s: float | None = None
        self._wire, self._answer_s = wire, answer_s
        with self.answering():
            super().__init__(thrift_transport=transport, username=user, configuration=SETTINGS)

    def limit(self, timeout_s: float) -> None:
        """Gives the next statement so much time, from now on."""
        self._limit_s, self.until = timeout_s, monotonic() + timeout_s

    @property
    def limit_s(self) -> int:
        """The limit in the server's whole seconds; 0 is none."""
        return math.ceil(self._limit_s or 0)

    @property
    def is_late(self) -> bool:
        """True when the server should have cancelled the statement long since."""
        return self.until is not None and monotonic() > self.until + CANCEL_AFTER_S

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Around a question to the server. After what breaks then the session is of no use: there may be half an answer on its way."""
        left = self._answer_s if self.until is None else max(_LEAST_S, self.until + DROP_AFTER_S - monotonic())
        self._wire.setTimeout(left * 1_000)
        try:
            yield
        except (TException, OSError, EOFError) as e:
            raise SparkError(TIMED_OUT if self.is_late else GONE, f"{type(e).__name__}: {e}", is_gone=True) from e

    def cursor(self, *arguments: Any, **options: Any) -> SparkCursor:
        """A cursor of dqmon's own kind."""
        return SparkCursor(self, *arguments, **options)

    def ping(self) -> None:
        """Raises SparkError unless the server knows the session."""
        self.until = None
        with self.answering():
            answer = self.client.GetInfo(ttypes.TGetInfoReq(self.sessionHandle, ttypes.TGetInfoType.CLI_SERVER_NAME))
        if answer.status.statusCode != ttypes.TStatusCode.SUCCESS_STATUS:
            raise SparkError(GONE, "the server no longer knows the session", is_gone=True)

    def close(self) -> None:
        """Ends the session, if the server still answers."""
        self.until = None
        with suppress(hive.OperationalError), self.answering():
            super().close()


class SparkCursor(hive.Cursor):  # type: ignore[misc]  # as above
    """Has the server run a statement by itself, and asks whether it is done, so that it can be cancelled."""

    def execute(self, operation: str, parameters: Mapping[str, object] | None = None, **_: Any) -> None:
        """Waits for the statement's end. Raises SparkError; ValueError or TypeError for a value without a literal."""
        sql = operation % {name: literal(value) for name, value in (parameters or {}).items()}
        connection = self._connection
        with connection.answering():
            self._reset_state()
            asked = ttypes.TExecuteStatementReq(connection.sessionHandle, sql, runAsync=True, queryTimeout=connection.limit_s)
            answer = connection.client.ExecuteStatement(asked)
        if answer.status.statusCode != ttypes.TStatusCode.SUCCESS_STATUS:
            raise SparkError(answer.status.sqlState, words(answer.status.errorMessage))
        self._operationHandle, self._state = answer.operationHandle, self._STATE_RUNNING
        connection.statement_id = str(uuid.UUID(bytes=answer.operationHandle.operationId.guid))
        self._wait()

    def close(self) -> None:
        """Drops the statement's result, if the server still answers."""
        with suppress(hive.OperationalError), self._connection.answering():
            super().close()

    def _fetch_more(self) -> None:
        if self._connection.is_late:
            raise SparkError(TIMED_OUT, "the result's rows passed the limit")
        with self._connection.answering():
            super()._fetch_more()

    def _wait(self) -> None:
        while (found := self._ask()).operationState in _IS_RUNNING:
            if self._connection.is_late:
                with self._connection.answering():
                    self.cancel()
                raise SparkError(TIMED_OUT, "the statement passed its limit")
        match found.operationState:
            case ttypes.TOperationState.FINISHED_STATE:
                return
            case ttypes.TOperationState.TIMEDOUT_STATE | ttypes.TOperationState.CANCELED_STATE:
                raise SparkError(TIMED_OUT, "the statement passed its limit")
            case _:
                raise SparkError(found.sqlState, words(found.errorMessage))

    def _ask(self) -> Any:
        with self._connection.answering():
            return self.poll(get_progress_update=False)


def words(message: str | None) -> str:
    """The sentence in a server's message, without Java's classes, the plan and the stack."""
    text = (message or "the server says nothing").split("\tat ")[0].split("SQLSTATE:")[0].split("\n== SQL")[0]
    return " ".join(re.split(r"[\w.]+(?:Exception|Error): ", text)[-1].split()).removeprefix("Error running query: ")
