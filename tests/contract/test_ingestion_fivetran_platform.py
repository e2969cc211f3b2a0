"""The fivetran_platform source on log rows in the shape that Fivetran documents, in DuckDB, SQLite and PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from ingestion_contract import check_source
from pydantic import SecretStr

from dqmon.core.load_record import LoadStatus
from dqmon.errors import SourceError
from dqmon.ingestion.base import sql_rows
from dqmon.ingestion.base.fivetran_log import Sync
from dqmon.ingestion.fivetran_platform import FivetranPlatform, FivetranPlatformOptions
from dqmon.warehouses.duckdb import Duckdb
from dqmon.warehouses.postgres import Postgres
from dqmon.warehouses.sqlite import Sqlite

FIXTURE = Path(__file__).parents[1] / "fixtures" / "ingestion" / "fivetran_platform" / "log.json"
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
DELIVERED = datetime(2026, 11, 20, 12, tzinfo=UTC)
CONNECTION = "paint_wedges"


class Place:
    """A warehouse with Fivetran's tables, and an engine to write them with."""

    def __init__(self, kind, path, database):
        schema = "main" if kind == "sqlite" else "fivetran_metadata"
        if kind == "postgres":
            url, self.warehouse = database(), None
            self.warehouse = Postgres("dwh", Postgres.Options(url=SecretStr(url)))
        else:
            url, made = f"{kind}:///{path}/dwh.{kind}", {"duckdb": Duckdb, "sqlite": Sqlite}[kind]
            self.warehouse = made("dwh", made.Options(path=f"{path}/dwh.{kind}"))
        self.engine = sa.create_engine(url, poolclass=sa.NullPool)
        moment = sa.TIMESTAMP(timezone=True)
        data = sa.JSON().with_variant(sa.dialects.postgresql.JSONB(), "postgresql") if kind == "postgres" else sa.Text()
        names = ("id", "connection_id", "event", "message_event", "transformation_id", "sync_id")
        tables = sa.MetaData(schema=schema)
        self.log = sa.Table(
            "log",
            tables,
            *(sa.Column(name, sa.Text) for name in names),
            sa.Column("message_data", data),
            *(sa.Column(name, moment) for name in ("time_stamp", "_fivetran_synced")),
        )
        texts = [sa.Column(name, sa.Text) for name in ("connection_id", "connection_name", "connector_type", "destination_id")]
        self.connections = sa.Table(
            "connection", tables, *texts, sa.Column("paused", sa.Boolean), sa.Column("_fivetran_deleted", sa.Boolean)
        )
        with self.engine.begin() as connection:
            if kind != "sqlite":
                connection.exec_driver_sql(f"create schema {schema}")
            tables.create_all(connection)
        self.is_json = kind == "postgres"
        self.source = FivetranPlatform("five", FivetranPlatformOptions(warehouse="dwh", db_schema=schema), self.warehouse)

    def write(self, *events):
        with self.engine.begin() as connection:
            connection.execute(self.log.insert(), [self._row(event) for event in events])

    def connect(self, id_, paused=False, deleted=False):
        with self.engine.begin() as connection:
            row = {"connection_id": id_, "connection_name": "shop", "paused": paused, "_fivetran_deleted": deleted}
            connection.execute(self.connections.insert(), [row])

    def _row(self, event):
        row = dict.fromkeys(column.name for column in self.log.columns) | event
        for name in ("time_stamp", "_fivetran_synced"):
            row[name] = datetime.fromisoformat(row[name]) if isinstance(row[name], str) else row[name]
        if self.is_json and row["message_data"] is not None:
            row["message_data"] = json.loads(row["message_data"])
        return row


@pytest.fixture(params=["duckdb", "sqlite", "postgres"])
def place(request, tmp_path):
    found = Place(request.param, tmp_path, lambda: request.getfixturevalue("postgres_database"))
    yield found
    found.warehouse.close()


@pytest.fixture
def duck(tmp_path):
    found = Place("duckdb", tmp_path, None)
    yield found
    found.warehouse.close()


def event(name, at, sync="s1", data=None, **fields):
    told = None if data is None else json.dumps(data)
    moment = SINCE + timedelta(minutes=at)
    common = {"id": f"{sync}{name}{at}{told}", "connection_id": CONNECTION, "_fivetran_synced": DELIVERED}
    return common | {"message_event": name, "time_stamp": moment, "sync_id": sync, "message_data": told} | fields


def sync(*between, status="SUCCESSFUL", id_="s1", begin=60, end=70, **said):
    return [event("sync_start", begin, id_), *between, event("sync_end", end, id_, {"status": status} | said)]


def only(records, table=None):
    (found,) = [r for r in records if r.table == table]
    return found


def test_the_documented_log(place):
    place.write(*json.loads(FIXTURE.read_text()))
    place.connect(CONNECTION)
    records = check_source(place.source, SINCE, NOW)
    assert [(r.load_id, r.table, r.status.value, r.raw_status, r.rows) for r in records] == [
        ("s1", None, "succeeded", "SUCCESSFUL", 42),
        ("s1", "shop.orders", "succeeded", "SUCCESSFUL", 42),
        ("s2", None, "failed", "FAILURE_WITH_TASK", None),
        ("s2", "orders", "failed", "FAILURE_WITH_TASK", None),
    ]
    done, _, failed, altered = records
    assert (done.started_at, done.finished_at) == (SINCE + timedelta(hours=6), SINCE + timedelta(hours=6, minutes=2))
    assert (done.error, failed.error) == (None, "source credentials expired")
    assert altered.extra == failed.extra == {"schema_changes": "column_added: orders.coupon"}
    assert {r.pipeline for r in records} == {CONNECTION}


def test_connections(place):
    place.write(*sync())
    for id_, paused, deleted in (
        ("b", True, False),
        ("a", False, None),
        ("gone", False, True),
        ("moved", True, True),
        ("moved", False, False),
    ):
        place.connect(id_, paused, deleted)
    found = place.source.pipelines()
    assert [(i.pipeline, i.is_paused) for i in found] == [("a", False), ("b", True), ("moved", False)]
    assert {i.heartbeat_at for i in found} == {DELIVERED}, "the log tells when it was last delivered"


def test_before_the_first_delivery_there_is_nothing(place):
    place.connect("a")
    assert [(i.pipeline, i.heartbeat_at) for i in place.source.pipelines()] == [("a", None)]
    assert place.source.loads(SINCE, NOW) == ()


def test_a_sync_is_read_when_its_log_is_delivered_however_old_it_is(place):
    """Fivetran delivers once a day: a window by the events' own time alone would never see them."""
    place.write(*sync(event("records_modified", 65, data={"schema": "s", "table": "t", "count": 3})))
    window = DELIVERED - timedelta(minutes=1), DELIVERED + timedelta(minutes=1)
    assert [(r.table, r.rows) for r in place.source.loads(*window)] == [(None, 3), ("s.t", 3)]
    assert place.source.loads(window[1], NOW) == (), "it was delivered once"


def test_a_sync_that_began_days_before_the_window_is_whole(duck):
    duck.write(
        *sync(
            *(event("records_modified", m, data={"schema": "s", "table": "t", "count": 1}) for m in (-5_000, -3_000, 10)),
            begin=-6_000,
        )
    )
    record = only(duck.source.loads(SINCE, NOW))
    assert (record.rows, record.started_at) == (3, SINCE - timedelta(minutes=6_000))


@pytest.mark.parametrize(
    ("status", "reason", "expected", "error"),
    [
        ("SUCCESSFUL", None, "succeeded", None),
        ("FAILURE", None, "failed", "Fivetran gives no reason"),
        ("FAILURE_WITH_TASK", "log in again", "failed", "log in again"),
        ("CANCELED", None, "cancelled", None),
        ("RESCHEDULED", "rate limit", "partial", "rate limit"),
        (
            "RESCHEDULED",
            "We have rescheduled the connection to flush data. This is intended behavior and means that it works.",
            "skipped",
            "We have rescheduled the connection to flush data. This is intended behavior and means that it works.",
        ),
        ("A_WORD_OF_THE_FUTURE", None, "unknown", None),
        (None, None, "unknown", None),
    ],
)
def test_statuses(duck, status, reason, expected, error):
    duck.write(*sync(status=status, reason=reason))
    record = only(check_source(duck.source, SINCE, NOW))
    assert (record.status.value, record.error) == (expected, error)


def test_rows_are_those_of_each_table_and_of_all(duck):
    modified = [
        event("records_modified", m, data={"schema": "shop", "table": t, "operationType": op, "count": n})
        for m, t, op, n in ((61, "orders", "REPLACED_OR_INSERTED", 40), (62, "orders", "DELETED", 2), (63, "users", "UPDATED", "7"))
    ]
    duck.write(*sync(*modified))
    assert {r.table: r.rows for r in duck.source.loads(SINCE, NOW)} == {None: 49, "shop.orders": 42, "shop.users": 7}


def test_a_success_without_rows_has_none_and_a_failure_cannot_say(duck):
    duck.write(*sync(id_="a"), *sync(id_="b", status="FAILURE", begin=80, end=90))
    assert {r.load_id: r.rows for r in duck.source.loads(SINCE, NOW)} == {"a": 0, "b": None}


def test_a_sync_without_an_end_is_running(duck):
    duck.write(event("sync_start", 60), event("records_modified", 61, data={"schema": "s", "table": "t", "count": 1}))
    record = only(check_source(duck.source, SINCE, NOW))
    assert (record.status, record.finished_at, record.rows) == (LoadStatus.RUNNING, None, 1)


def test_transformations_and_other_connections_are_kept_apart(duck):
    noise = event("sync_end", 75, "t1", {"status": "FAILURE"}, transformation_id="tr")
    duck.write(*sync(), noise, event("api_call", 61), event("sync_start", 62, None), *sync(id_="s9"))
    assert {r.load_id for r in duck.source.loads(SINCE, NOW)} == {"s1", "s9"}


def test_changes_of_the_schema(duck):
    made = {"schema": "shop", "name": "orders", "columns": {"id": "INTEGER"}}
    duck.write(
        *sync(
            event("create_table", 60, data=made),
            event("create_table", 60, data={"schema": "shop_staging", "name": "orders_7f"}),
            event("drop_table", 61, data={"schema": "shop_staging", "name": "orders_7f"}),
            event("drop_table", 61, data={"schema": "shop", "name": "old"}),
            event(
                "alter_table", 62, data={"type": "ADD_COLUMN", "table": "orders", "properties": {"columnName": "a", "dataType": "STRING"}}
            ),
            event("alter_table", 63, data={"type": "DROP_COLUMN", "table": "orders", "properties": {"columnName": "b"}}),
            event("alter_table", 64, data={"type": "CHANGE_COLUMN_TYPE", "table": "orders", "properties": {"columnName": "c\nd"}}),
            event("alter_table", 65, data={"type": "RENAME", "table": "orders"}),
            event("alter_table", 65, data={"properties": 3}),
            event("records_modified", 66, data={"schema": "shop", "table": "orders", "count": 1}),
        )
    )
    found = {r.table: r.extra.get("schema_changes", "").splitlines() for r in duck.source.loads(SINCE, NOW)}
    altered = [
        "column_added: orders.a (STRING)",
        "column_removed: orders.b",
        "type_changed: orders.c d",
        "version_changed: orders (rename)",
    ]
    assert found[None] == ["table_added: shop.orders", "table_removed: shop.old", *altered]
    assert found["shop.old"] == ["table_removed: shop.old"]
    assert set(altered) <= set(found["shop.orders"]), "alter_table does not tell the schema, and is of the table with that name"


@pytest.mark.parametrize("told", ["{", "[1]", "7", "[" * 100_000, '{"status": []}'])
def test_an_end_that_cannot_be_read_is_no_success(told):
    found = Sync("c", "s")
    found.add("sync_end", NOW, told)
    assert found.status is LoadStatus.UNKNOWN


def test_more_rows_than_one_statement_may_give_are_asked_for_in_halves(duck, monkeypatch):
    monkeypatch.setattr(sql_rows, "ROW_LIMIT", 4)
    for day in range(5):
        duck.write(*sync(id_=f"d{day}", begin=day * 1_440, end=day * 1_440 + 5))
    assert len(duck.source.loads(SINCE, SINCE + timedelta(days=6))) == 5


def test_too_many_rows_of_one_second_are_told(duck, monkeypatch):
    monkeypatch.setattr(sql_rows, "ROW_LIMIT", 2)
    duck.write(*sync(*(event("records_modified", 60, data={"table": t, "count": 1}) for t in "abc")))
    with pytest.raises(
        SourceError, match=r"ingestion five \(fivetran_platform in dwh\) cannot be read: there are more than .* of one second"
    ):
        duck.source.loads(SINCE, NOW)


def test_a_schema_without_the_log_is_a_source_error(tmp_path):
    warehouse = Sqlite("dwh", Sqlite.Options(path=str(tmp_path / "x.db")))
    sa.create_engine(f"sqlite:///{tmp_path}/x.db", poolclass=sa.NullPool).connect().close()
    (tmp_path / "x.db").touch()
    source = FivetranPlatform("five", FivetranPlatformOptions(warehouse="dwh", db_schema="main"), warehouse)
    for ask in (source.pipelines, lambda: source.loads(SINCE, NOW)):
        with pytest.raises(SourceError, match=r"ingestion five .*(log|connection)"):
            ask()
    with pytest.raises(SourceError, match="'dwh' is not configured"):
        FivetranPlatform("five", FivetranPlatformOptions(warehouse="dwh"), None)
