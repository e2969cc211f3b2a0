"""The settings in force: each value, secrets masked, and where it comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr

from dqmon.config.interpolation import has_reference
from dqmon.config.project import Project
from dqmon.config.settings import SECTIONS, Settings
from dqmon.config.yaml_lines import YamlList, YamlMap, line_of

_URL_SECRETS = re.compile(r"(://[^/@\s:]*:)[^/\s]+(@)|((?:password|passwd|token|secret|key)=)[^&\s]+", re.IGNORECASE)
_MASK = "***"


def shown(project: Project, *, with_origin: bool = False) -> str:
    """One line a setting, `path: value`, with the file's line, the variable or `default` behind it on request.

    Secrets are `***`; what refers to the environment or a file is shown as that reference.
    """
    rows = [(".".join(map(str, loc)), _text(project, loc, value), _origin(project, loc)) for loc, value in _values(project)]
    if not with_origin:
        return "\n".join(f"{path}: {value}" for path, value, _ in rows)
    width = min(max(len(path) + len(value) for path, value, _ in rows), 80)
    return "\n".join(f"{path}: {value}{' ' * (width - len(path) - len(value))}  # {origin}" for path, value, origin in rows)


def _values(project: Project) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    settings: Settings = project.settings
    keys = project.file.keys.model_dump(mode="python", by_alias=True)
    keys["store"]["url"] = settings.store_url
    keys["checks_path"] = str(settings.checks_path)
    yield from _leaves(keys, ())
    for section in SECTIONS:
        for name, one in getattr(settings, section).items():
            yield (section, name, "type"), one.type
            yield from _leaves(one.options.model_dump(mode="python", by_alias=True), (section, name))
    for at, route in enumerate(project.file.data.get("routes") or ()):
        yield from _leaves(route, ("routes", at))


def _leaves(value: Any, loc: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*loc, key))
    else:
        yield loc, value


def _text(project: Project, loc: tuple[str | int, ...], value: Any) -> str:
    written = _written(project.file.data, loc)
    if has_reference(written) and line_of(project.file.data, loc) >= 0:
        return str(written)
    if isinstance(value, SecretStr):
        return _MASK
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return _URL_SECRETS.sub(lambda found: f"{found[1]}{_MASK}{found[2]}" if found[1] else f"{found[3]}{_MASK}", text)


def _origin(project: Project, loc: tuple[str | int, ...]) -> str:
    data = project.file.data
    if _written(data, loc) is None:
        return "default"
    line = line_of(data, loc)
    return project.file.outside.overrides[-line - 1].origin if line < 0 else f"{project.file.report.path}:{line}"


def _written(data: Any, loc: tuple[str | int, ...]) -> Any:
    for step in loc:
        is_there = step in data if isinstance(data, YamlMap) else isinstance(data, YamlList)
        if not is_there:
            return None
        data = data[step]
    return data
