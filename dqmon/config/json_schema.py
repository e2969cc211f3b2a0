"""Draft-07 JSON Schemas of check files, rule tests and `config/dqmon.yaml`, for editors; made from the same models that read them."""

from __future__ import annotations

from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from dqmon.config.check_file import SECTIONS as CHECK_SECTIONS
from dqmon.config.exposures import KEY as EXPOSURES
from dqmon.config.keys import ExposureEntry, FileDefaults
from dqmon.config.registries import Registries
from dqmon.config.rule_test_keys import KEY as RULE_TESTS
from dqmon.config.rule_test_keys import RuleTestKeys
from dqmon.config.settings import SECTIONS, RouteKeys, SettingsKeys

DRAFT = "http://json-schema.org/draft-07/schema#"
Schema: TypeAlias = dict[str, Any]

_DROPPED = ("title", "discriminator", "writeOnly", "format")
_REFERENCE = {"type": "string", "pattern": r"\$\{(env|file):[^}]+\}"}


def schemas(registries: Registries | None = None) -> dict[str, Schema]:
    """All schemas by file name, with the options of every extension that is installed; the same each time."""
    known = registries or Registries()
    return {"checks.schema.json": _checks(known), "dqmon.schema.json": _settings(known), "tests.schema.json": _rule_tests()}


def _checks(known: Registries) -> Schema:
    definitions: dict[str, Schema] = {}
    properties: dict[str, Schema] = {"version": {"const": 1}, "defaults": _model(FileDefaults, definitions)}
    for section in CHECK_SECTIONS:
        common = _model(section.check, definitions)
        definitions[f"{section.subject}_check_keys"] = common
        types = {name: rule for name, rule in known.checks.all().items() if rule.subject == section.subject}
        options = {name: _check_options(rule, section.subject, common, definitions) for name, rule in types.items()}
        bare = [name for name, schema in options.items() if not schema["required"]]
        for name in bare:
            options[name] = {"anyOf": [options[name], {"type": "null"}], "description": options[name]["description"]}
        entry = _model(section.entry, definitions)
        entry["properties"]["checks"] = {
            "type": "array",
            "items": {"anyOf": [*([{"enum": bare}] if bare else []), _closed(options) | {"minProperties": 1, "maxProperties": 1}]},
        }
        properties[section.key] = {"type": "array", "items": entry}
    properties[EXPOSURES] = {"type": "array", "items": _model(ExposureEntry, definitions)}
    anything = [{"required": [key]} for key in (*(section.key for section in CHECK_SECTIONS), EXPOSURES)]
    return _document("A check file of dqmon", _closed(properties) | {"required": ["version"], "anyOf": anything}, definitions)


def _check_options(rule: type[BaseModel], subject: str, common: Schema, definitions: dict[str, Schema]) -> Schema:
    own = _model(rule, definitions)
    shared = {key: {"$ref": f"#/definitions/{subject}_check_keys/properties/{key}"} for key in common["properties"]}
    properties = shared | own.get("properties", {})
    return _closed(properties) | {"required": own.get("required", []), "description": own.get("description", "")}


def _settings(known: Registries) -> Schema:
    definitions: dict[str, Schema] = {}
    settings = _model(SettingsKeys, definitions)
    properties: dict[str, Schema] = {"version": {"const": 1}, **settings["properties"]}
    for section, kind in SECTIONS.items():
        types = [_extension(name, found.Options, definitions) for name, found in known.of(kind).all().items()]
        properties[section] = {"type": "object", "additionalProperties": {"anyOf": types}}
    properties["routes"] = {"type": "array", "items": _model(RouteKeys, definitions)}
    return _document("config/dqmon.yaml", _closed(properties) | {"required": ["version"]}, definitions)


def _rule_tests() -> Schema:
    definitions: dict[str, Schema] = {}
    tests = {"type": "array", "minItems": 1, "items": _model(RuleTestKeys, definitions)}
    properties: dict[str, Schema] = {"version": {"const": 1}, RULE_TESTS: tests}
    return _document("Rule tests of dqmon", _closed(properties) | {"required": ["version", RULE_TESTS]}, definitions)


def _extension(name: str, options: type[BaseModel], definitions: dict[str, Schema]) -> Schema:
    """The options of one type; every value may refer to the environment instead."""
    schema = _model(options, definitions)
    values = {
        key: value if value.get("type") == "string" and "enum" not in value else _or_reference(value)
        for key, value in schema["properties"].items()
    }
    schema["properties"] = {"type": {"const": name}, **values}
    schema["required"] = ["type", *schema.get("required", [])]
    return schema


def _or_reference(value: Schema) -> Schema:
    about: Schema = {key: value[key] for key in ("description", "default") if key in value}
    return {"anyOf": [{key: item for key, item in value.items() if key not in about}, _REFERENCE], **about}


def _document(title: str, schema: Schema, definitions: dict[str, Schema]) -> Schema:
    return {"$schema": DRAFT, "title": title, **schema, "definitions": dict(sorted(definitions.items()))}


def _closed(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _model(model: type[BaseModel], definitions: dict[str, Schema]) -> Schema:
    """A model's schema in draft-07; the models that it holds go to `definitions`, under a longer name if theirs is taken."""
    schema = _generated(model, "{model}")
    nested = {name: _draft07(one) for name, one in schema.pop("$defs", {}).items()}
    if any(definitions.get(name, one) != one for name, one in nested.items()):
        schema = _generated(model, f"{model.__name__}.{{model}}")
        nested = {f"{model.__name__}.{name}": _draft07(one) for name, one in schema.pop("$defs").items()}
    definitions.update(nested)
    found: Schema = _draft07(schema)
    found["description"] = (model.__doc__ or "").strip().partition("\n\n")[0]
    return found


def _generated(model: type[BaseModel], name: str) -> Schema:
    return model.model_json_schema(ref_template=f"#/definitions/{name}", schema_generator=_Draft07)


class _Draft07(GenerateJsonSchema):
    """Leaves out what JSON Schema cannot say (defaults that are no JSON), instead of warning about it."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - pydantic's own attribute


def _draft07(node: Any) -> Any:
    """`node` of 2020-12 as draft-07 says it: `prefixItems` is `items`, and `$ref` has no siblings."""
    if isinstance(node, list):
        return [_draft07(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _named(value) if key == "properties" else _draft07(value) for key, value in node.items() if key not in _DROPPED}
    if "prefixItems" in plain:
        plain["items"] = plain.pop("prefixItems")
        plain["additionalItems"] = False
    if plain.get("default", 0) is None:
        del plain["default"]
    if "$ref" in plain and len(plain) > 1:
        plain["allOf"] = [{"$ref": plain.pop("$ref")}]
    return plain


def _named(properties: dict[str, Any]) -> dict[str, Any]:
    """Properties keep their names, also those that are words of JSON Schema (`title`, `format`)."""
    return {name: _draft07(value) for name, value in properties.items()}
