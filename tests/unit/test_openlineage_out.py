"""Results as OpenLineage events: valid by the specification's own schemas, true to the verdicts, the same each time."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import SecretStr
from referencing import Registry, Resource

from dqmon.core.result import ResultRecord
from dqmon.core.verdict import Severity, Verdict
from dqmon.exporters.openlineage import MeasuredValue, Naming, run_events
from dqmon.exporters.openlineage_names import DataSource, data_source

SPEC = Path(__file__).parents[1] / "fixtures" / "openlineage" / "spec"
DOCUMENTS = {path.stem: json.loads(path.read_text()) for path in SPEC.glob("*.json")}
REGISTRY = Registry().with_resources((one["$id"], Resource.from_contents(one)) for one in DOCUMENTS.values())
FACETS = {
    "test": "TestRunFacet",
    "errorMessage": "ErrorMessageRunFacet",
    "nominalTime": "NominalTimeRunFacet",
    "jobType": "JobTypeJobFacet",
    "dataQualityAssertions": "DataQualityAssertionsDatasetFacet",
    "dataQualityMetrics": "DataQualityMetricsInputDatasetFacet",
}
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
NAMING = Naming("prod", {"main": DataSource("postgres://wh:5432", "shop")})


def result(number=0, verdict=Verdict.PASS, **fields):
    given = {
        "id": f"r{number}", "run_id": "run1", "check_id": f"raw.orders.completeness.c{number}", "name": None, "type": "completeness",
        "dimension": "completeness", "warehouse": "main", "dataset": "raw.orders", "pipeline": None, "columns": (f"c{number}",), "tags": (),
        "partition_column": None, "partition_start": None, "partition_end": None, "partition": "", "segment": "{}", "verdict": verdict,
        "severity": Severity.CRITICAL, "observed_value": 3, "unit": "rows", "ratio": 0.1, "rows_tested": 30, "expected_low": None,
        "expected_high": None, "expected_text": "not > 0 rows", "reason": "3 rows are missing", "owner": "@a", "runbook": None,
        "description": None, "source_path": "checks/a.yaml", "source_line": 1, "sql": ("select 1",), "scheduled_at": AT,
        "measured_at": AT + timedelta(seconds=5), "duration_s": 2.0, "is_learning": False, "is_ad_hoc": False, "as_of": None, "baseline": (),
    }  # fmt: skip
    return ResultRecord(**given | fields)


def problems(event):
    """Everything that the specification's schemas have against the event and each of its facets."""

    def against(document, instance):
        return [error.message for error in Draft202012Validator(DOCUMENTS[document], registry=REGISTRY).iter_errors(instance)]

    found = against("OpenLineage", event)
    places = [event["run"], event["job"], *event["inputs"]]
    facets = [place.get(key, {}) for place in places for key in ("facets", "inputFacets")]
    for held in facets:
        for key in held:
            found += against(FACETS[key], {key: held[key]})
            assert held[key]["_schemaURL"].startswith(DOCUMENTS[FACETS[key]]["$id"] + "#"), f"{key} names another version than the schema's"
    return found


def told(*results, measured=(), naming=NAMING):
    events = list(run_events(results, measured, naming))
    for event in events:
        json.dumps(event, allow_nan=False)
        assert problems(event) == []
    return events


def test_a_run_of_one_table_is_a_start_and_an_end():
    start, end = told(result(0), result(1, Verdict.WARN))
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == end["run"]["runId"]
    assert (start["eventTime"], end["eventTime"]) == ("2026-11-20T12:00:03Z", "2026-11-20T12:00:05Z")
    assert end["job"] | {"facets": None} == {"namespace": "prod", "name": "check.main:raw.orders", "facets": None}
    (dataset,) = end["inputs"]
    assert (dataset["namespace"], dataset["name"]) == ("postgres://wh:5432", "shop.raw.orders")
    assert end["run"]["facets"]["nominalTime"]["nominalStartTime"] == "2026-11-20T12:00:00Z"


def test_assertions_stand_where_the_dbt_integration_puts_them():
    _, end = told(result(0), result(1, Verdict.FAIL))
    (dataset,) = end["inputs"]
    assert dataset["facets"]["dataQualityAssertions"] == dataset["inputFacets"]["dataQualityAssertions"]
    good, bad = dataset["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert (good["success"], good["column"], "severity" in good) == (True, "c0", False)
    assert (bad["success"], bad["severity"], bad["assertion"], bad["name"]) == (
        False,
        "error",
        "completeness",
        "raw.orders.completeness.c1",
    )
    assert (bad["expected"], bad["actual"], bad["params"]["severity"]) == ("not > 0 rows", "3", "critical")


@pytest.mark.parametrize(
    ("verdict", "event", "assertion", "test"),
    [
        (Verdict.PASS, "COMPLETE", True, "pass"),
        (Verdict.WARN, "COMPLETE", False, "fail"),
        (Verdict.FAIL, "FAIL", False, "fail"),
        (Verdict.SKIPPED, "COMPLETE", None, "skip"),
        (Verdict.ERROR, "FAIL", None, "skip"),
    ],
)
def test_what_each_verdict_becomes(verdict, event, assertion, test):
    _, end = told(result(0, verdict))
    (dataset,) = end["inputs"]
    made = [one["success"] for one in dataset["inputFacets"].get("dataQualityAssertions", {"assertions": []})["assertions"]]
    assert (end["eventType"], made) == (event, [] if assertion is None else [assertion])
    assert [one["status"] for one in end["run"]["facets"]["test"]["tests"]] == [test]
    assert ("errorMessage" in end["run"]["facets"]) is (verdict is Verdict.ERROR)


def test_a_pipeline_has_no_dataset_but_its_tests():
    _, end = told(
        result(0, Verdict.FAIL, warehouse=None, dataset=None, pipeline="cron/backup", columns=(), check_id="cron/backup.last_success")
    )
    assert (end["inputs"], end["job"]["name"]) == ([], "check.cron/backup")
    assert [one["name"] for one in end["run"]["facets"]["test"]["tests"]] == ["cron/backup.last_success"]


def test_each_table_of_a_run_is_a_run_of_its_own_and_ids_are_always_the_same():
    results = [result(0), result(1, dataset="raw.items"), result(2), replace(result(0), run_id="run2")]
    events = told(*results)
    ids = [event["run"]["runId"] for event in events]
    assert len(events) == 6
    assert len(set(ids)) == 3
    assert ids == [event["run"]["runId"] for event in told(*results)]
    assert not set(ids) & {event["run"]["runId"] for event in told(*results, naming=Naming("test", NAMING.sources))}


def test_measurements_that_the_facet_has_a_name_for_are_told():
    values = {
        "row_count()": 30.0,
        'missing_count(column="c0", nan="missing")': 3.0,
        'missing_count(column="c1", missing_values=["N/A"], nan="missing")': 9.0,
        'distinct_count(column="c0")': 7.0,
        'non_missing_count(column="c0", nan="missing")': 27.0,
        'sum(column="a, b=\\"c\\")")': 1.5,
        'min(column="c0")': -1.0,
        'max(column="c0")': 4.0,
        'quantile(column="c0", q="0.5")': 2.0,
        'avg(column="c0")': 2.2,
        'max(column="broken': 5.0,
    }
    measured = [MeasuredValue("run1", "main", "raw.orders", key, value) for key, value in values.items()]
    other = [
        MeasuredValue("run2", "main", "raw.orders", "row_count()", 99.0),
        MeasuredValue("run1", "main", "raw.items", "row_count()", 98.0),
    ]
    facet = told(result(0), measured=[*measured, *other])[1]["inputs"][0]["inputFacets"]["dataQualityMetrics"]
    assert facet["rowCount"] == 30
    assert facet["columnMetrics"] == {
        "c0": {"nullCount": 3, "distinctCount": 7, "count": 27.0, "min": -1.0, "max": 4.0, "quantiles": {"0.5": 2.0}},
        'a, b="c")': {"sum": 1.5},
    }


def test_nothing_measured_is_no_facet():
    assert list(told(result(0))[1]["inputs"][0]["inputFacets"]) == ["dataQualityAssertions"]


texts = st.text(max_size=20)
records = st.builds(
    lambda verdict, value, text, columns, segment: result(
        0, verdict, observed_value=value, reason=text, expected_text=text, columns=tuple(columns), segment=json.dumps(segment)
    ),
    st.sampled_from(Verdict),
    st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts | st.lists(texts, max_size=3),
    texts,
    st.lists(texts, max_size=3),
    st.dictionaries(texts, texts | st.integers() | st.none(), max_size=2),
)


@given(st.lists(records, min_size=1, max_size=5))
def test_any_results_make_valid_events(results):
    assert len(told(*results)) == 2


@pytest.mark.parametrize(
    ("kind", "options", "catalog", "name"),
    [
        ("postgres", {"url": SecretStr("postgresql://u:p%40ss@DB.example.com/shop")}, None, "postgres://DB.example.com:5432 shop.raw.orders"),
        ("postgres", {"url": SecretStr("postgresql://[::1]:5433/shop?password=x")}, None, "postgres://[::1]:5433 shop.raw.orders"),
        ("mysql", {"url": SecretStr("mysql://u:secret@db/shop")}, None, "mysql://db:3306 raw.orders"),
        ("snowflake", {"account": "ACME-EU1", "password": SecretStr("x")}, "SHOP", "snowflake://ACME-EU1 SHOP.raw.orders"),
        ("bigquery", {"project": "acme"}, "acme", "bigquery acme.raw.orders"),
        ("redshift", {"host": "c1.abc.eu-west-1.redshift.amazonaws.com", "port": 5439, "database": "dev"}, None, "redshift://c1.eu-west-1:5439 dev.raw.orders"),
        ("redshift", {"host": "10.0.0.1", "port": 5439, "database": "dev"}, None, "redshift://10.0.0.1:5439 dev.raw.orders"),
        ("mssql", {"host": "h", "port": 1433, "database": "d"}, None, "mssql://h:1433 d.raw.orders"),
        ("oracle", {"host": "h", "port": 1521, "service": "XE"}, None, "oracle://h:1521 XE.raw.orders"),
        ("trino", {"host": "h", "port": 443, "catalog": "hive"}, "hive", "trino://h:443 hive.raw.orders"),
        ("clickhouse", {"host": "h", "port": None}, None, "clickhouse://h raw.orders"),
        ("spark", {"host": "h", "port": 10000}, None, "spark://h:10000 raw.orders"),
        ("databricks", {"host": "dbc.cloud"}, "main", "databricks://dbc.cloud main.raw.orders"),
        ("duckdb", {"path": "/data/shop.duckdb"}, None, "duckdb:///data/shop.duckdb raw.orders"),
        ("sqlite", {"path": "/data/shop.db"}, None, "sqlite:///data/shop.db raw.orders"),
        ("somebody_elses", {}, None, "somebody_elses raw.orders"),
    ],
)  # fmt: skip
def test_warehouses_are_named_as_the_specification_names_them(kind, options, catalog, name):
    found = data_source(kind, SimpleNamespace(**options), catalog)
    assert f"{found.namespace} {found.name('raw.orders')}" == name
    assert data_source(kind, SimpleNamespace(**options), catalog, "given").namespace == "given"


def test_a_table_of_another_catalog_keeps_it():
    assert DataSource("x", "shop").name('other.raw."odd.name"') == "other.raw.odd.name"
