"""Snowflake's real connector and dialect against the stand-in: names, limits, sign-in.

Skipped where the stand-in's own environment is not there (tests/fakes/snowflake_server.py says how to make it).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import sqlalchemy as sa
from engines import engine
from snowflake_stand_in import PYTHON, stand_in

from dqmon.app import open_app
from dqmon.core.registry import Registry
from dqmon.core.selector import Selector
from dqmon.core.table import TableRef
from dqmon.errors import ConnectFailed, QueryTimeout, TableMissing, UnsafeSql
from dqmon.sql.tables import NamedTable

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason=f"there is no {PYTHON}")


def warehouse(port: int, **options: Any) -> Any:
    kind = Registry("warehouses").get("snowflake")
    here = {"account": "ACME-EU1", "user": "dqmon", "database": "lab", "host": "127.0.0.1", "port": port, "protocol": "http"}
    return kind("w", kind.Options.model_validate(here | {"token": "t"} | options))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with stand_in() as found:
        yield found


def test_names_are_found_in_every_case_of_letters(port: int) -> None:
    found = warehouse(port, database="cases")
    with found.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("create table Orders (Id int not null, amount number(12,2), rate float, made timestamp_ntz)")
        connection.exec_driver_sql("insert into orders values (1, 1.50, 0.5, null), (2, null, null, null)")
    orders = TableRef("w", None, "public", "orders")
    with found.open() as session:
        assert session.tables("public") == ((orders, False),)
        assert session.tables(None) == session.tables("public")
        columns = session.columns(TableRef("w", "CASES", "PUBLIC", "ORDERS"))
        assert columns == session.columns(orders)
        assert [(c.name, c.type, c.nullable) for c in columns[:2]] == [("id", "NUMBER(38,0)", False), ("amount", "NUMBER(12,2)", True)]
        facts = session.facts(orders)
        assert (facts.rows, facts.columns["id"].nulls, facts.keys) == (2, 0, ())
        assert session.unchanged_proof(orders) is None, "the stand-in has no SYSTEM$LAST_CHANGE_COMMIT_TIME: in doubt there is no proof"
        with pytest.raises(TableMissing, match="there are orders"):
            session.columns(TableRef("w", None, "public", "order"))
        with pytest.raises(TableMissing, match="there are no tables in 'nowhere'"):
            session.columns(TableRef("w", None, "nowhere", "orders"))
        with pytest.raises(TableMissing):
            session.fetch(sa.select(sa.func.count()).select_from(NamedTable(TableRef("w", None, "public", "gone"))), 10)
        with pytest.raises(UnsafeSql):
            session.fetch(sa.text("delete from orders"), 10)
    found.close()


@pytest.mark.xfail(strict=True, reason="the stand-in's INFORMATION_SCHEMA.TABLES has no views, Snowflake's has")
def test_views_are_tables_too(port: int) -> None:
    with closing(warehouse(port, database="views")) as found:
        with found.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("create view paid as select 1 as x")
        with found.open() as session:
            assert session.tables("public") == ((TableRef("w", None, "public", "paid"), True),)


def test_a_statement_that_takes_too_long_is_given_up(port: int) -> None:
    found = warehouse(port, statement_timeout=1)
    numbers = "(select a.range + b.range as n from range(90000) a, range(90000) b)"
    started = monotonic()
    with found.open() as session, pytest.raises(QueryTimeout, match="limit of 1 s"):
        session.fetch(sa.select(sa.func.count()).select_from(sa.text(numbers)).where(sa.text("hash(n) = 1")), 1)
    assert monotonic() - started < 10, "the connector waits on for a statement that has passed its limit"
    found.close()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An encrypted private key and its public key."""
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import rsa

    folder, key = tmp_path_factory.mktemp("keys"), rsa.generate_private_key(65537, 2048)
    secret = s.BestAvailableEncryption(b"passphrase")
    (folder / "key.p8").write_bytes(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, secret))
    (folder / "key.pub").write_bytes(key.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo))
    return folder / "key.p8", folder / "key.pub"


def test_key_pairs_sign_in_and_other_secrets_do_not(keys: tuple[Path, Path]) -> None:
    private, public = keys
    with stand_in("--public-key", str(public)) as port:
        for way in ({"private_key_file": str(private)}, {"private_key": private.read_text()}):
            found = warehouse(port, token=None, private_key_passphrase="passphrase", **way)
            with found.open() as session:
                assert session.tables("public") == ()
            found.close()
        wrong = warehouse(port, token="no key")
        with pytest.raises(ConnectFailed, match=r"account ACME-EU1 as dqmon.*JWT token is invalid.*DESC USER") as refused, wrong.open():
            pass
        assert "no key" not in str(refused.value)


def test_statements_have_ids_and_the_server_a_clock(port: int) -> None:
    with closing(warehouse(port)) as found, found.open() as session:
        session.fetch(sa.select(sa.literal(1)), 10)
        first = session.spent.statement_id
        session.fetch(sa.select(sa.literal(1)), 10)
        assert first, "without its id a statement's cost is never attributed"
        assert session.spent.statement_id != first
        assert abs(session.clock() - datetime.now(UTC)) < timedelta(minutes=1)


def test_advice_comes_from_the_settings_of_the_warehouse(port: int) -> None:
    with closing(warehouse(port, warehouse="FAKESNOW_WAREHOUSE")) as found, found.open() as session:
        assert session.advice() == (
            "warehouse FAKESNOW_WAREHOUSE bills 600 s of idle time: ALTER WAREHOUSE FAKESNOW_WAREHOUSE SET AUTO_SUSPEND = 60",
        )


@pytest.mark.parametrize(("value", "verdict"), [(3, "pass"), (11, "fail")])
def test_the_documented_check_reads_a_data_metric_function(port: int, tmp_path: Path, value: int, verdict: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "snowflake.md").read_text(encoding="utf-8")
    (example,) = [block.split("```")[0] for block in page.split("```yaml\n") if "null_emails_by_dmf" in block.split("```")[0]]
    results = "snowflake.local.data_quality_monitoring_results"
    with engine("snowflake").writer(f"{port}/SNOWFLAKE") as execute:
        execute("create schema if not exists local")
        execute(
            f"create or replace table {results} (measurement_time timestamp_ltz, table_database varchar, table_schema varchar, "
            "table_name varchar, metric_name varchar, argument_names array, value variant)"
        )
        for column, age_h, found in (("EMAIL", 1, value), ("EMAIL", 2, 99), ("EMAIL", 30, 99), ("PHONE", 0, 99)):
            execute(
                f"insert into {results} select dateadd(hour, -{age_h}, current_timestamp()), 'SHOP', 'ANALYTICS', 'ORDERS', "
                f"'NULL_COUNT', array_construct('{column}'), {found}::variant"
            )
    with engine("snowflake").writer(f"{port}/SHOP") as execute:
        execute("create schema if not exists analytics")
        execute("create or replace table analytics.orders (email varchar)")
    for folder in ("config", "checks"):
        (tmp_path / folder).mkdir()
    options = {"type": "snowflake", "account": "A", "user": "U", "token": "t", "host": "127.0.0.1", "port": port, "protocol": "http"}
    settings = {"version": 1, "warehouses": {"snow": options | {"database": "shop"}}}
    (tmp_path / "config" / "dqmon.yaml").write_text(json.dumps(settings))
    (tmp_path / "checks" / "orders.yaml").write_text(example)
    with open_app(str(tmp_path / "config" / "dqmon.yaml")) as app:
        (result,) = app.check(Selector(), None, alerts=False).records
    assert (result.verdict, Decimal(str(result.observed_value))) == (verdict, Decimal(value)), result.reason
