"""BigQuery's REST interface on loopback with answers recorded beforehand: what Google's client sends is kept, to be looked at.

https://cloud.google.com/bigquery/docs/reference/rest has the shapes.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Rows = Sequence[Sequence[object]]


@dataclass
class Answer:
    """What a job whose query contains `part` is answered with; `error` is (HTTP status, reason, message); `is_slow`: it never ends."""

    part: str
    columns: Mapping[str, str] = field(default_factory=dict)
    rows: Rows = ()
    error: tuple[int, str, str] | None = None
    is_slow: bool = False
    processed: int = 1_000_000
    billed: int = 10_485_760


class Replay:
    """The jobs that were sent, by number, and the answers for them."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = answers
        self.jobs: dict[str, dict[str, Any]] = {}
        self.inserts = 0
        self.cancelled: list[str] = []
        self.writable: list[str] = []

    @property
    def queries(self) -> list[dict[str, Any]]:
        """The configuration of each query in its order."""
        return [job["configuration"]["query"] | {"labels": job["configuration"].get("labels")} for job in self.jobs.values()]

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and content."""
        parts = path.strip("/").split("/")[4:]
        match method, parts:
            case "POST", ["jobs"]:
                return self.insert(body)
            case "GET", ["jobs", number]:
                return 200, self.resource(number)
            case "POST", ["jobs", number, "cancel"]:
                self.cancelled.append(number)
                return 200, {"job": self.resource(number)}
            case "GET", ["queries", number]:
                return 200, self.results(number)
            case "POST", [*_, last] if last.endswith(":testIamPermissions"):
                return 200, {"permissions": self.writable}
        return 404, {"error": {"code": 404, "message": f"no {method} {path}", "errors": [{"reason": "notFound"}]}}

    def insert(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.inserts += 1
        number = body["jobReference"]["jobId"]
        self.jobs[number] = body
        found = self.of(number)
        if found.error is not None:
            status, reason, message = found.error
            return status, {"error": {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}}
        return 200, self.resource(number)

    def of(self, number: str) -> Answer:
        query = self.jobs[number]["configuration"]["query"]["query"]
        return next(answer for answer in self.answers if answer.part in query)

    def is_running(self, number: str) -> bool:
        return self.of(number).is_slow and number not in self.cancelled

    def resource(self, number: str) -> dict[str, Any]:
        found = self.of(number)
        state: dict[str, Any] = {"state": "RUNNING" if self.is_running(number) else "DONE"}
        if number in self.cancelled:
            state["errorResult"] = {"reason": "stopped", "message": "Job execution was cancelled: User requested cancellation"}
        query = {"totalBytesProcessed": str(found.processed), "totalBytesBilled": str(found.billed)}
        statistics = {"totalBytesProcessed": str(found.processed), "query": query}
        return self.jobs[number] | {"status": state, "statistics": statistics}

    def results(self, number: str) -> dict[str, Any]:
        reference = self.jobs[number]["jobReference"]
        if self.is_running(number):
            threading.Event().wait(0.1)
            return {"jobReference": reference, "jobComplete": False}
        found = self.of(number)
        rows = [{"f": [{"v": None if value is None else str(value)} for value in row]} for row in found.rows]
        fields = [{"name": name, "type": kind, "mode": "NULLABLE"} for name, kind in found.columns.items()]
        shown = {"schema": {"fields": fields}, "rows": rows, "totalRows": str(len(rows))}
        return {"jobReference": reference, "jobComplete": True, **shown, "totalBytesProcessed": str(found.processed)}


@contextmanager
def replaying(*answers: Answer) -> Iterator[tuple[str, Replay]]:
    """The address of a running one, and it."""
    replay = Replay(*answers)

    class Interface(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            self.reply({})

        def do_POST(self) -> None:
            self.reply(json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}"))

        def reply(self, body: dict[str, Any]) -> None:
            status, content = replay.answer(self.command, urlsplit(self.path).path, body)
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Interface)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", replay
    finally:
        server.shutdown()
        server.server_close()
