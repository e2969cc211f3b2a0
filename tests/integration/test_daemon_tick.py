"""The tick on a virtual clock with the real store: what runs when, in which batches, and what a bad day changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from dqmon.checks.failed_runs import FailedRuns
from dqmon.core.check import Check, PipelineRef, Schedule, SourceLine
from dqmon.daemon import work
from dqmon.daemon.leader import Candidate
from dqmon.daemon.scheduler import Scheduler
from dqmon.daemon.work import Setup, Timed, Work
from dqmon.daemon.workers import Inline
from dqmon.errors import StoreError
from dqmon.store import leases, slots
from dqmon.store.database import Database
from dqmon.store.schema import metadata

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTELY = Schedule("* * * * *", None, "UTC")


class World:
    """A clock, a scheduler with inline work, and a diary of what it called."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOON
        self.diary: list[tuple] = []
        self.notify_at = None
        self.deliver_at = None
        self.refreshed = None
        self.relearned = None
        self.broken: str | None = None
        self.inline = Inline()
        self.work = Work(
            self.run_batch,
            self.commit,
            notify=lambda now: self.note("notify", answer=self.notify_at),
            deliver=lambda channel, now: self.note("deliver", channel, answer=self.deliver_at),
            poll=lambda source, now: self.note("poll", source),
            purge=lambda now: self.note("purge"),
            refresh=lambda: self.note("refresh", answer=self.refreshed),
            close=lambda: self.note("close"),
            attribute=lambda now: self.note("attribute"),
            relearn=lambda: self.relearned,
        )
        self.scheduler: Scheduler | None = None

    def note(self, *entry, answer=None):
        self.diary.append(entry)
        return answer

    def run_batch(self, batch, now):
        if self.broken == "run":
            raise StoreError("history cannot be read")
        return batch

    def commit(self, connection, outcomes, now):
        if self.broken == "commit":
            raise ValueError("a poisoned outcome")
        for batch in outcomes:
            mine = slots.finish(connection, [(s.check_id, s.attempt_token) for s in batch])
            assert len(mine) == len(batch)
            self.note("ran", tuple(s.check_id for s in batch), (batch[0].slot_at - NOON).total_seconds())

    def setup(self, checks, **more) -> Setup:
        return Setup(self.work, checks, {"main": 2}, **more)

    def start(self, checks, **more) -> None:
        self.scheduler = Scheduler(self.database, self.setup(checks, **more), self.inline, lambda: self.now, Candidate("me"))

    def at(self, seconds: float) -> list[tuple]:
        """Ticks at that time and returns what happened then, without the every-second looks of notifying and delivering."""
        self.now = NOON + timedelta(seconds=seconds)
        begun = len(self.diary)
        self.scheduler.tick(self.now)
        return [entry for entry in self.diary[begun:] if entry[0] not in ("notify", "deliver")]

    def ran(self) -> list[tuple]:
        return [entry[1:] for entry in self.diary if entry[0] == "ran"]


@pytest.fixture
def world(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/store.db")
    with database.write() as connection:
        metadata.create_all(connection, tables=[slots.slots, leases.leases])
    yield World(database)
    database.close()


def timed(*tables: str, schedule: Schedule = MINUTELY) -> dict[str, Timed]:
    return {f"{table}.check{n}": Timed(schedule, "main", table) for table in tables for n in (1, 2)}


def test_all_checks_of_a_table_due_together_are_one_batch(world):
    world.start(timed("orders", "planes"))
    assert world.at(0) == []
    assert world.at(59.9) == []
    assert world.at(60) == [("ran", ("orders.check1", "orders.check2"), 60.0), ("ran", ("planes.check1", "planes.check2"), 60.0)]
    assert world.at(60.25) == []


def test_slots_within_fuse_within_are_one_batch_and_others_are_not(world):
    checks = {
        "t.a": Timed(Schedule("0 * * * *", None, "UTC"), "main", "t"),
        "t.b": Timed(Schedule(None, 1800, "UTC"), "main", "t"),
        "t.c": Timed(Schedule("1 13 * * *", None, "UTC"), "main", "t"),
    }
    setup = world.setup(checks)
    claimed = [slots.Slot(name, NOON + timedelta(seconds=s), "x") for name, s in (("t.a", 0), ("t.b", 30), ("t.c", 31))]
    assert [tuple(s.check_id for s in batch) for _, batch in setup.batches(claimed)] == [("t.a", "t.b"), ("t.c",)]


def test_checks_of_pipelines_run_by_source_and_those_of_a_source_at_one_time():
    checks = [
        Check(
            f"{source}/{name}.x",
            FailedRuns(),
            None,
            PipelineRef(source, name),
            SourceLine("a.yaml", 1),
            schedule=Schedule(None, 600, "UTC"),
        )
        for source, name in (("air", "a"), ("air", "b"), ("byte", "a"))
    ]
    found = [work.timed(check) for check in checks]
    assert [(one.warehouse, one.subject) for one in found] == [("air/", "air/a"), ("air/", "air/b"), ("byte/", "byte/a")]
    assert found[0].phase_s == found[1].phase_s != found[2].phase_s


def test_a_virtual_clock_hops_from_due_to_due(world):
    world.start(timed("orders", schedule=Schedule("0 */6 * * *", None, "UTC")))
    world.at(0)
    hops = []
    while len(world.ran()) < 4:
        world.now = world.scheduler.next_at()
        world.scheduler.tick(world.now)
        hops.append(world.now)
    assert [slot for _, slot in world.ran()] == [6 * 3600.0 * n for n in (1, 2, 3, 4)]
    assert len(hops) < 60, "found more hops than slots, purges and hourly refreshes"


@pytest.mark.parametrize("jump_s", [3_600, 86_400 * 3])
def test_a_clock_jump_forward_runs_each_check_once_late_and_records_the_gap(world, jump_s):
    world.start(timed("orders"))
    world.at(0)
    ran = [entry for entry in world.at(jump_s + 1) if entry[0] == "ran"]
    assert ran == [("ran", ("orders.check1", "orders.check2"), float(jump_s))]
    assert world.scheduler.figures.gaps == 2
    with world.database.read() as c:
        row = c.execute(sa.select(slots.slots)).first()
    assert (row.gap_since, row.gap_until) == (NOON + timedelta(minutes=1), NOON + timedelta(seconds=jump_s))


def test_a_clock_set_back_runs_no_slot_twice_and_goes_on(world):
    world.start(timed("orders"))
    world.at(0)
    world.at(600)
    assert [e for e in world.at(60) if e[0] == "ran"] == []
    assert world.scheduler.figures.clock_jumps == 1
    for second in range(60, 661, 10):
        world.at(second)
    slots_run = [slot for _, slot in world.ran()]
    assert slots_run == [600.0, 660.0], "found a slot run twice, or none after the clock caught up"


def test_a_run_that_fails_is_due_again_within_a_minute(world):
    world.start(timed("orders", schedule=Schedule("1 12 * * *", None, "UTC")))
    world.at(0)
    world.broken = "run"
    world.at(60)
    assert world.inline.failures == 1
    world.broken = None
    assert world.at(61) == []
    assert [e for e in world.at(121) if e[0] == "ran"] == [("ran", ("orders.check1", "orders.check2"), 60.0)]


def test_a_poisoned_outcome_is_dropped_alone_and_its_slot_runs_again(world):
    world.start(timed("orders", schedule=Schedule("1 12 * * *", None, "UTC")))
    world.at(0)
    world.broken = "commit"
    world.at(60)
    assert world.scheduler.committer.dropped == 1
    world.broken = None
    assert [e[0] for e in world.at(121)] == ["ran"]


def test_a_reload_keeps_phases_runs_new_checks_and_closes_the_old_setup(world):
    checks = timed("orders", schedule=Schedule(None, 600, "UTC"))
    world.start(checks)
    world.at(0)
    with world.database.read() as c:
        before = slots.next_due_at(c)
    world.scheduler.swap(world.setup({**checks, **timed("planes")}))
    assert world.at(1) == [("close",)]
    with world.database.read() as c:
        kept = c.execute(sa.select(slots.slots.c.next_due_at).where(slots.slots.c.check_id == "orders.check1")).scalar_one()
    assert kept == before
    assert [e[1] for e in world.at(60) if e[0] == "ran"] == [("planes.check1", "planes.check2")]


def test_refresh_swaps_the_setup_hourly_and_purging_is_daily(world):
    world.start(timed("orders", schedule=Schedule("0 0 1 1 *", None, "UTC")))
    world.refreshed = world.setup(timed("found"))
    world.at(0)
    assert world.at(600) == [("purge",)]
    assert world.at(3_600) == [("attribute",), ("refresh",)]
    world.at(3_601)
    with world.database.read() as c:
        assert {row.check_id for row in c.execute(sa.select(slots.slots))} == {"found.check1", "found.check2"}
    assert ("purge",) not in world.at(86_400)
    assert ("purge",) in world.at(87_000)


def test_what_tools_say_of_the_lineage_is_taken_over_within_a_minute(world):
    world.start(timed("orders", schedule=Schedule("0 0 1 1 *", None, "UTC")))
    world.at(0)
    world.relearned = world.setup(timed("found"))
    world.at(60)
    world.relearned = None
    world.at(60.25)
    with world.database.read() as c:
        assert {row.check_id for row in c.execute(sa.select(slots.slots))} == {"found.check1", "found.check2"}


def test_sources_are_polled_at_their_own_pace(world):
    world.start({}, polls={"dlt": 60.0, "airbyte": 300.0})
    assert world.at(0) == [("poll", "dlt"), ("poll", "airbyte")]
    assert world.at(59) == []
    assert world.at(60) == [("poll", "dlt")]


def test_results_wake_notifying_and_that_wakes_delivering_in_the_same_tick(world):
    world.start(timed("orders"), channels=("team", "oncall"))
    world.at(0)
    world.diary.clear()
    world.at(60)
    kinds = [entry[0] for entry in world.diary]
    assert kinds.index("ran") < kinds.index("notify") < kinds.index("deliver")
    assert {entry[1] for entry in world.diary if entry[0] == "deliver"} == {"team", "oncall"}


def test_a_group_that_waits_is_known_as_the_next_time(world):
    world.start({}, channels=("team",))
    world.notify_at = NOON + timedelta(seconds=30)
    world.at(0)
    assert world.scheduler.next_at() == NOON + timedelta(seconds=30)
    world.deliver_at = NOON + timedelta(seconds=10)
    world.at(1)
    assert world.scheduler.next_at() == NOON + timedelta(seconds=10)


def test_a_message_that_stays_due_does_not_hold_up_a_virtual_clock(world):
    world.start({}, channels=("team",))
    world.deliver_at = NOON - timedelta(seconds=10)
    world.at(5)
    assert world.scheduler.next_at() == NOON + timedelta(seconds=6)


def test_without_the_lease_nothing_is_claimed_and_after_it_everything_is(world):
    with world.database.write() as c:
        leases.acquire(c, "leader", "other", NOON)
        leases.acquire(c, "notify", "other", NOON)
    world.start(timed("orders"), channels=("team",), polls={"dlt": 60.0})
    assert world.at(0) == []
    assert world.diary == []
    assert not world.scheduler.is_leading
    world.at(15)
    assert world.scheduler.is_leading
    assert [e[0] for e in world.at(60)] == ["ran"]


def test_a_leader_that_was_taken_over_claims_nothing(world):
    world.start(timed("orders"))
    world.at(0)
    with world.database.write() as c:
        leases.acquire(c, "leader", "other", NOON + timedelta(seconds=59))
    assert world.at(60) == []
    assert not world.scheduler.is_leading


def test_draining_gives_back_what_was_not_recorded_and_frees_the_leases(world):
    world.start(timed("orders"))
    world.at(0)
    world.inline.submit = lambda pool, task: None  # the tasks never begin
    world.at(60)
    assert world.scheduler.drain(1.0).is_idle
    with world.database.read() as c:
        assert slots.next_due_at(c) == NOON + timedelta(minutes=1)
        assert leases.holder_of(c, "leader", world.now) is None
        assert leases.holder_of(c, "notify", world.now) is None


def test_a_full_queue_leaves_slots_due_in_the_store(world):
    world.start(timed("orders") | {"planes.x": Timed(MINUTELY, "slow", "planes")})
    world.at(0)
    world.inline.waiting = lambda pool: 64 if pool == "warehouse slow" else 0
    ran = [e[1] for e in world.at(60) if e[0] == "ran"]
    assert ran == [("orders.check1", "orders.check2")]
    assert world.scheduler.due_not_started(world.now) == 1
    world.inline.waiting = lambda pool: 0
    assert [e[1] for e in world.at(61) if e[0] == "ran"] == [("planes.x",)]


def test_a_store_that_is_away_stops_nothing_and_is_said_once(world, caplog):
    world.start(timed("orders"))
    world.at(0)
    working = world.database.read
    world.database.read = away
    for second in (58, 59, 60):
        world.at(second)
    assert world.scheduler.figures.failures == 3
    assert [record.message for record in caplog.records] == ["tick failed; every next one tries again"]
    world.database.read = working
    assert [e[0] for e in world.at(61)] == ["ran"]


def away():
    raise StoreError("the store is away")


def test_the_tick_says_whether_it_leads_to_what_listens(world):
    heard = []
    world.work = replace(world.work, listen=heard.append)
    with world.database.write() as connection:
        leases.acquire(connection, leases.LEADER, "another", NOON, 15)
    world.start({})
    world.at(0)
    world.at(20)
    assert heard == [False, True]
