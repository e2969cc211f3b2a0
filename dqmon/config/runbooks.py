"""Runbooks in Markdown: found in the project, cut to the section that is meant, with their first step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from dqmon.core.runbook import Runbook, is_path
from dqmon.errors import Problem

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

    from dqmon.config.merge import Chosen
    from dqmon.core.check import Check

FILE_LIMIT = 65_536
"""Bytes of a runbook: longer ones nobody reads at night."""
STEP_LIMIT = 300
"""Characters of a first step, as much as channels show of a value."""


def parser() -> MarkdownIt:
    """CommonMark with tables, whose raw HTML is text. Links are live only to https, or relative to the file."""
    from markdown_it import MarkdownIt

    made = MarkdownIt("js-default").disable("image")  # an image is a link to it: no page of dqmon loads anything from elsewhere
    made.validateLink = lambda url: re.match(r"(?i)https://[^/?#@]+([/?#]|$)|(?![a-z][a-z0-9+.-]*:|//)", url) is not None  # type: ignore[method-assign]  # how markdown-it is told
    return made


def links_in(text: str) -> tuple[str, ...]:
    """The https links of a Markdown text, each once, in their order."""
    inline = (child for token in parser().parse(text) for child in token.children or ())
    found = (str(child.attrs["href"]) for child in inline if child.type == "link_open")
    return tuple(dict.fromkeys(url for url in found if url.lower().startswith("https:")))


class Runbooks:
    """The Markdown files of the project at `root`. Each is read once: what it says stays the same until a reload."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[str, _File] = {}
        self._found: dict[str, Runbook] = {}

    def find(self, place: str) -> Runbook:
        """The runbook at `path.md` or `path.md#anchor`. ValueError says what is wrong with it, as a sentence."""
        if place not in self._found:
            path, _, anchor = place.partition("#")
            if path not in self._files:
                self._files[path] = _File(self._read(path))
            text = self._files[path].section(anchor)
            if text is None:
                raise ValueError(f"the runbook {path} has no heading for #{anchor}{self._files[path].headings()}")
            self._found[place] = Runbook(place, text, _first_step(parser().parse(text)))
        return self._found[place]

    def _read(self, path: str) -> str:
        file = (self._root / path).resolve()
        if not file.is_relative_to(self._root.resolve()) or file.suffix != ".md":
            raise ValueError(f"the runbook {path} is outside of the project, or no .md file there")
        if not file.is_file():
            raise ValueError(f"the runbook {path} is not there")
        try:
            with file.open("rb") as opened:
                content = opened.read(FILE_LIMIT + 1)
            text = content.decode() if len(content) <= FILE_LIMIT else None
        except UnicodeDecodeError:
            raise ValueError(f"the runbook {path} is no UTF-8 text") from None
        except OSError as e:
            raise ValueError(f"the runbook {path} cannot be read: {(e.strerror or str(e)).lower()}") from None
        if text is None:
            raise ValueError(f"the runbook {path} is longer than {FILE_LIMIT // 1024} KB")
        if not text.strip():
            raise ValueError(f"the runbook {path} is empty")
        return text


def with_guide(check: Check, one: Chosen, found: Runbooks, *, is_trial: bool, is_load: bool) -> Check:
    """The check with what its Markdown runbook says; problems are in the report of the entry that declares it.

    is_trial: a pattern tried on its own text, for which no file can be named. is_load: what is missing stops the start. Later it is a
    warning: neither a table that a pattern finds by then nor the check files of an older commit stop anything.
    """
    if not check.runbook or not is_path(check.runbook) or (is_trial and "{" in check.runbook):
        return check
    try:
        return replace(check, guide=found.find(check.runbook_url or ""))
    except ValueError as e:
        report, line, hint = one.placed.entry.report, one.line_of("runbook"), "write the file, or name another"
        if is_load:
            report.error(line, str(e), hint)
        else:
            report.errors.append(Problem(report.path, line, str(e), hint, is_warning=True))
        return check


@dataclass(frozen=True, slots=True)
class _Heading:
    anchor: str
    level: str
    line: int


class _File:
    """The text of a file by its headings."""

    def __init__(self, text: str) -> None:
        self._lines = re.split("\r\n?|\n", text)
        self._headings = tuple(_headings(parser().parse(text)))

    def section(self, anchor: str) -> str | None:
        """All for an empty anchor, else from that heading to the next one that is not below it; None when it is not there."""
        if not anchor:
            return "\n".join(self._lines)
        wanted = (anchor, _anchor(anchor))
        for place, heading in enumerate(self._headings):
            if heading.anchor in wanted:
                later = (other.line for other in self._headings[place + 1 :] if other.level <= heading.level)
                return "\n".join(self._lines[heading.line : next(later, None)])
        return None

    def headings(self) -> str:
        """The end of a sentence that names the anchors; empty when there are none."""
        named = [f"#{heading.anchor}" for heading in self._headings]
        return f"; it has {', '.join(named[:5])}{', …' if len(named) > 5 else ''}" if named else ""  # noqa: PLR2004 - a few show the form


def _headings(tokens: Sequence[Token]) -> Iterator[_Heading]:
    """The headings that are in no list and no quotation; of several with one text the second has -1 at its end, as GitHub has it."""
    seen: dict[str, int] = {}
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open" and opening.level == 0 and opening.map:
            anchor = _anchor(_plain(content))
            seen[anchor] = seen.get(anchor, -1) + 1
            yield _Heading(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor, opening.tag, opening.map[0])


def _anchor(text: str) -> str:
    """What GitHub makes of a heading: small letters, no punctuation, `-` for blanks."""
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def _first_step(tokens: Sequence[Token]) -> str:
    """The first item of the first list, else the first paragraph; on one line, in STEP_LIMIT characters."""
    items = [place for place, token in enumerate(tokens) if token.type == "list_item_open"]
    starts = items or [place for place, token in enumerate(tokens) if token.type == "paragraph_open"]
    text = " ".join(_plain(next((token for token in tokens[starts[0] :] if token.type == "inline"), None)).split()) if starts else ""
    return text if len(text) <= STEP_LIMIT else f"{text[: STEP_LIMIT - 1]}…"


def _plain(inline: Token | None) -> str:
    """The words of an inline token, without their markup."""
    words = ((" " if child.type.endswith("break") else child.content) for child in (inline and inline.children) or ())
    return "".join(words)
