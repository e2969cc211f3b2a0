"""Segments and partitions on random small tables equal what a loop over the rows in Python says."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_tables import tried

from dqmon.core.measurement import MetricRequest, Partition
from dqmon.core.metric_kinds import OtherTable
from dqmon.core.plan import plan
from dqmon.sql import metrics as m
from dqmon.sql.compile import compile_scan, fits

AT = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
ZONE = "America/New_York"
BOUNDS = [datetime(2026, 3, day, tzinfo=ZoneInfo(ZONE)).astimezone(UTC) for day in (6, 7, 8, 9)]
KNOWN = {1, 2, None}


class Row(NamedTuple):
    """One row of the random table; `k` is wall time of New York."""

    s: str | None
    n: int | None
    d: Decimal | None
    k: datetime | None


def nullable(strategy):
    return st.none() | strategy


ROWS = st.lists(
    st.builds(
        Row,
        nullable(st.sampled_from(["a", "b", "", "null"])),
        nullable(st.integers(0, 3)),
        nullable(st.decimals(-2, 2, places=2)),
        # Around the bounds, to the millisecond, and the hour that 8 March does not have left out.
        nullable(
            st.builds(
                lambda bound, step: (bound + timedelta(milliseconds=step)).astimezone(ZoneInfo(ZONE)).replace(tzinfo=None),
                st.sampled_from(BOUNDS),
                st.sampled_from([-86_400_000, -3_600_000, -1, 0, 1, 3_600_000]),
            )
        ),
    ),
    max_size=12,
)

METRICS = (
    m.RowCount(), m.MissingCount("n"), m.NonMissingCount("s", ("",)), m.InvalidRangeCount("d", min=Decimal("-0.5"), max=Decimal(1), exclusive="max"),
    m.LatestInstant("k"), m.CompleteKeyCount(("s", "n")), m.SurplusRows(("s", "n")), m.DistinctKeys(("s", "n"), "equal"), m.DuplicatedKeys(("n",)),
    m.KeyedRows(("n",)), m.MissingReference(("n",), OtherTable(None, ("id",))),
)  # fmt: skip


def expected(metric, rows):
    """The metric's value of some rows, by its documentation."""
    keys = Counter(tuple(getattr(row, name) for name in metric.columns) for row in rows)
    full = {key: count for key, count in keys.items() if None not in key}
    match metric:
        case m.RowCount():
            return len(rows)
        case m.MissingCount():
            return sum(row.n is None for row in rows)
        case m.NonMissingCount():
            return sum(row.s not in (None, "") for row in rows)
        case m.InvalidRangeCount():
            return sum(row.d is not None and not Decimal("-0.5") <= row.d < 1 for row in rows)
        case m.LatestInstant():
            return max((row.k.replace(tzinfo=ZoneInfo(ZONE)).astimezone(UTC) for row in rows if row.k), default=None)
        case m.CompleteKeyCount() | m.KeyedRows():
            return sum(full.values())
        case m.SurplusRows():
            return sum(full.values()) - len(full)
        case m.DistinctKeys():
            return len(keys)
        case m.DuplicatedKeys():
            return sum(count > 1 for count in full.values())
        case m.MissingReference():
            return sum(row.n is not None and row.n not in KNOWN for row in rows)


def bucket(row):
    """The partition that a row belongs to; False outside of all."""
    if row.k is None:
        return Partition("k", None, None)
    at = row.k.replace(tzinfo=ZoneInfo(ZONE))
    return next((Partition("k", a, b) for a, b in PARTITIONS if a <= at < b), False)


# 6 and 8 March: there is a gap between them.
PARTITIONS = [(BOUNDS[0], BOUNDS[1]), (BOUNDS[2], BOUNDS[3])]


def literal(value):
    return "null" if value is None else str(value) if isinstance(value, int | Decimal) else f"'{value}'"


@pytest.mark.random
@pytest.mark.parametrize("has_segments", [False, True])
@pytest.mark.parametrize("has_partitions", [False, True])
@tried(15)
@given(rows=ROWS)
def test_groups_equal_the_reference(lab, has_segments, has_partitions, rows):
    lab.run(
        "drop table if exists r", "drop table if exists known", "create table r (s varchar(9), n int, d numeric(8,2), k timestamp)",
        "create table known (id int)", "insert into known values (1), (1), (2), (null)",
        *(f"insert into r values ({', '.join(map(literal, row))})" for row in rows),
    )  # fmt: skip
    ref, known = lab.ref("r"), lab.ref("known")
    chosen = [m.MissingReference(("n",), OtherTable(known, ("id",))) if isinstance(x, m.MissingReference) else x for x in METRICS]
    parts = [*(Partition("k", *bounds) for bounds in PARTITIONS), Partition("k", None, None)] if has_partitions else [None]
    how = {"segment_by": ("s",) if has_segments else (), "naive_timezone": ZONE}
    requests = [MetricRequest(ref, metric, None, part, **how) for metric in chosen for part in parts]
    found = {}
    with lab.warehouse.open() as session:
        for scan in plan(requests, lambda scan: fits(scan, lab.warehouse.capabilities)):
            compiled = compile_scan(scan, session.columns(ref), session.columns(known), lab.warehouse.capabilities, AT)
            found.update(compiled.decode(session.fetch(compiled.statement, 30)))

    kept = [row for row in rows if not has_partitions or bucket(row)]
    groups: dict[object, list[Row]] = {}
    for row in kept:
        key = (bucket(row) if has_partitions else None, (("s", row.s),) if has_segments else ())
        groups.setdefault(key, []).append(row)
    for part in parts:
        for segment in {segment for _, segment in groups} or {()}:
            groups.setdefault((part, segment), [])
    assert found == {(*key, metric): expected(metric, members) for key, members in groups.items() for metric in chosen}
