"""The due queue: each slot is claimed once, finished by its own attempt only, and never lost; on both stores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dqmon.store import slots
from dqmon.store.database import Database
from dqmon.store.schema import metadata
from dqmon.store.slots import Claim, Planned

NOW = datetime(2026, 11, 20, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CLAIM = Claim(1, ("main",))


def at(minutes: float) -> datetime:
    """An instant in minutes after noon; whole minutes are the slots of every check here."""
    return datetime(2026, 11, 20, 12, tzinfo=UTC) + minutes * MINUTE


def next_due(check_id: str, after: datetime) -> datetime:
    every = 60 * int(check_id.partition("@")[2] or 1)
    return datetime.fromtimestamp((after.timestamp() // every + 1) * every, UTC)


def lapsed(check_id: str, due_at: datetime, now: datetime) -> datetime:
    found = due_at
    while (following := next_due(check_id, found)) <= now:
        found = following
    return found


def plan(*check_ids: str, schedule: str = "every 1m", pool: str = "main") -> dict[str, Planned]:
    return {check_id: Planned(pool, schedule) for check_id in check_ids}


def sync(connection, planned, now=NOW):
    slots.sync(connection, planned, next_due, now)


def advance(connection, now, claim=CLAIM):
    return slots.advance(connection, now, claim, next_due, lapsed)


def attempts(claimed):
    return [(slot.check_id, slot.attempt_token) for slot in claimed]


def rows(connection):
    return {row.check_id: row for row in connection.execute(slots.slots.select())}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    url = f"sqlite:///{tmp_path}/store.db" if request.param == "sqlite" else request.getfixturevalue("postgres_database")
    found = Database(url)
    with found.write() as connection:
        metadata.create_all(connection, tables=[slots.slots])
    yield found
    found.close()


@pytest.fixture
def c(database):
    with database.write() as connection:
        yield connection


def test_a_slot_is_claimed_when_due_and_only_once(c):
    sync(c, plan("a", "b"))
    assert slots.next_due_at(c) == at(1)
    assert advance(c, at(1) - timedelta(microseconds=1)) == ()
    claimed = advance(c, at(1))
    assert [(s.check_id, s.slot_at, s.gap_since) for s in claimed] == [("a", at(1), None), ("b", at(1), None)]
    assert advance(c, at(1)) == ()
    assert slots.next_due_at(c) is None, "both are in progress"


def test_a_check_in_progress_is_not_claimed_again_until_it_is_finished(c):
    sync(c, plan("a"))
    first = advance(c, at(1))
    assert advance(c, at(4)) == ()
    assert slots.finish(c, attempts(first)) == frozenset(attempts(first))
    late = advance(c, at(4.5))
    assert [(s.slot_at, s.gap_since) for s in late] == [(at(4), at(2))], "found other than one late run for slots 2, 3 and 4"
    assert rows(c)["a"].gap_since == at(2)
    assert rows(c)["a"].gap_until == at(4)
    assert rows(c)["a"].next_due_at == at(5)


def test_only_free_pools_and_at_most_the_limit_are_claimed_oldest_first(c):
    sync(c, {**plan("a", "b@2", "c"), **plan("d", pool="slow")}, now=at(0) - timedelta(seconds=1))
    assert attempts(advance(c, at(2), Claim(1, ("main",), limit=2)))[0][0] == "a"
    rest = advance(c, at(2), Claim(1, ("main",)))
    assert [s.check_id for s in rest] == ["c"]
    assert slots.count_due(c, at(2)) == 1, "the slow pool's slot stays due in the store"
    assert advance(c, at(9), Claim(1, ())) == ()


def test_only_the_attempt_that_owns_the_slot_may_finish_it(c):
    sync(c, plan("a", "b"))
    old = advance(c, at(1))
    assert slots.reclaim(c, epoch=2, held=()) == ("a", "b")
    new = advance(c, at(1.5), Claim(2, ("main",)))
    assert [s.slot_at for s in new] == [at(1), at(1)], "a reclaimed slot is run again under its own time"
    assert slots.finish(c, attempts(old)) == frozenset()
    assert slots.finish(c, [*attempts(new), *attempts(old), ("gone", "x")]) == frozenset(attempts(new))
    assert slots.finish(c, attempts(new)) == frozenset(), "an attempt ends once"


def test_reclaiming_leaves_what_is_held_in_memory(c):
    sync(c, plan("a", "b"))
    claimed = advance(c, at(1))
    assert slots.reclaim(c, epoch=1, held=set(attempts(claimed))) == ()
    assert slots.reclaim(c, epoch=1, held=set(attempts(claimed[:1]))) == ("b",)
    assert [s.check_id for s in advance(c, at(1.1))] == ["b"]


def test_given_back_slots_are_due_at_once(c):
    sync(c, plan("a"))
    claimed = advance(c, at(1))
    assert slots.give_back(c, attempts(claimed)) == frozenset(attempts(claimed))
    assert slots.next_due_at(c) == at(1)
    assert slots.finish(c, attempts(claimed)) == frozenset()


def test_more_attempts_than_one_statement_holds(c):
    sync(c, plan(*(f"check{n}" for n in range(1_234))))
    claimed = advance(c, at(1))
    assert len(claimed) == 1_234
    assert len(slots.finish(c, attempts(claimed))) == 1_234


def test_reloading_keeps_unchanged_checks_moves_changed_ones_and_drops_gone_ones(c):
    sync(c, plan("same", "changed", "gone", "busy"))
    busy = advance(c, at(1), Claim(1, ("main",)))
    slots.finish(c, [a for a in attempts(busy) if a[0] != "busy"])
    sync(c, {**plan("same", "busy", "new"), **plan("changed", schedule="other")}, now=at(1.5))
    found = rows(c)
    assert set(found) == {"same", "changed", "new", "busy"}
    assert found["same"].next_due_at == at(2)
    assert found["busy"].slot_at == at(1), "a slot in progress survives a reload"
    sync(c, plan("same", "changed", "new"), now=at(1.6))
    assert slots.finish(c, attempts(busy)) == frozenset(), "a removed check's results are dropped"


def test_a_restart_after_hours_keeps_the_lapsed_slot_and_runs_it_once(c):
    sync(c, plan("a"))
    sync(c, plan("a"), now=at(300))
    assert [(s.slot_at, s.gap_since) for s in advance(c, at(300.5))] == [(at(300), at(1))]


@pytest.mark.parametrize(("back_minutes", "expected"), [(30, 61), (600, -539)])
def test_a_clock_set_back_never_doubles_a_slot_but_for_a_nonsensical_one(c, back_minutes, expected):
    sync(c, plan("a"))
    slots.finish(c, attempts(advance(c, at(60))))
    sync(c, plan("a"), now=at(60 - back_minutes))
    assert rows(c)["a"].next_due_at == at(expected), "found another next slot; up to an hour it waits for the slots that ran"


def test_a_next_slot_set_by_a_clock_far_ahead_is_drawn_in(c):
    sync(c, plan("a"), now=at(60 * 24 * 365))
    sync(c, plan("a"), now=NOW)
    assert slots.next_due_at(c) == at(1)


def test_hostile_check_ids_stay_what_they_are(c):
    ids = ["a'; drop table dq_slots --.completeness.x", '"quoted".uniqueness', "ünïcode.range", "%s.%(x)s"]
    sync(c, plan(*ids))
    claimed = advance(c, at(1))
    assert sorted(s.check_id for s in claimed) == sorted(ids)
    assert slots.finish(c, attempts(claimed)) == frozenset(attempts(claimed))


def test_a_check_is_drawn_in_once_and_goes_on_with_its_schedule(c):
    sync(c, plan("running@60", "later@60", "other@60", "due@1"))
    held = advance(c, at(60), Claim(1, ("main",)))
    slots.finish(c, [attempt for attempt in attempts(held) if attempt[0] != "running@60"])
    before = rows(c)
    wanted = ["running@60", "later@60", "due@1", "by.hand"]
    assert slots.can_hasten(c, wanted, at(60.5))
    slots.hasten(c, wanted, at(60.5))
    assert not slots.can_hasten(c, wanted, at(60.5)), "what is due or runs is not drawn in again"
    after = rows(c)
    assert {name for name in after if after[name].next_due_at == at(60.5)} == {"later@60", "due@1"}
    assert (after["running@60"], after["other@60"]) == (before["running@60"], before["other@60"])
    slots.hasten(c, wanted, at(60.9))
    assert rows(c) == after, "it is never put off"
    assert {(s.check_id, s.slot_at) for s in advance(c, at(60.6))} == {("later@60", at(60.5)), ("due@1", at(60.5))}
    assert rows(c)["later@60"].next_due_at == at(120)
    assert not slots.can_hasten(c, [], at(0))
    slots.hasten(c, [], at(0))


def test_a_check_that_was_drawn_in_keeps_that_over_a_reload(c):
    sync(c, plan("a@60"))
    slots.hasten(c, ["a@60"], at(5))
    sync(c, plan("a@60"), now=at(6))
    assert [(s.check_id, s.slot_at) for s in advance(c, at(6))] == [("a@60", at(5))]
