"""Trino by its real client and a replay of its protocol: pages, errors, limits, cancels; options, rows of its catalogue, rights."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from patience import seconds
from pydantic import ValidationError
from trino_server import STUCK, TrinoServer, error, page, serving

from dqmon.core.registry import Registry
from dqmon.core.table import TableRef, TypeGroup
from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryFailed, QueryTimeout, TableMissing, UnsafeSql
from dqmon.sql.columns import Stored
from dqmon.sql.instant import in_utc
from dqmon.sql.raw import condition, query
from dqmon.sql.tables import NamedTable

KIND = Registry("warehouses").get("trino")
GIVEN = {"host": "127.0.0.1", "catalog": "lake", "user": "dqmon", "schema": "analytics"}
ORDERS = TableRef("t", None, "analytics", "orders")
COLUMNS = {"table_name": "varchar", "column_name": "varchar", "data_type": "varchar", "is_nullable": "varchar"}


def options(**more: object) -> Any:
    return KIND.Options.model_validate(GIVEN | more)


def asked(answer: Callable[[str], list[Any]], do: Callable[[Any], Any], **more: object) -> tuple[Any, TrinoServer]:
    """What `do` makes of a session, and the server."""
    with serving(answer) as server, closing(KIND("t", options(port=server.port, tls=False, **more))) as found, found.open() as session:
        return do(session), server


def rows_of(*pages: Any) -> Any:
    return asked(lambda sql: list(pages), lambda session: (session.fetch(sa.select(sa.literal_column("1")), 5), session.spent))


@pytest.mark.parametrize(("more", "words"), [
    ({"password": "p", "token": "t"}, "there are password and token"),
    ({"client_certificate": "/c.pem"}, "go together"),
    ({"password": "p", "tls": False, "host": "trino.example.com"}, "sends the secret unprotected"),
    ({"catalog": ""}, "at least 1 character"),
    ({"ports": 1}, "Extra inputs"),
])  # fmt: skip
def test_options_that_cannot_be(more: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        options(**more)


def test_all_pages_are_read() -> None:
    (rows, spent), server = rows_of(page(), page({"a": "bigint", "b": "varchar"}, [[1, "x"]]), page(), page(None, [[2, None]]))
    assert rows == [(1, "x"), (2, None)]
    assert (spent.rows_read, spent.bytes_read, spent.statement_id) == (7, 70, "q2")
    assert [sql for sql, _ in server.statements] == ["START TRANSACTION READ ONLY", "SELECT 1", "ROLLBACK"]


def test_what_goes_along_with_a_statement() -> None:
    _, server = rows_of(page({"a": "bigint"}, [[1]]))
    _, headers = server.statements[1]
    told = {name: headers[f"X-Trino-{name}"] for name in ("User", "Source", "Catalog", "Schema", "Client-Tags", "Time-Zone", "Session")}
    assert told == {
        "User": "dqmon",
        "Source": "dqmon",
        "Catalog": "lake",
        "Schema": "analytics",
        "Client-Tags": "dqmon,dqmon_t",
        "Time-Zone": "UTC",
        "Session": "query_max_run_time=5000ms",
    }
    assert headers["X-Trino-Transaction-Id"] == "t1", "the statement is in the read-only transaction"


@pytest.mark.parametrize(("name", "wanted"), [
    ("TABLE_NOT_FOUND", TableMissing), ("SCHEMA_NOT_FOUND", TableMissing), ("COLUMN_NOT_FOUND", ColumnMissing),
    ("PERMISSION_DENIED", PermissionDenied), ("EXCEEDED_TIME_LIMIT", QueryTimeout), ("SYNTAX_ERROR", QueryFailed),
    ("SERVER_SHUTTING_DOWN", ConnectFailed),
])  # fmt: skip
@pytest.mark.parametrize("kind", ["USER_ERROR", "EXTERNAL", "INSUFFICIENT_RESOURCES"])
def test_errors_by_their_names(name: str, wanted: type[Exception], kind: str) -> None:
    with pytest.raises(wanted) as refused:
        rows_of(error(name, "line 1:8:\n no", kind))
    assert "\n" not in str(refused.value)
    assert "errorType" not in str(refused.value)


def test_a_statement_that_takes_too_long_is_cancelled() -> None:
    def run(session: Any) -> None:
        with pytest.raises(QueryTimeout, match=r"limit of 0.2 s"):
            session.fetch(sa.select(sa.literal_column("1")), 0.2)

    def cancelled() -> None:
        _, server = asked(lambda sql: STUCK, run)
        assert set(server.deleted) == {"q2"}, "the statement is deleted on the server, so that it does not run on"

    assert seconds(cancelled) < 5


def test_without_a_server_the_connection_failed() -> None:
    with closing(KIND("t", options(port=1, tls=False, connect_timeout=1))) as found, found.open() as session, pytest.raises(ConnectFailed):
        session.clock()


@pytest.mark.parametrize("value", ["it's", "back\\slash", "' or 1 = 1 --", "\0", "ä😀", '"', "${x}", "?"])
def test_values_stay_texts(value: str) -> None:
    statement = sa.select(sa.literal(value, sa.String()))
    _, server = asked(lambda sql: [page({"a": "varchar"}, [["x"]])], lambda session: session.fetch(statement, 5))
    inner = value.replace("'", "''")
    assert server.statements[1][0] == f"EXECUTE IMMEDIATE 'SELECT ? AS anon_1' USING '{inner}'"


def test_a_value_that_stands_in_several_places_is_sent_for_each() -> None:
    made = sa.column("made", Stored(TypeGroup.TIMESTAMP, "Europe/Oslo"))
    _, server = asked(lambda sql: [page({"a": "varchar"}, [["x"]])], lambda session: session.fetch(sa.select(in_utc(made)), 5))
    statement, _, values = server.statements[1][0].rpartition(" USING ")
    assert values.split(",") == ["'Europe/Oslo'"] * statement.count("?")
    assert statement.count("?") > 1


def test_the_catalogue_is_asked_once_for_a_schema() -> None:
    columns = [
        ("bigint", "NO"),
        ("decimal(12,2)", "YES"),
        ("varchar(5)", "YES"),
        ("timestamp(3) with time zone", "YES"),
        ("timestamp(6)", "YES"),
        ("real", "YES"),
        ("row(a bigint)", "YES"),
    ]
    rows = [["orders", f"c{place}", kind, nullable] for place, (kind, nullable) in enumerate(columns)] + [
        ["people", "id", "integer", "YES"]
    ]

    def run(session: Any) -> Any:
        people = TableRef("t", None, "analytics", "People")
        session.announce([ORDERS, people])
        return session.columns(ORDERS), session.columns(people)

    (orders, people), server = asked(lambda sql: [page(COLUMNS, rows)], run)
    assert [(c.type, c.group, c.nullable) for c in orders] == [
        ("bigint", TypeGroup.INTEGER, False),
        ("decimal(12,2)", TypeGroup.DECIMAL, True),
        ("varchar(5)", TypeGroup.TEXT, True),
        ("timestamp(3) with time zone", TypeGroup.TIMESTAMP_ZONED, True),
        ("timestamp(6)", TypeGroup.TIMESTAMP, True),
        ("real", TypeGroup.FLOAT, True),
        ("row(a bigint)", TypeGroup.OTHER, True),
    ]
    assert [c.name for c in people] == ["id"]
    assert sum("information_schema" in sql for sql, _ in server.statements) == 1


def test_the_catalog_of_a_name_is_the_one_that_is_asked() -> None:
    table = TableRef("t", 'o"x:y', "Sales", "Orders")
    _, server = asked(lambda sql: [page(COLUMNS, [["orders", "id", "bigint", "NO"]])], lambda session: session.columns(table))
    assert 'from "o""x:y".information_schema.columns' in server.statements[1][0]
    assert server.statements[1][0].endswith("USING 'sales','orders'")


def test_tables_views_clock_and_powers() -> None:
    def answer(sql: str) -> list[Any]:
        if "current_timestamp" in sql:
            return [page({"x": "timestamp(3) with time zone"}, [["2026-03-10 12:00:00.000 UTC"]])]
        if "privilege_type" in sql:
            return [page({"x": "varchar"}, [["INSERT"], ["DELETE"]])]
        return [page({"a": "varchar", "b": "varchar", "c": "boolean"}, [["s", "v", True], ["s", "t", False]])]

    (tables, clock, powers), _ = asked(answer, lambda session: (session.tables("s"), session.clock(), session.powers()))
    assert tables == ((TableRef("t", None, "s", "t"), False), (TableRef("t", None, "s", "v"), True))
    assert clock == datetime(2026, 3, 10, 12, tzinfo=UTC)
    assert powers == ("delete on tables of the catalog", "insert on tables of the catalog")


def test_only_a_select_is_run() -> None:
    with pytest.raises(UnsafeSql):
        asked(lambda sql: [], lambda session: session.fetch(sa.text("drop table x"), 5))


@pytest.mark.parametrize("text", [
    "select * from table(system.query(query => 'drop table x'))", "call system.flush()", "insert into t select 1", "select 1; select 2",
    "execute immediate 'drop table x'", "select * from unnest(sequence(1, 9)) union all delete from t",
])  # fmt: skip
def test_only_reading_is_let_through(text: str) -> None:
    with pytest.raises(UnsafeSql):
        query(text, NamedTable(ORDERS), "trino")


def test_conditions_of_trino_are_understood() -> None:
    assert "regexp_like" in str(condition("regexp_like(email, '^a') and day >= date_add('day', -1, current_date)", "trino"))


def test_names_cannot_leave_their_quotes() -> None:
    warehouse = KIND("t", options())
    hostile = TableRef("t", 'a"; drop', 'x"."y', "T'; drop table t; --")
    found = str(sa.select(NamedTable(hostile)).compile(dialect=warehouse.dialect))
    assert found.endswith('FROM "a""; drop"."x"".""y"."T\'; drop table t; --"')


def test_rights() -> None:
    found = KIND("t", options()).grants([ORDERS, TableRef("t", "other", "s", 'a"b')])
    assert 'GRANT SELECT ON "lake"."analytics"."orders" TO USER "dqmon";' in found
    assert 'GRANT SELECT ON "other"."s"."a""b" TO USER "dqmon";' in found
