"""The policy for outgoing requests (R38): which URLs and addresses are let through, and what breaks how."""

import gc
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from fake_vendors import Fault, Vendors
from patience import seconds
from replay_server import Replay, Said

from dqmon.net import Blocked, Broken, NotReached, Outgoing, is_public

PRIVATE = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2001:db8::1",
    "localhost",
    "not-an-address",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "52.89.214.238", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses(address):
    assert is_public(address)


TRICKS = [
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "//example.com/",
    "example.com",
    "https:///path",
    "https://",
    "https://user:pass@example.com/",
    "https://user@example.com/",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://[::1",
    "https://exa\\mple.com/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://0/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::]/",
    "https://169.254.169.254/latest/meta-data",
    "https://10.0.0.1/",
    "https://192.168.0.1/",
    "https://172.16.0.1/",
    "https://[fe80::1]/",
    "https://[fc00::1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://100.64.0.1/",
    "https://224.0.0.1/",
    "https://localhost/",
    "https://LOCALHOST./",
    "https://①②⑦.0.0.1/",
    "https://exámple.com/",
    "https://example.com/<x>",
    'https://example.com/"x',
    "https://example.com/{x}",
    "https://example.com/`x",
    "https://example.com/a|b",
    "HTTPS://127.0.0.1/",
    "javascript:alert(1)",
    "data:text/plain,x",
]
TRICKS += ["https://example.com/a b", "https://exam\nple.com/", "https://exam\tple.com/", "https://example.com/\0", " https://example.com/"]


@pytest.mark.parametrize("url", TRICKS, ids=ascii)
def test_url_tricks_never_reach_a_socket(url, monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises((Blocked, NotReached)):
        Outgoing().post(url, b"", {})


def test_enough_tricks_are_tried():
    assert len(TRICKS) >= 45


def test_a_name_with_one_private_address_among_its_addresses_is_blocked(monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("1.1.1.1", "10.0.0.7")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(Blocked, match=r"10\.0\.0\.7, a private address"):
        Outgoing().post("https://rebinding.example.com/", b"", {})


def test_the_checked_address_is_the_one_connected_to(monkeypatch):
    answers = iter([[(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", 443))]])
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: next(answers))
    tried = []

    def refuse(_self, address):
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(NotReached):
        Outgoing().post("https://rebinding.example.com/", b"", {})
    assert tried == [("1.1.1.1", 443)], "a second look-up could lead elsewhere"


@pytest.fixture(scope="module")
def vendors():
    with Vendors() as running:
        yield running


@pytest.fixture
def outgoing(vendors):
    vendors.reset()
    return Outgoing(timeout_s=2, verify=str(vendors.ca_file), allow_private=True, body_limit=1_000)


def test_proxies_of_the_environment_are_ignored(vendors, outgoing, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert outgoing.post(vendors.slack_url + "/api/auth.test", b"{}", {}).status == 200
    assert outgoing.post(vendors.pagerduty_url + "/v2/enqueue", b"{}", {}).status == 400


def test_a_redirect_is_an_answer(vendors, outgoing):
    vendors.script("slack", Fault(status=307, location=vendors.slack_url + "/api/auth.test"))
    assert outgoing.post(vendors.slack_url + "/api/auth.test", b"{}", {}).status == 307
    assert len(vendors.requests) == 1


def test_an_answer_is_read_up_to_the_limit(vendors, outgoing):
    vendors.script("slack", Fault(status=200, body="x" * 100_000))
    assert len(outgoing.post(vendors.slack_url + "/api/auth.test", b"{}", {}).body) == 1_000


@pytest.mark.parametrize("fault", [Fault(drop=True), Fault(drop=True, taken=True), Fault(delay_s=5)], ids=["dropped", "taken", "silent"])
def test_a_connection_that_breaks_after_the_request_leaves_the_outcome_open(vendors, outgoing, fault):
    vendors.script("slack", fault)
    with pytest.raises(Broken):
        replace(outgoing, timeout_s=0.5).post(vendors.slack_url + "/api/auth.test", b"{}", {})
    assert len(vendors.requests) == 1, "nothing may be sent twice"


@pytest.mark.parametrize("vendor", ["slack", "pagerduty"])
def test_a_server_that_sends_a_byte_now_and_then_is_cut_off_in_time(vendors, outgoing, vendor):
    url = vendors.slack_url + "/api/auth.test" if vendor == "slack" else vendors.pagerduty_url + "/v2/enqueue"

    def cut_off():
        vendors.script(vendor, Fault(trickle_s=30))
        try:
            answer = replace(outgoing, timeout_s=0.5).post(url, b"{}", {})
        except Broken:
            return
        assert answer.body == b"", "the answer was cut off before its body"

    assert seconds(cut_off) < 4


def test_nothing_is_sent_where_nobody_listens_or_the_certificate_is_wrong(vendors):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(NotReached, match="cannot be reached"):
            Outgoing(2, allow_private=True).post(f"https://127.0.0.1:{free.getsockname()[1]}/", b"", {})
    with pytest.raises(NotReached, match="no TLS"):
        Outgoing(2, allow_private=True).post(vendors.pagerduty_url + "/v2/enqueue", b"", {})
    with pytest.raises(Blocked, match=r"missing\.pem.*cannot be read"):
        Outgoing(2, "missing.pem", allow_private=True).post(vendors.pagerduty_url + "/v2/enqueue", b"", {})


FDS = Path("/proc/self/fd")
CUT = {
    "in the body": Said(200, b"x" * 900, cut=10),
    "at the limit": Said(200, b"x" * 5_000),
    "without end": Said(200, b"x" * 65_536, endless=500 * 1024**2),
    "before the head": Said(drop=True),
}


def client_sockets(server):
    """The descriptors of this process that are connections to others; the server's own ones begin at its port."""
    found = 0
    for path in FDS.iterdir():
        try:
            with socket.socket(fileno=os.dup(int(path.name))) as one:
                found += one.family == socket.AF_INET and one.getsockname()[1] not in (0, int(server.url.rpartition(":")[2]))
        except OSError:  # no socket, or closed by now
            continue
    return found


@pytest.mark.skipif(not FDS.is_dir(), reason="descriptors are counted where Linux lists them")
@pytest.mark.parametrize("said", CUT.values(), ids=CUT)
def test_answers_that_are_cut_off_leave_no_descriptor_open(said):
    """Not even while somebody keeps the errors, as a log of the last failures does."""
    with Replay() as server:
        server.add("/x", said)
        asking, kept = Outgoing(5, allow_private=True, body_limit=1_000), []
        before = client_sockets(server)
        gc.disable()
        try:
            for _ in range(50):
                try:
                    kept.append(asking.get(server.url + "/x", {}))
                except Broken as e:
                    kept.append(e)
            assert client_sockets(server) <= before, "connections stay open after their answer was cut off"
        finally:
            gc.enable()
    assert len(kept) == 50
    assert server.count("/x") == 50


def test_an_answer_that_ends_too_early_is_broken_whatever_was_asked():
    with Replay() as server:
        for method in ("GET", "POST"):
            server.add("/x", Said(200, b"ok, all is well", cut=2), method=method)
        asking = Outgoing(5, allow_private=True)
        for ask in (lambda: asking.get(server.url + "/x", {}), lambda: asking.post(server.url + "/x", b"{}", {})):
            with pytest.raises(Broken, match=r"127\.0\.0\.1 broke with 13 bytes of the answer missing"):
                ask()


def test_get_sends_no_body_and_says_whom_it_means():
    with Replay() as server:
        server.add("/x", Said(200, b"there"))
        assert Outgoing(5, allow_private=True).get(server.url + "/x?a=1", {"Host": "other", "Accept": "*/*"}).text == "there"
        (request,) = server.requests
    assert (request.method, request.query, request.raw) == ("GET", {"a": "1"}, b"")
    assert request.headers["Host"] == server.url.removeprefix("http://")
    assert "Content-Length" not in request.headers
