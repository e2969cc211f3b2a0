"""The dlt source on what dlt really left behind, in real DuckDB and PostgreSQL tables."""

from __future__ import annotations

import base64
import json
import tracemalloc
import zlib
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from dqmon.core.load_record import LoadStatus
from dqmon.engine.polling.poll import poll
from dqmon.errors import SourceError
from dqmon.ingestion.base import dlt_tables
from dqmon.ingestion.dlt import Dlt, DltOptions
from dqmon.store.database import Database
from dqmon.warehouses.duckdb import Duckdb
from dqmon.warehouses.postgres import Postgres

FIXTURES = Path(__file__).parents[1] / "fixtures" / "dlt"
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
TIMES = {"inserted_at", "created_at"}


class Counting:
    """A warehouse that notes the statements it is asked."""

    def __init__(self, warehouse):
        self.warehouse, self.name, self.timeout_s, self.statements = warehouse, warehouse.name, warehouse.timeout_s, []

    @contextmanager
    def open(self):
        with self.warehouse.open() as session:
            self.session = session
            yield self

    def tables(self, schema):
        return self.session.tables(schema)

    def fetch(self, statement, timeout_s):
        self.statements.append(str(statement))
        return self.session.fetch(statement, timeout_s)


@pytest.fixture(params=["duckdb", "postgres"])
def place(request, tmp_path):
    """(An engine to write with, the warehouse to read with) of an empty database with the schema `raw`."""
    if request.param == "duckdb":
        path = str(tmp_path / "warehouse.duckdb")
        url, warehouse = f"duckdb:///{path}", Duckdb("main", Duckdb.Options(path=path))
    else:
        url = request.getfixturevalue("postgres_database")
        warehouse = Postgres("main", Postgres.Options(url=SecretStr(url)))
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("create schema raw"))
    yield engine, warehouse
    warehouse.close()


@pytest.fixture
def engine(place):
    return place[0]


@pytest.fixture
def source(place):
    return dlt_source(place[1])


def dlt_source(warehouse, dataset="raw"):
    return Dlt("shop_dlt", DltOptions(warehouse="main", dataset=dataset), warehouse)


def tables_of(state):
    """The table definitions and rows of a recorded state; orders and customers get as many rows as were counted."""
    found = {name: rows for name, rows in state.items() if name.startswith("_dlt")}
    for name in ("orders", "customers"):
        found[name] = [{"_dlt_load_id": r["_dlt_load_id"]} for r in state[f"rows_per_load:{name}"] for _ in range(r["n"])]
    return found


def load(engine, state):
    """Makes the tables of the schema `raw` hold exactly the recorded state."""
    for name, rows in tables_of(state).items():
        columns = [
            sa.Column(c, sa.DateTime(timezone=True) if c in TIMES else sa.BigInteger if type(v) is int else sa.String)
            for c, v in rows[0].items()
        ]
        table = sa.Table(name, sa.MetaData(), *columns, schema="raw")
        values = [{c: datetime.fromisoformat(v) if c in TIMES else v for c, v in row.items()} for row in rows]
        with engine.begin() as connection:
            table.drop(connection, checkfirst=True)
            table.create(connection)
            connection.execute(table.insert(), values)


def recorded(name):
    return json.loads((FIXTURES / f"{name}.json").read_text())


def summary(records):
    return [(r.load_id, r.table, r.status.value, r.rows) for r in records]


def test_a_load_that_committed_rows_but_never_completed_is_partial(engine, source):
    load(engine, recorded("duckdb_after_failed_load"))
    records = source.loads(SINCE, NOW)
    assert summary(records) == [
        ("1795179808.1111972", None, "succeeded", 8),
        ("1795179808.1111972", "customers", "succeeded", 3),
        ("1795179808.1111972", "orders", "succeeded", 5),
        ("1795179810.2189147", None, "succeeded", 5),
        ("1795179810.2189147", "customers", "succeeded", 3),
        ("1795179810.2189147", "orders", "succeeded", 2),
        ("1795179862.2154412", None, "partial", 1),
        ("1795179862.2154412", "orders", "partial", 1),
    ]
    assert {r.pipeline for r in records} == {"shop_pipeline"}
    first, partial = records[0], records[-1]
    assert first.finished_at == datetime(2026, 11, 20, 13, 3, 28, 388026, UTC)
    assert first.started_at == datetime.fromtimestamp(1795179808.1111972, UTC)
    assert partial.finished_at is None
    assert "never completed" in partial.error


def test_after_recovery_every_load_has_succeeded(engine, source):
    load(engine, recorded("duckdb_after_recovery"))
    records = source.loads(SINCE, NOW)
    assert {r.status for r in records} == {LoadStatus.SUCCEEDED}
    last = next(r for r in records if r.load_id == "1795179862.2154412" and r.table is None)
    assert (last.rows, last.finished_at) == (4, datetime(2026, 11, 20, 13, 14, 56, 255214, UTC))


def test_only_loads_completed_in_the_window_are_counted(engine, source):
    load(engine, recorded("duckdb_after_merge_update"))
    window = datetime(2026, 11, 20, 13, 20, tzinfo=UTC), datetime(2026, 11, 20, 13, 25, 53, 400939, UTC)
    assert source.loads(*window) == (), "the load that ends at `until` itself belongs to the next window"
    found = source.loads(window[0], window[1] + timedelta(microseconds=1))
    assert summary(found) == [
        ("1795181152.8796644", None, "succeeded", 4),
        ("1795181152.8796644", "customers", "succeeded", 3),
        ("1795181152.8796644", "orders", "succeeded", 1),
    ]


def test_a_load_made_after_now_is_not_reported(engine, source):
    load(engine, recorded("duckdb_after_failed_load"))
    records = source.loads(SINCE, datetime.fromtimestamp(1795179862, UTC))
    assert {r.status for r in records} == {LoadStatus.SUCCEEDED}


def test_the_statements_are_one_for_each_root_table_and_six_more(place):
    engine, warehouse = place[0], Counting(place[1])
    load(engine, recorded("duckdb_after_failed_load"))
    dlt_source(warehouse).loads(SINCE, NOW)
    counted = [s for s in warehouse.statements if "count(" in s]
    assert len(counted) == 2
    assert len(warehouse.statements) == 8, "\n\n".join(warehouse.statements)


def test_pipelines_lists_the_root_tables(engine, source):
    load(engine, recorded("duckdb_after_recovery"))
    (pipeline,) = source.pipelines()
    assert (pipeline.source, pipeline.pipeline, set(pipeline.tables)) == ("shop_dlt", "shop_pipeline", {"orders", "customers"})


def test_the_dump_of_postgres_gives_the_same_partial_load(postgres_database):
    engine = sa.create_engine(postgres_database, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql((FIXTURES / "postgres_raw_after_failed_load.sql").read_text().replace("%", "%%"))
    warehouse = Postgres("main", Postgres.Options(url=SecretStr(postgres_database)))
    records = dlt_source(warehouse).loads(SINCE, NOW)
    warehouse.close()
    assert [(r.load_id, r.table, r.rows) for r in records if r.status is LoadStatus.PARTIAL] == [
        ("1795179865.320885", None, 1),
        ("1795179865.320885", "orders", 1),
    ]


def test_a_missing_loads_table_is_a_source_error_that_says_so(source):
    with pytest.raises(SourceError, match=r"shop_dlt \(dlt in main:raw\) cannot be read: there is no table _dlt_loads in schema raw"):
        source.loads(SINCE, NOW)


@pytest.mark.parametrize("ask", [lambda source: source.loads(SINCE, NOW), lambda source: source.pipelines()])
def test_an_unreachable_warehouse_is_a_source_error(ask, tmp_path):
    path = str(tmp_path / "nowhere.duckdb")
    with pytest.raises(SourceError, match=r"shop_dlt \(dlt in main:raw\) cannot be read: .*nowhere\.duckdb"):
        ask(dlt_source(Duckdb("main", Duckdb.Options(path=path))))


def test_a_poll_opens_the_warehouse_once(engine, place, tmp_path):
    load(engine, recorded("duckdb_after_recovery"))
    opened, real = [], place[1].open
    store = Database(f"sqlite:///{tmp_path / 'store.db'}")
    store.prepare()
    place[1].open = lambda: opened.append(1) or real()
    assert poll({"shop_dlt": dlt_source(place[1])}, store, NOW) == {}
    assert opened == [1]


def test_a_root_table_that_was_dropped_by_hand_is_left_out(engine, source):
    load(engine, recorded("duckdb_after_recovery"))
    with engine.begin() as connection:
        connection.execute(sa.text("drop table raw.customers"))
    assert {r.table for r in source.loads(SINCE, NOW)} == {None, "orders"}


def test_without_states_and_versions_loads_are_known_by_their_schema(engine, source):
    load(engine, recorded("duckdb_after_recovery"))
    with engine.begin() as connection:
        connection.execute(sa.text("drop table raw._dlt_pipeline_state"))
        connection.execute(sa.text("drop table raw._dlt_version"))
    assert {(r.pipeline, r.table) for r in source.loads(SINCE, NOW)} == {("shop", None)}


def packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


@pytest.mark.parametrize("blob", [packed(b'{"schema_names": ["shop"]}'), '{"schema_names": ["shop"]}'], ids=["state", "plain-json"])
def test_a_state_is_decoded(blob):
    assert dlt_tables._decoded(blob, "the state") == {"schema_names": ["shop"]}


@pytest.mark.parametrize(
    ("blob", "said"),
    [
        (packed(b'{"a": "' + b" " * 64 * 1024**2 + b'"}'), "longer than 16 MB"),
        (None, "longer than 16 MB"),
        (packed(b"[1, 2]"), "no JSON object"),
        ("not base64 at all!", "neither JSON nor packed JSON"),
        (packed(b"{"), "neither JSON nor packed JSON"),
        (base64.b64encode(b"no zlib").decode(), "neither JSON nor packed JSON"),
        (packed(b"[" * 200_000), "neither JSON nor packed JSON"),
        ("", "neither JSON nor packed JSON"),
        # A pickle that would print when loaded: it is never unpickled.
        (base64.b64encode(b"cbuiltins\nprint\n(S'unpickled'\ntR.").decode(), "neither JSON nor packed JSON"),
    ],
    ids=["bomb", "long", "list", "garbage", "cut", "no-zlib", "deep", "empty", "pickle"],
)
def test_another_state_is_refused_with_memory_flat(blob, said, capsys):
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"the state of shop is .*{said}"):
        dlt_tables._decoded(blob, "the state of shop")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert capsys.readouterr().out == ""
    assert peak < 3 * dlt_tables.BLOB_LIMIT, f"{peak / 1024**2:.0f} MB were taken to refuse a state"


def test_a_state_that_is_refused_says_so_and_no_load_is_taken_for_another_pipelines(engine, source, monkeypatch):
    load(engine, recorded("duckdb_after_recovery"))
    with engine.begin() as connection:
        connection.execute(sa.text("update raw._dlt_pipeline_state set state = :bomb"), {"bomb": packed(b" " * 64 * 1024**2)})
    with pytest.raises(SourceError, match=r"cannot be read: the state of pipeline shop_pipeline is longer than 16 MB"):
        source.loads(SINCE, NOW)
    monkeypatch.setattr(dlt_tables, "BLOB_LIMIT", 1024**2 // 64)
    with pytest.raises(SourceError, match=r"cannot be read: the state of pipeline shop_pipeline is longer than"):
        source.pipelines()
