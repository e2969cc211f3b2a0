"""What the entries of one target say together: keys key by key, checks by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dqmon.config.check_file import Item
from dqmon.config.targets import EXPLICIT, Facts, Placed, Target
from dqmon.core.check import PipelineRef
from dqmon.core.table import quote_part

_PER_ENTRY = frozenset({"warehouse", "include"})


@dataclass(frozen=True, slots=True)
class Chosen:
    """A check that stands after merging, with the entry that declares it."""

    id: str
    placed: Placed
    item: Item

    def line_of(self, key: str) -> int:
        """The line of a key where it stands nearest: on the check, on its entry, in the file's defaults; else the entry's."""
        entry = self.placed.entry
        if key in self.item.keys:
            return self.item.line_of(key)
        return entry.line_of(key) if key in entry.keys else entry.defaults_lines.get(key, entry.data.line)


def join(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    """Two levels as one: inner wins, filters are joined by and, tags united; None unsets what is outside."""
    joined = {**outer, **inner}
    if outer.get("filter") and inner.get("filter"):
        joined["filter"] = f"({outer['filter'].strip()}) and ({inner['filter'].strip()})"
    if outer.get("tags") and inner.get("tags"):
        joined["tags"] = tuple(dict.fromkeys((*outer["tags"], *inner["tags"])))
    return joined


def merged_keys(layers: Sequence[Placed]) -> tuple[dict[str, Any], dict[str, Placed]]:
    """Each key from the most specific entry that has it, and which entry that is; `layers` has the most specific first.

    Entries of one specificity that differ for a key are an error in the later one's report.
    """
    values: dict[str, Any] = {}
    origin: dict[str, Placed] = {}
    for layer in layers:
        for key, value in layer.entry.keys.items():
            if key in _PER_ENTRY:
                continue
            if key not in values:
                values[key], origin[key] = value, layer
            elif origin[key].specificity == layer.specificity and values[key] != value:
                other = origin[key].entry
                message = f"{key} differs from {other.report.path}:{other.line_of(key)}, which is about {other.subject} too and as specific"
                layer.entry.report.error(layer.entry.line_of(key), message, "keep one")
    return values, origin


def chosen_checks(target: Target, layers: Sequence[Placed], facts: Facts) -> list[Chosen]:
    """The target's checks united by id, each whole from the most specific entry; equal ids of one entry are an error."""
    found: dict[str, Chosen] = {}
    for layer in layers:
        for item in layer.entry.items:
            new = Chosen(check_id(target, layer, item, facts), layer, item)
            old = found.setdefault(new.id, new)
            if old is not new and old.placed.specificity == layer.specificity:
                _conflict(old, new)
    return list(found.values())


def _conflict(old: Chosen, new: Chosen) -> None:
    there = f"{old.placed.entry.report.path}:{old.item.line}"
    report = new.placed.entry.report
    if old.placed is new.placed:
        report.error(new.item.line, f"the check {new.id} is already declared at {there}", "add name: to one of them")
    elif (old.item.rule, old.item.keys) != (new.item.rule, new.item.keys):
        report.error(new.item.line, f"the check {new.id} differs from {there}, which is as specific", "keep one, or add name:")


def check_id(target: Target, layer: Placed, item: Item, facts: Facts) -> str:
    """`[warehouse:]dataset.type[.columns…][.name]` or `source/pipeline.type[.name]`; a given id, below a pattern its end."""
    given = item.keys.get("id")
    if given and layer.specificity == EXPLICIT:
        return str(given)
    subject = _subject(target, facts)
    if given:
        return f"{subject}.{given}"
    rule = item.rule
    parts = [rule.type, *map(quote_part, rule.id_columns), *rule.id_suffix]
    if name := item.keys.get("name"):
        parts.append(name)
    return ".".join((subject, *parts))


def former_id(target: Target, layer: Placed, item: Item, facts: Facts) -> str | None:
    """The id that `was:` names; below a pattern its end."""
    was = item.keys.get("was")
    if was and layer.specificity != EXPLICIT:
        return f"{_subject(target, facts)}.{was}"
    return was


def _subject(target: Target, facts: Facts) -> str:
    if isinstance(target, PipelineRef):
        return str(target)
    return target.dataset if target.warehouse == facts.first else str(target)
