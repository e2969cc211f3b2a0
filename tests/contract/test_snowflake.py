"""Snowflake's real connector and dialect against the stand-in: every case of every check type, and what the stand-in cannot run.

Skipped where the stand-in's own environment is not there (tests/fakes/snowflake_server.py says how to make it).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from snowflake_stand_in import PYTHON, stand_in
from test_check_cases import CASES, KINDS, NOW, declared, judged

from dqmon.core.registry import Registry
from dqmon.core.table import TableRef

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason=f"there is no {PYTHON}")

GAPS: dict[str, str] = {}
"""Cases that the stand-in cannot run, with why: compiled, not run. A case that it can run one day fails here, so that it is noticed."""


def warehouse(port: int, **options: Any) -> Any:
    kind = Registry("warehouses").get("snowflake")
    here = {"account": "ACME-EU1", "user": "dqmon", "database": "lab", "host": "127.0.0.1", "port": port, "protocol": "http"}
    return kind("w", kind.Options.model_validate(here | {"token": "t"} | options))


class SnowflakePlace:
    """Where the cases' tables are made (see `test_check_cases.Place`)."""

    kind = "snowflake"

    def __init__(self, port: int) -> None:
        self.warehouse = warehouse(port)

    def make(self) -> None:
        """All tables of all cases, each filled by one statement."""
        with self.warehouse.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for case in CASES:
                for name, content in ((case["table"], case), (f"{case['table']}_other", case.get("other"))):
                    if content is not None:
                        _fill(connection, name, content["columns"], content["rows"])

    def table(self, name: str) -> TableRef:
        return TableRef("w", None, "public", name)


def _fill(connection: sa.Connection, name: str, columns: dict[str, str], rows: list[list[Any]]) -> None:
    table = sa.Table(name, sa.MetaData(), *(sa.Column(column, KINDS[kind]) for column, kind in columns.items()))
    table.create(connection)
    if rows:
        selects = (sa.select(*(_literal(v, k) for v, k in zip(row, columns.values(), strict=True))) for row in rows)
        connection.execute(table.insert().from_select(list(table.columns), sa.union_all(*selects)))


def _literal(value: Any, kind: str) -> sa.ColumnElement[Any]:
    """As text, so that neither connector nor stand-in rounds it."""
    text = None if value is None else str(value)
    return sa.cast(sa.literal(text, sa.String()), KINDS[kind])


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with stand_in() as found:
        yield found


@pytest.fixture(scope="module")
def place(port: int) -> Iterator[SnowflakePlace]:
    found = SnowflakePlace(port)
    found.make()
    yield found
    found.warehouse.close()


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case['type']}: {case['name']}") for case in CASES])
def test_case(place: Any, case: dict[str, Any], request: pytest.FixtureRequest) -> None:
    name = f"{case['type']}: {case['name']}"
    if name in GAPS:
        request.applymarker(pytest.mark.xfail(strict=True, reason=GAPS[name]))
    judgement = judged(place, case, declared(place, case), datetime.fromisoformat(case["at"]) if "at" in case else NOW)
    wanted = {**case["expect"], **case.get("on", {}).get("snowflake", {})}
    observed = judgement.observed
    value: Any = list(observed.value) if isinstance(observed.value, tuple) else observed.value
    if isinstance(value, Decimal | float | int) and isinstance(wanted.get("value"), str):
        value, wanted["value"] = Decimal(str(value)), Decimal(wanted["value"])
    found = {"verdict": str(judgement.verdict), "value": value, "ratio": observed.ratio, "tested": observed.rows_tested}
    found = {key: found[key] for key in wanted if key != "reason"}
    assert found == {key: wanted[key] for key in found}, f"{name}: {judgement.reason}"
    assert wanted.get("reason", "") in judgement.reason
