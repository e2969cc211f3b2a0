"""Databricks without a server: options, sign-in, rows of its catalogue as recorded, errors, values, rights."""

from __future__ import annotations

import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from databricks.sql import exc
from databricks.sql.parameters.native import dbsql_parameter_from_primitive
from pydantic import ValidationError

from dqmon.core.registry import Registry
from dqmon.core.table import TableRef, TypeGroup
from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryFailed, QueryTimeout, TableMissing, UnsafeSql
from dqmon.net import Answer
from dqmon.sql.columns import Stored
from dqmon.sql.raw import condition, query
from dqmon.sql.tables import NamedTable
from dqmon.warehouses.base.databricks_connect import Tokens, arguments
from dqmon.warehouses.databricks import DatabricksSession

KIND = Registry("warehouses").get("databricks")
GIVEN = {"host": "dbc-1234.cloud.databricks.com", "http_path": "/sql/1.0/warehouses/abc", "catalog": "main", "schema": "analytics"}
ORDERS = TableRef("lake", None, "analytics", "orders")

# As INFORMATION_SCHEMA.COLUMNS and .TABLES are documented: the session selects them in this order.
RECORDED = [
    ("orders", "id", "bigint", "NO", "MANAGED", "DELTA"),
    ("orders", "amount", "decimal(12,2)", "YES", "MANAGED", "DELTA"),
    ("orders", "name", "string collate UTF8_LCASE", "YES", "MANAGED", "DELTA"),
    ("orders", "made", "timestamp_ntz", "YES", "MANAGED", "DELTA"),
    ("orders", "loaded", "timestamp", "YES", "MANAGED", "DELTA"),
    ("orders", "tags", "array<string>", "YES", "MANAGED", "DELTA"),
    ("people", "id", "int", "NO", "VIEW", "UNKNOWN_DATA_SOURCE_FORMAT"),
    ("files", "id", "int", "NO", "EXTERNAL", "PARQUET"),
]


def options(**more: object) -> Any:
    return KIND.Options.model_validate(GIVEN | {"token": "t0ken"} | more)


class Recorded(DatabricksSession):
    """A session that is given rows in place of a server."""

    def __init__(self, *answers: Any, **more: object) -> None:
        connection = SimpleNamespace(info={}, connection=SimpleNamespace(driver_connection=None))
        super().__init__(connection, KIND("lake", options(**more)))  # type: ignore[arg-type]
        self.answers, self.asked = list(answers), []

    def _rows(self, statement: Any, values: Any, timeout_s: float) -> Any:
        self.asked.append(str(statement))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(("more", "words"), [
    ({"token": None}, "give either token, or client_id and client_secret"),
    ({"client_id": "a", "client_secret": "b"}, "give either"),
    ({"client_id": "a"}, "give either"),
    ({"host": "https://x"}, "should match pattern"),
    ({"catalog": ""}, "at least 1 character"),
])  # fmt: skip
def test_options_that_cannot_be(more: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        options(**more)


def test_what_the_connector_is_called_with() -> None:
    found = arguments("lake", options(statement_timeout=90), "analytics")
    assert found["session_configuration"] == {"ANSI_MODE": "true", "TIMEZONE": "UTC", "STATEMENT_TIMEOUT": "90"}
    assert found["query_tags"] == {"app": "dqmon", "warehouse": "lake"}
    assert (found["access_token"], found["catalog"], found["schema"]) == ("t0ken", "main", "analytics")
    assert found["use_inline_params"] is False, "values are bound by the server"


class Server:
    """Hands out tokens, and counts how many."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.asked = list(answers), []

    def post(self, url: str, body: bytes, headers: Any) -> Answer:
        self.asked.append((url, body, headers["Authorization"]))
        return self.answers.pop(0)


def tokens(*answers: Answer) -> tuple[Tokens, Server]:
    found, server = Tokens(options(token=None, client_id="id", client_secret="s3cret")), Server(*answers)
    found._outgoing = server  # type: ignore[assignment]
    return found, server


def said(status: int = 200, **words: object) -> Answer:
    return Answer(status, {}, json.dumps(words).encode())


def test_a_service_principal_gets_a_token_and_keeps_it_while_it_lives() -> None:
    found, server = tokens(said(access_token="a", expires_in=3_600), said(access_token="b", expires_in=3_600))
    assert [found()()["Authorization"] for _ in range(3)] == ["Bearer a"] * 3
    ((url, body, signed),) = server.asked
    assert (url, body) == ("https://dbc-1234.cloud.databricks.com/oidc/v1/token", b"grant_type=client_credentials&scope=all-apis")
    assert signed == "Basic aWQ6czNjcmV0"
    found._until = 0
    assert found.headers() == {"Authorization": "Bearer b"}, "a token that has ended is followed by a new one"


@pytest.mark.parametrize("answer", [said(401, error="invalid_client"), Answer(502, {}, b"<html>"), Answer(200, {}, b"[]")])
def test_a_refused_sign_in_is_a_failed_connection(answer: Answer) -> None:
    found, _ = tokens(answer)
    with pytest.raises(ConnectFailed, match=f"answers {answer.status}; check client_id and secret") as refused:
        found.headers()
    assert "s3cret" not in str(refused.value)


def test_the_columns_of_the_catalogue() -> None:
    session = Recorded([row for row in RECORDED if row[0] == "orders"])
    assert [(c.name, c.type, c.group, c.nullable) for c in session.columns(TableRef("lake", None, "Analytics", "Orders"))] == [
        ("id", "bigint", TypeGroup.INTEGER, False),
        ("amount", "decimal(12,2)", TypeGroup.DECIMAL, True),
        ("name", "string collate UTF8_LCASE", TypeGroup.TEXT, True),
        ("made", "timestamp_ntz", TypeGroup.TIMESTAMP, True),
        ("loaded", "timestamp", TypeGroup.TIMESTAMP_ZONED, True),
        ("tags", "array<string>", TypeGroup.OTHER, True),
    ]


def test_one_look_serves_all_tables_of_a_schema_and_only_deltas_not_null_is_believed() -> None:
    session = Recorded(RECORDED)
    tables = [TableRef("lake", None, "analytics", name) for name in ("orders", "people", "files")]
    session.announce(tables)
    facts = [session.facts(table) for table in tables]
    assert [list(found.columns) for found in facts] == [["id"], [], []]
    assert [(found.rows, found.keys) for found in facts] == [(None, ())] * 3, "keys are for people in Unity Catalog"
    assert len(session.asked) == 1


def test_another_catalog_is_asked_by_its_own_information_schema() -> None:
    session = Recorded(RECORDED)
    session.columns(TableRef("lake", "o`x:y", "analytics", "orders"))
    assert "from `o``x:y`.information_schema.columns" in session.asked[0].replace("\\:", ":")


def test_what_proves_that_nothing_changed() -> None:
    history = [(12, "2026-03-10 12:00:00", "user")]
    assert Recorded(RECORDED, history).unchanged_proof(ORDERS) == "version 12 of the Delta table, committed at 2026-03-10 12:00:00"
    assert Recorded(RECORDED, PermissionDenied("no")).unchanged_proof(ORDERS) is None, "in doubt there is no proof"
    for name in ("people", "files"):
        assert Recorded(RECORDED).unchanged_proof(TableRef("lake", None, "analytics", name)) is None
    assert Recorded(RECORDED, sees_all_rows=False).unchanged_proof(ORDERS) is None, "a row filter may change what the role sees"


@pytest.mark.parametrize(("raised", "wanted"), [
    (exc.ServerOperationError("[TABLE_OR_VIEW_NOT_FOUND] no. SQLSTATE: 42P01"), TableMissing),
    (exc.ServerOperationError("[SCHEMA_NOT_FOUND] no. SQLSTATE: 42704"), TableMissing),
    (exc.ServerOperationError("[UNRESOLVED_COLUMN.WITH_SUGGESTION] no. SQLSTATE: 42703"), ColumnMissing),
    (exc.ServerOperationError("[INSUFFICIENT_PERMISSIONS] no. SQLSTATE: 42501"), PermissionDenied),
    (exc.ServerOperationError("[CAST_INVALID_INPUT] no. SQLSTATE: 22018"), QueryFailed),
    (exc.ServerOperationError("[OPERATION_CANCELED] no. SQLSTATE: HY008"), QueryTimeout),
    (exc.DatabaseError("Query has been timed out after 5 seconds"), QueryTimeout),
    (exc.RequestError("Error during request to server"), ConnectFailed),
    (exc.ServerOperationError("something else"), QueryFailed),
])  # fmt: skip
def test_errors_by_their_state(raised: Exception, wanted: type[Exception]) -> None:
    wrapped = sa.exc.DBAPIError.instance("select 1", {}, raised, exc.Error)
    assert type(Recorded().translate(wrapped, 5)) is wanted  # type: ignore[arg-type]  # SQLAlchemy's type is wider


def test_a_statement_is_cancelled_by_the_cursor_that_runs_it() -> None:
    calls: list[str] = []
    session = Recorded()
    session._cancel()
    session.connection.info["dqmon_cursor"] = SimpleNamespace(cancel=lambda: calls.append("cancelled"))
    session._cancel()
    assert calls == ["cancelled"]


@pytest.mark.parametrize("value", ["1E+6", "1E-7", "0.5", "-12.30", "99999999999999999999"])
def test_decimals_keep_their_value_on_the_way(value: str) -> None:
    """The connector counts the characters of a decimal's text to tell its type, those of an exponent, too."""
    bound = Stored(TypeGroup.DECIMAL).process_bind_param(Decimal(value), KIND("lake", options()).dialect)
    declared = dbsql_parameter_from_primitive(bound)._cast_expr()
    overall, after = map(int, declared.removeprefix("DECIMAL(").removesuffix(")").split(","))
    assert abs(Decimal(value)) < Decimal(10) ** (overall - after), f"{value} does not fit its {declared}"
    assert Decimal(value) == round(Decimal(value), after), f"{value} is rounded by its {declared}"


def test_rights() -> None:
    found = KIND("lake", options()).grants([ORDERS, TableRef("lake", "other", "s", "a`; drop")])
    assert found.splitlines()[1:] == [
        "GRANT USE CATALOG ON CATALOG `main` TO `dqmon`;",
        "GRANT USE CATALOG ON CATALOG `other` TO `dqmon`;",
        "GRANT USE SCHEMA ON SCHEMA `main`.`analytics` TO `dqmon`;",
        "GRANT USE SCHEMA ON SCHEMA `other`.`s` TO `dqmon`;",
        "GRANT SELECT ON TABLE `main`.`analytics`.`orders` TO `dqmon`;",
        "GRANT SELECT ON TABLE `other`.`s`.`a``; drop` TO `dqmon`;",
    ]


def test_names_cannot_leave_their_quotes() -> None:
    hostile = TableRef("lake", "a`; drop", "x`.`y", "T'; drop table t; --")
    found = str(sa.select(NamedTable(hostile)).compile(dialect=KIND("lake", options()).dialect))
    assert found.endswith("FROM `a``; drop`.`x``.``y`.`T'; drop table t; --`")


@pytest.mark.parametrize("text", [
    "select java_method('java.lang.System', 'exit', 1)", "select reflect('java.lang.Runtime', 'getRuntime')", "select secret('a', 'b')",
    "select ai_query('m', 'x')", "select http_request('c', 'POST')", "select * from read_files('/x')", "select * from csv.`/etc/passwd`",
    "insert into t select 1", "optimize t", "set x = 1", "use catalog x", "select 1; select 2", "cache table t", "refresh table t",
])  # fmt: skip
def test_only_reading_is_let_through(text: str) -> None:
    with pytest.raises(UnsafeSql):
        query(text, NamedTable(ORDERS), "databricks")


def test_double_quotes_are_refused_where_they_make_texts() -> None:
    with pytest.raises(UnsafeSql, match="double quotes"):
        condition('"Order" > 10', "databricks")
    assert "`Order` > 10" in str(condition("`Order` > 10", "databricks"))
    assert '"' in str(condition("name = 'a \"quoted\" word'", "databricks")), "within a text they are harmless"
