"""Polling: what is read again, what is kept, and what an unreachable source means."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dqmon.core.check import PipelineRef, Schedule
from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.engine.polling.poll import FIRST_POLL, OVERLAP, poll
from dqmon.errors import SourceError, StoreError
from dqmon.store import backlogs, loads, pipelines
from dqmon.store.database import Database

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Recorded:
    """A source that answers with what it was given, and notes the windows that it was asked for."""

    def __init__(self, *records, name="dlt", provides=("success", "rows", "orphans"), error=None):
        self.name, self.provides, self.records, self.error, self.asked = name, frozenset(provides), records, error, []
        self.info, self.waiting = PipelineInfo(name, "p"), None

    def pipelines(self):
        if self.error:
            raise self.error
        return (self.info,)

    def loads(self, since, until):
        self.asked.append((since, until))
        return tuple(replace(record, observed_at=until) for record in self.records)

    def backlog(self, at):
        return (Backlog(self.name, "p", 7, "files", at),) if self.waiting is None else self.waiting


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
        assert pipelines.first_seen(connection, "dlt", "p", NOW + timedelta(days=1)) == NOW
        assert [backlog.pending for backlog in backlogs.of_pipeline(connection, "dlt", "p")] == [7]


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


def test_a_source_that_tells_no_orphans_is_not_asked_back_to_its_half_done_loads(store):
    source = Recorded(load("1", LoadStatus.PARTIAL, hours_ago=50), provides=("success",))
    poll({"dlt": source}, store, NOW)
    poll({"dlt": source}, store, NOW + timedelta(hours=1))
    assert source.asked[-1][0] == NOW - OVERLAP


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
    assert str(failures["bad"]).startswith(said)
    assert kept(store) == {("1", None): ("succeeded", 5)}
    with store.read() as connection:
        assert pipelines.last_poll(connection, "bad") is None, "what was not read must be read the next time"


def test_a_broken_store_is_not_taken_for_a_broken_source(tmp_path):
    with pytest.raises(StoreError):
        poll({"dlt": Recorded()}, Database(f"sqlite:///{tmp_path / 'missing' / 'store.db'}"), NOW)


def test_a_poll_for_an_earlier_time_reads_up_to_that_time_only(store):
    source = Recorded(load("1"))
    poll({"dlt": source}, store, NOW)
    poll({"dlt": source}, store, NOW - timedelta(days=3))
    assert source.asked[-1] == (NOW - timedelta(days=3) - OVERLAP, NOW - timedelta(days=3))
    with store.read() as connection:
        assert pipelines.last_poll(connection, "dlt") == NOW


def test_a_run_that_was_started_again_is_read_again(store):
    """Airflow runs a cleared DAG run again under its id."""
    first, again = load("1", rows=5), NOW + timedelta(minutes=2)
    source = Recorded(first)
    poll({"dlt": source}, store, NOW)
    source.records = (replace(first, status=LoadStatus.RUNNING, finished_at=None, rows=None),)
    poll({"dlt": source}, store, NOW + timedelta(minutes=1))
    assert kept(store) == {("1", None): ("running", None)}
    source.records = (replace(first, finished_at=again, rows=7),)
    poll({"dlt": source}, store, NOW + timedelta(minutes=3))
    assert kept(store) == {("1", None): ("succeeded", 7)}


def test_the_fire_that_a_run_is_of_is_kept(store):
    poll({"dlt": Recorded(replace(load("1"), scheduled_for=NOW - timedelta(hours=5)))}, store, NOW)
    with store.read() as connection:
        assert [r.scheduled_for for r in loads.of_pipeline(connection, "dlt", "p", NOW - FIRST_POLL)] == [NOW - timedelta(hours=5)]


def test_what_a_source_says_of_its_pipelines_and_why_it_could_not_be_read_is_kept(store):
    source, ref = Recorded(load("1")), PipelineRef("dlt", "p")
    source.info = PipelineInfo("dlt", "p", is_paused=False, schedule=Schedule("0 6 * * *", None, "Europe/Berlin"))
    poll({"dlt": source}, store, NOW)
    poll({"dlt": Recorded(error=SourceError("HTTP 503"))}, store, NOW + timedelta(minutes=1))
    with store.read() as connection:
        assert pipelines.infos_of(connection, {ref, PipelineRef("dlt", "q")}) == {ref: source.info}
        assert pipelines.contacts(connection) == {"dlt": pipelines.Contact(NOW, NOW + timedelta(minutes=1), "HTTP 503")}
        assert pipelines.contacts(connection)["dlt"].is_lost
    poll({"dlt": source}, store, NOW + timedelta(minutes=2))
    with store.read() as connection:
        assert not pipelines.contacts(connection)["dlt"].is_lost


def test_backlogs_are_sampled_once_a_minute_over_all_partitions(store):
    source = Recorded()
    for seconds, amounts in ((0, (3, 4)), (30, (5, 5)), (70, (1, 1))):
        at = NOW + timedelta(seconds=seconds)
        source.waiting = tuple(
            Backlog("dlt", "p", n, unit, at, part) for unit in ("bytes", "seconds") for part, n in zip("ab", amounts, strict=True)
        )
        poll({"dlt": source}, store, at)
    with store.read() as connection:
        found = [(s.observed_at, s.unit, s.pending) for s in backlogs.samples_of(connection, "dlt", "p", NOW)]
        assert len(backlogs.of_pipeline(connection, "dlt", "p")) == 4, "a partition may tell two units"
    later = NOW + timedelta(minutes=1)
    assert found == [(NOW, "bytes", 10), (NOW, "seconds", 5), (later, "bytes", 2), (later, "seconds", 1)]


def test_the_newest_records_of_many_pipelines_are_read_at_once(store):
    many = [replace(load(f"{n}", hours_ago=n + 1), pipeline=f"p{n % 450}") for n in range(1800)]
    poll({"dlt": Recorded(*many)}, store, NOW)
    refs = {PipelineRef("dlt", f"p{n}") for n in range(451)}
    with store.read() as connection:
        found = loads.newest(connection, refs, 3, NOW - FIRST_POLL, whole=True)
    assert [r.load_id for r in found[PipelineRef("dlt", "p7")]] == ["907", "457", "7"]
    assert {ref: len(records) for ref, records in found.items()} == {ref: 0 if ref.pipeline == "p450" else 3 for ref in refs}
    assert all(list(records) == sorted(records, key=lambda r: r.finished_at) for records in found.values())
