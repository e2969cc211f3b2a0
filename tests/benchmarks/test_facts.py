"""What file footers and constraints answer of the suite of 50 checks (tests/benchmarks/suite), and in what time."""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "suite"))

import projects
from orders import Orders

from dqmon.app import open_app
from dqmon.engine.measuring.asked import Run, Task
from dqmon.engine.preview import preview
from dqmon.engine.run import evaluate

ROWS = 100_000
RUNS = 5
GOAL_S = 0.1


def run(folder: Path, way: str, types: frozenset[str] | None = None) -> tuple[int, int, int, float]:
    """How many checks need nothing else (or are of these types), statements with and without the way, and seconds with it."""
    with open_app(f"{folder}/config/dqmon.yaml") as app:
        now = app.environment.clock()
        on, off = (replace(app.environment, reuses=False, ways=ways, clock=lambda: now) for ways in ((way,), ()))
        tasks = [Task(check, now) for check in app.environment.checks.values()]
        sent = {name for statement in preview(on, tasks) if statement.sql for name in statement.checks}
        chosen = [task for task in tasks if (task.check.type in types if types else task.check.id not in sent)]
        taken = []
        for _ in range(RUNS):
            started = time.perf_counter()
            found = evaluate(on, Run("r"), chosen)
            taken.append(time.perf_counter() - started)
        plain = evaluate(off, Run("r"), chosen)
        told, expected = ([(r.check_id, r.verdict, r.observed_value, r.rows_tested) for r in o.records] for o in (found, plain))
        assert told == expected
        return len(chosen), found.statements, plain.statements, statistics.median(taken)


@pytest.mark.parametrize(("kind", "checks"), [("planted", 33), ("clean", 36)])
def test_parquet_footers(tmp_path: Path, kind: str, checks: int) -> None:
    folder = projects.parquet(tmp_path / "project", Orders(ROWS, kind, tmp_path).parquet())
    proved, sent, plain, seconds = run(folder, "footers")
    print(f"Parquet, {kind}: {proved} of 50 checks by footers, {sent} data statements (plain {plain}), {seconds:.3f} s (goal {GOAL_S} s)")
    assert (proved, sent) == (checks, 0)
    assert seconds < 10 * GOAL_S, f"{seconds:.2f} s: are rows read?"


def test_postgres_constraints(tmp_path: Path, postgres_url: str) -> None:
    """All uniqueness checks of the suite need one `count(*)` for the number of rows tested, and no grouping."""
    url = Orders(ROWS, "clean", tmp_path).postgres(postgres_url.replace("+psycopg", ""), is_constrained=True)
    folder = projects.postgres(tmp_path / "project", url)
    proved, sent, plain, seconds = run(folder, "catalogue", frozenset({"uniqueness"}))
    print(f"PostgreSQL: {proved} uniqueness checks by constraints, {sent} data statement (plain {plain}), {seconds:.3f} s")
    assert (proved, sent) == (5, 1)
