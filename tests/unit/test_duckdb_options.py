"""`files:`, `s3:` and `catalogs:` of a DuckDB warehouse: what they mean, and every mistake in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dqmon.config.project import load_project
from dqmon.errors import ConfigError
from dqmon.warehouses.duckdb import DuckdbOptions

LAKE = {"files": {"t": {"iceberg": "n.t"}}}
CSV = {"files": {"t": "a.csv"}}


def options(given: dict[str, Any]) -> DuckdbOptions:
    return DuckdbOptions.model_validate_json(json.dumps(given))


def test_both_forms_mean_the_same() -> None:
    files = {"a": "x.parquet", "b": {"parquet": "x.parquet"}, "c": "y.tsv.gz", "d": {"csv": "y.tsv.gz"}, "e": {"json": "z"}}
    found = options({"files": files}).tables
    assert found["a"] == found["b"]
    assert found["c"] == found["d"]
    assert (found["e"].kind, found["e"].path) == ("json", "z")


def test_the_only_catalog_needs_no_name() -> None:
    one = options(LAKE | {"catalogs": {"shop": {"type": "rest", "uri": "https://x", "token": "canary-secret"}}})
    assert one.catalog_of(one.tables["t"]) == ("shop", {"type": "rest", "uri": "https://x", "token": "canary-secret"})
    assert "canary-secret" not in repr(one)


@pytest.mark.parametrize(("given", "words"), [
    ({}, "give `path:`"),
    ({"files": {"t": "a.xlsx"}}, r"'a.xlsx' ends in none of parquet, csv, .*; else write \{parquet: a.xlsx\}"),
    ({"files": {"t": "gs://bucket/a.csv"}}, r"'gs://bucket/a.csv' is no s3://bucket/path"),
    ({"files": {"t": {"delta": "s3://bucket"}}}, r"'s3://bucket' is no s3://bucket/path"),
    ({"files": {"t": "https://host/a.csv"}}, "other stores are not read"),
    ({"files": {"t": {}}}, "give exactly one of parquet, csv, json, delta and iceberg"),
    ({"files": {"t": {"parquet": "a", "delta": "b"}}}, "give exactly one of parquet"),
    ({"files": {"t": {"delta": "a", "hive": True}}}, "a table of kind delta knows its own partitions"),
    ({"files": {"t": {"csv": "a", "catalog": "b"}}}, "`catalog:` is of Iceberg tables"),
    ({"files": {"T": "a.csv", "t": "b.csv"}}, "two tables have the same name but for the case of letters"),
    (LAKE, r"files.t needs `catalog:`, the name of one of `catalogs:` \(none\)"),
    (LAKE | {"catalogs": {"a": {}, "b": {}}}, r"one of `catalogs:` \(a, b\)"),
    ({"files": {"t": {"iceberg": "n.t", "catalog": "c"}}, "catalogs": {"a": {}}}, r"one of `catalogs:` \(a\)"),
    (CSV | {"s3": {"endpoint": "http://x"}}, "the endpoint is not encrypted; write allow_http: true"),
    (CSV | {"s3": {"endpoint": "x:9000"}}, r"endpoint must be http\(s\)://host\[:port\]"),
    (CSV | {"s3": {"endpoint": "https://user:pw@x"}}, "without user and path"),
    (CSV | {"s3": {"access_key_id": "x"}}, "access_key_id and secret_access_key belong together"),
])  # fmt: skip
def test_mistakes_are_said(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        options(given)


CONFIG = """\
version: 1
warehouses:
  lake:
    type: duckdb
    s3:
      region: eu-central-1
      secret: canary-secret
    files:
      orders: {delta: data/orders}
      events:
        iceberg: shop.events
        hive: 1
      sheet: data.xlsx
      both: {parquet: a.parquet, csv: b.csv}
    catalogs:
      shop: {type: sql, port: 5}
"""


def test_each_mistake_stands_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/dqmon.yaml").write_text(CONFIG)
    with pytest.raises(ConfigError) as error:
        load_project(tmp_path / "config/dqmon.yaml", {})
    found = {problem.line: f"{problem.message}; {problem.hint}" for problem in error.value.problems}
    assert sorted(line for line in found if line) == [7, 12, 13, 14, 16]
    assert "unknown key 'secret'" in found[7]
    assert "canary" not in str(found)


def test_only_paths_are_made_absolute(tmp_path: Path) -> None:
    """The name of an Iceberg table and the properties of its catalog are none."""
    for folder in ("config", "checks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config/dqmon.yaml").write_text("""\
version: 1
warehouses:
  lake:
    type: duckdb
    files: {a: data/*.csv, d: {delta: data/orders}, far: {delta: "s3://lake/orders"}, i: {iceberg: shop.events}}
    catalogs: {shop: {type: sql, uri: "sqlite:////c.db"}}
""")
    (tmp_path / "checks/a.yaml").write_text("version: 1\ndatasets: [{dataset: a, checks: [{row_count: {min: 1}}]}]\n")
    (lake,) = load_project(tmp_path / "config/dqmon.yaml", {}).settings.warehouses.values()
    found: Any = lake.options
    assert {name: table.path for name, table in found.tables.items()} == {
        "a": f"{tmp_path}/data/*.csv",
        "d": f"{tmp_path}/data/orders",
        "far": "s3://lake/orders",
        "i": "shop.events",
    }
    assert found.catalog_of(found.tables["i"])[1]["type"] == "sql"


def test_the_example_of_the_docs_is_right(tmp_path: Path) -> None:
    for folder in ("config", "checks"):
        (tmp_path / folder).mkdir()
    example = (Path(__file__).parents[2] / "docs/files.md").read_text().split("```yaml\n")[1].split("```")[0]
    (tmp_path / "config/dqmon.yaml").write_text(f"version: 1\n{example}")
    (tmp_path / "checks/a.yaml").write_text("version: 1\ndatasets: [{dataset: orders, checks: [{row_count: {min: 1}}]}]\n")
    secrets = dict.fromkeys(("LAKE_KEY", "LAKE_SECRET", "CATALOG_TOKEN"), "canary")
    (lake,) = load_project(tmp_path / "config/dqmon.yaml", secrets).settings.warehouses.values()
    found: Any = lake.options
    assert [table.kind for table in found.tables.values()] == ["parquet", "parquet", "csv", "delta", "iceberg"]
