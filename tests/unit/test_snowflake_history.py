"""What Snowflake's histories, roles and settings say, from recorded rows: loads, credits, powers, advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from dqmon.core.registry import Registry
from dqmon.core.table import TableRef
from dqmon.errors import PermissionDenied
from dqmon.warehouses.base.snowflake_history import loads
from dqmon.warehouses.base.snowflake_role import CREDITS_PER_HOUR, limit_advice, settings_advice, zone_advice
from dqmon.warehouses.base.snowflake_session import SnowflakeSession

KIND = Registry("warehouses").get("snowflake")
AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
TABLES = [
    (name, "BASE TABLE", "NO", "NO", "NO", 7, 1024, "2026-01-01", "2026-02-02", "ID", "NUMBER", 38, 0, None, "NO")
    for name in ("ORDERS", "ITEMS")
]


class Shown:
    """A row of SHOW, as SQLAlchemy gives it."""

    def __init__(self, **columns: Any) -> None:
        self._columns = columns

    def _asdict(self) -> dict[str, Any]:
        return self._columns


class Recorded(SnowflakeSession):
    """Answers each statement by the first word of `answers` that it holds."""

    def __init__(self, answers: Mapping[str, Any], **options: Any) -> None:
        given = {"account": "ACME-EU1", "user": "DQMON", "database": "shop", "token": "t"} | options
        connection: Any = SimpleNamespace(info={}, connection=SimpleNamespace(driver_connection=SimpleNamespace(warehouse="DQMON_XS")))
        super().__init__(connection, KIND("snow", KIND.Options.model_validate(given)))
        self.answers = answers
        self.asked: list[tuple[str, Mapping[str, object]]] = []

    def _rows(self, statement: sa.Executable, values: Mapping[str, object], timeout_s: float) -> Sequence[Any]:
        del timeout_s
        self.asked.append((str(statement), values))
        found = next(answer for word, answer in self.answers.items() if word in str(statement))
        if isinstance(found, Exception):
            raise found
        return found


def table(name: str) -> TableRef:
    return TableRef("snow", None, None, name)


def test_the_last_loads_of_all_tables_of_a_schema_are_one_statement():
    loaded = datetime(2026, 3, 10, 6, tzinfo=timezone(timedelta(hours=-5)))
    session = Recorded({"copy_history": [("orders", loaded), ("items", None)], "tables t": TABLES}, load_history=True)
    session.announce([table("orders"), table("items")])
    orders, items = session.facts(table("orders")), session.facts(table("items"))
    assert orders.last_changed == datetime(2026, 3, 10, 11, tzinfo=UTC)
    assert orders.last_changed_because == "COPY_HISTORY, the last load by COPY or Snowpipe within 14 days"
    assert (items.last_changed, items.rows) == (None, 7), "not loaded within 14 days: nothing is known, and the rest stays"
    ((sql, values),) = [asked for asked in session.asked if "copy_history" in asked[0]]
    assert sql.count("copy_history(table_name => ") == len(TABLES)
    assert "where row_count > 0" in sql, "a file that failed changed nothing"
    assert values == {"name0": "orders", "table0": '"PUBLIC"."ORDERS"', "name1": "items", "table1": '"PUBLIC"."ITEMS"'}


def test_load_history_is_asked_only_where_somebody_says_that_it_is_all():
    session = Recorded({"tables t": TABLES})
    assert session.facts(table("orders")).last_changed is None
    assert len(session.asked) == 1
    plain, told = (KIND("w", KIND.Options(account="A", user="U", database="D", token="t", load_history=on)) for on in (False, True))
    assert (plain.capabilities.last_change.is_exact, told.capabilities.last_change.is_exact) == (False, True)


def test_a_history_that_may_not_be_read_costs_a_warning_only(caplog):
    session = Recorded({"copy_history": PermissionDenied("no"), "tables t": TABLES}, load_history=True)
    session.announce([table("orders"), table("items")])
    with caplog.at_level("WARNING"):
        assert [session.facts(table(name)).rows for name in ("orders", "items")] == [7, 7]
    assert caplog.messages == ["load history cannot be read"], "once for the schema"


def test_tables_of_hostile_names_are_values():
    statement, values = loads("lake", 'a"b', ["x'); drop table t; --"])
    assert "drop" not in str(statement)
    assert values["table0"] == '"LAKE"."A""B"."X\'); DROP TABLE T; --"'


def test_credits_by_statement():
    session = Recorded({"query_attribution_history": [("a", 0.25), ("b", 1)]})
    assert session.attributed(["a", "b", "c"], AT) == {"a": 0.25, "b": 1.0}
    (_, values), *others = session.asked
    assert values == {"since": AT - timedelta(minutes=5), "ids": ("a", "b", "c")}
    assert not others


def test_what_the_role_may_do_besides_reading():
    rows = [("INSERT", "TABLE", "SHOP.PUBLIC.ORDERS", 3), ("OWNERSHIP", "SCHEMA", "SHOP.RAW", 1), ("ROLE", None, "SYSADMIN", 1)]
    session = Recorded({"object_privileges": rows})
    assert session.powers() == (
        "INSERT on TABLE SHOP.PUBLIC.ORDERS and 2 more", "OWNERSHIP on SCHEMA SHOP.RAW", "do all that SYSADMIN may",
    )  # fmt: skip
    assert len(session.asked) == 1
    assert Recorded({"object_privileges": []}).powers() == ()


@pytest.mark.parametrize(("shown", "price", "words"), [
    ({"size": "X-Small", "auto_suspend": 60}, 1, []),
    ({"size": "X-Small", "auto_suspend": "600"}, 1, ["bills 600 s of idle time: ALTER WAREHOUSE W SET AUTO_SUSPEND = 60"]),
    ({"size": "X-Small", "auto_suspend": None}, 1, ["bills all idle time"]),
    ({"size": "Large", "auto_suspend": 30}, 8, ["is Large; monitoring needs no more than X-Small"]),
    ({"size": "Large", "auto_suspend": 30}, 1, ["is Large", "costs 8 credits an hour, credits_per_hour says 1"]),
    ({"size": "Adaptive", "auto_suspend": 30}, None, ["is Adaptive"]),
])  # fmt: skip
def test_advice_on_the_warehouse(shown, price, words):
    found = list(settings_advice({"name": "W", **shown}, price))
    assert len(found) == len(words)
    for said, part in zip(found, words, strict=True):
        assert part in said


def test_credits_double_by_size():
    assert (CREDITS_PER_HOUR["X-Small"], CREDITS_PER_HOUR["Medium"], CREDITS_PER_HOUR["6X-Large"]) == (1, 4, 512)


def test_advice_on_limits_and_zone():
    assert next(limit_advice("W", 172_800)).endswith("ALTER WAREHOUSE W SET STATEMENT_TIMEOUT_IN_SECONDS = 3600")
    assert next(limit_advice("W", 0)), "0 is no limit"
    assert not list(limit_advice("W", 600))
    assert next(zone_advice("America/Los_Angeles", "UTC")).endswith("set naive_timezone: America/Los_Angeles")
    assert not list(zone_advice("UTC", "UTC"))


def test_advice_of_what_the_role_may_see():
    warehouses = [Shown(name="DQMON_XS", size="X-Small", auto_suspend=60), Shown(name="DQMONAXS", size="Large", auto_suspend=0)]
    answers = {"show warehouses": warehouses, "in warehouse": [Shown(value="172800")], "in account": PermissionDenied("no")}
    session = Recorded(answers)
    (said,) = session.advice()
    assert "may run for 172800 s" in said, "of a LIKE's other matches and of what may not be seen nothing is said"
    assert session.asked[1][0].endswith('in warehouse "DQMON_XS"')
