"""Prices, shares, budgets: numbers alone."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import duckdb_engine
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dqmon.cli.units import amount, size
from dqmon.core.check import Schedule
from dqmon.core.cost import TIB, Budget, Cost, Price, shares, together
from dqmon.core.measurement import MetricRequest, Partition, Scan
from dqmon.core.plan import plan
from dqmon.core.spending import Spending
from dqmon.core.table import TableRef
from dqmon.daemon.cron import runs_per_day
from dqmon.engine.measuring.budget import SAMPLE, Purse, PurseMeans, ration
from dqmon.engine.measuring.sent import behind, borne_by
from dqmon.sql.metrics import RowCount
from dqmon.sql.metrics.counts import MissingCount
from dqmon.sql.tables import SampledTable

DAY = timedelta(days=1)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
NOTHING_KNOWN = PurseMeans(lambda _: {}, lambda _: False)
TABLE = TableRef("snow", None, "shop", "orders")


def of_day(number: int, **fields: object) -> MetricRequest:
    start = MONDAY + number * DAY
    return MetricRequest(TABLE, RowCount(), partition=Partition("made", start, start + DAY), **fields)  # type: ignore[arg-type]  # in one place


@pytest.mark.parametrize(
    ("price", "seconds", "billed", "credits_"),
    [
        (Price(per_hour=1), 3_600, None, 1.0),
        (Price(per_hour=4), 9, None, 0.01),
        (Price(per_hour=0), 9, None, 0.0),
        (Price(per_hour=1), None, None, None),
        (Price(per_tib=6.25), 9, TIB, 6.25),
        (Price(per_tib=6.25), 9, 0, 0.0),
        (Price(per_tib=6.25), 9, None, None),
        (Price(per_hour=1, per_tib=5), 3_600, TIB // 5, pytest.approx(1.0)),
        (Price(), 9, TIB, None),
    ],
)
def test_a_price_is_of_hours_or_of_bytes_billed(price: Price, seconds: float | None, billed: int | None, credits_: float | None) -> None:
    assert price.credits(seconds, Spending(bytes_billed=billed)) == credits_


def test_each_request_bears_the_same_part_and_each_of_its_checks_the_same_of_that() -> None:
    assert shares([["a"], ["a", "b"], [], ["c"]]) == {
        "a": pytest.approx(1 / 3 + 1 / 6),
        "b": pytest.approx(1 / 6),
        "c": pytest.approx(1 / 3),
    }
    assert shares([[], []]) == {}
    assert list(shares([["z"], ["a"]])) == ["a", "z"], "in one order, so that equal shares are equal texts in the store"


def test_sharing_neither_loses_nor_invents() -> None:
    chance = random.Random(4)
    for _ in range(200):
        served = [[f"c{chance.randrange(9)}" for _ in range(chance.randrange(1, 5))] for _ in range(chance.randrange(1, 40))]
        assert sum(shares(served).values()) == pytest.approx(1.0, abs=1e-12)


def test_a_step_is_borne_by_the_checks_of_what_it_leads_to() -> None:
    wanted, other, step, piece = (of_day(n) for n in range(4))
    first = behind({wanted: (step,), other: (step,)}, (other,))
    assert first == {other: (other,), step: (wanted, other)}
    assert behind({step: (piece,)}, (), first) == {piece: (wanted, other)}
    assert borne_by([first[step]], {wanted: ["a"], other: ["b"]}) == {"a": 0.5, "b": 0.5}


def test_costs_add_up_and_unknown_stays_unknown() -> None:
    one = Cost(1.0, Spending(5, None, 7), 0.5)
    assert together((one, one, Cost())) == Cost(2.0, Spending(10, None, 14), 1.0)
    assert together(()) == Cost()
    assert one.part(0.5) == Cost(0.5, Spending(2, None, 4), 0.25)
    assert [c.paid_bytes for c in (one, Cost(spent=Spending(bytes_read=3)), Cost())] == [7, 3, None]


@pytest.mark.parametrize(
    ("budget", "spent", "more", "said"),
    [
        (Budget(credits_per_day=2), Cost(credits=1.5), Cost(credits=0.5), None),
        (
            Budget(credits_per_day=2),
            Cost(credits=1.9),
            Cost(credits=0.3),
            "does not allow about 0.3 credits more: 1.90 of 2 credits today",
        ),
        (Budget(credits_per_day=2), Cost(credits=2.0), Cost(), "is spent: 2 of 2 credits today"),
        (Budget(credits_per_day=2), Cost(credits=1.99), Cost(), None),
        (Budget(credits_per_day=2), Cost(), Cost(seconds=900.0), None),
        (Budget(bytes_per_day=1e9), Cost(spent=Spending(bytes_read=10**9)), Cost(), "is spent: 1,000,000,000 of 1,000,000,000 bytes today"),
        (Budget(9, 9, 60.0), Cost(61.0), Cost(), "is spent: 61 of 60 seconds today"),
        (Budget(), Cost(1e9, Spending(1, 10**15), 1e9), Cost(1.0), None),
    ],
)
def test_a_budget_refuses_what_passes_it_and_anything_once_it_is_spent(budget: Budget, spent: Cost, more: Cost, said: str | None) -> None:
    assert budget.refusal(spent, more) == said


def purse(credits_per_day: float, spent: float = 0.0, means: PurseMeans = NOTHING_KNOWN) -> Purse:
    return Purse("snow", Budget(credits_per_day=credits_per_day), Cost(credits=spent), means)


def each_costs(one: float):
    """Statements that cost so much for each of their partitions."""

    def forecast(requests: object) -> list[tuple[Scan, Cost]]:
        return [(scan, Cost(credits=one * len(scan.slices))) for scan in plan(requests, lambda _: True)]  # type: ignore[arg-type]  # requests

    return forecast


def test_what_was_promised_is_not_promised_twice() -> None:
    mine = purse(2)
    assert mine.promise([Cost(credits=1.5)]) is None
    assert mine.promise([Cost(credits=1.0)]) == "budget of snow does not allow about 1 credits more: 1.50 of 2 credits today"
    mine.settle(Cost(credits=1.5))
    mine.pay(Cost(credits=0.5))
    assert mine.promise([Cost(credits=1.0), Cost(credits=0.5)]) is None
    assert mine.promise([Cost()]) == "budget of snow is spent: 2 of 2 credits today"


def test_everything_goes_while_it_is_allowed() -> None:
    found = ration([of_day(0), of_day(1)], each_costs(1.0), purse(2))
    assert (len(found.granted), found.refused) == (1, {})


def test_the_newest_partition_of_each_series_goes_first() -> None:
    hour = replace(of_day(0), partition=Partition("made", MONDAY, MONDAY + timedelta(hours=1)))
    null = replace(of_day(0), partition=Partition("made", None, None))
    asked = [of_day(0), of_day(2), of_day(1), hour, null, of_day(0, where="x > 1")]
    found = ration(asked, each_costs(1.0), purse(3))
    assert set(found.refused) == {of_day(0), of_day(1), null}
    assert {r for scan, _ in found.granted for r in scan.requests} == {of_day(2), hour, of_day(0, where="x > 1")}
    assert all(reason.endswith("only the newest partition is read") for reason in found.refused.values())


def test_a_spent_budget_leaves_out_the_newest_partition_as_well() -> None:
    said = "budget of snow is spent: 2 of 2 credits today; skipped until 00:00 UTC"
    assert ration([of_day(0), of_day(1)], each_costs(1.0), purse(2, 2)).refused == {of_day(0): said, of_day(1): said}


def test_a_day_of_23_hours_is_a_day() -> None:
    short = replace(of_day(3), partition=Partition("made", MONDAY + 3 * DAY, MONDAY + 3 * DAY + timedelta(hours=23)))
    found = ration([of_day(2), short], each_costs(1.0), purse(1))
    assert set(found.refused) == {of_day(2)}


def test_then_one_statement_after_the_other_as_long_as_each_is_allowed() -> None:
    asked = [MetricRequest(TABLE, RowCount(), where=f"x > {n}") for n in range(4)]
    costs = dict(zip(asked, (1.0, 5.0, 1.0, 1.0), strict=True))
    found = ration(
        asked,
        lambda requests: [(scan, Cost(credits=costs[scan.requests[0]])) for scan in plan(requests, lambda _: True)],
        purse(2),
    )
    assert [scan.requests[0] for scan, _ in found.granted] == [asked[0], asked[2]]
    assert found.refused == {
        asked[1]: "budget of snow does not allow about 5 credits more: 1 of 2 credits today; skipped until 00:00 UTC",
        asked[3]: "budget of snow is spent: 2 of 2 credits today; skipped until 00:00 UTC",
    }


def test_what_does_not_fit_is_read_of_a_sample_where_that_says_something() -> None:
    share, exact = (MetricRequest(TABLE, MissingCount(name), where=f"{name} > 1") for name in ("a", "b"))

    def forecast(requests: object) -> list[tuple[Scan, Cost]]:
        scans = plan(requests, lambda _: True)  # type: ignore[arg-type]  # requests
        return [(scan, Cost(credits=9.0 if scan.sample is None else 9.0 * scan.sample / 100)) for scan in scans]

    found = ration([share, exact], forecast, purse(1, means=PurseMeans(lambda _: {}, lambda request: request == share)))
    assert [(scan.requests, scan.sample) for scan, _ in found.granted] == [((replace(share, sample=SAMPLE),), SAMPLE)]
    said = "budget of snow does not allow about 9 credits more: 0 of 1 credits today"
    assert found.samples == {replace(share, sample=SAMPLE): f"of a sample of about 1% of the rows, since the {said}"}
    assert set(found.refused) == {exact}
    spent = ration([share, exact], forecast, purse(1, 1, PurseMeans(lambda _: {}, lambda _: True)))
    assert (spent.granted, set(spent.refused)) == ((), {share, exact}), "a spent budget allows no sample either"


@pytest.mark.parametrize(
    ("dialect", "said"),
    [(postgresql.dialect(), '"orders" TABLESAMPLE SYSTEM (1)'), (duckdb_engine.Dialect(), '"orders" TABLESAMPLE SYSTEM (1 PERCENT)')],
    ids=["postgresql", "duckdb"],
)
def test_a_sample_is_of_one_percent_in_each_dialect(dialect: object, said: str) -> None:
    statement = sa.select(sa.func.count()).select_from(SampledTable(TableRef("w", None, None, "orders"), 1.0))
    assert str(statement.compile(dialect=dialect)).endswith(f"FROM {said}")  # type: ignore[arg-type]  # a dialect


def test_what_costs_nobody_knows_goes_until_the_budget_is_spent() -> None:
    asked = [MetricRequest(TABLE, RowCount()), MetricRequest(TABLE, MissingCount("a"), where="x > 1")]
    unknown = lambda requests: [(scan, Cost()) for scan in plan(requests, lambda _: True)]  # noqa: E731 - as short as that
    assert ration(asked, unknown, purse(2, 1.99)).refused == {}
    assert set(ration(asked, unknown, purse(2, 2.0)).refused) == set(asked)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(None, 21_600, "UTC"), 4),
        (Schedule(None, 604_800, "UTC"), 1 / 7),
        (Schedule("0 6 * * *", None, "Europe/Berlin"), 1),
        (Schedule("*/10 * * * *", None, "UTC"), 144),
        (Schedule("0 6 * * 1-5", None, "UTC"), 5 / 7),
        (Schedule("0 9-17 * * 1-5", None, "America/New_York"), 9 * 5 / 7),
        (Schedule("0 0 1 * *", None, "UTC"), 12 / 364),
    ],
)
def test_runs_a_day_follow_the_schedule(schedule: Schedule, expected: float) -> None:
    assert runs_per_day(schedule, date(2026, 3, 4)) == pytest.approx(expected, rel=0.03)


def test_a_schedule_that_does_not_fire_this_year_costs_nothing() -> None:
    assert runs_per_day(Schedule("0 0 29 2 *", None, "UTC"), date(2026, 3, 4)) == 0


def test_sizes_and_amounts_are_short() -> None:
    assert [size(n) for n in (None, 0, 999, 1_000, 12_345_678, 9e17)] == ["-", "0 B", "999 B", "1.0 kB", "12.3 MB", "900.0 PB"]
    assert [amount(n) for n in (None, 0, 0.00012345, 0.5, 1234.5)] == ["-", "0", "0.00012", "0.5", "1,234.50"]
