"""ClickHouse's real client, dialect and engine: what is its own, and what the suites that write PostgreSQL's SQL cannot ask of it."""

from __future__ import annotations

import json
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from engines import engine
from engines.clickhouse import Clickhouse, quoted
from patience import seconds
from test_warehouses_safety import HOSTILE

from dqmon.app import open_app
from dqmon.core.calendar import at_wall_time
from dqmon.core.measurement import MetricRequest
from dqmon.core.plan import plan
from dqmon.core.selector import Selector
from dqmon.core.table import TableRef, TypeGroup
from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryFailed, QueryTimeout, TableMissing, UnsafeSql, WarehouseError
from dqmon.sql import metrics as m
from dqmon.sql.columns import Stored
from dqmon.sql.compile import compile_scan
from dqmon.sql.instant import in_utc
from dqmon.sql.raw import condition
from dqmon.sql.tables import NamedTable

pytestmark = pytest.mark.skipif(engine("clickhouse").why_not() is not None, reason=str(engine("clickhouse").why_not()))

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
SLOW = sa.select(sa.func.count()).select_from(sa.text("numbers(100000000000)")).where(sa.text("sin(number) > 2"))


class Lab:
    """A warehouse on an empty database, and the owner's way to write into it."""

    def __init__(self, location: str) -> None:
        self.location = location
        self.warehouse = engine("clickhouse").warehouse("w", location)

    def run(self, *statements: str) -> None:
        with engine("clickhouse").writer(self.location) as execute:
            for statement in statements:
                execute(statement)

    def ref(self, name: str) -> TableRef:
        return TableRef("w", None, self.warehouse.default_schema, name)

    def of(self, name: str, *found: Any, session: Any = None, **how: Any) -> list[Any]:
        """The values of metrics of a table, in their order, in a given session or one of its own."""
        values: dict[Any, Any] = {}
        with nullcontext(session) if session else self.warehouse.open() as opened:
            for scan in plan([MetricRequest(self.ref(name), metric, **how) for metric in found], lambda _: True):
                compiled = compile_scan(scan, opened.columns(self.ref(name)), (), self.warehouse.capabilities, AT)
                values |= {metric: v for (*_, metric), v in compiled.decode(opened.fetch(compiled.statement, 30)).items()}
        return [values[metric] for metric in found]


@pytest.fixture
def lab(servers: Callable[[str], str], tmp_path: Path) -> Iterator[Lab]:
    found = Lab(engine("clickhouse").place(servers("clickhouse"), tmp_path))
    yield found
    found.warehouse.close()


def test_hostile_names_are_names(lab: Lab) -> None:
    # A table of ClickHouse is a folder, whose name cannot be longer.
    named = {*HOSTILE, "`a`", "`", "``", '"a"', "a`; drop table canary; --", "{x:String}"}
    names = sorted(name for name in named if "\0" not in name and len(quote(name)) < 180)
    tables = (f"create table {quoted(name)} ({quoted(name)} Nullable(Int64)) engine = Memory" for name in names)
    lab.run("create table canary (x Int8) engine = Memory", *tables, *(f"insert into {quoted(name)} values (1), (null)" for name in names))
    with lab.warehouse.open() as session:
        session.announce(map(lab.ref, names))
        for name in names:
            found = lab.of(name, m.MissingCount(name), m.SurplusRows((name,)), m.statistic(name, "sum"), session=session)
            assert found == [1, 0, 1], f"{name!r} exists and cannot be measured"
        listed = {ref.name for ref, _ in session.tables(lab.warehouse.default_schema)}
        with pytest.raises(TableMissing):
            session.columns(lab.ref("a\0b"))
    assert listed == {*names, "canary"}


WRITES = [
    "insert into canary values (2)", "insert into canary select 2", "truncate table canary", "drop table canary", "alter table canary delete where 1",
    "delete from canary where 1", "optimize table canary final", "create table evil (x Int8) engine = Memory", "create view evil as select 1",
    "create temporary table evil (x Int8)", "create database evil", "rename table canary to evil", "exchange tables canary and canary",
    "create function evil as (x) -> x", "create role evil", "grant all on *.* to default", "create user evil", "attach table evil", "detach table canary",
    "set readonly = 0", "set max_execution_time = 0", "select 1 settings readonly = 0", "select 1 settings max_threads = 1", "system flush logs",
    "select 1; drop table canary", "insert into function file('dqmon_evil.csv') select 1",
    "select 1 settings log_queries = 0", "alter table canary modify comment 'evil'", "undrop table evil", "backup table canary to Disk('d', 'x')",
    "create dictionary evil (x Int8) primary key x source(null()) layout(flat()) lifetime(0)", "drop database default",
]  # fmt: skip


def test_no_write_gets_through(lab: Lab) -> None:
    """Statements are given to the connection itself, past all that dqmon looks at: the engine refuses each."""
    lab.run("create table canary (x Int8) engine = MergeTree order by tuple()", "insert into canary values (1)")
    passed = []
    with lab.warehouse.open() as session:
        for attempt in WRITES:
            with pytest.raises(UnsafeSql):
                session.fetch(sa.text(attempt), 5)
            try:
                session._rows(sa.text(attempt), {}, 5)
                passed.append(attempt)
            except WarehouseError:
                pass
    assert passed == [], "these statements were not refused"
    assert lab.of("canary", m.RowCount()) == [1]


@pytest.mark.parametrize("text", [
    "select * from file('/etc/passwd')", "select * from url('http://127.0.0.1/')", "select * from remote('h', system.one)", "select file('x')",
    "select * from s3('x')", "select sleep(3)", "select sleepEachRow(1) from {dataset}", "select * from {dataset} into outfile 'x'",
    "select generateSerialID('x')", "insert into t select 1", "select * from executable('x', 'TSV', 'a Int8')", "system shutdown",
    "select * from mysql('h', 'd', 't', 'u', 'p')", "select {p:Int64} from {dataset}", "kill query where 1", "set readonly = 0",
])  # fmt: skip
def test_only_reading_is_let_through(text: str) -> None:
    from dqmon.sql.raw import query

    with pytest.raises(UnsafeSql):
        query(text, NamedTable(TableRef("w", None, "d", "t")), "clickhouse")


@pytest.mark.parametrize("text", [
    "amount > 0", "email ilike '%x%'", "day >= today() - 7", "match(email, '@')", "toInt64OrNull(email) is null", "has([1, 2], id)", "arrayExists(x -> x > 1, [1])",
])  # fmt: skip
def test_conditions_of_clickhouse_are_understood(text: str) -> None:
    assert text in str(condition(text, "clickhouse"))


def test_a_slow_statement_is_gone_in_time(lab: Lab) -> None:
    with lab.warehouse.open() as session:

        def run_into_limit() -> None:
            with pytest.raises(QueryTimeout, match="limit of 1 s and was cancelled on the server"):
                session.fetch(SLOW, 1)

        assert seconds(run_into_limit) < 5
        assert session.fetch(sa.select(sa.literal_column("1")), 5) == [(1,)], "the connection goes on"


def test_a_statement_is_killed_by_its_number(lab: Lab) -> None:
    """The second net, without the server's own limit: what `warehouse.cancel` does from another thread."""
    with lab.warehouse.open() as session:
        stopping = threading.Timer(1, lab.warehouse.cancel)
        stopping.start()
        started = time.monotonic()
        with pytest.raises(QueryFailed, match="dqmon is stopping"):
            session.fetch(SLOW, 60)
        assert time.monotonic() - started < 10
        stopping.join()


def test_what_a_statement_took_and_who_asked(lab: Lab) -> None:
    lab.run("create table t (x Int64) engine = MergeTree order by x", "insert into t select number from numbers(1000)")
    with lab.warehouse.open() as session:
        session.fetch(sa.select(sa.func.sum(sa.column("x"))).select_from(NamedTable(lab.ref("t"))), 5)
        spent = session.spent
        assert (spent.rows_read, spent.bytes_read, spent.bytes_billed) == (1000, 8000, None)
        assert spent.statement_id
        assert abs(session.clock() - datetime.now(UTC)) < timedelta(seconds=5)
        assert session.advice() == ()
        assert [power for power in session.powers() if power.endswith(" more on *.*")], "the owner may write"


def test_a_project_is_checked_and_reused(lab: Lab, tmp_path: Path) -> None:
    """From the configuration to verdicts; an unchanged table is not read again."""
    lab.run(
        "create table orders (id Int64, email Nullable(String)) engine = MergeTree order by id",
        "insert into orders values (1, 'a'), (1, null)",
    )
    for folder in ("config", "checks"):
        (tmp_path / folder).mkdir()
    options = {"type": "clickhouse"} | engine("clickhouse").options(lab.location)
    (tmp_path / "config" / "dqmon.yaml").write_text(json.dumps({"version": 1, "warehouses": {"ch": options}}))
    checks = [{"row_count": {"min": 1}}, {"uniqueness": {"columns": ["id"]}}, {"completeness": {"column": "email", "fail_if": "> 60%"}}]
    (tmp_path / "checks" / "orders.yaml").write_text(json.dumps({"version": 1, "datasets": [{"dataset": "orders", "checks": checks}]}))
    with open_app(str(tmp_path / "config" / "dqmon.yaml")) as app:
        first, second = (app.check(Selector(), None, alerts=True) for _ in range(2))
        lab.run("insert into orders values (2, 'b')")
        third = app.check(Selector(), None, alerts=True)
    assert sorted(str(record.verdict) for record in first.records) == ["fail", "pass", "pass"]
    reused = [[record.reused is not None for record in run.records] for run in (first, second, third)]
    assert reused == [[False] * 3, [True] * 3, [False] * 3]


def test_types(lab: Lab) -> None:
    types = {
        "i": ("UInt64", TypeGroup.INTEGER), "h": ("Int256", TypeGroup.INTEGER), "d": ("Decimal(12, 2)", TypeGroup.DECIMAL),
        "f": ("Float32", TypeGroup.FLOAT), "s": ("String", TypeGroup.TEXT), "x": ("FixedString(5)", TypeGroup.OTHER),
        "b": ("Bool", TypeGroup.BOOLEAN), "e": ("Enum8('a' = 1)", TypeGroup.OTHER), "u": ("UUID", TypeGroup.OTHER),
        "day": ("Date", TypeGroup.DATE), "t": ("DateTime", TypeGroup.TIMESTAMP), "t3": ("DateTime64(3)", TypeGroup.TIMESTAMP),
        "z": ("DateTime('Europe/Oslo')", TypeGroup.TIMESTAMP_ZONED), "z9": ("DateTime64(9, 'UTC')", TypeGroup.TIMESTAMP_ZONED),
        "a": ("Array(Nullable(String))", TypeGroup.OTHER), "m": ("Map(String, Int64)", TypeGroup.OTHER),
    }  # fmt: skip
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in types.items())
    lab.run(
        f"create table t ({columns}, n Nullable(Int8), l LowCardinality(Nullable(String)), g SimpleAggregateFunction(max, Nullable(Int64)), "
        "al Int64 alias i + 1, ep Int64 ephemeral) engine = MergeTree order by tuple()"
    )
    with lab.warehouse.open() as session:
        found = session.columns(lab.ref("t"))
        assert {c.name: (c.type, c.group) for c in found} == types | {
            "n": ("Int8", TypeGroup.INTEGER), "l": ("String", TypeGroup.TEXT), "g": ("Int64", TypeGroup.INTEGER), "al": ("Int64", TypeGroup.INTEGER),
        }  # fmt: skip
        assert [c.name for c in found if c.nullable] == ["n", "l", "g"]
        with pytest.raises(TableMissing, match="there are t"):
            session.columns(lab.ref("T"))
        with pytest.raises(TableMissing):
            session.columns(TableRef("w", "catalog", lab.warehouse.default_schema, "t"))
    numbers = [m.MissingCount(c.name, missing_pattern="^$" if c.group in (TypeGroup.TEXT, TypeGroup.OTHER) else None) for c in found]
    assert set(lab.of("t", *numbers)) == {0}


def test_rows_and_proof_of_parts(lab: Lab) -> None:
    """A proof stays while the rows do, and is another one after each change; where it cannot tell, there is none."""
    lab.run("create table t (id Int64, s Nullable(String)) engine = MergeTree order by id", "insert into t values (1, 'a'), (2, null)")

    def told(name: str = "t") -> tuple[Any, Any]:
        with lab.warehouse.open() as session:
            return session.facts(lab.ref(name)), session.unchanged_proof(lab.ref(name))

    facts, first = told()
    assert (facts.rows, facts.columns["id"].nulls, "s" in facts.columns, facts.keys, facts.last_changed) == (2, 0, False, (), None)
    assert first == told()[1] is not None
    proofs = [first]
    for change in (
        "insert into t values (3, 'c')", "alter table t update s = 'b' where id = 1", "alter table t add column x Int8 default 5",
        "alter table t modify column x Int8 default 6", "alter table t delete where id = 3", "truncate table t",
    ):  # fmt: skip
        lab.run(change)
        proofs.append(told()[1])
    assert len(set(proofs)) == len(proofs), "each of these changes what a SELECT returns"
    lab.run("insert into t (id) values (1), (2)", "delete from t where id = 1")
    assert lab.of("t", m.RowCount()) == [1]
    assert told()[0].rows is None, "parts count rows that a lightweight DELETE hides"
    lab.run("create table v (a Int64, b DateTime alias now()) engine = MergeTree order by a", "insert into v values (1)")
    assert told("v")[1] is None, "what an alias shows changes although no file does"
    lab.run(
        "create table w (a Int64) engine = MergeTree order by a",
        "insert into w values (1)",
        "alter table w add column b DateTime default now()",
    )
    assert told("w")[1] is None, "a default that no file has is computed when it is read"
    lab.run("create table y (a Int64, b DateTime default now()) engine = MergeTree order by a", "insert into y (a) values (1)")
    assert told("y")[1] is not None
    lab.run("create table log (a Int64) engine = Memory", "create view seen as select * from t")
    assert [told(name)[1] for name in ("log", "seen", "missing")] == [None] * 3
    lab.warehouse = engine("clickhouse").warehouse("w", lab.location, sees_all_rows=False)
    assert (told()[0].rows, told()[1]) == (None, None)


def test_sums_and_keys_that_clickhouse_itself_gets_wrong(lab: Lab) -> None:
    lab.run(
        "create table t (i Int64, u UInt64, d Decimal(18, 2), f Float64, k String) engine = MergeTree order by tuple()",
        "insert into t select 9223372036854775807, 18446744073709551615, '9999999999999999.99', 0, 'ä' from numbers(3)",
        "insert into t values (0, 0, 0, -0.0, 'a'), (0, 0, 0, nan, 'b'), (0, 0, 0, -nan, 'c')",
    )
    sums = lab.of("t", *(m.statistic(name, "sum") for name in "iud"))
    assert sums == [3 * 9223372036854775807, 3 * 18446744073709551615, Decimal("29999999999999999.97")]
    assert lab.of("t", m.statistic("i", "avg")) == [Decimal(3 * 9223372036854775807) / 6]
    assert lab.of("t", m.DistinctKeys(("f",)), m.SurplusRows(("f",))) == [2, 4], "0 and -0.0 are one number, all NaN one key"
    assert lab.of("t", m.InvalidLengthCount("k", max=1)) == [0], "characters are counted, not bytes"
    assert lab.of("t", m.InvalidRangeCount("u", max=Decimal(18446744073709551614)), m.InvalidRangeCount("i", max=Decimal(2) ** 100)) == [
        3,
        0,
    ]
    assert lab.of("t", m.ListedCount("u", values=("18446744073709551615", "-5"))) == [3]


def test_texts_of_every_type(lab: Lab) -> None:
    lab.run(
        "create table t (x FixedString(5), e Enum8('abc' = 1, 'b' = 2), l LowCardinality(String), u UUID, a Array(String)) engine = Memory",
        "insert into t values ('abc', 'abc', 'abc', '61f0c404-5cb3-11e7-907b-a6006ad3dba0', ['a', 'b'])",
    )
    for name in "xel":
        listed, others = m.ListedCount(name, values=("abc", "no such value")), m.UnlistedCount(name, values=("ABC",), ignore_case=True)
        short, like = m.InvalidLengthCount(name, max=3), m.InvalidPatternCount(name, rule="like", pattern="a_c")
        regex, missing = m.InvalidPatternCount(name, pattern="^abc$"), m.MissingCount(name, missing_pattern="c$")
        assert lab.of("t", listed, others, short, like, regex, missing) == [1, 0, 0, 0, 0, 1], name
    assert lab.of("t", m.ListedCount("u", values=("61f0c404-5cb3-11e7-907b-a6006ad3dba0",)), m.InvalidFormatCount("u", format="uuid")) == [
        1,
        0,
    ]
    assert lab.of("t", m.ListedCount("a", values=("['a','b']",)), m.SurplusRows(("a", "x")), m.DistinctKeys(("e", "u"))) == [1, 0, 1]


def test_moments_of_every_type(lab: Lab) -> None:
    types = {
        "t": "DateTime",
        "t3": "DateTime64(3)",
        "t8": "DateTime64(8)",
        "t9": "DateTime64(9)",
        "z": "DateTime('Europe/Oslo')",
        "z9": "DateTime64(9, 'UTC')",
    }
    days = {"d": "Date", "e": "Date32"}
    columns = ", ".join(f"{name} Nullable({kind})" for name, kind in (types | days).items())
    moment = "parseDateTime64BestEffort('2026-03-10T11:30:00.5Z', 9, 'UTC')"
    values = (f"CAST({moment} AS {kind})" for kind in types.values())
    later = (f"CAST({moment} + toIntervalDay(1) AS {kind})" for kind in types.values())
    lab.run(
        f"create table t ({columns}) engine = MergeTree order by tuple()",
        f"insert into t select {', '.join(values)}, '2026-03-10', '2026-03-10'",
        f"insert into t select {', '.join(later)}, '2026-03-11', '2026-03-11'",
        f"insert into t values ({', '.join(['null'] * 8)})",
    )
    for name in types:
        at = AT.replace(hour=11, minute=30, microsecond=0 if name in ("t", "z") else 500_000)
        outside = (m.InvalidRangeCount(name, min=low, max=high) for low, high in (("0001-01-01", "9999-12-31"), ("2026-03-11", None)))
        listed = m.ListedCount(name, values=(at.isoformat(), "2026-03-10T11:30:00.4999999Z"))
        assert lab.of("t", m.LatestInstant(name), m.FutureCount(name), *outside, listed) == [at, 1, 0, 1, 1], name
        assert lab.of("t", m.MaxIngestionDelay(name, "t9")) == [-0.5 if name in ("t", "z") else 0.0], name
    for name in days:
        assert lab.of("t", m.LatestInstant(name), m.FutureCount(name), m.ListedCount(name, values=("2026-03-10",))) == [
            AT.replace(hour=0),
            1,
            1,
        ]
        assert lab.of("t", m.InvalidRangeCount(name, max="2026-03-10T12:00:00"), m.InvalidRangeCount(name, min="1800-01-01")) == [1, 0]


def test_names_of_columns_are_not_taken_for_those_of_a_statement(lab: Lab) -> None:
    """ClickHouse lets names of the select list stand in WHERE, even where a column has the same one."""
    lab.run(
        "create table t (m0 Int64, dq_count Int64, dq_column0 Int64) engine = MergeTree order by tuple()",
        "insert into t values (7, 8, 9), (1, 1, 1)",
    )
    assert lab.of("t", m.RowCount(), m.statistic("m0", "sum"), where="m0 > 5") == [1, 7]
    assert lab.of("t", m.SurplusRows(("dq_count",)), m.DistinctKeys(("dq_column0",)), where="dq_column0 > 5") == [0, 1]


@pytest.mark.parametrize("zone", ["Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC", "Pacific/Apia"])
def test_wall_times_are_read_as_everywhere(lab: Lab, zone: str) -> None:
    changes = [
        datetime(2026, 3, 8, 2),
        datetime(2026, 3, 29, 2),
        datetime(2026, 4, 5, 2),
        datetime(2026, 10, 4, 2),
        datetime(2026, 10, 25, 2),
    ]
    changes += [datetime(2026, 11, 1, 1), datetime(2011, 12, 30), datetime(1950, 6, 1)]
    walls = [at + timedelta(minutes=minutes) for at in changes for minutes in range(-120, 150, 15)]
    written = ", ".join(f"('{wall}')" for wall in walls)
    lab.run("create table t (t DateTime64(6)) engine = Memory", f"insert into t values {written}")
    column = sa.column("t", Stored(TypeGroup.TIMESTAMP, zone, "t"))
    read = sa.type_coerce(in_utc(column), Stored(TypeGroup.TIMESTAMP_ZONED))
    with lab.warehouse.open() as session:
        rows = session.fetch(sa.select(sa.type_coerce(column, sa.types.NullType()), read).select_from(NamedTable(lab.ref("t"))), 30)
    read_here = {wall: at_wall_time(wall, zone).astimezone(UTC) for wall in walls}
    wrong = {wall: (at, read_here[wall]) for wall, at in rows if at != read_here[wall]}
    assert not wrong
    assert len(rows) == len(walls)


def test_values_arrive_as_they_are(lab: Lab) -> None:
    rng = random.Random(7)
    floats = [math.ldexp(rng.random() - 0.5, rng.randrange(-1000, 1000)) for _ in range(200)] + [
        5e-324,
        1.7976931348623157e308,
        -0.0,
        math.inf,
    ]
    texts = [*HOSTILE, "\\n", "'", "''", "\\'", "a\nb", "%%", "{x:Int8}", "\x1b", "\r\n"]
    with lab.warehouse.open() as session:
        for start in range(0, len(floats), 50):
            part = floats[start : start + 50]
            (row,) = session.fetch(sa.select(*(sa.literal(value, sa.types.NullType()).label(f"v{i}") for i, value in enumerate(part))), 10)
            assert [value.hex() for value in row] == [value.hex() for value in part]
        (row,) = session.fetch(sa.select(*(sa.literal(text, sa.String()).label(f"t{i}") for i, text in enumerate(texts))), 10)
        assert list(row) == texts
        decimals = [
            Decimal("0.1"),
            Decimal("-1E-30"),
            Decimal("123456789012345678901234567890.123456789"),
            Decimal(2**63),
            Decimal(-(2**63)),
        ]
        (row,) = session.fetch(sa.select(*(sa.literal(value, sa.Numeric()).label(f"d{i}") for i, value in enumerate(decimals))), 10)
        assert list(row) == decimals


def test_errors_are_in_dqmons_words(lab: Lab) -> None:
    lab.run("create table t (x Int8) engine = Memory")
    with lab.warehouse.open() as session:
        for statement, error, words in (
            (sa.select(sa.func.count()).select_from(NamedTable(lab.ref("gone"))), TableMissing, "gone"),
            (sa.select(sa.column("y")).select_from(NamedTable(lab.ref("t"))), ColumnMissing, "`y`"),
            (sa.select(sa.text("x +")).select_from(NamedTable(lab.ref("t"))), QueryFailed, "Syntax error"),
            (sa.select(sa.func.toInt8("a")), QueryFailed, "Cannot parse string 'a'"),
        ):
            with pytest.raises(error, match=words) as found:
                session.fetch(statement, 5)
            said = str(found.value)
            assert not [word for word in ("\n", "127.0.0.1", "version", "Code:") if word in said], said
        with pytest.raises(PermissionDenied, match="readonly"):
            session._rows(sa.text("insert into t values (1)"), {}, 5)


def test_a_wrong_password_is_told_without_it() -> None:
    with Clickhouse().server("--password", "right") as port:
        found = engine("clickhouse").warehouse("w", f"{port}/default", password="wrong")
        with (
            pytest.raises(ConnectFailed, match=r"127.0.0.1:\d+ as default: .*Authentication failed.*check `user:`") as refused,
            found.open(),
        ):
            pass
        assert "wrong" not in str(refused.value)
        right = engine("clickhouse").warehouse("w", f"{port}/default", password="right")
        with closing(right), right.open() as session:
            assert session.tables("default") == ()


def test_a_server_that_is_gone_is_told() -> None:
    with Clickhouse().server() as port:
        found = engine("clickhouse").warehouse("w", f"{port}/default")
        with found.open() as session:
            assert session.tables("default") == ()
    with pytest.raises(ConnectFailed, match="no connection to"), found.open():
        pass
    found.close()
