"""A project as it would be with other values of a few keys: `dqmon backtest --set key=value`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dqmon.config.check_file import Item, changed
from dqmon.config.fields import keys_of
from dqmon.config.keys import DatasetCheckKeys, PipelineCheckKeys
from dqmon.config.report import Report, suggest
from dqmon.config.yaml_scalar import scalar
from dqmon.errors import ConfigError, Problem

if TYPE_CHECKING:
    from dqmon.config.project import Project
    from dqmon.core.check import Check
    from dqmon.core.registry import Registry

FIXED = frozenset(
    ("id", "name", "was", "enabled", "schedule", "timezone", "naive_timezone", "filter", "partition", "segment_by", "max_segments")
)
"""Keys that say what is measured, and when: the past was measured as it was."""
_PATH = "--set"


@dataclass(frozen=True, slots=True)
class Overridden:
    """The project with the values, and the ids of those of the checks whose type has none of the keys: they stay as they are."""

    project: Project
    untouched: tuple[str, ...]


def read_values(texts: Iterable[str]) -> dict[str, object]:
    """`key=value` texts as keys and YAML values. Raises ConfigError."""
    values: dict[str, object] = {}
    problems = []
    for text in texts:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not key or not equals:
            problems.append(Problem(_PATH, None, f"{text!r} is no key=value", "write --set for=2, or --set 'fail_if=> 0.5%'"))
        elif key in values:
            problems.append(Problem(_PATH, None, f"{key!r} is given twice", "keep one"))
        elif key in FIXED:
            hint = "change what is judged or told: fail_if, for, severity, the options of the check's type"
            problems.append(Problem(_PATH, None, f"{key!r} says what is measured or when, and the past was measured as it was", hint))
        else:
            values[key] = scalar(value)
    if problems:
        raise ConfigError(tuple(problems))
    return values


def overridden(project: Project, checks: Sequence[Check], values: Mapping[str, object], types: Registry) -> Overridden:
    """The project in whose check files the values stand on those checks, as far as their types take them.

    Raises ConfigError as a check file would have it, and for a key that none of the checks takes.
    """
    lines = {(check.source.path, check.source.line) for check in checks}
    report = Report(_PATH)
    takers: set[str] = set()
    touched: set[tuple[str, int]] = set()
    placed = []
    for item in project.placed:
        entry, items = item.entry, []
        for one in entry.items:
            where = (entry.report.path, one.line)
            mine = {key: value for key, value in values.items() if key in _keys(one, is_dataset=entry.is_dataset)}
            if where in lines and mine:
                takers |= mine.keys()
                touched.add(where)
                items.append(changed(one, mine, report, types, is_dataset=entry.is_dataset) or one)
            else:
                items.append(one)
        placed.append(replace(item, entry=replace(entry, items=tuple(items))))
    known = {key for item in project.placed for one in item.entry.items for key in _keys(one, is_dataset=item.entry.is_dataset)}
    for key in sorted(values.keys() - takers):
        if key in known:
            report.error(None, f"none of the selected checks takes {key!r}", "select others, or leave it out")
        else:
            report.error(None, f"unknown key {key!r}: none of the selected checks takes it", suggest(key, known - FIXED))
    if report.errors:
        raise ConfigError(tuple(dict.fromkeys(replace(problem, line=None) for problem in report.errors)))
    rest = tuple(check.id for check in checks if (check.source.path, check.source.line) not in touched)
    return Overridden(replace(project, placed=tuple(placed)), rest)


def _keys(item: Item, *, is_dataset: bool) -> frozenset[str]:
    """All keys that the check may have."""
    found = {*keys_of(DatasetCheckKeys if is_dataset else PipelineCheckKeys), *keys_of(type(item.rule))}
    return frozenset(found if item.rule.allows_threshold else found - {"warn_if", "fail_if"})
