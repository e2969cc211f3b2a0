"""dqmon in one process: the configuration is loaded and the store made before the work begins.

    python dqmon_inside.py FOLDER [--part PART] [--no-reuse] [--no-store] [--ways NAME,...] [--results]

FOLDER is a project (projects.py). `--ways` leaves only those rewrites of the planner on; with `--no-store` nothing is recorded
and nobody told, as other tools do by themselves.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb_engine  # noqa: F401 - imports are no part of the work
import psycopg  # noqa: F401 - as above
import suite
from contender import Found

import dqmon.__main__  # noqa: F401 - it sets the garbage collector as the command has it
from dqmon.app import open_app
from dqmon.core.selector import parse_selector
from dqmon.core.verdict import Verdict
from dqmon.engine.measuring.asked import Run, Task
from dqmon.engine.measuring.ways import WAYS
from dqmon.engine.on_demand import check
from dqmon.engine.run import evaluate

if TYPE_CHECKING:
    from collections.abc import Collection

    from dqmon.core.result import ResultRecord


def run(
    folder: str | Path, part: str = "suite", *, reuses: bool = True, records: bool = True, ways: Collection[str] = WAYS
) -> tuple[Found, tuple[ResultRecord, ...]]:
    """Runs a part of the suite; what was found, and dqmon's own results."""
    found = Found()
    with open_app(f"{folder}/config/dqmon.yaml") as app:
        environment = replace(app.environment, reuses=reuses, ways=tuple(name for name in WAYS if name in ways))
        chosen = app.select(parse_selector(suite.terms(part)))
        with found.working():
            if records:
                report = check(environment, chosen)
                results, found.statements, found.more["problem"] = report.records, report.statements, report.problem
            else:
                outcome = evaluate(environment, Run(environment.new_id()), [Task(item, environment.clock()) for item in chosen])
                results, found.statements = outcome.records, outcome.statements
    found.checks = len(results)
    found.failed = {record.check_id.partition("orders.")[2] for record in results if record.verdict is not Verdict.PASS}
    errors = dict.fromkeys(record.reason for record in results if record.verdict is Verdict.ERROR)
    found.more["errors"] = "; ".join(errors)[:300]
    return found, results


def main() -> None:
    """Runs what the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--part", default="suite")
    parser.add_argument("--no-reuse", action="store_true")
    parser.add_argument("--no-store", action="store_true")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--results", action="store_true")
    given = parser.parse_args()
    ways = given.ways.split(",")
    found, results = run(given.folder, given.part, reuses=not given.no_reuse, records=not given.no_store, ways=ways)
    if given.results:
        found.more["results"] = {record.check_id.partition("orders.")[2]: [record.verdict, record.observed_value] for record in results}
    found.tell()


if __name__ == "__main__":
    main()
