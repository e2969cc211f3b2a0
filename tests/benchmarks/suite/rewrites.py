"""What each of the planner's rewrites saves: the suite with one switched off at a time."""

from __future__ import annotations

from pathlib import Path

import projects
import suite
from contest import Contestant, Figures, Run, worthless
from dqmon_inside import run
from scene import Kind, Scene, Setup

from dqmon.engine.measuring.ways import WAYS


def ablation(setup: Setup) -> tuple[Scene, ...]:
    """Each rewrite of the planner switched off in turn, on four kinds of tables."""
    rows = setup.ablation_rows
    places: dict[str, tuple[Kind, Path]] = {
        "DuckDB, keys unique": ("unique", projects.duckdb(setup.work / "ways_unique", setup.orders("unique", rows).duckdb())),
        "DuckDB, duplicates present": ("planted", projects.duckdb(setup.work / "ways_planted", setup.orders("planted", rows).duckdb())),
        "Parquet, no defects": ("clean", projects.parquet(setup.work / "ways_clean", setup.orders("clean", rows).parquet())),
        "PostgreSQL with constraints": (
            "unique",
            projects.postgres(setup.work / "ways_postgres", setup.postgres("unique", rows, is_constrained=True)),
        ),
    }
    return tuple(
        Scene(f"rewrites, {place}, {rows:,} rows", rewritten(project, kind, setup.rounds), baseline="all rewrites")
        for place, (kind, project) in places.items()
    )


def rewritten(project: Path, kind: Kind, rounds: int) -> dict[str, Figures]:
    """The suite with each rewrite off, with all and with none; in rounds, but in this one process, since starting takes longer."""
    kept = {
        "all rewrites": WAYS,
        **{f"without {name}": tuple(way for way in WAYS if way != name) for name in WAYS},
        "without any": (),
    }
    found = {name: Figures(Contestant(name, (), suite.planted(kind))) for name in kept}
    run(project)  # imports
    for _ in range(rounds):
        for name, ways in kept.items():
            projects.forget(project)
            told = vars(run(project, ways=ways)[0])
            problem = worthless(found[name].contestant, told, 0, "")
            found[name].runs.append(Run(told["work_s"], told["work_cpu_s"], told, problem))
    return found
