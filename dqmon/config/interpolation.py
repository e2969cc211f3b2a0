"""`${env:NAME}` and `${file:PATH}` in the options of warehouses, sources and channels: filled in, never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dqmon.config.yaml_lines import YamlList, YamlMap

_PLACE = re.compile(r"\$\{([^}]*)(\}?)")
_FORM = "write ${env:NAME} or ${file:PATH}"
SECRET_FILE_LIMIT = 65_536
"""Bytes of a file that stands for a value: more is no secret but a mistake."""


class Unset(Exception):
    """What a value refers to is not there; the text says which."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A value that could not be filled in: its option, its line and why. `is_unset` when what it refers to is not there,
    else the reference is malformed.
    """

    key: str
    line: int
    reason: str
    is_unset: bool


@dataclass(slots=True)
class Filled:
    """Options with their references filled in; options with gaps are left out. `secrets` are the texts from outside."""

    data: YamlMap
    gaps: list[Gap] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)


def fill(data: YamlMap, env: Mapping[str, str], root: Path) -> Filled:
    """`data` with references filled in at any depth; paths are relative to `root`.

    What the environment gave (lines below zero) is taken word for word: a secret may hold `${`.
    """
    filled = Filled(YamlMap(data.line))
    for key, value in data.items():
        filled.data.lines[key] = data.lines[key]
        try:
            filled.data[key] = _value(value, data.lines[key], filled.secrets, (env, root))
        except _Unfilled as e:
            filled.gaps.append(Gap(key, e.line, str(e), e.is_unset))
    return filled


def has_reference(value: object) -> bool:
    """True for a text that refers to the environment or to a file."""
    return isinstance(value, str) and "${" in value


class _Unfilled(Exception):
    def __init__(self, line: int, reason: str, *, is_unset: bool) -> None:
        super().__init__(reason)
        self.line = line
        self.is_unset = is_unset


def _value(value: Any, line: int, secrets: list[str], outside: tuple[Mapping[str, str], Path]) -> Any:
    if isinstance(value, YamlMap):
        into = YamlMap(value.line)
        into.lines = value.lines
        into.update({key: _value(item, value.lines[key], secrets, outside) for key, item in value.items()})
        return into
    if isinstance(value, YamlList):
        items = YamlList(value.line)
        items.lines = value.lines
        items.extend(_value(item, at, secrets, outside) for item, at in zip(value, value.lines, strict=True))
        return items

    def found(match: re.Match[str]) -> str:
        try:
            secrets.append(_look_up(match, *outside))
        except Unset as e:
            raise _Unfilled(line, str(e), is_unset=True) from None
        except ValueError as e:
            raise _Unfilled(line, str(e), is_unset=False) from None
        return secrets[-1]

    return _PLACE.sub(found, value) if line >= 0 and has_reference(value) else value


def _look_up(match: re.Match[str], env: Mapping[str, str], root: Path) -> str:
    kind, _, name = match[1].partition(":")
    if not match[2] or kind not in ("env", "file") or not name:
        msg = f"{match[0]!r} is not understood; {_FORM}"
        raise ValueError(msg)
    if kind == "file":
        return read_secret(root / name, name)
    if not env.get(name):
        msg = f"the environment variable {name} is not set"
        raise Unset(msg)
    return env[name]


def read_secret(path: Path, shown: str) -> str:
    """The file's text without the line end; Unset when it cannot be read or is no short text."""
    try:
        if path.stat().st_size > SECRET_FILE_LIMIT:
            msg = f"the file {shown} is larger than {SECRET_FILE_LIMIT:,} bytes"
            raise Unset(msg)
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) else "it is not UTF-8 text"
        msg = f"the file {shown} cannot be read: {reason}"
        raise Unset(msg) from None
    if not text:
        msg = f"the file {shown} is empty"
        raise Unset(msg)
    return text
