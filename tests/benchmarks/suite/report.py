"""The figures as text, and as Markdown between the marks of docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import peers
from scene import Goal, Scene, Setup

PAGE = Path(__file__).parents[3] / "docs/benchmarks.md"
HEADERS = ("", "work s", "x", "CPU s", "start to exit s", "peak MB", "statements", "verdicts")

Rows = list[tuple[str, ...]]


def rows(scene: Scene) -> Rows:
    """A row for each contestant, and for those that could not compete."""
    base = scene.figures.get(scene.baseline)
    found: Rows = []
    for name, figures in scene.figures.items():
        if figures.problem:
            found.append((name, *["–"] * 6, figures.problem))
            continue
        times = f"{figures.times(base):.2f}" if base and len(base.runs) == len(figures.runs) else "–"
        counted = any("statements" in run.found for run in figures.runs)
        numbers = (
            f"{figures.work_s:.3f}",
            times,
            f"{figures.work_cpu_s:.2f}",
            f"{figures.wall_s:.2f}",
            f"{figures.peak_mb:.0f}" if figures.peak_mb else "–",
        )
        judged = "right" if figures.contestant.expected is not None else "–"
        found.append((name, *numbers, str(figures.statements) if counted else "–", judged))
    return found + [(name, *["–"] * 6, problem) for name, problem in scene.absent.items()]


def goal_rows(goals: Iterable[Goal]) -> Rows:
    """A row for each goal."""
    words = {True: "met", False: "**not met**", None: "not measured"}
    return [(goal.what, goal.goal, goal.measured, words[goal.is_met]) for goal in goals]


def savings(scenes: Sequence[Scene]) -> Rows:
    """What each rewrite saves in each place: how much longer the work takes without it."""
    first = next(iter(scenes), None)
    if first is None:
        return []
    found = []
    for name in list(first.figures)[1:]:
        cells = []
        for scene in scenes:
            with_it, without = scene.figures["all rewrites"], scene.figures[name]
            change = without.times(with_it) - 1
            cells.append(f"{without.work_s - with_it.work_s:+.3f} s ({change:+.0%}), {without.statements} statements")
        found.append((name, *cells))
    return found


def verdicts(scenes: Iterable[Scene]) -> Goal:
    """The goal of right verdicts in every run of dqmon."""
    mine = [f for scene in scenes for name, f in scene.figures.items() if is_dqmon(name) and f.contestant.expected is not None]
    runs = [run for figures in mine for run in figures.runs]
    wrong = [run.problem for run in runs if run.problem]
    measured = f"{len(runs)} runs right" if not wrong else f"{len(wrong)} of {len(runs)} runs: {wrong[0]}"
    return Goal("verdicts", "every planted defect, no false one; equal on all engines", measured, not wrong)


def is_dqmon(name: str) -> bool:
    """True for dqmon's own runs."""
    return name not in ("hand-written", *(peer.name for peer in peers.PEERS))


def plain(header: Sequence[str], body: Rows) -> str:
    """A table for the terminal."""
    widths = [max(len(row[at]) for row in (header, *body)) for at in range(len(header))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (header, *body))


def markdown(header: Sequence[str], body: Rows) -> str:
    """A table for the page."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in body]
    lines = [header, ["---"] * len(header), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def conditions(setup: Setup, server: str) -> str:
    """Where, when and with what the figures were measured."""
    cpu = Path("/proc/cpuinfo")
    model = re.findall(r"model name\s*: (.*)", cpu.read_text()) if cpu.exists() else []
    memory_gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    tools = {name: metadata.version(name) for name in ("dqmon", "duckdb", "sqlalchemy", "psycopg")}
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}; {os.cpu_count()} cores ({model[0] if model else platform.machine()}), {memory_gb:.0f} GB; "
        f"{platform.system()}, Python {platform.python_version()}, PostgreSQL {server}, "
        + ", ".join(f"{name} {version}" for name, version in tools.items())
        + ".",
        f"Medians of {setup.rounds} rounds.",
    ]
    if setup.has_peers:
        found = [f"{peer.name}: " + ", ".join(f"{k} {v}" for k, v in sorted(peer.versions().items())) for peer in peers.PEERS]
        lines.append(f"Other tools: {'; '.join(found)}.")
    return " ".join(lines)


def page(goals: Sequence[Goal], scenes: Sequence[Scene], rewrites: Sequence[Scene], said: str) -> str:
    """What stands between the marks."""
    parts = [said, markdown(("what", "goal", "measured", ""), goal_rows(goals))]
    parts += ["\n\n".join(filter(None, (f"### {scene.title}", markdown(HEADERS, rows(scene)), scene.note))) for scene in scenes]
    if rewrites:
        titles = [scene.title.removeprefix("rewrites, ") for scene in rewrites]
        parts.append(f"### What each rewrite saves\n\n{markdown(('switched off', *titles), savings(rewrites))}")
    return "\n\n".join(parts)


def write(part: str, text: str) -> None:
    """Puts the text between the page's marks of that name."""
    begin, end = f"<!-- {part}: written by make {part} -->", f"<!-- end of {part} -->"
    head, _, rest = PAGE.read_text().partition(begin)
    _, found, tail = rest.partition(end)
    if not found:
        raise SystemExit(f"{PAGE} lacks the marks {begin} and {end}")
    PAGE.write_text(f"{head}{begin}\n\n{text}\n\n{end}{tail}")
