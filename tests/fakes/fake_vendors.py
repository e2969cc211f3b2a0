"""All vendors in one real server: HTTP, and HTTPS for PagerDuty (its client insists), with scripted faults.

In a test: `with Vendors() as vendors: ...`. As a program: `python tests/fakes/fake_vendors.py --port 8900 --ca-file ca.pem`
prints one line of JSON with both URLs; GET /_state answers what the vendors know, GET /_idle only when the requests before it
are through, POST /_faults scripts faults, POST /_reset forgets all. Shares no code with dqmon.
"""

import argparse
import json
import ssl
import sys
import tempfile
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme
from fake_hooks import FakeHooks
from fake_pagerduty import FakePagerDuty
from fake_slack import FakeSlack


@dataclass
class Fault:
    """What goes wrong with one request.

    status (with body, retry_after): answered in the vendor's place, nothing is taken. taken: the vendor acts on the request
    first. drop: the connection ends without an answer. unread: it ends before the body was read. delay_s: waits first. trickle_s: a byte now and then, for so long.
    """

    status: int | None = None
    body: str | None = None
    retry_after: str | None = None
    taken: bool = False
    drop: bool = False
    delay_s: float = 0
    trickle_s: float = 0
    location: str | None = None
    unread: bool = False


class Vendors:
    def __init__(self, port=0, ca_file=None, routing_keys=None, slack_scopes=None):
        self.slack_scopes = slack_scopes
        self.slack, self.pagerduty, self.hooks = FakeSlack(scopes=slack_scopes), FakePagerDuty(routing_keys), FakeHooks()
        self.faults: dict[str, deque] = defaultdict(deque)
        self.requests: list[dict] = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        ca = trustme.CA()
        self._folder = tempfile.TemporaryDirectory(prefix="vendors-")
        self.ca_file = Path(ca_file) if ca_file else Path(self._folder.name) / "ca.pem"
        ca.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        self._servers = [_Server(port, self), _Server(port and port + 1, self, context)]
        self.slack_url = f"http://127.0.0.1:{self._servers[0].server_port}"
        self.pagerduty_url = f"https://127.0.0.1:{self._servers[1].server_port}"
        self.slack.url = self.slack_url

    def __enter__(self):
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.slack.sockets.drop()
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._folder.cleanup()

    def script(self, vendor, *faults):
        """The next requests to `slack`, `pagerduty` or `hooks` (all others) meet these faults, one each, in order."""
        with self.lock:
            self.faults[vendor].extend(faults)

    def reset(self):
        with self.lock:
            self.slack, self.pagerduty = FakeSlack(scopes=self.slack_scopes), FakePagerDuty(self.pagerduty.routing_keys)
            self.hooks = FakeHooks()
            self.slack.url = self.slack_url
            self.faults.clear()
            self.requests.clear()

    def state(self):
        return {"slack": self.slack.state(), "pagerduty": self.pagerduty.state(), "request_count": len(self.requests)}

    def vendor(self, path):
        return "hooks" if self.hooks.takes(path) else "pagerduty" if path.startswith("/v2/") else "slack"

    def refuses_unread(self, path):
        """True when the next fault ends the connection before the body is read."""
        with self.lock:
            waiting = self.faults[self.vendor(path)] if not path.startswith("/_") else ()
            if not (waiting and waiting[0].unread):
                return False
            waiting.popleft()
            self.requests.append({"path": path, "body": b"", "headers": {}, "at": time.monotonic()})
            return True

    def answer(self, path, headers, raw):
        """(status, content type, body) of the vendor itself."""
        if self.hooks.takes(path):
            return self.hooks.answer(path, headers, raw)
        if path == "/v2/enqueue":
            status, body = self.pagerduty.enqueue(raw)
        elif path == "/v2/change/enqueue":
            status, body = self.pagerduty.change(raw)
        elif path.startswith("/api/"):
            status, body = self.slack.call(path[5:], headers.get("Authorization"), headers.get("Content-Type", ""), raw)
        elif path.startswith("/upload/"):
            status, text = self.slack.upload(path, raw)
            return status, "text/plain", text.encode()
        elif path.startswith("/services/"):
            status, text = self.slack.webhook(path, raw)
            return status, "text/plain", text.encode()
        else:
            status, body = 404, {"error": "not found"}
        return status, "application/json", json.dumps(body).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port, vendors, context=None):
        super().__init__(("127.0.0.1", port), _Handler)
        self.vendors = vendors
        self.context = context
        self.open = set()

    def process_request(self, request, client_address):
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        super().shutdown_request(request)
        self.open.discard(request)

    def finish_request(self, request, client_address):
        if not self.context:
            return super().finish_request(request, client_address)
        request.settimeout(20)
        # Here, in the request's own thread: a client that dies in its handshake holds up nobody.
        with self.context.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as secured:
            secured.do_handshake()
            return super().finish_request(secured, client_address)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # clients come and go, and some are killed on purpose
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path.startswith("/link/"):
            return self.server.vendors.slack.sockets.serve(self)
        # Connections are accepted in the order they were made, so every earlier one is known here.
        while self.path == "/_idle" and len(self.server.open) > 1 and not self.server.vendors.stopping.wait(0.001):
            pass
        self._reply(200, "application/json", json.dumps(self.server.vendors.state()).encode())
        return None

    def do_POST(self):
        vendors = self.server.vendors
        if vendors.refuses_unread(self.path):
            return None
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/_reset":
            vendors.reset()
            return self._reply(200, "text/plain", b"ok")
        if self.path == "/_faults":
            script = json.loads(raw)
            vendors.script(script["vendor"], *(Fault(**fault) for fault in script["faults"]))
            return self._reply(200, "text/plain", b"ok")
        with vendors.lock:
            vendors.requests.append({"path": self.path, "body": raw, "headers": dict(self.headers), "at": time.monotonic()})
            waiting = vendors.faults[vendors.vendor(self.path)]
            fault = waiting.popleft() if waiting else Fault()
        vendors.stopping.wait(fault.delay_s)
        status, kind, body = fault.status, "application/json", (fault.body or "").encode()
        if status is None or fault.taken:
            with vendors.lock:
                own = vendors.answer(self.path, self.headers, raw)
            status, kind, body = (status, kind, body) if status else own
        if fault.drop:
            return None
        if fault.trickle_s:
            return self._trickle(fault.trickle_s)
        more = {"Retry-After": fault.retry_after, "Location": fault.location}
        return self._reply(status, kind, body, {name: value for name, value in more.items() if value is not None})

    def _trickle(self, seconds):
        for byte in b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Slow: " + b"a" * int(seconds * 20):
            self.wfile.write(bytes([byte]))
            if self.server.vendors.stopping.wait(0.05):
                return

    def _reply(self, status, kind, body, headers=None):
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of Slack's HTTP; PagerDuty's HTTPS has the next one")
    parser.add_argument("--ca-file", help="where to write the CA certificate that PagerDuty's HTTPS is signed by")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input closes")
    parser.add_argument("--slack-scopes", type=lambda text: text.split(","), help="of the bot token, with commas")
    arguments = parser.parse_args()
    with Vendors(arguments.port, arguments.ca_file, slack_scopes=arguments.slack_scopes) as vendors:
        urls = {"slack_url": vendors.slack_url, "pagerduty_url": vendors.pagerduty_url, "ca_file": str(vendors.ca_file)}
        print(json.dumps(urls), flush=True)
        if arguments.with_parent:
            sys.stdin.read()
        else:
            threading.Event().wait()


if __name__ == "__main__":
    main()
