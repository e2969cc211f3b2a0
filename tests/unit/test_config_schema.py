"""The JSON Schemas for editors: draft-07, the same each time, and of one mind with the loader."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from dqmon.config.json_schema import DRAFT, schemas
from dqmon.config.registries import Registries
from dqmon.config.report import Report
from dqmon.config.yaml_lines import read_yaml
from dqmon.core.check_type import CheckType

PROJECT = Path(__file__).parents[2]
FOUND = schemas()
CHECKS, SETTINGS = FOUND["checks.schema.json"], FOUND["dqmon.schema.json"]


def loaded(path: Path) -> Any:
    report = Report(path.name)
    data = read_yaml(path, report)
    assert data is not None, report.errors
    return json.loads(json.dumps(data))


def is_valid(schema: dict[str, Any], value: object) -> bool:
    return bool(Draft7Validator(schema).is_valid(value))


def check_file(check: object, **entry: object) -> dict[str, Any]:
    return {"version": 1, "datasets": [{"dataset": "a", "checks": [check], **entry}]}


@pytest.mark.parametrize("schema", FOUND.values(), ids=FOUND)
def test_they_are_draft_07(schema: dict[str, Any]) -> None:
    Draft7Validator.check_schema(schema)
    assert schema["$schema"] == DRAFT
    text = json.dumps(schema)
    for word in ("prefixItems", "$defs", "unevaluatedProperties", "dependentRequired"):
        assert f'"{word}"' not in text, f"{word} is no word of draft-07"


def test_they_are_the_same_each_time() -> None:
    assert json.dumps(schemas()) == json.dumps(FOUND)


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for item in node for found in references(item)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    assert not own or len(node) == 1, f"draft-07 ignores what stands beside $ref: {node}"
    return own + [found for value in node.values() for found in references(value)]


@pytest.mark.parametrize("schema", FOUND.values(), ids=FOUND)
def test_all_references_lead_somewhere(schema: dict[str, Any]) -> None:
    for reference in set(references(schema)):
        node: Any = schema
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
        assert isinstance(node, dict)


@pytest.mark.parametrize("path", sorted((PROJECT / "checks").glob("*.yaml")), ids=lambda path: path.name)
def test_the_examples_check_files_are_valid(path: Path) -> None:
    assert [error.message for error in Draft7Validator(CHECKS).iter_errors(loaded(path))] == []


def test_the_examples_settings_are_valid() -> None:
    assert [error.message for error in Draft7Validator(SETTINGS).iter_errors(loaded(PROJECT / "config/dqmon.yaml"))] == []


def test_every_extension_is_there_with_a_description_of_each_check() -> None:
    known = Registries()
    for name, rule in known.checks.all().items():
        assert isinstance(rule, type)
        assert issubclass(rule, CheckType)
        section = "datasets" if rule.subject == "dataset" else "ingestion"
        items = CHECKS["properties"][section]["items"]["properties"]["checks"]["items"]["anyOf"]
        assert items[-1]["properties"][name]["description"], f"{name} has no description"
    for section, registry in (("warehouses", known.warehouses), ("ingestion", known.ingestion), ("channels", known.channels)):
        types = SETTINGS["properties"][section]["additionalProperties"]["anyOf"]
        assert [schema["properties"]["type"]["const"] for schema in types] == list(registry.names())


@pytest.mark.parametrize(
    "value",
    [
        check_file("schema_drift"),
        check_file({"schema_drift": None}),
        check_file({"schema_drift": {}}),
        check_file({"completeness": {"column": "a", "for": "30m", "recover_after": 2, "fail_if": "not between 1 and 2%"}}),
        check_file({"completeness": {"column": "a"}}, owner=None, schedule="0 8 * * *"),
        check_file({"completeness": {"column": "a"}}, schedule={"cron": "0 8 * * *", "timezone": "UTC"}, upstream=["b"]),
        {"version": 1, "ingestion": [{"pipeline": "a/b", "checks": [{"last_success": {"fail_after": "1h"}}]}]},
    ],
)
def test_what_may_stand_in_a_check_file(value: object) -> None:
    assert [error.message for error in Draft7Validator(CHECKS).iter_errors(value)] == []


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"version": 1},
        {"version": 2, "datasets": []},
        {"version": 1, "datsets": []},
        check_file("completeness"),
        check_file("schema_drft"),
        check_file({"completness": {"column": "a"}}),
        check_file({"completeness": {}}),
        check_file({"completeness": None}),
        check_file({"completeness": {"column": 5}}),
        check_file({"completeness": {"colum": "a"}}),
        check_file({"completeness": {"column": "a", "severity": "eror"}}),
        check_file({"completeness": {"column": "a", "for": 0}}),
        check_file({"completeness": {"column": "a", "fail_if": "5%"}}),
        check_file({"completeness": {"column": "a"}, "row_count": {"min": 1}}),
        check_file({"completeness": {"column": "a", "tags": "x"}}),
        check_file({"uniqueness": {"columns": "a"}}),
        check_file({"freshness": {"column": "a", "fail_after": "3 hours"}}),
        check_file({"freshness": {"column": "a", "fail_after": 3}}),
        check_file({"last_success": {"fail_after": "1h"}}),
        check_file({"completeness": {"column": "a", "partition": {"grain": "day"}}}),
        check_file({"completeness": {"column": "a", "partition": {"column": "x", "grain": "dya"}}}),
        check_file("schema_drift", ownr="x"),
        check_file("schema_drift", include="tables"),
        {"version": 1, "ingestion": [{"pipeline": "a/b", "filter": "x", "checks": ["orphan_load"]}]},
    ],
)
def test_what_may_not_stand_in_a_check_file(value: object) -> None:
    assert not is_valid(CHECKS, value)


def test_what_may_and_may_not_stand_in_the_settings() -> None:
    good = loaded(PROJECT / "config/dqmon.yaml")

    def changed(change: Any) -> Any:
        value = copy.deepcopy(good)
        change(value)
        return value

    assert is_valid(SETTINGS, changed(lambda value: value["warehouses"]["main"].update(max_connections="${env:N}")))
    for change in (
        lambda value: value.update(version=2),
        lambda value: value.pop("version"),
        lambda value: value.update(instanc="x"),
        lambda value: value.update(queue={}),
        lambda value: value.update(fuse_within=30),
        lambda value: value.update(require_runbook="criticl"),
        lambda value: value["warehouses"]["main"].update(type="dukdb"),
        lambda value: value["warehouses"]["main"].pop("type"),
        lambda value: value["warehouses"]["main"].update(pth="x"),
        lambda value: value["warehouses"]["main"].update(max_connections="four"),
        lambda value: value["channels"]["team"].update(dry_run="maybe"),
        lambda value: value["routes"][0].pop("name"),
        lambda value: value["routes"][0].update(to=[]),
        lambda value: value["routes"][0].update(contineu=True),
        lambda value: value["routes"][0].update(group_by=["ownr"]),
    ):
        assert not is_valid(SETTINGS, changed(change))
