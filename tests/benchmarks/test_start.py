"""What a command costs from process start to exit, in CPU seconds, and which imports `dqmon check` pays for.

With bytecode, as an installed package has it: without, Python would compile all of dqmon each time, a tenth of a second.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path

import duckdb
import pytest

RUNS = 7
GOALS = {"--help": 0.25, "check": 0.6}
"""CPU seconds on a quiet machine; printed, since a shared one takes up to three times as long."""
LIBRARIES = "import sqlalchemy, pydantic, ruamel.yaml, duckdb, duckdb_engine, typer; pydantic.BaseModel"
TIMES_THE_LIBRARIES = 3.0
"""What fails the test: this many times what importing the libraries alone takes in the same minute."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    for folder in ("config", "checks", "data"):
        (root / folder).mkdir()
    (root / "config/dqmon.yaml").write_text("version: 1\nwarehouses:\n  main: {type: duckdb, path: data/w.duckdb}\n")
    (root / "checks/orders.yaml").write_text("version: 1\ndatasets:\n  - {dataset: main.orders, checks: [row_count: {min: 1}]}\n")
    with duckdb.connect(str(root / "data/w.duckdb")) as connection:
        connection.execute("create table orders as select i from range(1000) t(i)")
    _run(project := root, "check")
    return project


def _run(folder: Path, *words: str, options: tuple[str, ...] = ()) -> tuple[float, str]:
    """CPU seconds (user and system) of one run, and its stderr."""
    with subprocess.Popen(
        [sys.executable, *options, "-m", "dqmon", *words],
        cwd=folder,
        env=_environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said
    return usage.ru_utime + usage.ru_stime, said


def _environment(folder: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("DQMON_")}
    ours.pop("PYTHONDONTWRITEBYTECODE", None)
    return ours | {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


@pytest.mark.parametrize(("words", "goal"), [((word, *(["--no-reuse"] if word == "check" else [])), goal) for word, goal in GOALS.items()])
def test_cpu_from_start_to_exit(project: Path, words: tuple[str, ...], goal: float) -> None:
    pairs = [(_run(project, *words)[0], _cpu_of(LIBRARIES, project)) for _ in range(RUNS)]
    median, floor = (statistics.median(taken) for taken in zip(*pairs, strict=True))
    print(
        f"dqmon {words[0]}: {median:.2f} s CPU, median of {RUNS} (goal {goal} s); importing the libraries alone {floor:.2f} s; {median / floor:.1f} x"
    )
    assert median <= TIMES_THE_LIBRARIES * floor, (
        f"dqmon {words[0]} takes {median:.2f} s; look at `python -X importtime -m dqmon {words[0]}`"
    )


def test_the_imports_that_check_pays_for(project: Path) -> None:
    _, said = _run(project, "check", options=("-X", "importtime"))
    found: Counter[str] = Counter()
    for line in re.findall(r"import time: +(\d+) \| +\d+ \| +([\w.]+)", said):
        found[line[1].partition(".")[0]] += int(line[0])
    print("imports of dqmon check, ms: " + ", ".join(f"{name} {us // 1000}" for name, us in found.most_common(8)))
    unused = {
        "alembic",
        "numpy",
        "pandas",
        "pandera",
        "snowflake",
        "slack_sdk",
        "pagerduty",
        "httpx",
        "structlog",
        "apscheduler",
        "sqlglot",
    }
    assert not unused & found.keys(), f"dqmon check imports {sorted(unused & found.keys())} although nothing needs it"


def _cpu_of(code: str, folder: Path) -> float:
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], env=_environment(folder)) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime
