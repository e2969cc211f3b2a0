"""What each way to a value saves on the shape of table that it is for: processor time with it and without, DuckDB, in turn."""

from __future__ import annotations

import itertools
import resource
import statistics
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from dqmon.core.measurement import MetricRequest
from dqmon.core.registry import Registry
from dqmon.core.table import TableRef
from dqmon.engine.measuring.means import Means
from dqmon.engine.measuring.measure import measure
from dqmon.engine.measuring.ways import WAYS
from dqmon.sql import metrics as m

ROWS = 2_000_000
ROUNDS = 5
AT = datetime(2026, 1, 1, tzinfo=UTC)

SHAPES = {
    "in_order": "i",
    "shuffled": f"(i * 7919 + 13) % {ROWS}",
    "uuid": "md5(i::varchar)::uuid::varchar",
    "code": "'item-' || hash(i) % 500",
}
"""Columns of `ROWS` rows, by i. 7919 is prime, so that `shuffled` has each number once."""

SAVING: dict[str, m.Metric] = {
    "ordered": m.SurplusRows(("in_order",)),
    "bitmap": m.SurplusRows(("shuffled",)),
    "hashes": m.SurplusRows(("uuid",)),
    "distinct_values": m.InvalidPatternCount("code", rule="regex", pattern="^item-[0-9]+$"),
}
"""A metric for each way that pays by itself on DuckDB. Footers, catalogue and copies are measured by test_facts.py and the suite."""


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = tmp_path_factory.mktemp("ways") / "ways.duckdb"
    columns = ", ".join(f"{expression} as {name}" for name, expression in SHAPES.items())
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"create table t as select {columns} from range({ROWS}) r(i)")
    kind = Registry("warehouses").get("duckdb")
    with closing(kind("w", kind.Options.model_validate({"path": str(path)}))) as found:
        yield found


def measured(warehouse: Any, metric: m.Metric, ways: tuple[str, ...]) -> tuple[Any, str | None, float]:
    """Its value, the way that led to it, and seconds of processor time."""
    request, ids = MetricRequest(TableRef("w", None, "main", "t"), metric), itertools.count()
    started = resource.getrusage(resource.RUSAGE_SELF)
    (found,) = measure(warehouse, [request], Means(lambda: AT, lambda: str(next(ids)), None, ways)).by_request[request]
    ended = resource.getrusage(resource.RUSAGE_SELF)
    return found.value, found.way, ended.ru_utime + ended.ru_stime - started.ru_utime - started.ru_stime


@pytest.mark.parametrize("way", SAVING)
def test_a_way_saves_what_it_is_there_for(warehouse: Any, way: str) -> None:
    rounds = [(measured(warehouse, SAVING[way], WAYS), measured(warehouse, SAVING[way], ())) for _ in range(ROUNDS)]
    (value, taken, _), (plain, none, _) = rounds[0]
    ratio = statistics.median(cheap[2] / full[2] for cheap, full in rounds)
    print(f"{way}: {ratio:.2f} of the plain statement's processor time ({rounds[0][1][2]:.3f} s, {ROWS:,} rows)")
    assert (value, none) == (plain, None)
    assert taken, f"{way} was not taken"
    assert ratio < 1, f"{way} takes {ratio:.2f} times the plain statement; a way that saves nothing is to be removed"
