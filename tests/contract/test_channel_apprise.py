"""Apprise as it is: one request, no word about why it failed, and no secret in any text."""

import logging
import sys
from dataclasses import replace

import pytest
from fake_vendors import Fault
from sample_messages import delivery, message

from dqmon.errors import OutcomeUnknown, Permanent
from dqmon.notify.apprise import Apprise, AppriseOptions

SECRET = "apprise-secret-1"
# One of apprise's 150 plugins imports a library that does.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def make(vendors, url=None, **changes):
    url = url or vendors.slack_url.replace("http", "json") + f"/hook/{SECRET}"
    return Apprise("tail", AppriseOptions.model_validate({"url": url, "allow_private_addresses": True, "timeout": "2s"} | changes))


def send(channel, **changes):
    told = message()
    return channel.send(channel.render(told, "text"), replace(delivery(told=told, part="text"), **changes))


def test_a_message_is_sent_as_text_and_the_second_time_marked(vendors):
    channel = make(vendors)
    send(channel)
    send(channel, is_uncertain=True)
    first, second = (taken["body"] for taken in vendors.hooks.taken)
    assert (first["type"], first["title"][:10]) == ("failure", "[CRITICAL]")
    assert first["message"].startswith("Runbook: https://wiki.example.com/rb/orders?team=a&level=2#first")
    assert ("(may repeat)" in first["message"], "(may repeat)" in second["message"]) == (False, True)


@pytest.mark.parametrize(
    "fault", [Fault(status=400), Fault(status=429), Fault(status=500), Fault(drop=True), Fault(drop=True, taken=True), Fault(delay_s=4)]
)
@pytest.mark.parametrize("more", ["", "?retry=3"])
def test_a_failure_is_unknown_and_not_repeated_even_when_the_url_asks_for_it(vendors, fault, more, caplog):
    caplog.set_level(logging.DEBUG)
    vendors.script("hooks", fault)
    with pytest.raises(OutcomeUnknown) as raised:
        send(make(vendors, url=vendors.slack_url.replace("http", "json") + f"/hook/{SECRET}{more}", timeout="1s"))
    assert len(vendors.requests) == 1
    assert SECRET not in str(raised.value) + "".join(r.getMessage() for r in caplog.records if r.name.startswith(("dqmon", "apprise")))


def test_a_private_address_is_refused_unless_allowed(vendors):
    with pytest.raises(Permanent, match="private address"):
        send(make(vendors, allow_private_addresses=False))
    assert not vendors.requests


@pytest.mark.parametrize("url", [f"nosuch://{SECRET}", "json://", SECRET])
def test_a_url_that_apprise_does_not_know_is_permanent_and_not_shown(vendors, url):
    with pytest.raises(Permanent, match="does not know") as raised:
        send(make(vendors, url=url))
    assert SECRET not in str(raised.value) + repr(make(vendors, url=url).options)


def test_without_apprise_the_extra_is_named(vendors, monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(Permanent, match=r"dqmon\[apprise\]"):
        send(make(vendors))


@pytest.mark.parametrize("changes", [{"base_url": "https://x"}, {"verify": "/ca.pem"}])
def test_options_that_apprise_cannot_be_given_are_refused(vendors, changes):
    with pytest.raises(ValueError, match="neither base_url nor verify"):
        make(vendors, **changes)
