"""`make bench` and `make bench-peers`: the suite against hand-written statements and against other tools.

    python tests/benchmarks/suite/run.py [--rows N] [--rounds N] [--only SCENE,...] [--peers] [--write]

Exit code 1 when a verdict of dqmon is wrong; goals of time depend on the machine and are only printed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path

import orders
import psycopg
import report
from rewrites import ablation
from scene import Scene, Setup
from scenes import PEER_SCENES, SCENES


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the tables in DuckDB and Parquet")
    parser.add_argument("--postgres-rows", type=int, default=2_000_000, help="rows of the tables in PostgreSQL")
    parser.add_argument("--ablation-rows", type=int, default=1_000_000, help="rows of the tables on which rewrites are switched off")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=orders.DATA, help="where made data is kept")
    parser.add_argument("--only", default="", help=f"scenes, of {', '.join([*SCENES, 'ablation'])}")
    parser.add_argument("--peers", action="store_true", help="install the other tools and let them compete")
    parser.add_argument("--write", action="store_true", help="write the figures to docs/benchmarks.md")
    given = parser.parse_args()
    given.names = given.only.split(",") if given.only else [*(PEER_SCENES if given.peers else (*SCENES, "ablation"))]
    if unknown := set(given.names) - {*SCENES, "ablation"}:
        parser.error(f"there is no scene {', '.join(sorted(unknown))}; there are {', '.join([*SCENES, 'ablation'])}")
    return given


def main() -> int:
    """Runs the scenes and tells their figures."""
    given = arguments()
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")  # the PostgreSQL wheel on a bare machine
    given.data.mkdir(parents=True, exist_ok=True)
    with orders.server(given.data) as url, tempfile.TemporaryDirectory(prefix="work-", dir=given.data) as work:
        setup = Setup(
            given.rows, given.postgres_rows, given.ablation_rows, given.rounds, given.data, Path(work).absolute(), url, given.peers
        )
        scenes = [shown(SCENES[name](setup)) for name in given.names if name != "ablation"]
        rewrites = ablation(setup) if "ablation" in given.names else ()
        with psycopg.connect(url) as server:
            version = str(server.info.server_version // 10_000)
    goals = [*(goal for scene in scenes for goal in scene.goals), report.verdicts((*scenes, *rewrites))]
    if rewrites:
        print("\nwhat each rewrite saves\n" + report.plain(("switched off", *(s.title for s in rewrites)), report.savings(rewrites)))
    print("\n" + report.plain(("what", "goal", "measured", ""), report.goal_rows(goals)))
    if given.write:
        report.write("bench-peers" if given.peers else "bench", report.page(goals, scenes, rewrites, report.conditions(setup, version)))
    return 0 if goals[-1].is_met else 1


def shown(scene: Scene) -> Scene:
    """Prints a scene as soon as it is over."""
    print(f"\n{scene.title} ({time.strftime('%H:%M:%S')})\n{report.plain(report.HEADERS, report.rows(scene))}", flush=True)
    if scene.note:
        print(scene.note, flush=True)
    return scene


if __name__ == "__main__":
    sys.exit(main())
