"""The user's own schema: what is wrong with it is said in one clear message, and no value of a row is in it."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from dqmon.checks.pandera import Pandera
from dqmon.core.check import Check, SourceLine
from dqmon.core.metric import Totals
from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.errors import QueryFailed
from dqmon.sql.metrics import BrokenRules
from dqmon.sql.sample_frame import frame
from dqmon.sql.user_schema import load

CONTRACTS = str(Path(__file__).parents[1] / "fixtures" / "contracts")
COLUMNS = (Column("x", "BIGINT", TypeGroup.INTEGER, nullable=True, position=1),)


def answer(schema: str, *rows: object, limit: int = 10, folder: str = CONTRACTS) -> object:
    return BrokenRules(limit, schema, folder).answer([(row,) for row in rows], COLUMNS)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("no_such:Schema", "there is no module no_such in python_path; write "),
        ("json:JSONDecoder", "there is no module json in python_path; write "),
        ("case_schemas:Nope", "case_schemas has no Nope: "),
        (
            "case_schemas:nothing",
            "case_schemas:nothing is a builtins.int; a DataFrameSchema or DataFrameModel of pandas or polars is needed",
        ),
        ("case_schemas:Elsewhere", "case_schemas:Elsewhere needs columns that the table has not: y"),
        ("case_schemas:Boom", "case_schemas:Boom: the check boom raised ValueError"),
        ("case_schemas:Dropping", "has drop_invalid_rows=True, which would hide the bad rows; leave it out"),
        ("broken_import:Schema", "broken_import cannot be imported: RuntimeError: no database here"),
        (
            "needs_missing:Schema",
            "needs_missing cannot be imported: ModuleNotFoundError: No module named 'pandas_of_another_world'; install dqmon[pandas]",
        ),
    ],
)
def test_what_cannot_be_asked_says_why(schema: str, said: str) -> None:
    with pytest.raises(QueryFailed) as caught:
        answer(schema, 1)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value), "values of rows are never told"


def test_a_module_that_is_not_there_is_told_without_any_row_too() -> None:
    with pytest.raises(QueryFailed, match="there is no module"):
        answer("no_such:Schema")
    assert answer("case_schemas:Small") == Totals({(): (0, 0)})


def test_only_that_folder_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "decimal.py").write_text("Schema = 1\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(QueryFailed, match=r"the name decimal belongs to .*; give the module in .* another name"):
        load(str(tmp_path), "decimal:Schema")
    assert sys.path[-1] == str(tmp_path.resolve()), "installed packages come first"


def test_what_it_prints_is_no_part_of_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = 'pa.Check(lambda x: print("asked") is None, name="talks")'
    code = f'import pandera.pandas as pa\nprint("imported")\nSchema = pa.DataFrameSchema({{"x": pa.Column(int, {rule})}})\n'
    (tmp_path / "talking_contract.py").write_text(code)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert answer("talking_contract:Schema", 1, folder=str(tmp_path)) == Totals({(): (1, 0)})
    told = capsys.readouterr()
    assert (told.out, told.err.split()) == ("", ["imported", "asked"])


def test_a_schema_is_asked_whatever_the_environment_says() -> None:
    from pandera.config import config_context

    with config_context(validation_enabled=False):
        assert answer("case_schemas:Small", 101, 5) == Totals({(): (2, 1), ("x", "less_than_or_equal_to(100)"): (1,)})


def test_more_rows_than_the_sample_are_left_out() -> None:
    assert answer("case_schemas:Small", 5, 101, limit=1) == Totals({(): (1, 0)})


VALUES = {
    TypeGroup.INTEGER: 2**62,
    TypeGroup.DECIMAL: Decimal("0.10"),
    TypeGroup.FLOAT: 0.5,
    TypeGroup.BOOLEAN: True,
    TypeGroup.TEXT: "ü",
    TypeGroup.DATE: date(1850, 1, 1),
    TypeGroup.TIMESTAMP: datetime(2400, 1, 1, tzinfo=UTC),
    TypeGroup.TIMESTAMP_ZONED: datetime(2013, 1, 1, tzinfo=UTC),
    TypeGroup.OTHER: "{}",
}


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("has_null", [False, True])
def test_each_value_comes_through(library, has_null: bool) -> None:
    columns = tuple(Column(str(group), "", group, nullable=True, position=i) for i, group in enumerate(VALUES, 1))
    rows = [tuple(VALUES.values()), *([(None,) * len(VALUES)] if has_null else [])]
    found = frame(rows, columns, library)
    for group, value in VALUES.items():
        assert found[str(group)][0] == value, group
        if has_null:
            last = found[str(group)][1]
            assert pd.isna(last) if library == "pandas" else last is None, group
    if library == "pandas":
        kinds = ["Int64" if has_null else "int64", "object", "float64", "boolean" if has_null else "bool", "str", "object"]
        assert [str(kind) for kind in found.dtypes] == [*kinds, "datetime64[us, UTC]", "datetime64[us, UTC]", "object"]
    else:
        kinds = [pl.Int64, pl.Decimal(38, 2), pl.Float64, pl.Boolean, pl.String, pl.Date]
        assert found.dtypes == [*kinds, pl.Datetime("us", "UTC"), pl.Datetime("us", "UTC"), pl.String]


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize(("group", "value"), [(TypeGroup.INTEGER, 2**70), (TypeGroup.DECIMAL, "secret"), (TypeGroup.FLOAT, "secret")])
def test_a_value_that_does_not_fit_names_the_column_alone(library, group: TypeGroup, value: object) -> None:
    with pytest.raises(QueryFailed) as caught:
        frame([(value,)], (Column("x", "", group, nullable=True, position=1),), library)
    assert str(caught.value) == f"column 'x' has a value that no {group.value} of {library} holds"


def check(**more) -> Check:
    rule = Pandera(schema="case_schemas:Small")
    return Check("c", rule, TableRef("w", None, "main", "t"), None, SourceLine("a.yaml", 1), **more)


def test_it_is_off_until_a_folder_is_named() -> None:
    (problem,) = check().rule.problems(check())
    assert problem.startswith("python_path: is not set in dqmon.yaml")
    assert check().rule.problems(check(python_path=CONTRACTS)) == ()
    (problem,) = check().rule.problems(check(python_path=CONTRACTS, segment_by=("x",)))
    assert "segment_by is not taken" in problem


@pytest.mark.parametrize("schema", ["orders", "contracts/orders:Schema", "contracts.orders:", "..orders:Schema", "a b:C", "os:system()"])
def test_what_names_no_schema_is_refused(schema: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        Pandera(schema=schema)
