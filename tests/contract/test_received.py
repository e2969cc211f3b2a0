"""What jobs tell, kept by both stores: many at the same moment, each once."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import store_rows

from dqmon.config.targets import Facts, WarehouseFacts
from dqmon.engine.polling.received import keep_events, keep_ping
from dqmon.ingestion.heartbeat import Heartbeat, HeartbeatOptions, Ping
from dqmon.ingestion.openlineage import Openlineage, OpenlineageOptions
from dqmon.store import loads

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOKEN = "a-token-of-24-characters"
CRON = Heartbeat("cron", HeartbeatOptions.model_validate({"token": TOKEN, "pipelines": {"backup": None}}), None)
OL = Openlineage("ol", OpenlineageOptions.model_validate({"token": TOKEN, "job_namespace": "etl"}), None)
database, postgres_store = store_rows.database, store_rows.postgres_store
NAMES = OL.names(Facts({"main": WarehouseFacts("main")}, {}).table)


def kept(database, source, pipeline):
    with database.read() as connection:
        return loads.of_pipeline(connection, source, pipeline, NOW - timedelta(days=1))


def together(*tasks):
    failures = []

    def guarded(task):
        try:
            task()
        except Exception as e:  # noqa: BLE001 - a thread's failure is the test's
            failures.append(e)

    threads = [threading.Thread(target=guarded, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_two_ends_at_the_same_moment_end_one_run_and_make_one(database):
    keep_ping(database, CRON, "backup", Ping("start"), NOW)
    together(*(lambda n=n: keep_ping(database, CRON, "backup", Ping("success"), NOW + timedelta(seconds=n)) for n in (1, 2)))
    assert sorted((record.status.value, record.started_at is not None) for record in kept(database, "cron", "backup")) == [
        ("succeeded", False),
        ("succeeded", True),
    ]


def test_one_run_id_is_one_run_however_often_it_comes(database):
    together(*(lambda: keep_ping(database, CRON, "backup", Ping("fail", "a\0b"), NOW) for _ in range(8)))
    assert len(kept(database, "cron", "backup")) == 1


def test_events_of_one_run_at_the_same_moment_lose_nothing(database):
    def event(kind, minute, name):
        output = {"namespace": "x", "name": name, "outputFacets": {"outputStatistics": {"rowCount": minute}}}
        job = {"namespace": "etl", "name": "load"}
        return {"eventType": kind, "eventTime": f"2026-11-20T11:{minute:02}:00Z", "run": {"runId": "r"}, "job": job, "outputs": [output]}

    events = [event("START", 1, "a"), event("RUNNING", 2, "b"), event("COMPLETE", 3, "c"), event("OTHER", 4, "d")]
    together(*(lambda one=one: keep_events(database, [one], NAMES, NOW) for one in events))
    records = {record.table: record for record in kept(database, "ol", "load")}
    assert {name: record.rows for name, record in records.items()} == {None: 10, "a": 1, "b": 2, "c": 3, "d": 4}
    assert {record.status.value for record in records.values()} == {"succeeded"}


def test_the_longest_names_fit(database):
    """PostgreSQL takes 2,704 bytes in an index; texts that cannot be packed make it hard."""
    from random import Random

    chance = Random(7)
    name, table = ("".join(chance.choices("漢字仮名交文", k=333)) for _ in range(2))
    run_id = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=200))
    event = {"eventType": "COMPLETE", "eventTime": "2026-11-20T11:00:00Z", "run": {"runId": run_id}}
    event |= {"job": {"namespace": "etl", "name": name}, "outputs": [{"namespace": "x", "name": table}]}
    assert keep_events(database, [event], NAMES, NOW) == (None,)
    assert [record.table for record in kept(database, "ol", name)] == [None, table]
    too_long = event | {"job": {"namespace": "etl", "name": name + "x" * 2}}
    assert "longer than 1000 bytes" in keep_events(database, [too_long], NAMES, NOW)[0]
