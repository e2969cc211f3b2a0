"""Scenes in which there is nothing, or hardly anything, to read: unchanged tables, one new file, footers that say it all."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import projects
import suite
from contest import Contestant, contest, nothing, python, start
from scene import Goal, Kind, Scene, Setup, goal, hand, ours


def nothing_changed(setup: Setup) -> Scene:
    """The suite a second time."""
    files, database, url = setup.orders("planted").parquet(), setup.orders("planted").duckdb(), setup.postgres("planted")
    places = {
        "DuckDB": projects.duckdb(setup.work / "again_duckdb", database),
        "Parquet": projects.parquet(setup.work / "again_parquet", files),
        "PostgreSQL": projects.postgres(setup.work / "again_postgres", url),
    }
    first = contest([ours(f"{name}, first run", place, suite.PLANTED) for name, place in places.items()], 1)
    again = [ours(f"{name}, again", place, suite.PLANTED, prepare=nothing) for name, place in places.items()]
    found = first | contest(again, setup.rounds)
    sent = {name: found[f"{name}, again"].statements for name in places}
    measured = ", ".join(f"{name} {count}" for name, count in sent.items())
    is_met = not any(sent.values()) and not any(figures.problem for figures in found.values())
    met = Goal("again, nothing changed", "0 data statements", measured, is_met)
    return Scene("again, nothing changed", found, (met,), baseline="")


def one_new_day(setup: Setup) -> Scene:
    """299 of 300 files have been measured, then the last one comes in."""
    files = setup.orders("planted").days()
    growing = setup.work / "growing"
    expected = suite.planted("planted", "no_keys")
    project = projects.parquet(setup.work / "new_day", growing)
    whole = projects.parquet(setup.work / "all_days", files)
    words = ("--part", "no_keys", "--results")

    def all_but_one() -> None:
        shutil.rmtree(growing, ignore_errors=True)
        growing.mkdir()
        projects.forget(project)
        parts = sorted(files.iterdir())
        for part in parts[:-2] + parts[-1:]:  # the last is stores.parquet
            os.link(part, growing / part.name)
        # Without the newest day the table is not fresh.
        before = start(Contestant("before", python("dqmon_inside.py", project, *words), expected | {"freshness.created_at"}))
        assert not before.problem, before.problem
        os.link(parts[-2], growing / parts[-2].name)

    new, full = "dqmon, one new file of 300", "dqmon, full scan"
    contestants = [
        ours(full, whole, expected, *words, "--no-reuse"),
        ours(new, project, expected, *words, prepare=all_but_one),
    ]
    found = contest(contestants, setup.rounds)

    def faster_by() -> tuple[str, bool]:
        times = found[full].times(found[new])
        return f"{times:.1f} × ({found[new].work_s:.2f} s, {found[full].work_s:.2f} s)", times >= 20

    def equal() -> tuple[str, bool]:
        differing = different(*(found[name].runs[-1].found["more"]["results"] for name in (full, new)))
        return f"different: {', '.join(differing)}" if differing else "equal", not differing

    what = "one new partition of 300"
    goals = (
        goal(what, "≥ 20 × faster than its full scan", found, faster_by, other=full, mine=new),
        goal(what, "results equal", found, equal, other=full, mine=new),
    )
    return Scene(f"one new file of 300, 44 checks, {setup.rows:,} rows", found, goals, baseline=full)


def different(ones: Mapping[str, list[Any]], others: Mapping[str, list[Any]]) -> list[str]:
    """The checks whose verdict or observed value differs; ages grow while we measure, doubles are good to 15 digits."""

    def is_equal(check: str) -> bool:
        (verdict, value), (other_verdict, other) = ones[check], others[check]
        if check.startswith("freshness"):
            return bool(verdict == other_verdict)
        is_near = isinstance(value, float) and isinstance(other, float) and math.isclose(value, other, rel_tol=1e-12)
        return bool(verdict == other_verdict and (value == other or is_near))

    return [check for check in ones if not is_equal(check)]


def footers(setup: Setup) -> Scene:
    """The 33 checks that the footers of Parquet files can answer; on data without defects, where no bad row is to be counted."""
    clean, planted = setup.orders("clean").parquet(), setup.orders("planted").parquet()
    places: dict[str, tuple[Kind, Path]] = {"no defects": ("clean", clean), "defects to count": ("planted", planted)}
    contestants = [hand("parquet", clean, frozenset(), "footers")]
    for name, (kind, files) in places.items():
        project = projects.parquet(setup.work / f"footers_{kind}", files)
        contestants.append(ours(f"dqmon, {name}", project, suite.planted(kind, "footers"), "--part", "footers"))
    found = contest(contestants, setup.rounds)
    mine = "dqmon, no defects"
    best = found[mine]
    what = "Parquet, provable by footers"
    goals = (
        goal(what, "33 checks ≤ 0.1 s", found, lambda: (f"{best.work_s:.3f} s", best.work_s <= 0.1), mine=mine),
        goal(what, "0 rows read", found, lambda: (f"{best.statements} statements that read rows", not best.statements), mine=mine),
    )
    return Scene(f"{what}: 33 checks, {setup.rows:,} rows", found, goals)
