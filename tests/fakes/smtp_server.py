"""A small SMTP server on loopback (RFC 5321, 3207, 4954) with scripted replies; shares no code with dqmon.

replies: by the step (greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, content, QUIT), what it says instead: a reply, None for
hanging up, a number for that many seconds of silence, and for `RCPT:address` the reply to that recipient alone.
"""

import base64
import socketserver
import ssl
import threading
import time

import trustme


class SmtpServer:
    def __init__(self, *, is_tls=False, has_starttls=True, login=None):
        self.is_tls, self.has_starttls, self.login = is_tls, has_starttls, login
        self.replies, self.mails, self.commands = {}, [], []
        self.stopping = threading.Event()
        ca = trustme.CA()
        self.ca_pem = ca.cert_pem
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("127.0.0.1", "localhost").configure_cert(self.context)
        self._server = _Server(("127.0.0.1", 0), _Session)
        self._server.smtp = self
        self.port = self._server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        pass  # clients hang up in tests, at any step


class _HangUp(Exception):
    pass


class _Session(socketserver.StreamRequestHandler):
    timeout = 20

    def handle(self):
        self.smtp, self.is_secure, self.sender, self.recipients = self.server.smtp, False, None, []
        if self.smtp.is_tls:
            self.secure()
        try:
            self.say("greeting", "220 fake ESMTP")
            while line := self.rfile.readline():
                self.smtp.commands.append((line.decode().strip(), self.is_secure))
                word, _, rest = line.decode().strip().partition(" ")
                if word.upper() == "QUIT":
                    return self.say("QUIT", "221 bye")
                getattr(self, f"on_{word.lower()}", self.on_unknown)(rest)
        except (_HangUp, OSError):
            return None
        finally:
            if self.is_secure:
                self.connection.close()

    def secure(self):
        self.connection = self.smtp.context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.is_secure = True

    def say(self, step, reply):
        """Says the scripted reply of the step or its own; True when it was its own."""
        found = self.smtp.replies.get(step, reply)
        if found is None:
            raise _HangUp
        if isinstance(found, int | float):
            self.smtp.stopping.wait(found)
            raise _HangUp
        if callable(found):
            found(self)
            raise _HangUp
        self.wfile.write(found.encode() + b"\r\n")
        return found == reply

    def on_ehlo(self, _):
        lines = ["fake", "8BITMIME", *(["STARTTLS"] if self.smtp.has_starttls and not self.is_secure else [])]
        lines += ["AUTH PLAIN"] if self.smtp.login else []
        self.say("EHLO", "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"]))

    def on_starttls(self, _):
        if self.say("STARTTLS", "220 go ahead"):
            self.secure()

    def on_auth(self, rest):
        _, user, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
        self.say("AUTH", "235 welcome" if (user, password) == self.smtp.login else f"535 5.7.8 bad credentials {password}")

    def on_mail(self, rest):
        if self.say("MAIL", "250 ok"):
            self.sender = rest

    def on_rcpt(self, rest):
        address = rest.partition("<")[2].rstrip(">")
        step = f"RCPT:{address}" if f"RCPT:{address}" in self.smtp.replies else "RCPT"
        if self.say(step, "250 ok"):
            self.recipients.append(address)

    def on_data(self, _):
        if not self.say("DATA", "354 go on"):
            return
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        if self.say("content", "250 queued"):
            self.smtp.mails.append({"sender": self.sender, "to": self.recipients, "content": b"".join(lines)})

    def on_rset(self, _):
        self.say("RSET", "250 ok")

    def on_unknown(self, _):
        self.say("unknown", "502 not implemented")


def trickle(session):
    """A reply that never ends: a byte now and then."""
    end = time.monotonic() + 20
    while time.monotonic() < end and not session.smtp.stopping.wait(0.05):
        session.wfile.write(b"2")
