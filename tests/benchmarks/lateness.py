"""Drives a real `dqmon run` with 10,000 checks a minute and reads from its store how late they ran (R26).

    python tests/benchmarks/lateness.py STORE_URL [SECONDS]

Only the warehouse's answers are canned (`canned/`, an extension found by its entry point). The truth is in the store:
lateness is `dq_results.lateness_s` of the slots inside the measured window. The CPU of scheduling is the CPU time of the
tick's thread, which the daemon logs when it stops.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import sqlalchemy as sa

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from dqmon.store.database import Database  # noqa: E402 - the driver runs from a checkout, too
from dqmon.store.results import results  # noqa: E402 - as above
from dqmon.store.slots import slots  # noqa: E402 - as above

TABLES = 1_000
WARM_UP_S = 10.0
IDLE_S = 3.0
"""After so long a daemon that has nothing to do has all the memory that it will have."""
COMMIT_S = 3.0
"""By then the last slots of the window have run and are committed."""
CONFIG = """version: 1
instance: load
store: {{url: "{store}"}}
warehouses:
  main: {{type: canned, tables: {tables}}}
"""
CHECKS = """version: 1
defaults: {owner: load, schedule: {every: 60s}}
datasets:
  - dataset: main.*
    checks:
      - row_count: {min: 1}
"""


@dataclass(frozen=True)
class Figures:
    """What one run showed; times in seconds, sizes in MB."""

    backend: str
    window_s: float
    due: int
    results: int
    p50: float
    p99: float
    worst: float
    tick_ratio: float
    commit_ratio: float
    process_ratio: float
    cpu_wait_ratio: float
    idle_mb: float
    peak_mb: float

    def __str__(self) -> str:
        return (
            f"lateness on {self.backend}: {self.results:,} results of {self.due:,} due in {self.window_s:.0f} s; "
            f"p50 {self.p50:.3f} s, p99 {self.p99:.3f} s, worst {self.worst:.3f} s; "
            f"scheduling {self.tick_ratio:.1%}, committing {self.commit_ratio:.1%}, all {self.process_ratio:.1%} of a core "
            f"(and {self.cpu_wait_ratio:.1%} waiting for one); "
            f"RSS {self.idle_mb:.0f} MB idle, {self.peak_mb:.0f} MB at most"
        )


class Daemon:
    """One `dqmon run` in a project folder of its own."""

    def __init__(self, folder: Path, store: str, tables: int) -> None:
        (folder / "config").mkdir(parents=True)
        (folder / "checks").mkdir()
        (folder / "config" / "dqmon.yaml").write_text(CONFIG.format(store=store, tables=tables))
        columns = "".join(f"      - completeness: {{column: c{n}}}\n" for n in range(1, 10))
        (folder / "checks" / "load.yaml").write_text(CHECKS + columns)
        self.log = folder / "log"
        self.database = Database(store)
        path = os.pathsep.join((str(ROOT), str(HERE / "canned")))
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "dqmon", "--log-level", "info", "run", "--config", str(folder / "config" / "dqmon.yaml")]
            self.process = subprocess.Popen(command, stderr=log, stdout=log, env={**os.environ, "PYTHONPATH": path}, cwd=ROOT)
        self.seen = psutil.Process(self.process.pid)

    def wait_for_slots(self, count: int, timeout_s: float = 120) -> None:
        until = time.monotonic() + timeout_s
        while self._slots() < count:
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the daemon has not planned {count} checks; it says:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.2)

    def _slots(self) -> int:
        if self.database.is_sqlite and not Path(str(self.database.url.database)).exists():
            return 0
        with self.database.read() as c:
            if not sa.inspect(c).has_table("dq_slots"):
                return 0
            return int(c.execute(sa.select(sa.func.count()).select_from(slots)).scalar_one())

    def rss_mb(self) -> float:
        return self.seen.memory_info().rss / 1e6

    def cpu_s(self) -> float:
        times = self.seen.cpu_times()
        return times.user + times.system

    def cpu_wait_s(self) -> float:
        """How long its threads were ready to run and had no core: what other programs on the machine cost it."""
        waits = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(path.read_text().split()[1]) for path in waits) / 1e9

    def stop(self) -> dict[str, float]:
        """The figures that the daemon logs when it stops."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        text = self.log.read_text()
        if code != 0 or "daemon stopped" not in text:
            raise RuntimeError(f"the daemon ended with {code}; it says:\n{text[-3000:]}")
        line = text[text.rindex("daemon stopped") :]
        return {name: float(value) for name, value in re.findall(r"(\w+)['\"]?[=:] ?([0-9.]+)", line)}

    def end(self) -> None:
        """Leaves nothing behind, however it went."""
        self.process.kill()
        self.process.wait()
        self.database.close()


@contextmanager
def idle(folder: Path) -> Iterator[Daemon]:
    """A daemon with ten checks that are due hardly ever."""
    daemon = Daemon(folder, f"sqlite:///{folder}/store.db", 1)
    try:
        daemon.wait_for_slots(10)
        yield daemon
        daemon.stop()
    finally:
        daemon.end()


def measure(folder: Path, store: str, seconds: float, tables: int = TABLES) -> Figures:
    """Runs the load and reads the figures from the store and the daemon's own log."""
    daemon = Daemon(folder / "load", store, tables)
    try:
        with idle(folder / "idle") as other:
            daemon.wait_for_slots(10 * tables)
            time.sleep(IDLE_S)
            idle_mb = other.rss_mb()
        time.sleep(WARM_UP_S - IDLE_S)
        begun, cpu, waited, peak = datetime.now(UTC), daemon.cpu_s(), daemon.cpu_wait_s(), 0.0
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            peak = max(peak, daemon.rss_mb())
            time.sleep(0.5)
        ended, cpu, waited = datetime.now(UTC), daemon.cpu_s() - cpu, daemon.cpu_wait_s() - waited
        until = time.monotonic() + COMMIT_S
        while len(lateness(daemon.database, begun, ended)) < due(daemon.database, begun, ended) and time.monotonic() < until:
            time.sleep(0.2)
        seconds = (ended - begun).total_seconds()
        logged = {**daemon.stop(), "process": cpu / seconds, "wait": waited / seconds, "idle_mb": idle_mb, "peak_mb": peak}
        return figures(daemon.database, begun, ended, logged)
    finally:
        daemon.end()


def lateness(database: Database, begun: datetime, ended: datetime) -> list[float]:
    """Of the results of the slots in (begun, ended], in seconds, ascending."""
    with database.read() as c:
        rows = c.execute(sa.select(results.c.lateness_s).where(results.c.scheduled_at > begun, results.c.scheduled_at <= ended))
        return sorted(float(row[0]) for row in rows)


def due(database: Database, begun: datetime, ended: datetime) -> int:
    """How many slots there are in (begun, ended]."""
    with database.read() as c:
        names = c.execute(sa.select(slots.c.check_id, slots.c.last_slot_at)).all()
    period = timedelta(seconds=60)
    return sum((ended - first) // period - (begun - first) // period for _, first in names if first)


def figures(database: Database, begun: datetime, ended: datetime, logged: dict[str, float]) -> Figures:
    """The lateness of the slots in (begun, ended] from the store, beside what was logged and sampled."""
    late = lateness(database, begun, ended)
    if not late:
        raise RuntimeError("no check of the window has a result")
    return Figures(
        database.url.get_backend_name(),
        (ended - begun).total_seconds(),
        due(database, begun, ended),
        len(late),
        late[len(late) // 2],
        late[int(len(late) * 0.99)],
        late[-1],
        logged["tick_cpu_s"] / logged["uptime_s"],
        logged["commit_cpu_s"] / logged["uptime_s"],
        logged["process"],
        logged["wait"],
        logged["idle_mb"],
        logged["peak_mb"],
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(measure(Path(name), sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 300.0))
