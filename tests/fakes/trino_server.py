"""Trino's client protocol on loopback, answers by script (https://trino.io/docs/current/develop/client-protocol.html).

A statement's answer is a list of pages, each told by the next GET; `STUCK` runs until it is deleted.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STUCK: list[Any] = ["stuck"]


def page(columns: dict[str, str] | None = None, rows: list[list[Any]] | None = None, **more: Any) -> dict[str, Any]:
    """A part of an answer: columns by their types, and rows."""
    found: dict[str, Any] = {"stats": {"state": "RUNNING", "processedRows": 7, "processedBytes": 70}, **more}
    if columns is not None:
        found["columns"] = [{"name": name, "type": kind, "typeSignature": _signature(kind)} for name, kind in columns.items()]
    return found if rows is None else found | {"data": rows}


def _signature(kind: str) -> dict[str, Any]:
    numbers = {"varchar": [2_147_483_647], "decimal": [38, 0], "timestamp(3) with time zone": [3]}.get(kind, [])
    return {"rawType": kind.replace("(3)", ""), "arguments": [{"kind": "LONG", "value": number} for number in numbers]}


def error(name: str, message: str, kind: str = "USER_ERROR") -> dict[str, Any]:
    """The page that says that a statement failed."""
    return page(error={"message": message, "errorCode": 1, "errorName": name, "errorType": kind})


@dataclass
class TrinoServer:
    """`answer` gives the pages of a statement's text; what was asked stands in `statements`, its headers beside it."""

    answer: Callable[[str], list[Any]]
    statements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    running: dict[str, list[Any]] = field(default_factory=dict)
    port: int = 0

    def begin(self, sql: str, headers: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
        self.statements.append((sql, headers))
        query = f"q{len(self.statements)}"
        told = {"X-Trino-Started-Transaction-Id": "t1"} if sql.startswith("START") else {}
        self.running[query] = [page()] if sql.startswith(("START", "ROLLBACK", "COMMIT")) else list(self.answer(sql))
        return {"id": query, "infoUri": "", **page(), "nextUri": self._uri(query)}, told

    def next(self, query: str) -> dict[str, Any]:
        pages = self.running[query]
        if query in self.deleted:
            found = error("USER_CANCELED", "Query was canceled")
        elif pages == STUCK:
            return {"id": query, "infoUri": "", **page(), "nextUri": self._uri(query)}
        else:
            found = pages.pop(0)
        more = {"nextUri": self._uri(query)} if pages and pages != STUCK else {}
        return {"id": query, "infoUri": "", **found, **more}

    def _uri(self, query: str) -> str:
        return f"http://127.0.0.1:{self.port}/v1/statement/executing/{query}"


@contextmanager
def serving(answer: Callable[[str], list[Any]]) -> Iterator[TrinoServer]:
    """The server, running inside `with`."""
    found = TrinoServer(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sql = self.rfile.read(int(self.headers["Content-Length"])).decode()
            body, headers = found.begin(sql, dict(self.headers))
            self._tell(200, body, headers)

        def do_GET(self) -> None:
            self._tell(200, found.next(self.path.rpartition("/")[2]), {})

        def do_DELETE(self) -> None:
            found.deleted.append(self.path.rpartition("/")[2])
            self._tell(204, None, {})

        def _tell(self, status: int, body: Any, headers: dict[str, str]) -> None:
            raw = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(raw))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield found
        finally:
            server.shutdown()
