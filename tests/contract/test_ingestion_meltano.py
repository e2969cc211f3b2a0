"""The meltano source on the runs that Meltano 4.4 really left behind, in a SQLite and a PostgreSQL system database."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from ingestion_contract import check_source
from pydantic import SecretStr

from dqmon.core.load_record import LoadStatus
from dqmon.errors import SourceError
from dqmon.ingestion import meltano
from dqmon.ingestion.meltano import Meltano, MeltanoOptions
from dqmon.warehouses.postgres import Postgres
from dqmon.warehouses.sqlite import Sqlite

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ingestion" / "meltano"
JOB = "dev:tap-demo-to-target-demo"
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
STATES = ("IDLE", "RUNNING", "SUCCESS", "FAIL", "DEAD", "STATE_EDIT", "FUTURE", "fail")
TIMES = ("started_at", "ended_at", "last_heartbeat_at")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    """(An engine to write with, the warehouse to read with) of a system database without any run."""
    if request.param == "sqlite":
        path = str(tmp_path / "meltano.db")
        url, warehouse, moment = f"sqlite:///{path}", Sqlite("system", Sqlite.Options(path=path)), "DATETIME"
        state = "VARCHAR(7)"
    else:
        url = request.getfixturevalue("postgres_database")
        warehouse, moment = Postgres("system", Postgres.Options(url=SecretStr(url))), "TIMESTAMP"
        state = "job_state"
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        if state == "job_state":
            connection.exec_driver_sql(f"create type job_state as enum {STATES}")
        for statement in (
            (FIXTURES / "schema.sql").read_text().replace("DATETIME", moment).replace("state VARCHAR(7)", f"state {state}").split(";")
        ):
            if statement.strip():
                connection.exec_driver_sql(statement)
    yield engine, warehouse
    warehouse.close()


@pytest.fixture
def engine(place):
    return place[0]


@pytest.fixture
def source(place):
    return Meltano("elt", MeltanoOptions(warehouse="system"), place[1])


def write(engine, rows):
    given = [
        row if engine.dialect.name == "sqlite" else row | {t: row[t] and datetime.fromisoformat(row[t]) for t in TIMES} for row in rows
    ]
    columns = ", ".join(f'"{name}"' for name in given[0])
    with engine.begin() as connection:
        connection.execute(sa.text(f"insert into runs ({columns}) values ({', '.join(value(engine, name) for name in given[0])})"), given)


def value(engine, name):
    return "cast(:state as job_state)" if name == "state" and engine.dialect.name == "postgresql" else f":{name}"


def recorded():
    return json.loads((FIXTURES / "meltano_db.json").read_text())["runs"]


def run(number, state, **fields):
    return recorded()[0] | {"id": number, "state": state, **fields}


def test_recorded_runs(engine, source):
    write(engine, recorded())
    records = check_source(source, SINCE, NOW)
    assert [(r.pipeline, r.load_id, r.table, r.status.value, r.cursor) for r in records] == [
        (JOB, "1", None, "succeeded", "2026-11-19T02:00:00Z"),
        (JOB, "1", "orders", "succeeded", "2026-11-19T02:00:00Z"),
        (JOB, "2", None, "failed", None),
    ], "the failed run moved the bookmark, too, and must not be believed"
    done, _, failed = records
    assert done.started_at == datetime(2026, 11, 20, 13, 10, 39, 607936, UTC)
    assert done.finished_at == datetime(2026, 11, 20, 13, 10, 39, 965911, UTC)
    assert done.heartbeat_at == datetime(2026, 11, 20, 13, 10, 39, 724905, UTC)
    assert (done.error, failed.error) == (None, "Extractor failed")
    assert [info.pipeline for info in source.pipelines()] == [JOB]


def test_a_run_that_was_killed_is_told_with_its_last_heartbeat(engine, source):
    write(engine, [run(1, "RUNNING", ended_at=None, payload="{}")])
    (record,) = check_source(source, NOW, NOW)
    assert (record.status, record.finished_at) == (LoadStatus.RUNNING, None)
    assert record.heartbeat_at == datetime(2026, 11, 20, 13, 10, 39, 724905, UTC)


@pytest.mark.parametrize(
    ("state", "expected"), [("IDLE", "queued"), ("DEAD", "failed"), ("SUCCESS", "succeeded"), ("FUTURE", "unknown"), ("fail", "unknown")]
)
def test_statuses(engine, source, state, expected):
    write(engine, [run(1, state, ended_at=None if state == "IDLE" else "2026-11-20 13:11:00.000000", payload="{}")])
    (record,) = check_source(source, SINCE, NOW)
    assert record.status.value == expected
    assert (record.error is not None) is (expected == "failed")


def test_a_state_that_was_set_by_hand_is_no_run(engine, source):
    write(engine, [run(1, meltano._EDIT, job_name="dev:by-hand")])
    assert source.loads(SINCE, NOW) == ()
    assert source.pipelines() == ()


@pytest.mark.parametrize(
    ("payload", "cursors"),
    [
        (None, []),
        ("", []),
        ("{", []),
        ("[1]", []),
        ("[" * 100_000, []),
        ('{"singer_state": {"bookmarks": 3}}', []),
        ('{"singer_state": {"bookmarks": {"a": {"replication_key_value": 7}, "b": {}}}}', [("a", "7"), ("b", None)]),
        ('{"singer_state": {"bookmarks": {"a": 3}}, "x": "' + " " * meltano.PAYLOAD_LIMIT + '"}', []),
    ],
    ids=["null", "empty", "cut", "list", "deep", "number", "two", "huge"],
)
def test_cursors_are_read_from_a_payload_within_limits(engine, source, payload, cursors):
    write(engine, [run(1, "SUCCESS", payload=payload)])
    records = source.loads(SINCE, NOW)
    assert [(r.table, r.cursor) for r in records if r.table] == cursors
    assert {r.status for r in records} == {LoadStatus.SUCCEEDED}


def test_another_tap_keeps_its_cursor_under_another_name(engine, place):
    write(engine, [run(1, "SUCCESS", payload='{"singer_state": {"bookmarks": {"a": {"updated": "2026-01-01"}}}}')])
    source = Meltano("elt", MeltanoOptions(warehouse="system", cursor_key="updated"), place[1])
    assert {r.cursor for r in source.loads(SINCE, NOW)} == {"2026-01-01"}


def test_two_runs_under_one_run_id_are_both_told(engine, source):
    """`meltano run a b a b` runs the same job twice under one id."""
    write(engine, [run(1, "SUCCESS", payload="{}"), run(2, "SUCCESS", payload="{}")])
    assert [r.load_id for r in check_source(source, SINCE, NOW)] == ["1", "2"]


def test_a_database_without_runs_is_a_source_error(tmp_path):
    path = tmp_path / "empty.db"
    sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool).connect().close()
    path.touch()
    source = Meltano("elt", MeltanoOptions(warehouse="system"), Sqlite("system", Sqlite.Options(path=str(path))))
    for ask in (source.pipelines, lambda: source.loads(SINCE, NOW)):
        with pytest.raises(SourceError, match=r"ingestion elt .*runs"):
            ask()


def test_a_database_that_is_not_there_is_a_source_error(tmp_path):
    source = Meltano("elt", MeltanoOptions(warehouse="system"), Sqlite("system", Sqlite.Options(path=str(tmp_path / "nowhere.db"))))
    with pytest.raises(SourceError, match=r"nowhere\.db"):
        source.loads(SINCE, NOW)


def test_a_warehouse_that_is_not_configured_is_a_source_error():
    with pytest.raises(SourceError, match="system"):
        Meltano("elt", MeltanoOptions(warehouse="system"), None)
