"""SQL Server without a server: options, rows of its catalogue, errors, rights, patterns."""

from __future__ import annotations

from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pymssql
import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from dqmon.core.registry import Registry
from dqmon.core.table import TableRef, TypeGroup
from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryFailed, QueryTimeout, TableMissing
from dqmon.sql import metrics as m
from dqmon.warehouses.base.mssql_sql import _without_classes
from dqmon.warehouses.mssql import translated

KIND = Registry("warehouses").get("mssql")
GIVEN = {"host": "127.0.0.1", "port": 9, "database": "shop", "user": "dq]mon", "password": "canary-secret", "connect_timeout": "1s"}
WAREHOUSE = KIND("shop", KIND.Options.model_validate(GIVEN))


def told(*rows: tuple[Any, ...]) -> Any:
    """A session that is given rows in place of a server."""
    from dqmon.warehouses.mssql import MssqlSession

    class Told(MssqlSession):
        def _rows(self, statement: Any, values: Any, timeout_s: float) -> Any:
            del statement, values, timeout_s
            return rows

    return Told(SimpleNamespace(info={}, connection=SimpleNamespace(driver_connection=None)), WAREHOUSE)  # type: ignore[arg-type]


TABLE = TableRef("shop", None, "dbo", "t")


def test_columns_of_the_catalogue() -> None:
    rows = [("t", "id", "bigint", 19, 0, 0), ("t", "price", "decimal", 12, 2, 1), ("t", "fee", "money", 19, 4, 1),
            ("t", "ok", "bit", 1, 0, 1), ("t", "at", "datetimeoffset", 34, 7, 1), ("t", "doc", "xml", 0, 0, 1)]  # fmt: skip
    found = told(*rows).columns(TABLE)
    assert [(column.name, column.type, column.nullable) for column in found[:2]] == [
        ("id", "bigint", False),
        ("price", "decimal(12,2)", True),
    ]
    assert [column.group for column in found] == [
        TypeGroup.INTEGER, TypeGroup.DECIMAL, TypeGroup.DECIMAL, TypeGroup.BOOLEAN, TypeGroup.TIMESTAMP_ZONED, TypeGroup.OTHER,
    ]  # fmt: skip


def test_facts_of_the_catalogue() -> None:
    facts = told(("t", 7, "pk", "id", 0), ("t", 7, "u", "a", 0), ("t", 7, "u", "b", 0), ("t", None, None, "id", 1)).facts(TABLE)
    assert (facts.rows, facts.about_rows, list(facts.columns)) == (None, 7, ["id"])
    assert [key.columns for key in facts.keys] == [frozenset({"id"}), frozenset({"a", "b"})]
    assert told(("t", 0, None, None, 0)).facts(TABLE).keys == ()
    assert told().unchanged_proof(TABLE) is None


def test_rights_besides_reading() -> None:
    found = told(("CONNECT",), ("SELECT",), ("VIEW ANY COLUMN MASTER KEY DEFINITION",), ("INSERT",), ("ALTER",)).powers()
    assert found == ("ALTER in the database", "INSERT in the database")


@pytest.mark.parametrize(("number", "kind", "words"), [
    (208, TableMissing, "Invalid object"), (207, ColumnMissing, "Invalid object"), (229, PermissionDenied, "see `dqmon grants`"),
    (20003, QueryTimeout, "limit of 5 s"), (18456, ConnectFailed, "check user and password"), (4060, ConnectFailed, "check `database:`"),
    (20009, ConnectFailed, "Invalid object"), (102, QueryFailed, "Invalid object"),
])  # fmt: skip
def test_errors_by_number(number: int, kind: type[Exception], words: str) -> None:
    error = pymssql.OperationalError(number, b"Invalid object name 't'.DB-Lib error message 20018, severity 16:\nGeneral SQL Server error")
    wrapped = sa.exc.OperationalError("select 1", {}, error)
    found = translated(wrapped, 5)
    assert type(found) is kind
    assert words in str(found)
    assert "DB-Lib" not in str(found)


def test_nobody_there_says_where() -> None:
    with closing(KIND("shop", KIND.Options.model_validate(GIVEN))) as warehouse:
        with pytest.raises(ConnectFailed, match=r"shop: no connection to 127\.0\.0\.1:9/shop") as error, warehouse.open():
            pass
        assert "canary-secret" not in str(error.value) + repr(warehouse.options)


@pytest.mark.parametrize("more", [{"host": ""}, {"port": 0}, {"database": ""}, {"role": "x"}])
def test_options_that_cannot_be(more: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        KIND.Options.model_validate(GIVEN | more)


def test_the_script_of_grants() -> None:
    script = WAREHOUSE.grants(
        [TableRef("shop", None, None, "orders"), TableRef("shop", None, "crm", "*"), TableRef("shop", None, "crm", "x")]
    )
    assert script.splitlines()[-2:] == ["GRANT SELECT ON SCHEMA::[crm] TO [dq]]mon];", "GRANT SELECT ON [dbo].[orders] TO [dq]]mon];"]
    assert "GRANT SELECT TO [dq]]mon];" in WAREHOUSE.grants([TableRef("shop", None, "*", "*")])
    assert "canary-secret" not in script


@pytest.mark.parametrize(("pattern", "has_escape", "found"), [
    ("a%", False, "a%"), ("[a]_", False, r"\[a]_"), ("a\\b", False, r"a\\b"), (r"50\%", True, r"50\%"), (r"\[x", True, r"\[x"), (r"\\", True, r"\\"),
])  # fmt: skip
def test_brackets_of_a_pattern_are_brackets(pattern: str, has_escape: bool, found: str) -> None:
    assert _without_classes(pattern, has_escape=has_escape) == found


def test_a_condition_is_no_value_and_a_bit_is_no_condition() -> None:
    rule = m.BrokenConditionCount("amount > 0", nulls="fail")
    (value,) = rule.row_values(WAREHOUSE.capabilities).items()
    counted = rule.counted(dict([value]))
    text = str(sa.select(sa.func.count(sa.case((counted, 1)))).compile(dialect=WAREHOUSE.dialect))
    assert "THEN CASE WHEN (1 = 0) THEN 1 ELSE 0 END ELSE CASE WHEN (1 = 1) THEN 1 ELSE 0 END END = 1)" in text
    is_open = sa.column("is_open", sa.Boolean())
    assert str(sa.select(1).where(sa.not_(is_open)).compile(dialect=WAREHOUSE.dialect)).endswith("WHERE is_open = 0")
