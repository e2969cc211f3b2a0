"""ClickHouse's HTTP interface over its real engine, chdb, in this process: what clickhouse-connect asks is answered by the engine.

    python tests/fakes/clickhouse_server.py [--password secret]

It prints `READY <port>` once it listens on loopback, and keeps all data in a folder of its own until it ends. Each request has a session
of the engine's to itself, as the server's requests without session_id have: https://clickhouse.com/docs/interfaces/http.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import signal
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from chdb import ChdbError
from chdb.session import Session
from sqlglot import tokenize

NO_SETTINGS = frozenset(
    {
        *("query", "database", "query_id", "session_id", "session_timeout", "session_check", "default_format", "user", "password", "role"),
        *("wait_end_of_query", "buffer_size", "compress", "decompress", "quota_key", "client_protocol_version", "enable_http_compression"),
        *(
            "send_progress_in_http_headers",
            "http_headers_progress_interval_ms",
            "log_comment",
            "cancel_http_readonly_queries_on_client_close",
        ),
    }
)
"""Parameters of the request, and settings of the interface itself, which the engine knows and has no use for."""

STATUSES = {60: 404, 81: 404, 516: 403, 497: 403, 241: 500, 62: 400, 159: 408}
"""Some of https://github.com/ClickHouse/ClickHouse/blob/master/src/Server/HTTP/exceptionCodeToHTTPStatus.cpp; the others are 500."""


class Interface(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    # Headers and body in one piece: two would wait 40 ms for an acknowledgement each time.
    wbufsize = -1
    path_of_data: ClassVar[str]
    password: ClassVar[str]

    def do_GET(self) -> None:
        """/ping, and a query in the address."""
        if self.path.startswith("/ping"):
            self.answer(200, b"Ok.\n", {})
        else:
            self.query("")

    def do_POST(self) -> None:
        """A query in the body, or in the address with its data in the body."""
        self.query(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())

    def query(self, body: str) -> None:
        asked = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        statement = f"{asked.get('query', '')}\n{body}".strip()
        try:
            found = self.run(statement, asked)
        except (ChdbError, UnicodeError) as e:
            code = int((re.search(r"Code: (\d+)", str(e)) or ["", "0"])[1])
            words = f"{e} (version 26.9.2.1 (official build))\n"
            self.answer(STATUSES.get(code, 500), words.encode(), {"X-ClickHouse-Exception-Code": str(code)})
            return
        summary = {"read_rows": str(found.storage_rows_read()), "read_bytes": str(found.storage_bytes_read())}
        told = {
            "X-ClickHouse-Summary": json.dumps(summary),
            "X-ClickHouse-Query-Id": asked.get("query_id", ""),
            "X-ClickHouse-Timezone": "UTC",
        }
        self.answer(200, found.bytes(), told)

    def is_known(self) -> bool:
        """Whether the password is the one that the server was started with."""
        kind, _, secret = self.headers.get("Authorization", "").partition(" ")
        return not self.password or (kind == "Basic" and base64.b64decode(secret).decode().partition(":")[2] == self.password)

    def run(self, statement: str, asked: dict[str, str]) -> Any:
        """One statement in a session of its own, with the settings of the request."""
        if not self.is_known():
            raise ChdbError("Code: 516. DB::Exception: Authentication failed: password is incorrect. (AUTHENTICATION_FAILED)")
        if any(token.token_type.name == "SEMICOLON" for token in tokenize(statement.rstrip(";"), read="clickhouse")):
            raise ChdbError("Code: 62. DB::Exception: Syntax error (Multi-statements are not allowed). (SYNTAX_ERROR)")
        # The engine has numbers of its own; under the client's it is found by its label.
        statement = re.sub(r"^KILL QUERY WHERE query_id =", "KILL QUERY WHERE Settings['log_comment'] =", statement)
        settings = {name: value for name, value in asked.items() if name not in NO_SETTINGS and not name.startswith("param_")}
        settings["log_comment"] = asked.get("query_id", "")
        values = {name.removeprefix("param_"): value for name, value in asked.items() if name.startswith("param_")}
        session = Session(self.path_of_data)
        try:
            if "database" in asked:
                session.query("USE `" + asked["database"].replace("`", "\\`") + "`")
            session.query("SET " + ", ".join(f"{name} = '{value}'" for name, value in settings.items()))
            return session.query(statement, asked.get("default_format", "TabSeparated"), params=values or None)
        finally:
            session.close()

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--password", default="")
    Interface.password = parser.parse_args().password
    # As Ctrl-C does, so that the folder is cleared away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with TemporaryDirectory(prefix="dqmon-clickhouse") as folder:
        Interface.path_of_data = folder
        # The engine runs as long as one of its sessions.
        first = Session(folder)
        first.query("select 1")
        server = ThreadingHTTPServer(("127.0.0.1", 0), Interface)
        server.daemon_threads = True
        print("READY", server.server_port, flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
