"""`dqmon lineage` as a user runs it: the graph of check files and of dbt's manifest, and how each node is now."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from place import Place

MANIFEST = Path(__file__).parents[1] / "fixtures" / "ingestion" / "dbt" / "manifest.json"
CONFIG = """\
version: 1
store: {url: "sqlite:///.dqmon/store.db"}
warehouses:
  main: {type: sqlite, path: data/shop.db}
  lake: {type: sqlite, path: data/lake.db}
ingestion:
  dbt: {type: dbt, warehouse: main, target: target}
"""
CHECKS = """\
version: 1
ingestion:
  - {pipeline: dbt/shop, owner: "@platform", checks: [failed_runs: {window: 24h, fail_if: ">= 1"}]}
datasets:
  - dataset: stg_orders
    owner: "@orders"
    upstream: ["lake:orders"]
    checks: [row_count: {min: 2}, schema_drift]
  - {dataset: orders, warehouse: lake, checks: [row_count: {min: 1}]}
  - {dataset: downstream, owner: "@finance", checks: [row_count: {warn_if: "< 5"}]}
  - dataset: bad_*
    owner: "@sandbox"
    checks: [row_count: {min: 0}]
exposures:
  - exposure: cfo_board
    owner: cfo@example.com
    url: https://bi.example.com/cfo
    upstream: [downstream, stg_orders]
  - {exposure: orders, type: ml, upstream: ["lake:orders"]}
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.write("config/dqmon.yaml", CONFIG)
    made.write("checks/shop.yaml", CHECKS)
    (tmp_path / "target").mkdir()
    shutil.copy(MANIFEST, tmp_path / "target" / "manifest.json")
    tables = ("stg_orders", "bad_model", "downstream")
    made.sqlite(*(f"create table {name} (id int)" for name in tables), *(f"insert into {name} values (1), (2)" for name in tables))
    made.sqlite("create table orders (id int)", "insert into orders values (1)", path="data/lake.db")
    return made


def test_the_tree_has_each_node_once_with_its_state_owner_and_when_it_was_good(place: Place) -> None:
    place.dqmon("check").expect(0)
    place.sqlite("delete from stg_orders")
    place.dqmon("check").expect(1)
    for name in ("shop.db", "lake.db"):
        (place.root / "data" / name).unlink()
    told = place.dqmon("lineage", "stg_orders").expect(0)
    assert told.err == "", "no warehouse is asked, so that nothing is said of those that are away"
    assert re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC", "<when>", told.out).splitlines() == [
        "main.stg_orders  failing  owner @orders  last good <when>",
        "Upstream",
        "  STATE      NODE                 OWNER      LAST GOOD",
        "  skipped    ├─ dbt/shop          @platform",
        "  passing    ├─ lake:main.orders             <when>",
        "  no checks  └─ raw.orders",
        "Downstream",
        "  STATE    NODE                                        OWNER            LAST GOOD             LINK",
        "           ├─ cfo_board (dashboard)                    cfo@example.com                        https://bi.example.com/cfo",
        "  passing  └─ main.bad_model                           @sandbox         <when>",
        "  warning     └─ main.downstream                       @finance         never",
        "                 └─ cfo_board (dashboard) (see above)  cfo@example.com                        https://bi.example.com/cfo",
    ]


def test_json_and_mermaid_say_the_same_graph(place: Place) -> None:
    place.dqmon("check").expect(0)
    found = json.loads(place.dqmon("lineage", "main:main.downstream", "--format", "json").expect(0).out)
    assert (found["schema_version"], found["node"]) == (1, "main:main.downstream")
    assert found["descendants"] == ["exposure:/cfo_board"]
    assert found["ancestors"] == ["dbt/shop", "lake:main.orders", "main:main.bad_model", "main:main.stg_orders", "main:raw.orders"]
    assert {"child": "main:main.stg_orders", "parent": "lake:main.orders"} in found["edges"]
    assert {"child": "exposure:/cfo_board", "parent": "main:main.stg_orders"} in found["edges"]
    assert [edge["parent"] for edge in found["edges"] if edge["child"] == "main:main.bad_model"] == ["dbt/shop", "main:main.stg_orders"]
    nodes = {node["node"]: node for node in found["nodes"]}
    assert nodes.keys() == {found["node"], *found["ancestors"], *found["descendants"]}
    table, board = nodes["main:main.downstream"], nodes["exposure:/cfo_board"]
    assert [table[key] for key in ("kind", "name", "state", "checks", "owner")] == ["dataset", "main.downstream", "warning", 1, "@finance"]
    assert [table[key] for key in ("last_good_at", "type", "url", "description")] == [None] * 4
    assert [board[key] for key in ("kind", "state", "type", "url")] == ["exposure", None, "dashboard", "https://bi.example.com/cfo"]
    chart = place.dqmon("lineage", "downstream", "--format", "mermaid").expect(0).out
    assert chart.count(" --> ") == len(found["edges"])
    assert '["main.downstream"]:::warning\n' in chart


def test_what_is_not_there_is_refused_with_the_nearest_name(place: Place) -> None:
    place.dqmon("lineage", "stg_orderz").expect(
        2, "nothing is known of a table, pipeline or exposure 'stg_orderz'; did you mean 'main.stg_orders'?"
    )
    place.dqmon("lineage", "stg_orders", "--format", "dot").expect(2, "--format 'dot' is unknown: write text, json, mermaid")
