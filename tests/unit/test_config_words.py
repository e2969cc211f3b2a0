"""Words with a grammar of their own: time zones, cron expressions, runbook links (R18), thresholds, holds."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from dqmon.config.keys import DatasetCheckKeys
from dqmon.config.words import check_cron, check_runbook, check_timezone
from dqmon.core.check import Hold

GOOD_LINKS = """\
https://wiki.example.com/rb/orders
https://wiki.example.com/rb/orders#first-step
https://wiki.example.com/{dataset}/{check}
https://wiki.example.com/search?q={check}&lang=en
https://wiki.example.com:8443/rb
https://wiki
https://xn--bcher-kva.example/rb
https://bücher.example/rb
https://a.b.c.d.e.example.com/
https://wiki.example.com./rb
https://my_host.example.com/rb
https://1password.example.com/rb
https://example.com/a%20b
https://example.com/~team/(draft)
https://notion.so/Team-Runbook-0123456789abcdef
HTTPS://wiki.example.com/rb""".splitlines()

BAD_LINKS = [
    *"""\
http://wiki.example.com/rb
ftp://wiki.example.com/rb
file:///etc/passwd
javascript:alert(1)
data:text/html,x
//wiki.example.com/rb
wiki.example.com/rb
https://
https:///rb
https:wiki.example.com
https://user@wiki.example.com/rb
https://user:pw@wiki.example.com/rb
https://wiki.example.com@evil.example/rb
https://127.0.0.1/rb
https://10.0.0.1:8080/rb
https://[::1]/rb
https://[fe80::1%25eth0]/rb
https://2130706433/rb
https://0x7f000001/rb
https://0x7f.1/rb
https://127.1/rb
https://wiki.example.com:99999/rb
https://wiki.example.com:port/rb
https://wiki..example.com/rb
https://-wiki.example.com/rb
https://wiki.example.com/{table}
https://wiki.example.com/{check
https://wiki.example.com/<!channel>
https://wiki.example.com/a|b
https://wiki.example.com/`id`
https://wiki.example.com/"x"
https://evil.example\\@wiki.example.com/rb""".splitlines(),
    "https://wiki.example.com/a b",
    "https://wiki.example.com/\u202e",
    "https://wiki.example.com/a\nb",
    "",
]


@pytest.mark.parametrize("link", GOOD_LINKS)
def test_a_runbook_may_be(link: str) -> None:
    assert check_runbook(link) == link


@pytest.mark.parametrize("link", BAD_LINKS)
def test_a_runbook_may_not_be(link: str) -> None:
    with pytest.raises(ValueError, match="runbook"):
        check_runbook(link)


def test_the_table_of_links_is_as_long_as_r18_asks() -> None:
    assert len(GOOD_LINKS) + len(BAD_LINKS) >= 40


@pytest.mark.parametrize("name", ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu"])
def test_a_time_zone_may_be(name: str) -> None:
    assert check_timezone(name) == name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("America/New_Yrok", "did you mean 'America/New_York'?"),
        ("america/new_york_", "did you mean 'America/New_York'?"),
        ("Berlin", "unknown time zone"),
        ("../../etc/passwd", "unknown time zone"),
        ("", "unknown time zone"),
        ("/", "unknown time zone"),
        ("a\0b", "unknown time zone"),
        ("America", "unknown time zone"),
    ],
)
def test_a_time_zone_may_not_be(name: str, hint: str) -> None:
    with pytest.raises(ValueError) as e:
        check_timezone(name)
    assert hint in str(e.value)


@pytest.mark.parametrize("text", ["* * * * *", "*/15 * * * *", "0 8 * * 1-5", "15 6 1 1 *", "0 0 29 2 *", "0 9 * * MON", "0 0 L * *"])
def test_a_cron_expression_may_be(text: str) -> None:
    assert check_cron(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "0 0 31 2 *",
        "every hour",
        "@daily",
        "a b c d e",
        "*/0 * * * *",
        "0 0 * 13 *",
    ],
)
def test_a_cron_expression_may_not_be(text: str) -> None:
    with pytest.raises(ValueError, match="cron expression"):
        check_cron(text)


def keys(**values: object) -> DatasetCheckKeys:
    return DatasetCheckKeys.model_validate_json(json.dumps(values))


@pytest.mark.parametrize(("value", "hold"), [(1, Hold(1, None)), (3, Hold(3, None)), ("30m", Hold(None, 1800)), ("0s", Hold(None, 0))])
def test_for_is_outcomes_or_a_duration(value: object, hold: Hold) -> None:
    assert keys(**{"for": value}).hold_for == hold
    assert keys(recover_after=value).recover_after == hold


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3", "30", "m", [1]])
def test_for_is_nothing_else(value: object) -> None:
    with pytest.raises(ValidationError):
        keys(**{"for": value})


@pytest.mark.parametrize(
    "values",
    [
        {"schedule": {"cron": "0 8 * * *", "every": "5m"}},
        {"schedule": {}},
        {"schedule": {"every": "0s"}},
        {"schedule": {"every": "15m", "timezone": "UTC"}},
        {"schedule": {"every": 15}},
        {"schedule": 15},
        {"schedule": ["0 8 * * *"]},
        {"severity": "fatal"},
        {"tags": "finance"},
        {"tags": [""]},
        {"owner": ""},
        {"owner": 5},
        {"name": "a.b"},
        {"name": "two words"},
        {"id": "a b"},
        {"id": "a,b"},
        {"id": "a#error"},
        {"id": ""},
        {"was": ""},
        {"fail_if": "> 5 minutes"},
        {"fail_if": ">"},
        {"fail_if": 5},
        {"warn_if": "> 1 and < 2"},
        {"partition": {"grain": "day"}},
        {"partition": {"column": "a", "grain": "dya"}},
        {"partition": {"column": "a", "lookback": 0}},
        {"partition": {"column": "a", "lag": "3 h"}},
        {"segment_by": "region"},
        {"max_segments": 0},
        {"max_segments": "50"},
        {"on_error": "ignore"},
        {"on_no_data": "error"},
        {"enabled": "yes"},
        {"filter": ""},
        {"timezone": "Mars/Olympus"},
        {"unheard_of": 1},
    ],
)
def test_a_key_refuses(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        keys(**values)
