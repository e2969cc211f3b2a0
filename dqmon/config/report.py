"""Collecting what is wrong in a file, with suggestions."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dqmon.errors import Problem

_MANY = 12
"""A longer list of possible words is not printed in an error."""


@dataclass(slots=True)
class Report:
    """What is wrong in one file; several reports may share one `errors` and one `warnings` list."""

    path: str
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def error(self, line: int | None, message: str, hint: str | None = None) -> None:
        """Notes what stops the start; the same sentence for the same line is noted once."""
        problem = Problem(self.path, line, message, hint)
        if problem not in self.errors[-50:]:
            self.errors.append(problem)

    def warn(self, line: int | None, message: str, hint: str | None = None) -> None:
        """Notes what somebody should look at."""
        self.warnings.append(Problem(self.path, line, message, hint, is_warning=True))

    def of(self, path: str) -> Report:
        """The report of another file, with the same lists."""
        return Report(path, self.errors, self.warnings)


def shown_path(path: Path, root: Path) -> str:
    """The file as problems name it: from the project's folder on where it is below it."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def suggest(word: object, words: Iterable[str]) -> str | None:
    """`did you mean 'x'?` with the nearest of `words`, else all of them when they are few; None when there are none.

    A word of the same letters is nearer than any other: letters that changed places are the commonest slip.
    """
    options = sorted(set(map(str, words)))
    wanted = str(word)
    lower = {option.lower(): option for option in options}
    near = [lower[found] for found in difflib.get_close_matches(wanted.lower(), lower, 3, 0.6)]
    near.sort(key=lambda option: sorted(option.lower()) != sorted(wanted.lower()))
    if near:
        return f"did you mean {near[0]!r}?"
    if not options or len(options) > _MANY:
        return None
    return f"there is {options[0]!r} only" if len(options) == 1 else f"there are {', '.join(options)}"
