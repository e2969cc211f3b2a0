"""`dqmon.validate` and `dqmon.pandera_schema`, as a loading job uses them."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest

import dqmon
from dqmon.core.table import TableRef
from dqmon.core.verdict import Verdict
from dqmon.errors import ConfigError, FrameNotJudged, UsageError
from dqmon.frames.frame import Frame

CONFIG = """
version: 1
store: {url: "sqlite:///no.db"}
warehouses:
  main: {type: duckdb, path: not_there.duckdb}
  shop: {type: sqlite, path: not_there.sqlite}
"""
CHECKS = """
version: 1
datasets:
  - dataset: main.orders
    partition: {column: day, grain: day}
    checks:
      - completeness: {column: customer, owner: "@team"}
      - uniqueness: {columns: [id]}
      - range: {column: amount, min: 0, max: 100.5, warn_if: "> 0", fail_if: "> 2"}
      - row_count: {min: 3}
      - freshness: {column: day, fail_after: 1h}
  - dataset: main.*
    checks:
      - accepted_values: {column: Status, values: [new, paid]}
  - dataset: main.typed
    checks:
      - range: {column: day, min: "2020-01-01", max: "2020-12-31"}
      - completeness: {column: at, filter: "amount > 1"}
      - length: {column: amount, max: 3}
  - dataset: main.few
    checks:
      - completeness: {column: customer, fail_if: "< 2"}
      - completeness: {name: none, column: customer, fail_if: "> 5", on_no_data: fail}
  - {dataset: items, warehouse: shop, checks: [{condition: {name: big, expression: "amount > 5"}}]}
"""
ORDERS: dict[str, list[Any]] = {
    "id": [1, 2, 2, 3],
    "customer": ["a", None, "b", "c"],
    "amount": [Decimal("100.50"), Decimal("100.51"), Decimal(-1), None],
    "status": ["new", "paid", "lost", None],
}
FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame}


@pytest.fixture
def config(tmp_path: Path) -> str:
    for name, text in (("config/dqmon.yaml", CONFIG), ("checks/a.yaml", CHECKS)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    return str(tmp_path / "config/dqmon.yaml")


@pytest.fixture(params=FRAMES)
def library(request: pytest.FixtureRequest) -> str:
    return request.param


def test_a_report_has_every_verdict_and_names_what_a_frame_does_not_show(config: str, library: str) -> None:
    report = dqmon.validate(FRAMES[library](ORDERS), "main.orders", config=config)
    assert {result.check_id: str(result.verdict) for result in report.results} == {
        "main.orders.completeness.customer": "fail",
        "main.orders.uniqueness.id": "fail",
        "main.orders.range.amount": "warn",
        "main.orders.accepted_values.Status": "fail",
    }
    assert not report.is_good
    assert {(result.warehouse, result.dataset) for result in report.results} == {("main", "main.orders")}
    assert report.results[0].owner == "@team"
    assert report.results[0].reason == "1 of 4 rows (25 %) has no customer; fails above 0 rows"
    assert report.not_judged == {
        "main.orders.row_count": "row_count is about the whole table, not about its rows one by one",
        "main.orders.freshness.day": "freshness is about the whole table, not about its rows one by one",
    }


def test_split_gives_good_rows_and_bad_rows_with_their_reasons(config: str, library: str) -> None:
    frame = FRAMES[library](ORDERS)
    good, bad, report = dqmon.validate(frame, "orders", split=True, config=config)
    assert list(good["id"]) == [1, 3]
    assert list(good.columns) == list(ORDERS)
    assert list(bad["dq_reasons"]) == [
        "main.orders.completeness.customer: has no customer",
        "main.orders.uniqueness.id: is a surplus copy by id; main.orders.accepted_values.Status: has Status other than new or paid",
    ]
    assert list(frame.columns) == list(ORDERS), "the frame itself is left as it was"
    assert not report.is_good


def test_split_keeps_the_index_and_repeated_labels_apart(config: str) -> None:
    good, bad, _ = dqmon.validate(pd.DataFrame(ORDERS, index=[7, 7, 8, 7]), "main.orders", split=True, config=config)
    assert list(good.index) == [7, 7]
    assert list(bad.index) == [7, 8]


def test_all_rows_of_a_good_frame_are_good(config: str, library: str) -> None:
    frame = FRAMES[library](ORDERS)[:1]
    good, bad, report = dqmon.validate(frame, "main.orders", split=True, config=config)
    assert (len(good), len(bad), report.is_good) == (1, 0, True)
    assert [*bad.columns] == [*ORDERS, "dq_reasons"]


@pytest.mark.parametrize("rows", [0, 2], ids=["no rows", "no values"])
def test_a_frame_without_values_has_nothing_to_judge_whatever_type_its_library_guessed(config: str, library: str, rows: int) -> None:
    frame = FRAMES[library]({name: [None] * rows for name in ("customer", "amount", "status", "id")})
    report = dqmon.validate(frame, "main.orders", config=config)
    verdicts = {result.type: str(result.verdict) for result in report.results}
    assert verdicts == {
        "completeness": "fail" if rows else "skipped",
        "uniqueness": "skipped",
        "range": "skipped",
        "accepted_values": "skipped",
    }


def test_a_lazy_frame_is_collected(config: str) -> None:
    assert len(dqmon.validate(pl.DataFrame(ORDERS).lazy(), "main.orders", config=config).results) == 4


def test_dates_zones_and_filters(config: str, library: str) -> None:
    frame = FRAMES[library](
        {
            "day": [date(2020, 1, 1), date(2020, 12, 31), date(2021, 1, 1), date(1890, 1, 1)],
            "at": [datetime(2020, 1, 1, tzinfo=UTC), None, None, None],
            "amount": [1, 1, 2, 3],
            "status": ["new"] * 4,
        }
    )
    _, bad, report = dqmon.validate(frame, "main.typed", split=True, config=config)
    assert {result.type: (result.observed_value, result.rows_tested) for result in report.results} == {
        "range": (2, 4),
        "completeness": (2, 2),
        "length": (0, 4),
        "accepted_values": (0, 4),
    }
    assert list(bad["amount"]) == [2, 3]


def test_another_warehouse_is_named_in_front(config: str, library: str) -> None:
    report = dqmon.validate(FRAMES[library]({"amount": [6, 5, 4]}), "shop:items", config=config)
    assert [(result.check_id, result.observed_value) for result in report.results] == [("shop:main.items.condition.big", 2)]


def test_what_cannot_be_measured_is_an_error_and_never_a_good_row(config: str, library: str) -> None:
    frame = FRAMES[library]({"id": [1]})
    report = dqmon.validate(frame, "main.orders", config=config)
    errors = {result.check_id: result.reason for result in report.results if result.verdict is Verdict.ERROR}
    assert "there is no column 'customer'; there are id" in errors["main.orders.completeness.customer"]
    assert not report.is_good
    with pytest.raises(FrameNotJudged, match="there is no column 'amount'"):
        dqmon.validate(frame, "main.orders", split=True, config=config)


@pytest.mark.parametrize(
    ("frame", "dataset", "message"),
    [
        ([1], "main.orders", "a pandas or polars DataFrame is needed, this is a builtins.list"),
        (pd.Series([1]), "main.orders", "this is a pandas.Series"),
        (pd.DataFrame({"a": [1], "A": [1]}), "main.orders", "columns 'a', 'A' clash"),
        (pd.DataFrame({"dq_position": [1]}), "main.orders", "columns 'dq_position' clash"),
        (pd.DataFrame({"a": [1, "x"]}), "main.orders", "column 'a' is of no type that a table has"),
        (pd.DataFrame({"a": [1]}), "main.order", "main.order.accepted_values.Status: order: there is no column 'Status'; there are a"),
        (pd.DataFrame({"a": [1]}), "other.orders", "no check is declared for 'other.orders'; there are checks for main.orders, main"),
        (pd.DataFrame({"a": [1]}), "lake:orders", "there is no warehouse 'lake'; there are main, shop"),
        (pd.DataFrame({"a": [1]}), "a..b", "is not a dataset"),
    ],
)
def test_bad_input_is_one_clear_sentence(config: str, frame: Any, dataset: str, message: str) -> None:
    with pytest.raises((UsageError, FrameNotJudged), match=message):
        dqmon.validate(frame, dataset, split=True, config=config)


def test_no_project_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        dqmon.validate(pd.DataFrame(), "main.orders", config=str(tmp_path / "no.yaml"))


def test_patterns_that_contradict_each_other_are_a_configuration_error(config: str, tmp_path: Path) -> None:
    entry = "  - {dataset: main.o*, checks: [{completeness: {column: id, fail_if: '> %d'}}]}\n"
    (tmp_path / "checks/b.yaml").write_text("version: 1\ndatasets:\n" + entry % 1 + entry % 2)
    with pytest.raises(ConfigError, match=r"checks/b\.yaml"):
        dqmon.validate(pd.DataFrame(ORDERS), "main.orders", config=config)


def test_the_database_in_memory_reads_no_files(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a\n1\n")
    with Frame(pl.DataFrame({"a": [1]}), TableRef("w", None, None, "t")) as frame, frame._warehouse.open() as session:
        with pytest.raises(duckdb.PermissionException):
            session.driver.execute(f"select * from '{tmp_path / 'x.csv'}'")
        with pytest.raises(duckdb.InvalidInputException, match="locked"):
            session.driver.execute("set enable_external_access = true")


def test_a_pandera_schema_fails_and_warns_where_the_checks_do(config: str, library: str) -> None:
    import pandera.errors as pandera

    schema = dqmon.pandera_schema("main.orders", config, library=library)
    assert list(schema.metadata["not_judged"]) == ["main.orders.row_count", "main.orders.freshness.day"]
    with pytest.warns() as warned, pytest.raises(pandera.SchemaErrors) as raised:
        schema.validate(FRAMES[library](ORDERS), lazy=True)
    assert sorted(error.check.name for error in raised.value.schema_errors) == [
        "main.orders.accepted_values.Status",
        "main.orders.completeness.customer",
        "main.orders.uniqueness.id",
    ]
    assert [w.category.__name__ for w in warned] == ["SchemaWarning"]
    assert "main.orders.range.amount: has amount below 0 or above 100.5" in str(warned[0].message)
    blamed = {error.check.name: len(error.failure_cases) for error in raised.value.schema_errors}
    rows = 4 if library == "pandas" else 1  # pandas' failure cases have a line for each value of the row.
    assert blamed == dict.fromkeys(blamed, rows)


def test_a_pandera_schema_passes_a_good_frame_through(config: str, library: str) -> None:
    frame = FRAMES[library](ORDERS)[:1]
    assert dqmon.pandera_schema("main.orders", config, library=library).validate(frame, lazy=True).equals(frame)


def test_a_pandera_schema_says_what_cannot_be_measured(config: str, library: str) -> None:
    import pandera.errors as pandera

    with pytest.raises((pandera.SchemaError, pandera.SchemaErrors), match="there is no column 'customer'; there are id"):
        dqmon.pandera_schema("main.orders", config, library=library).validate(FRAMES[library]({"id": [1]}))


@pytest.mark.parametrize("customers", [[], ["a", "b"]], ids=["no data", "too few bad rows"])
def test_a_failure_that_no_row_is_to_blame_for_fails_the_schema_too(config: str, library: str, customers: list[str]) -> None:
    import pandera.errors as pandera

    frame = FRAMES[library]({"customer": customers, "status": ["new"] * len(customers)})
    report = dqmon.validate(frame, "main.few", config=config)
    assert not report.is_good
    with pytest.raises((pandera.SchemaError, pandera.SchemaErrors), match=r"main\.few\.completeness\.customer"):
        dqmon.pandera_schema("main.few", config, library=library).validate(frame)


def test_an_unknown_library_is_refused(config: str) -> None:
    with pytest.raises(UsageError, match="write 'pandas' or 'polars'"):
        dqmon.pandera_schema("main.orders", config, library="dask")  # type: ignore[arg-type]


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    code = "import sys, dqmon; print(sorted({'pandas', 'polars', 'pandera', 'pyarrow', 'sqlalchemy', 'pydantic'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_public_names_are_these() -> None:
    assert all(callable(getattr(dqmon, name)) for name in dqmon.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = dqmon.nothing
