"""Polling: what is read again, what is kept, and what an unreachable source means."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.engine.poll import FIRST_POLL, OVERLAP, poll
from dqmon.errors import SourceError, StoreError
from dqmon.store import loads
from dqmon.store.database import Database

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Recorded:
    """A source that answers with what it was given, and notes the windows that it was asked for."""

    def __init__(self, *records, name="dlt", provides=("success", "rows", "orphans"), error=None):
        self.name, self.provides, self.records, self.error, self.asked = name, frozenset(provides), records, error, []

    def pipelines(self):
        if self.error:
            raise self.error
        return (PipelineInfo(self.name, "p"),)

    def loads(self, since, until):
        self.asked.append((since, until))
        return tuple(replace(record, observed_at=until) for record in self.records)

    def backlog(self, at):
        return (Backlog(self.name, "p", 7, "files", at),)


def load(load_id, status=LoadStatus.SUCCEEDED, rows=5, table=None, hours_ago=2):
    at = NOW - timedelta(hours=hours_ago)
    finished = at if status is LoadStatus.SUCCEEDED else None
    return LoadRecord("dlt", "p", load_id, status, NOW, table=table, started_at=at, finished_at=finished, rows=rows)


@pytest.fixture
def store(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    database.prepare()
    return database


def kept(store):
    with store.read() as connection:
        return {(r.load_id, r.table): (r.status.value, r.rows) for r in loads.of_pipeline(connection, "dlt", "p", NOW - FIRST_POLL)}


def test_the_first_poll_reads_90_days_and_later_ones_overlap_by_ten_minutes(store):
    source = Recorded(load("1"))
    assert poll({"dlt": source}, store, NOW) == {}
    assert poll({"dlt": source}, store, NOW + timedelta(hours=1)) == {}
    assert source.asked == [(NOW - timedelta(days=90) - OVERLAP, NOW), (NOW - timedelta(minutes=10), NOW + timedelta(hours=1))]


def test_everything_read_is_kept(store):
    poll({"dlt": Recorded(load("1"), load("1", table="orders", rows=3))}, store, NOW)
    assert kept(store) == {("1", None): ("succeeded", 5), ("1", "orders"): ("succeeded", 3)}
    with store.write() as connection:
        assert loads.first_seen(connection, "dlt", "p", NOW + timedelta(days=1)) == NOW
        assert [backlog.pending for backlog in loads.backlogs_of(connection, "dlt", "p")] == [7]


def test_a_load_is_counted_once_though_a_merge_takes_rows_out_of_it_later(store):
    poll({"dlt": Recorded(load("1", rows=5))}, store, NOW)
    poll({"dlt": Recorded(load("1", rows=4))}, store, NOW + timedelta(minutes=1))
    assert kept(store) == {("1", None): ("succeeded", 5)}


def test_a_half_done_load_is_followed_until_it_is_done(store):
    half = load("1", LoadStatus.PARTIAL, rows=1, hours_ago=50)
    source = Recorded(half)
    poll({"dlt": source}, store, NOW)
    source.records = (replace(half, rows=2),)
    poll({"dlt": source}, store, NOW + timedelta(hours=1))
    assert source.asked[-1][0] == half.started_at, "the open load lies outside of the window that is read again"
    assert kept(store) == {("1", None): ("partial", 2)}
    source.records = (load("1", rows=9),)
    poll({"dlt": source}, store, NOW + timedelta(hours=2))
    assert kept(store) == {("1", None): ("succeeded", 9)}


@pytest.mark.parametrize(("provides", "status"), [(("success", "orphans"), "cancelled"), (("success",), "partial")])
def test_a_half_done_load_whose_rows_have_gone_is_over(store, provides, status):
    source = Recorded(load("1", LoadStatus.PARTIAL, rows=1), provides=provides)
    poll({"dlt": source}, store, NOW)
    source.records = ()
    poll({"dlt": source}, store, NOW + timedelta(hours=1))
    assert kept(store) == {("1", None): (status, 1)}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SourceError("ingestion bad: nobody listens"), "ingestion bad: nobody listens"),
        (KeyError("x"), "ingestion bad broke while it was read: KeyError: 'x'"),
    ],
)
def test_an_unreadable_source_is_named_and_the_others_are_read(store, error, said):
    good = Recorded(load("1"))
    failures = poll({"bad": Recorded(name="bad", error=error), "dlt": good}, store, NOW)
    assert list(failures) == ["bad"]
    assert failures["bad"].startswith(said)
    assert kept(store) == {("1", None): ("succeeded", 5)}
    with store.read() as connection:
        assert loads.last_poll(connection, "bad") is None, "what was not read must be read the next time"


def test_a_broken_store_is_not_taken_for_a_broken_source(tmp_path):
    with pytest.raises(StoreError):
        poll({"dlt": Recorded()}, Database(f"sqlite:///{tmp_path / 'missing' / 'store.db'}"), NOW)


def test_a_poll_for_an_earlier_time_reads_up_to_that_time_only(store):
    source = Recorded(load("1"))
    poll({"dlt": source}, store, NOW)
    poll({"dlt": source}, store, NOW - timedelta(days=3))
    assert source.asked[-1] == (NOW - timedelta(days=3) - OVERLAP, NOW - timedelta(days=3))
    with store.read() as connection:
        assert loads.last_poll(connection, "dlt") == NOW
