"""Settings from the environment: `DQMON_STORE__URL`, `DQMON_CHANNELS__TEAM__TOKEN_FILE`, files in `DQMON_SECRETS_DIR`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dqmon.config.interpolation import Unset, read_secret
from dqmon.config.report import Report, suggest

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

PREFIX = "DQMON_"
OWN = frozenset({"DQMON_CONFIG", "DQMON_SECRETS_DIR"})
"""Variables that say where settings are; they are none themselves."""
PLACE = "environment"
"""Stands in place of a file's path in problems."""


@dataclass(frozen=True, slots=True)
class Override:
    """One setting from outside the file: the lower-case path to it, its text, and the variable or file it is from."""

    path: tuple[str, ...]
    value: Any
    origin: str


def overrides(env: Mapping[str, str], sections: Mapping[str, bool], report: Report) -> tuple[Override, ...]:
    """All settings that `env` and the secrets folder give, the strongest last: folder, `_FILE` variable, plain variable.

    sections: the top-level settings, True for those that hold more settings. Names that are none of them are warned about.
    pydantic-settings (0.15 s of import) is loaded only when there is something to read.
    """
    own = {name: value for name, value in env.items() if name.upper().startswith(PREFIX) and name.upper() not in OWN}
    texts = _secrets_folder(env, report)
    for name in sorted(own, key=lambda name: not name.upper().endswith("_FILE")):
        texts[name.upper().removeprefix(PREFIX).lower()] = (own[name], name)
    known = {}
    for name, (text, origin) in texts.items():
        section = name.split("__")[0]
        if section in sections or section.removesuffix("_file") in sections:
            known[name] = (text, origin)
        else:
            report.of(PLACE).warn(None, f"{origin} is no setting of dqmon", suggest(section, sections))
    return _exploded(known, sections) if known else ()


def _secrets_folder(env: Mapping[str, str], report: Report) -> dict[str, tuple[str, str]]:
    folder = env.get("DQMON_SECRETS_DIR")
    if not folder:
        return {}
    try:
        paths = sorted(Path(folder).iterdir())
    except (OSError, ValueError) as e:
        report.of(PLACE).error(
            None, f"DQMON_SECRETS_DIR is {folder}, which cannot be read: {e}", "name another folder or unset the variable"
        )
        return {}
    found = {}
    for path in paths:
        if path.is_file() and not path.name.startswith("."):
            try:
                name = path.name.upper().removeprefix(PREFIX).lower()
                found[name] = (read_secret(path, str(path)), str(path))
            except Unset as e:
                report.of(PLACE).error(None, str(e))
    return found


def _exploded(texts: Mapping[str, tuple[str, str]], sections: Mapping[str, bool]) -> tuple[Override, ...]:
    found: list[Override] = []

    def walk(node: Any, path: tuple[str, ...]) -> None:
        if isinstance(node, dict):
            for key, value in node.items():
                walk(value, (*path, str(key)))
        else:
            origin = next((texts["__".join(path[:n])][1] for n in range(len(path), 0, -1) if "__".join(path[:n]) in texts), PLACE)
            found.append(Override(path, node, origin))

    walk(_source(texts, sections)(), ())
    return tuple(sorted(found, key=lambda one: (one.origin.upper().startswith(PREFIX), not one.path[-1].endswith("_file"))))


def _source(texts: Mapping[str, tuple[str, str]], sections: Mapping[str, bool]) -> Any:
    """pydantic-settings' reader of nested variables, over `texts` instead of the process environment."""
    from pydantic import create_model
    from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

    class Texts(EnvSettingsSource):
        def _load_env_vars(self) -> Mapping[str, str | None]:
            return {name: text for name, (text, _) in texts.items()}

    class Base(BaseSettings):
        model_config = SettingsConfigDict(env_nested_delimiter="__", extra="ignore")

    fields: dict[str, Any] = {}
    for name, is_nested in sections.items():
        fields[name] = (dict[str, Any] | None if is_nested else str | None, None)
        if not is_nested:
            fields[f"{name}_file"] = (str | None, None)
    model: type[BaseSettings] = create_model("Overrides", __base__=Base, **fields)
    return Texts(model)
