"""Runbooks that lie in the project as Markdown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Runbook:
    """What to do, from a file of the project.

    place: `docs/runbooks/orders.md`, with `#anchor` where one section is meant. text: the Markdown of the file or section.
    first_step: plain text on one line; empty when the text has neither a list nor a paragraph.
    """

    place: str
    text: str
    first_step: str


def is_path(runbook: str) -> bool:
    """True for a `runbook:` that names a Markdown file of the project, False for a link."""
    return "://" not in runbook and runbook.partition("#")[0].endswith(".md")
