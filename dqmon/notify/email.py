"""E-mail by SMTP: HTML and text, one conversation per group."""

from __future__ import annotations

import builtins
import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from dqmon.core.delivery import Receipt
from dqmon.core.options import ChannelOptions
from dqmon.errors import NotifyError
from dqmon.net import Outgoing
from dqmon.notify.base.mail_form import mail
from dqmon.notify.base.post import without_secrets
from dqmon.notify.base.smtp import Mail, Server, send_mail
from dqmon.notify.base.story import readable
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.core.delivery import Delivery
    from dqmon.core.message import Message
    from dqmon.core.plain import Json

log = Log("dqmon.notify.email")

MOST_RECIPIENTS = 50
# Submission with STARTTLS, with TLS (RFC 8314), and between servers (RFC 5321).
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
# The addresses that people have, without what could end a header or a command: no quotes, no blanks, ASCII only.
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
_HOST = re.compile(r"[A-Za-z0-9.-]+")


class EmailOptions(ChannelOptions):
    """Options of an e-mail channel.

    security: `starttls` (port 587), `tls` from the start (465), or `none` (25), which needs allow_private_addresses and is
    for a relay in your own network. username and password: where the relay wants a login. sender and to: bare addresses.
    base_url: smtp://host:port in place of host and port.
    """

    host: str = ""
    port: int | None = Field(default=None, ge=1, le=65_535, description="587, 465 or 25 by security")
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    sender: str = Field(default="", description="dqmon@example.com")
    to: list[str] = Field(default_factory=list, max_length=MOST_RECIPIENTS)

    @model_validator(mode="after")
    def _can_send(self) -> EmailOptions:
        if (self.username is None) != (self.password is None):
            raise ValueError("set both username and password, or neither")
        if self.security == "none" and not self.allow_private_addresses:
            raise ValueError("security: none sends in the clear; it needs allow_private_addresses: true")
        if wrong := [address for address in (self.sender, *self.to) if address and not _ADDRESS.fullmatch(address)]:
            raise ValueError(f"{wrong[0]!r} is no bare address such as team@example.com")
        if self.dry_run:
            return self
        if not _HOST.fullmatch(self.host):
            raise ValueError("host is not the name of a mail server; set it, such as smtp.example.com")
        if not self.sender or not self.to:
            raise ValueError("sender or to is not set; set whom mails come from, and a list of whom they go to")
        return self


class Email:
    """Mails each message to the same people.

    A mail answers the group's first one (In-Reply-To, References, and its subject after `Re:`), so that a mail client
    shows one conversation; where the group stands is the first line. The Message-ID is made of the delivery's id: a mail that
    is sent again after a broken connection has the same, by which mail servers drop the second one.
    When some recipients are refused and others are not, the others have the mail, and the refused are logged.
    """

    type: ClassVar[str] = "email"
    Options: ClassVar[builtins.type[EmailOptions]] = EmailOptions
    pages: ClassVar[bool] = False

    def __init__(self, name: str, options: EmailOptions) -> None:
        """Keeps the options; connects to nothing."""
        self.name = name
        self.options = options
        self._outgoing = Outgoing(options.timeout, options.verify, options.allow_private_addresses)

    def parts(self, message: Message) -> tuple[str, ...]:
        """One mail each."""
        del message
        return ("mail",)

    def render(self, message: Message, part: str) -> Json:
        """Subject, HTML and text. Pure. An answer is sent with the subject of the group's first mail."""
        del part
        return mail(message)

    def text(self, payload: Json) -> str:
        """A rendered payload as a person reads it."""
        return readable(f"Subject: {payload['subject']}\n\n{payload['text']}")

    def send(self, payload: Json, delivery: Delivery) -> Receipt:
        """One mail. Raises Transient (4xx), Permanent (5xx) or OutcomeUnknown (broken after DATA)."""
        told = self._mail(payload, delivery)
        envelope = Mail(self.options.sender, tuple(self.options.to), told.as_bytes())
        try:
            refused = send_mail(self._outgoing, self._server(), envelope)
        except NotifyError as e:
            error = without_secrets(e, [self.options.password.get_secret_value()] if self.options.password else [])
        else:
            for recipient, words in refused.items():
                log.warning("recipient refused", channel=self.name, delivery=delivery.id, recipient=recipient, reason=words)
            said = f"taken; refused: {'; '.join(f'{name} ({words})' for name, words in refused.items())}" if refused else "taken"
            return Receipt({"message_id": told["Message-ID"], "subject": payload["subject"]}, said)
        raise error from None

    def _server(self) -> Server:
        options = self.options
        other = urlsplit(options.base_url or "")
        port = options.port or _PORTS[options.security]
        password = options.password.get_secret_value() if options.password else ""
        return Server(other.hostname or options.host, other.port or port, options.security, options.username or "", password)

    def _mail(self, payload: Json, delivery: Delivery) -> EmailMessage:
        """The mail with its headers; EmailMessage refuses a line break in any of them, and `clean` has left none."""
        first = delivery.parent.reference if delivery.parent else {}
        told = EmailMessage(policy=SMTP)
        told["From"] = Address("dqmon", addr_spec=self.options.sender)
        told["To"] = [Address(addr_spec=address) for address in self.options.to]
        told["Subject"] = f"Re: {first['subject']}" if first else payload["subject"]
        told["Date"] = format_datetime(delivery.created_at)
        told["Message-ID"] = f"<{re.sub('[^A-Za-z0-9.-]', '', delivery.id)}@{self.options.sender.rpartition('@')[2]}>"
        if first:
            told["In-Reply-To"] = told["References"] = first["message_id"]
        told["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notice shall answer
        told.set_content(payload["text"], cte="quoted-printable")
        told.add_alternative(payload["html"], subtype="html", cte="quoted-printable")
        return told
