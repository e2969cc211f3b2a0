"""A warehouse that hangs holds up nobody else, and a store has one daemon."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from patience import PATIENCE_S

from dqmon.core.check import Schedule
from dqmon.daemon.leader import Candidate
from dqmon.daemon.lock import only_daemon
from dqmon.daemon.scheduler import QUEUED_BATCHES, Scheduler
from dqmon.daemon.work import Setup, Timed, Work
from dqmon.daemon.workers import Workers
from dqmon.errors import StoreError, UsageError
from dqmon.store import leases, slots
from dqmon.store.database import Database
from dqmon.store.schema import metadata

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTELY = Schedule("* * * * *", None, "UTC")


def test_a_hanging_warehouse_starves_no_other_one_and_its_slots_wait_in_the_store(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/store.db")
    with database.write() as c:
        metadata.create_all(c, tables=[slots.slots, leases.leases])
    release, most, running, lock = threading.Event(), [0], [0], threading.Lock()
    begun = threading.Semaphore(0)
    ran: list[datetime] = []
    arrived = threading.Condition()

    def run_batch(batch, now):
        if batch[0].check_id.startswith("hung"):
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            begun.release()
            release.wait(30)
            with lock:
                running[0] -= 1
        return batch

    def commit(connection, outcomes, now):
        for batch in outcomes:
            slots.finish(connection, [(s.check_id, s.attempt_token) for s in batch])
            if batch[0].check_id == "good.check":
                with arrived:
                    ran.append(batch[0].slot_at)
                    arrived.notify_all()

    nothing = [lambda *_: None] * 6
    checks = {f"hung{n}.check": Timed(MINUTELY, "slow", f"hung{n}") for n in range(200)} | {"good.check": Timed(MINUTELY, "main", "good")}
    workers = Workers()
    clock = [NOON]
    scheduler = Scheduler(
        database, Setup(Work(run_batch, commit, *nothing), checks, {"slow": 3, "main": 1}), workers, lambda: clock[0], Candidate("me")
    )
    scheduler.tick(NOON)
    for minute in range(1, 6):
        clock[0] = NOON + timedelta(minutes=minute)
        scheduler.tick(clock[0])
        with arrived:
            has_run = arrived.wait_for(lambda minute=minute: len(ran) == minute, 10)
            assert has_run, f"the good warehouse waited for the hanging one in minute {minute}"
    assert ran == [NOON + timedelta(minutes=minute) for minute in range(1, 6)]
    assert all(begun.acquire(timeout=PATIENCE_S) for _ in range(3)), "found fewer running at once than the warehouse's max_connections"
    assert most == [3], "found more running at once than the warehouse's max_connections"
    assert workers.waiting("warehouse slow") <= 200
    assert workers.waiting("warehouse slow") >= QUEUED_BATCHES
    release.set()
    assert scheduler.drain(10).is_idle
    with database.read() as c:
        assert c.execute(sa.select(sa.func.count()).where(slots.slots.c.slot_at.is_not(None))).scalar() == 0
    database.close()


def test_a_second_lock_names_the_first_ones_process(tmp_path):
    import os

    store = tmp_path / "store.db"
    with only_daemon(store), pytest.raises(UsageError, match=f"pid {os.getpid()}"), only_daemon(store):
        pass
    with only_daemon(store):
        pass


def test_a_lock_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"), only_daemon(tmp_path / "file" / "store.db"):
        pass
