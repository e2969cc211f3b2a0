"""S3-compatible storage, a real server on loopback: what is read of it, how much, what cannot be reached, and what its errors say."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import deltalake
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from moto.server import ThreadedMotoServer

from dqmon.core.measurement import MetricRequest, Partition
from dqmon.core.table import TableRef
from dqmon.engine.measuring.means import Means
from dqmon.engine.measuring.measure import measure
from dqmon.errors import ConnectFailed, PermissionDenied, QueryFailed, TableMissing, WarehouseError
from dqmon.sql import metrics as m
from dqmon.warehouses.duckdb import Duckdb, DuckdbOptions

AT = datetime(2026, 4, 1, tzinfo=UTC)
DAYS = [date(2026, 1, 1) + timedelta(days=number) for number in range(90)]
SECRET = "canary-secret"  # pragma: allowlist secret


class Requests(logging.Handler):
    """What the server was asked for: (method, key) of each request that named an object."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.seen: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if found := re.search(r'(GET|HEAD|PUT|DELETE|POST) /lake/([^ ?"]+)', record.getMessage()):
            self.seen.append((found[1], found[2]))

    def data_files(self) -> set[str]:
        return {key for method, key in self.seen if method == "GET" and key.endswith(".parquet")}


class Store:
    def __init__(self, url: str, requests: Requests) -> None:
        self.url, self.requests = url, requests
        self.options = {"endpoint": url, "region": "us-east-1", "access_key_id": "canary", "secret_access_key": SECRET, "allow_http": True}
        self.client = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="canary", aws_secret_access_key=SECRET
        )
        self.delta = {"aws_endpoint_url": url, "aws_region": "us-east-1", "aws_access_key_id": "canary", "aws_secret_access_key": SECRET, "aws_allow_http": "true"}  # fmt: skip

    def put(self, key: str, table: pa.Table, bucket: str = "lake") -> None:
        """In one request, which waits a minute if it must; pyarrow's own file system takes three, each of 3 s at most."""
        written = pa.BufferOutputStream()
        pq.write_table(table, written)
        self.client.put_object(Bucket=bucket, Key=key, Body=written.getvalue().to_pybytes())

    def warehouse(self, files: dict[str, Any], **options: Any) -> Duckdb:
        return Duckdb("lake", DuckdbOptions.model_validate({"files": files, "s3": self.options} | options))


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    requests, logger = Requests(), logging.getLogger("werkzeug")
    level = logger.level
    logger.addHandler(requests)
    logger.setLevel(logging.INFO)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    made = Store(f"http://{host}:{port}", requests)
    for bucket in ("lake", "other"):
        made.client.create_bucket(Bucket=bucket)
    made.put("a.parquet", pa.table({"secret": [1]}), "other")
    made.put("private/a.parquet", pa.table({"secret": [1]}))
    yield made
    made.client.close()
    server.stop()
    logger.removeHandler(requests)
    logger.setLevel(level)


def ref(name: str) -> TableRef:
    return TableRef("lake", None, "main", name)


def count(warehouse: Duckdb, name: str, **how: Any) -> Any:
    means: Any = Means(lambda: AT, lambda: "scan", None, ())
    (found,) = measure(warehouse, [MetricRequest(ref(name), m.RowCount(), **how)], means).by_request.values()
    (measurement,) = found
    assert measurement.failure is None, measurement.failure
    return measurement.value


@pytest.mark.parametrize("path", [None, "w.duckdb"])
def test_files_of_all_kinds(store: Store, tmp_path: Path, path: str | None) -> None:
    """Beside a database file too, whose connections share what is allowed."""
    store.put("kinds/a.parquet", pa.table({"id": [1, 2]}))
    store.put("kinds/b.parquet", pa.table({"id": [3]}))
    store.client.put_object(Bucket="lake", Key="kinds/c.csv", Body=b"id,name\n1,x\n2,\n")
    store.client.put_object(Bucket="lake", Key="kinds/d.ndjson", Body=b'{"id": 1}\n{"id": 2}\n')
    at = "s3://lake/kinds"
    warehouse = store.warehouse(
        {"p": f"{at}/*.parquet", "c": f"{at}/c.csv", "j": {"json": f"{at}/*.ndjson"}}, path=path and str(tmp_path / path)
    )
    if path:
        duckdb.connect(tmp_path / path).close()
    assert [count(warehouse, name) for name in "pcj"] == [3, 2, 2]
    with warehouse.open() as session, warehouse.open() as second:
        assert {table.name for table, _ in session.tables("main")} == {"p", "c", "j"}
        assert second.columns(ref("c"))[1].name == "name"
        assert session.unchanged_proof(ref("p")) is None, "written a moment ago, by a clock that is not ours"
        assert [fragment.name for fragment in session.fragments(ref("p"))] == [f"{at}/a.parquet", f"{at}/b.parquet"]
    warehouse.close()


@pytest.fixture(scope="module")
def hive(store: Store) -> str:
    for day in DAYS:
        store.put(f"hive/day={day}/part.parquet", pa.table({"id": [1, 2, 3]}))
    return "s3://lake/hive/**/*.parquet"


@pytest.fixture(scope="module")
def delta(store: Store) -> str:
    days = [day for day in DAYS for _ in range(3)]
    deltalake.write_deltalake(
        "s3://lake/delta", pa.table({"id": [1, 2, 3] * 90, "day": days}), partition_by=["day"], storage_options=store.delta
    )
    return "s3://lake/delta"


@pytest.fixture(scope="module")
def iceberg(store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """By the days of a timestamp, hidden in the metadata: no folder has them, nor any column."""
    from pyiceberg.catalog import load_catalog
    from pyiceberg.transforms import DayTransform

    uri = f"sqlite:///{tmp_path_factory.mktemp('catalog')}/c.db"
    properties = {"type": "sql", "uri": uri, "warehouse": "s3://lake/iceberg"}
    access = {"s3.endpoint": store.url, "s3.region": "us-east-1", "s3.access-key-id": "canary", "s3.secret-access-key": SECRET}
    catalog = load_catalog("shop", **properties, **access)
    catalog.create_namespace("sales")
    schema = pa.schema([("id", pa.int64()), ("happened", pa.timestamp("us"))])
    table = catalog.create_table("sales.events", schema)
    with table.update_spec() as spec:
        spec.add_field("happened", DayTransform(), "day")
    names = []
    for day in DAYS:
        rows = {"id": [1, 2, 3], "happened": [datetime(day.year, day.month, day.day, hour) for hour in (0, 12, 23)]}
        store.put(f"loaded/{day}.parquet", pa.table(rows, schema=schema))
        names.append(f"s3://lake/loaded/{day}.parquet")
    table.add_files(names)
    catalog.close()
    return properties


@pytest.mark.parametrize(("kind", "column", "most"), [("hive", "day", 2), ("delta", "day", 1), ("iceberg", "happened", 1)])
@pytest.mark.parametrize("by", ["partition", "filter"])
def test_only_the_files_of_the_partition_are_read(  # noqa: PLR0917 - pytest passes them by name
    store: Store, request: pytest.FixtureRequest, kind: str, column: str, most: int, by: str
) -> None:
    """Hive: DuckDB opens one more file, the first, to see the columns."""
    found = request.getfixturevalue(kind)
    declared = {"hive": {"parquet": found, "hive": True}, "delta": {"delta": found}, "iceberg": {"iceberg": "sales.events"}}[kind]
    warehouse = store.warehouse({"t": declared}, catalogs={"shop": found} if kind == "iceberg" else {})
    start = datetime(2026, 2, 14, tzinfo=UTC)
    partition = Partition(column, start, start + timedelta(days=1))
    condition = f"{column} >= date '2026-02-14' and {column} < date '2026-02-15'"
    store.requests.seen.clear()
    assert count(warehouse, "t", **({"partition": partition} if by == "partition" else {"where": condition})) == 3
    files = store.requests.data_files()
    print(
        f"{kind} on S3 by {by}: 1 of {len(DAYS)} day partitions asked, {len(files)} data file(s) read, {len(store.requests.seen)} requests"
    )
    assert len(files) <= most, sorted(files)
    store.requests.seen.clear()
    assert count(warehouse, "t", where="id = 1") == 90
    assert len(store.requests.data_files()) == 90
    warehouse.close()


def test_the_log_answers_without_a_data_file(store: Store, delta: str, iceberg: dict[str, Any]) -> None:
    warehouse = store.warehouse({"d": {"delta": delta}, "i": {"iceberg": "sales.events"}}, catalogs={"shop": iceberg})
    store.requests.seen.clear()
    with warehouse.open() as session:
        assert [session.facts(ref(name)).rows for name in "di"] == [270, 270]
        assert session.facts(ref("d")).columns["day"].greatest == datetime(2026, 3, 31)
        assert [session.facts(ref(name)).columns["id"].nulls for name in "di"] == [0, 0]
        assert [len(session.fragments(ref(name))) for name in "di"] == [90, 90]
    assert store.requests.data_files() == set()
    warehouse.close()


ESCAPES = [
    "select * from read_csv('/etc/passwd', header = false, delim = ':')",
    "select * from read_text('/etc/passwd')",
    "select * from read_text('file:///etc/passwd')",
    "select * from read_blob('/proc/self/environ')",
    "select * from glob('/etc/*')",
    "select * from '{folder}/secret.parquet'",
    "select * from read_parquet('{folder}/open/../secret.parquet')",
    "select * from read_parquet('s3://other/a.parquet')",
    "select * from read_parquet('s3://lake/private/a.parquet')",
    "select * from read_parquet('s3://lake/open/../private/a.parquet')",
    "select * from read_parquet('s3://lake/open/x/../../private/a.parquet')",
    "select * from read_parquet('s3://lake/open/../../other/a.parquet')",
    "select * from read_parquet('s3://lake/open//../../private/*.parquet')",
    "select * from read_parquet('s3://lake/open/./../private/*.parquet')",
    "select * from glob('s3://lake/open/../**')",
    "select * from glob('s3://*/**')",
    "select * from read_parquet('s3a://other/a.parquet')",
    "select * from read_parquet('http://127.0.0.1:1/a.parquet')",
    "select * from read_parquet('https://example.com/a.parquet')",
    "attach '{folder}/evil.duckdb' as evil",
    "attach 's3://lake/open/evil.duckdb' as evil",
    "copy (select 1) to '{folder}/evil.csv'",
    "copy (select 1) to 's3://lake/open/evil.parquet'",
    "copy (select 1) to 's3://lake/private/evil.parquet'",
    "export database '{folder}/evil'",
    "export database 's3://lake/open/evil'",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "set allowed_directories = ['/']",
    "reset lock_configuration",
    "create secret evil (type s3, key_id 'x', secret 'y')",
]  # fmt: skip


@pytest.mark.parametrize("escape", ESCAPES)
def test_nothing_else_can_be_reached(store: Store, tmp_path: Path, escape: str) -> None:
    """Given to the connection itself, past all that dqmon looks at."""
    (tmp_path / "open").mkdir()
    for name in ("secret", "open/a"):
        duckdb.sql("select 1 as x").write_parquet(str(tmp_path / f"{name}.parquet"))
    store.put("open/a.parquet", pa.table({"x": [1]}))
    warehouse = store.warehouse({"near": f"{tmp_path}/open/*.parquet", "far": "s3://lake/open/**/*.parquet"})
    keys = {entry["Key"] for entry in store.client.list_objects_v2(Bucket="lake", Prefix="open")["Contents"]}
    with warehouse.open() as session:
        assert [len(session.columns(ref(name))) for name in ("near", "far")] == [1, 1]
        with pytest.raises(WarehouseError):
            pytest.fail(f"{escape} gave {session._rows(sa.text(escape.format(folder=tmp_path).replace(':', chr(92) + ':')), {}, 10)[:3]}")
    warehouse.close()
    assert {entry["Key"] for entry in store.client.list_objects_v2(Bucket="lake", Prefix="open")["Contents"]} == keys
    assert not list(tmp_path.rglob("evil*"))


@pytest.fixture
def break_store(store: Store) -> Callable[[str], dict[str, Any]]:
    """The `s3:` options of a store that fails in this way."""

    def broken(way: str) -> dict[str, Any]:
        return store.options | ({"endpoint": "http://127.0.0.1:9"} if way == "unreachable" else {})

    return broken


@pytest.mark.parametrize("kind", ["parquet", "delta"])
@pytest.mark.parametrize(("way", "place", "error", "words"), [
    ("nothing there", "lake/nothing", TableMissing, r"table 't' cannot be read from its file: .*s3://lake/nothing"),
    ("no bucket", "nowhere/x", TableMissing, "there is no bucket 'nowhere'"),
    ("unreachable", "lake/delta", ConnectFailed, r"the store or catalog of s3://lake/delta.* cannot be reached; look at `s3:`"),
])  # fmt: skip
def test_what_is_not_there_is_said(  # noqa: PLR0917 - pytest passes them by name
    store: Store, break_store: Any, kind: str, way: str, place: str, error: type[Exception], words: str
) -> None:
    path = f"s3://{place}" + ("/*.parquet" if kind == "parquet" else "")
    warehouse = store.warehouse({"t": {kind: path}}, s3=break_store(way), connect_timeout="2s")
    with warehouse.open() as session, pytest.raises(error, match=words) as caught:
        session.columns(ref("t"))
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(warehouse.options)
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).isprintable()
    warehouse.close()


def test_a_half_written_object_is_said(store: Store) -> None:
    store.client.put_object(Bucket="lake", Key="half/a.parquet", Body=b"PAR1" + b"x" * 50)
    warehouse = store.warehouse({"t": "s3://lake/half/*.parquet"})
    with warehouse.open() as session, pytest.raises(TableMissing, match=r"table 't' cannot be read from its file: .*a\.parquet"):
        session.columns(ref("t"))
    warehouse.close()


def test_an_object_that_goes_away_while_it_is_read_is_said(store: Store) -> None:
    store.put("going/a.parquet", pa.table({"id": [1]}))
    deltalake.write_deltalake("s3://lake/going-delta", pa.table({"id": [1]}), storage_options=store.delta)
    warehouse = store.warehouse({"p": "s3://lake/going/*.parquet", "d": {"delta": "s3://lake/going-delta"}})
    with warehouse.open() as session:
        for name in "pd":
            session.columns(ref(name))
        for entry in store.client.list_objects_v2(Bucket="lake", Prefix="going")["Contents"]:
            store.client.delete_object(Bucket="lake", Key=entry["Key"])
        with pytest.raises(TableMissing, match="No files found that match the pattern"):
            session.fetch(sa.select(sa.func.sum(sa.column("id"))).select_from(sa.table("p")), 10)
        with pytest.raises(QueryFailed, match=r"a file of the table went away while it was read.*; run the check again"):
            session.fetch(sa.select(sa.func.sum(sa.column("id"))).select_from(sa.table("d")), 10)
    warehouse.close()


def test_errors_of_access_are_told_apart() -> None:
    from dqmon.warehouses.base.object_store import ObjectStore, S3Options, store_error

    known = ObjectStore(S3Options(), 1, 1)
    for words, kind in {
        "AWS Error ACCESS_DENIED during HeadObject operation": PermissionDenied,
        "AWS Error INVALID_ACCESS_KEY_ID during HeadObject operation": ConnectFailed,
        "Error performing PUT http://169.254.169.254/latest/api/token": ConnectFailed,
        "AWS Error NETWORK_CONNECTION during HeadObject operation": ConnectFailed,
    }.items():
        assert type(store_error(OSError(words), "s3://lake/x", known)) is kind, words
    missing = store_error(FileNotFoundError("/data/no credentials/a.csv does not exist"), "/data/no credentials/a.csv", known)
    assert type(missing) is TableMissing, "the words of a path are not those of a store"
