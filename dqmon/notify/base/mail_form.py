"""A message as a mail: subject, HTML and text; pure. No picture, no style sheet, nothing that a mail client would fetch."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from dqmon.core.message import DeliveryKind
from dqmon.core.verdict import Severity
from dqmon.notify.base.story import Story, headline, plain_text, story
from dqmon.notify.base.text import ZERO_WIDTH_SPACE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dqmon.core.message import Message
    from dqmon.core.plain import Json

SUBJECT_LIMIT = 180
HTML_LIMIT = 90_000
"""Bytes: beyond 102 KB Gmail hides the end, and with it the runbook. https://github.com/hteumeuleu/email-bugs/issues/41."""
_GREEN = "#2eb67d"
_COLOURS = {Severity.INFO: "#8d8d8d", Severity.WARNING: "#b58105", Severity.ERROR: "#e8590c", Severity.CRITICAL: "#c92a2a"}
_CELL = 'style="text-align:left;vertical-align:top;padding:2px 12px 2px 0"'


def mail(message: Message) -> Json:
    """`subject`, `html` and `text`."""
    colour = _GREEN if message.kind is DeliveryKind.RESOLVE else _COLOURS[message.severity]
    told = story(message, lambda told: len(_html(told, colour).encode()) <= HTML_LIMIT)
    # Python decodes encoded words (RFC 2047) of a header that it is given, and so would make a line break of =?utf-8?q?=0A?=.
    subject = headline(message, SUBJECT_LIMIT).replace("=?", f"={ZERO_WIDTH_SPACE}?")
    return {"subject": subject, "text": plain_text(told), "html": _html(told, colour)}


def _html(told: Story, colour: str) -> str:
    head = f'<p style="border-left:6px solid {colour};padding-left:8px"><strong>[{escape(told.status)}] {escape(told.title)}</strong></p>'
    body = "\n".join([head, *_facts(told), *_lists(told), *_links(told), f'<p style="color:#666"><small>{escape(told.origin)}</small></p>'])
    return f'<!DOCTYPE html>\n<html><body style="font-family:sans-serif">\n{body}\n</body></html>\n'


def _facts(told: Story) -> Iterator[str]:
    rows = (f"<tr><th {_CELL}>{escape(label)}</th><td {_CELL}>{escape(value)}</td></tr>" for label, value in told.facts)
    yield "<table>\n" + "\n".join(rows) + "\n</table>"


def _lists(told: Story) -> Iterator[str]:
    for label, items in told.lists:
        yield f"<p><strong>{label}</strong></p>\n<ul>\n" + "\n".join(f"<li>{escape(item)}</li>" for item in items) + "\n</ul>"
    if told.sql:
        yield f"<p><strong>Reproduce</strong></p>\n<pre>{escape(told.sql)}</pre>"


def _links(told: Story) -> Iterator[str]:
    for item in told.links:
        if item.url is None:
            yield f"<p>{escape(item.label)}: {escape(item.text)}</p>"
        else:
            yield f'<p>{escape(item.label)}: <a href="{escape(item.url)}">{escape(item.url)}</a></p>'
