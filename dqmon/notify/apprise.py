"""Apprise: the long tail of services (Telegram, ntfy, Discord, Matrix, …) by one URL, as text."""

from __future__ import annotations

import builtins
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import SecretStr, model_validator

from dqmon.core.delivery import Receipt
from dqmon.core.message import DeliveryKind
from dqmon.core.options import ChannelOptions
from dqmon.core.verdict import Severity
from dqmon.errors import OutcomeUnknown, Permanent
from dqmon.net import Blocked, NotReached, Outgoing
from dqmon.notify.base.quiet import SILENT
from dqmon.notify.base.story import Story, headline, plain_text, readable, story
from dqmon.notify.base.text import units

if TYPE_CHECKING:
    from dqmon.core.delivery import Delivery
    from dqmon.core.message import Message
    from dqmon.core.plain import Json

TITLE_LIMIT = 100
BODY_LIMIT = 1_900
"""Characters, a little under the 2,000 of Discord, the least that a chat takes; a service that takes less cuts the end off."""
_TYPES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.ERROR: "failure", Severity.CRITICAL: "failure"}


class AppriseOptions(ChannelOptions):
    """Options of a channel that apprise sends.

    url: one of https://github.com/caronc/apprise/wiki, such as ntfys://host/topic; it holds the keys, so no message or log shows
    it. One URL a channel: of several, those that took a message would get it again when another one failed. base_url and
    verify: apprise cannot be given them; the URL itself names another server.
    """

    url: SecretStr | None = None

    @model_validator(mode="after")
    def _can_send(self) -> AppriseOptions:
        if not self.url and not self.dry_run:
            raise ValueError("url is not set; set one of apprise's URLs")
        if self.base_url or self.verify:
            raise ValueError("apprise takes neither base_url nor verify; leave them out, and name the server in url")
        return self


class Apprise:
    """Sends each message as a title and a text, the runbook first.

    What apprise hides: it says only whether it worked, so a failure is an unknown outcome, tried again and then marked.
    It follows redirects and the environment's proxies. The host that the URL names is looked at before each
    sending, but apprise resolves it again: where that matters, allow only the hosts that you trust by a firewall, or use
    another channel. Its repeats are off, but for services (Discord among them) whose own code waits when told to be slower.
    """

    type: ClassVar[str] = "apprise"
    Options: ClassVar[builtins.type[AppriseOptions]] = AppriseOptions
    pages: ClassVar[bool] = False

    def __init__(self, name: str, options: AppriseOptions) -> None:
        """Keeps the options; connects to nothing."""
        self.name = name
        self.options = options
        self._outgoing = Outgoing(options.timeout, None, options.allow_private_addresses)

    def parts(self, message: Message) -> tuple[str, ...]:
        """One notification each."""
        del message
        return ("text",)

    def render(self, message: Message, part: str) -> Json:
        """Title, body and apprise's own word for the severity. Pure."""
        del part
        told = story(message, lambda told: units(_body(told)) <= BODY_LIMIT)
        kind = "success" if message.kind is DeliveryKind.RESOLVE else _TYPES[message.severity]
        return {"title": headline(message, TITLE_LIMIT), "body": _body(told), "notify_type": kind}

    def text(self, payload: Json) -> str:
        """A rendered payload as a person reads it."""
        return readable(f"{payload['title']}\n\n{payload['body']}")

    def send(self, payload: Json, delivery: Delivery) -> Receipt:
        """One notification. Raises Permanent or OutcomeUnknown; no text of it comes from apprise."""
        service = self._service()
        try:
            self._outgoing.permit(str(service.host or ""), int(service.port or 443))
        except Blocked as e:
            raise Permanent(str(e)) from None
        except NotReached:
            pass  # many URLs hold a key where others have a host
        body = f"{payload['body']}\n(may repeat)" if delivery.is_uncertain else payload["body"]
        try:
            is_sent = self._sends(service, {**payload, "body": body})
        except Exception as e:  # noqa: BLE001 - apprise's plugins raise what their libraries raise, and the texts may hold the URL
            raise OutcomeUnknown(f"apprise failed: {type(e).__name__}") from None
        if not is_sent:
            raise OutcomeUnknown("apprise could not send it, and does not say why; `apprise -vv` with the same URL does")
        return Receipt(detail="sent")

    def _sends(self, service: Any, payload: Json) -> bool:
        """Whether apprise says that it worked; it turns the text into what the service takes, escaped for HTML."""
        import apprise

        sender = apprise.Apprise(asset=service.asset)
        sender.add(service)
        return bool(sender.notify(**payload, body_format=apprise.NotifyFormat.TEXT))

    def _service(self) -> Any:
        """Apprise's object for the URL: it sends once, waits no longer than the time-out, and logs nothing."""
        try:
            import apprise
        except ModuleNotFoundError:
            raise Permanent(f"channel {self.name} needs the extra `apprise`: pip install 'dqmon[apprise]'") from None
        logging.getLogger("apprise").disabled = True
        url = self.options.url.get_secret_value() if self.options.url else ""
        service = apprise.Apprise.instantiate(url, asset=apprise.AppriseAsset(async_mode=False), suppress_exceptions=True)
        if not isinstance(service, apprise.NotifyBase):
            raise Permanent("apprise does not know such a URL; see https://github.com/caronc/apprise/wiki")
        service.logger = SILENT
        service.retry = 0
        service.socket_connect_timeout = service.socket_read_timeout = self.options.timeout
        service.overflow_mode = apprise.OverflowMode.TRUNCATE
        return service


def _body(told: Story) -> str:
    """The story with its runbook first, where there is one (a digest has none): services cut ends off."""
    if not told.links:
        return plain_text(told)
    runbook, *others = told.links
    return f"{runbook.label}: {runbook.url or runbook.text}\n{plain_text(replace(told, links=tuple(others)))}"
