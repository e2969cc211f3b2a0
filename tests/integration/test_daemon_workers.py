"""The pools of threads and the committing thread: bounded, fair, and not stopped by one bad task."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from patience import PATIENCE_S, wait_for

from dqmon.daemon.commit import GROUP_RESULTS, Committer
from dqmon.daemon.workers import Workers
from dqmon.errors import StoreError
from dqmon.store.database import Database

table = sa.Table("written", sa.MetaData(), sa.Column("n", sa.Integer), sa.Column("batch", sa.Integer))


def test_a_pool_runs_no_more_than_its_size_at_once_and_others_go_on():
    workers = Workers()
    workers.resize({"slow": 2})
    release, most, running, lock = threading.Event(), [0], [0], threading.Lock()
    begun = threading.Semaphore(0)

    def hang() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        begun.release()
        release.wait(PATIENCE_S)
        with lock:
            running[0] -= 1

    for _ in range(10):
        workers.submit("slow", hang)
    other = threading.Event()
    workers.submit("fast", other.set)
    assert other.wait(PATIENCE_S), "a hanging pool must not hold up another one"
    assert begun.acquire(timeout=PATIENCE_S), "the pool of two runs none"
    assert begun.acquire(timeout=PATIENCE_S), "the pool of two runs one"
    assert workers.waiting("slow") == 8
    assert workers.all_waiting() == 8
    release.set()
    wait_for(lambda: not workers.waiting("slow"), "the tasks behind them to begin")
    workers.stop()
    assert workers.join(PATIENCE_S)
    assert most == [2]


def test_stopping_drops_what_has_not_begun_and_waits_for_what_runs():
    workers = Workers()
    begun, release, ran = threading.Event(), threading.Event(), []

    def first() -> None:
        begun.set()
        release.wait(PATIENCE_S)
        ran.append("first")

    workers.submit("one", first)
    workers.submit("one", lambda: ran.append("second"))
    assert begun.wait(PATIENCE_S)
    workers.stop()
    assert not workers.join(0.05)
    release.set()
    assert workers.join(PATIENCE_S)
    workers.submit("one", lambda: ran.append("third"))
    assert ran == ["first"]


def test_a_task_that_raises_is_counted_and_the_thread_goes_on():
    workers = Workers()
    done = threading.Event()
    workers.submit("one", lambda: 1 / 0)
    workers.submit("one", done.set)
    assert done.wait(PATIENCE_S)
    assert workers.failures == 1


class Written:
    """A committer on a real store, whose writes can be made to fail."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.groups: list[list[int]] = []
        self.poison: set[int] = set()
        self.may_write = threading.Event()
        self.may_write.set()
        self.committer: Committer[int] = Committer(database, self.write, lambda: datetime.now(UTC))

    def write(self, connection, outcomes, now):
        assert self.may_write.wait(PATIENCE_S)
        if self.poison & set(outcomes):
            raise KeyError("poison")
        connection.execute(sa.insert(table), [{"n": n, "batch": len(self.groups)} for n in outcomes])
        self.groups.append(list(outcomes))

    def numbers(self) -> list[int]:
        with self.database.read() as c:
            return sorted(c.execute(sa.select(table.c.n)).scalars())


@pytest.fixture
def written(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/store.db")
    with database.write() as connection:
        table.metadata.create_all(connection)
    yield Written(database)
    database.close()


def test_outcomes_are_written_in_groups_and_each_is_told(written):
    done: list[int] = []
    written.committer.start()
    written.may_write.clear()  # a machine that gives the submitting thread no core would make each outcome a late one
    for n in range(200):
        written.committer.submit(n, 10, lambda n=n: done.append(n))
    written.may_write.set()
    assert written.committer.stop(PATIENCE_S)
    assert written.numbers() == list(range(200)) == done
    assert len(written.groups) < 20, "found a transaction for few outcomes; 200 quick ones share some"
    assert max(map(len, written.groups)) <= GROUP_RESULTS / 10


def test_a_poisoned_outcome_is_dropped_alone(written):
    written.poison = {7}
    done: list[int] = []
    written.committer.start()
    for n in range(20):
        written.committer.submit(n, 1, lambda n=n: done.append(n))
    assert written.committer.stop(PATIENCE_S)
    assert written.numbers() == [n for n in range(20) if n != 7]
    assert written.committer.dropped == 1
    assert sorted(done) == list(range(20)), "its slot must be let go of, too"


def test_results_wait_while_the_store_is_away(written):
    working = written.database.write
    away = threading.Event()

    def write():
        if away.is_set():
            raise StoreError("away")
        return working()

    written.database.write = write
    away.set()
    written.committer.start()
    for n in range(5):
        written.committer.submit(n, 1, lambda: None)
    assert not written.committer.stop(0.3), "the store is away: nothing may be called written"
    away.clear()
    assert written.committer.stop(PATIENCE_S)
    assert written.numbers() == [0, 1, 2, 3, 4]


def test_without_a_thread_the_caller_writes(written):
    written.committer.submit(1, 1, lambda: None)
    assert written.numbers() == [1]
