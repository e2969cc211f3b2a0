"""Texts are plain characters, whatever the engine's column makes of them: collation, padding, enumeration."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from hand_made import NOW
from pydantic import SecretStr

from dqmon.core.measurement import MetricRequest
from dqmon.core.metric import Metric, Value
from dqmon.core.plan import plan
from dqmon.core.registry import Registry
from dqmon.core.table import TableRef
from dqmon.errors import QueryFailed
from dqmon.sql.compile import compile_scan
from dqmon.sql.metrics import InvalidFormatCount, InvalidLengthCount, InvalidPatternCount, ListedCount, MissingCount, UnlistedCount

TYPES = {
    "sqlite": ["text collate nocase", "text collate rtrim", "varchar(3)"],
    "duckdb": ["varchar collate nocase", "varchar collate noaccent", "enum('a', 'A', 'ä')"],
    "postgres": ["char(5)", "varchar(5)", "name", "letter"],
}


@pytest.mark.parametrize(("engine", "kind"), [(engine, kind) for engine, kinds in TYPES.items() for kind in kinds])
def test_a_column_of_its_own_ways_is_compared_character_by_character(engine: str, kind: str, tmp_path: Path, request) -> None:
    found = measured(
        engine, kind, ["'a'", "'A'", "'ä'", "null"], tmp_path, request,
        UnlistedCount("x", values=("a",)), ListedCount("x", values=("A", "é")), UnlistedCount("x", values=("a",), ignore_case=True),
        MissingCount("x", missing_values=("a",)), InvalidLengthCount("x", max=1), InvalidPatternCount("x", rule="like", pattern="a%"),
        InvalidPatternCount("x", rule="not_like", pattern="ä"), InvalidPatternCount("x", rule="regex", pattern="^a$"),
    )  # fmt: skip
    assert found == [2, 1, 1, 2, 0, 2, 1, 2]


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_types_without_a_group_of_their_own_are_read_as_the_engine_writes_them(engine: str, tmp_path: Path, request) -> None:
    values = ["'123E4567-E89B-12D3-A456-426614174000'", "null"]
    uuid = "123e4567-e89b-12d3-a456-426614174000"
    metrics = InvalidFormatCount("x", format="uuid"), UnlistedCount("x", values=(uuid,)), InvalidLengthCount("x", min=36, max=36)
    assert measured(engine, "uuid", values, tmp_path, request, *metrics) == [0, 0, 0]


@pytest.mark.parametrize("engine", ["duckdb", "sqlite", "postgres"])
@pytest.mark.parametrize(("kind", "value"), [("double precision", "1.5"), ("boolean", "true"), ("numeric(9, 2)", "1.5")])
def test_what_engines_write_in_different_ways_has_no_length_and_no_pattern(
    engine: str, kind: str, value: str, tmp_path: Path, request
) -> None:
    for metric in (InvalidLengthCount("x", max=1), InvalidFormatCount("x", format="iban"), InvalidPatternCount("x", pattern="a")):
        with pytest.raises(QueryFailed, match=r"column 'x' is .*; a text is needed"):
            measured(engine, kind, [value], tmp_path, request, metric)


def test_dates_are_texts_where_the_engine_keeps_them_as_texts(tmp_path: Path, request) -> None:
    assert measured("sqlite", "date", ["'2013-01-31'", "'31.1.2013'"], tmp_path, request, InvalidFormatCount("x", format="iso_date")) == [1]


def measured(engine: str, kind: str, values: list[str], folder: Path, request: pytest.FixtureRequest, *metrics: Metric) -> list[Value]:
    """The metrics of a table with one column x, in one statement."""
    brand = Registry("warehouses").get(engine)
    url = request.getfixturevalue("postgres_database") if engine == "postgres" else f"{engine}:///{folder / engine}"
    writer = sa.create_engine(url, poolclass=sa.NullPool)
    with writer.begin() as connection:
        if kind == "letter":
            connection.execute(sa.text("create type letter as enum ('a', 'A', 'ä')"))
        connection.execute(sa.text("drop table if exists t"))
        connection.execute(sa.text(f"create table t (x {kind})"))
        connection.execute(sa.text(f"insert into t values ({'), ('.join(values)})"))
    writer.dispose()
    options = {"url": SecretStr(url.replace("+psycopg", ""))} if engine == "postgres" else {"path": str(folder / engine)}
    warehouse = brand("w", brand.Options(**options))
    table = TableRef("w", None, "public" if engine == "postgres" else "main", "t")
    (scan,) = plan([MetricRequest(table, metric) for metric in metrics], lambda _: True)
    try:
        with warehouse.open() as session:
            compiled = compile_scan(scan, session.columns(table), (), warehouse.capabilities, NOW)
            found = compiled.decode(session.fetch(compiled.statement, 10))
    finally:
        warehouse.close()
    return [found[None, (), metric] for metric in metrics]
