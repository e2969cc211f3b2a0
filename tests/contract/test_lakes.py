"""Delta and Iceberg tables as their own libraries write them: what is read of them is what these read."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.expressions import EqualTo
from pyiceberg.transforms import DayTransform
from pyiceberg.types import LongType, StringType

from dqmon.core.facts import TableFacts
from dqmon.core.table import TableRef
from dqmon.errors import ConnectFailed, TableMissing, WarehouseError
from dqmon.warehouses.base.duckdb_session import DuckdbSession
from dqmon.warehouses.duckdb import Duckdb, DuckdbOptions

T = TableRef("lake", None, "main", "t")

ROWS = {
    "id": pa.array([1, 2, 3, None], pa.int64()),
    "small": pa.array([1, 2, None, 4], pa.int32()),
    "price": pa.array([Decimal("1.10"), None, Decimal("-3.00"), Decimal("99999999.99")], pa.decimal128(10, 2)),
    "f": pa.array([1.5, float("nan"), None, float("inf")], pa.float64()),
    "s": pa.array(["a", "é" * 9, None, ""], pa.string()),
    "ok": pa.array([True, False, None, True]),
    "day": pa.array([date(2026, 1, 1), date(1, 1, 1), None, date(9999, 12, 31)]),
    "naive": pa.array([datetime(2026, 1, 1, 1, 2, 3, 456789), None, datetime(1, 1, 1), datetime(9999, 12, 31)], pa.timestamp("us")),
    "zoned": pa.array([datetime(2026, 1, 1, 1, 2, 3, 456789, tzinfo=UTC), None, None, None], pa.timestamp("us", "UTC")),
}


@contextmanager
def opened(declared: Any, **options: Any) -> Iterator[DuckdbSession]:
    warehouse = Duckdb("lake", DuckdbOptions.model_validate({"files": {"t": declared}} | options))
    with warehouse.open() as session:
        yield session
    warehouse.close()


def read(session: DuckdbSession, *names: str) -> list[tuple[Any, ...]]:
    columns = [sa.column(name) for name in names or [column.name for column in session.columns(T)]]
    return sorted(map(tuple, session.fetch(sa.select(*columns).select_from(sa.table("t")), 10)), key=repr)


def in_arrow(table: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(row.values()) for row in table.select(names or table.column_names).to_pylist()), key=repr)


def comparable(rows: list[tuple[Any, ...]]) -> list[tuple[str, ...]]:
    """NaN is NaN here, and moments with other objects for UTC are the same."""
    return sorted(
        tuple(str(value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value) for value in row) for row in rows
    )


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[tuple[dict[str, str], Catalog]]:
    properties = {"type": "sql", "uri": f"sqlite:///{tmp_path}/c.db", "warehouse": f"file://{tmp_path}/lake"}
    writer = load_catalog("shop", **properties)
    writer.create_namespace("sales")
    yield properties, writer
    writer.close()


def iceberg(properties: dict[str, str]) -> dict[str, Any]:
    return {"declared": {"iceberg": "sales.t"}, "catalogs": {"shop": properties}}


@pytest.mark.parametrize("key", ["id", "small", "price", "s", "ok", "day", "naive", "zoned", "f"])
def test_delta_types_and_partitions(tmp_path: Path, key: str) -> None:
    """By each type of partition: its values stand in the log alone. Floats and features of the future are deltalake's to read."""
    rows = pa.table(ROWS)
    deltalake.write_deltalake(tmp_path, rows, partition_by=[key])
    with opened({"delta": str(tmp_path)}) as session:
        # An empty text as a partition is NULL: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#partition-value-serialization
        expected = in_arrow(deltalake.DeltaTable(tmp_path).to_pyarrow_table(), *rows.column_names)
        assert comparable(read(session, *rows.column_names)) == comparable(expected)


def test_delta_reads_the_current_files_only(tmp_path: Path) -> None:
    """Old versions, other partitions' folders and stray files lie beside them."""
    write = deltalake.write_deltalake
    write(tmp_path, pa.table({"id": [1, 2], "day": ["a", "x/y z%"]}), partition_by=["day"])
    write(tmp_path, pa.table({"id": [3], "day": ["a"], "later": ["new"]}), mode="append", schema_mode="merge")
    deltalake.DeltaTable(tmp_path).delete("id = 1")
    pq.write_table(pa.table({"id": [99]}), tmp_path / "day=a" / "stray.parquet")
    with opened({"delta": str(tmp_path)}) as session:
        assert read(session, "id", "day", "later") == [(2, "x/y z%", None), (3, "a", "new")]
        before = session.unchanged_proof(T)
        assert before
        assert before.startswith("version 2 of the Delta table ")
        assert [column.name for column in session.columns(T)] == ["id", "day", "later"]
    deltalake.DeltaTable(tmp_path).delete()
    with opened({"delta": str(tmp_path)}) as session:
        assert read(session) == []
        assert session.unchanged_proof(T) != before
        assert (session.facts(T).rows, session.fragments(T)) == (0, ())


def test_delta_facts_are_exact_or_missing(tmp_path: Path) -> None:
    deltalake.write_deltalake(tmp_path, pa.table(ROWS | {"part": [1, 1, 2, 2]}), partition_by=["part"])
    commits = deltalake.DeltaTable(tmp_path).history()
    with opened({"delta": str(tmp_path)}) as session:
        facts = session.facts(T)
    found = {name: (c.nulls, c.nans, c.least, c.greatest) for name, c in facts.columns.items()}
    assert (facts.rows, facts.last_changed) == (4, datetime.fromtimestamp(commits[0]["timestamp"] / 1000, UTC))
    assert found["id"] == (1, 0, 1, 3)
    assert found["part"] == (0, 0, 1, 2)
    assert found["day"] == (1, 0, datetime(1, 1, 1), datetime(9999, 12, 31))
    assert found["f"] == (1, None, None, None), "NaNs are in no log"
    assert found["s"] == found["price"] == (1, 0, None, None), "texts are cut off, decimals may be rounded"
    assert found["naive"] == (1, 0, None, None), "Spark writes milliseconds"


def test_delta_without_statistics_says_nothing(tmp_path: Path) -> None:
    deltalake.write_deltalake(tmp_path, pa.table({"id": [1]}))
    (log,) = (tmp_path / "_delta_log").glob("*.json")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        line.get("add", {}).pop("stats", None)
        line.pop("commitInfo", None)
    log.write_text("\n".join(json.dumps(line) for line in lines if line))
    with opened({"delta": str(tmp_path)}) as session:
        assert session.facts(T) == TableFacts("footers")
        assert read(session) == [(1,)]


def test_delta_changes_are_told_from_upkeep(tmp_path: Path) -> None:
    for number in range(3):
        deltalake.write_deltalake(tmp_path, pa.table({"id": [number]}), mode="append")
    changed = deltalake.DeltaTable(tmp_path).history(1)[0]["timestamp"]
    deltalake.DeltaTable(tmp_path).optimize.compact()
    with opened({"delta": str(tmp_path)}) as session:
        assert session.facts(T).last_changed == datetime.fromtimestamp(changed / 1000, UTC)
        assert len(read(session)) == 3


def test_delta_features_of_the_future_are_refused_in_words(tmp_path: Path) -> None:
    deltalake.write_deltalake(tmp_path, pa.table({"id": [1]}))
    (log,) = (tmp_path / "_delta_log").glob("*.json")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "protocol" in line:
            line["protocol"] = {
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": ["teleport"],
                "writerFeatures": ["teleport"],
            }
    log.write_text("\n".join(map(json.dumps, lines)))
    with opened({"delta": str(tmp_path)}) as session, pytest.raises(WarehouseError, match=r"(?i)cannot be read.*teleport") as error:
        read(session)
    assert len(str(error.value).splitlines()) == 1


def test_delta_with_renamed_columns_is_read_as_a_whole(tmp_path: Path) -> None:
    """Column mapping: the files have other names than the table."""
    deltalake.write_deltalake(tmp_path, pa.table({"col-1": [1, 2]}))
    (log,) = (tmp_path / "_delta_log").glob("*.json")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "protocol" in line:
            line["protocol"] = {"minReaderVersion": 2, "minWriterVersion": 5}
        if "metaData" in line:
            line["metaData"]["configuration"] = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "1"}
            mapped = {"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "col-1"}
            field = {"name": "id", "type": "long", "nullable": True, "metadata": mapped}
            line["metaData"]["schemaString"] = json.dumps({"type": "struct", "fields": [field]})
    log.write_text("\n".join(map(json.dumps, lines)))
    with opened({"delta": str(tmp_path)}) as session:
        assert read(session, "id") == [(1,), (2,)]
        assert read(session, "id") == [(1,), (2,)], "a second statement reads it anew"
        assert (session.fragments(T), session.facts(T).rows) == ((), None)


def deletion_vector(position: int) -> dict[str, Any]:
    """One deleted row, inline: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#deletion-vector-format."""
    bitmap = struct.pack("<IIHHIH", 12346, 1, 0, 0, 16, position)
    vector = struct.pack(">I", 1681511377)[::-1] + struct.pack("<QI", 1, 0) + bitmap
    signs = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
    padded = vector + b"\0" * (-len(vector) % 4)
    words = [int.from_bytes(padded[at : at + 4], "big") for at in range(0, len(padded), 4)]
    text = "".join(signs[word // 85**place % 85] for word in words for place in (4, 3, 2, 1, 0))
    return {"storageType": "i", "pathOrInlineDv": text, "sizeInBytes": len(vector), "cardinality": 1}


@pytest.mark.parametrize("is_deleted", [False, True])
def test_delta_deletion_vectors_are_deltalakes_to_apply(tmp_path: Path, is_deleted: bool) -> None:
    deltalake.write_deltalake(tmp_path, pa.table({"id": [1, 2, 3]}))
    (log,) = (tmp_path / "_delta_log").glob("*.json")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "protocol" in line:
            features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
            line["protocol"] = {"minReaderVersion": 3, "minWriterVersion": 7} | features
        if "add" in line and is_deleted:
            line["add"]["deletionVector"] = deletion_vector(1)
    log.write_text("\n".join(map(json.dumps, lines)))
    with opened({"delta": str(tmp_path)}) as session:
        assert read(session) == ([(1,), (3,)] if is_deleted else [(1,), (2,), (3,)])
        assert session.facts(T).rows == (None if is_deleted else 3)


@pytest.mark.parametrize("key", [None, "id", "small", "s", "ok", "day", "naive", "zoned", "price"])
def test_iceberg_types_and_partitions(catalog: tuple[dict[str, str], Catalog], key: str | None) -> None:
    properties, writer = catalog
    rows = pa.table(ROWS)
    table = writer.create_table("sales.t", rows.schema)
    if key:
        with table.update_spec() as spec:
            spec.add_identity(key)
    table.append(rows)
    with opened(**iceberg(properties)) as session:
        expected = in_arrow(table.scan().to_arrow(), *rows.column_names)
        assert comparable(read(session, *rows.column_names)) == comparable(expected)
        facts = session.facts(T)
        if key != "price":
            assert (facts.rows, facts.columns["s"].nulls) == (4, 1)
        if key == "day":
            assert facts.columns["day"].greatest == datetime(9999, 12, 31)


def test_iceberg_schema_and_partitions_that_change(catalog: tuple[dict[str, str], Catalog]) -> None:
    properties, writer = catalog
    table = writer.create_table("sales.t", pa.schema([("id", pa.int32()), ("kind", pa.string())]))
    table.append(pa.table({"id": pa.array([1], pa.int32()), "kind": ["a"]}))
    with table.update_schema() as schema:
        schema.add_column("later", StringType())
        schema.update_column("id", LongType())
    with table.update_spec() as spec:
        spec.add_identity("kind")
    table.append(pa.table({"id": [2**40, 3], "kind": ["a", "b"], "later": ["new", None]}))
    table.delete(EqualTo("id", 3))
    with opened(**iceberg(properties)) as session:
        assert read(session, "id", "kind", "later") == [(1, "a", None), (2**40, "a", "new")]
        assert len(session.fragments(T)) == 2
        before, changed = session.unchanged_proof(T), session.facts(T).last_changed
        snapshot = table.current_snapshot()
        assert snapshot
        assert changed == datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC)
    with table.update_schema() as schema:
        schema.rename_column("kind", "sort")
    with opened(**iceberg(properties)) as session:
        assert read(session, "id", "sort") == [(1, "a"), (2**40, "a")], "the files still call it by its old name"
        assert session.fragments(T) == ()
        assert session.unchanged_proof(T) != before


def test_iceberg_without_rows(catalog: tuple[dict[str, str], Catalog]) -> None:
    properties, writer = catalog
    writer.create_table("sales.t", pa.schema([("id", pa.int32())]))
    with opened(**iceberg(properties)) as session:
        assert (read(session), session.facts(T).rows, session.facts(T).last_changed) == ([], 0, None)


def test_iceberg_delete_files_are_pyicebergs_to_apply(catalog: tuple[dict[str, str], Catalog], monkeypatch: pytest.MonkeyPatch) -> None:
    """pyiceberg writes no delete files, so that one is laid beside the plan of a table's files by hand."""
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
    from pyiceberg.table import DataScan
    from pyiceberg.typedef import Record

    properties, writer = catalog
    table = writer.create_table("sales.t", pa.schema([("id", pa.int64())]))
    table.append(pa.table({"id": [1, 2, 3]}))
    (task,) = table.scan().plan_files()
    place = Path(table.location().removeprefix("file://")) / "deletes.parquet"
    pq.write_table(pa.table({"file_path": [task.file.file_path], "pos": pa.array([1], pa.int64())}), place)
    deletes = DataFile.from_args(content=DataFileContent.POSITION_DELETES, file_path=f"file://{place}", file_format=FileFormat.PARQUET, partition=Record(), record_count=1, file_size_in_bytes=place.stat().st_size)  # fmt: skip
    plan = DataScan.plan_files

    def with_deletes(scan: DataScan) -> Any:
        tasks = list(plan(scan))
        for one in tasks:
            one.delete_files.add(deletes)
        return tasks

    monkeypatch.setattr(DataScan, "plan_files", with_deletes)
    with opened(**iceberg(properties)) as session:
        assert read(session) == [(1,), (3,)]
        assert (session.fragments(T), session.facts(T).rows) == ((), None)


def test_iceberg_days_are_left_out_by_bounds(catalog: tuple[dict[str, str], Catalog], tmp_path: Path) -> None:
    """Partitions by the days of a column: files of other days are gone, and the statement does not miss them."""
    properties, writer = catalog
    schema = pa.schema([("id", pa.int64()), ("happened", pa.timestamp("us", "UTC"))])
    table = writer.create_table("sales.t", schema)
    with table.update_spec() as spec:
        spec.add_field("happened", DayTransform(), "day")
    for day in range(3):
        start = datetime(2026, 1, 1 + day, tzinfo=UTC)
        pq.write_table(
            pa.table({"id": [1, 2], "happened": [start, start + timedelta(hours=23)]}, schema=schema), tmp_path / f"{day}.parquet"
        )
    table.add_files([f"file://{tmp_path}/{day}.parquet" for day in range(3)])
    with opened(**iceberg(properties)) as session:
        session.columns(T)
        for day in (0, 2):
            (tmp_path / f"{day}.parquet").unlink()
        where = sa.text(
            "happened >= timestamptz '2026-01-02 00:00:00Z' and happened < timestamptz '2026-01-03 00:00:00Z'".replace(":", "\\:")
        )
        assert session.fetch(sa.select(sa.func.count()).select_from(sa.table("t")).where(where), 10) == [(2,)]


@pytest.mark.parametrize(("declared", "options", "words"), [
    ({"delta": "{folder}/nothing"}, {}, r"table 't' cannot be read .*nothing"),
    ({"delta": "{folder}/empty"}, {}, r"table 't' cannot be read .*empty"),
    ({"delta": "{folder}/half"}, {}, r"table 't' cannot be read .*half"),
    ({"iceberg": "sales.nothing"}, {"catalogs": {"shop": {"type": "sql", "uri": "sqlite:///{folder}/c.db"}}}, r"table 't' cannot be read .*sales\.nothing"),
    ({"iceberg": "sales.t"}, {"catalogs": {"shop": {"type": "sql", "uri": "sqlite:///{folder}/no.db"}}}, r"there is no catalog .*no\.db; correct the `uri:`"),
    ({"iceberg": "sales.t"}, {"catalogs": {"shop": {"type": "rest", "uri": "http://127.0.0.1:9", "token": "canary-secret"}}}, r"the store or catalog of sales\.t cannot be reached; look at `s3:` and `catalogs:`"),
    ({"iceberg": "sales.t"}, {"catalogs": {"shop": {"type": "nonsense", "uri": "x"}}}, "nonsense"),
    ({"parquet": "{folder}/half/*.parquet"}, {}, r"table 't' cannot be read .*a\.parquet"),
    ({"parquet": "{folder}/empty/*.parquet"}, {}, "No files found"),
])  # fmt: skip
def test_what_cannot_be_read_is_said(
    catalog: tuple[dict[str, str], Catalog], tmp_path: Path, declared: Any, options: Any, words: str
) -> None:
    (tmp_path / "empty").mkdir()
    deltalake.write_deltalake(tmp_path / "half", pa.table({"id": [1]}))
    (log,) = (tmp_path / "half/_delta_log").glob("*.json")
    log.write_text(log.read_text()[:40])
    (tmp_path / "half" / "a.parquet").write_bytes(b"PAR1" + b"x" * 50)
    filled = json.loads(json.dumps([declared, options]).replace("{folder}", str(tmp_path)))
    with opened(filled[0], **filled[1]) as session, pytest.raises((TableMissing, ConnectFailed), match=words) as error:
        session.columns(T)
    assert len(str(error.value).splitlines()) == 1
    assert "canary-secret" not in str(error.value)
    assert not (tmp_path / "no.db").exists(), "looking must not make the catalog"


def test_a_catalog_that_never_answers_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        properties = {"type": "rest", "uri": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        with opened(**iceberg(properties), statement_timeout="1s") as session, pytest.raises(ConnectFailed, match="no answer within 1 s"):
            session.columns(T)


@pytest.mark.parametrize(("package", "declared"), [
    ("deltalake", {"delta": "/tmp/x"}), ("pyiceberg.catalog", {"iceberg": "n.t"}), ("pyarrow.fs", {"delta": "s3://b/x"}), ("fsspec.implementations.arrow", {"parquet": "s3://b/x"}),
])  # fmt: skip
def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch, package: str, declared: Any) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "dqmon.warehouses.base.sealed_store", raising=False)
    words = rf"need the extra `lake` \(no {package.partition('.')[0]}.*\): pip install 'dqmon\[lake\]'"
    catalogs = {"c": {"type": "sql", "uri": "sqlite:////tmp/x"}}
    with pytest.raises(ConnectFailed, match=words), opened(declared, catalogs=catalogs) as session:
        session.columns(T)


def test_announced_tables_are_made_before_their_columns_are_asked(tmp_path: Path) -> None:
    deltalake.write_deltalake(tmp_path, pa.table({"id": [1]}))
    names = [f"t{number}" for number in range(3)]
    files = {name: {"delta": str(tmp_path)} for name in names} | {"broken": {"delta": str(tmp_path / "none")}}
    warehouse = Duckdb("lake", DuckdbOptions.model_validate({"files": files}))
    with warehouse.open() as session:
        session.announce(TableRef("lake", None, "main", name) for name in files)
        assert [len(session.columns(TableRef("lake", None, "main", name))) for name in names] == [1, 1, 1]
        with pytest.raises(TableMissing, match="table 'broken' cannot be read"):
            session.columns(TableRef("lake", None, "main", "broken"))
    warehouse.close()


def test_the_hidden_view_is_in_no_list(tmp_path: Path) -> None:
    deltalake.write_deltalake(tmp_path, pa.table({"id": [1]}))
    with opened({"delta": str(tmp_path)}) as session:
        assert [table.name for table, _ in session.tables(None)] == ["t"]


def test_a_table_that_only_a_query_names_is_made_for_it(tmp_path: Path) -> None:
    deltalake.write_deltalake(tmp_path / "d", pa.table({"id": [1]}))
    files = {"T": {"delta": str(tmp_path / "d")}, "broken": {"delta": str(tmp_path / "none")}}
    warehouse = Duckdb("lake", DuckdbOptions.model_validate({"files": files}))
    with warehouse.open() as session:
        assert session.fetch(sa.select(sa.text("count(*) from t")), 10) == [(1,)]
        with pytest.raises(TableMissing, match="table 'broken' cannot be read from its file: there is nothing to read at"):
            session.fetch(sa.select(sa.text("count(*) from broken")), 10)
    warehouse.close()


def test_a_plain_warehouse_imports_nothing_of_lakes(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1]}), tmp_path / "a.parquet")
    code = f"""
import sys
from dqmon.core.table import TableRef
from dqmon.warehouses.duckdb import Duckdb, DuckdbOptions
warehouse = Duckdb("w", DuckdbOptions.model_validate({{"files": {{"t": "{tmp_path}/*.parquet"}}}}))
with warehouse.open() as session:
    session.columns(TableRef("w", None, "main", "t"))
warehouse.close()
print([name for name in ("pyarrow", "fsspec", "deltalake", "pyiceberg") if name in sys.modules])
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout == "[]\n"
