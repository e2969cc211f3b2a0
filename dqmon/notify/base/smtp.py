"""One mail to one SMTP server (RFC 5321), by dqmon's policy for outgoing connections, and the table of what its replies mean."""

from __future__ import annotations

import contextlib
import re
import smtplib
import ssl
from dataclasses import dataclass
from threading import Timer
from typing import TYPE_CHECKING, Literal

from dqmon.errors import NotifyError, OutcomeUnknown, Permanent, Transient
from dqmon.net import NetError, NotReached, Outgoing, cut
from dqmon.notify.base.outcome import DETAIL_LIMIT, broken

if TYPE_CHECKING:
    import socket

_READY = 220
_GO_ON = 354


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail goes. security: TLS from the start, after STARTTLS, or none at all."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    username: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True)
class Mail:
    """An envelope and what is in it; `content` has lines that end in CR LF."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


def send_mail(outgoing: Outgoing, server: Server, mail: Mail) -> dict[str, str]:
    """Hands the mail over; returns the recipients that were refused, with the server's words, when others were not.

    1. Connects and secures. 2. Logs in. 3. Names sender and recipients. 4. Sends the content.
    Raises Permanent, Transient, and OutcomeUnknown when the connection broke in step 4: the server may have taken the mail.
    The whole exchange takes at most the policy's time.
    """
    session = _Session(outgoing, server)
    deadline = Timer(outgoing.timeout_s, session.cut)
    deadline.daemon = True
    deadline.start()
    try:
        return session.hand_over(mail)
    except NetError as e:
        raise broken(e) from None
    except smtplib.SMTPResponseException as e:
        raise reply_problem(e.smtp_code, e.smtp_error) from None
    except (OSError, ValueError) as e:  # smtplib's own are OSErrors, too
        if isinstance(e, smtplib.SMTPException) and not isinstance(e, smtplib.SMTPServerDisconnected):
            raise Permanent(f"the mail server cannot do what is asked: {e}") from None
        text = f"the connection to {server.host} broke: {type(e).__name__}"
        raise (OutcomeUnknown(text) if session.is_on_its_way else Transient(text)) from None
    finally:
        deadline.cancel()
        session.close()


def reply_problem(code: int, words: bytes | str) -> NotifyError:
    """The one table of SMTP replies: 4xx says later, 5xx says never (RFC 5321, 4.2.1); anything else is no SMTP."""
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    said = f"SMTP {code}: {' '.join(text.split())[:DETAIL_LIMIT]}"
    return Permanent(said) if 500 <= code < 600 else Transient(said)  # noqa: PLR2004 - the class of refusals


class _Session(smtplib.SMTP):
    """smtplib's client on a connection that the policy permits. `is_on_its_way`: the content is being sent."""

    def __init__(self, outgoing: Outgoing, server: Server) -> None:
        # The name is for EHLO; without one smtplib would ask the resolver, for as long as that takes.
        super().__init__(local_hostname="localhost", timeout=outgoing.timeout_s)
        self._outgoing = outgoing
        self._server = server
        self.is_on_its_way = False

    def hand_over(self, mail: Mail) -> dict[str, str]:
        """All steps of `send_mail`."""
        self.local_hostname = mail.sender.rpartition("@")[2]
        self._open()
        if self._server.username:
            self.login(self._server.username, self._server.password)
        _expect(*self.mail(mail.sender))
        refused = self._name(mail.recipients)
        _expect(*self.docmd("DATA"), wanted=_GO_ON)
        self.is_on_its_way = True
        self.send(re.sub(rb"(?m)^\.", b"..", mail.content.removesuffix(b"\r\n")) + b"\r\n.\r\n")
        _expect(*self.getreply())
        with contextlib.suppress(OSError, smtplib.SMTPException):  # it is taken, whatever comes now
            self.quit()
        return refused

    def cut(self) -> None:
        """Ends the exchange, from another thread."""
        if self.sock is not None:
            cut(self.sock)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        del timeout
        found = self._outgoing.connect(host, port)
        if self._server.security != "tls":
            return found
        self.sock = found
        return self._secured(found)

    def _open(self) -> None:
        _expect(*self.connect(self._server.host, self._server.port), wanted=_READY)
        _expect(*self.ehlo())
        if self._server.security != "starttls":
            return
        if not self.has_extn("starttls"):
            raise smtplib.SMTPNotSupportedError("it offers no STARTTLS; set security")
        _expect(*self.docmd("STARTTLS"), wanted=_READY)
        assert self.sock is not None  # noqa: S101 - connect() left one
        self._secured(self.sock)
        # Whatever came in the clear after the reply, and what was offered before, counts for nothing (RFC 3207, 4.2).
        self.file = None
        self.ehlo_resp = self.helo_resp = None
        self.esmtp_features = {}
        _expect(*self.ehlo())

    def _secured(self, plain: socket.socket) -> ssl.SSLSocket:
        """TLS on the connection, which `sock` holds before the handshake, so that the deadline can cut that, too."""
        try:
            secured = self._outgoing.tls.wrap_socket(plain, server_hostname=self._server.host, do_handshake_on_connect=False)
            self.sock = secured
            secured.do_handshake()
        except (OSError, ValueError) as e:
            raise NotReached(f"no TLS with {self._server.host}: {e}") from e
        return secured

    def _name(self, recipients: tuple[str, ...]) -> dict[str, str]:
        """Names each recipient. Raises what the first refusal means if all are refused: 4xx before 5xx."""
        replies = {recipient: self.rcpt(recipient) for recipient in recipients}
        refused = {recipient: reply for recipient, reply in replies.items() if reply[0] not in (250, 251)}
        if len(refused) == len(recipients):
            raise reply_problem(*min(refused.values(), key=lambda reply: reply[0]))
        return {recipient: str(reply_problem(*reply)) for recipient, reply in refused.items()}


def _expect(code: int, words: bytes, wanted: int = 250) -> None:
    if code != wanted:
        raise smtplib.SMTPResponseException(code, words)
