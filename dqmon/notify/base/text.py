"""Texts from a warehouse made harmless and made to fit; all functions are pure."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from dqmon.core.message import Message

ZERO_WIDTH_SPACE = "\u200b"
_JOINER = "\u200d"
# Control and format characters (bidi overrides, zero-width ones, tags), lone surrogates, line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_RAW_FACTOR = 4


def clean(text: str, limit: int, *, keep_lines: bool = False) -> str:
    """At most `limit` characters of `text`, without those that hide, reorder or break; ends in … when cut.

    Characters beyond the basic plane count two, as in JavaScript, so that no vendor counts more. Emoji stay whole as far
    as they fit. Without `keep_lines` every white space is one blank.
    """
    head = text[: _RAW_FACTOR * limit]
    if (head.replace("\n", "") if keep_lines else head).isprintable():  # nothing is to be left out, as of nearly every text
        return _cut(text, limit).strip()
    return fit(text, limit, lambda c: _visible(c, keep_lines=keep_lines)).strip()


def fit(text: str, limit: int, form: Callable[[str], str]) -> str:
    """The longest start of `text` whose characters, each passed through `form`, stay within `limit`, … included.

    Only the first 4 × `limit` characters are looked at: a megabyte of invisible ones is no reason to work.
    """
    pieces: list[str] = []
    used = 0
    end = 0
    for c in text[: _RAW_FACTOR * limit]:
        piece = form(c)
        used += len(piece) + (piece >= "\U00010000")  # as `units`, of one character or a form of it
        if used > limit:
            break
        pieces.append(piece)
        if used < limit:
            end = len(pieces)
    else:
        if len(text) <= _RAW_FACTOR * limit:
            return "".join(pieces)
    return "".join(pieces[:end]) + "…" if limit else ""


def _cut(text: str, limit: int) -> str:
    """`fit` for characters that stay as they are."""
    if len(text) <= limit and units(text) <= limit:
        return text
    return text[: max(0, limit - 1)] + "…" * (limit > 0) if text[:limit].isascii() else fit(text, limit, str)


def units(text: str) -> int:
    """The length as JavaScript counts: UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _visible(c: str, *, keep_lines: bool) -> str:
    if c == "\n" and keep_lines:
        return c
    if c.isspace():
        return " "
    return "" if c != _JOINER and unicodedata.category(c) in _UNSEEN else c


_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def mrkdwn(text: str, limit: int) -> str:
    """`text` as a value inside Slack's mrkdwn: shows as it is, mentions nobody, links nowhere, opens no code span.

    docs.slack.dev/messaging/formatting-message-text: & < > are all that needs escaping; besides, a zero-width space
    splits @here and its like, and a backtick becomes its look-alike, so that a value cannot swallow what follows it.
    """
    return _fit_escaped(clean(text, limit), limit, {"`": "ˋ", "@": "@" + ZERO_WIDTH_SPACE})


def code_block(text: str, limit: int) -> str:
    """`text` between triple backticks, lines kept, `limit` characters in all; runs of backticks inside are broken up."""
    body = re.sub("`(?=`)", "`" + ZERO_WIDTH_SPACE, clean(text, limit, keep_lines=True))
    return f"```\n{_fit_escaped(body, limit - 8, {'@': '@' + ZERO_WIDTH_SPACE})}\n```"


_LIVE = re.compile(r"://|www\.|mailto:|tel:|@|<(?=[a-z/!?@#])", re.IGNORECASE)


def inert(text: str, limit: int, *, keep_lines: bool = False) -> str:
    """`text` as a value in a medium that looks for links, mentions and tags by itself: shows as it is, and is none of these.

    A zero-width space stands in every URL, after every @, and after a < that could open a tag. A bare host name stays as it
    is: tables are named like hosts.
    """
    defused = _LIVE.sub(lambda found: found[0][0] + ZERO_WIDTH_SPACE + found[0][1:], clean(text, limit, keep_lines=keep_lines))
    return _cut(defused, limit)


def _fit_escaped(text: str, limit: int, more: dict[str, str]) -> str:
    forms = _ENTITIES | more
    whole = text.translate({ord(c): form for c, form in forms.items()})
    if units(whole) <= limit:
        return whole
    return fit(text, limit, lambda c: forms.get(c, c))


def link(url: str) -> str | None:
    """`url` fit to be linked to: https or http with a host, percent-encoded where it must be; else None."""
    url = clean(url, 2_000)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("https", "http") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return None
    return quote(url, safe=":/?#[]@!$&'()*+,;=%-._~") if usable else None


def bare_title(message: Message) -> str:
    """The title without its `[CRITICAL] `: each channel has a place of its own for the severity."""
    return re.sub(r"^\[[A-Z]+\] ", "", message.title)


def named_links(message: Message) -> dict[str, str]:
    """The links by their label, with a capital, the root's runbook first."""
    runbook = clean(message.alerts[0].runbook or "", 2_000)
    others = {label[:1].upper() + label[1:]: url for label, url in message.links.items() if label.lower() != "runbook"}
    return ({"Runbook": runbook} if runbook else {}) | others


def utc(at: datetime) -> str:
    """A time for people."""
    return at.strftime("%Y-%m-%d %H:%M UTC")
