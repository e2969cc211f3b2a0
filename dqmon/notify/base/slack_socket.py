"""Slack's Socket Mode: presses of buttons come in on a connection that dqmon opens, so that Slack need not reach it.

slack_sdk speaks the protocol. When to connect, and to what, is decided here: the SDK would sleep through a Retry-After, obey proxy
variables and connect to any address. https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dqmon.errors import DqmonError, Transient
from dqmon.net import Blocked
from dqmon.notify.base.outcome import redacted
from dqmon.notify.base.quiet import SILENT
from dqmon.notify.base.slack_buttons import read_press
from dqmon.notify.base.text import mrkdwn
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from collections.abc import Callable

    from slack_sdk.socket_mode.builtin.client import SocketModeClient
    from slack_sdk.socket_mode.client import BaseSocketModeClient
    from slack_sdk.socket_mode.request import SocketModeRequest
    from slack_sdk.web import WebClient

    from dqmon.core.plain import Json
    from dqmon.core.press import Press
    from dqmon.net import Outgoing
    from dqmon.notify.base.slack_buttons import Key

log = Log("dqmon.slack")

LONGEST_WAIT_S = 300.0
"""Between two tries to connect; the first is after a second, and each wait is twice the one before."""
_LOOK_EVERY_S = 1.0
_PRESSES_KEPT = 1_000
"""Slack delivers a press again when it was not confirmed in 3 seconds, at most three times."""
_ANSWER_LIMIT = 1_000
_TLS_PORT = 443


class Presses:
    """Hears the presses of one channel's buttons in threads of its own, connecting again whenever the connection is lost.

    Each press is confirmed first, then acted on once however often it comes, then answered to whoever pressed, seen by nobody else.
    """

    def __init__(self, name: str, app_token: str, client: Callable[[], WebClient], outgoing: Outgoing, act: Callable[[Press], str]) -> None:
        self._name = name
        self._app_token = app_token
        self._client = client
        self._outgoing = outgoing
        self._act = act
        self._stopping = threading.Event()
        self._renewing = threading.Event()
        self._lock = threading.Lock()
        self._seen: OrderedDict[Key, None] = OrderedDict()

    def start(self) -> None:
        """Begins; returns at once."""
        threading.Thread(target=self._keep_connected, name=f"slack {self._name}", daemon=True).start()

    def stop(self) -> None:
        """Ends within seconds; returns at once. A press that is being acted on is finished."""
        self._stopping.set()

    def _keep_connected(self) -> None:
        """Connects, also anew when Slack asks for it: the connection before stays until the next one is there."""
        before, wait_s = None, 1.0
        while not self._stopping.is_set():
            self._renewing.clear()
            try:
                client = self._connected()
            except Exception as e:  # noqa: BLE001 - the SDK's and the sockets' errors are many; none may end the listening
                words = str(e) if isinstance(e, DqmonError) else type(e).__name__
                log.warning("buttons are not heard", channel=self._name, error=redacted(words, [self._app_token]), again_in_s=wait_s)
                self._stopping.wait(wait_s)
                wait_s = min(LONGEST_WAIT_S, 2 * wait_s)
                continue
            if before is not None:
                before.close()
            before, wait_s = client, 1.0
            log.info("buttons are heard", channel=self._name)
            while client.is_connected() and not self._renewing.is_set() and not self._stopping.wait(_LOOK_EVERY_S):
                continue
        if before is not None:
            before.close()

    def _connected(self) -> SocketModeClient:
        from slack_sdk.socket_mode.builtin.client import SocketModeClient

        renewing = self._renewing

        class Client(SocketModeClient):
            def connect_to_new_endpoint(self, force: bool = False) -> None:
                """Slack asks to connect anew, some time before it ends the connection."""
                del force
                renewing.set()

        web = self._client()
        url = self._address(web)
        client = Client(self._app_token, SILENT, web, auto_reconnect_enabled=False, concurrency=2)
        client.proxy = None
        client.wss_uri = url
        client.socket_mode_request_listeners.append(self._hear)
        client.connect()
        if not client.is_connected():
            client.close()
            raise Transient(f"Slack: no connection to {urlsplit(url).hostname}")
        return client

    def _address(self, web: WebClient) -> str:
        """Where to connect to, as Slack says it. Raises Blocked for what the policy for outgoing requests would not permit."""
        answer = web.apps_connections_open(app_token=self._app_token).data
        url = str(answer.get("url", "")) if isinstance(answer, dict) else ""
        parts = urlsplit(url)
        # The SDK puts TLS on port 443 and on no other one.
        is_secure = parts.scheme == "wss" and parts.port in (None, _TLS_PORT)
        if not parts.hostname or not (is_secure or (parts.scheme == "ws" and self._outgoing.allow_private)):
            raise Blocked("Slack: its address for Socket Mode is not wss on port 443")
        self._outgoing.permit(parts.hostname, parts.port or _TLS_PORT)
        web.ssl = self._outgoing.tls
        return url

    def _hear(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        client.send_socket_mode_response({"envelope_id": request.envelope_id})
        found = read_press(self._name, request.payload) if request.type == "interactive" else None
        if found is None or not self._is_new(found[0]):
            return
        key, press = found
        self._answer(press, key[0], self._act(press), request.payload)

    def _is_new(self, key: Key) -> bool:
        with self._lock:
            if key in self._seen:
                return False
            self._seen[key] = None
            if len(self._seen) > _PRESSES_KEPT:
                self._seen.popitem(last=False)
            return True

    def _answer(self, press: Press, user: str, text: str, payload: Json) -> None:
        """What was done, to the one who pressed; that it cannot be said is no reason to do it again."""
        thread = payload["container"].get("thread_ts")
        body = {"channel": press.reference["channel"], "user": user, "text": mrkdwn(text, _ANSWER_LIMIT)}
        try:
            self._client().api_call("chat.postEphemeral", json=body | ({"thread_ts": thread} if thread else {}))
        except DqmonError as e:
            log.warning("a press was not answered", channel=self._name, error=redacted(str(e), [self._app_token]))
