"""Redshift without a server: options, rows of its catalogue as recorded, errors, values in statements, rights."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import errors

from dqmon.core.registry import Registry
from dqmon.core.table import TableRef, TypeGroup
from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryFailed, QueryTimeout, TableMissing, UnsafeSql
from dqmon.sql.raw import query
from dqmon.sql.tables import NamedTable
from dqmon.warehouses.base.redshift_catalogue import column
from dqmon.warehouses.redshift import RedshiftSession, _one_statement_cursor

KIND = Registry("warehouses").get("redshift")
GIVEN = {"host": "cluster.example.com", "database": "shop", "user": "dqmon", "password": "secret", "schema": "analytics"}
WAREHOUSE = KIND("shop", KIND.Options.model_validate(GIVEN))
ORDERS = TableRef("shop", None, "analytics", "orders")

# As the columns of SVV_COLUMNS and SVV_TABLES are documented: COLUMNS of redshift_catalogue selects them in this order.
RECORDED = [
    ("orders", "id", "bigint", 64, 0, "NO", "BASE TABLE"),
    ("orders", "amount", "numeric", 12, 2, "YES", "BASE TABLE"),
    ("orders", "email", "character varying", None, None, "YES", "BASE TABLE"),
    ("orders", "made", "timestamp without time zone", None, None, "YES", "BASE TABLE"),
    ("orders", "loaded", "timestamp with time zone", None, None, "YES", "BASE TABLE"),
    ("orders", "rate", "double precision", 53, None, "YES", "BASE TABLE"),
    ("orders", "doc", "super", None, None, "YES", "BASE TABLE"),
    ("people", "id", "integer", 32, 0, "NO", "VIEW"),
    ("lake", "id", "integer", 32, 0, "NO", "EXTERNAL TABLE"),
]


class Recorded(RedshiftSession):
    """A session that is given rows in place of a server."""

    def __init__(self, rows: Any = RECORDED) -> None:
        super().__init__(SimpleNamespace(connection=SimpleNamespace(driver_connection=None)), WAREHOUSE)  # type: ignore[arg-type]
        self.rows, self.asked = rows, []

    def _rows(self, statement: Any, values: Any, timeout_s: float) -> Any:
        self.asked.append(str(statement.compile(dialect=WAREHOUSE.dialect)))
        return [row for row in self.rows if row[0] in values.get("names", [row[0]])]


def test_the_columns_of_the_catalogue() -> None:
    found = [column(place, row[1:]) for place, row in enumerate(RECORDED, 1)]
    assert [(c.name, c.type, c.group, c.nullable) for c in found] == [
        ("id", "bigint", TypeGroup.INTEGER, False),
        ("amount", "numeric(12,2)", TypeGroup.DECIMAL, True),
        ("email", "character varying", TypeGroup.TEXT, True),
        ("made", "timestamp without time zone", TypeGroup.TIMESTAMP, True),
        ("loaded", "timestamp with time zone", TypeGroup.TIMESTAMP_ZONED, True),
        ("rate", "double precision", TypeGroup.FLOAT, True),
        ("doc", "super", TypeGroup.OTHER, True),
        ("id", "integer", TypeGroup.INTEGER, True),
        ("id", "integer", TypeGroup.INTEGER, True),
    ]


def test_one_look_serves_all_tables_of_a_schema_and_only_not_null_is_believed() -> None:
    session = Recorded()
    tables = [TableRef("shop", None, "analytics", name) for name in ("orders", "people", "lake")]
    session.announce(tables)
    facts = [session.facts(table) for table in tables]
    assert [list(found.columns) for found in facts] == [["id"], [], []], "a view or an external table keeps no NOT NULL"
    assert [(found.rows, found.keys) for found in facts] == [(None, ())] * 3, "TBL_ROWS and declared keys are not taken for facts"
    assert len(session.asked) == 1
    assert session.unchanged_proof(ORDERS) is None


@pytest.mark.parametrize(("raised", "wanted"), [
    (errors.QueryCanceled, QueryTimeout), (errors.InsufficientPrivilege, PermissionDenied), (errors.ReadOnlySqlTransaction, PermissionDenied),
    (errors.UndefinedTable, TableMissing), (errors.InvalidSchemaName, TableMissing), (errors.UndefinedColumn, ColumnMissing),
    (errors.AdminShutdown, ConnectFailed), (errors.InternalError_, QueryFailed), (psycopg.OperationalError, ConnectFailed),
])  # fmt: skip
def test_errors_by_their_state(raised: Callable[[str], Exception], wanted: type[Exception]) -> None:
    wrapped = sa.exc.DBAPIError.instance("select 1", {}, raised("no\nLINE 1: select 1\n        ^"), psycopg.Error)
    found = Recorded().translate(wrapped, 5)  # type: ignore[arg-type]  # SQLAlchemy's type is wider
    assert type(found) is wanted
    assert "\n" not in str(found)


def test_the_powers_of_a_role_and_what_its_queue_should_be() -> None:
    assert Recorded([("insert on tables",), ("everything: it is a superuser",)]).powers() == (
        "everything: it is a superuser",
        "insert on tables",
    )
    assert "query group `dqmon`" in Recorded().advice()[0]


def test_rights() -> None:
    found = WAREHOUSE.grants([ORDERS, TableRef("shop", None, "raw", "*"), TableRef("shop", None, "analytics", 'a"; drop table x; --')])
    assert 'GRANT SELECT ON "analytics"."orders" TO "dqmon";' in found
    assert 'GRANT SELECT ON "analytics"."a""; drop table x; --" TO "dqmon";' in found
    assert 'GRANT SELECT ON ALL TABLES IN SCHEMA "raw" TO "dqmon";' in found
    assert "secret" not in found


def test_no_message_has_the_password() -> None:
    found = WAREHOUSE.connect_error(psycopg.OperationalError("connection refused"))
    assert str(found) == "shop: no connection to cluster.example.com:5439/shop: connection refused"


def test_names_cannot_leave_their_quotes() -> None:
    hostile = TableRef("shop", None, 'x"."y', "T'; drop table t; --%(x)s")
    found = str(sa.select(NamedTable(hostile)).compile(dialect=WAREHOUSE.dialect))
    assert found.endswith('FROM "x"".""y"."T\'; drop table t; --%%(x)s"')


@pytest.mark.parametrize(
    "text", ["select pg_cancel_backend(1)", "unload ('select 1') to 's3://x'", "copy t from 's3://x'", "call p()", "select 1; select 2"]
)
def test_only_reading_is_let_through(text: str) -> None:
    with pytest.raises(UnsafeSql):
        query(text, NamedTable(ORDERS), "redshift")


@pytest.mark.parametrize("value", ["it's", "back\\slash\\", "' or 1 = 1 --", "\\'; drop table x; --", "ä😀", '"', "$$", "%s", "a\nb"])
def test_values_stand_in_the_statement_as_what_they_are(postgres_url: str, value: str) -> None:
    """By the cursor that Redshift is given, on PostgreSQL, which reads texts as Redshift does."""
    url = postgres_url.replace("postgresql+psycopg://", "postgresql://", 1)
    with psycopg.connect(url, cursor_factory=_one_statement_cursor(), prepare_threshold=None) as connection:
        assert connection.execute("select %(x)s", {"x": value}).fetchall() == [(value,)]


def test_a_cursor_takes_one_statement(postgres_url: str) -> None:
    url = postgres_url.replace("postgresql+psycopg://", "postgresql://", 1)
    with (
        psycopg.connect(url, cursor_factory=_one_statement_cursor()) as connection,
        pytest.raises(errors.SyntaxError, match="multiple commands"),
    ):
        connection.execute("select 1; select 2")
