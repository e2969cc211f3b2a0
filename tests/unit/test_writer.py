"""The writer without a server: how rows are parted, how a new column is added, who can be written to."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from dqmon.core.mirror import Target
from dqmon.core.protocols import Writable
from dqmon.core.registry import Registry
from dqmon.core.table import TypeGroup
from dqmon.warehouses.base.writer import _added, _parts

TARGET = Target("dq_results", {"id": TypeGroup.TEXT, "partition": TypeGroup.TEXT, "at": TypeGroup.TIMESTAMP_ZONED}, ("id",))
SNOWFLAKE = {"account": "A", "user": "U", "token": "t", "database": "shop"}


@pytest.mark.parametrize(("lengths", "parts"), [
    ([], []),
    ([5, 5, 1], [[5, 5], [1]]),
    ([11, 1], [[11], [1]]),
    ([1, 11, 1], [[1], [11], [1]]),
    ([10], [[10]]),
])  # fmt: skip
def test_rows_are_parted_by_their_length(lengths, parts):
    rows = [{"text": "x" * length} for length in lengths]
    assert [[len(row["text"]) for row in part] for part in _parts(rows, 10)] == parts


@pytest.mark.parametrize(("kind", "options", "statement"), [
    ("snowflake", SNOWFLAKE, 'ALTER TABLE "DQMON"."DQ_RESULTS" ADD COLUMN "AT" TIMESTAMP_TZ'),
    ("postgres", {"url": "postgresql://u@h/d"}, 'ALTER TABLE "dqmon"."dq_results" ADD COLUMN "at" TIMESTAMP WITH TIME ZONE'),
    ("duckdb", {"path": "a.db"}, 'ALTER TABLE "dqmon"."dq_results" ADD COLUMN "at" TIMESTAMP WITH TIME ZONE'),
])  # fmt: skip
def test_names_are_the_engines_own(kind: str, options: dict[str, Any], statement: str) -> None:
    known = Registry("warehouses").get(kind)
    writer = known("w", known.Options.model_validate(options)).writer("dqmon", "prod")
    table = writer._table(TARGET)
    added = _added(table, table.c["at"], writer._place.engine.dialect)
    assert str(added.compile(dialect=writer._place.engine.dialect)) == statement
    writer.close()


def test_those_that_can_be_written_to():
    assert {name for name, kind in Registry("warehouses").all().items() if issubclass(kind, Writable)} == {
        "duckdb",
        "postgres",
        "snowflake",
    }


def test_a_duckdb_without_a_file_is_not_written_to():
    known = Registry("warehouses").get("duckdb")
    writer = known("files", known.Options.model_validate({"files": {"t": "data/*.csv"}})).writer("dqmon", "prod")
    with pytest.raises(Exception, match="files: it has no `path:`"):
        writer.prepare([TARGET])


def test_secrets_stay_out_of_a_refused_connection():
    known = Registry("warehouses").get("postgres")
    url = "postgresql://u:s3cret@127.0.0.1:1/d"
    with pytest.raises(Exception, match="no connection to 127") as refused:
        known("w", known.Options.model_validate({"url": url, "connect_timeout": 1})).writer("dqmon", "prod").position(TARGET)
    assert "s3cret" not in str(refused.value)
    assert not isinstance(refused.value, sa.exc.SQLAlchemyError)
