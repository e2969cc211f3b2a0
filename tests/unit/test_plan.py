"""Fusing requests into scans, and halving scans that fail."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from dqmon.core.measurement import MetricRequest, Partition
from dqmon.core.metric import MetricKind
from dqmon.core.metric_kinds import OtherTable
from dqmon.core.plan import plan, split
from dqmon.core.table import TableRef
from dqmon.sql import metrics as m

T, U = (TableRef("main", None, "s", name) for name in "tu")
DAYS = [Partition("at", datetime(2026, 1, day, tzinfo=UTC), datetime(2026, 1, day + 1, tzinfo=UTC)) for day in (1, 2)]


def always(_):
    return True


def test_thirty_aggregates_and_three_keys_are_four_statements():
    plain = [MetricRequest(T, m.MissingCount(f"c{i}")) for i in range(30)]
    keys = [MetricRequest(T, metric((f"c{i}",))) for i in range(3) for metric in (m.SurplusRows, m.KeyedRows, m.DuplicatedKeys)]
    assert len(plan(plain, always)) == 1
    assert [scan.kind for scan in plan(plain + keys, always)] == [MetricKind.AGGREGATE] + [MetricKind.GROUPED] * 3


def test_what_must_not_be_fused():
    row_count = m.RowCount()
    requests = [
        MetricRequest(T, row_count), MetricRequest(U, row_count), MetricRequest(T, row_count, "a = 1"), MetricRequest(T, row_count, segment_by=("a",)),
        MetricRequest(T, row_count, None, DAYS[0]), MetricRequest(T, row_count, naive_timezone="Asia/Tokyo"),
        MetricRequest(T, row_count, segment_by=("a",), max_segments=9), MetricRequest(T, m.ColumnList()),
        MetricRequest(T, m.MissingReference(("a",), OtherTable(U, ("a",)))), MetricRequest(T, m.MissingReference(("b",), OtherTable(U, ("a",)))),
    ]  # fmt: skip
    assert len(plan(requests, always)) == len(requests)


def test_partitions_of_one_column_are_one_scan():
    (scan,) = plan([MetricRequest(T, metric, None, day) for day in DAYS for metric in (m.RowCount(), m.MissingCount("a"))], always)
    assert scan.partitions == tuple(DAYS)
    assert scan.metrics == (m.RowCount(), m.MissingCount("a"))


def test_partitions_that_overlap_are_scans_of_their_own():
    """A row is in one bucket of a statement: an hour and its day, or the days of two zones, would each lose the other's rows."""
    hours = [Partition("at", datetime(2026, 1, 1, hour, tzinfo=UTC), datetime(2026, 1, 1, hour + 1, tzinfo=UTC)) for hour in range(3)]
    null = Partition("at", None, None)
    scans = plan([MetricRequest(T, m.RowCount(), None, part) for part in (null, DAYS[0], *hours, DAYS[1])], always)
    assert [scan.partitions for scan in scans] == [(null, *hours, DAYS[1]), (DAYS[0],)]


def test_split_ends_at_one_metric():
    (scan,) = plan([MetricRequest(T, m.MissingCount(f"c{i}"), None, day) for i in range(5) for day in DAYS], always)
    scans, singles = [scan], []
    while scans:
        halves = split(scan := scans.pop())
        scans += halves
        singles += [] if halves else [scan]
    assert sorted(metric.column for scan in singles for metric in scan.metrics) == [f"c{i}" for i in range(5)]
    assert all(scan.partitions == tuple(DAYS) for scan in singles)


REQUESTS = st.lists(
    st.builds(
        MetricRequest,
        st.sampled_from([T, U]),
        st.sampled_from(
            [m.RowCount(), m.MissingCount("a"), m.MissingCount("b"), m.SurplusRows(("a",)), m.KeyedRows(("a",)), m.ColumnList()]
        ),
        st.sampled_from([None, "a = 1"]),
        st.sampled_from([None, *DAYS]),
        st.sampled_from([(), ("s",)]),
    )
)


@given(REQUESTS, st.integers(1, 4))
def test_every_request_is_answered_exactly_once(requests, limit):
    scans = plan(requests, lambda scan: len(scan.metrics) <= limit)
    assert sorted(map(str, (request for scan in scans for request in scan.requests))) == sorted(map(str, set(requests)))
    assert all(len(scan.metrics) <= limit or scan.kind is MetricKind.METADATA for scan in scans)
    for scan in scans:
        assert {request.table for request in scan.requests} == {scan.table}
        # The catalogue is read once for a table, whatever its rows are grouped by.
        assert {request.segment_by for request in scan.requests} == {scan.segment_by} or scan.kind is MetricKind.METADATA
