"""Snowflake's real connector and dialect against the stand-in: names, limits, sign-in.

Skipped where the stand-in's own environment is not there (tests/fakes/snowflake_server.py says how to make it).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import sqlalchemy as sa
from snowflake_stand_in import PYTHON, stand_in

from dqmon.core.registry import Registry
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
