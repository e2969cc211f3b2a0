"""A check file as declared: its defaults, entries and checks, each with its line; nothing is merged yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dqmon.config.fields import keys_of, only, read_model, without
from dqmon.config.keys import (
    LATER_CHECK_KEYS,
    CommonKeys,
    DatasetCheckKeys,
    DatasetEntry,
    FileDefaults,
    PipelineCheckKeys,
    PipelineEntry,
    given,
)
from dqmon.config.report import Report, suggest
from dqmon.config.yaml_lines import YamlList, YamlMap
from dqmon.core.check_type import CheckType
from dqmon.core.registry import Registry


@dataclass(frozen=True, slots=True)
class Item:
    """One check as declared: its type's options as `rule`, and the keys that every check takes."""

    rule: CheckType
    keys: dict[str, Any]
    data: YamlMap
    line: int

    def line_of(self, key: str) -> int:
        """The line of one of its keys, its own when the key is not there."""
        return self.data.lines.get(key, self.line)


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of `datasets:`, `ingestion:` or `exposures:`. `keys` and `defaults` hold only what is written there.

    `defaults_lines` has the lines of the file's defaults.
    """

    report: Report
    subject: str
    is_dataset: bool
    data: YamlMap
    keys: dict[str, Any]
    defaults: dict[str, Any]
    defaults_lines: Mapping[str, int]
    items: tuple[Item, ...]

    def line_of(self, key: str) -> int:
        """The line of one of its keys, its own when the key is not there."""
        return self.data.lines.get(key, self.data.line)


@dataclass(frozen=True, slots=True)
class _Section:
    """What tells datasets and pipelines apart."""

    key: str
    subject: str
    entry: type[CommonKeys]
    check: type[CommonKeys]


@dataclass(frozen=True, slots=True)
class _Shared:
    """A file's defaults."""

    keys: dict[str, Any]
    lines: Mapping[str, int]


SECTIONS = (
    _Section("datasets", "dataset", DatasetEntry, DatasetCheckKeys),
    _Section("ingestion", "pipeline", PipelineEntry, PipelineCheckKeys),
)
_FILE_KEYS = ("version", "defaults", "ingestion", "datasets", "exposures")


def declared(data: YamlMap, report: Report, check_types: Registry) -> tuple[Entry, ...]:
    """All entries of a check file's content with checks; what is wrong is in `report`. Its exposures: `config.exposures`."""
    unknown_keys(data, _FILE_KEYS, report)
    check_version(data, report)
    raw = data.get("defaults")
    defaults: FileDefaults | None = FileDefaults()
    if isinstance(raw, YamlMap):
        _later(raw, report)
        defaults = read_model(FileDefaults, without(raw, LATER_CHECK_KEYS), report)
    elif raw is not None:
        report.error(data.lines["defaults"], "defaults must be a mapping of keys to values", "write {owner: …}")
    shared = _Shared(given(defaults) if defaults else {}, raw.lines if isinstance(raw, YamlMap) else {})
    if not any(data.get(key) for key in ("datasets", "ingestion", "exposures")):
        report.error(None, "the file declares no checks", "add datasets: or ingestion:")
    entries: list[Entry] = []
    for section in SECTIONS:
        for raw_entry, line in listed(data, section.key, report, f"- {section.subject}: …"):
            if not isinstance(raw_entry, YamlMap):
                report.error(line, f"{raw_entry!r} is no entry", f"write - {section.subject}: … and checks:")
            elif entry := _entry(raw_entry, section, shared, report, check_types):
                entries.append(entry)
    return tuple(entries)


def check_version(data: YamlMap, report: Report) -> None:
    """Only `version: 1` is read."""
    if "version" not in data:
        report.error(1, "'version' is missing", "add version: 1")
    elif data["version"] != 1 or isinstance(data["version"], bool):
        report.error(data.lines["version"], f"version is {data['version']!r}; this dqmon reads version 1", "write version: 1")


def unknown_keys(data: YamlMap, known: Iterable[str], report: Report, later: Iterable[str] = ()) -> None:
    """Reports keys that are not `known`, and those of `later` as not supported by this version yet."""
    for key in data:
        if key in later:
            _not_yet(key, data.lines[key], report)
        elif key not in known:
            report.error(data.lines[key], f"unknown key {key!r}", suggest(key, known))


def _not_yet(key: str, line: int, report: Report) -> None:
    report.error(line, f"{key!r} is not supported by this version yet", "remove it")


def _later(data: YamlMap, report: Report) -> None:
    for key in LATER_CHECK_KEYS & data.keys():
        _not_yet(key, data.lines[key], report)


def listed(data: YamlMap, key: str, report: Report, form: str) -> Iterable[tuple[Any, int]]:
    """The items of a list with their lines; none when the key is not there, or with an error when it holds no list."""
    found = data.get(key)
    if isinstance(found, YamlList):
        return zip(found, found.lines, strict=True)
    if key in data:
        report.error(data.lines[key], f"{key} must be a list", f"write {form}")
    return ()


def changed(item: Item, values: Mapping[str, Any], report: Report, check_types: Registry, *, is_dataset: bool) -> Item | None:
    """The check with some of its options and keys replaced, as if they stood in the file; None with the reasons in `report`."""
    options = only(item.data, item.data)
    for key, value in values.items():
        options[key], options.lines[key] = value, item.line_of(key)
    raw = YamlMap(item.line)
    raw[item.rule.type], raw.lines[item.rule.type] = options, item.line
    return _item(raw, item.line, SECTIONS[0 if is_dataset else 1], report, check_types)


def _entry(data: YamlMap, section: _Section, shared: _Shared, report: Report, check_types: Registry) -> Entry | None:
    _later(data, report)
    keys = read_model(section.entry, without(data, LATER_CHECK_KEYS | {"checks"}), report, more_keys=("checks",))
    if not data.get("checks") and data.get("enabled") is not False and not data.get("upstream"):
        report.error(data.lines.get("checks", data.line), "the entry has no checks", "add checks: and a list of checks")
        return None
    items = []
    for raw, line in listed(data, "checks", report, "- completeness: {column: …}"):
        if item := _item(raw, line, section, report, check_types):
            items.append(item)
    if keys is None:
        return None
    values = given(keys)
    subject = values.pop(section.subject)
    return Entry(report, subject, section.key == "datasets", data, values, shared.keys, shared.lines, tuple(items))


def _item(raw: object, line: int, section: _Section, report: Report, check_types: Registry) -> Item | None:
    split = _type_and_options(raw, line, report)
    rule_type = split and _check_type(split[0], line, section, report, check_types)
    if not split or not rule_type:
        return None
    options = split[1]
    _later(options, report)
    common = _keys_of(section.check)
    own = tuple(key for key in options if key not in common and key not in LATER_CHECK_KEYS)
    keys = read_model(section.check, only(options, (key for key in options if key in common)), report)
    rule = read_model(rule_type, only(options, own), report, more_keys=common)
    return Item(rule, given(keys), options, line) if rule is not None and keys is not None else None


@lru_cache
def _keys_of(model: type[CommonKeys]) -> frozenset[str]:
    return frozenset(keys_of(model))


def _type_and_options(raw: object, line: int, report: Report) -> tuple[str, YamlMap] | None:
    """`schema_drift` or `schema_drift: {…}`; the options keep their lines."""
    if isinstance(raw, str):
        return raw, YamlMap(line)
    if not isinstance(raw, YamlMap) or not raw:
        report.error(line, f"{raw!r} is no check", "write - completeness: {column: …}")
        return None
    name, *others = raw
    if others:
        report.error(
            raw.lines[others[0]], f"{others[0]!r} stands beside the check {name!r}", f"indent it below {name}:, or write it in its {{…}}"
        )
        return None
    options = raw[name]
    if options is None:
        return name, YamlMap(raw.lines[name])
    if not isinstance(options, YamlMap):
        report.error(raw.lines[name], f"{name} is {options!r}; a mapping of options is expected", f"write - {name}: {{column: …}}")
        return None
    return name, options


def _check_type(name: str, line: int, section: _Section, report: Report, check_types: Registry) -> type[CheckType] | None:
    names = check_types.names()
    if name not in names:
        report.error(line, f"unknown check type {name!r}", suggest(name, names))
        return None
    found: type[CheckType] = check_types.get(name)
    if found.subject != section.subject:
        other = "ingestion:" if found.subject == "pipeline" else "datasets:"
        report.error(line, f"{name} checks a {found.subject}, not a {section.subject}", f"put it under {other}")
        return None
    return found
