"""Loads the project of the working folder and plans all of its checks; prints seconds of CPU and the peak of memory as JSON.

A process of its own, so that the peak is that of dqmon alone.
"""

from __future__ import annotations

import json
import re
import resource
import time
from datetime import UTC, datetime
from pathlib import Path

from dqmon.__main__ import main  # its import sets the garbage collector as the command has it
from dqmon.app import App
from dqmon.config.project import load_project
from dqmon.core.selector import Selector
from dqmon.engine.measuring.asked import Task, asked_by
from dqmon.engine.measuring.means import Means
from dqmon.engine.measuring.planning import compile_with, look_up, scans


def peak_mb() -> float:
    """The most memory of this process so far.

    On Linux not `ru_maxrss`, which begins with that of the process that started this one (exec_mmap in fs/exec.c).
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) * 1024 / 1e6  # type: ignore[index]  # Linux always has it
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def report() -> dict[str, float]:
    """What reading and planning cost, and how much was planned."""
    started = time.process_time()
    app = App(load_project(Path("config/dqmon.yaml").resolve(), {}), lambda: datetime.now(UTC))
    read = time.process_time()
    with app:
        environment = app.environment
        (warehouse,) = environment.warehouses.values()
        now = environment.clock()
        before = time.process_time()
        asked = asked_by([Task(check, now) for check in app.select(Selector())])
        closed = peak_mb()
        with warehouse.open() as session:
            engine = peak_mb() - closed
            known = look_up(warehouse, session, asked, Means(lambda: now, environment.new_id, ways=environment.ways))
        looked_up = time.process_time()
        scanned = [request for request in asked if request not in known.told]
        compiled = [compile_with(scan, known.columns, warehouse, now) for scan in scans(warehouse, scanned)]
        planned = time.process_time()
    return {
        "checks": len(app.project.checks),
        "statements": len(compiled),
        "failures": len(known.failures),
        "read_s": read - started,
        "look_up_s": looked_up - before,
        "plan_s": planned - looked_up,
        "peak_mb": peak_mb(),
        "engine_mb": engine,
    }


if __name__ == "__main__":
    assert main is not None
    print(json.dumps(report()))
