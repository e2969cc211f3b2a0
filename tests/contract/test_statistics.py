"""Statistics, conditions and queries on real engines: equal to Python's own, in every grouping, and never more than reads."""

from __future__ import annotations

import random
import statistics
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Any

import pytest

from dqmon.core.measurement import FailureKind, MetricRequest, Partition
from dqmon.core.metric import Metric, Value
from dqmon.core.plan import plan
from dqmon.engine.measuring.means import Means
from dqmon.engine.measuring.measure import measure
from dqmon.errors import QueryFailed, QueryTimeout, WarehouseError
from dqmon.sql.compile import compile_scan, fits
from dqmon.sql.metrics import BrokenConditionCount, ReturnedRows, ReturnedValue, RowCount, statistic

AT = datetime(2026, 2, 1, tzinfo=UTC)
Row = tuple[str | None, date, int | None, Decimal | None, float | None]


def asked(lab: Any, requests: list[MetricRequest], timeout_s: float = 20) -> dict[Any, Value]:
    """The values by partition, segment and metric."""
    found: dict[Any, Value] = {}
    with lab.warehouse.open() as session:
        for scan in plan(requests, partial(fits, caps=lab.warehouse.capabilities)):
            compiled = compile_scan(scan, session.columns(scan.table), (), lab.warehouse.capabilities, AT)
            found |= compiled.decode(session.fetch(compiled.statement, timeout_s))
    return found


def value_of(lab: Any, metric: Metric, timeout_s: float = 20) -> Value:
    (found,) = asked(lab, [MetricRequest(lab.ref("t"), metric)], timeout_s).values()
    return found


def some_rows(seed: int) -> list[Row]:
    made = random.Random(seed)

    def maybe(value: Any) -> Any:
        return None if made.random() < 0.2 else value

    return [
        (
            maybe(made.choice("ab")),
            date(2026, 1, made.choice((5, 6, 9))),
            maybe(made.randint(-9, 9)),
            maybe(Decimal(made.randint(-10_000, 10_000)) / 100),
            maybe(made.choice([0.1, 0.2, 2.5, -1e6, made.random()])),
        )
        for _ in range(60)
    ]


def fill(lab: Any, rows: list[Row]) -> None:
    def literal(value: object) -> str:
        return "null" if value is None else f"'{value}'" if isinstance(value, str | date) else str(value)

    values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
    lab.run('create table t (s varchar(9), day date, n bigint, d decimal(18, 2), "F" double precision)', f"insert into t values {values}")


def reference(word: str, q: Decimal | None, values: list[Any], rows: int) -> Any:
    """What Python says of the values that are not NULL; exact for whole numbers and decimals."""
    if word == "null_ratio":
        return (rows - len(values)) / rows if rows else None
    if not values or (word == "stddev" and len(values) < 2):
        return None
    match word:
        case "avg":
            return statistics.fmean(values) if isinstance(values[0], float) else statistics.mean(map(Decimal, values))
        case "stddev":
            return float(statistics.stdev(values))
        case "median":
            return float(statistics.median(values))
        case "quantile":
            place, ordered = float(q or 0) * (len(values) - 1), sorted(map(float, values))
            low = ordered[int(place)]
            return low + (place - int(place)) * (ordered[min(int(place) + 1, len(values) - 1)] - low)
        case "distinct_count":
            return len(set(values))
        case "distinct_ratio":
            return len(set(values)) / len(values)
    return {"min": min, "max": max, "sum": sum}[word](values)


def is_close(found: Any, wanted: Any) -> bool:
    """Exact for whole numbers; doubles to 12 digits, far above what orders of addition change; averages of decimals to 20."""
    if wanted is None or isinstance(wanted, int):
        return bool(found == wanted)
    if isinstance(wanted, Decimal):
        return abs(Decimal(str(found)) - wanted) <= Decimal("1e-20") * max(1, abs(wanted))
    return bool(found == pytest.approx(wanted, rel=1e-12, abs=1e-9))


WORDS = [(word, None) for word in ("min", "max", "sum", "avg", "stddev", "median", "distinct_count", "distinct_ratio", "null_ratio")]
STATISTICS = [*WORDS, ("quantile", Decimal("0.9")), ("quantile", Decimal(0)), ("quantile", Decimal(1))]
DAYS = [Partition("day", datetime(2026, 1, d, tzinfo=UTC), datetime(2026, 1, d + 1, tzinfo=UTC)) for d in (5, 6, 7)]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("segmented", [False, True])
def test_statistics_are_pythons_own_in_every_grouping(lab: Any, seed: int, segmented: bool) -> None:
    rows = some_rows(seed)
    fill(lab, rows)
    metrics = {statistic(name, word, q): (word, q, index) for index, name in ((2, "n"), (3, "d"), (4, "f")) for word, q in STATISTICS}
    requests = [MetricRequest(lab.ref("t"), metric, None, day, ("s",) if segmented else ()) for metric in metrics for day in DAYS]
    for (partition, segment, metric), found in asked(lab, requests).items():
        word, q, index = metrics[metric]
        inside = [row for row in rows if row[1] == partition.start.date() and (not segment or row[0] == segment[0][1])]
        values = [row[index] for row in inside if row[index] is not None]
        wanted = reference(word, q, values, len(inside))
        said = f"{lab.engine}: {metric.key} of {values} in {segment} is {found!r}, expected {wanted!r}"
        assert is_close(found, wanted), said
        if index == 3 and word in ("min", "max", "sum", "avg") and lab.engine != "sqlite" and found is not None:
            assert isinstance(found, Decimal | int), f"{said}; money must not come as a float"


@pytest.mark.parametrize("nulls", ["valid", "fail"])
def test_conditions_hold_in_every_grouping(lab: Any, nulls: Any) -> None:
    rows = some_rows(3)
    fill(lab, rows)
    metric, every = BrokenConditionCount("n > 0\n or d > 50", nulls), RowCount()
    requests = [MetricRequest(lab.ref("t"), one, None, day, ("s",)) for one in (metric, every) for day in DAYS]
    found = asked(lab, requests)
    assert len(plan(requests, lambda _: True)) == 1, "conditions belong into the fused scan"
    for partition in DAYS:
        for name in ("a", "b", None):
            inside = [row for row in rows if row[1] == partition.start.date() and row[0] == name]
            broken = [row for row in inside if not ((row[2] or -1) > 0 or (row[3] or 0) > 50)]
            unknown = [row for row in broken if row[2] is None or row[3] is None]
            wanted = len(broken) - (len(unknown) if nulls == "valid" else 0)
            assert found[partition, (("s", name),), metric] == wanted, f"{lab.engine}, {partition.key}, {name}"
            assert found[partition, (("s", name),), every] == len(inside)


def test_a_condition_that_the_engine_refuses_spoils_no_other(lab: Any) -> None:
    lab.run("create table t (n bigint)", "insert into t values (1), (2)")
    bad = {
        BrokenConditionCount("nothing > 0"): (FailureKind.QUERY, FailureKind.MISSING_COLUMN),
        BrokenConditionCount("n > 0; drop table t"): (FailureKind.QUERY,),
        BrokenConditionCount('"m" > 0'): (FailureKind.MISSING_COLUMN,),  # To SQLite it is a text, and true.
    }
    good = {BrokenConditionCount("n > 1"): 1, statistic("n", "sum"): 3, RowCount(): 2}
    ids = count()
    done = measure(lab.warehouse, [MetricRequest(lab.ref("t"), m) for m in (*bad, *good)], Means(lambda: AT, lambda: str(next(ids))))
    values = {request.metric: measured[0].value for request, measured in done.by_request.items()}
    failures = {request.metric: measured[0].failure for request, measured in done.by_request.items() if measured[0].failure}
    assert {metric: values[metric] for metric in good} == good
    assert failures.keys() == bad.keys()
    assert [metric for metric in bad if failures[metric].kind not in bad[metric]] == []


@pytest.mark.parametrize("word", ["min", "avg", "median"])
def test_statistics_of_texts_are_refused_in_words(lab: Any, word: str) -> None:
    lab.run("create table t (n varchar(9))", "insert into t values ('5')")
    with pytest.raises(QueryFailed, match=r"column 'n' is text; \w+ needs numbers"):
        value_of(lab, statistic("n", word))


@pytest.mark.parametrize("word", ["sum", "avg", "stddev"])
def test_what_infinities_leave_without_a_value_is_an_error(lab: Any, word: str) -> None:
    if lab.engine == "sqlite":
        lab.run("create table t (n double precision)", "insert into t values (9e999), (-9e999)")
    else:
        lab.run("create table t (n double precision)", "insert into t values ('Infinity'), ('-Infinity')")
    with pytest.raises(QueryFailed, match=r"number|infinit|out of range"):
        value_of(lab, statistic("n", word))


@pytest.mark.parametrize("lab", ["sqlite"], indirect=True)  # The others keep no texts in columns of numbers.
@pytest.mark.parametrize("word", ["sum", "avg", "stddev", "median"])
def test_a_text_among_numbers_is_no_zero(lab: Any, word: str) -> None:
    lab.run("create table t (n integer)", "insert into t values (1), ('many')")
    with pytest.raises(QueryFailed, match="'many' is no number"):
        value_of(lab, statistic("n", word))


def test_queries_see_the_table_and_answer(lab: Any) -> None:
    lab.run('create table t (n bigint, "Select" bigint)', "insert into t values (1, 1), (2, 1), (3, null)")
    assert value_of(lab, ReturnedRows('select * from {dataset} where "Select" = 1')) == 2
    assert value_of(lab, ReturnedValue("select sum(n) from {dataset} x where exists (select 1 from {dataset} y where y.n > x.n)")) == 3
    assert value_of(lab, ReturnedValue("select max(n) from {dataset} where n > 9")) is None
    with pytest.raises(QueryFailed, match="more than one row"):
        value_of(lab, ReturnedValue("select n from {dataset}"))
    with pytest.raises(QueryFailed, match="2 columns"):
        value_of(lab, ReturnedValue("select min(n), max(n) from {dataset}"))


def test_a_query_is_stopped_at_the_time_limit(lab: Any) -> None:
    lab.run("create table t (n bigint)")
    endless = "with recursive r(i) as (select 1 union all select (i + 1) % 1000 from r) select * from r"
    with pytest.raises(QueryTimeout, match=r"limit of 0\.5 s"):
        value_of(lab, ReturnedRows(endless), 0.5)


@pytest.mark.parametrize("lab", ["postgres"], indirect=True)  # The others have no functions that write.
def test_a_query_cannot_write_by_a_function_of_the_users_own(lab: Any) -> None:
    lab.run(
        "create table t (n bigint)",
        "insert into t values (5)",
        "create function f() returns int language sql as 'insert into public.t values (1) returning 1'",
    )
    with pytest.raises(WarehouseError, match="read-only"):
        value_of(lab, ReturnedRows("select f() from (select 1) x"))
    with pytest.raises(WarehouseError, match="read-only"):
        value_of(lab, BrokenConditionCount("f() = 1"))
    assert value_of(lab, RowCount()) == 1


def test_a_table_with_a_hostile_name_stays_a_name(lab: Any) -> None:
    name = 'x" (; drop table t; --'
    quoted = '"' + name.replace('"', '""') + '"'
    lab.run(f"create table {quoted} (n bigint)", f"insert into {quoted} values (7)")
    request = MetricRequest(lab.ref(name), ReturnedValue("select n from {dataset}"))
    assert list(asked(lab, [request]).values()) == [7]


def test_partitions_of_statistics_need_no_row(lab: Any) -> None:
    fill(lab, some_rows(4))
    empty = Partition("day", AT, AT + timedelta(days=1))
    requests = [MetricRequest(lab.ref("t"), metric, None, empty) for metric in (statistic("d", "avg"), statistic("n", "distinct_count"))]
    assert set(asked(lab, requests).values()) == {None}
