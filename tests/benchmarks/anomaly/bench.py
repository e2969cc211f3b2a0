"""`make bench-anomaly`: the anomaly checks' defaults on labelled series, beside what other tools do.

    python tests/benchmarks/anomaly/bench.py [--each N] [--split FOLDER] [--no-parts] [--jobs N] [--write]

Series of our own generator always; those of a folder with series.csv, labels.csv and meta.csv (a split of ANOMALY.md) when
--split or the variable ANOMALY_SPLIT names one. Exit code 1 when the floors of FLOORS are not reached on our own series.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import tables
from generator import series as generated
from labelled import Labelled, split
from parts import PARTS, without
from rivals import PEERS
from scoring import Said

from dqmon.engine.past.backtest import replay_series, score

DEFAULT = "dqmon"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=4, help="series of each family")
    parser.add_argument("--split", type=Path, default=os.environ.get("ANOMALY_SPLIT"), help="a folder with a labelled split")
    parser.add_argument("--no-parts", action="store_true", help="do not switch off parts of the detector, which takes by far the most time")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="write the figures to docs/benchmarks.md")
    return parser.parse_args()


def judged(given: tuple[str, Labelled]) -> tuple[Said, float]:
    """What a contender says of a series, and the CPU seconds that it took: dqmon, dqmon without a part, or a peer."""
    name, one = given
    started = time.process_time()
    if name in PEERS:
        scores = PEERS[name](one)
        return (scores > 1, scores), time.process_time() - started
    with without(None if name == DEFAULT else name):
        found = [(point.is_bad, score(point)) for point in replay_series(one.points)]
    alerted, scores = zip(*found, strict=True)
    return (np.array(alerted), np.array(scores)), time.process_time() - started


def contest(names: Sequence[str], series: Sequence[Labelled], jobs: int) -> dict[str, tables.Judged]:
    """What each contender says of all series."""
    asked = [(name, one) for name in names for one in series]
    with get_context("spawn").Pool(jobs) as pool:
        answers = list(pool.imap(judged, asked, chunksize=4))
    points = sum(len(one.points) for one in series)
    found = {}
    for place, name in enumerate(names):
        mine = answers[place * len(series) : (place + 1) * len(series)]
        found[name] = tables.Judged(list(series), [said for said, _ in mine], 1000 * sum(cpu for _, cpu in mine) / points)
    return found


def shown(group: str, found: dict[str, tables.Judged], text: Callable[[str, dict[str, tables.Judged]], str]) -> dict[str, tables.Judged]:
    """Prints what was found as soon as it is."""
    print(f"\n{text(group, found)}", flush=True)
    return found


def main() -> int:
    """Runs the contest and the ablation, and tells their figures."""
    given = arguments()
    groups: dict[str, list[Labelled]] = {"own": generated(given.each)}
    if given.split is not None and Path(given.split).is_dir():
        for one in split(Path(given.split)):
            groups.setdefault(f"{one.group}, {Path(given.split).name}", []).append(one)
    else:
        print("no labelled split beside the checkout: --split FOLDER or ANOMALY_SPLIT names one")
    found, ablations = {}, {}
    for group, series in groups.items():
        found[group] = shown(group, contest((DEFAULT, *PEERS), series, given.jobs), tables.contest)
        if not given.no_parts:
            without = {DEFAULT: found[group][DEFAULT]} | contest(tuple(PARTS), series, given.jobs)
            ablations[group] = shown(group, without, tables.ablation)
    if given.write:
        tables.write(tables.page(found, ablations))
    return tables.exit_code(found["own"][DEFAULT])


if __name__ == "__main__":
    sys.exit(main())
