"""`runbook_hosts` (R18): which of 40 runbooks a list of hosts admits, and what may stand in the list."""

from __future__ import annotations

import pytest

from dqmon.config.words import check_host_pattern, check_runbook, is_host_allowed, runbook_host

HOSTS = ("wiki.example.com", "*.docs.example.com", "*.Intranet.Example")
ADMITTED = """\
https://wiki.example.com
https://wiki.example.com/
https://wiki.example.com/rb/orders
https://wiki.example.com/rb/orders#first-step
https://wiki.example.com/rb?q={check}#{dataset}
https://wiki.example.com:8443/rb
https://WIKI.example.COM/rb
https://wiki.example.com./rb
https://a.docs.example.com/rb
https://a.b.docs.example.com/rb#2
https://A.Docs.Example.com/{check}
https://xn--bcher-kva.docs.example.com/rb
https://my_team.docs.example.com/rb
https://a.intranet.example/rb
https://wiki.example.com//evil.example/rb
https://wiki.example.com/@evil.example
https://wiki.example.com/?next=https://evil.example/""".splitlines()
REFUSED = """\
https://example.com/rb
https://evil.example/rb
https://docs.example.com/rb
https://intranet.example/rb
https://wiki.example.com.evil.example/rb
https://evilwiki.example.com/rb
https://a.wiki.example.com/rb
https://wiki-example.com/rb
https://evildocs.example.com/rb
https://a.docs.example.com.evil.example/rb
https://wiki.example.org/rb
https://wiki/rb
https://evil.example/wiki.example.com
https://evil.example/?wiki.example.com
https://evil.example#wiki.example.com
http://wiki.example.com/rb
https://wiki.example.com@evil.example/rb
https://user:pw@wiki.example.com/rb
https://10.0.0.1/rb
https://[::1]/rb
https://2130706433/rb
https://0x7f.1/rb
https://evil.example\\.docs.example.com/rb""".splitlines()


def admits(link: str) -> bool:
    """As a file with that runbook is judged: its form first, then its host."""
    try:
        check_runbook(link)
    except ValueError:
        return False
    return is_host_allowed(runbook_host(link), [str(check_host_pattern(host)) for host in HOSTS])


def test_of_40_links_those_on_the_hosts_are_admitted_and_no_other() -> None:
    assert len(ADMITTED) + len(REFUSED) == 40
    wrong = [link for link in ADMITTED if not admits(link)] + [link for link in REFUSED if admits(link)]
    assert wrong == []


@pytest.mark.parametrize(
    "pattern",
    [
        "https://wiki.example.com",
        "wiki.example.com/rb",
        "wiki.example.com:443",
        "*",
        "*.",
        "*example.com",
        "wiki.*.com",
        "10.0.0.1",
        "*.1",
        "a b",
        "",
    ],
)
def test_what_is_no_host_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is no host"):
        check_host_pattern(pattern)


def test_a_host_is_kept_in_small_letters() -> None:
    assert check_host_pattern("*.Example.COM.") == "*.example.com"
