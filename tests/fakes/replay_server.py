"""A local HTTP server that answers from a script and keeps count; shares no code with dqmon.

    with Replay() as server:
        server.add("/api/v2/dags", {"dags": []})                      # a value is sent as JSON
        server.add("/api/v2/dags", {"dags": [1]}, query={"page": 2})  # only for this query; the newest route that fits wins
        server.add("/x", status=429, headers={"Retry-After": "7"})
        server.add("/x", Said(500), Said(200, {"ok": 1}))             # in this order, the last one for good
        server.add("/graphql", lambda request: {"data": request.json["query"]}, method="POST")
        ... server.url ...
        assert server.count("/x") == 2

`cut` sends only so many bytes of the body that Content-Length promises, `endless` sends the body again and again until the
client leaves or `endless` bytes are sent, `drop` ends the connection without an answer.
"""

import gzip
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class Said:
    """One answer; `body` is bytes, text, or a value sent as JSON."""

    status: int = 200
    body: object = b""
    headers: dict = field(default_factory=dict)
    cut: int | None = None
    endless: int = 0
    drop: bool = False
    zipped: bool = False


@dataclass
class Request:
    method: str
    path: str
    query: dict
    headers: dict
    raw: bytes

    @property
    def json(self):
        return json.loads(self.raw)


class Replay:
    def __init__(self):
        self.requests: list[Request] = []
        self.sent = 0
        self._routes = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Answering)
        self._server.replay = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def add(self, path, *answers, method="GET", query=None, **said):
        """Answers `method` of `path` when the query has (at least) these values. Without answers, `said` makes one `Said`."""
        answers = list(answers) or [Said(**said)]
        if len(answers) == 1 and said and not isinstance(answers[0], Said):
            answers = [Said(body=answers[0], **said)]
        wanted = {key: str(value) for key, value in (query or {}).items()}
        with self._lock:
            self._routes.insert(0, (method, path, wanted, answers))

    def count(self, path=None):
        """How many requests there were, of this path."""
        return len([r for r in self.requests if path in (None, r.path)])

    def answer(self, request):
        with self._lock:
            self.requests.append(request)
            for method, path, wanted, answers in self._routes:
                fits = all(request.query.get(key) == value for key, value in wanted.items())
                if (method, path) == (request.method, request.path) and fits:
                    found = answers.pop(0) if len(answers) > 1 else answers[0]
                    break
            else:
                found = Said(404, {"detail": f"nothing is scripted for {request.method} {request.path} {request.query}"})
        found = found(request) if callable(found) else found
        return found if isinstance(found, Said) else Said(body=found)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _any(self):
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = {key: values[0] if len(values) == 1 else values for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        said = self.server.replay.answer(Request(self.command, parts.path, query, dict(self.headers.items()), raw))
        self.close_connection = True
        if said.drop:
            return
        body = (
            said.body
            if isinstance(said.body, bytes)
            else said.body.encode()
            if isinstance(said.body, str)
            else json.dumps(said.body).encode()
        )
        headers = {"Content-Type": "application/json", **said.headers}
        if said.zipped:
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        self.send_response(said.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(said.endless or len(body)))
        self.end_headers()
        try:
            if said.endless:
                self._pour(body, said.endless)
            else:
                self.wfile.write(body[: said.cut])
        except OSError:  # the client has left
            return

    def _pour(self, body, size):
        sent = 0
        while sent < size:
            self.wfile.write(body)
            sent += len(body)
            self.server.replay.sent = sent

    do_GET = do_POST = do_PUT = _any  # noqa: N815 - the names that http.server calls

    def log_message(self, *_):
        return
