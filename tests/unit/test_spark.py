"""Spark without a server: literals, options, rows of DESCRIBE, messages of its errors, names, rights."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
import trustme
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pyhive import hive
from thrift.transport import TSocket

from dqmon.core.registry import Registry
from dqmon.core.table import TableRef, TypeGroup
from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryFailed, QueryTimeout, TableMissing, UnsafeSql
from dqmon.sql.raw import condition, query
from dqmon.sql.tables import NamedTable
from dqmon.warehouses.base.spark_catalogue import column, described
from dqmon.warehouses.base.spark_client import SparkConnection, SparkError, words
from dqmon.warehouses.base.spark_literals import literal, text
from dqmon.warehouses.spark import SparkSession

KIND = Registry("warehouses").get("spark")
ORDERS = TableRef("lake", None, "analytics", "orders")


def options(**more: object) -> Any:
    return KIND.Options.model_validate({"host": "127.0.0.1"} | more)


@pytest.mark.parametrize(("value", "written"), [
    (None, "NULL"), (True, "TRUE"), (False, "FALSE"), (7, "7"), (-7, "-7"), (2**63, "9223372036854775808"),
    (Decimal("1.50"), "1.50"), (Decimal("1E+6"), "1000000"), (Decimal("1E-7"), "0.0000001"), (Decimal(10) ** 38, "1e+38D"), (10**40, "1e+40D"),
    (0.5, "0.5D"), (1e-07, "1e-07D"), (float("inf"), "CAST('inf' AS DOUBLE)"), (float("-inf"), "CAST('-inf' AS DOUBLE)"),
    (float("nan"), "CAST('nan' AS DOUBLE)"), (date(1, 1, 2), "DATE'0001-01-02'"),
    (datetime(1, 1, 2), "TIMESTAMP_NTZ'0001-01-02 00:00:00.000000'"),
    (datetime(2026, 1, 1, tzinfo=UTC), "TIMESTAMP_LTZ'2026-01-01 00:00:00.000000+00:00'"),
    (datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2))), "TIMESTAMP_LTZ'2025-12-31 22:00:00.000000+00:00'"),
    ("it's", "'it\\u0027s'"), ("a\\b", "'a\\u005Cb'"), ("${env:HOME}", "'\\u0024\\u007Benv:HOME\\u007D'"), ("\0", "'\\u0000'"),
    ("😀", "'\\U0001F600'"), ("a\n", "'a\\u000A'"), ("50%", "'50\\u0025'"), ("", "''"),
])  # fmt: skip
def test_literals(value: object, written: str) -> None:
    assert literal(value) == written


@given(st.text())
def test_nothing_in_a_text_ends_it(value: str) -> None:
    try:
        written = text(value)
    except UnicodeEncodeError:
        return
    inner = written[1:-1]
    assert re.fullmatch(r"(?:[A-Za-z0-9 _.,:;@/()\[\]|^+*?=<>!#&~-]|\\u[0-9A-F]{4}|\\U[0-9A-F]{8})*", inner)
    back = re.sub(r"\\u([0-9A-F]{4})|\\U([0-9A-F]{8})", lambda found: chr(int(found[1] or found[2], 16)), inner)
    assert back == value


def test_half_of_a_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        text("\ud800")
    with pytest.raises(TypeError, match="bytes"):
        literal(b"x")


@pytest.mark.parametrize(("more", "said"), [
    ({"password": "p"}, "a password goes with auth: ldap"),
    ({"auth": "ldap"}, "auth: ldap with a password"),
    ({"ca_file": "/ca.pem"}, "with tls: true only"),
    ({"host": ""}, "at least 1 character"),
    ({"auth": "kerberos"}, "nosasl"),
])  # fmt: skip
def test_options_that_cannot_be(more: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        options(**more)


def test_columns_end_where_the_partitions_are_told() -> None:
    rows = [
        ("id", "bigint", None),
        ("#", "int", ""),
        ("day", "date", None),
        ("# Partition Information", "", ""),
        ("# col_name", "data_type", "comment"),
        ("day", "date", None),
    ]
    assert list(described(rows)) == [("id", "bigint"), ("#", "int"), ("day", "date")]
    assert list(described([("id", "int", None), ("", "", ""), ("# Metadata Columns", "", "")])) == [("id", "int")]


@pytest.mark.parametrize(("declared", "group"), [
    ("tinyint", TypeGroup.INTEGER), ("BIGINT", TypeGroup.INTEGER), ("decimal(18,4)", TypeGroup.DECIMAL), ("float", TypeGroup.FLOAT),
    ("double", TypeGroup.FLOAT), ("string", TypeGroup.TEXT), ("string collate UTF8_LCASE", TypeGroup.TEXT), ("char(5)", TypeGroup.TEXT),
    ("varchar(10)", TypeGroup.TEXT), ("boolean", TypeGroup.BOOLEAN), ("date", TypeGroup.DATE), ("timestamp", TypeGroup.TIMESTAMP_ZONED),
    ("timestamp_ntz", TypeGroup.TIMESTAMP), ("array<int>", TypeGroup.OTHER), ("binary", TypeGroup.OTHER), ("struct<a:decimal(1,0)>", TypeGroup.OTHER),
])  # fmt: skip
def test_types(declared: str, group: TypeGroup) -> None:
    assert column(1, "x", declared).group is group


NOT_THERE = """org.apache.hive.service.cli.HiveSQLException: Error running query: [UNRESOLVED_COLUMN.WITH_SUGGESTION] \
org.apache.spark.sql.AnalysisException: [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column with name `nope` cannot be resolved. \
SQLSTATE: 42703; line 1 pos 7;
'Project ['nope]

\tat org.apache.spark.X(Y.scala:1)
Caused by: org.apache.spark.sql.AnalysisException: other"""


@pytest.mark.parametrize(("message", "said"), [
    (
        NOT_THERE,
        "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column with name `nope` cannot be resolved.",
    ),
    ("Error running query: java.lang.OutOfMemoryError: Java heap space\n\tat x", "Java heap space"),
    ("Error running query: \n[PARSE_SYNTAX_ERROR] Syntax error at 'selec'. SQLSTATE: 42601 (line 1, pos 0)\n\n== SQL ==\nselec", "[PARSE_SYNTAX_ERROR] Syntax error at 'selec'."),
    (None, "the server says nothing"),
])  # fmt: skip
def test_messages_are_one_sentence(message: str | None, said: str) -> None:
    assert words(message) == said


@pytest.mark.parametrize(("state", "wanted"), [
    ("42P01", TableMissing), ("42704", TableMissing), ("42703", ColumnMissing), ("42501", PermissionDenied), ("HYT00", QueryTimeout),
    ("08S01", ConnectFailed), ("22018", QueryFailed), ("", QueryFailed), (None, QueryFailed),
])  # fmt: skip
def test_errors_by_their_state(state: str | None, wanted: type[Exception]) -> None:
    wrapped = sa.exc.DBAPIError.instance("select 1", {}, SparkError(state, "no"), hive.Error)
    assert type(SparkSession.translate(None, wrapped, 5)) is wanted  # type: ignore[arg-type]  # it needs no session


@pytest.mark.parametrize("more", [{"auth": "nosasl"}, {"http_path": "cliservice"}])
def test_without_a_server_the_connection_failed(more: dict[str, object]) -> None:
    with (
        closing(KIND("lake", options(port=1, connect_timeout=1, **more))) as found,
        pytest.raises(ConnectFailed, match=r"no connection to 127\.0\.0\.1:1"),
        found.open(),
    ):
        pass


@contextmanager
def silent_tls_server() -> Iterator[tuple[int, str]]:
    """Port and CA file of a server that shakes hands and says nothing."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)

    def serve() -> None:
        with suppress(OSError):
            while True:
                raw, _ = listening.accept()
                with suppress(OSError):
                    context.wrap_socket(raw, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as listening, ca.cert_pem.tempfile() as file:
        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1], file


@pytest.mark.parametrize("more", [{"auth": "nosasl"}, {"http_path": "cliservice"}])
def test_the_servers_certificate_is_verified(more: dict[str, object]) -> None:
    with silent_tls_server() as (port, file):
        for host, ca_file, said in (
            ("localhost", None, "certificate verify failed"),
            ("127.0.0.1", file, "mismatch"),
            ("localhost", file, ""),
        ):
            given = options(host=host, port=port, tls=True, ca_file=ca_file, connect_timeout=5, **more)
            with closing(KIND("lake", given)) as found, pytest.raises(ConnectFailed) as refused, found.open():
                pass
            problems = [word for word in ("certificate verify failed", "mismatch") if word in chain(refused.value)]
            assert bool(problems) == bool(said), f"{host}, {ca_file}: {chain(refused.value)}"


def chain(error: BaseException | None) -> str:
    """All that is said of an error and of what it came from."""
    return "" if error is None else f"{error} {error.args} {getattr(error, 'inner', '')} / {chain(error.__cause__ or error.__context__)}"


def test_a_password_without_encryption_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", logger="dqmon.warehouses.spark"):
        assert KIND("lake", options(auth="ldap", password="p")).dialect.name == "spark"
    assert caplog.messages == ["password without encryption"]


@pytest.mark.parametrize(("late_s", "state"), [(0, "08S01"), (60, "HYT00")])
def test_a_server_that_answers_no_more_is_past_the_limit_or_gone(late_s: int, state: str) -> None:
    connection = SparkConnection.__new__(SparkConnection)
    connection._wire, connection._answer_s = TSocket.TSocket(), 5
    connection.limit(10 - late_s)
    with pytest.raises(SparkError) as refused, connection.answering():
        raise TimeoutError
    assert (refused.value.state, refused.value.is_gone) == (state, True), "the pool drops such a connection"


def test_names_cannot_leave_their_quotes() -> None:
    hostile = TableRef("lake", "a`; drop", "x`.`y", "T'; drop table t; --%(x)s")
    found = str(sa.select(NamedTable(hostile)).compile(dialect=KIND("lake", options()).dialect))
    assert found.endswith("FROM `a``; drop`.`x``.``y`.`T'; drop table t; --%%(x)s`")


def test_what_is_to_be_seen_to_in_place_of_grants() -> None:
    found = KIND("lake", options(user="reader")).grants([ORDERS, TableRef("lake", None, "raw", "a`b")])
    assert all(line.startswith("--") for line in found.splitlines()), "there is nothing to run"
    assert found.endswith("-- `analytics`.`orders`\n-- `raw`.`a``b`")
    assert "its user reader" in found


@pytest.mark.parametrize("sql", [
    "select java_method('java.lang.System', 'exit', 1)", "select reflect('java.lang.Runtime', 'getRuntime')", "select * from text.`/etc/passwd`",
    "insert into t select 1", "set x = 1", "add jar '/x.jar'", "select transform(a) using 'rm -rf /' from t", "select * from (map a using 'cat' from t)", "select * from (select transform(*) using 'cat' as (x) from t) y", "select 1; select 2", "cache table t",
    "create or replace temporary view v as select 1", "from t insert into u select *", "dfs -rm -r /", "use x", "refresh table t", "explain select 1",
])  # fmt: skip
def test_only_reading_is_let_through(sql: str) -> None:
    with pytest.raises(UnsafeSql):
        query(sql, NamedTable(ORDERS), "spark")


@pytest.mark.parametrize(
    "sql", ["email rlike '^a'", "`Order` > 10 and day >= date_sub(current_date(), 1)", "name = 'it\\'s'", "array_contains(tags, 'x')"]
)
def test_conditions_of_spark_are_understood(sql: str) -> None:
    assert sql in str(condition(sql, "spark"))


def test_double_quotes_are_refused_since_they_make_texts() -> None:
    with pytest.raises(UnsafeSql, match=r"double quotes, which make a text in spark; write 'x' for a text, `x` for a name"):
        condition('"Order" <= "select"', "spark")
