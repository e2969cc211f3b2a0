"""What a scene is made of: how large it is, who competes, and which goals it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import projects
from contest import Contestant, Figures, python
from orders import Orders

HAND, DQMON = "hand-written", "dqmon"
Kind = Literal["planted", "unique", "clean"]
Measured = Callable[[], tuple[str, bool]]
"""What stands in the table of goals, and whether the goal is met; called when the figures stand."""


@dataclass(frozen=True)
class Setup:
    """How large and how often; `work` is a folder for projects, `url` the server of PostgreSQL."""

    rows: int
    postgres_rows: int
    ablation_rows: int
    rounds: int
    data: Path
    work: Path
    url: str
    has_peers: bool = False

    def orders(self, kind: Kind, rows: int | None = None) -> Orders:
        """The data."""
        return Orders(rows or self.rows, kind, self.data)

    def postgres(self, kind: Kind, rows: int | None = None, *, is_constrained: bool = False) -> str:
        """The URL of a database with the data."""
        return self.orders(kind, rows or self.postgres_rows).postgres(self.url, is_constrained=is_constrained)


@dataclass(frozen=True)
class Goal:
    """A line of the table of goals; `is_met` is None where nothing was measured."""

    what: str
    goal: str
    measured: str
    is_met: bool | None


@dataclass(frozen=True)
class Scene:
    """A contest, its figures by name, and the goals; ratios are to `baseline`."""

    title: str
    figures: Mapping[str, Figures]
    goals: tuple[Goal, ...] = ()
    baseline: str = HAND
    note: str = ""
    absent: Mapping[str, str] = field(default_factory=dict)


def ours(name: str, project: Path, expected: frozenset[str], *words: str, prepare: Callable[[], object] | None = None) -> Contestant:
    """dqmon in one process, on a new store unless `prepare` says otherwise."""
    before = prepare or partial(projects.forget, project)
    return Contestant(name, python("dqmon_inside.py", project, *words), expected, before)


def hand(engine: str, target: object, expected: frozenset[str], part: str = "suite") -> Contestant:
    """The hand-written statements."""
    return Contestant(HAND, python("handwritten.py", engine, target, part), expected)


def goal(what: str, wanted: str, found: Mapping[str, Figures], measured: Measured, *, other: str = "", mine: str = DQMON) -> Goal:
    """A goal that rests on dqmon's figures and on `other`: not met when dqmon failed, not measured when the other did not compete."""
    if found[mine].problem:
        return Goal(what, wanted, found[mine].problem, is_met=False)
    if other and (other not in found or found[other].problem):
        return Goal(what, wanted, f"{other} did not compete", None)
    return Goal(what, wanted, *measured())


def ratio(what: str, found: Mapping[str, Figures], most: float) -> Goal:
    """The goal of taking at most so many times as long as the hand-written statements."""

    def measured() -> tuple[str, bool]:
        times = found[DQMON].times(found[HAND])
        return f"{times:.2f} × ({found[DQMON].work_s:.2f} s, {found[HAND].work_s:.2f} s)", times <= most

    return goal(what, f"≤ {most:g} × hand-written", found, measured, other=HAND)


def faster(what: str, found: Mapping[str, Figures], name: str, least: float) -> Goal:
    """The goal of being so many times as fast as another tool."""

    def measured() -> tuple[str, bool]:
        times = found[name].times(found[DQMON])
        return f"{times:.2f} × ({found[DQMON].work_s:.2f} s, {found[name].work_s:.2f} s)", times >= least

    return goal(what, f"≥ {least:g} × faster than {name}", found, measured, other=name)


def memory(what: str, found: Mapping[str, Figures]) -> Goal:
    """The goal of at most 1.1 times the memory of the hand-written statements."""

    def measured() -> tuple[str, bool]:
        times = found[DQMON].peak_mb / found[HAND].peak_mb
        return f"{times:.2f} × ({found[DQMON].peak_mb:.0f} MB, {found[HAND].peak_mb:.0f} MB)", times <= 1.1

    return goal(what, "≤ 1.1 × hand-written", found, measured, other=HAND)
