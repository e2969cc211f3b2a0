"""How things look: aligned columns on a terminal, whole plain lines elsewhere; colour only where it is wanted."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from dqmon.errors import UsageError

if TYPE_CHECKING:
    from types import TracebackType

COLOURS = {"pass": "32", "warn": "33", "fail": "31", "error": "35", "skipped": "2"}
"""ANSI colours of the verdicts."""


def clean(text: object) -> str:
    """One line of text with control characters escaped, so that data cannot move the cursor or forge a line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def is_coloured(stream: IO[str]) -> bool:
    """True on a terminal, unless NO_COLOR (no-color.org) or TERM=dumb says otherwise."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(verdict: str, text: str, stream: IO[str]) -> str:
    """`text` in the verdict's colour, where colours are wanted."""
    return f"\x1b[{COLOURS[verdict]}m{text}\x1b[0m" if verdict in COLOURS and is_coloured(stream) else text


def instant(at: datetime | None) -> str:
    """An instant for people: `2013-02-09 13:00 UTC`; `-` for none."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at else "-"


def write(text: str) -> None:
    """One line on stdout."""
    sys.stdout.write(f"{text}\n")


def note(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"{text}\n")


def table(rows: Sequence[Sequence[str]], headings: Sequence[str] = ()) -> Iterable[str]:
    """Lines with aligned columns: on a terminal wrapped to its width by rich, elsewhere whole, for grep.

    Cells are cleaned; a verdict in the first column is painted.
    """
    cells = [[clean(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        every = [list(headings), *cells] if headings else cells
        widths = [max((len(row[i]) for row in every), default=0) for i in range(len(every[0]))] if every else []
        return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in every]
    return _rich_lines(cells, headings)


def _rich_lines(rows: Sequence[Sequence[str]], headings: Sequence[str]) -> Iterable[str]:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    styles = {"pass": "green", "warn": "yellow", "fail": "red", "error": "magenta", "skipped": "dim"}
    styles |= {"passing": "green", "warning": "yellow", "failing": "red"}
    grid = Table(box=None, show_header=bool(headings), pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    width = max((len(row) for row in [headings, *rows]), default=0)
    for i in range(width):
        grid.add_column(headings[i] if headings else "", no_wrap=i == 0, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell, style=styles.get(cell.lower(), "") if i == 0 else "") for i, cell in enumerate(row)))
    console = Console(file=sys.stdout, no_color=not is_coloured(sys.stdout), highlight=False)
    with console.capture() as captured:
        console.print(grid)
    return [f"  {line.rstrip()}" for line in captured.get().splitlines()]


class Target:
    """Where a result goes: stdout, or the file of `--output` or another option (written whole at the end, or not at all)."""

    def __init__(self, path: str | None, option: str = "--output") -> None:
        self._path, self._option = Path(path) if path else None, option
        if self._path and not self._path.parent.is_dir():
            raise UsageError(f"{option} {path}: there is no folder {self._path.parent}; make it first")

    def write(self, text: str) -> None:
        """Writes the whole result. UsageError when the file cannot be written."""
        if self._path is None:
            write(text)
            return
        try:
            self._path.write_text(f"{text}\n", encoding="utf-8")
        except OSError as e:
            raise UsageError(f"{self._option} {self._path}: {e.strerror}") from e


class Progress:
    """A counter on stderr while a run is long, on a terminal only; gone when it is over."""

    def __init__(self) -> None:
        self._shown = False

    def __enter__(self) -> Callable[[int, int, str], None] | None:
        """What to call with done, total and what is worked on; None where nobody watches."""
        return self._show if sys.stderr.isatty() else None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Wipes the counter away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")

    def _show(self, done: int, total: int, what: str) -> None:
        self._shown = True
        sys.stderr.write(f"\r\x1b[K{done}/{total}  {clean(what)[:60]}")
        sys.stderr.flush()
