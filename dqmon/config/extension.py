"""Warehouses, sources and channels of `config/dqmon.yaml`, each validated by the options of its type."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, BeforeValidator, SecretStr

from dqmon.config.environment import Override
from dqmon.config.fields import keys_of, read_model, redact, without
from dqmon.config.interpolation import Filled, fill, has_reference
from dqmon.config.report import Report, suggest
from dqmon.config.settings import Configured, absolute
from dqmon.config.yaml_lines import YamlMap
from dqmon.config.yaml_scalar import scalar
from dqmon.core.check import SourceLine
from dqmon.core.registry import Registry

_NAME = re.compile(r"[A-Za-z_][\w-]*")


@dataclass(frozen=True, slots=True)
class Outside:
    """What the project's surroundings give: its folder, the environment, and the settings that come from there."""

    root: Path
    env: Mapping[str, str]
    overrides: tuple[Override, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """An extension as written: `raw` stands under `section.name` at `line`; `is_used` when a check, source or route names it."""

    section: str
    name: str
    raw: Any
    line: int
    is_used: bool


def read_extension(written: Written, outside: Outside, known: Registry, report: Report) -> Configured | None:
    """The extension, or None: with errors in `report`, or left out with a warning since nothing uses it and a value
    that it refers to is unset.
    """
    where, line = f"{written.section}.{written.name}", written.line
    kind = _type_of(written, known, report)
    if kind is None:
        return None
    options: type[BaseModel] = known.get(kind).Options
    filled = fill(without(written.raw, ("type",)), outside.env, outside.root)
    is_dry = written.raw.get("dry_run") is True
    own = _gaps(filled, written, keys_of(options), is_dry=is_dry, path=report.path)
    data = filled.data
    for key in data:
        if has_reference(written.raw[key]):
            data[key] = from_text(options, key, data[key])
    _make_absolute(options, data, outside.root)
    unknown = () if is_dry else tuple(gap.key for gap in filled.gaps)
    model = read_model(options, data, own, hidden=(*filled.secrets, *secrets_in(options, data)), unknown=unknown)
    ca = getattr(model, "verify", None)
    if isinstance(ca, str) and not Path(ca).is_file():
        message = redact(f"verify: there is no file {ca}", filled.secrets)
        own.error(data.lines.get("verify"), message, "name the PEM file of the CA, or remove it")
    for problem in (*own.errors, *own.warnings):
        (report.warnings if problem.is_warning else report.errors).append(replace(problem, message=f"{where}: {problem.message}"))
    is_fit = model is not None and not own.errors and (is_dry or not filled.gaps)
    return Configured(written.name, kind, model, SourceLine(report.path, line)) if is_fit else None


def _type_of(written: Written, known: Registry, report: Report) -> str | None:
    where, line, raw = f"{written.section}.{written.name}", written.line, written.raw
    if not _NAME.fullmatch(written.name):
        report.error(line, f"{written.name!r} is no name", "write letters, digits, _ and -")
        return None
    if not isinstance(raw, YamlMap):
        report.error(line, f"{where} must be a mapping of options", f"write {written.name}: {{type: …}}")
        return None
    kind = raw.get("type")
    if kind in known.names():
        return str(kind)
    found = f"unknown type {kind!r}" if "type" in raw else "'type' is missing"
    report.error(raw.lines.get("type", line), f"{where}: {found}", suggest(kind or "", known.names()))
    return None


def _gaps(filled: Filled, written: Written, known: Collection[str], *, is_dry: bool, path: str) -> Report:
    """What could not be filled in: an error for what is in use, a warning for what is unused or never sent."""
    own = Report(path)
    for gap in filled.gaps:
        message = f"{gap.key}: {gap.reason}"
        if gap.key not in known:
            own.error(gap.line, f"unknown key {gap.key!r}", suggest(gap.key, known))
        elif not gap.is_unset:
            own.error(gap.line, message)
        elif is_dry:
            own.warn(gap.line, message, "fine while dry_run is true")
        elif written.is_used:
            own.error(gap.line, message, "set it, or add dry_run: true" if written.section == "channels" else "set it")
        else:
            own.warn(gap.line, message, f"nothing uses {written.name}, so it is left out")
    return own


def secrets_in(options: type[BaseModel], data: Mapping[str, Any]) -> Iterator[str]:
    """The texts of `data` that no message may show: values of secret fields, passwords inside URLs."""
    for key, value in data.items():
        if isinstance(value, str):
            field = _field(options, key)
            if field is not None and _any([*_leaves(field.annotation)], SecretStr):
                yield value
            if found := re.search(r"://[^/@\s]*:([^/\s]+)@", value):
                yield found[1]


def from_text(options: type[BaseModel], key: str, text: Any) -> Any:
    """A variable's text as the option `key` wants it: a number or a truth value where no text is allowed, JSON for lists."""
    field = _field(options, key)
    if field is None or not isinstance(text, str):
        return text
    leaves = [*field.metadata, *_leaves(field.annotation)]
    if text[:1] in ("[", "{") and _any(leaves, list, tuple, dict):
        try:
            return json.loads(text)
        except ValueError:
            return text
    reads_text = _any(leaves, str, SecretStr) or any(isinstance(item, BeforeValidator) for item in leaves)
    return scalar(text) if text and not reads_text and _any(leaves, int, float, bool) else text


def _any(leaves: list[Any], *types: type) -> bool:
    return any(leaf in types for leaf in leaves if isinstance(leaf, type))


def _field(options: type[BaseModel], key: str) -> Any:
    return next((field for name, field in options.model_fields.items() if (field.alias or name) == key), None)


def _leaves(annotation: Any) -> Iterator[Any]:
    """The types and annotations that make up an annotation."""
    yield typing.get_origin(annotation) or annotation
    yield from getattr(annotation, "__metadata__", ())
    for part in typing.get_args(annotation):
        yield from _leaves(part)


def _make_absolute(kind: Any, value: Any, root: Path) -> Any:
    """`value` with what its type `kind` calls a ProjectPath made absolute, at any depth."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for key in value if isinstance(value, dict) else ():
            field = _field(kind, key)
            value[key] = value[key] if field is None else _make_absolute(field.rebuild_annotation(), value[key], root)
        return value
    if "project-path" in getattr(kind, "__metadata__", ()) and isinstance(value, str):
        return absolute(value, root)
    parts, origin = typing.get_args(kind), typing.get_origin(kind)
    if origin is dict and isinstance(value, dict):
        value.update({key: _make_absolute(parts[1], item, root) for key, item in value.items()})
    elif origin in (list, tuple) and isinstance(value, list):
        value[:] = [_make_absolute(parts[0], item, root) for item in value]
    elif origin not in (dict, list, tuple):
        for part in parts:
            value = _make_absolute(part, value, root)
    return value
