"""Signals and sudden death of a real daemon process: no slot is lost, stuck, or run twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from patience import PATIENCE_S, wait_for

from dqmon.store import slots
from dqmon.store.database import Database

sys.path.insert(0, str(Path(__file__).parent))
import daemon_child

CHILD = Path(daemon_child.__file__)
ROOT = CHILD.parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
LOAD = {"checks": 60, "tables": 12, "every_s": 1, "run_s": 0.05}
FAST_LEASE = {"lease_s": 1.5}
"""Lease times at 1/10, so that a takeover takes two seconds and not twenty."""
KEPT_LEASE = {"lease_s": 5}
"""At 1/3: a leader keeps it on a machine that is so busy that a daemon gets no core for seconds."""
SELDOM_S = 10 * 365 * 86_400
"""No phase of such an interval falls into the time that a test takes."""


class Project:
    """A store, the settings file, and the daemons started on them."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.database = Database(url)
        self.settings = folder / "settings.json"
        self.log = folder / "log"
        self.daemons: list[subprocess.Popen[bytes]] = []
        daemon_child.create(self.database)

    def configure(self, **settings: Any) -> None:
        self.settings.write_text(json.dumps({**LOAD, **settings}))

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[bytes]]:
        with self.log.open("ab") as log:
            process = subprocess.Popen([sys.executable, CHILD, self.url, self.settings], stderr=log, cwd=ROOT, env=ENVIRONMENT)
        self.daemons.append(process)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def ran(self) -> int:
        with self.database.read() as c:
            return c.execute(sa.select(sa.func.count()).select_from(daemon_child.runs)).scalar_one()

    def wait_for(self, reached, what: str) -> None:
        def found() -> Any:
            assert any(daemon.poll() is None for daemon in self.daemons), f"no daemon runs; the log says:\n{self.log.read_text()}"
            return reached()

        wait_for(found, what, log=self.log.read_text)

    def wait_for_runs(self, more: int) -> None:
        goal = self.ran() + more
        self.wait_for(lambda: self.ran() >= goal, f"{more} runs")

    def rows(self):
        with self.database.read() as c:
            return c.execute(sa.select(slots.slots)).all()

    def assert_sound(self) -> None:
        """Every slot that was ever claimed last has run, or is due again; none is stuck or has run twice."""
        with self.database.read() as c:
            done = Counter((row.check_id, row.slot_at) for row in c.execute(sa.select(daemon_child.runs)))
        doubled = [slot for slot, times in done.items() if times > 1]
        assert not doubled, f"found slots that ran twice: {doubled[:3]}"
        stuck = [row.check_id for row in self.rows() if row.slot_at is not None]
        assert not stuck, f"found slots claimed by nobody alive: {stuck[:3]}"
        lost = [
            r.check_id
            for r in self.rows()
            if r.last_slot_at and (r.check_id, r.last_slot_at) not in done and r.next_due_at != r.last_slot_at
        ]
        assert not lost, f"found claimed slots that neither ran nor are due again: {lost[:3]}"


@pytest.fixture(params=["sqlite", "postgresql"])
def project(request, tmp_path) -> Iterator[Project]:
    url = f"sqlite:///{tmp_path}/store.db" if request.param == "sqlite" else request.getfixturevalue("postgres_database")
    found = Project(url, tmp_path)
    yield found
    found.database.close()


@pytest.fixture
def sqlite_project(tmp_path) -> Iterator[Project]:
    found = Project(f"sqlite:///{tmp_path}/store.db", tmp_path)
    yield found
    found.database.close()


def stop(process: subprocess.Popen[bytes], timeout_s: float = 25) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout_s)


def sigterm_cycles(project: Project, cycles: int) -> None:
    project.configure()
    chance = random.Random(23)
    took = []
    for _ in range(cycles):
        with project.daemon() as process:
            project.wait_for_runs(10)
            time.sleep(chance.random() * 0.3)
            begun = time.monotonic()
            assert stop(process) == 0, f"found another exit code than 0; the log says:\n{project.log.read_text()}"
            took.append(time.monotonic() - begun)
        project.assert_sound()
    print(
        f"\nSIGTERM x {cycles} on {project.database.url.get_backend_name()}: {project.ran()} runs, slowest stop {max(took):.2f} s, 0 lost"
    )


def test_sigterm_under_load_loses_nothing(project):
    sigterm_cycles(project, 4)


@pytest.mark.long
def test_sigterm_20_times_under_load_loses_nothing(project):
    sigterm_cycles(project, 20)


def kill_cycles(project: Project, deaths: list[dict[str, Any]]) -> None:
    for death in deaths:
        project.configure(**FAST_LEASE, **death)
        with project.daemon() as process:
            assert process.wait(PATIENCE_S) == -signal.SIGKILL
    project.configure(**FAST_LEASE)
    with project.daemon() as process:
        project.wait_for(lambda: all(r.last_slot_at for r in project.rows()) and project.ran(), "every check to have run")
        project.wait_for_runs(2 * LOAD["checks"])
        assert stop(process) == 0
    project.assert_sound()


def test_kill_9_after_claim_during_run_and_before_commit(project):
    kill_cycles(project, [{"die_at": point, "die_after": after} for point in ("claim", "run", "commit") for after in (0, 5)])


@pytest.mark.long
def test_kill_9_100_times_at_each_point(project):
    kill_cycles(project, [{"die_at": point, "die_after": n % 13} for point in ("claim", "run", "commit") for n in range(100)])


def test_a_second_daemon_on_a_sqlite_store_is_refused_by_name(sqlite_project):
    sqlite_project.configure()
    with sqlite_project.daemon() as first:
        sqlite_project.wait_for_runs(1)
        with sqlite_project.daemon() as second:
            assert second.wait(PATIENCE_S) == 2
        assert f"another dqmon daemon (pid {first.pid}) runs on the store" in sqlite_project.log.read_text()
        assert stop(first) == 0
    with sqlite_project.daemon() as third:
        sqlite_project.wait_for_runs(1)
        assert stop(third) == 0


def test_a_second_daemon_on_postgres_stands_by_and_takes_over(postgres_database, tmp_path):
    project = Project(postgres_database, tmp_path)
    project.configure(**KEPT_LEASE)
    with project.daemon() as first:
        project.wait_for_runs(5)
        with project.daemon() as second:
            project.wait_for_runs(2 * LOAD["checks"])
            assert {row[0] for row in pids(project)} == {first.pid}, "the second daemon ran checks beside the first"
            first.kill()
            begun = time.monotonic()
            project.wait_for(lambda: (second.pid,) in pids(project), "the second daemon to take over")
            print(f"\ntakeover after kill -9 with a lease of {KEPT_LEASE['lease_s']} s: {time.monotonic() - begun:.2f} s")
            assert stop(second) == 0
    project.assert_sound()
    project.database.close()


def pids(project: Project) -> set[tuple[int]]:
    with project.database.read() as c:
        return {tuple(row) for row in c.execute(sa.select(daemon_child.runs.c.pid).distinct())}


def test_sighup_with_an_invalid_file_keeps_what_ran_and_a_valid_one_keeps_phases(sqlite_project):
    project = sqlite_project
    project.configure(every_s=SELDOM_S)
    with project.daemon() as process:
        project.wait_for(project.rows, "the slots")
        before = {row.check_id: row.next_due_at for row in project.rows()}
        project.settings.write_text('{"checks": 60,\n "tables" 12}')
        process.send_signal(signal.SIGHUP)
        project.wait_for(lambda: "reload refused" in project.log.read_text(), "the refusal")
        assert "settings.json:2" in project.log.read_text(), "the refusal must name file and line"
        assert {row.check_id: row.next_due_at for row in project.rows()} == before
        project.configure(every_s=SELDOM_S, checks=72)
        process.send_signal(signal.SIGHUP)
        project.wait_for(lambda: len(project.rows()) == 72, "the 12 new checks")
        after = {row.check_id: row.next_due_at for row in project.rows()}
        assert {check_id: after[check_id] for check_id in before} == before, "a reload moved unchanged checks"
        assert stop(process) == 0
    assert "'reloads': 1, 'failed_reloads': 1" in project.log.read_text()


def test_work_that_hangs_is_left_behind_after_the_drain_and_its_slot_is_due_again(sqlite_project):
    project = sqlite_project
    project.configure(hang=True, drain_s=1)

    def drained_s() -> float:
        project.log.write_text("")
        with project.daemon() as process:
            project.wait_for(lambda: "a batch hangs" in project.log.read_text(), "work that the drain waits for")
            begun = time.monotonic()
            assert stop(process) == 0
            return time.monotonic() - begun

    assert drained_s() < 5
    project.assert_sound()
    assert any(row.next_due_at <= datetime.now(UTC) for row in project.rows())


def test_a_second_sigterm_exits_now(sqlite_project):
    project = sqlite_project
    project.configure(hang=True, drain_s=60)
    with project.daemon() as process:
        project.wait_for(lambda: "a batch hangs" in project.log.read_text(), "work that the drain waits for")
        process.send_signal(signal.SIGTERM)
        project.wait_for(lambda: "stopping" in project.log.read_text(), "the drain")
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 128 + signal.SIGTERM
    project.configure()
    with project.daemon() as process:
        project.wait_for_runs(LOAD["checks"])
        assert stop(process) == 0
    project.assert_sound()


@pytest.mark.parametrize("jump_s", [3_600, -7_200])
def test_ticks_go_on_when_the_clock_is_set(sqlite_project, jump_s):
    project = sqlite_project
    project.configure(jump_s=jump_s)
    with project.daemon() as process:
        project.wait_for_runs(LOAD["checks"])
        project.wait_for_runs(2 * LOAD["checks"])
        assert stop(process) == 0
    project.assert_sound()
    log = project.log.read_text()
    assert "slots lapsed; each check runs once, late" in log if jump_s > 0 else "the clock was set back" in log


def test_a_daemon_that_was_suspended_runs_each_check_once_late(sqlite_project):
    project = sqlite_project
    project.configure()
    with project.daemon() as process:
        project.wait_for_runs(LOAD["checks"])
        process.send_signal(signal.SIGSTOP)
        awake_at = datetime.now(UTC) + timedelta(seconds=3)
        time.sleep(4)
        process.send_signal(signal.SIGCONT)
        project.wait_for(
            lambda: all(row.gap_until and row.gap_until > awake_at for row in project.rows()), "each check to have recorded the gap"
        )
        project.wait_for_runs(LOAD["checks"])
        assert stop(process) == 0
    project.assert_sound()
    gaps = [row for row in project.rows() if row.gap_since]
    assert len(gaps) == LOAD["checks"]
    with project.database.read() as c:
        done = Counter(c.execute(sa.select(daemon_child.runs.c.check_id, daemon_child.runs.c.slot_at)).all())
    doubled_up = [r.check_id for r in gaps if any((r.check_id, lapsed) in done for lapsed in seconds(r.gap_since, r.gap_until))]
    assert not doubled_up, f"found lapsed slots that ran nevertheless: {doubled_up[:3]}"


def seconds(since: datetime, until: datetime) -> list[datetime]:
    """The slots of a check of every second in [since, until)."""
    return [since + timedelta(seconds=n) for n in range(round((until - since).total_seconds()))]


def test_a_leader_that_wakes_up_after_a_takeover_changes_nothing(postgres_database, tmp_path):
    project = Project(postgres_database, tmp_path)
    project.configure(**FAST_LEASE, run_s=0.3)
    with project.daemon() as first:
        project.wait_for_runs(5)
        with project.daemon() as second:
            first.send_signal(signal.SIGSTOP)
            project.wait_for(lambda: (second.pid,) in pids(project), "the second daemon to take over")
            first.send_signal(signal.SIGCONT)
            project.wait_for(lambda: "was taken over by another process" in project.log.read_text(), "the first daemon to notice")
            project.wait_for_runs(2 * LOAD["checks"])
            assert stop(first) == 0
            assert stop(second) == 0
    project.assert_sound()
    project.database.close()
