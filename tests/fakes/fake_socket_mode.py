"""Slack's Socket Mode as its documentation describes it: a WebSocket on which envelopes come in and are confirmed. Shares no code with dqmon.

Sources: docs.slack.dev/apis/events-api/using-socket-mode; RFC 6455 (handshake 4.2.2, frames 5.2, closing 5.5.1).
"""

import base64
import contextlib
import hashlib
import itertools
import json
import struct
import threading

from patience import PATIENCE_S

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class SocketRoom:
    """The connections of one app; `tickets` are the addresses given out, each good once."""

    def __init__(self):
        self.tickets: set[str] = set()
        self.confirmed: list[str] = []
        self.changed = threading.Condition()
        self.open: list = []
        self._numbers = itertools.count(1)

    def ticket(self):
        """The path of a new address."""
        path = f"/link/?ticket={next(self._numbers)}"
        self.tickets.add(path)
        return path

    def serve(self, handler):
        """Speaks with one client until either side closes. `handler` is of http.server, its request line and headers are read."""
        if handler.path not in self.tickets or handler.headers.get("Upgrade", "").lower() != "websocket":
            handler.send_error(400)
            return
        self.tickets.discard(handler.path)
        accept = base64.b64encode(hashlib.sha1((handler.headers["Sec-WebSocket-Key"] + _GUID).encode()).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}", "", ""]
        handler.wfile.write("\r\n".join(lines).encode())
        self._put(handler, json.dumps({"type": "hello", "num_connections": len(self.open) + 1}).encode())
        with self.changed:
            self.open.append(handler)
            self.changed.notify_all()
        with contextlib.suppress(OSError):
            self._read(handler)
        with self.changed:
            self.open.remove(handler)
            self.changed.notify_all()

    def send(self, message):
        """Puts one message on the newest connection."""
        self._put(self.open[-1], json.dumps(message).encode())

    def press(self, payload, envelope="e1", **more):
        """Delivers a press, as often as the test says so."""
        self.send({"type": "interactive", "envelope_id": envelope, "payload": payload, "accepts_response_payload": False, **more})

    def drop(self):
        """Ends all connections, as Slack does when it likes."""
        for handler in list(self.open):
            handler.connection.shutdown(2)

    def wait(self, is_so, timeout_s=PATIENCE_S):
        """True once `is_so()` holds; False when it does not in time."""
        with self.changed:
            return self.changed.wait_for(is_so, timeout_s)

    def _read(self, handler):
        while (frame := _frame(handler.rfile)) is not None:
            code, data = frame
            if code == CLOSE:
                return
            if code == PING:
                self._put(handler, data, PONG)
            elif code == TEXT:
                with self.changed:
                    self.confirmed.append(json.loads(data)["envelope_id"])
                    self.changed.notify_all()

    def _put(self, handler, data, code=TEXT):
        size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack(">H", len(data))
        handler.wfile.write(bytes([0x80 | code]) + size + data)


def _frame(stream):
    """(code, data) of the next frame of a client, which must be masked; None at the end."""
    head = stream.read(2)
    if len(head) < 2:
        return None
    assert head[1] & 0x80, "a client masks its frames"
    size = head[1] & 0x7F
    if size >= 126:
        (size,) = struct.unpack(">H" if size == 126 else ">Q", stream.read(2 if size == 126 else 8))
    mask, data = stream.read(4), stream.read(size)
    return head[0] & 0x0F, bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
