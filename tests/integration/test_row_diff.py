"""Rows of two tables compared by `reconciliation: rows`: random tables on all pairs of engines against a loop over the rows."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeAlias

import duckdb
import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from random_tables import tried

from dqmon.checks.base.row_search import Found, Rows, follow, search_rows
from dqmon.core.measurement import MetricRequest
from dqmon.core.metric import Totals
from dqmon.core.plan import plan
from dqmon.core.protocols import Warehouse
from dqmon.core.registry import Registry
from dqmon.core.table import TableRef
from dqmon.sql.compile import compile_scan, fits
from dqmon.sql.metrics import Buckets, RowCount, RowHashes
from dqmon.sql.plain import HASH_BITS

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
Row: TypeAlias = tuple[Any, ...]

COLUMNS = {
    "id": "bigint",
    "part": "varchar",
    "amount": "decimal(12, 2)",
    "rate": "double precision",
    "day": "date",
    "made": "timestamp",
    "is_open": "boolean",
}
"""Types that all three engines know by these words."""
DECLARED = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())


class Place:
    """One engine: tables are made and filled, and read through its warehouse."""

    def __init__(self, kind: str, target: str) -> None:
        self.kind, self.target = kind, target
        self.schema = "public" if kind == "postgres" else "main"
        type_ = Registry("warehouses").get(kind)
        options = {"url": SecretStr(target)} if kind == "postgres" else {"path": target}
        self.write("select 1")
        self.warehouse: Warehouse = type_(kind, type_.Options(**options))

    def write(self, *statements: str, rows: Sequence[Row] = ()) -> None:
        """Runs the statements, the last one with the values of all rows if there are any."""
        connection: Any
        match self.kind:
            case "duckdb":
                connection = duckdb.connect(self.target)
                rows = [tuple(str(v) if isinstance(v, Decimal) else v for v in row) for row in rows]
            case "sqlite":
                connection = sqlite3.connect(self.target)
                rows = [tuple(float(v) if isinstance(v, Decimal) else str(v) if isinstance(v, date) else v for v in row) for row in rows]
            case _:
                connection = psycopg.connect(self.target)
        *first, last = statements
        with closing(connection):
            for statement in first:
                connection.execute(statement)
            connection.execute(last, [value for row in rows for value in row])
            connection.commit()

    def fill(self, side: int, rows: Sequence[Row]) -> TableRef:
        """The table of a side with just these rows."""
        mark = "%s" if self.kind == "postgres" else "?"
        values = ", ".join([f"({', '.join([mark] * len(COLUMNS))})"] * len(rows))
        inserts = [f"insert into t{side} values {values}"] if rows else []
        self.write(f"drop table if exists t{side}", f"create table t{side} ({DECLARED})", *inserts, rows=rows)
        return TableRef(self.kind, None, self.schema, f"t{side}")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Iterator[dict[str, Place]]:
    folder = tmp_path_factory.mktemp("rows")
    url = sa.make_url(postgres_url)
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text("create database row_diff"))
    plain = url.set(drivername="postgresql", database="row_diff").render_as_string(hide_password=False)
    with ExitStack() as stack:
        found = {kind: Place(kind, plain if kind == "postgres" else str(folder / kind)) for kind in ("duckdb", "sqlite", "postgres")}
        for place in found.values():
            stack.callback(place.warehouse.close)
        yield found
    with engine.connect() as connection:
        connection.execute(sa.text("drop database row_diff with (force)"))


@dataclass
class Searched:
    """What a search found, and how many rows its statements returned at most."""

    found: Found | str
    statements: int
    largest: int


def searched(here: Place, there: Place, tables: tuple[TableRef, TableRef], rows: Rows) -> Searched:
    """The search, each step measured by the planner and the compiler without the engine."""
    sides = (MetricRequest(tables[0], RowCount()), MetricRequest(tables[1], RowCount()))
    known: dict[MetricRequest, Any] = {}
    done = Searched("", 0, 0)
    missing = [replace(side, metric=metric) for side in sides for metric in rows.bounds]
    while True:
        for place in {here.kind: here, there.kind: there}.values():
            with place.warehouse.open() as session:
                own = [r for r in missing if r.table.warehouse == place.kind]
                for scan in plan(own, partial(fits, caps=place.warehouse.capabilities)):
                    columns = session.columns(scan.table)
                    if scan.metrics[0].kind == "metadata":
                        known |= dict.fromkeys(scan.requests, columns)
                        continue
                    compiled = compile_scan(scan, columns, (), place.warehouse.capabilities, NOW)
                    fetched = session.fetch(compiled.statement, 10)
                    done.statements, done.largest = done.statements + 1, max(done.largest, len(fetched))
                    answers = compiled.decode(fetched)
                    known |= {request: answers[None, (), request.metric] for request in scan.requests}
        asked, end = follow(search_rows(rows, sides), known)
        if end is not None:
            return replace(done, found=end)
        missing = [request for request in asked if request not in known]


def differing(here: Sequence[Row], there: Sequence[Row], key: Sequence[str]) -> tuple[int, int, int]:
    """Rows changed, only here and only there, by a loop over all rows: the reference."""
    at = [list(COLUMNS).index(name) for name in key]
    mine: dict[Row, Counter[Row]] = {}
    theirs: dict[Row, Counter[Row]] = {}
    for side, rows in ((mine, here), (theirs, there)):
        for row in rows:
            side.setdefault(tuple(row[i] for i in at), Counter())[row] += 1
    total = [0, 0, 0]
    for values in {*mine, *theirs}:
        left, right = mine.get(values, Counter()), theirs.get(values, Counter())
        gone, come = (left - right).total(), (right - left).total()
        changed = 0 if None in values else min(gone, come)
        total = [total[0] + changed, total[1] + gone - changed, total[2] + come - changed]
    return total[0], total[1], total[2]


cells = {
    "id": st.one_of(st.integers(-40, 40), st.integers(-(2**62), 2**62), st.none()),
    "part": st.one_of(st.none(), st.sampled_from(["", "|", "1:a|", "a", "A", "a ", "é", "\U0001f600", "0", "NULL", "%"])),
    "amount": st.one_of(st.none(), st.integers(-(10**9), 10**9).map(lambda cents: Decimal(cents) / 100)),
    "rate": st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)),
    "day": st.one_of(st.none(), st.dates(date(1800, 1, 1), date(2400, 1, 1))),
    "made": st.one_of(st.none(), st.datetimes(datetime(1800, 1, 1), datetime(2400, 1, 1))),
    "is_open": st.sampled_from([None, True, False]),
}
one_row = st.tuples(*cells.values())


@st.composite
def edited(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """A table and a copy of it with some rows changed, gone, added and doubled."""
    rows = draw(st.lists(one_row, max_size=12))
    other: list[Row] = []
    for row in rows:
        match draw(st.sampled_from(["same", "same", "same", "change", "drop", "double"])):
            case "same":
                other.append(row)
            case "change":
                at = draw(st.integers(1, len(COLUMNS) - 1))
                other.append((*row[:at], draw(list(cells.values())[at]), *row[at + 1 :]))
            case "double":
                other += [row, row]
    return rows, draw(st.permutations(other + draw(st.lists(one_row, max_size=2))))


@pytest.mark.random
@pytest.mark.parametrize(
    "pair", [("duckdb", "postgres"), ("sqlite", "duckdb"), ("postgres", "sqlite"), ("postgres", "postgres")], ids="-".join
)
@tried(30)
@given(tables=edited(), key=st.sampled_from([("id",), ("part",), ("id", "part"), ("day",), ("made",)]))
def test_random_tables_differ_by_as_many_rows_as_a_loop_finds(
    places: dict[str, Place], pair: tuple[str, str], tables: tuple[list[Row], list[Row]], key: tuple[str, ...]
) -> None:
    here, there = (places[kind] for kind in pair)
    found = searched(here, there, (here.fill(0, tables[0]), there.fill(1, tables[1])), Rows(key=key)).found
    assert isinstance(found, Found), found
    assert (found.here, found.there) == (len(tables[0]), len(tables[1]))
    assert (found.changed, found.only_here, found.only_there) == differing(*tables, key)


def many(count: int, step: int = 1) -> list[Row]:
    made = datetime(2013, 1, 1)
    return [(i * step, f"p{i}", Decimal(i) / 100, i / 8, date(2013, 1, 1), made + timedelta(seconds=i), i % 2 == 0) for i in range(count)]


@pytest.mark.parametrize("pair", [("duckdb", "sqlite"), ("sqlite", "postgres")], ids="-".join)
@pytest.mark.parametrize(("key", "step"), [(("id",), 1), (("id",), 2**40), (("part",), 1), (("id", "made"), -3)])
def test_a_larger_table_is_halved_down_to_its_differing_rows(
    places: dict[str, Place], pair: tuple[str, str], key: tuple[str, ...], step: int
) -> None:
    here, there = (places[kind] for kind in pair)
    mine = many(3_000, step)
    theirs = [row for row in mine if row[1] not in ("p7", "p2999")]
    theirs[1_500] = (*theirs[1_500][:3], 0.1, *theirs[1_500][4:])
    rows = Rows(key=key)
    done = searched(here, there, (here.fill(0, mine), there.fill(1, theirs)), rows)
    assert isinstance(done.found, Found), done.found
    assert (done.found.changed, done.found.only_here, done.found.only_there) == (1, 2, 0)
    assert done.largest <= 256, f"a statement returned {done.largest} rows, expected 256 at most"
    assert done.statements <= 2 * (13 if step == 2**40 else 5), f"found {done.statements} statements"


def test_equal_tables_take_one_step_of_counting(places: dict[str, Place]) -> None:
    here, there = places["duckdb"], places["sqlite"]
    done = searched(here, there, (here.fill(0, many(600)), there.fill(1, many(600)[::-1])), Rows(key=("id",)))
    assert isinstance(done.found, Found), done.found
    assert (done.found.differing, done.found.here, done.statements) == (0, 600, 4)


def test_more_differences_than_the_limit_end_the_search_with_what_is_sure(places: dict[str, Place]) -> None:
    here, there = places["duckdb"], places["sqlite"]
    mine = many(2_000)
    theirs = [(*row[:2], row[2] + 1, *row[3:]) for row in mine]
    rows = Rows(key=("id",), max_differences=5)
    done = searched(here, there, (here.fill(0, mine), there.fill(1, theirs)), rows)
    assert isinstance(done.found, Found), done.found
    assert done.found.at_least is not None
    assert 5 < done.found.at_least <= 2_000
    assert (done.statements, done.largest <= rows.most) == (4, True)


def test_a_key_that_all_rows_share_is_given_up_rather_than_fetched(places: dict[str, Place]) -> None:
    here, there = places["sqlite"], places["duckdb"]
    mine = [(1, *row[1:]) for row in many(400)]
    done = searched(here, there, (here.fill(0, mine), there.fill(1, mine[:380])), Rows(key=("id",), max_differences=1))
    assert isinstance(done.found, Found), done.found
    assert (done.found.at_least, done.found.here, done.found.there) == (20, 400, 380)


def test_floats_and_decimals_compare_as_doubles_and_specials_equal_themselves(places: dict[str, Place]) -> None:
    here, there = places["duckdb"], places["postgres"]
    nothing = (None,) * 4
    values = [
        float("nan"),
        float("inf"),
        float("-inf"),
        -0.0,
        0.1,
        5e-324,
        1.7976931348623157e308,
        4.659921930633114e16,
        2.0**-44,
        1e22,
        1 / 3,
    ]
    mine = [(i, None, None, value, *nothing[1:]) for i, value in enumerate(values)]
    theirs = [(i, None, None, 0.0 if value == 0 else value, *nothing[1:]) for i, value in enumerate(values)]
    tables = here.fill(0, mine), there.fill(1, theirs)
    found = searched(here, there, tables, Rows(key=("id",))).found
    assert isinstance(found, Found), found
    assert found.differing == 0
    there.write("drop table t1", "create table t1 (id bigint, rate decimal(45, 20))")
    there.write("insert into t1 values (4, 0.10), (9, 1e22), (10, 0.3333)")
    kept = here.fill(0, [mine[4], mine[9], mine[10]])
    found = searched(here, there, (kept, tables[1]), Rows(key=("id",))).found
    assert isinstance(found, Found), found
    assert (found.changed, found.compared, found.alone) == (1, ("rate",), ("part", "amount", "day", "made", "is_open"))


@pytest.mark.parametrize(
    ("kind", "moments"),
    [("duckdb", ["infinity", "-infinity", "2013-02-08 05:00:00.123456"]), ("postgres", ["infinity", "-infinity", "0044-03-15 BC"])],
)
def test_infinite_and_distant_moments_are_told_apart(places: dict[str, Place], kind: str, moments: list[str]) -> None:
    here, there = places[kind], places["postgres" if kind == "duckdb" else "duckdb"]
    rows = [(i, None, None, None, None, moment, None) for i, moment in enumerate(moments)]
    other = [
        (i, None, None, None, None, moment.replace("0044-03-15 BC", "0044-03-15 (BC)"), None) for i, moment in enumerate(moments[::-1])
    ]
    found = searched(here, there, (here.fill(0, rows), there.fill(1, other)), Rows(key=("id",))).found
    assert isinstance(found, Found), found
    assert found.changed == 2


def test_hashes_are_the_same_integers_on_every_engine(places: dict[str, Place]) -> None:
    """A golden value: a stored hash is never compared, but a change of it would tell of a change of its meaning."""
    expected = int(hashlib.md5(b"1|2:\xc3\xa9x|1.5|5.0000000000000000e-01|1360281600000000|1360299600000000|1|").hexdigest()[:15], 16)
    row = (1, "\u00e9x", Decimal("1.50"), 0.5, date(2013, 2, 8), datetime(2013, 2, 8, 5), True)
    for place in places.values():
        table = place.fill(0, [row])
        request = MetricRequest(table, RowHashes(10, ("id",), tuple(COLUMNS)[1:], (), Buckets(None, HASH_BITS)))
        with place.warehouse.open() as session:
            (scan,) = plan([request], lambda _: True)
            compiled = compile_scan(scan, session.columns(table), (), place.warehouse.capabilities, NOW)
            (found,) = compiled.decode(session.fetch(compiled.statement, 10)).values()
        assert isinstance(found, Totals)
        assert found.by_key == {("1",): (expected,)}, place.kind
