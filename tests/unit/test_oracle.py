"""Oracle without a server: names, rows of its catalogue, errors, rights, the empty text."""

from __future__ import annotations

from contextlib import closing
from types import SimpleNamespace
from typing import Any

import oracledb
import pytest
import sqlalchemy as sa

from dqmon.core.registry import Registry
from dqmon.core.table import TableRef, TypeGroup
from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryFailed, QueryTimeout, TableMissing
from dqmon.warehouses.oracle import OracleSession, translated

KIND = Registry("warehouses").get("oracle")
GIVEN = {"host": "127.0.0.1", "port": 9, "service": "SHOP", "user": "dqmon", "password": "canary-secret", "connect_timeout": "1s"}
WAREHOUSE = KIND("shop", KIND.Options.model_validate(GIVEN))
TABLE = TableRef("shop", None, "sales", "orders")


def told(*rows: tuple[Any, ...]) -> OracleSession:
    """A session that is given rows in place of a server."""

    class Told(OracleSession):
        def _rows(self, statement: Any, values: Any, timeout_s: float) -> Any:
            del statement, timeout_s
            assert values.get("schema") in (None, "SALES")
            return rows

    return Told(SimpleNamespace(info={}, connection=SimpleNamespace(driver_connection=None)), WAREHOUSE)  # type: ignore[arg-type]


def test_columns_of_the_catalogue() -> None:
    found = told(
        ("ORDERS", "ID", "NUMBER", None, 0, "N"), ("ORDERS", "AMOUNT", "NUMBER", 12, 2, "Y"), ("ORDERS", "ANY", "NUMBER", None, None, "Y"),
        ("ORDERS", "DAY", "DATE", None, None, "Y"), ("ORDERS", "at", "TIMESTAMP(6) WITH TIME ZONE", None, 6, "Y"),
    ).columns(TABLE)  # fmt: skip
    assert [(column.name, column.type, column.group) for column in found] == [
        ("id", "NUMBER(38,0)", TypeGroup.INTEGER), ("amount", "NUMBER(12,2)", TypeGroup.DECIMAL), ("any", "NUMBER", TypeGroup.DECIMAL),
        ("day", "DATE", TypeGroup.TIMESTAMP), ('"at"', "TIMESTAMP(6) WITH TIME ZONE", TypeGroup.TIMESTAMP_ZONED),
    ]  # fmt: skip
    assert [column.nullable for column in found] == [False, True, True, True, True]


def test_facts_and_names_of_the_catalogue() -> None:
    facts = told(("ORDERS", 7, "PK", "ID", 0), ("ORDERS", None, None, "ID", 1)).facts(TABLE)
    assert (facts.rows, facts.about_rows, list(facts.columns), facts.keys[0].columns) == (None, 7, ["id"], frozenset({"id"}))
    assert told(("SALES", "ORDERS", 0), ("SALES", "Mixed", 1)).tables("sales") == (
        (TableRef("shop", None, "sales", "Mixed"), True),
        (TableRef("shop", None, "sales", "orders"), False),
    )
    assert told(("CREATE SESSION",), ("DROP ANY TABLE",)).powers() == ("DROP ANY TABLE",)
    with pytest.raises(TableMissing):
        told().columns(TableRef("shop", "other", "sales", "orders"))


@pytest.mark.parametrize(("code", "kind"), [
    ("ORA-00942", TableMissing), ("ORA-00904", ColumnMissing), ("ORA-01031", PermissionDenied), ("ORA-01456", PermissionDenied),
    ("ORA-01013", QueryTimeout), ("DPY-4024", QueryTimeout), ("ORA-01017", ConnectFailed), ("DPY-4011", ConnectFailed),
    ("ORA-12514", ConnectFailed), ("ORA-00936", QueryFailed), ("ORA-12733", QueryFailed),
])  # fmt: skip
def test_errors_by_code(code: str, kind: type[Exception]) -> None:
    class Told:
        full_code = code

        def __str__(self) -> str:
            return f"{code}: words\nHelp: https://example.com"

    found = translated(sa.exc.DatabaseError("select 1", {}, oracledb.DatabaseError(Told())), 5)
    assert type(found) is kind
    assert "Help" not in str(found)


def test_nobody_there_says_where() -> None:
    with closing(KIND("shop", KIND.Options.model_validate(GIVEN))) as warehouse:
        with pytest.raises(ConnectFailed, match=r"shop: no connection to 127\.0\.0\.1:9/SHOP") as error, warehouse.open():
            pass
        assert "canary-secret" not in str(error.value) + repr(warehouse.options)


def test_the_script_of_grants() -> None:
    assert 'GRANT READ ON "SALES"."ORDERS" TO "DQMON";' in WAREHOUSE.grants([TABLE])
    assert 'GRANT READ ANY TABLE TO "DQMON";' in WAREHOUSE.grants([TableRef("shop", None, "sales", "*")])


def test_the_empty_text_is_not_null_in_a_list() -> None:
    name: sa.ColumnElement[str] = sa.column("name", sa.String())
    text = str(sa.select(name.in_([sa.literal(""), sa.literal("n/a")])).compile(dialect=WAREHOUSE.dialect))
    assert "IN (CHR(0), :param_1)" in text
