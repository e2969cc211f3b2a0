"""Reading `config/dqmon.yaml`: the file, and the environment over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dqmon.config.check_file import check_version, unknown_keys
from dqmon.config.environment import PLACE, Override, overrides
from dqmon.config.extension import Outside, from_text, secrets_in
from dqmon.config.fields import keys_of, only, read_model
from dqmon.config.interpolation import Unset, fill, has_reference, read_secret
from dqmon.config.registries import Registries
from dqmon.config.report import Report
from dqmon.config.settings import LATER, SECTIONS, RetentionKeys, SettingsKeys, absolute_store
from dqmon.config.yaml_lines import YamlMap, read_yaml
from dqmon.errors import Problem

KEYS = ("version", *keys_of(SettingsKeys), *SECTIONS, "routes")
_FROM_ENVIRONMENT = {"instance": False, "checks_path": False, "require_runbook": False, "fuse_within": False, "correlate_within": False}
_FROM_ENVIRONMENT |= dict.fromkeys(("store", "retention", "web", "openlineage", *SECTIONS), True)


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """The file with the environment laid over it. Lines below zero count into the overrides: `-1` is the first."""

    data: YamlMap
    keys: SettingsKeys
    outside: Outside
    report: Report

    def placed(self, problem: Problem) -> Problem:
        """The problem with the variable's name in place of a line, when the value came from the environment."""
        if problem.line is None or problem.line >= 0:
            return problem
        origin = self.outside.overrides[-problem.line - 1].origin
        return Problem(PLACE, None, f"{origin}: {problem.message}", problem.hint, problem.is_warning)

    def names(self, section: str) -> tuple[str, ...]:
        """The names of a section's extensions, in declared order."""
        found = self.data.get(section)
        return tuple(found) if isinstance(found, YamlMap) else ()

    def option(self, section: str, name: str, key: str) -> Any:
        """What is written for an extension's option, not validated."""
        found = self.data[section][name]
        return found.get(key) if isinstance(found, YamlMap) else None


def read_settings_file(path: Path, root: Path, env: Mapping[str, str], registries: Registries, report: Report) -> SettingsFile | None:
    """The settings that need no extension, or None with the reasons in `report`."""
    data = read_yaml(path, report)
    if data is None:
        return None
    outside = Outside(root, env, overrides(env, _FROM_ENVIRONMENT, report))
    for number, override in enumerate(outside.overrides, 1):
        _apply(data, override, -number, registries, report)
    check_version(data, report)
    unknown_keys(data, KEYS, report, LATER)
    simple = fill(only(data, keys_of(SettingsKeys)), env, root)
    for key in keys_of(SettingsKeys):
        if key != "store" and has_reference(data.get(key)) and data.lines[key] >= 0:
            report.error(data.lines[key], f"{key}: ${{…}} stands in options and the store's url only", "write the value")
    for gap in simple.gaps:
        report.error(gap.line, f"{gap.key}: {gap.reason}", "set it" if gap.is_unset else None)
    missing = tuple(gap.key for gap in simple.gaps)
    hidden = (*simple.secrets, *secrets_in(SettingsKeys, simple.data))
    keys = read_model(SettingsKeys, simple.data, report, more_keys=KEYS, hidden=hidden, unknown=missing)
    return SettingsFile(data, keys or _sound(simple.data), outside, report)


def _sound(data: YamlMap) -> SettingsKeys:
    """The settings that are right by themselves, so that one that is wrong hides nothing of the others."""
    right = [key for key in data if read_model(SettingsKeys, only(data, (key,)), Report(""))]
    return read_model(SettingsKeys, only(data, right), Report("")) or SettingsKeys()


def store_url(path: Path, root: Path, env: Mapping[str, str], registries: Registries) -> str | None:
    """Where the store of a project is whose files may be wrong in everything else; None when that is wrong, too."""
    file = read_settings_file(path, root, env, registries, Report(""))
    if file is None:
        return None
    is_default = "store" in file.data and "store" not in file.keys.model_fields_set
    return None if is_default else absolute_store(file.keys.store.url.get_secret_value(), root)


def _apply(data: YamlMap, override: Override, line: int, registries: Registries, report: Report) -> None:
    """Puts one setting of the environment into `data`, under the name that is written there whatever its case."""
    *parents, key = override.path
    value, section = override.value, override.path[0]
    node = data
    for step in parents:
        name = _same(node, step)
        if not isinstance(node.get(name), YamlMap):
            node[name], node.lines[name] = YamlMap(line), node.lines.get(name, line)
        node = node[name]
    model: type[BaseModel] | None = RetentionKeys if section == "retention" else None
    if section in SECTIONS and len(override.path) > 2:  # noqa: PLR2004 - section, name, option
        kind = data[_same(data, section)][_same(data[section], override.path[1])].get("type")
        known = registries.of(SECTIONS[section])
        model = known.get(kind).Options if kind in known.names() else None
    base = key.removesuffix("_file")
    if base != key and isinstance(value, str) and (model is None or key not in keys_of(model)):
        try:
            key, value = base, read_secret(Path(value), str(value))
        except Unset as e:
            report.of(PLACE).error(None, f"{override.origin}: {e}")
            return
    name = _same(node, key)
    if model is not None and len(override.path) == len(("section", "name", "option")):
        value = from_text(model, name, value)
    node[name], node.lines[name] = value, line


def _same(node: YamlMap, name: str) -> str:
    return next((key for key in node if key.lower() == name.lower()), name)
