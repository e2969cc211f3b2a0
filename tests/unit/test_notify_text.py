"""Texts made harmless and made to fit: tables (R37)."""

import pytest

from dqmon.errors import OutcomeUnknown, Permanent, Transient
from dqmon.net import Answer, Blocked, Broken, NotReached
from dqmon.notify.base.outcome import broken, problem, redacted, retry_after
from dqmon.notify.base.text import clean, code_block, link, mrkdwn, units


@pytest.mark.parametrize(
    ("raw", "limit", "expected"),
    [
        ("", 10, ""),
        ("plain", 10, "plain"),
        ("exactly10!", 10, "exactly10!"),
        ("eleven chars", 10, "eleven ch…"),
        ("a\tb\nc\r\nd", 20, "a b c  d"),
        ("nul\0 esc\x1b[31m", 20, "nul esc[31m"),
        ("\u202egnp.exe\u2066x\u2069", 20, "gnp.exex"),
        ("ze\u200bro\ufeff", 20, "zero"),
        ("line\u2028sep\u2029", 20, "line sep"),
        ("half \ud83d surrogate", 20, "half  surrogate"),
        ("👩\u200d🚀 ok", 20, "👩\u200d🚀 ok"),
        ("😀😀😀😀", 5, "😀😀…"),
        ("\0" * 1_000_000 + "x", 10, "…"),
        ("שלום עולם", 20, "שלום עולם"),
    ],
)
def test_clean(raw, limit, expected):
    assert clean(raw, limit) == expected
    assert units(clean(raw, limit)) <= limit


@pytest.mark.parametrize(
    ("raw", "limit", "expected"),
    [
        ("a < b & c > d", 50, "a &lt; b &amp; c &gt; d"),
        ("<!channel>", 50, "&lt;!channel&gt;"),
        ("@here", 50, "@\u200bhere"),
        ("`rm`", 50, "ˋrmˋ"),
        ("&&&&", 11, "&amp;&amp;…"),
        ("&&&&", 10, "&amp;…"),
    ],
)
def test_mrkdwn_escapes_and_never_cuts_inside_an_entity(raw, limit, expected):
    assert mrkdwn(raw, limit) == expected
    assert units(mrkdwn(raw, limit)) <= limit


def test_code_block_keeps_lines_and_backticks_but_cannot_be_left():
    assert code_block("select `a`\nfrom t where x < 3", 100) == "```\nselect `a`\nfrom t where x &lt; 3\n```"
    assert code_block("``` <!here> ```", 100).count("```") == 2
    assert units(code_block("<" * 5_000, 1_500)) <= 1_500


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://wiki/rb?a=1&b=2#x", "https://wiki/rb?a=1&b=2#x"),
        ("http://wiki/rb", "http://wiki/rb"),
        ("https://wiki/a b|c>d<e", "https://wiki/a%20b%7Cc%3Ed%3Ce"),
        ("https://wiki/%20x", "https://wiki/%20x"),
        ("javascript:alert(1)", None),
        ("slack://open", None),
        ("ask Ana", None),
        ("https://", None),
        ("https://user@evil.example.com/", None),
        ("https://[::1", None),
        ("", None),
    ],
)
def test_link(url, expected):
    assert link(url) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("7", 7.0), ("0.5", 0.5), ("3600", 3600.0), ("", None), ("-1", None), ("soon", None), ("nan", None), ("1e9", None), ("9" * 400, None)],
)
def test_retry_after(text, expected):
    assert retry_after(Answer(429, {"retry-after": text}, b"")) == expected


def test_a_request_without_an_answer():
    assert isinstance(broken(Blocked("x")), Permanent)
    assert isinstance(broken(NotReached("x")), Transient)
    assert isinstance(broken(Broken("x")), OutcomeUnknown)


def test_secrets_and_control_characters_leave_the_errors():
    assert redacted("key abc123 refused\n\x1b[31m", ["abc123", ""]) == "key *** refused  [31m"
    assert str(problem(Answer(400, {}, b""), "d" * 5_000)) == "HTTP 400: " + "d" * 300
