"""HTTP by hand, so that a test can send what no client would; shares no code with dqmon."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass


@dataclass
class Said:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


def exchange(port, data, *, timeout_s=20, close=False):
    """All that the server says to these bytes (or to an iterator of them, until it stops listening); None when it says nothing."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as sock:
        try:
            for part in [data] if isinstance(data, bytes) else data:
                sock.sendall(part)
            if close:
                sock.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        found = b""
        try:
            while part := sock.recv(65_536):
                found += part
        except ConnectionResetError:
            pass
    if not found:
        return None
    head, _, body = found.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return Said(int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body)


def request(method, path, *, token=None, body=b"", host="127.0.0.1", headers=()):
    """The bytes of one request; without `host` there is no such header."""
    lines = [f"{method} {path} HTTP/1.1", *([f"Host: {host}"] if host else []), *headers]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body and not any(line.lower().startswith("content-length") for line in lines):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
