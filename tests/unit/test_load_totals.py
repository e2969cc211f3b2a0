"""How many rows a table had, counted back by what its loads brought."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dqmon.core.load_record import LoadRecord, LoadStatus
from dqmon.core.past_rows import PastRows, counted_back
from dqmon.core.table import TableRef
from dqmon.engine.past.load_totals import Brought, brought, totals

START = datetime(2026, 3, 1, tzinfo=UTC)
TABLE = TableRef("main", None, "raw", "orders")


def day(n: float) -> datetime:
    return START + timedelta(days=n)


def load(n: int, rows: int | None, table: str | None = "orders", **other) -> LoadRecord:
    fields = {"status": LoadStatus.SUCCEEDED, "finished_at": day(n)} | other
    return LoadRecord("dlt", "shop", f"load{n}", observed_at=day(60), table=table, rows=rows, **fields)


def found(*records: LoadRecord, is_only_table: bool = False) -> Brought | str:
    return brought(records, TABLE, is_only_table=is_only_table)


def test_the_total_after_each_load_is_what_is_there_less_what_came_later() -> None:
    loads = found(load(1, 10), load(2, 5), load(3, 7), load(3, 900, "customers"))
    assert isinstance(loads, Brought)
    past = totals(loads, ((day(4), 100),))
    assert past == PastRows(((day(1), 88), (day(2), 93), (day(3), 100)), "3 kept loads of dlt/shop", is_exact=False)
    assert [past.at(day(n)) for n in (0.9, 1, 2.5, 30)] == [None, 88, 93, 100], "before the first load nothing is known"


def test_clocks_of_writers_may_differ() -> None:
    """The third change was written by a clock that is behind."""
    past = counted_back([(day(3), 7), (day(1), 6), (day(2), 5)], "a log")
    assert past.totals == ((day(1), 5), (day(1), 6), (day(3), 7))
    assert (past.at(day(2)), past.at(day(0))) == (6, None)


def test_loads_after_the_first_measured_value_are_not_counted_back() -> None:
    loads = found(load(1, 10), load(2, 5), load(3, 7))
    assert isinstance(loads, Brought)
    assert totals(loads, ((day(2), 60), (day(4), 67))).totals == ((day(1), 55), (day(2), 60))
    assert "ended after" in totals(loads, ((day(0), 60),)).because


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ((load(1, 10), load(2, None), load(3, 7)), ((day(2), 93), (day(3), 100))),
        ((load(1, 10), load(2, 50, kind="refresh"), load(3, 7)), ((day(2), 93), (day(3), 100))),
        ((load(1, 10), load(2, 0, kind="schema"), load(3, 7, kind="backfill")), ((day(1), 93), (day(3), 100))),
        ((load(1, 10), load(2, 50, status=LoadStatus.FAILED), load(3, 7)), ((day(1), 93), (day(3), 100))),
        ((load(1, 9), load(1, 10, attempt=2), load(3, 7)), ((day(1), 93), (day(3), 100))),
    ],
    ids=["rows not told", "replaced", "schema and backfill", "failed", "tried twice"],
)
def test_what_counts(records: tuple[LoadRecord, ...], expected: tuple[tuple[datetime, int], ...]) -> None:
    loads = found(*records)
    assert isinstance(loads, Brought)
    assert totals(loads, ((day(4), 100),)).totals == expected


def test_a_load_as_a_whole_counts_for_its_only_table_alone() -> None:
    assert found(load(1, 10, None)) == "no load of a pipeline that loads it is kept"
    alone = found(load(1, 10, None), load(2, 90, None), load(2, 4), is_only_table=True)
    assert isinstance(alone, Brought)
    assert alone.loads == ((day(1), 10), (day(2), 4)), "what it did to the table says more than the whole"


@pytest.mark.parametrize(
    ("measured", "why"),
    [
        (((day(4), 100), (day(7), 130)), "brought 3,000 rows while the table grew by 30"),
        (((day(9), 100),), "brought more rows than the 100 of the table"),
    ],
)
def test_rows_that_are_merged_or_replaced_are_noticed(measured: tuple[tuple[datetime, int], ...], why: str) -> None:
    loads = found(*(load(n, 1_000) for n in range(1, 9)))
    assert isinstance(loads, Brought)
    past = totals(loads, measured)
    assert (past.totals, why in past.because) == ((), True), past.because


def test_a_tool_that_tells_no_rows_is_named() -> None:
    assert found(load(1, None), load(2, None)) == "dlt/shop does not say how many rows it loads, or replaces all of them"


@pytest.mark.parametrize(
    ("named", "is_meant"), [("orders", True), ("RAW.orders", True), ("main.raw.orders", False), ("other.orders", False)]
)
def test_names_of_tables(named: str, is_meant: bool) -> None:
    assert TABLE.is_called(named) is is_meant
