"""YAML as plain values that remember their lines; bombs and ambiguities are refused."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, DocumentStartEvent, MappingStartEvent, NodeEvent, ScalarEvent, SequenceStartEvent

from dqmon.config.report import Report
from dqmon.config.yaml_scalar import scalar

MAX_BYTES = 1_000_000
MAX_ALIASES = 50
MAX_DEPTH = 20
MAX_COPIES = 10_000
"""Values that aliases may stand for in all: nested aliases multiply, so that 50 of them could mean millions."""

_TOO_DEEP = f"nested more than {MAX_DEPTH} deep"
_TOO_DEEP_HINT = "no key of dqmon needs that"
_BRACKETS = re.compile(r"""[\[\]{}]|"(?:[^"\\]|\\.)*"|'[^']*'""")
_UNSTORABLE = re.compile(r"[\0\ud800-\udfff]")
"""PostgreSQL takes no NUL in a text, and halves of surrogate pairs have no UTF-8: escapes in quotes can make both."""
_APART = re.compile("[\t\x85\u2028\u2029\ufeff]|\r(?!\n)")
"""What libyaml and the pure parser take differently: tabs, and what YAML 1.1 counts as the end of a line."""


class YamlMap(dict[str, Any]):
    """A mapping with the 1-based `line` where it starts and the line of each key in `lines`."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


class YamlList(list[Any]):
    """A list with the 1-based `line` where it starts and the line of each item in `lines`."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: list[int] = []


def line_of(data: object, loc: tuple[int | str, ...]) -> int:
    """The line of what `loc` leads to in `data`: the key's, the item's, or that of the last part that is there."""
    line = getattr(data, "line", 1)
    for step in loc:
        if isinstance(data, YamlMap) and step in data:
            line, data = data.lines[str(step)], data[str(step)]
        elif isinstance(data, YamlList) and isinstance(step, int) and step < len(data):
            line, data = data.lines[step], data[step]
    return line


def read_yaml(path: Path, report: Report) -> YamlMap | None:
    """The mapping that the file holds, or None with the reasons in `report`. Never raises for what a file contains."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            report.error(None, f"the file has {size:,} bytes; {MAX_BYTES:,} are allowed", "split it into several files")
            return None
        raw = path.read_bytes()
    except OSError as e:
        report.error(None, f"cannot be read: {e.strerror or e}")
        return None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        report.error(raw.count(b"\n", 0, e.start) + 1, "the file is not UTF-8", "save it as UTF-8")
        return None
    return parse_yaml(text, report)


def parse_yaml(text: str, report: Report) -> YamlMap | None:
    """The mapping that `text` holds, or None with the reasons in `report`.

    Plain words are read by YAML 1.2's core schema: `no`, `07:00` and dates stay text.
    """
    before = len(report.errors)
    if line := _bracket_bomb(text):
        report.error(line, _TOO_DEEP, _TOO_DEEP_HINT)
        return None
    try:
        value = _document(text, report)
    except _Refused:
        return None
    except MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        line = mark.line + 1 if mark else None
        _syntax(text, line, str(e.problem or e.context or "cannot be read"), report)
        return None
    except (YAMLError, ValueError, RecursionError) as e:
        line = _control_line(text)
        report.error(line, f"not YAML: {str(e).splitlines()[0]}")
        return None
    if len(report.errors) > before:
        return None
    if value is None:
        report.error(None, "the file is empty", 'start it with "version: 1"')
    elif not isinstance(value, YamlMap):
        report.error(1, "the file must be a mapping of keys to values", 'start it with "version: 1"')
    else:
        return value
    return None


def _document(text: str, report: Report) -> object:
    """What `text` holds. libyaml reads it ten times as fast; a file that it complains of is read again for the pure parser's words."""
    if not _APART.search(text):
        unheard = Report("")
        with contextlib.suppress(_Refused, YAMLError, ValueError, RecursionError):
            value = _Reader(YAML(typ="safe").parse(text), unheard).document()
            if not unheard.errors:
                return value
    return _Reader(YAML(typ="safe", pure=True).parse(text), report).document()


class _Refused(Exception):
    """The rest of the file is not worth reading; the reason is in the report."""


class _Reader:
    """Builds values from parser events; nothing is kept of what is refused."""

    def __init__(self, events: Iterator[Any], report: Report) -> None:
        self._events = events
        self._report = report
        self._anchors: dict[str, tuple[object, int]] = {}
        self._aliases = self._copies = self._nodes = 0

    def document(self) -> object:
        value: object = None
        is_first = True
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                if not is_first:
                    raise self._refused(event, "a second document starts here; one file is one document", "put it into a file of its own")
                is_first = False
            elif isinstance(event, NodeEvent):
                value = self._value(event, 1)
        return value

    def _value(self, event: Any, depth: int) -> object:
        self._nodes += 1
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if event.tag is not None and event.tag != "!":
            raise self._refused(event, f"tags such as {str(event.tag)!r} are not allowed", "write the plain value")
        if isinstance(event, ScalarEvent):
            if _UNSTORABLE.search(event.value):
                self._report.error(event.start_mark.line + 1, f"{event.value!r} holds NUL or half a character", "leave that out")
            value: object = scalar(event.value) if event.implicit[0] else event.value
            before = self._nodes
        else:
            if depth > MAX_DEPTH:
                raise self._refused(event, _TOO_DEEP, _TOO_DEEP_HINT)
            before = self._nodes
            value = self._map(event, depth) if isinstance(event, MappingStartEvent) else self._list(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._nodes - before + 1)
        return value

    def _map(self, event: Any, depth: int) -> YamlMap:
        found = YamlMap(event.start_mark.line + 1)
        for key_event in self._events:
            if not isinstance(key_event, NodeEvent):
                break
            line = key_event.start_mark.line + 1
            key = self._value(key_event, depth + 1)
            if not isinstance(key, str):
                raise self._refused(key_event, f"a key must be text, not {key!r}", "quote it")
            value = self._value(next(self._events), depth + 1)
            if key in found:
                self._report.error(line, f"{key!r} is given twice, first in line {found.lines[key]}", "keep one")
                continue
            found[key], found.lines[key] = value, line
        return found

    def _list(self, event: Any, depth: int) -> YamlList:
        if not isinstance(event, SequenceStartEvent):
            raise self._refused(event, "neither a value, a list nor a mapping")
        found = YamlList(event.start_mark.line + 1)
        for item in self._events:
            if not isinstance(item, NodeEvent):
                break
            found.lines.append(item.start_mark.line + 1)
            found.append(self._value(item, depth + 1))
        return found

    def _alias(self, event: Any) -> object:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise self._refused(event, f"more than {MAX_ALIASES} aliases", "use `defaults:` for what checks share")
        if event.anchor not in self._anchors:
            raise self._refused(event, f"the alias *{event.anchor} has no anchor &{event.anchor} before it")
        value, size = self._anchors[event.anchor]
        self._copies += size
        self._nodes += size
        if self._copies > MAX_COPIES:
            raise self._refused(event, f"the aliases stand for more than {MAX_COPIES:,} values", "write the values out")
        return value

    def _refused(self, event: Any, message: str, hint: str | None = None) -> _Refused:
        self._report.error(event.start_mark.line + 1, message, hint)
        return _Refused()


def _bracket_bomb(text: str) -> int | None:
    """The line where brackets nest too deep, if any: the parser reads ahead and would take its time over thousands."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.count("[") + line.count("{") > MAX_DEPTH:
            depth = 0
            for sign in _BRACKETS.findall(line):
                depth += (sign in "[{") - (sign in "]}")
                if depth > MAX_DEPTH:
                    return number
    return None


def _syntax(text: str, line: int | None, problem: str, report: Report) -> None:
    lines = text.splitlines()
    shown = lines[line - 1] if line and line <= len(lines) else ""
    if shown[: len(shown) - len(shown.lstrip())].count("\t") or "\\t" in problem:
        report.error(line, "a tab is used for indentation", "use blanks")
    else:
        report.error(line, f"not YAML: {problem}", "check indentation, quotes and brackets")


def _control_line(text: str) -> int | None:
    found = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    return text.count("\n", 0, found.start()) + 1 if found else None
