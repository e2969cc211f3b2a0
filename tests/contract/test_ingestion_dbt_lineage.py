"""The lineage of the manifest that dbt 1.12 really wrote, of what dbt's documentation says besides, and of manifests that are damaged."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ingestion_contract import check_source
from sqlalchemy.engine.default import DefaultDialect

from dqmon.core.lineage import Edge, Exposure, Lineage
from dqmon.core.protocols import Lineaged
from dqmon.errors import SourceError
from dqmon.ingestion.base.relation import relation
from dqmon.ingestion.dbt import Dbt, DbtOptions
from dqmon.warehouses.duckdb import Duckdb, DuckdbOptions

FIXTURE = Path(__file__).parents[1] / "fixtures" / "ingestion" / "dbt" / "manifest.json"
WAREHOUSE = Duckdb("main", DuckdbOptions(path="/nowhere/wh.duckdb"))
NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
STAGE = "model.shop.stg_orders"


@pytest.fixture
def lineage(tmp_path):
    """The lineage of the recorded manifest, after `change` has been made to it."""

    def of(change=lambda manifest: None, warehouse=WAREHOUSE):
        manifest = json.loads(FIXTURE.read_text())
        change(manifest)
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
        source = Dbt("warehouse_dbt", DbtOptions(target=str(tmp_path)), warehouse)
        assert isinstance(source, Lineaged)
        return source.lineage()

    return of


def exposure(manifest, **fields):
    manifest["exposures"]["exposure.shop.weekly"] = {"resource_type": "exposure", "name": "weekly", "type": "notebook"} | fields
    manifest["parent_map"]["exposure.shop.weekly"] = ["model.shop.downstream"]


RECORDED = [
    Edge("main:main.bad_model", "main:main.stg_orders"),
    Edge("main:main.bad_model", "warehouse_dbt/shop"),
    Edge("main:main.downstream", "main:main.bad_model"),
    Edge("main:main.downstream", "warehouse_dbt/shop"),
    Edge("main:main.stg_orders", "main:raw.orders"),
    Edge("main:main.stg_orders", "warehouse_dbt/shop"),
]


def test_tables_are_made_from_their_parents_and_by_the_projects_runs(lineage):
    found = lineage()
    assert list(found.edges) == RECORDED
    assert found.exposures == {}
    assert found.ancestors("main:main.downstream") == {
        *("main:main.bad_model", "main:main.stg_orders", "main:raw.orders", "warehouse_dbt/shop"),
    }


def test_it_keeps_what_every_source_must_keep(lineage, tmp_path):
    lineage(lambda manifest: exposure(manifest, owner={"email": "bi@example.com"}))
    check_source(Dbt("warehouse_dbt", DbtOptions(target=str(tmp_path)), WAREHOUSE), NOW - timedelta(days=1), NOW)


def test_without_a_warehouse_nothing_is_known(lineage):
    assert lineage(warehouse=None) == Lineage()


def test_what_has_no_table_is_passed_through(lineage):
    def make_ephemeral(manifest):
        for name in ("stg_orders", "bad_model"):
            manifest["nodes"][f"model.shop.{name}"]["relation_name"] = None

    assert list(lineage(make_ephemeral).edges) == [
        Edge("main:main.downstream", "main:raw.orders"),
        Edge("main:main.downstream", "warehouse_dbt/shop"),
    ]


def test_exposures_have_their_owner_and_read_through_metrics(lineage):
    def metric(manifest):
        exposure(manifest, owner={"name": None, "email": "bi@example.com"}, url="https://bi.example.com/w", description="weekly figures")
        manifest["parent_map"] |= {
            "exposure.shop.weekly": ["metric.shop.revenue", STAGE],
            "metric.shop.revenue": ["semantic_model.shop.sales"],
            "semantic_model.shop.sales": ["model.shop.downstream"],
        }

    found = lineage(metric)
    assert found.exposures == {
        "exposure:/weekly": Exposure("weekly", "notebook", "bi@example.com", "https://bi.example.com/w", "weekly figures")
    }
    assert found.parents["exposure:/weekly"] == {"main:main.downstream", "main:main.stg_orders"}


@pytest.mark.parametrize(
    ("owner", "told"),
    [
        ({"name": "BI team", "email": "bi@example.com"}, "BI team"),
        ({"email": ["a@example.com", "b@example.com"]}, "a@example.com"),
        ({"email": []}, None),
        ({}, None),
        ("BI team", None),
        (None, None),
    ],
)
def test_the_owner_of_an_exposure_is_its_name_or_else_its_address(lineage, owner, told):
    assert lineage(lambda manifest: exposure(manifest, owner=owner)).exposures["exposure:/weekly"].owner == told


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://me:secret@bi.example.com", "https://bi/<b>", "bi.example.com", 7, None, ""]
)
def test_a_link_that_no_message_should_hold_is_left_out(lineage, url):
    assert lineage(lambda manifest: exposure(manifest, url=url)).exposures["exposure:/weekly"].url is None


def test_a_source_that_is_a_table_of_the_project_itself_is_no_parent_of_itself(lineage):
    def same_table(manifest):
        manifest["sources"]["source.shop.raw.orders"] |= {"schema": "main", "identifier": "stg_orders"}

    assert "main:main.stg_orders" not in lineage(same_table).parents["main:main.stg_orders"]


def test_a_circle_in_the_parents_of_what_has_no_table_ends(lineage):
    def circle(manifest):
        manifest["parent_map"] |= {STAGE: ["metric.a"], "metric.a": ["metric.b", STAGE], "metric.b": ["metric.a", "source.shop.raw.orders"]}

    assert lineage(circle).parents["main:main.stg_orders"] == {"main:raw.orders", "warehouse_dbt/shop"}


def test_10_000_models_without_a_table_in_a_row_are_walked_without_recursion(lineage):
    def chain(manifest):
        manifest["parent_map"] |= {f"model.e.{n}": [f"model.e.{n + 1}"] for n in range(10_000)}
        manifest["parent_map"] |= {STAGE: ["model.e.0"], "model.e.10000": ["source.shop.raw.orders"]}

    assert list(lineage(chain).edges) == RECORDED


@pytest.mark.parametrize("damage", [None, [], "x", {STAGE: None}, {STAGE: "source.shop.raw.orders"}, {STAGE: [1, None, ["x"]]}])
def test_a_parent_map_of_another_form_leaves_the_runs_alone(lineage, damage):
    found = lineage(lambda manifest: manifest.update(parent_map=damage))
    assert found.parents["main:main.stg_orders"] == {"warehouse_dbt/shop"}


def test_nodes_and_exposures_of_another_form_are_left_out(lineage):
    found = lineage(lambda manifest: manifest.update(nodes={"a": 1, "b": None}, sources=[], exposures={"exposure.shop.x": "x", "": None}))
    assert found.edges == ()


def test_a_manifest_that_is_cut_short_is_an_error_of_the_source(tmp_path):
    (tmp_path / "manifest.json").write_text(FIXTURE.read_text()[:1000])
    with pytest.raises(SourceError, match="cut short"):
        Dbt("warehouse_dbt", DbtOptions(target=str(tmp_path)), WAREHOUSE).lineage()


class Engine:
    """What `relation` asks of a warehouse: here one that has catalogs, and may store names in capitals."""

    name, default_schema = "snow", "public"

    def __init__(self, *, has_capitals, default_catalog="shop"):
        self.default_catalog = default_catalog
        self.dialect = DefaultDialect()
        self.dialect.requires_name_normalize = has_capitals


@pytest.mark.parametrize(
    ("has_capitals", "parts", "statement", "dataset"),
    [
        (False, ("shop", "main", "Orders"), '"shop"."main"."Orders"', "main.Orders"),
        (False, ("SHOP", "main", "orders"), "", "main.orders"),
        (False, ("other", "main", "orders"), "", "other.main.orders"),
        (False, (None, None, "a.b"), "", 'public."a.b"'),
        (True, ("SHOP", "PROD", "stg_orders"), "SHOP.PROD.stg_orders", "prod.stg_orders"),
        (True, ("OTHER", "prod", "Stg_Orders"), "OTHER.prod.Stg_Orders", "other.prod.stg_orders"),
        (True, ("SHOP", "PROD", "Orders"), 'SHOP.PROD."Orders"', "prod.Orders"),
        (True, ("SHOP", "PROD", "ORDERS"), 'SHOP.PROD."ORDERS"', "prod.orders"),
        (True, ("SHOP", "PROD", "orders"), 'SHOP.PROD."orders"', 'prod."""orders"""'),
    ],
)
def test_names_are_spelt_as_check_files_write_them(has_capitals, parts, statement, dataset):
    assert relation(Engine(has_capitals=has_capitals), *parts, statement).dataset == dataset


def test_an_engine_with_one_catalog_has_none_in_its_names():
    assert relation(Engine(has_capitals=False, default_catalog=None), "anything", "main", "orders").dataset == "main.orders"
