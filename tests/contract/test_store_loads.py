"""What is kept of loads, pipelines and changed values, on both engines of the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dqmon.core.check import PipelineRef, Schedule
from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.measurement import Measurement, MetricRequest
from dqmon.core.table import TableRef
from dqmon.sql.metrics import LatestInstant
from dqmon.store import aged, backlogs, loads, measurements, pipelines
from dqmon.store.changes import changes
from dqmon.store.database import Database
from dqmon.store.series import history_key

T = datetime(2026, 11, 20, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, tmp_path):
    url = f"sqlite:///{tmp_path}/store.db" if request.param == "sqlite" else request.getfixturevalue("postgres_database")
    database = Database(url)
    database.prepare()
    yield database
    database.close()


def load(number, pipeline="p", status=LoadStatus.SUCCEEDED, table=None):
    end = T + number * HOUR
    return LoadRecord("s", pipeline, f"L{number}", status, end, table=table, started_at=end - HOUR / 2, finished_at=end, scheduled_for=end)


def test_records_are_found_by_their_keys_and_half_done_ones_by_their_source(store):
    found = [load(1), load(1, table="t"), load(2, status=LoadStatus.PARTIAL), load(2, "q", LoadStatus.PARTIAL)]
    with store.write() as connection:
        loads.upsert(connection, found)
        assert loads.kept(connection, [*found[:3], load(9)]) == {loads.key_of(record): record for record in found[:3]}
        assert loads.kept(connection, []) == {}
        assert loads.half_done(connection, "s") == (found[2], found[3])
        assert loads.half_done(connection, "other") == ()


def test_the_newest_records_of_pipelines(store):
    everything = [load(n, pipeline, table=table) for pipeline in "pq" for n in range(6) for table in (None, "t")]
    with store.write() as connection:
        loads.upsert(connection, [*everything, load(7, status=LoadStatus.FAILED)])
        refs = {PipelineRef("s", name) for name in ("p", "q", "never")}
        whole = loads.newest(connection, refs, 2, T, whole=True)
        parts = loads.newest(connection, refs, 4, T, whole=False)
        assert loads.newest(connection, (), 2, T, whole=True) == {}
    assert {ref.pipeline: [r.load_id for r in found] for ref, found in whole.items()} == {"p": ["L5", "L7"], "q": ["L4", "L5"], "never": []}
    assert {(r.load_id, r.table) for r in parts[PipelineRef("s", "p")]} == {("L4", None), ("L4", "t"), ("L5", None), ("L5", "t")}


def test_what_is_said_of_pipelines_is_kept_with_when_they_were_first_seen(store):
    ref, info = PipelineRef("s", "p"), PipelineInfo("s", "p", is_paused=True, schedule=Schedule(None, 3600, "UTC"))
    with store.write() as connection:
        pipelines.note(connection, "s", [PipelineInfo("s", "p")], T)
        pipelines.note(connection, "s", [info, PipelineInfo("s", "q")], T + HOUR)
        assert pipelines.infos_of(connection, {ref}) == {ref: info}
        assert [pipelines.first_seen(connection, "s", name, T + 9 * HOUR) for name in "pq"] == [T, T + HOUR]


def test_a_source_that_was_never_read_can_be_lost_and_then_read(store):
    with store.write() as connection:
        pipelines.unread(connection, {"s": "HTTP 503"}, T)
        assert (pipelines.last_poll(connection, "s"), pipelines.contacts(connection)["s"].is_lost) == (None, True)
        pipelines.polled(connection, "s", T + HOUR)
        assert pipelines.contacts(connection) == {"s": pipelines.Contact(T + HOUR, T, "HTTP 503")}
        assert not pipelines.contacts(connection)["s"].is_lost


def test_samples_of_backlogs_age(store):
    with store.write() as connection:
        for hour in range(60):
            backlogs.keep(connection, [Backlog("s", "p", hour, "files", T + hour * HOUR)])
        assert aged.delete_samples(connection, backlogs.KEPT, T + 60 * HOUR, 1000) == 11
        assert [one.pending for one in backlogs.samples_of(connection, "s", "p", T + 57 * HOUR)] == [57, 58, 59]


def test_changes_are_between_two_measurements_and_failures_are_left_out(store):
    request = MetricRequest(TableRef("main", None, "s", "t"), LatestInstant("a"), None, None, (), 50, "UTC")
    other = replace(request, metric=LatestInstant("b"))
    values = [T, T, T + HOUR, T + HOUR, None, T + 4 * HOUR]
    with store.write() as connection:
        for hour, value in enumerate(values):
            at = T + hour * HOUR
            measured = [Measurement(one, (), value, None, at, 0.1, f"scan{hour}") for one in (request, other)]
            measurements.add(connection, f"run{hour}", measured, scheduled_at=at)
        key = history_key(request, (), "check")
        found = changes(connection, {key}, T)
    restored = [(one.at, one.after, LatestInstant("a").restore(None, one.text)) for one in found[key]]
    assert restored == [
        (T + 2 * HOUR, T + HOUR, T + HOUR),
        (T + 4 * HOUR, T + 3 * HOUR, None),
        (T + 5 * HOUR, T + 4 * HOUR, T + 4 * HOUR),
    ]
