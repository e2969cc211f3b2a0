"""A runbook's Markdown as HTML: its own tags and attributes alone, and links to https alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from dqmon.config.runbooks import parser
from dqmon.notify.base.text import clean

if TYPE_CHECKING:
    from markdown_it.token import Token

_LEVELS = {"h1": "h3", "h2": "h4", "h3": "h5", "h4": "h6", "h5": "h6", "h6": "h6"}
"""Below the page's own headings."""


def html(text: str) -> Markup:
    """Raw HTML in it is text. A link that is relative to the file leads nowhere from a page, so it is shown as text with its target."""
    made = parser()
    text = text.expandtabs(4)  # as CommonMark reads tabs; what hides or reorders is taken out, which tabs are not
    tokens = made.parse(clean(text, 2 * len(text) + 1, keep_lines=True))
    for token in tokens:
        token.tag = _LEVELS.get(token.tag, token.tag)
        token.attrs = {name: value for name, value in token.attrs.items() if name == "start"}
        _link(token.children or [])
    return Markup(made.renderer.render(tokens, made.options, {}))  # noqa: S704 - markdown-it escapes every text, and html is off


def _link(children: list[Token]) -> None:
    """Makes links open without telling where from, and relative ones text."""
    target: str | None = None
    for token in children:
        if token.type == "link_open":
            target = str(token.attrs["href"])
            if target.lower().startswith("https:"):
                token.attrs, target = {"href": target, "rel": "noreferrer noopener"}, None
            else:
                token.type, token.tag, token.nesting, token.attrs = "text", "", 0, {}
        elif token.type == "link_close" and target is not None:
            token.type, token.tag, token.nesting, token.content, target = "text", "", 0, f" ({target})", None
