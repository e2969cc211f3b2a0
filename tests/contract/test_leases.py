"""A lease has one holder, its epoch only grows, and a stale epoch is refused; on both stores."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from dqmon.errors import LeaseLost
from dqmon.store import leases, meta
from dqmon.store.database import Database
from dqmon.store.schema import metadata

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    url = f"sqlite:///{tmp_path}/store.db" if request.param == "sqlite" else request.getfixturevalue("postgres_database")
    found = Database(url)
    with found.write() as connection:
        metadata.create_all(connection, tables=[leases.leases, meta.meta])
    yield found
    found.close()


def test_a_free_lease_is_taken_once_and_again_when_it_is_over(database):
    with database.write() as c:
        assert leases.holder_of(c, "leader", NOW) is None
        assert leases.acquire(c, "leader", "a", NOW) == 1
        assert leases.acquire(c, "leader", "b", later(14)) is None
        assert leases.acquire(c, "notify", "b", later(14)) == 1, "another name is another lease"
        assert leases.holder_of(c, "leader", later(14)) == "a"
        assert leases.acquire(c, "leader", "b", later(15)) == 2
        assert leases.holder_of(c, "leader", later(15)) == "b"


def test_renewing_keeps_the_epoch_and_fails_for_the_one_before(database):
    with database.write() as c:
        first = leases.acquire(c, "leader", "a", NOW)
        leases.renew(c, "leader", first, later(10))
        assert leases.acquire(c, "leader", "b", later(20)) is None, "renewed until second 25"
        leases.renew(c, "leader", first, later(40))  # over, but nobody took it
        second = leases.acquire(c, "leader", "b", later(60))
        assert second == 2
        with pytest.raises(LeaseLost, match="taken over by another process"):
            leases.renew(c, "leader", first, later(61))
        with pytest.raises(LeaseLost):
            leases.guard(c, "leader", first)
        leases.guard(c, "leader", second)


def test_a_holder_is_seen_when_it_renews_and_when_it_gives_back(database):
    with database.write() as c:
        assert leases.last_sign(c, "leader") is None
        epoch = leases.acquire(c, "leader", "a", NOW)
        leases.renew(c, "leader", epoch, later(5))
        assert leases.last_sign(c, "leader") == ("a", later(5)), "also long after it has died"
        leases.release(c, "leader", epoch, later(9))
        assert leases.last_sign(c, "leader") == ("", later(9))


def test_what_a_daemon_made_of_the_files_is_kept_until_it_reads_them_again(database):
    with database.write() as c:
        assert meta.loaded(c) == meta.Loaded()
        meta.keep_loaded(c, NOW)
        meta.keep_loaded(c, later(5), ["checks/a.yaml:4: unknown"] * 60)
        assert meta.loaded(c) == meta.Loaded(NOW, later(5), ("checks/a.yaml:4: unknown",) * meta.MAX_PROBLEMS), "the old ones are in force"
        meta.keep_loaded(c, later(9))
        assert meta.loaded(c) == meta.Loaded(later(9))


def test_releasing_frees_at_once_and_the_epoch_still_grows(database):
    with database.write() as c:
        first = leases.acquire(c, "leader", "a", NOW)
        leases.release(c, "leader", first, later(1))
        assert leases.holder_of(c, "leader", later(1)) is None
        with pytest.raises(LeaseLost):
            leases.renew(c, "leader", first, later(1))
        second = leases.acquire(c, "leader", "b", later(1))
        assert second == 2
        leases.release(c, "leader", first, later(2))
        assert leases.holder_of(c, "leader", later(2)) == "b", "a stale release must not free another's lease"


def test_a_lease_written_by_a_clock_set_back_since_does_not_block(database):
    with database.write() as c:
        leases.acquire(c, "leader", "a", later(3600))
        assert leases.acquire(c, "leader", "b", NOW) == 2


def test_of_many_at_once_one_gets_it(database):
    got: list[int | None] = []
    start = threading.Barrier(8)

    def grab(name: str) -> None:
        start.wait()
        with database.write() as c:
            got.append(leases.acquire(c, "leader", name, NOW))

    threads = [threading.Thread(target=grab, args=(f"p{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got, key=str) == [1] + [None] * 7
