"""E-mail against a real SMTP server: each reply at each step, each break, logins, conversations, and no way into a header."""

import email
import logging
from dataclasses import replace
from email.policy import default

import pytest
from patience import seconds
from sample_messages import delivery, facts, message
from smtp_server import SmtpServer, trickle

from dqmon.core.message import DeliveryKind
from dqmon.errors import NotifyError, OutcomeUnknown, Permanent, Transient
from dqmon.notify.email import Email, EmailOptions

PASSWORD = "mail-secret-1"
LOGIN = ("dqmon", PASSWORD)


@pytest.fixture
def server():
    with SmtpServer(login=LOGIN) as running:
        yield running


@pytest.fixture
def ca_file(tmp_path):
    def written(server):
        server.ca_pem.write_to_path(str(tmp_path / "ca.pem"))
        return str(tmp_path / "ca.pem")

    return written


@pytest.fixture
def make(server, ca_file):
    def channel(running=server, **changes):
        mine = {"host": "127.0.0.1", "port": running.port, "sender": "dqmon@example.com", "to": ["ana@example.com", "bo@example.com"]}
        more = {"allow_private_addresses": True, "verify": ca_file(running), "timeout": "3s", "username": "dqmon", "password": PASSWORD}
        return Email("mail", EmailOptions.model_validate(mine | more | changes))

    return channel


def send(channel, kind=DeliveryKind.TRIGGER, told=None, parent=None, **changes):
    told = told or message(kind)
    sent = replace(delivery(told=told, part="mail", channel="mail"), parent=parent, **changes)
    return channel.send(channel.render(told, "mail"), sent)


def read(server, index=-1):
    return email.message_from_bytes(server.mails[index]["content"], policy=default)


def test_a_mail_arrives_with_text_and_html_and_says_who_made_it(server, make):
    assert send(make(), id="d1").reference["message_id"] == "<d1@example.com>"
    mail = read(server)
    assert server.mails[0]["to"] == ["ana@example.com", "bo@example.com"]
    assert (mail["Message-ID"], mail["From"], mail["Auto-Submitted"]) == ("<d1@example.com>", "dqmon <dqmon@example.com>", "auto-generated")
    assert mail["Subject"].startswith("[CRITICAL] analytics.orders volume_anomaly: 1,204 rows")
    assert "1,204 rows" in mail.get_body(("plain",)).get_content()
    assert '<a href="https://wiki.example.com/rb/orders?team=a&amp;level=2#first">' in mail.get_body(("html",)).get_content()
    assert [secure for command, secure in server.commands if command.upper().startswith(("AUTH", "MAIL"))] == [True, True], (
        "the login was in the clear"
    )


def test_a_group_is_one_conversation(server, make):
    channel = make()
    parent = send(channel, id="first")
    for number, kind in enumerate((DeliveryKind.UPDATE, DeliveryKind.REPEAT, DeliveryKind.ACKNOWLEDGE, DeliveryKind.RESOLVE)):
        send(channel, kind, parent=parent, id=f"later{number}")
    first, *later = [read(server, index) for index in range(5)]
    assert {mail["In-Reply-To"] for mail in later} == {mail["References"] for mail in later} == {first["Message-ID"]}
    assert {mail["Subject"] for mail in later} == {f"Re: {first['Subject']}"}
    assert len({mail["Message-ID"] for mail in later}) == 4
    assert "[RESOLVED after 2h 11m]" in later[-1].get_body(("plain",)).get_content()


def test_a_mail_sent_again_after_a_broken_connection_is_the_same_mail(server, make):
    server.replies["content"] = None
    with pytest.raises(OutcomeUnknown):
        send(make(), id="lost")
    server.replies.clear()
    send(make(), id="lost", is_uncertain=True)
    assert read(server)["Message-ID"] == "<lost@example.com>"


STEPS = ("greeting", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "content")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("code", "expected"), [(421, Transient), (451, Transient), (452, Transient), (550, Permanent), (554, Permanent)])
def test_every_reply_at_every_step(server, make, step, code, expected):
    server.replies[step] = f"{code} 4.0.0 said so"
    with pytest.raises(expected, match=f"SMTP {code}: .*said so"):
        send(make())
    assert not server.mails


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", [None, 4], ids=["hangs up", "silent"])
def test_a_broken_connection_is_unknown_only_after_the_content(server, make, step, fault):
    server.replies[step] = fault
    with pytest.raises(OutcomeUnknown if step == "content" else Transient) as raised:
        send(make(timeout="1s"))
    assert raised.value.__cause__ is None


def test_what_comes_after_the_mail_was_taken_changes_nothing(server, make):
    for reply in ("421 going down", None):
        server.replies["QUIT"] = reply
        send(make())
    assert len(server.mails) == 2


@pytest.mark.parametrize("step", ["greeting", "MAIL"])
def test_a_server_that_trickles_is_cut_off_in_time(server, make, step):
    server.replies[step] = trickle

    def give_up():
        with pytest.raises(Transient):
            send(make(timeout="1s"))

    assert seconds(give_up) < 5, "the worker was held up"


def test_a_refused_recipient_does_not_keep_the_mail_from_the_others(server, make, caplog):
    server.replies["RCPT:bo@example.com"] = "550 no such user"
    assert "bo@example.com (SMTP 550: no such user)" in send(make()).detail
    assert server.mails[0]["to"] == ["ana@example.com"]


def test_all_refused_and_one_of_them_for_now_is_worth_another_try(server, make):
    server.replies |= {"RCPT:ana@example.com": "550 no such user", "RCPT:bo@example.com": "450 greylisted"}
    with pytest.raises(Transient, match="greylisted"):
        send(make())


def test_a_wrong_password_is_permanent_and_in_no_text(server, make, caplog):
    caplog.set_level(logging.DEBUG)
    channel = make(password="wrong-secret-2")
    with pytest.raises(Permanent, match="535") as raised:
        send(channel)
    assert "wrong-secret-2" not in str(raised.value) + caplog.text + repr(channel.options)


@pytest.mark.parametrize(("is_tls", "security"), [(True, "tls"), (False, "starttls"), (False, "none")])
def test_each_way_of_security(make, is_tls, security):
    with SmtpServer(is_tls=is_tls, has_starttls=security == "starttls") as other:
        send(make(other, security=security, username=None, password=None))
        assert len(other.mails) == 1
        assert other.commands[-2][1] == (security != "none")


def test_a_certificate_of_somebody_else_is_refused(server, make, tmp_path):
    server.ca_pem.write_to_path(str(tmp_path / "other.pem"))
    with SmtpServer(is_tls=True) as other:
        channel = make(other, security="tls", verify=str(tmp_path / "other.pem"))
        with pytest.raises(Transient, match="no TLS"):
            send(channel)
    assert not other.commands


@pytest.mark.parametrize(("what", "words"), [({"has_starttls": False}, "STARTTLS"), ({"login": None}, "AUTH")])
def test_a_server_that_cannot_do_what_is_asked_is_permanent_and_sees_no_password(make, what, words):
    with SmtpServer(**({"login": LOGIN} | what)) as other, pytest.raises(Permanent, match=words):
        send(make(other))
    assert not [command for command, _ in other.commands if command.startswith("AUTH")]


def test_a_private_address_is_refused_unless_allowed(server, make):
    with pytest.raises(Permanent, match="private address"):
        send(make(allow_private_addresses=False))
    assert not server.commands


def test_nobody_listening_is_transient(make):
    with pytest.raises(Transient, match="cannot be reached"):
        send(make(port=9))


def test_base_url_is_another_server(server, make):
    send(make(host="mail.invalid", base_url=f"smtp://127.0.0.1:{server.port}"))
    assert server.mails


HEADERS = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"}


@pytest.mark.parametrize(
    "evil",
    [
        "x\r\nBcc: eve@evil.example.com",
        "x\nBcc: eve@evil.example.com",
        "x\rBcc: e",
        "x\u2028Bcc: e",
        "x\x0bBcc: e",
        "x\x85Bcc: e",
        "\r\n\r\nbody",
        "=?utf-8?q?x=0D=0ABcc:_e?=",
    ],
)
def test_no_value_makes_a_header_or_ends_the_content(server, make, evil):
    told = message(
        root=facts(headline=evil, reason=f"{evil}\r\n.\r\nMAIL FROM:<eve@evil.example.com>", sql=f".\n..\n{evil}\n."),
        title=evil,
        instance=evil,
    )
    send(make(), told=told, id=evil)
    mail = read(server)
    assert set(mail.keys()) == HEADERS
    assert not mail.defects
    assert len(server.mails) == 1
    assert sum(command.upper().startswith("MAIL") for command, _ in server.commands) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"to": ["ana@example.com\nBcc: eve@x.example"]}, "no bare address"),
        ({"sender": "Dqmon <dqmon@example.com>"}, "no bare address"),
        ({"to": []}, "sender or to is not set"),
        ({"host": "mail example"}, "host is not the name"),
        ({"password": None}, "both username and password"),
        ({"security": "none", "allow_private_addresses": False}, "in the clear"),
    ],
)
def test_options_that_cannot_work(make, changes, words):
    with pytest.raises(ValueError, match=words):
        make(**changes)


def test_errors_are_dqmons_own(server, make):
    server.replies["EHLO"] = "not SMTP at all"
    with pytest.raises(NotifyError):
        send(make())
