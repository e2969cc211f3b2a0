"""Spark's own Thrift server: hostile values and names, limits that leave nothing running, catalogue, settings, wall times.

The cases of all check types run on it, too (test_check_cases.py). Skipped where there is no Spark (tests/fakes/engines/spark.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import pytest
import sqlalchemy as sa
from engines import engine

from dqmon.core.table import TableRef
from dqmon.errors import ColumnMissing, QueryFailed, QueryTimeout, TableMissing, UnsafeSql
from dqmon.sql.columns import bound, resolve
from dqmon.sql.instant import in_utc
from dqmon.sql.tables import NamedTable, typed
from dqmon.warehouses.base.spark_client import SparkConnection

SPARK = engine("spark")
ENDLESS = "(select count(*) as n from range(1000000000000000) where hash(id, id) = hash(id)) x"
HOSTILE = [
    "it's", "\\", "\\'", "'; drop table lab.orders; --", "' or '1' = '1", "${env:HOME}", "${system:user.home}", "${spark.app.name}", "\0", "\x1a", "\r\n\t",
    "ä", "😀", "\u2028", "`", '"', "%s", "%(x)s", "{x}", ":x", "?", "--", "/* x */", "\\u0027", "\\047", "r'x'", "''", "\u00a0 ", "e\u0301", "x" * 40_000,
]  # fmt: skip
"""Texts that mean something to a parser, to the client, or to Spark's own substitution."""


@pytest.fixture(scope="module")
def location(servers: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    found = SPARK.place(servers("spark"), tmp_path_factory.mktemp("spark"))
    with SPARK.writer(found) as execute:
        execute(
            "create table lab.orders (`Id` bigint not null, `a``b \"c';--%(x)s` int, s string, t string collate UTF8_LCASE, made timestamp_ntz, day date) partitioned by (day)"
        )
        execute("insert into lab.orders values (1, 2, 'x', 'X', timestamp_ntz'2026-10-25 02:30:00', date'2026-10-25')")
        execute("create view lab.paid as select 1 as x")
    return found


@pytest.fixture
def session(location: str) -> Iterator[Any]:
    with closing(SPARK.warehouse("w", location)) as warehouse, warehouse.open() as found:
        yield found


def ref(name: str, catalog: str | None = None) -> TableRef:
    return TableRef("w", catalog, "lab", name)


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_a_value_comes_back_as_it_was_sent(session: Any, value: str) -> None:
    assert session.fetch(sa.select(sa.literal(value, sa.String()), sa.func.length(sa.literal(value, sa.String()))), 60) == [
        (value, len(value))
    ]


def test_many_values_at_once(session: Any) -> None:
    statement = sa.select(*(sa.literal(value, sa.String()).label(f"v{index}") for index, value in enumerate(HOSTILE)))
    assert session.fetch(statement, 60) == [tuple(HOSTILE)]


@pytest.mark.parametrize("name", [name for name in HOSTILE if len(name) < 100], ids=range(len(HOSTILE) - 1))
def test_a_hostile_name_is_a_missing_table_and_nothing_else(session: Any, name: str) -> None:
    with pytest.raises((TableMissing, QueryFailed)):
        session.columns(ref(name))
    with pytest.raises((TableMissing, QueryFailed)):
        session.fetch(sa.select(sa.func.count()).select_from(NamedTable(ref(name))), 60)
    assert session.fetch(sa.select(sa.func.count()).select_from(NamedTable(ref("orders"))), 60) == [(1,)]


def test_a_hostile_column_is_read_by_its_name(session: Any) -> None:
    columns = session.columns(ref("ORDERS"))
    found = typed(resolve(["a`b \"c';--%(x)s"], columns), "UTC")
    (column,) = found.values()
    assert session.fetch(sa.select(column).select_from(NamedTable(ref("orders"))).where(column > bound(1, column)), 60) == [(2,)]


def test_the_catalogue(session: Any) -> None:
    assert session.tables("lab") == ((ref("orders"), False), (ref("paid"), True))
    assert (ref("orders"), False) in session.tables(None)
    assert session.tables("nowhere") == ()
    found = [(c.name, c.type) for c in session.columns(ref("orders", "spark_catalog"))]
    assert found == [
        ("Id", "bigint"), ("a`b \"c';--%(x)s", "int"), ("s", "string"), ("t", "string collate UTF8_LCASE"), ("made", "timestamp_ntz"), ("day", "date"),
    ]  # fmt: skip
    with pytest.raises(TableMissing, match="there are orders"):
        session.columns(ref("order"))
    assert session.unchanged_proof(ref("orders")) is None
    assert abs((session.clock() - datetime.now(UTC)).total_seconds()) < 60
    assert session.powers(), "there is no read-only session in Spark"


def test_a_collation_is_not_taken_for_equality(session: Any) -> None:
    from dqmon.sql.texts import exact_text

    (text,) = typed(resolve(["t"], session.columns(ref("orders"))), "UTC").values()
    plain, exact = (
        sa.select(sa.func.count()).select_from(NamedTable(ref("orders"))).where(side == "x") for side in (text, exact_text(text))
    )
    assert (session.fetch(plain, 60), session.fetch(exact, 60)) == ([(1,)], [(0,)])


def test_a_wall_time_that_is_shown_twice_is_the_later_one(session: Any) -> None:
    """2026-10-25 02:30 in Oslo is 00:30 and 01:30 UTC; as everywhere in dqmon it is the later."""
    (made,) = typed(resolve(["made"], session.columns(ref("orders"))), "Europe/Oslo").values()
    ((text,),) = session.fetch(sa.select(sa.cast(in_utc(made), sa.String())).select_from(NamedTable(ref("orders"))), 60)
    assert text == "2026-10-25 01:30:00"


@pytest.mark.parametrize("sql", ["select 1; drop table lab.orders", "drop table lab.orders", "insert into lab.orders select 1"])
def test_only_one_select_is_run(session: Any, sql: str) -> None:
    with pytest.raises(UnsafeSql):
        session.fetch(sa.text(sql), 60)
    assert session.tables("lab")[0][0] == ref("orders")


def test_the_server_takes_one_statement(session: Any) -> None:
    with pytest.raises(QueryFailed, match="extra input"):
        session.fetch(sa.select(sa.text("1; drop table lab.orders")), 60)
    assert session.tables("lab")[0][0] == ref("orders")


def test_what_overflows_is_an_error_and_nothing_is_put_in_place_of_a_sign(session: Any) -> None:
    with pytest.raises(QueryFailed, match="overflow"):
        session.fetch(sa.select(sa.text("9223372036854775807 + 1")), 60)
    with pytest.raises(QueryFailed):
        session.fetch(sa.select(sa.text("${env:HOME}")), 60)
    with pytest.raises(ColumnMissing):
        session.fetch(sa.select(sa.text("nope from lab.orders")), 60)


def stuck(session: Any) -> float:
    """Seconds until a statement that runs for days has been given up; then the server's two places for tasks are free again."""
    started = monotonic()
    with pytest.raises(QueryTimeout, match="limit of 1 s"):
        session.fetch(sa.select(sa.text("n")).select_from(sa.text(ENDLESS)), 1)
    seconds = monotonic() - started
    # It would wait for a place until its own limit.
    assert session.fetch(sa.select(sa.func.count()).select_from(NamedTable(ref("orders"))), 60) == [(1,)]
    return seconds


def test_a_statement_past_its_limit_is_gone_from_the_server(session: Any) -> None:
    session.fetch(sa.select(sa.func.count()).select_from(NamedTable(ref("orders"))), 60)
    assert stuck(session) < 1 + 2


def test_the_client_cancels_where_the_server_keeps_no_limit(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    session.fetch(sa.select(sa.func.count()).select_from(NamedTable(ref("orders"))), 60)
    monkeypatch.setattr(SparkConnection, "limit_s", 0)
    assert stuck(session) < 1 + 1 + 2, "the limit, and a second more for the server's own"


def test_a_pooled_connection_whose_session_has_ended_is_replaced(location: str) -> None:
    with closing(SPARK.warehouse("w", location)) as warehouse:
        with warehouse.open() as session:
            session.driver.close()
        with warehouse.open() as session:
            assert session.fetch(sa.select(sa.text("1")), 60) == [(1,)]


def test_a_statement_has_the_servers_id(session: Any) -> None:
    session.fetch(sa.select(sa.text("1")), 60)
    assert len(session.spent.statement_id) == 36
