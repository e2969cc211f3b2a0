"""Every way to a value gives what the plain statement gives, on random tables of every engine (issue: a rewrite is proved equal)."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dqmon.core.measurement import MetricRequest
from dqmon.engine.measure import Means, Measured, measure
from dqmon.engine.ways import WAYS
from dqmon.sql import metrics as m

AT = datetime(2026, 3, 1, tzinfo=UTC)


class Large:
    """A warehouse that takes all its tables for large ones, so that all ways are open."""

    def __init__(self, warehouse: Any) -> None:
        self.warehouse = warehouse

    def __getattr__(self, name: str) -> Any:
        return getattr(self.warehouse, name)

    @contextmanager
    def open(self):
        with self.warehouse.open() as session:
            told = session.facts
            session.facts = lambda table: replace(told(table), about_rows=10**9)
            yield session


def measured(lab: Any, metrics: list[Any], ways: tuple[str, ...], where: str | None = None) -> Measured:
    ids = itertools.count()
    requests = [MetricRequest(lab.ref("t"), metric, where) for metric in metrics]
    return measure(Large(lab.warehouse), requests, Means(lambda: AT, lambda: str(next(ids)), ways=ways))


def values(found: Measured) -> dict[Any, Any]:
    failures = {r.metric: ms[0].failure for r, ms in found.by_request.items() if ms[0].failure}
    assert not failures, failures
    return {request.metric: ms[0].value for request, ms in found.by_request.items()}


def taken(found: Measured) -> set[str]:
    return {ms[0].way for ms in found.by_request.values() if ms[0].way}


INTS = st.one_of(st.none(), st.integers(-3, 3), st.just(2**62))
DECIMALS = st.one_of(st.none(), st.decimals("-2", "2", places=2))
FLOATS = st.one_of(st.none(), st.sampled_from([0.1, 0.30000000000000004, -0.0, 1e300]), st.floats(-2, 2, width=32))
TEXTS = st.one_of(st.none(), st.sampled_from(["", "a", "A", "b ", "é", "paid"]))
ROWS = st.lists(st.tuples(INTS, DECIMALS, FLOATS, TEXTS), max_size=30)


def sql(value: Any) -> str:
    if value is None:
        return "null"
    return (
        "'" + value.replace("'", "''") + "'"
        if isinstance(value, str)
        else format(value, "f")
        if isinstance(value, Decimal)
        else repr(value)
    )


LIMITS = [(Decimal(-1), Decimal(1), None), (Decimal("0.1"), None, "both"), (None, Decimal("0.3"), "max"), (Decimal(-5), Decimal(5), None)]
METRICS = [m.InvalidRangeCount(c, min=low, max=high, exclusive=how) for c in ("i", "d", "f") for low, high, how in LIMITS]


@pytest.mark.parametrize("where", [None, "i > 0"])
def test_all_ways_are_the_plain_statement(lab, where) -> None:
    lab.run("create table t (i bigint, d decimal(12, 2), f double precision, s varchar(9))")

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(ROWS)
    def prove(rows) -> None:
        lab.run("delete from t", *(f"insert into t values ({', '.join(map(sql, row))})" for row in rows))
        plain = values(measured(lab, METRICS, (), where))
        assert values(measured(lab, METRICS, WAYS, where)) == plain
        for way in WAYS:
            assert values(measured(lab, METRICS, (way,), where)) == plain

    prove()
