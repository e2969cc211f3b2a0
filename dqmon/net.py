"""Outgoing HTTP: one request, one answer, under one policy.

Proxies of the environment are ignored, redirects are answers and not followed, nothing is retried, an answer is read up
to a limit, and every address that a host name stands for is looked at before one of them is connected to.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Timer
from urllib.parse import SplitResult, urlsplit, urlunsplit

from dqmon.errors import DqmonError

BODY_LIMIT = 65_536
"""Bytes of an answer that are read unless a caller needs more."""


class NetError(DqmonError):
    """An HTTP request has no answer."""


class Blocked(NetError):
    """The policy forbids the request: the URL, or an address that its host stands for. Nothing was sent."""


class NotReached(NetError):
    """No connection, or no TLS on it: nothing was sent."""


class Broken(NetError):
    """The connection broke or timed out while the request was on its way: the server may have acted on it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said. `headers` have lower-case names; `body` is cut at the policy's limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text; bytes that are not UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True)
class Outgoing:
    """The policy of one channel or source.

    timeout_s: the whole exchange, from connect to the last byte. verify: a CA file in place of the system's.
    allow_private: also private, loopback and link-local addresses, and plain http.
    """

    timeout_s: float = 10
    verify: str | None = None
    allow_private: bool = False
    body_limit: int = BODY_LIMIT

    def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        """The answer to one GET; all that `post` says holds for it."""
        return self._asked("GET", url, None, headers)

    def head(self, url: str) -> Answer:
        """The answer to one HEAD, which has no body; all that `post` says holds for it."""
        return self._asked("HEAD", url, None, {})

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer to one POST, whatever its status. Raises Blocked, NotReached or Broken; no text names the URL's path."""
        return self._asked("POST", url, body, headers)

    def permit(self, host: str, port: int) -> None:
        """Returns if the policy permits every address of `host`, for what connects by itself. Raises Blocked or NotReached."""
        self._addresses(host, port)

    def connect(self, host: str, port: int) -> socket.socket:
        """A connection for what is not HTTP, to an address that the policy permits. Raises Blocked or NotReached."""
        return self._connect(host, port, self._addresses(host, port))

    def _asked(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        parts = self._checked(url)
        host, port = str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
        target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        kept = {name: value for name, value in headers.items() if name.lower() not in ("host", "content-length", "connection")}
        begun = time.monotonic()
        live = [self._connect(host, port, self._addresses(host, port))]
        deadline = Timer(max(0.0, self.timeout_s - (time.monotonic() - begun)), lambda: cut(live[0]))
        deadline.daemon = True
        deadline.start()
        try:
            if parts.scheme == "https":
                self._secure(live, host)
            connection = http.client.HTTPConnection(host, port, timeout=self.timeout_s)
            connection.sock = live[0]
            return self._exchange(connection, (method, target, body, {**kept, "Host": parts.netloc, "Connection": "close"}))
        finally:
            deadline.cancel()
            live[0].close()

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """How servers are to prove who they are. Raises Blocked when the CA file cannot be read."""
        try:
            return ssl.create_default_context(cafile=self.verify)
        except OSError as e:
            raise Blocked(f"the CA file {self.verify!r} cannot be read: {e.strerror or e}") from e

    def _checked(self, url: str) -> SplitResult:
        if not url.isascii() or not url.isprintable() or any(c in url for c in ' \\"<>^`{|}'):
            raise Blocked("the URL has characters that no URL has; write it in ASCII, percent-encoded")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as e:
            raise Blocked(f"the URL cannot be read: {e}") from None
        if parts.scheme not in ("https", "http") or (parts.scheme == "http" and not self.allow_private):
            raise Blocked(f"the URL begins with {parts.scheme!r}; https is expected (http only with allow_private_addresses)")
        if not host or port == 0 or parts.username is not None or parts.password is not None:
            raise Blocked("the URL must name a host, without user and password")
        return parts

    def _addresses(self, host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as e:
            raise NotReached(f"the name {host} cannot be resolved: {e}") from e
        for *_, address in found:
            if not self.allow_private and not is_public(str(address[0])):
                raise Blocked(f"{host} stands for {address[0]}, a private address; allow_private_addresses: true permits it")
        return [(int(family), address) for family, *_, address in found]  # type: ignore[misc]  # IPv6 has two more numbers

    def _connect(self, host: str, port: int, addresses: list[tuple[int, tuple[str, int]]]) -> socket.socket:
        """A connection to one of the addresses that were checked, so that a second look-up cannot lead elsewhere."""
        problem: OSError | None = None
        for family, address in addresses:
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.settimeout(self.timeout_s / len(addresses))
            try:
                sock.connect(address)
            except OSError as e:
                sock.close()
                problem = e
            else:
                sock.settimeout(self.timeout_s)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
        raise NotReached(f"{host}:{port} cannot be reached: {problem}") from problem

    def _secure(self, live: list[socket.socket], host: str) -> None:
        """Puts TLS on the connection; `live` holds the object that owns it now, so that the deadline can cut it."""
        context = self.tls
        try:
            live[0] = secured = context.wrap_socket(live[0], server_hostname=host, do_handshake_on_connect=False)
            secured.do_handshake()
        except (OSError, ValueError) as e:
            raise NotReached(f"no TLS with {host}: {e}") from e

    def _exchange(self, connection: http.client.HTTPConnection, request: tuple[str, str, bytes | None, dict[str, str]]) -> Answer:
        try:
            connection.request(*request)
            # An answer that is left open keeps its descriptor for as long as somebody keeps the error that it ended in.
            with connection.getresponse() as response:
                content = response.read(self.body_limit)
        except (OSError, ValueError, http.client.HTTPException) as e:
            raise Broken(f"the connection to {connection.host} broke before the answer was there: {type(e).__name__}") from e
        if response.length and len(content) < self.body_limit:
            raise Broken(f"the connection to {connection.host} broke with {response.length} bytes of the answer missing")
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)


def is_public(address: str) -> bool:
    """True for an address of the public internet; an IPv4 address inside an IPv6 one is looked at, too."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        if ip in ipaddress.ip_network("64:ff9b::/96"):  # RFC 6052: NAT64 puts the IPv4 address into the last 32 bits
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner and not is_public(str(inner)):
            return False
    return ip.is_global and not ip.is_multicast


def cut(connection: socket.socket) -> None:
    """Ends an exchange that has run out of time, even one whose server sends a byte now and then."""
    try:
        # The plain method: the TLS one would take the session away from under the thread that reads.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:
        return
