"""ClickHouse without a server: options, what is set, errors, the role's statements, what a user may do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from dqmon import errors
from dqmon.core.registry import Registry
from dqmon.core.table import TableRef
from dqmon.warehouses.base.clickhouse_client import REQUIRED, WANTED, _settle
from dqmon.warehouses.base.clickhouse_errors import translated
from dqmon.warehouses.base.clickhouse_grants import powers
from dqmon.warehouses.base.labelled_session import label_text

KIND = Registry("warehouses").get("clickhouse")


class Client:
    """The settings that a server tells of, and those that were made."""

    def __init__(self, **told: tuple[str, bool]) -> None:
        everything = dict.fromkeys(REQUIRED | WANTED, ("x", False)) | {"readonly": ("0", False)} | told
        self.server_settings = {name: SimpleNamespace(value=value, readonly=fixed) for name, (value, fixed) in everything.items()}
        self.made: dict[str, str] = {}

    def set_client_setting(self, name: str, value: str) -> None:
        self.made[name] = value


def test_all_is_set_and_only_reading() -> None:
    client = Client()
    _settle(client)
    assert client.made == REQUIRED | WANTED | {"readonly": "1"}


def test_a_user_who_may_only_read_and_set_is_taken() -> None:
    client = Client(readonly=("2", True))
    _settle(client)
    assert client.made == REQUIRED | WANTED


def test_a_user_who_may_set_nothing_is_refused() -> None:
    with pytest.raises(errors.ConnectFailed, match="give it readonly = 2"):
        _settle(Client(readonly=("1", True)))


def test_what_is_required_and_cannot_be_set_is_told() -> None:
    with pytest.raises(errors.ConnectFailed, match="join_use_nulls = 1 cannot be made: the user may not"):
        _settle(Client(join_use_nulls=("0", True)))
    old = Client()
    del old.server_settings["session_timezone"]
    with pytest.raises(errors.ConnectFailed, match=r"ClickHouse 23\.6 is the first"):
        _settle(old)


def test_what_is_only_wanted_is_left_out_where_it_cannot_be_set() -> None:
    client = Client(max_query_size=("262144", True), join_use_nulls=("1", True))
    _settle(client)
    assert "max_query_size" not in client.made


@pytest.mark.parametrize(("code", "kind", "words"), [
    (60, "TableMissing", "Unknown"), (81, "TableMissing", "Unknown"), (47, "ColumnMissing", "Unknown"), (159, "QueryTimeout", "limit of 5 s"),
    (160, "QueryTimeout", "limit of 5 s"), (497, "PermissionDenied", "dqmon grants"), (164, "PermissionDenied", "dqmon grants"),
    (516, "ConnectFailed", "check `user:`"), (210, "ConnectFailed", "Unknown"), (202, "ConnectFailed", "lower max_connections"),
    (241, "QueryFailed", "max_memory_usage"), (158, "QueryFailed", "max_rows_to_read"), (394, "QueryFailed", "Unknown"), (62, "QueryFailed", "Unknown"),
])  # fmt: skip
def test_errors(code: int, kind: str, words: str) -> None:
    body = f"Code: {code}. DB::Exception: Unknown thing: In scope SELECT 1. (SOME_NAME) (version 24.8.1.1 (official build))"
    error = DatabaseError(f"Received ClickHouse exception, code: {code}, server response: {body} (for url https://h:8443)", code=code)
    found = translated(error, 5)
    assert type(found).__name__ == kind
    assert words in str(found)
    assert not [part for part in ("Code:", "version", "8443", "SELECT") if part in str(found)]


def test_no_answer_is_no_connection() -> None:
    assert isinstance(
        translated(OperationalError("Error timed out executing HTTP request attempt 1 (http://h:1)"), 5), errors.ConnectFailed
    )


def refs(*names: str) -> list[TableRef]:
    return [TableRef("w", None, *name.split(".")) for name in names]


def test_the_role_reads_what_is_checked() -> None:
    found = KIND("w", KIND.Options.model_validate({"host": "h", "user": "dq`mon", "schema": "shop"}))
    script = found.grants([*refs("shop.orders", "shop.it's", "raw.*"), TableRef("w", None, None, "customers")])
    assert "GRANT SELECT ON `shop`.`orders` TO dqmon;" in script
    assert "GRANT SELECT ON `shop`.`customers` TO dqmon;" in script
    assert "GRANT SELECT ON `raw`.* TO dqmon;" in script
    assert r"CREATE USER IF NOT EXISTS `dq\`mon` IDENTIFIED" in script
    assert "GRANT SELECT ON *.* TO dqmon;" in found.grants(refs("*.*"))
    assert "GRANT SELECT ON `shop`.* TO dqmon;" in found.grants([])
    assert powers(line.rstrip(";") for line in script.splitlines() if line.startswith("GRANT SELECT")) == ()


def test_what_a_user_may_do_besides() -> None:
    lines = [
        "GRANT SELECT, INSERT, ALTER UPDATE ON shop.* TO x",
        "GRANT SELECT(a, b), INSERT(a) ON shop.orders TO x WITH GRANT OPTION",
        "GRANT SHOW TABLES, dictGet ON *.* TO x",
        "GRANT reader TO x",
        "GRANT DROP TABLE ON `a b`.* TO x",
    ]
    assert powers(lines) == ("INSERT, ALTER UPDATE on shop.*", "INSERT on shop.orders", "DROP TABLE on `a b`.*")
    assert powers(["GRANT A, B, C, D, E, F ON *.* TO x"]) == ("A, B, C, D and 2 more on *.*",)


@pytest.mark.parametrize("options", [{}, {"host": ""}, {"host": "h", "port": 0}, {"host": "h", "secure": "no"}, {"host": "h", "url": "x"}])
def test_options_that_are_none(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        KIND.Options.model_validate(options)


def test_secrets_are_not_shown() -> None:
    options = KIND.Options.model_validate({"host": "h", "password": "hidden", "access_token": "hidden"})
    assert "hidden" not in repr(options)


def test_the_label_can_be_parsed() -> None:
    assert label_text({"warehouse": 'a"b', "run": "1"}) == r'{"app":"dqmon","warehouse":"a\"b","run":"1"}'
