"""Runs contestants in fresh processes, in rounds A B C A B C …, so that what else the machine does hits all of them alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from contender import MARK

HERE = Path(__file__).parent
SILENT = {"SODA_CORE_TELEMETRY_ENABLED": "false", "GX_ANALYTICS_ENABLED": "false"}
"""Nobody calls home while we measure."""


def nothing() -> None:
    """Prepares nothing."""


@dataclass(frozen=True)
class Contestant:
    """A command; `prepare` runs before each start and is not timed. `expected` are the checks that must fail, None for any."""

    name: str
    command: tuple[str, ...]
    expected: frozenset[str] | None = None
    prepare: Callable[[], object] = nothing


@dataclass(frozen=True)
class Run:
    """One process from start to exit, and what it told (`contender.Found`). `problem` says why it is worth nothing."""

    wall_s: float
    cpu_s: float
    found: Mapping[str, Any]
    problem: str


@dataclass
class Figures:
    """All runs of one contestant; every figure is a median."""

    contestant: Contestant
    runs: list[Run] = field(default_factory=list)

    @cached_property
    def wall_s(self) -> float:
        """From start to exit."""
        return float(median(run.wall_s for run in self.runs))

    @cached_property
    def peak_mb(self) -> float:
        """The most memory that the process had; that of a database server is not in it."""
        return float(median(run.found.get("peak_mb", 0) for run in self.runs))

    @cached_property
    def work_s(self) -> float:
        """Without imports and preparations."""
        return float(median(run.found.get("work_s", run.wall_s) for run in self.runs))

    @cached_property
    def work_cpu_s(self) -> float:
        """CPU of the work, of the process alone."""
        return float(median(run.found.get("work_cpu_s", run.cpu_s) for run in self.runs))

    @property
    def statements(self) -> int:
        """Statements that read data; the same in each run, else the most."""
        return max(int(run.found.get("statements", 0)) for run in self.runs)

    @property
    def problem(self) -> str:
        """Why the figures are worth nothing; empty when they stand."""
        return next((run.problem for run in self.runs if run.problem), "")

    def times(self, other: Figures) -> float:
        """How many times as long as `other` the work takes: the median of the rounds' ratios."""
        pairs = zip(self.runs, other.runs, strict=True)
        return float(median(mine.found.get("work_s", mine.wall_s) / its.found.get("work_s", its.wall_s) for mine, its in pairs))


def contest(contestants: Sequence[Contestant], rounds: int) -> dict[str, Figures]:
    """The figures by name, after so many rounds."""
    found = {contestant.name: Figures(contestant) for contestant in contestants}
    for _ in range(rounds):
        for contestant in contestants:
            found[contestant.name].runs.append(start(contestant))
    wanted = max(run.found.get("checks", 0) for figures in found.values() for run in figures.runs)
    for figures in found.values():
        figures.runs = [judged_all(run, wanted) for run in figures.runs]
    return found


def judged_all(run: Run, wanted: int) -> Run:
    """The run, with a problem when it has left out checks that others judged."""
    judged = run.found.get("checks", wanted)
    return run if run.problem or judged == wanted else replace(run, problem=f"judged {judged} of {wanted} checks")


def start(contestant: Contestant) -> Run:
    """Runs it once."""
    contestant.prepare()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DQMON_")} | SILENT
    # An installed package has its bytecode; a checkout is to have it from the second run on.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(contestant.command, stdout=out, stderr=err, env=environment)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        found = told(out.read().decode(errors="replace"))
        problem = worthless(contestant, found, process.returncode, last_line(err.read().decode(errors="replace")))
    return Run(wall_s, usage.ru_utime + usage.ru_stime, found, problem)


def told(out: str) -> dict[str, Any]:
    """What the process printed for us; empty for programs that know nothing of it."""
    lines = [line.removeprefix(MARK) for line in out.splitlines() if line.startswith(MARK)]
    return dict(json.loads(lines[-1])) if lines else {}


def last_line(text: str) -> str:
    """The last line that says something, shortened: of a traceback the error itself."""
    return next((line.strip()[:300] for line in reversed(text.splitlines()) if line.strip()), "")


def worthless(contestant: Contestant, found: Mapping[str, Any], code: int, words: str) -> str:
    """Why a run does not count: it crashed, could not judge, or judged wrongly."""
    if contestant.expected is None:
        return "" if code in (0, 1) else f"exit code {code}: {words}"
    if not found:
        return f"exit code {code}: {words}"
    if errors := found["more"].get("errors") or found["more"].get("problem"):
        return str(errors)
    wrong = contestant.expected ^ set(found["failed"])
    return f"wrong verdicts: {', '.join(sorted(wrong))}" if wrong else ""


def python(script: str, *words: object, binary: str | Path = sys.executable) -> tuple[str, ...]:
    """The command of a program of this folder."""
    return (str(binary), str(HERE / script), *map(str, words))
