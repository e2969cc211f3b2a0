"""Snowflake without a server: options, sign-in, tags, rows of its catalogue, errors, rights."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from dqmon.core.facts import NOTHING_KNOWN
from dqmon.core.registry import Registry
from dqmon.core.table import TableRef, TypeGroup
from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryFailed, QueryTimeout, TableMissing
from dqmon.warehouses.base.snowflake_catalogue import all_of, column, entries, table_facts
from dqmon.warehouses.base.snowflake_connect import arguments
from dqmon.warehouses.base.snowflake_errors import translated
from dqmon.warehouses.base.snowflake_grants import script

KIND = Registry("warehouses").get("snowflake")
GIVEN = {"account": "ACME-EU1", "user": "DQMON", "database": "shop"}


def options(**more: object):
    return KIND.Options.model_validate(GIVEN | {"token": "t0ken"} | more)


@pytest.mark.parametrize(("more", "words"), [
    ({"token": None}, "give one of private_key_file, private_key, token, password; there is none"),
    ({"password": "p"}, "there are token and password"),
    ({"protocol": "http"}, "sends the secret unprotected"),
    ({"protocol": "http", "host": "snow.example.com"}, "sends the secret unprotected"),
    ({"account": ""}, "at least 1 character"),
    ({"port": 0}, "greater than or equal to 1"),
    ({"role_name": "x"}, "Extra inputs"),
])  # fmt: skip
def test_options_that_cannot_be(more, words):
    with pytest.raises(ValidationError, match=words):
        options(**more)


def test_what_the_connector_is_called_with():
    found = arguments("snow", options(role="Reader", warehouse="DQMON_XS", statement_timeout=90, host="x.privatelink.example"), "analytics")
    assert (found["authenticator"], found["token"]) == ("OAUTH", "t0ken")
    assert (found["database"], found["schema"], found["role"], found["secondary_roles"]) == ("SHOP", "ANALYTICS", "Reader", "NONE")
    assert (found["host"], found["protocol"], found["autocommit"], found["query_timeout"]) == ("x.privatelink.example", "https", False, 92)
    assert json.loads(found["session_parameters"]["QUERY_TAG"]) == {"app": "dqmon", "warehouse": "snow"}
    assert found["session_parameters"]["STATEMENT_TIMEOUT_IN_SECONDS"] == 90
    assert found["session_parameters"]["TIMEZONE"] == "UTC"
    assert "port" not in found, "what is not given is left to the connector"


def test_ways_to_sign_in():
    file = arguments("w", options(token=None, private_key_file="/k.p8", private_key_passphrase="pass"), "public")
    assert (file["authenticator"], file["private_key_file"], file["private_key_password"]) == ("SNOWFLAKE_JWT", "/k.p8", "pass")
    assert arguments("w", options(token=None, private_key="PEM"), "public")["private_key"] == "PEM"
    word = arguments("w", options(token=None, password="pass"), "public")
    assert word["password"] == "pass"
    assert "authenticator" not in word
    assert "'pass'" not in repr(options(token=None, password="pass")), "secrets do not show"


def test_a_password_is_warned_of(caplog):
    warehouse = KIND("snow", options(token=None, password="p"))
    with caplog.at_level("WARNING", logger="dqmon.warehouses.snowflake"):
        assert warehouse.engine.dialect.name == "snowflake"
    assert caplog.messages == ["password sign-in"]


def test_statements_go_with_their_tag_and_limit():
    from dqmon.warehouses.base.snowflake_session import SnowflakeSession
    from dqmon.warehouses.snowflake import _execute

    info: dict[str, object] = {}
    connection = SimpleNamespace(info=info, connection=SimpleNamespace(driver_connection=None))
    session = SnowflakeSession(connection, KIND("snow", options()))
    session._dataset = "analytics.orders"
    session.labels = {"instance": "prod", "run": "01kabc"}
    session.prepare(1.2)
    calls = []
    cursor = SimpleNamespace(execute=lambda *given, **more: calls.append((*given, more["_statement_params"])))
    assert _execute(cursor, "select 1", {}, SimpleNamespace(root_connection=connection))
    tag = '{"app":"dqmon","instance":"prod","run":"01kabc","warehouse":"snow","dataset":"analytics.orders"}'
    assert calls == [("select 1", {}, {"QUERY_TAG": tag, "STATEMENT_TIMEOUT_IN_SECONDS": 2})]


def row(table: str, kind: str, name: str, data_type: str, *, nullable: str = "YES", **more: object) -> tuple[object, ...]:
    flags = [more.get(flag, "NO") for flag in ("hybrid", "dynamic", "iceberg")]
    numbers = (more.get("rows", 7), 1024, "2026-01-01", "2026-02-02")
    return (table, kind, *flags, *numbers, name, data_type, more.get("precision"), more.get("scale"), more.get("collation"), nullable)


def test_rows_of_the_catalogue():
    found = entries([
        row("ORDERS", "BASE TABLE", "ID", "NUMBER", nullable="NO", precision=38, scale=0),
        row("ORDERS", "BASE TABLE", "AMOUNT", "NUMBER", precision=12, scale=2),
        row("ORDERS", "BASE TABLE", "Name", "TEXT", collation="en-ci"),
        row("ORDERS", "BASE TABLE", "raw", "VARIANT"),
        row("V", "VIEW", "ID", "NUMBER", precision=38, scale=0, rows=None),
        row("H", "BASE TABLE", "ID", "NUMBER", hybrid="YES", precision=38, scale=0),
    ])  # fmt: skip
    columns = [column(place, part) for place, part in enumerate(found["ORDERS"].columns, 1)]
    assert [(c.name, c.type, c.group) for c in columns] == [
        ("id", "NUMBER(38,0)", TypeGroup.INTEGER),
        ("amount", "NUMBER(12,2)", TypeGroup.DECIMAL),
        ("Name", "TEXT collate en-ci", TypeGroup.TEXT),
        ('"raw"', "VARIANT", TypeGroup.OTHER),
    ]
    facts = table_facts(found["ORDERS"], columns)
    assert (facts.rows, facts.rows_because, list(facts.columns), facts.keys) == (7, "ROW_COUNT of INFORMATION_SCHEMA.TABLES", ["id"], ())
    assert [found[name].is_plain for name in ("ORDERS", "V", "H")] == [True, False, False]


def prepared(*rows: tuple[object, ...], token: object = 5, changes: object = (), **more: object):
    """A session that is given rows of the catalogue, a token, and a history of changes, in place of a server."""
    from dqmon.warehouses.base.snowflake_session import SnowflakeSession

    class Recorded(SnowflakeSession):
        asked: list[str]

        def _rows(self, statement, values, timeout_s):
            self.asked.append(str(statement))
            if "table_dml_history" in str(statement):
                if isinstance(changes, Exception):
                    raise changes
                self.values = values
                return changes
            if "last_change_commit_time" not in str(statement):
                return rows
            if isinstance(token, Exception):
                raise token
            return [(token,)]

    connection = SimpleNamespace(info={}, connection=SimpleNamespace(driver_connection=None))
    session = Recorded(connection, KIND("snow", options(**more)))
    session.asked = []
    return session


ORDERS = row("ORDERS", "BASE TABLE", "ID", "NUMBER", nullable="NO", precision=38, scale=0)
REF = TableRef("snow", None, None, "orders")


def test_past_rows_are_counted_back_by_the_history_of_changes():
    """By rows as Snowflake documents them; the view is not in the stand-in, so that the statement never ran."""
    at = [datetime(2026, 3, day, 5, tzinfo=UTC) for day in (1, 2, 3)]
    session = prepared(ORDERS, changes=list(zip(at, (3, -1, Decimal(2)), strict=True)), sees_all_rows=True)
    past = session.past_rows(REF, at[0])
    assert past.totals == ((at[0], 6), (at[1], 5), (at[2], 7))
    assert not past.is_exact, "the last hours may be missing"
    assert session.values == {"since": at[0], "database": None, "schema": "PUBLIC", "table": "ORDERS"}


@pytest.mark.parametrize(
    ("changes", "more", "why"),
    [
        ([], {"sees_all_rows": True}, "has no change"),
        ([(datetime(2026, 3, 1, tzinfo=UTC), 8)], {"sees_all_rows": True}, "more new rows than the table has"),
        (PermissionDenied("not authorized"), {"sees_all_rows": True}, "USAGE_VIEWER may: not authorized"),
        ([(datetime(2026, 3, 1, tzinfo=UTC), 1)], {"sees_all_rows": False}, "a role that sees all of them"),
    ],
)
def test_past_rows_that_are_not_known_say_why(changes, more, why):
    past = prepared(ORDERS, changes=changes, **more).past_rows(REF, datetime(2026, 1, 1, tzinfo=UTC))
    assert past.totals == ()
    assert why in past.because


def test_one_look_at_a_schema_serves_all_of_its_tables():
    session = prepared(ORDERS, row("V", "VIEW", "ID", "NUMBER", precision=38, scale=0))
    for name in ("orders", "v", "orders"):
        session.columns(TableRef("snow", None, "public", name))
        session.facts(TableRef("snow", None, "public", name))
    assert len(session.asked) == 1


def test_what_proves_that_nothing_changed():
    first, again, other = (prepared(ORDERS, token=token).unchanged_proof(REF) for token in (5, 5, 6))
    assert first == again != other
    assert first == "last change committed at 5, 7 rows, 1024 bytes, created 2026-01-01, defined 2026-02-02"
    swapped = (*ORDERS[:8], "2026-03-03", *ORDERS[9:])
    assert prepared(swapped).unchanged_proof(REF) != first
    assert prepared(ORDERS, token=PermissionDenied("no")).unchanged_proof(REF) is None
    for kind in ("VIEW", "EXTERNAL TABLE", "MATERIALIZED VIEW", "TEMPORARY TABLE"):
        assert prepared(row("ORDERS", kind, "ID", "NUMBER")).unchanged_proof(REF) is None


def test_rows_that_are_hidden_are_not_counted_by_the_catalogue():
    assert prepared(ORDERS).facts(REF).rows == 7
    hidden = prepared(ORDERS, sees_all_rows=False).facts(REF)
    assert (hidden.rows, hidden.about_rows, hidden.columns["id"].nulls) == (None, 7, 0)
    assert prepared(row("ORDERS", "VIEW", "ID", "NUMBER")).facts(REF) == NOTHING_KNOWN


def test_another_database_is_asked_by_its_quoted_name():
    assert 'from "A:b""c".information_schema.tables' in str(
        all_of('A:b"c').compile(dialect=sa.create_mock_engine("sqlite://", print).dialect)
    )


def error(number: int, state: str | None, *, kind: str = "ProgrammingError") -> Exception:
    from snowflake.connector import errors

    return getattr(errors, kind)("words", errno=number, sqlstate=state)


@pytest.mark.parametrize(("number", "state", "expected", "words"), [
    (604, "57014", QueryTimeout, "limit of 9 s"),
    (630, "57014", QueryTimeout, "cancelled on the server"),
    (2003, "02000", TableMissing, "lacks USAGE on the schema or SELECT"),
    (2043, "02000", TableMissing, "words"),
    (904, "42000", ColumnMissing, "words"),
    (3001, "42501", PermissionDenied, "dqmon grants"),
    (90106, "42501", PermissionDenied, "dqmon grants"),
    (606, "57P03", ConnectFailed, "set `warehouse:`"),
    (90073, "22000", ConnectFailed, "resource monitor"),
    (390100, "08001", ConnectFailed, "check `user:`"),
    (390144, "08001", ConnectFailed, "DESC USER"),
    (250001, "08001", ConnectFailed, "words"),
    (100035, "22007", QueryFailed, "words"),
    (1003, "42000", QueryFailed, "words"),
])  # fmt: skip
def test_errors(number, state, expected, words):
    found = translated(error(number, state), 9)
    assert type(found) is expected
    assert words in str(found)


def test_no_answer_is_no_connection():
    assert type(translated(error(4, None, kind="OperationalError"), 9)) is ConnectFailed


def test_the_role_can_only_read():
    tables = [TableRef("snow", None, None, "orders"), TableRef("snow", "OTHER", "Mixed", "t"), TableRef("snow", "lake", "raw_*", "t")]
    text = script(options(role="dqmon"), [*tables, TableRef("snow", "lake", "x", "t")], "analytics")
    statements = [line for line in text.splitlines() if not line.startswith("--")]
    granted = [line for line in statements if line.startswith("GRANT")]
    assert {line.split(" ON ")[0] for line in granted if " ON " in line} == {"GRANT USAGE", "GRANT SELECT"}
    assert 'GRANT USAGE ON SCHEMA "SHOP"."ANALYTICS" TO ROLE "DQMON";' in granted
    assert 'GRANT SELECT ON ALL TABLES IN SCHEMA "OTHER"."Mixed" TO ROLE "DQMON";' in granted
    assert 'GRANT SELECT ON FUTURE VIEWS IN DATABASE "LAKE" TO ROLE "DQMON";' in granted
    assert not any('"LAKE"."X"' in line for line in granted), "grants on future tables of a schema would switch off those of the database"
    assert '-- GRANT MONITOR ON ALL TASKS IN DATABASE "SHOP" TO ROLE "DQMON";' in text, "the ingestion source snowflake needs it"
    assert "TYPE = SERVICE" in text
    assert "AUTO_SUSPEND = 60" in text


def test_the_command_prints_them(tmp_path, monkeypatch, capsys):
    from dqmon.cli.program import run

    (tmp_path / "config").mkdir()
    (tmp_path / "checks").mkdir()
    warehouses = "{snow: {type: snowflake, account: A, user: U, token: t, database: shop}, main: {type: sqlite, path: a.db}}"
    sources = "{raw: {type: dlt, warehouse: snow, dataset: raw}, five: {type: fivetran_platform, warehouse: snow}}"
    (tmp_path / "config/dqmon.yaml").write_text(f"version: 1\nwarehouses: {warehouses}\ningestion: {sources}\n")
    checks = 'version: 1\ndefaults: {owner: "@data"}\ndatasets: [{dataset: sales.orders, checks: [row_count: {min: 1}]}]\n'
    (tmp_path / "checks/a.yaml").write_text(checks)
    monkeypatch.chdir(tmp_path)
    for words in (["grants"], ["grants", "snow"], ["grants", "snowflake"]):
        assert run(words) == 0
        printed = capsys.readouterr().out
        for schema in ("SALES", "RAW", "FIVETRAN_METADATA"):  # of checks, and of what sources read
            assert f'GRANT USAGE ON SCHEMA "SHOP"."{schema}" TO ROLE "DQMON";' in printed
    assert run(["grants", "main"]) == 2
    assert "a sqlite warehouse has no roles" in capsys.readouterr().err
    assert run(["grants", "nope"]) == 2
    assert "there is no warehouse 'nope'; there is snow" in capsys.readouterr().err
