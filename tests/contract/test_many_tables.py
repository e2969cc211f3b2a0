"""Columns of many DuckDB tables are read at once; they are those that one look-up after the other finds."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from dqmon.core.table import TableRef
from dqmon.errors import TableMissing
from dqmon.warehouses.duckdb import Duckdb, DuckdbOptions

KINDS = (
    "integer", "bigint not null", "decimal(12, 2)", "double", "varchar", "boolean", "date", "timestamp", "timestamptz", "timestamp_ns",
    "blob", "uuid", "enum('a', 'b')", "struct(a integer)", "integer[]", "hugeint", "time", "map(varchar, integer)",
)  # fmt: skip


@pytest.fixture
def warehouse(tmp_path: Path) -> Duckdb:
    path, file = tmp_path / "w.duckdb", tmp_path / "orders.parquet"
    with duckdb.connect(str(path)) as connection:
        connection.execute('create schema "Sales 2"')
        for number, kind in enumerate(KINDS):
            connection.execute(f'create table t{number} (id integer primary key, "The Value" {kind}, "B" varchar default \'x\')')
        connection.execute('create table "Sales 2"."T.1" (a integer)')
        connection.execute("create view v as select id, id * 1.5 as half from t0")
        connection.execute("create table gone (i integer); create view broken as select * from gone; drop table gone")
        connection.execute("create table orders (hidden integer)")
        connection.execute(f"copy (select 1 as order_id, 'x' as status) to '{file}' (format parquet)")
    return Duckdb("main", DuckdbOptions.model_validate({"path": str(path), "files": {"orders": str(file)}}))


def test_all_at_once_are_as_one_by_one(warehouse: Duckdb) -> None:
    tables = [
        TableRef("main", None, schema, f"{letter}{number}")
        for number in range(len(KINDS))
        for schema, letter in ((None, "t"), ("MAIN", "T"))
    ]
    tables += [TableRef("main", None, "Sales 2", "T.1"), TableRef("main", None, None, "v"), TableRef("main", None, None, "orders")]
    singly = []
    for table in tables:
        with warehouse.open() as session:
            singly.append(session.columns(table))
    with warehouse.open() as session:
        together = [session.columns(table) for table in (*tables, *tables)]
    assert together == singly * 2


def test_what_is_not_there_or_broken_is_said_among_many(warehouse: Duckdb) -> None:
    with warehouse.open() as session:
        for number in range(len(KINDS)):
            session.columns(TableRef("main", None, None, f"t{number}"))
        for name in ("t99", "broken"):
            with pytest.raises(TableMissing, match=name):
                session.columns(TableRef("main", None, None, name))
        with pytest.raises(TableMissing):
            session.columns(TableRef("main", "elsewhere", None, "t1"))


def test_a_view_in_other_letters_has_no_proof(warehouse: Duckdb) -> None:
    # What was written a moment ago has no proof either.
    os.utime(warehouse.options.path, (1, 1))
    with warehouse.open() as session:
        assert session.unchanged_proof(TableRef("main", None, None, "V")) is None, "a view may change without its file"
        assert session.unchanged_proof(TableRef("main", None, "main", "v")) is None
        assert session.unchanged_proof(TableRef("main", None, None, "T1")) is not None
