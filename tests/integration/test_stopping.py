"""Nothing is left running on a server, whatever ends: the time, the daemon, the command (R23, R27, R28)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from engines import engine
from patience import PATIENCE_S, seconds, wait_for

from dqmon.app import open_app
from dqmon.core.selector import parse_selector
from dqmon.core.table import TableRef
from dqmon.core.verdict import Verdict
from dqmon.errors import QueryFailed, QueryTimeout, WarehouseError
from dqmon.store import slots
from dqmon.store.database import Database

BUSY = (
    "select count(*), count(*) filter (where state like 'idle in transaction%') from pg_stat_activity "
    "where application_name = 'dqmon' and datname = current_database()"
)
LOCKS = "select count(*) from pg_locks join pg_stat_activity using (pid) where application_name = 'dqmon' and datname = current_database()"
STUCK = f"{BUSY} and state = 'active' and query like '%stuck%'"

DAEMON = """
import sys
from dqmon.app import open_app
from dqmon.app.daemon import setup
from dqmon.daemon.service import Service
from dqmon.telemetry import configure
configure("info", as_json=False)
app = open_app(sys.argv[1])
sys.exit(Service(app.database, lambda: setup(app), drain_s=0.5).run())
"""


class Server:
    """A PostgreSQL database and a second, plain connection that looks at what dqmon does there."""

    def __init__(self, location: str) -> None:
        self.location = location

    def run(self, *statements: str):
        with engine("postgres").writer(self.location) as execute:
            return [execute(statement) for statement in statements]

    def seen(self, sql: str) -> tuple[int, int]:
        with engine("postgres").writer(self.location) as execute:
            return execute(sql).fetchone()  # type: ignore[attr-defined, no-any-return]

    def until(self, stuck: int) -> float:
        """Seconds until so many stuck statements run; the test's patience is a fraction of the ten minutes that they would take."""
        return seconds(lambda: wait_for(lambda: self.seen(STUCK)[0] == stuck, f"{stuck} stuck statements on the server"))


@pytest.fixture
def server(servers, tmp_path) -> Server:
    return Server(engine("postgres").place(servers("postgres"), tmp_path))


def stuck_views(server: Server, count: int) -> None:
    """Tables whose rows take ten minutes to come."""
    server.run(
        *(f"create view stuck{i} as select g as id from generate_series(1, 1) g where pg_sleep(600) is not null" for i in range(count))
    )


@pytest.mark.parametrize("statements", [20, pytest.param(100, marks=pytest.mark.long)])
def test_stuck_statements_are_gone_in_time_and_leak_no_connection(server, statements):
    """R27: `pg_sleep(600)`, 25 at once; each gone from the server within its limit and two seconds."""
    limit_s, at_once = 2.0, min(statements, 25)
    warehouse = engine("postgres").warehouse("w", server.location, max_connections=at_once, connect_timeout="2m")

    def stuck(_: int) -> float:
        with warehouse.open() as session:
            began = time.monotonic()
            with pytest.raises(QueryTimeout, match="passed its limit of 2 s"):
                session.fetch(sa.select(sa.func.pg_sleep(600).label("stuck")), limit_s)
            return time.monotonic() - began

    def gone_s() -> float:
        with ThreadPoolExecutor(statements) as pool:
            took = max(pool.map(stuck, range(statements)))
        return took + server.until(0)

    gone_after_s = gone_s()
    with ExitStack() as every:
        for _ in range(at_once):
            every.enter_context(warehouse.open())
    warehouse.close()
    print(f"\n{statements} stuck statements, limit {limit_s:g} s: the last gone after {gone_after_s:.2f} s, 0 slots leaked")
    assert gone_after_s < limit_s + 2


def test_a_session_that_waits_holds_up_no_loader(server):
    """ARCHITECTURE.md, rule 5: between two statements, and while nothing is asked, there is no transaction and no lock."""
    server.run("create table t as select g as id from generate_series(1, 1000) g")
    with closing(engine("postgres").warehouse("w", server.location)) as warehouse, warehouse.open() as session:
        session.columns(TableRef("w", None, "public", "t"))
        session.fetch(sa.select(sa.func.count()).select_from(sa.text("t")), 5)
        assert server.seen(BUSY) == (1, 0)
        assert server.seen(LOCKS)[0] == 0
        server.run("set lock_timeout = '1s'; alter table t add column more int; truncate t; drop table t")


@contextmanager
def watched(server: Server) -> Iterator[list[int]]:
    """How many connections dqmon had at each look from beside; the last look is when the work inside is done."""
    ended, seen = threading.Event(), []

    def look() -> None:
        with engine("postgres").writer(server.location) as execute:
            while True:
                is_last = ended.is_set()
                seen.append(execute(BUSY).fetchone()[0])  # type: ignore[attr-defined]
                if is_last:
                    return

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def test_connections_never_pass_the_cap_of_a_server(server):
    """R28: the cap holds for all threads together; and who has read, and keeps the session, is in no transaction."""
    server.run("create table t as select g as id from generate_series(1, 1000) g")
    warehouse = engine("postgres").warehouse("w", server.location, max_connections=4)
    have_read, have_looked = threading.Barrier(5, timeout=PATIENCE_S), threading.Barrier(5, timeout=PATIENCE_S)

    def read(is_held: bool) -> None:
        with warehouse.open() as session:
            session.fetch(sa.select(sa.func.count()).select_from(sa.text("t")), PATIENCE_S)
            if is_held:
                have_read.wait()
                have_looked.wait()

    with watched(server) as seen, ThreadPoolExecutor(12) as pool:
        list(pool.map(read, [False] * 200))
        held = [pool.submit(read, True) for _ in range(4)]
        have_read.wait()
        assert server.seen(BUSY) == (4, 0)
        have_looked.wait()
        for one in held:
            one.result()
        assert server.seen(BUSY)[1] == 0, "nor is what the pool keeps"
    warehouse.close()
    print(f"\n200 reads by 12 threads, {len(seen)} looks: at most {max(seen)} connections")
    assert max(seen) <= 4


def test_a_whole_run_never_passes_the_cap(server, tmp_path):
    """R28: 1,000 checks on 50 tables by one run, looked at from the server all the while."""
    server.run(*(f"create table t{number} as select g as id from generate_series(1, 100) g" for number in range(50)))
    for folder in ("config", "checks"):
        (tmp_path / folder).mkdir()
    config = tmp_path / "config/dqmon.yaml"
    config.write_text(f"version: 1\nwarehouses: {{main: {{type: postgres, url: '{server.location}', max_connections: 3}}}}\n")
    checks = ", ".join(f"{{statistic: {{name: c{i}, column: id, metric: max, fail_if: '> {100 + i}'}}}}" for i in range(20))
    listed = "".join(f"  - {{dataset: t{number}, checks: [{checks}]}}\n" for number in range(50))
    (tmp_path / "checks/all.yaml").write_text(f"version: 1\ndatasets:\n{listed}")
    with open_app(str(config)) as app, watched(server) as seen:
        report = app.check(parse_selector(()), None, False)
    print(f"\n{len(report.records):,} checks, {len(seen)} looks: at most {max(seen)} connections of 3")
    assert len(report.records) == 1_000
    assert {record.verdict for record in report.records} == {Verdict.PASS}
    assert 1 <= max(seen) <= 3


def test_cancelling_ends_what_runs_and_refuses_what_follows(server):
    warehouse = engine("postgres").warehouse("w", server.location)
    said = []

    def stuck() -> None:
        with warehouse.open() as session:
            with pytest.raises(QueryFailed, match="cancelled: dqmon is stopping") as error:
                session.fetch(sa.select(sa.func.pg_sleep(600).label("stuck")), 300)
            said.append(error)
            with pytest.raises(WarehouseError, match="not sent: dqmon is stopping"):
                session.fetch(sa.select(sa.literal(1)), 5)

    threads = [threading.Thread(target=stuck) for _ in range(4)]
    for thread in threads:
        thread.start()
    server.until(4)
    warehouse.cancel()
    assert server.until(0) < 3
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(said) == 4
    warehouse.close()


class Project:
    """A project whose tables take ten minutes to read."""

    def __init__(self, root: Path, server: Server, tables: int, schedule: str = "") -> None:
        stuck_views(server, tables)
        self.config = root / "config/dqmon.yaml"
        for folder in ("config", "checks"):
            (root / folder).mkdir()
        self.config.write_text(
            f'version: 1\nstore: {{url: "sqlite:///dq.db"}}\n'
            f"warehouses: {{main: {{type: postgres, url: '{server.location}', statement_timeout: 5m}}}}\n"
        )
        listed = "".join(f"  - {{dataset: stuck{i}, checks: [row_count: {{min: 1}}]}}\n" for i in range(tables))
        (root / "checks/all.yaml").write_text(f"version: 1\n{schedule}datasets:\n{listed}")
        self.store = root / "dq.db"

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, *words]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
        )


def test_sigterm_leaves_no_statement_on_the_server(server, tmp_path):
    """R23: what does not end in the time to drain is cancelled, and its slots are given back without a result."""
    root = tmp_path / "p"
    root.mkdir()
    project = Project(root, server, 3, "defaults: {schedule: {every: 1s}}\n")
    with project.start("-c", DAEMON, str(project.config)) as daemon:
        server.until(3)
        daemon.send_signal(signal.SIGTERM)
        _, log = daemon.communicate(timeout=PATIENCE_S)
    took_s = server.until(0)
    print(f"\nSIGTERM with 3 statements running: 0 left on the server {took_s:.2f} s after the end of the process")
    assert took_s < 0.5
    assert daemon.returncode == 0, log
    database = Database(f"sqlite:///{project.store}")
    with database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).where(slots.slots.c.slot_at.is_not(None))) == 0, "slots are still taken"
        assert connection.scalar(sa.text("select count(*) from dq_results")) == 0, "what was cancelled says nothing of the data"
    database.close()


@pytest.mark.parametrize("tables", [1, 6])
def test_ctrl_c_leaves_no_statement_on_the_server(server, tmp_path, tables):
    root = tmp_path / "p"
    root.mkdir()
    project = Project(root, server, tables)
    with project.start("-m", "dqmon", "check", "--config", str(project.config)) as check:
        server.until(min(tables, 4))
        began = time.monotonic()
        check.send_signal(signal.SIGINT)
        _, log = check.communicate(timeout=PATIENCE_S)
    assert check.returncode == 130, log
    assert time.monotonic() - began < 5, "it waited for statements that nobody wants"
    assert server.until(0) < 1
