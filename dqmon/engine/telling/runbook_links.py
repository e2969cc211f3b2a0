"""Whether the runbooks are there: each URL asked for once, under the policy for outgoing requests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urldefrag

from dqmon.config.runbooks import links_in
from dqmon.core.check import SourceLine
from dqmon.core.runbook import is_path
from dqmon.errors import Problem
from dqmon.net import NetError, Outgoing

if TYPE_CHECKING:
    from dqmon.config.project import Project
    from dqmon.config.targets import Placed
    from dqmon.core.check import Check

AT_ONCE = 8
"""Requests at a time: enough for hundreds of links, too few to trouble a wiki."""
TIMEOUT_S = 10.0
_MISSES_HEAD = frozenset({405, 501})
"""A server that does not know HEAD (RFC 9110, 15.5.6 and 15.6.2) is asked with GET."""
_THERE = frozenset({401, 403, 407, 429})
"""The page cannot be seen without a login, or not so often: somebody who has one will see it."""


def broken_links(project: Project, outgoing: Outgoing) -> tuple[Problem, ...]:
    """A warning for each runbook, and each https link of one in Markdown, that is not there, at the line that declares the runbook.

    By file and line. Asks each page once, by HEAD.

    A redirect is an answer, and so is a demand for a login; a host that cannot be reached, or that the policy forbids, is
    a warning too. What stands behind a `#` is not looked for. Runbooks of patterns that hold `{check}` or `{dataset}` are left out: which
    tables there are is not known without the warehouse.
    """
    links = [(url, at, f"the runbook {urldefrag(url).url}") for url, at in runbook_links(project.placed, project.checks).items()]
    links += [(url, at, f"the link {urldefrag(url).url} of the runbook {place}") for url, place, at in _inner_links(project)]
    pages = dict.fromkeys(urldefrag(url).url for url, *_ in links)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        trouble = dict(zip(pages, pool.map(lambda url: _trouble(outgoing, url), pages), strict=True))
    found = {
        Problem(at.path, at.line, f"{what} {trouble[page]}", is_warning=True)
        for url, at, what in links
        if trouble[page := urldefrag(url).url] is not None
    }
    return tuple(sorted(found, key=lambda problem: (problem.path, problem.line or 0, problem.message)))


def runbook_links(placed: Iterable[Placed], checks: Iterable[Check]) -> Mapping[str, SourceLine]:
    """Every link to a runbook that the check files declare, filled in, with the first line that declares it."""
    return {url: at for url, at in _filled(placed, checks).items() if not is_path(url)}


def _inner_links(project: Project) -> Iterator[tuple[str, str, SourceLine]]:
    """The https links in Markdown runbooks, each with the runbook's place and the first line that declares it."""
    for place, at in _filled(project.placed, project.checks).items():
        if is_path(place):
            yield from ((url, place, at) for url in links_in(project.facts.runbooks.find(place).text))


def _filled(placed: Iterable[Placed], checks: Iterable[Check]) -> Mapping[str, SourceLine]:
    """The runbooks filled in, each with the first line that declares it."""
    filled: dict[str, dict[str, None]] = {}
    for check in checks:
        if check.runbook and check.runbook_url:
            filled.setdefault(check.runbook, {})[check.runbook_url] = None
    found: dict[str, SourceLine] = {}
    for text, at in _declared(placed):
        for url in filled.get(text, ()) if "{" in text else (text,):
            found.setdefault(url, at)
    return found


def _declared(placed: Iterable[Placed]) -> Iterator[tuple[str, SourceLine]]:
    """The runbooks as they are written: of the defaults, the entries and the checks."""
    for entry in (item.entry for item in placed):
        path = entry.report.path
        levels = [
            (entry.defaults.get("runbook"), entry.defaults_lines.get("runbook", 1)),
            (entry.keys.get("runbook"), entry.line_of("runbook")),
        ]
        levels += [(item.keys.get("runbook"), item.line_of("runbook")) for item in entry.items]
        yield from ((text, SourceLine(path, line)) for text, line in levels if text)


def _trouble(outgoing: Outgoing, url: str) -> str | None:
    """What is wrong with a link, as the end of a sentence; None when its page is there."""
    try:
        status = outgoing.head(url).status
        if status in _MISSES_HEAD:
            status = outgoing.get(url, {}).status
    except NetError as e:
        return f"cannot be looked at: {e}"
    if status < 400 or status in _THERE:  # noqa: PLR2004 - below are success and redirects
        return None
    return f"is broken: HTTP {status}"
