"""What is MySQL's and MariaDB's own, on a real MariaDB: modes, collations, limits, errors, rights, the catalogue."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import sqlalchemy as sa
from engines import engine

from dqmon.core.measurement import MetricRequest
from dqmon.core.metric_kinds import OtherTable
from dqmon.core.plan import plan
from dqmon.core.table import TableRef, TypeGroup
from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryFailed, QueryTimeout, TableMissing
from dqmon.sql import metrics as m
from dqmon.sql.compile import compile_scan
from dqmon.sql.literal_sql import literal_sql

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
ENGINE = engine("mysql")


class Shop:
    """A database of its own: `run` writes as the owner, `measured` reads as dqmon does."""

    def __init__(self, location: str) -> None:
        self.location = location
        self.warehouse = ENGINE.warehouse("shop", location)

    def run(self, *statements: str) -> None:
        with ENGINE.writer(self.location) as execute:
            for statement in statements:
                execute(statement.replace("%", "%%"))

    def ref(self, name: str = "t") -> TableRef:
        return TableRef("shop", None, self.warehouse.default_schema, name)

    def measured(self, *metrics: Any, **how: Any) -> list[Any]:
        with self.warehouse.open() as session:
            found: dict[Any, Any] = {}
            for scan in plan([MetricRequest(self.ref(), metric, **how) for metric in metrics], lambda _: True):
                columns = session.columns(scan.table)
                other = session.columns(self.ref("other")) if scan.kind == "statement" else ()
                compiled = compile_scan(scan, columns, other, self.warehouse.capabilities, AT)
                assert literal_sql(compiled.statement, self.warehouse.dialect)
                found |= {metric: value for (*_, metric), value in compiled.decode(session.fetch(compiled.statement, 20)).items()}
        return [found[metric] for metric in metrics]


@pytest.fixture
def shop(servers: Callable[[str], str], tmp_path: Path) -> Iterator[Shop]:
    found = Shop(ENGINE.place(servers("mysql"), tmp_path))
    with closing(found.warehouse):
        yield found


@pytest.mark.parametrize("collation", ["utf8mb4_general_ci", "utf8mb4_bin", "utf8mb4_nopad_bin", "latin1_swedish_ci"])
def test_texts_compare_character_by_character_whatever_the_collation(shop: Shop, collation: str) -> None:
    charset = collation.partition("_")[0]
    text = f"varchar(20) character set {charset} collate {collation}"
    shop.run(f"create table t (x {text})", "insert into t values ('a'), ('A'), ('a '), ('a'), (null)")
    shop.run(f"create table other (x {text})", "insert into other values ('A')")
    key = ("x",)
    counts = (m.KeyedRows(key), m.DistinctKeys(key), m.SurplusRows(key), m.DuplicatedKeys(key))
    assert shop.measured(*counts) == [4, 3, 1, 1]
    assert shop.measured(m.MissingReference(key, OtherTable(shop.ref("other"), key))) == [3]
    assert shop.measured(m.UnlistedCount("x", values=("a",)), m.MissingCount("x", missing_values=("a",))) == [2, 3]
    assert shop.measured(m.InvalidPatternCount("x", pattern="^a"), m.InvalidPatternCount("x", rule="like", pattern="A%")) == [1, 3]
    assert shop.measured(m.UnlistedCount("x", values=("A",), ignore_case=True)) == [1]


def test_a_condition_means_the_same_whatever_the_server_is_set_to(shop: Shop) -> None:
    shop.run("set global sql_mode = ''", "set global time_zone = '+09:00'", "set global sql_select_limit = 1")
    try:
        shop.run('create table t (x varchar(9), "Order" int, made timestamp(6) null)')
        shop.run(r"insert into t values ('a\', 1, '2026-01-10 00:00:00'), ('b', 2, '2026-01-09 23:59:59')")
        shop.warehouse.close()
        assert shop.measured(m.RowCount(), where="\"Order\" > 1 and `Order` < 3 and x = 'b'") == [1]
        assert shop.measured(m.RowCount(), where="x = 'a\\' or x || 'c' = 'bc'") == [2]
        assert shop.measured(m.RowCount(), where="made >= '2026-01-10'") == [1]
        assert shop.measured(m.LatestInstant("made"), naive_timezone="Asia/Tokyo") == [datetime(2026, 1, 10, tzinfo=UTC)]
        with pytest.raises(ColumnMissing, match="no column 'b'"):
            shop.measured(m.RowCount(), where='x = "b"')
    finally:
        shop.run("set global sql_mode = default", "set global time_zone = '+00:00'", "set global sql_select_limit = default")


def test_bytes_floats_and_whole_numbers_are_exact(shop: Shop) -> None:
    shop.run(
        "create table t (f float, u bigint unsigned, z int(5) zerofill, b varbinary(9), e enum('x', 'y'))",
        "insert into t values (16777216, 18446744073709551615, 7, x'ff00', 1), (0.1, 1, 8, x'ff', 2)",
    )
    assert shop.measured(m.statistic("f", "max"), m.statistic("u", "max"), m.statistic("z", "min")) == [16777216.0, 18446744073709551615, 7]
    assert (
        shop.measured(m.ListedCount("f", values=("0.1",)), m.ListedCount("b", values=("FF00",)), m.ListedCount("e", values=("y",)))
        == [1] * 3
    )
    assert shop.measured(m.DistinctKeys(("b",)), m.DistinctKeys(("e",)), m.DistinctKeys(("f", "u"))) == [2, 2, 2]


def test_a_wall_time_is_read_in_its_zone_without_the_servers_tables(shop: Shop) -> None:
    shop.run("create table t (made datetime(6), loaded timestamp(6) null)")
    shop.run("insert into t values ('2026-07-01 14:00:00.25', '2026-07-01 12:00:01'), ('2026-10-25 02:30:00', '2026-10-25 01:30:01')")
    assert shop.measured(m.MaxIngestionDelay("loaded", "made"), naive_timezone="Europe/Oslo") == [1.0]


def test_the_catalogue(shop: Shop) -> None:
    shop.run(
        "create table t (id int primary key, email varchar(90) not null, a int, b int, t text, is_open boolean, made datetime, "
        "at timestamp null, d decimal(9, 2) unsigned, j json, unique (email(20)), unique (a, b), key (a))",
        "create view v as select id from t",
    )
    with shop.warehouse.open() as session:
        columns = session.columns(shop.ref())
        facts = session.facts(shop.ref())
        assert session.facts(shop.ref("v")).keys == ()
        assert session.unchanged_proof(shop.ref()) is None
        assert session.tables(shop.ref().schema) == ((shop.ref(), False), (shop.ref("v"), True))
        assert {ref.schema for ref, _ in session.tables(None)}.isdisjoint({"mysql", "information_schema", "sys"})
        assert abs((session.clock() - datetime.now(UTC)).total_seconds()) < 60
        assert any("read replica" in advice for advice in session.advice())
        with pytest.raises(TableMissing, match="there are t, v"):
            session.columns(shop.ref("gone"))
    groups = {column.name: (column.type, column.group) for column in columns}
    assert groups["is_open"] == ("tinyint(1)", TypeGroup.BOOLEAN)
    assert groups["d"] == ("decimal(9,2)", TypeGroup.DECIMAL)
    assert [groups[name][1] for name in ("made", "at", "t")] == [TypeGroup.TIMESTAMP, TypeGroup.TIMESTAMP_ZONED, TypeGroup.TEXT]
    assert {name for name in groups if name in facts.columns} == {"id", "email"}
    assert {key.columns for key in facts.keys} == {frozenset(names) for names in (("id",), ("email",), ("a", "b"))}


def test_a_limit_is_kept_by_the_server(shop: Shop) -> None:
    start = monotonic()
    with shop.warehouse.open() as session, pytest.raises(QueryTimeout, match=r"limit of 0\.2 s .* on the server"):
        session._rows(sa.text("select sleep(20) + count(*) from information_schema.tables"), {}, 0.2)
    assert monotonic() - start < 10
    running = "select count(*) from information_schema.processlist where info like '%sleep(20)%' and id <> connection_id()"
    with ENGINE.writer(shop.location) as execute:
        assert execute(running.replace("%", "%%")).scalar() == 0, "it goes on on the server"


def test_a_statement_that_has_no_limit_is_killed_from_beside(shop: Shop) -> None:
    with shop.warehouse.open() as session:
        session.connection.info["dqmon_limit"] = 0.3  # as if the server had been told
        start = monotonic()
        with pytest.raises(QueryTimeout, match=r"limit of 0\.3 s"):
            session._rows(sa.text("select sleep(20)"), {}, 0.3)
    assert monotonic() - start < 10
    with shop.warehouse.open() as session:
        assert session.tables(shop.ref().schema) == (), "the connection is whole, or replaced"


def test_a_pattern_that_the_server_gives_up_is_no_pass(shop: Shop) -> None:
    shop.run("create table t (x text)", f"insert into t values ('{'a' * 60}!')")
    with pytest.raises(QueryFailed, match="match limit exceeded'; write the pattern so that it needs fewer steps"):
        shop.measured(m.InvalidPatternCount("x", rule="not_regex", pattern="(a+)+$"))


def test_errors_by_number(shop: Shop) -> None:
    shop.run("create table t (x int)", "create or replace user reader@localhost", "grant select on emptied.t to reader@localhost")
    shop.run("create table closed (x int)")
    reader = ENGINE.warehouse("shop", shop.location.replace("root@", "reader@"))
    with closing(reader), reader.open() as session:
        assert session.powers() == ()
        for sql, kind in (
            ("select * from emptied.closed", PermissionDenied), ("select * from gone", PermissionDenied), ("select y from t", ColumnMissing),
            ("select 1; select 2", QueryFailed),
        ):  # fmt: skip
            with pytest.raises(kind):
                session._rows(sa.text(sql), {}, 5)
    with shop.warehouse.open() as session:
        assert any(power.startswith("ALL PRIVILEGES on *.*") for power in session.powers())
        for sql, kind in (
            ("select * from gone", TableMissing),
            ("insert into t values (1)", PermissionDenied),
            ("drop table t", PermissionDenied),
        ):
            with pytest.raises(kind):
                session._rows(sa.text(sql), {}, 5)
    assert shop.measured(m.RowCount()) == [0]


def test_a_connection_that_dies_is_said_and_replaced(shop: Shop) -> None:
    shop.run("create table t (x int)")
    with shop.warehouse.open() as session:
        number = session.driver.thread_id()
        threading.Thread(target=shop.run, args=(f"kill {number}",)).run()
        with pytest.raises(ConnectFailed):
            session.tables(None)
    assert shop.measured(m.RowCount()) == [0]


def test_nobody_there_says_where() -> None:
    url = "mysql://dq:canary-secret@127.0.0.1:9/shop"
    warehouse = ENGINE.warehouse("shop", url, connect_timeout="1s")
    with pytest.raises(ConnectFailed, match=r"shop: no connection to 127\.0\.0\.1:9/shop") as error, warehouse.open():
        pass
    assert "canary-secret" not in str(error.value) + repr(warehouse.options)


@pytest.mark.parametrize("url", ["postgresql://x/y", "nonsense", "", "mysql://host"])
def test_wrong_urls(url: str) -> None:
    with pytest.raises(ValueError, match="no MySQL URL with a database"):
        ENGINE.warehouse("shop", url)


def test_the_script_of_grants() -> None:
    warehouse = ENGINE.warehouse("shop", "mariadb://dq:p@db/shop")
    script = warehouse.grants([TableRef("shop", None, None, "orders"), TableRef("shop", None, "my_crm", "*")])
    assert "GRANT SELECT, SHOW VIEW ON `shop`.`orders` TO 'dq'@'%';" in script
    assert r"GRANT SELECT, SHOW VIEW ON `my\_crm`.* TO 'dq'@'%';" in script
    assert "'p'" not in script
